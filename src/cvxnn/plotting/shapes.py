"""The functions of one feature or two that an additive network is a sum of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.styles import BLUE, new_figure
from cvxnn.validation import check_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_COLUMNS = 4
# Points of a side of the grid that a function of two features is drawn on.
_GRID = 80
# Rows of the data that are marked below a function, at most.
_MARKS = 200


def plot_shapes(
    model: Any,
    X: ArrayLike,
    feature_names: Sequence[str] | None = None,
    *,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw the shape functions of an additive network, those that vary most first.

    Parameters
    ----------
    model : TwoLayerNetwork, Solution or estimator
        Whose neurons see one feature each, or two, and a bias or not: of ``ReLU(features=1)``,
        ``ReLU(features=2)``, or groups of that size.
    X : array-like, shape (n, d)
        Data as it takes them: with the column of ones of a network, without that of a
        fitted estimator.
    feature_names : sequence of str, optional
        One for each column but for that of ones. By default those of the estimator, or x0, x1,
        and so on.
    figure : Figure or SubFigure, optional
        A new one if None.

    Returns
    -------
    Figure or SubFigure
        For each feature that is used its function ``f_j`` on the range of the data, less its
        mean there: ``f(x) = constant + sum_j f_j(x_j)``. It is piecewise linear and drawn from
        kink to kink, so exactly. All have one scale; of an estimator that standardises both
        axes are in the units of the data. Marks below are rows, 200 at most. What neurons of
        two features add up to is a map of colours, less its mean as well, with rows as dots; maps
        have one scale, too.

    Raises
    ------
    InputError
        If `model` is none of these, a neuron sees more than two features, or Matplotlib is not
        installed.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> from cvxnn.plotting import plot_shapes
    >>> network = TwoLayerNetwork([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]], [1.0, -2.0])
    >>> figure = plot_shapes(network, [[0.0, 1.0, 1.0], [2.0, 3.0, 1.0]], ["age", "size"])
    >>> [ax.get_xlabel() for ax in figure.axes]
    ['size', 'age']
    >>> figure.axes[1].get_lines()[1].get_xydata().tolist()
    [[0.0, -0.5], [1.0, -0.5], [2.0, 0.5]]
    """
    sums = _Sums.read(model, X)
    names = sums.names if feature_names is None else list(feature_names)
    if len(names) != sums.data.shape[1]:
        raise InputError(
            f"feature_names must have {sums.data.shape[1]} names, one for each feature, "
            f"got {len(names)}."
        )
    shapes = sorted(map(sums.shape, sums.used), key=lambda shape: -shape.deviation)
    rows = -(-max(len(shapes), 1) // _COLUMNS)
    columns = min(max(len(shapes), 1), _COLUMNS)
    if figure is None:
        figure = new_figure((2.4 * columns + 0.6, 2.2 * rows + 0.2))
    if not shapes:
        figure.text(0.5, 0.5, "no neurons: f is constant", ha="center", va="center")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(shapes) :]:
        ax.remove()
    _draw_all(axes[: len(shapes)], shapes, sums.data, names)
    return figure


@dataclass(frozen=True)
class _Curve:
    """A function by its values at its kinks and the ends of the data."""

    feature: int
    at: FloatArray
    values: FloatArray
    deviation: float


@dataclass(frozen=True)
class _Map:
    """A function of two features on a grid over the data, shape (of the second, of the first)."""

    features: tuple[int, int]
    at: tuple[FloatArray, FloatArray]
    values: FloatArray
    deviation: float


def _draw_all(
    axes: Iterable[Axes], shapes: Sequence[_Curve | _Map], data: FloatArray, names: Sequence[str]
) -> None:
    """Each on axes of its own; curves have one scale, and maps."""
    curves = [shape.values for shape in shapes if isinstance(shape, _Curve)]
    largest = max((np.abs(s.values).max() for s in shapes if isinstance(s, _Map)), default=0.0)
    for place, (ax, shape) in enumerate(zip(axes, shapes, strict=True)):
        if isinstance(shape, _Map):
            _draw_map(ax, shape, data[:, shape.features], float(largest), names)
            continue
        _draw(ax, shape, data[:, shape.feature], names[shape.feature])
        ends = float(np.min([v.min() for v in curves])), float(np.max([v.max() for v in curves]))
        margin = 0.05 * (ends[1] - ends[0]) or 1.0
        ax.set_ylim(ends[0] - margin, ends[1] + margin)
        if place % _COLUMNS == 0:
            ax.set_ylabel("contribution to f")


