"""Curves over beta: the path of solutions, and the scores of cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.plotting.styles import BLACK, ORANGE, STYLES, Style, get_axes, legend_above
from cvxnn.training.path import RegularizationPath

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_NEURONS = Style("neurons", ORANGE, "--", "s", 1.4)


def plot_path(path: RegularizationPath, *, ax: Axes | None = None) -> Axes:
    """Draw objective, bound and neurons of a path against beta.

    Parameters
    ----------
    path : RegularizationPath
        From :func:`cvxnn.regularization_path`.
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        The objective (2), a sum over the rows, and what is proven about it, over
        beta on a logarithmic axis. A second axis on the right counts the neurons.
        A bound that is infinite is left out.

    Raises
    ------
    InputError
        If `path` is none, has no solution, or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn import regularization_path
    >>> from cvxnn.plotting import plot_path
    >>> ax = plot_path(regularization_path([[1.0], [2.0]], [1.0, 1.0], [3.0, 1.5, 0.5]))
    >>> ax.get_xlabel(), ax.get_xscale(), [line.get_label() for line in ax.get_lines()]
    ('beta', 'log', ['objective', 'lower bound', 'neurons'])
    """
    if not isinstance(path, RegularizationPath):
        raise InputError(f"path must be a RegularizationPath, got {type(path).__name__}.")
    if len(path.solutions) == 0:
        raise InputError("path must have one solution at least, got none.")
    ax = get_axes(ax)
    neurons = _second_axis(ax)
    _curve(neurons, path.betas, path.n_neurons.astype(np.float64), _NEURONS)
    neurons.set_ylabel("neurons")
    # A count has no halves, and starts at 0.
    neurons.locator_params(axis="y", integer=True)
    neurons.set_ylim(bottom=0.0)
    _curve(ax, path.betas, path.objectives, STYLES["optimal"], label="objective")
    bounds = np.where(np.isfinite(path.dual_bounds), path.dual_bounds, np.nan)
    _curve(ax, path.betas, bounds, STYLES["bound"], zorder=3.0)
    # The legend is that of one axis: an empty curve stands for the one on the right.
    _curve(ax, np.zeros(0), np.zeros(0), _NEURONS)
    _label_beta(ax)
    ax.set_ylabel("objective (2)")
    legend_above(ax)
    return ax


def plot_cv(model: Any, *, ax: Axes | None = None) -> Axes:
    """Draw the mean score of every beta with its standard error over the folds.

    Parameters
    ----------
    model : ConvexReLURegressorCV or ConvexReLUClassifierCV
        Fitted.
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        Scores over beta on a logarithmic axis, the chosen beta as a vertical line.
        With one fold there is no standard error.

    Raises
    ------
    InputError
        If the model has no scores, or Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import ConvexReLURegressorCV
    >>> from cvxnn.plotting import plot_cv
    >>> X = np.linspace(-1.0, 1.0, 40)[:, None]
    >>> ax = plot_cv(ConvexReLURegressorCV(betas=[1.0, 0.1]).fit(X, np.abs(X[:, 0])))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('beta', 'mean score of 5 folds')
    """
    if not hasattr(model, "scores_path_"):
        raise InputError(
            "model must be a fitted ConvexReLURegressorCV or ConvexReLUClassifierCV, "
            f"got {type(model).__name__} without scores."
        )
    scores, style = model.scores_path_, STYLES["optimal"]
    n_folds = scores.shape[1]
    ax = get_axes(ax)
    mean = scores.mean(axis=1)
    _curve(ax, model.betas_, mean, style, label="mean score")
    if n_folds > 1:
        error = scores.std(axis=1, ddof=1) / np.sqrt(n_folds)
        ax.fill_between(
            model.betas_, mean - error, mean + error,
            color=style.color, alpha=0.2, linewidth=0.0, label="standard error",
        )  # fmt: skip
    ax.axvline(
        model.beta_, color=BLACK, linestyle=":", linewidth=1.4, label=f"beta = {model.beta_:.3g}"
    )
    _label_beta(ax)
    ax.set_ylabel(f"mean score of {n_folds} fold" + ("s" if n_folds > 1 else ""))
    legend_above(ax)
    return ax


def _second_axis(ax: Axes) -> Axes:
    """An axis on the right, below the curves of the first."""
    right = ax.twinx()
    ax.set_zorder(right.get_zorder() + 1.0)
    ax.patch.set_visible(False)
    return right


def _curve(ax: Axes, betas: FloatArray, values: FloatArray, style: Style, **changes: Any) -> None:
    look = style.line | {"marker": style.marker, "markersize": 4.0, "label": style.label}
    ax.plot(betas, values, **(look | changes))


def _label_beta(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xlabel("beta")
