"""Curves over iterations or time: objectives, scores and gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.array_types import FloatArray
from cvxnn.baselines import LocalSearch
from cvxnn.errors import InputError
from cvxnn.plotting.styles import BLACK, STYLES, Style, get_axes, legend_above, styles_of
from cvxnn.results import Progress
from cvxnn.validation import check_choice, check_positive, check_target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Searches = LocalSearch | Mapping[str, LocalSearch]
Score = Callable[[FloatArray, FloatArray], float]

_AXES = {"iteration": "iteration", "seconds": "time (s)"}
# Where a relative gap of 0 is drawn on a logarithmic axis: the rounding of float64.
_LEAST_GAP = 1e-16
# The marker at the last finite value of a trial that diverged.
_DIVERGED = "x"


def sign_accuracy(y: FloatArray, values: FloatArray) -> float:
    """The share of rows whose label -1 or 1 is the sign of f(x); 0 counts as -1.

    Parameters
    ----------
    y, values : ndarray, shape (p,)

    Examples
    --------
    >>> sign_accuracy(np.array([1.0, -1.0]), np.array([0.3, 0.1]))
    0.5
    """
    return float(np.mean((values > 0.0) == (y > 0.0)))


def plot_objective(
    searches: Searches,
    *,
    levels: Mapping[str, float] | None = None,
    bound: float | None = None,
    x: str = "iteration",
    ax: Axes | None = None,
) -> Axes:
    """Draw the objective of every trial, and of convex training as horizontal lines.

    Parameters
    ----------
    searches : LocalSearch, or mapping of str to LocalSearch
        Keys are the labels. A trial that diverged ends in a cross.
    levels : mapping of str to float, optional
        Objectives to compare with, ``{"optimal": 0.2, "sampled": 0.3}``: keys of
        :data:`cvxnn.plotting.STYLES`, or other labels.
    bound : float, optional
        A certified lower bound on the objective.
    x : {"iteration", "seconds"}
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        The objective (2), a sum over the rows, on a logarithmic axis.

    Raises
    ------
    InputError
        If `x` is unknown, or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn.baselines import local_search
    >>> search = local_search([[1.0], [2.0]], [1.0, 2.0], 1.0, width=2, iterations=100)
    >>> ax = plot_objective(search, levels={"optimal": 0.9})
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()
    ('iteration', 'objective (2)', 'log')
    """
    ax = get_axes(ax)
    named = _named(searches)
    _plot_trials(ax, named, [search.losses for search in named.values()], x)
    _plot_levels(ax, levels or {})
    if bound is not None:
        _plot_level(ax, STYLES["bound"], bound)
    ax.set_yscale("log")
    ax.set_ylabel("objective (2)")
    legend_above(ax)
    return ax


def plot_scores(
    searches: Searches,
    y: ArrayLike,
    *,
    score: Score = sign_accuracy,
    ylabel: str = "test accuracy",
    levels: Mapping[str, float] | None = None,
    x: str = "iteration",
    ax: Axes | None = None,
) -> Axes:
    """Draw a score of every trial on the rows that were monitored.

    Parameters
    ----------
    searches : LocalSearch, or mapping of str to LocalSearch
        Run with `X_monitor`.
    y : array-like of shape (p,)
        The targets of these rows.
    score : callable
        ``score(y, values)`` with the values ``f(X_monitor)``, shape (p,).
    ylabel : str
        Name of the score.
    levels : mapping of str to float, optional
        Scores to compare with, as in :func:`plot_objective`.
    x : {"iteration", "seconds"}
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If a search was not monitored, `y` has another length, `x` is unknown,
        or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn.baselines import local_search
    >>> X, y = [[1.0], [-2.0]], [1.0, -1.0]
    >>> search = local_search(X, y, 0.1, width=2, iterations=100, X_monitor=X)
    >>> plot_scores(search, y, levels={"optimal": 1.0}).get_ylabel()
    'test accuracy'
    """
    named = _named(searches)
    values = [_scores(search, y, score) for search in named.values()]
    ax = get_axes(ax)
    _plot_trials(ax, named, values, x)
    _plot_levels(ax, levels or {})
    ax.set_ylabel(ylabel)
    legend_above(ax)
    return ax


def plot_gap(
    progress: Sequence[Progress], *, tol: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the certified relative gap of a run against time.

    Parameters
    ----------
    progress : sequence of Progress
        What the callback of :func:`cvxnn.solve` received, or `history` of its
        result.
    tol : float, optional
        The tolerance, as a horizontal line.
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        The gap on a logarithmic axis, from the first round with a bound. A gap
        of 0 is drawn at 1e-16, the rounding of float64.

    Raises
    ------
    InputError
        If no round has a bound, or Matplotlib is not installed.

    Examples
    --------
    >>> rounds = [Progress(0, 0.1, 2.0, 1.0, 1, 1), Progress(1, 0.2, 1.5, 1.5, 2, 1)]
    >>> ax = plot_gap(rounds)
    >>> ax.get_lines()[0].get_ydata().tolist()
    [0.5, 1e-16]
    """
    known = [(line.elapsed, line.gap) for line in progress if np.isfinite(line.gap)]
    if not known:
        raise InputError("progress must have a round with a lower bound, got none.")
    ax = get_axes(ax)
    times, gaps = np.array(known).T
    style = STYLES["optimal"]
    # A gap holds until the next round.
    ax.plot(
        times, np.maximum(gaps, _LEAST_GAP), color=style.color, marker=style.marker,
        markersize=4.0, drawstyle="steps-post", label="relative gap",
    )  # fmt: skip
    if tol is not None:
        tol = check_positive(tol, "tol")
        ax.axhline(tol, color=BLACK, linestyle=":", linewidth=1.4, label=f"tolerance {tol:g}")
    ax.set_yscale("log")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("relative gap")
    legend_above(ax)
    return ax


