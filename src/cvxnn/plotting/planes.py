"""Networks of one or two features: the function, its kinks and its decision regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.styles import BLACK, BLUE, VERMILLION, get_axes, legend_above
from cvxnn.validation import check_data, check_target

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Points of a curve, and of each side of a grid.
_CURVE, _GRID = 1001, 301
# How far a figure reaches beyond the data, as a share of their range.
_MARGIN = 0.08
# The two classes: name, marker, colour of its points and of its region. The regions differ in
# luminance, and so do the points, one kind of which is hollow.
_CLASSES = (
    ("y <= 0", "s", VERMILLION, "#FBE3D2"),
    ("y > 0", "o", BLUE, "#9CC9E6"),
)
# The two kinds of neurons by the sign of their output weight.
_SIGNS = ((1.0, BLUE, "-", "^"), (-1.0, VERMILLION, "--", "v"))
# Where the triangles of the two kinds stand above the axis, as a share of its height.
_FEET = {1.0: 0.025, -1.0: 0.07}
# Where on a line its arrows stand: near the edge, where lines are farthest apart.
_ARROWS = (0.07, 0.93)


def plot_breakpoints(
    network: TwoLayerNetwork, X: ArrayLike, y: ArrayLike | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw where the neurons of a network switch, with the data.

    Parameters
    ----------
    network : TwoLayerNetwork
    X : array-like of shape (n, d)
        One or two features, and after them a column of ones or not.
    y : array-like of shape (n,), optional
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        Of one feature, the function with a line at the breakpoint of each
        neuron; a triangle at its foot points up where the output weight is
        positive. Of two features, the line of each neuron, with an arrow to the
        side where it is active. Neurons that switch outside the figure are not
        drawn; the legend counts those that are.

    Raises
    ------
    InputError
        If there are other features, or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> from cvxnn.plotting import plot_breakpoints
    >>> network = TwoLayerNetwork([[1.0, -1.0]], [2.0])
    >>> ax = plot_breakpoints(network, [[0.0, 1.0], [2.0, 1.0]], [0.0, 2.0])
    >>> ax.get_legend_handles_labels()[1]
    ['f', 'data', 'breakpoint, weight > 0: 1']
    """
    rows, n_features = _read_rows(network, X, (1, 2))
    target = None if y is None else check_target(y, len(rows))
    ax = get_axes(ax)
    draw = _draw_line if n_features == 1 else _draw_plane
    draw(ax, network, rows, target)
    legend_above(ax, columns=2)
    return ax