def _draw_map(
    ax: Axes, shape: _Map, columns: FloatArray, largest: float, names: Sequence[str]
) -> None:
    mesh = ax.pcolormesh(
        *shape.at, shape.values, cmap="RdBu_r", vmin=-largest, vmax=largest, shading="gouraud"
    )
    marked = columns[:: -(-len(columns) // _MARKS)]
    ax.plot(*marked.T, ".", color="0.2", markersize=1.5)
    ax.set_xlabel(names[shape.features[0]])
    ax.set_ylabel(names[shape.features[1]])
    ax.figure.colorbar(mesh, ax=ax)


def _draw(ax: Axes, curve: _Curve, column: FloatArray, name: str) -> None:
    ax.axhline(0.0, color="0.8", linewidth=0.8, zorder=1.0)
    ax.plot(curve.at, curve.values, color=BLUE, linewidth=1.8)
    marked = np.unique(column)
    marked = marked[:: -(-len(marked) // _MARKS)]
    place = np.zeros(len(marked))
    ax.plot(
        marked, place, "|", color="0.4", markersize=5.0, markeredgewidth=0.5,
        transform=ax.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
    ax.set_xlabel(name)


@final
@dataclass(frozen=True)
class _Sums:
    """Neurons ``(slope_j (x_k - centre_k) / scale_k + bias_j)_+ a_j`` of one or two features k.

    Attributes
    ----------
    data : ndarray, shape (n, p)
        Without a column of ones.
    slopes : ndarray, shape (m, p)
    biases, output : ndarray, shape (m,)
    names : list of str
    """

    data: FloatArray
    slopes: FloatArray
    biases: FloatArray
    output: FloatArray
    names: list[str]

    @classmethod
    def read(cls, model: Any, X: ArrayLike) -> _Sums:
        network = getattr(model, "network_", getattr(model, "network", model))
        is_sum = isinstance(network, TwoLayerNetwork) and network.slope == 0.0
        if not is_sum or network.skip_weights is not None or network.n_outputs:
            raise InputError(
                "plot_shapes draws a TwoLayerNetwork of one output, a Solution or an estimator "
                f"with one, got {type(model).__name__}."
            )
        data, hidden = check_data(X), network.hidden_weights
        scaling, output = getattr(model, "scaling_", None), network.output_weights
        # An estimator may have a column of ones of its own, which X is without.
        has_bias = scaling is not None and hidden.shape[1] == data.shape[1] + 1
        own_ones = not has_bias and _is_bias(data, hidden)
        if hidden.shape[1] != data.shape[1] + has_bias:
            raise InputError(
                f"X must have the {hidden.shape[1]} columns that the network reads, its column of "
                f"ones included, got {data.shape[1]}."
            )
        slopes, biases = hidden[:, : data.shape[1]], np.zeros(len(hidden))
        if has_bias:
            biases = hidden[:, -1]
        if scaling is not None:
            slopes = slopes / scaling.scale
            biases = biases - slopes @ np.broadcast_to(
                0.0 if scaling.centre is None else scaling.centre, data.shape[1]
            )
            output = output * scaling.target_scale
        if own_ones:
            data, slopes, biases = data[:, :-1], slopes[:, :-1], biases + slopes[:, -1]
        several = np.flatnonzero((slopes != 0.0).sum(axis=1) > 2)
        if len(several):
            seen = ", ".join(map(str, np.flatnonzero(slopes[several[0]])))
            raise InputError(
                "plot_shapes draws functions of one feature or two, and a neuron sees the columns "
                f"{seen}: train ReLU(features=1) or ReLU(features=2)."
            )
        names = getattr(model, "feature_names_in_", [f"x{j}" for j in range(data.shape[1])])
        return cls(data, slopes, biases, output, list(names)[: data.shape[1]])

    @property
    def used(self) -> list[tuple[int, ...]]:
        """The features, or pairs of them, that neurons see."""
        seen = {tuple(np.flatnonzero(slopes).tolist()) for slopes in self.slopes}
        return sorted(seen - {()})

    def shape(self, features: tuple[int, ...]) -> _Curve | _Map:
        """The function of a feature or a pair, less its mean on the data."""
        others = np.delete(self.slopes, features, axis=1)
        own = np.asarray(self.slopes[:, features].all(axis=1) & ~others.any(axis=1))
        return self._curve(features[0], own) if len(features) == 1 else self._map(features, own)

    def _map(self, features: tuple[int, ...], own: BoolArray) -> _Map:
        first, second = features
        slopes, biases = self.slopes[own][:, features], self.biases[own]

        def values(x: FloatArray) -> FloatArray:
            return np.asarray(np.maximum(x @ slopes.T + biases, 0.0) @ self.output[own])

        columns = self.data[:, features]
        ends = zip(columns.min(axis=0), columns.max(axis=0), strict=True)
        at = tuple(np.linspace(low, high, _GRID) for low, high in ends)
        grid = np.stack(np.meshgrid(*at), axis=-1)
        on_data = values(columns)
        return _Map(
            (first, second), (at[0], at[1]), values(grid) - on_data.mean(), float(on_data.std())
        )

    def _curve(self, feature: int, own: BoolArray) -> _Curve:
        slopes, biases, output = self.slopes[own, feature], self.biases[own], self.output[own]

        def values(x: FloatArray) -> FloatArray:
            return np.asarray(np.maximum(np.outer(x, slopes) + biases, 0.0) @ output)

        column = self.data[:, feature]
        kinks = -biases / slopes
        inside = kinks[(kinks > column.min()) & (kinks < column.max())]
        at = np.unique(np.concatenate([[column.min(), column.max()], inside]))
        on_data = values(column)
        mean = float(on_data.mean())
        return _Curve(feature, at, values(at) - mean, float(on_data.std()))


def _is_bias(data: FloatArray, hidden: FloatArray) -> bool:
    """Whether the last column is one of ones, and for the network too.

    A feature that happens to be 1 in all of these rows is seen by neurons of its own.
    """
    if hidden.shape[1] != data.shape[1] or not (data[:, -1] == 1.0).all():
        return False
    seen = hidden[:, -1] != 0.0
    return not seen.any() or bool(hidden[seen, :-1].any())