def _named(searches: Searches) -> dict[str, LocalSearch]:
    if isinstance(searches, LocalSearch):
        return {STYLES[searches.optimizer].label: searches}
    return dict(searches)


def _scores(search: LocalSearch, y: ArrayLike, score: Score) -> FloatArray:
    """Shape (T, K); NaN where a trial has diverged."""
    if search.monitored is None:
        raise InputError("The search was not monitored; call local_search with X_monitor.")
    target = check_target(y, search.monitored.shape[2])
    scores = np.full(search.losses.shape, np.nan)
    for index in np.argwhere(np.isfinite(search.losses)):
        place = tuple(index)
        scores[place] = score(target, search.monitored[place])
    return scores


def _plot_trials(
    ax: Axes, searches: Mapping[str, LocalSearch], values: Sequence[FloatArray], x: str
) -> None:
    x = check_choice(x, "x", tuple(_AXES))
    runs = [(label, search.optimizer) for label, search in searches.items()]
    for place, (search, style) in enumerate(zip(searches.values(), styles_of(runs), strict=True)):
        for trial, curve in enumerate(values[place]):
            times = search.iterations if x == "iteration" else search.seconds[trial]
            # One marker for each trial, all at different times: in grey they tell methods apart.
            share = (trial + (place + 0.5) / len(runs)) / search.n_trials
            _plot_trial(ax, times, curve, style, share)
        _describe(ax, style, diverged=search.n_diverged > 0)
    ax.set_xlabel(_AXES[x])


def _plot_trial(
    ax: Axes, times: NDArray[np.generic], curve: FloatArray, style: Style, share: float
) -> None:
    """One curve, with a marker after this share of it, or a cross where it diverged."""
    finite = np.isfinite(curve)
    n_finite = int(finite.sum())
    if n_finite == 0:
        return
    diverged = n_finite < len(curve)
    ax.plot(
        times[finite],
        curve[finite],
        **(style.line | {"linewidth": 0.9 * style.linewidth}),
        alpha=0.8,
        marker=_DIVERGED if diverged else style.marker,
        markevery=[n_finite - 1 if diverged else int(share * n_finite)],
        markersize=8.0 if diverged else 5.5,
    )


def _describe(ax: Axes, style: Style, *, diverged: bool) -> None:
    """The entries of a search in the legend."""
    ax.plot([], [], marker=style.marker, markersize=5.5, label=style.label, **style.line)
    if diverged:
        label = f"{style.label}, diverged"
        ax.plot([], [], marker=_DIVERGED, markersize=8.0, label=label, **style.line)


def _plot_levels(ax: Axes, levels: Mapping[str, float]) -> None:
    other = iter(styles_of((label, "sampled") for label in levels if label not in STYLES))
    for label, value in levels.items():
        _plot_level(ax, STYLES[label] if label in STYLES else next(other), value)


def _plot_level(ax: Axes, style: Style, value: float) -> None:
    # The bound, which is often as good as equal, lies on top.
    zorder = 3.0 if style is STYLES["bound"] else 2.5
    ax.axhline(value, zorder=zorder, label=f"{style.label} {value:.4g}", **style.line)