def plot_decision_regions(
    network: TwoLayerNetwork, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw where a network of two features is positive, with the labelled data.

    Parameters
    ----------
    network : TwoLayerNetwork
    X : array-like of shape (n, d)
        Two features, and after them a column of ones or not.
    y : array-like of shape (n,)
        The labels; those above 0 are one class.
    ax : Axes, optional
        A new figure's if None.

    Returns
    -------
    Axes
        Regions by the sign of f, its zero line, and a cross on every point
        that has the wrong sign.

    Raises
    ------
    InputError
        If there are other features, or Matplotlib is not installed.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> from cvxnn.plotting import plot_decision_regions
    >>> network = TwoLayerNetwork([[1.0, 0.0], [-1.0, 0.0]], [1.0, -1.0])
    >>> ax = plot_decision_regions(network, [[-1.0, 0.0], [2.0, 3.0]], [-1.0, -1.0])
    >>> ax.get_legend_handles_labels()[1]
    ['y <= 0', 'wrong sign: 1']
    """
    rows, _ = _read_rows(network, X, (2,))
    target = check_target(y, len(rows))
    ax = get_axes(ax)
    (left, right), (bottom, top) = _limits(rows[:, 0]), _limits(rows[:, 1])
    across, up = np.meshgrid(np.linspace(left, right, _GRID), np.linspace(bottom, top, _GRID))
    values = network.forward(_with_ones(np.column_stack([across.ravel(), up.ravel()]), rows))
    values = values.reshape(across.shape)
    colors = [region for *_, region in _CLASSES]
    ax.contourf(across, up, np.where(values > 0.0, 1.0, -1.0), [-2.0, 0.0, 2.0], colors=colors)
    if values.min() < 0.0 < values.max():
        ax.contour(across, up, values, [0.0], colors=BLACK, linewidths=1.0)
    _scatter(ax, rows, target)
    wrong = (network.forward(rows) > 0.0) != (target > 0.0)
    if wrong.any():
        label = f"wrong sign: {np.count_nonzero(wrong)}"
        ax.scatter(
            rows[wrong, 0], rows[wrong, 1], marker="x", color=BLACK, s=60, zorder=4, label=label
        )
    _finish_plane(ax, (left, right), (bottom, top))
    legend_above(ax)
    return ax


def _read_rows(
    network: TwoLayerNetwork, X: ArrayLike, accepted: tuple[int, ...]
) -> tuple[FloatArray, int]:
    """The data, and how many features they have without a last column of ones."""
    rows = check_data(X)
    if rows.shape[1] != network.n_features:
        raise InputError(
            f"X must have the {network.n_features} columns that the network reads, "
            f"got {rows.shape[1]}."
        )
    has_ones = rows.shape[1] > 1 and bool((rows[:, -1] == 1.0).all())
    n_features = rows.shape[1] - has_ones
    if n_features not in accepted:
        count = " or ".join(str(number) for number in accepted)
        raise InputError(
            f"X must have {count} features, a last column of ones apart, got {n_features}."
        )
    return rows, n_features


def _with_ones(points: FloatArray, rows: FloatArray) -> FloatArray:
    """The points with a column of ones where the rows of the data have one."""
    if points.shape[1] == rows.shape[1]:
        return points
    return np.column_stack([points, np.ones(len(points))])


def _limits(values: FloatArray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * (high - low) if high > low else 1.0
    return low - margin, high + margin


def _draw_line(
    ax: Axes, network: TwoLayerNetwork, rows: FloatArray, target: FloatArray | None
) -> None:
    low, high = _limits(rows[:, 0])
    breakpoints = _breakpoints(network)
    inside = (breakpoints > low) & (breakpoints < high)
    # The kinks are among the points, so that the curve is the function.
    points = np.union1d(np.linspace(low, high, _CURVE), breakpoints[inside])
    values = network.forward(_with_ones(points[:, np.newaxis], rows))
    ax.plot(points, values, color=BLACK, linewidth=1.4, label="f", zorder=2.5)
    if target is not None:
        ax.scatter(
            rows[:, 0], target, s=22, color="#E69F00", edgecolor=BLACK, zorder=3, label="data"
        )
    for sign, color, linestyle, marker in _SIGNS:
        chosen = breakpoints[inside & (sign * network.output_weights > 0.0)]
        if len(chosen) == 0:
            continue
        for place in chosen:
            ax.axvline(place, color=color, linestyle=linestyle, linewidth=0.7, alpha=0.7)
        ax.plot(
            chosen, np.full(len(chosen), _FEET[sign]), transform=ax.get_xaxis_transform(),
            color=color, linestyle="none", marker=marker, markersize=6.0,
            markerfacecolor=color if sign > 0.0 else "white",
            label=_count_label("breakpoint", sign, len(chosen)),
        )  # fmt: skip
    ax.set_xlim(low, high)
    # What the function does in the margin, without data, shall not flatten the rest.
    seen = values[(points >= rows[:, 0].min()) & (points <= rows[:, 0].max())]
    ax.set_ylim(*_limits(seen if target is None else np.concatenate([seen, target])))
    ax.set_xlabel("feature 1")
    ax.set_ylabel("f and y" if target is not None else "f")


def _breakpoints(network: TwoLayerNetwork) -> FloatArray:
    """Where each neuron of one feature switches, shape (m,); NaN for a constant one."""
    slopes = network.hidden_weights[:, 0]
    has_bias = network.n_features == 2
    biases = network.hidden_weights[:, 1] if has_bias else np.zeros(len(slopes))
    return np.divide(-biases, slopes, out=np.full(len(slopes), np.nan), where=slopes != 0.0)


def _draw_plane(
    ax: Axes, network: TwoLayerNetwork, rows: FloatArray, target: FloatArray | None
) -> None:
    limits = _limits(rows[:, 0]), _limits(rows[:, 1])
    center = np.array([0.5 * (low + high) for low, high in limits])
    size = min(high - low for low, high in limits)
    for sign, color, linestyle, _ in _SIGNS:
        count = 0
        for weights in network.hidden_weights[sign * network.output_weights > 0.0]:
            segment = _segment(weights, center, limits)
            if segment is None:
                continue
            count += 1
            normal = weights[:2] / np.linalg.norm(weights[:2])
            ax.plot(*segment.T, color=color, linestyle=linestyle, linewidth=1.0, alpha=0.8)
            for share in _ARROWS:
                foot = segment[0] + share * (segment[1] - segment[0])
                _arrow(ax, foot, 0.06 * size * normal, color)
        if count:
            label = _count_label("line", sign, count)
            ax.plot([], [], color=color, linestyle=linestyle, label=label)
    if target is not None:
        _scatter(ax, rows, target)
    _finish_plane(ax, *limits)


def _segment(
    weights: FloatArray, center: FloatArray, limits: tuple[tuple[float, float], ...]
) -> FloatArray | None:
    """The part of the line ``u'x = 0`` inside a box, shape (2, 2); None if there is none."""
    normal, bias = weights[:2], weights[2] if len(weights) == 3 else 0.0
    length = float(np.linalg.norm(normal))
    if length == 0.0:
        return None
    normal, bias = normal / length, bias / length
    foot = center - (normal @ center + bias) * normal
    along = np.array([-normal[1], normal[0]])
    start, end = -np.inf, np.inf
    for place, step, (low, high) in zip(foot, along, limits, strict=True):
        if step == 0.0:
            if not low < place < high:
                return None
            continue
        first, last = sorted(((low - place) / step, (high - place) / step))
        start, end = max(start, first), min(end, last)
    return np.array([foot + start * along, foot + end * along]) if start < end else None


def _arrow(ax: Axes, foot: FloatArray, vector: FloatArray, color: str) -> None:
    ax.annotate(
        "",
        xy=tuple(foot + vector),
        xytext=tuple(foot),
        arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 0.0, "shrinkB": 0.0},
    )


def _count_label(noun: str, sign: float, count: int) -> str:
    return f"{noun}, weight {'>' if sign > 0.0 else '<'} 0: {count}"


def _scatter(ax: Axes, rows: FloatArray, target: FloatArray) -> None:
    """The points with a marker for each class of labels."""
    for positive, (label, marker, color, _) in enumerate(_CLASSES):
        chosen = (target > 0.0) == bool(positive)
        if chosen.any():
            face, edge, width = (color, BLACK, 0.6) if positive else ("white", color, 1.2)
            ax.scatter(
                rows[chosen, 0], rows[chosen, 1], marker=marker, s=26,
                facecolor=face, edgecolor=edge, linewidth=width, zorder=3, label=label,
            )  # fmt: skip


def _finish_plane(ax: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    ax.set_xlim(*across)
    ax.set_ylim(*up)
    ax.set_aspect("equal")
    ax.set_xlabel("feature 1")
    ax.set_ylabel("feature 2")
