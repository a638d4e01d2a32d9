"""Pictures of the optimal set and of paths to it; needs matplotlib (``cvxnn[plot]``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.landscape.descent import DescentPath
from cvxnn.landscape.optimal_set import OptimalSet
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.plotting import styles
from cvxnn.plotting.styles import get_axes, new_figure
from cvxnn.validation import as_real_array, check_count, check_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_STAGES = {"balance": styles.SKY, "prune": styles.YELLOW, "grow": styles.GREEN}
_MEMBERS = (styles.BLUE, styles.VERMILLION, styles.GREEN, styles.PURPLE, styles.ORANGE, styles.SKY)


def plot_descent(
    path: DescentPath,
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    n_points: int = 600,
    ax: Axes | None = None,
) -> Axes:
    """Objective (2) along a path, on a logarithmic scale, with its stages shaded.

    Parameters
    ----------
    path : DescentPath
    X : array-like, shape (n, d)
    y : array-like, shape (n,), or (n, c) for c outputs
    beta : float
    n_points : int, default 600
        At least 2; the corners of the path are drawn as well.
    ax : matplotlib Axes, optional
        New ones if None.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If an argument is not as described, or matplotlib is not installed.

    Examples
    --------
    >>> import cvxnn
    >>> X, y, beta = [[1.0], [2.0]], [1.0, 2.0], 0.5
    >>> network = cvxnn.TwoLayerNetwork([[3.0], [1.0], [0.0]], [-0.1, 0.2, 0.0])
    >>> target = cvxnn.solve(X, y, beta, tol=1e-10).network
    >>> path = cvxnn.descent_path(network, target, X, y, beta)
    >>> plot_descent(path, X, y, beta).get_xlabel()
    'position on the path'
    """
    axes = get_axes(ax)
    spread = np.linspace(0.0, 1.0, check_count(n_points, "n_points", minimum=2))
    times = np.union1d(spread, path.breakpoints)
    values = path.objectives(X, y, beta, times)
    for segment in path.segments:
        axes.axvspan(segment.start, segment.end, color=_STAGES[segment.label], alpha=0.18, lw=0)
        middle = 0.5 * (segment.start + segment.end)
        # Above the frame, where no curve can cross it.
        axes.text(
            middle, 1.01, segment.label, transform=axes.get_xaxis_transform(),
            ha="center", va="bottom",
        )  # fmt: skip
    axes.plot(times, values, color=styles.BLUE, lw=2)
    axes.axhline(values[-1], color=styles.BLACK, lw=1, ls="--")
    axes.annotate(
        f"optimum {values[-1]:.4g}", (0.0, values[-1]), xytext=(4, 4),
        textcoords="offset points", va="bottom",
    )  # fmt: skip
    if values[-1] > 0.0:
        axes.set_yscale("log")
    axes.set(xlabel="position on the path", ylabel="objective (2)", xlim=(0.0, 1.0))
    return axes


def plot_predictions(
    optima: OptimalSet,
    grid: ArrayLike,
    *,
    features: Callable[[FloatArray], ArrayLike] | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    n_members: int = 4,
    random_state: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """All optimal predictions of data on a line: their range as a tube, and some of them.

    Parameters
    ----------
    optima : OptimalSet
    grid : array-like, shape (q,)
        Where to predict, in increasing order.
    features : callable, optional
        Takes the grid to the rows (q, d) of X that belong to it. By default a
        column of the grid, with a column of ones if the data have two columns.
    data : pair of array-like, optional
        Positions, shape (n,), and targets, shape (n,), to draw as points.
    n_members : int, default 4
        Networks of the set to draw, from :meth:`cvxnn.OptimalSet.sample`.
    random_state : int, numpy Generator or None, default 0
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If an argument is not as described, or matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import OptimalSet
    >>> angles = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)
    >>> circle = lambda angles: np.column_stack([np.cos(angles), np.sin(angles)])
    >>> optima = OptimalSet(circle(angles), np.ones(8), beta=0.1)
    >>> ax = plot_predictions(optima, np.linspace(0.0, 6.0, 50), features=circle, n_members=2)
    >>> len(ax.lines)
    2
    """
    n_outputs = optima.outputs.shape[1]
    if n_outputs > 1:
        raise InputError(
            f"optima must be those of one output, got {n_outputs}: plot_descent is for all."
        )
    axes = get_axes(ax)
    positions = as_real_array(grid, "grid")
    if positions.ndim != 1 or len(positions) < 2:
        raise InputError(f"grid must be 1-D with two points at least, got {positions.shape}.")
    rows = check_data((features or _line_features(optima))(positions))
    if len(rows) != len(positions):
        raise InputError(f"features must give {len(positions)} rows, got {len(rows)}.")
    lowest, highest = optima.prediction_range(rows)
    axes.fill_between(
        positions, lowest, highest, color=styles.SKY, alpha=0.4, lw=0, label="range of all optima"
    )
    members = optima.sample(check_count(n_members, "n_members"), random_state)
    for i, member in enumerate(members):
        label = "some of them" if i == 0 else None
        axes.plot(positions, member.forward(rows), color=_MEMBERS[i % 6], lw=1.3, label=label)
    if data is not None:
        axes.plot(*data, "o", color=styles.BLACK, ms=5, label="data", zorder=3)
    axes.set(xlabel="x", ylabel="prediction")
    # Above the frame: a tube leaves no corner free for sure.
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return axes


def plot_neurons(
    networks: Sequence[TwoLayerNetwork],
    *,
    features: tuple[int, int] = (0, 1),
    titles: Sequence[str] | None = None,
    names: tuple[str, str] | None = None,
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """The neurons of networks side by side: products ``|a_j| u_j`` as arrows.

    The length is what a neuron costs, the colour the sign of its output weight.

    Parameters
    ----------
    networks : sequence of TwoLayerNetwork
        On the same features; usually two optima.
    features : pair of int, default (0, 1)
        The two coordinates of ``u_j`` to draw.
    titles : sequence of str, optional
        One for each network.
    names : pair of str, optional
        Of the two coordinates.
    axes : sequence of matplotlib Axes, optional
        One for each network; a new row of axes with common limits if None.

    Returns
    -------
    list of matplotlib Axes

    Raises
    ------
    InputError
        If an argument is not as described, or matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> small = TwoLayerNetwork([[1.0, 0.0]], [2.0])
    >>> large = small.split(0, [0.3, 0.7])
    >>> left, right = plot_neurons([small, large], names=("price", "size"))
    >>> left.get_title(), right.get_title(), left.get_ylabel()
    ('1 neurons', '2 neurons', 'size')
    """
    _check_networks(networks, features)
    if axes is None:
        k = len(networks)
        new = new_figure((4.2 * k + 1.2, 4.0))
        axes = new.subplots(1, k, squeeze=False, sharex=True, sharey=True)[0]
    found = list(axes)
    for given, name in ((found, "axes"), (titles, "titles")):
        if given is not None and len(given) != len(networks):
            raise InputError(
                f"{name} must be {len(networks)}, one for each network, got {len(given)}."
            )
    both = list(features)
    products = [
        np.abs(network.output_weights)[:, None] * network.hidden_weights[:, both]
        for network in networks
    ]
    limit = 1.15 * max(float(np.abs(p).max(initial=1e-12)) for p in products)
    first, second = names or tuple(f"weight of feature {i}" for i in both)
    for i, axis in enumerate(found):
        _draw_arrows(axis, products[i], networks[i].output_weights)
        axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel=first)
        axis.set_title(titles[i] if titles else f"{networks[i].n_neurons} neurons")
    found[0].set_ylabel(second)
    return found


def _check_networks(networks: Sequence[TwoLayerNetwork], features: tuple[int, int]) -> None:
    if not networks:
        raise InputError("networks must be a sequence of at least one TwoLayerNetwork.")
    for i, network in enumerate(networks):
        check_plain(network, f"networks[{i}]", intercept=True)
    columns = range(min(network.n_features for network in networks))
    if len(features) != 2 or not all(each in columns for each in features):
        raise InputError(f"features must be two columns of the networks, got {features}.")


def _draw_arrows(axis: Axes, products: FloatArray, output: FloatArray) -> None:
    axis.axhline(0.0, color="0.85", lw=0.8, zorder=0)
    axis.axvline(0.0, color="0.85", lw=0.8, zorder=0)
    for sign, colour, label in ((1.0, styles.BLUE, "a > 0"), (-1.0, styles.VERMILLION, "a < 0")):
        chosen = products[np.sign(output) == sign]
        if len(chosen) == 0:
            continue
        zeros = np.zeros(len(chosen))
        axis.quiver(
            zeros, zeros, chosen[:, 0], chosen[:, 1], color=colour, label=label,
            angles="xy", scale_units="xy", scale=1.0, width=0.012,
        )  # fmt: skip
    axis.legend(frameon=False, loc="best")


def _line_features(optima: OptimalSet) -> Callable[[FloatArray], FloatArray]:
    d = optima.directions.shape[1]
    if d > 2:
        raise InputError(
            f"features must be given for data with {d} columns: a function from positions on "
            "the line to rows of X."
        )
    return lambda grid: np.column_stack([grid, np.ones(len(grid))][:d])
