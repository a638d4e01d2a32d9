"""The functions of one feature each that an additive network is a sum of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.styles import BLUE, new_figure
from cvxnn.validation import check_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_COLUMNS = 4
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
        Whose neurons see one feature each, and a bias or not: of ``ReLU(features=1)``.
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
        axes are in the units of the data. Marks below are rows, 200 at most.

    Raises
    ------
    InputError
        If `model` is none of these, a neuron sees several features, or Matplotlib is not
        installed.

    Examples
    --------
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
    curves = sorted(map(sums.curve, sums.used), key=lambda curve: -curve.deviation)
    rows = -(-max(len(curves), 1) // _COLUMNS)
    columns = min(max(len(curves), 1), _COLUMNS)
    if figure is None:
        figure = new_figure((2.4 * columns + 0.6, 2.2 * rows + 0.2))
    if not sums.used:
        figure.text(0.5, 0.5, "no neurons: f is constant", ha="center", va="center")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax in axes[len(curves) :]:
        ax.remove()
    for ax, curve in zip(axes, curves, strict=False):
        _draw(ax, curve, sums.data[:, curve.feature], names[curve.feature])
    for ax in axes[: len(curves) : columns]:
        ax.set_ylabel("contribution to f")
    return figure


@dataclass(frozen=True)
class _Curve:
    """A function by its values at its kinks and the ends of the data."""

    feature: int
    at: FloatArray
    values: FloatArray
    deviation: float


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
    """Neurons ``(slope_j (x_k - centre_k) / scale_k + bias_j)_+ a_j`` of a feature k each.

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
        if not isinstance(network, TwoLayerNetwork) or not network.is_plain or network.n_outputs:
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
        several = np.flatnonzero((slopes != 0.0).sum(axis=1) > 1)
        if len(several):
            seen = ", ".join(map(str, np.flatnonzero(slopes[several[0]])))
            raise InputError(
                "plot_shapes draws functions of one feature each, and a neuron sees the columns "
                f"{seen}: train ReLU(features=1)."
            )
        names = getattr(model, "feature_names_in_", [f"x{j}" for j in range(data.shape[1])])
        return cls(data, slopes, biases, output, list(names)[: data.shape[1]])

    @property
    def used(self) -> list[int]:
        """Features that a neuron sees."""
        return np.flatnonzero(self.slopes.any(axis=0)).tolist()

    def curve(self, feature: int) -> _Curve:
        """The function of a feature, less its mean on the data."""
        own = self.slopes[:, feature] != 0.0
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
