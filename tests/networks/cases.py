"""Networks of every kind with data, and their values in rational arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from cvxnn.architectures import CircularCNN, ConvolutionalNetwork, GatedNetwork, LinearCNN
from numpy.typing import NDArray
from scipy.linalg import circulant

from cvxnn.networks import Network, TwoLayerNetwork

FloatArray = NDArray[np.float64]
# Arrays of Fraction.
Exact = NDArray[np.object_]


@dataclass(frozen=True)
class Case:
    """A network, data for it, and its values and squared weights written out anew."""

    name: str
    network: Any
    data: FloatArray
    values: Callable[[Any, FloatArray], Exact]
    text: str
    # What is in the penalty: arrays by name.
    squared: tuple[str, ...]

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """The arguments of the constructor that are arrays."""
        return dict(self.network._arrays)

    @property
    def settings(self) -> dict[str, Any]:
        """Its other arguments."""
        return dict(self.network._settings)

    def made(self, **changed: Any) -> Network:
        """A network of this kind with some arguments changed."""
        made: Network = type(self.network)(**(self.arrays | self.settings | changed))
        return made

    @property
    def penalty(self) -> Fraction:
        """What beta multiplies, to 60 digits."""
        squares = [np.sum(exact(getattr(self.network, name)) ** 2) for name in self.squared]
        w = getattr(self.network, "skip_weights", None)
        paid = w is not None and not self.network.skip_is_free
        return Fraction(sum(squares)) / 2 + (root(np.sum(exact(w) ** 2)) if paid else 0)


def exact(array: Any) -> Exact:
    """The same numbers as fractions."""
    numbers: Exact = np.vectorize(Fraction, otypes=[object])(array)
    return numbers


def root(square: Fraction) -> Fraction:
    """The square root to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return Fraction((Decimal(square.numerator) / Decimal(square.denominator)).sqrt())


def leaky(sums: Exact, slope: float) -> Exact:
    return np.where(sums > 0, sums, Fraction(slope) * sums)


def dense_values(network: TwoLayerNetwork, X: FloatArray) -> Exact:
    sums = exact(X) @ exact(network.hidden_weights).T
    values = leaky(sums, network.slope) @ exact(network.output_weights)
    w = network.skip_weights
    return values if w is None else values + exact(X) @ exact(w)


def gated_values(network: GatedNetwork, X: FloatArray) -> Exact:
    gates = exact(X) @ exact(network.gates).T >= 0
    products = exact(X) @ exact(network.hidden_weights).T
    return (gates * products) @ exact(network.output_weights)


def maps_by_loops(network: ConvolutionalNetwork, data: FloatArray) -> Exact:
    """Activations of every filter at every place, shape (n, K, m)."""
    sides = network.filter_shape[:-1]
    pixels = data.reshape(*data.shape[: len(sides) + 1], -1)
    around = [(0, 0)] + [(network.padding, network.padding)] * len(sides) + [(0, 0)]
    padded, filters = exact(np.pad(pixels, around)), exact(network.filters)
    places = list(
        itertools.product(
            *(
                range(0, whole - side + 1, network.stride)
                for whole, side in zip(padded.shape[1:-1], sides, strict=True)
            )
        )
    )
    maps = np.zeros((len(data), len(places), network.n_neurons), dtype=object)
    for k, place in enumerate(places):
        window = tuple(slice(a, a + side) for a, side in zip(place, sides, strict=True))
        for i, image in enumerate(padded):
            maps[i, k] = [np.sum(image[window] * u) for u in filters]
    if network.biases is not None:
        maps = maps + exact(network.biases)
    return leaky(maps, network.slope)


def convolutional_values(network: ConvolutionalNetwork, data: FloatArray) -> Exact:
    maps = maps_by_loops(network, data)
    pooled = maps.max(axis=1) if network.pooling == "max" else maps.sum(axis=1)
    if network.pooling == "average":
        pooled = pooled * Fraction(1, maps.shape[1])
    return pooled @ exact(network.output_weights)


def linear_values(network: LinearCNN, patches: FloatArray) -> Exact:
    products = exact(patches) @ exact(network.filters).T
    return np.einsum("nkj,jk->n", products, exact(network.output_weights))


def circular_values(network: CircularCNN, X: FloatArray) -> Exact:
    pairs = zip(network.filters, network.output_weights, strict=True)
    return sum((exact(X) @ exact(circulant(u)) @ exact(w) for u, w in pairs), exact([0.0]))


def draws(seed: int = 0) -> Callable[..., FloatArray]:
    return np.random.default_rng(seed).standard_normal


def dense_case(name: str, text: str = "", **settings: Any) -> Case:
    draw = draws()
    network = TwoLayerNetwork(draw((4, 3)), draw(4), **settings)
    text = f"TwoLayerNetwork(n_neurons=4, n_features=3{text})"
    squared = ("hidden_weights", "output_weights")
    return Case(name, network, draw((6, 3)), dense_values, text, squared)


def gated_case() -> Case:
    draw = draws()
    # The last gate is open everywhere, and the first row on the boundary of the first.
    gates, X = np.vstack([[1.0, 0.0, 0.0], draw((2, 3)), np.zeros(3)]), draw((6, 3))
    X[0, 0] = 0.0
    network = GatedNetwork(gates, draw((4, 3)), draw(4))
    squared = ("hidden_weights", "output_weights")
    text = "GatedNetwork(n_neurons=4, n_features=3)"
    return Case("gated", network, X, gated_values, text, squared)


def convolutional_case(
    shape: tuple[int, ...],
    filter_shape: tuple[int, ...],
    *,
    m: int = 3,
    has_biases: bool = True,
    text: str = "",
    **settings: Any,
) -> Case:
    draw = draws()
    filters, output = draw((m, *filter_shape)), draw(m)
    biases = draw(m) if has_biases else None
    network = ConvolutionalNetwork(filters, output, biases, **settings)
    squared = ("filters", "output_weights") + (("biases",) if has_biases else ())
    text = f"ConvolutionalNetwork(n_neurons={m}, filter_shape={filter_shape}{text})"
    name = f"convolutional {len(shape)}-D {settings.get('pooling', 'sum')}"
    return Case(name, network, draw(shape), convolutional_values, text, squared)


def bilinear_case(kind: Any, shape: tuple[int, ...], sizes: tuple[int, int], text: str) -> Case:
    draw = draws()
    network = kind(draw((2, sizes[0])), draw((2, sizes[1])))
    values = linear_values if kind is LinearCNN else circular_values
    squared = ("filters", "output_weights")
    text = f"{kind.__name__}(n_neurons=2, {text})"
    return Case(f"{kind.__name__} {shape}", network, draw(shape), values, text, squared)


W = (0.5, -2.0, 0.1)
CASES = [
    dense_case("ReLU"),
    dense_case("leaky", ", slope=0.1", slope=0.1),
    dense_case(
        "modulus and skip", ", slope=-1.0, skip='penalised'", slope=-1.0, skip_weights=W
    ),
    dense_case("free skip", ", skip='free'", skip_weights=W, skip_is_free=True),
    gated_case(),
    convolutional_case(
        (4, 6, 5), (3, 2, 1), stride=2, slope=-1.0,
        text=", stride=2, pooling='sum', slope=-1.0",
    ),
    convolutional_case((4, 9, 2), (4, 2), has_biases=False, pooling="max", text=", pooling='max'"),
    convolutional_case(
        (3, 5, 5, 2), (2, 3, 2), padding=1, pooling="average", slope=0.1,
        text=", padding=1, pooling='average', slope=0.1",
    ),
    bilinear_case(LinearCNN, (5, 4, 3), (3, 4), "filter_size=3, n_patches=4"),
    *(
        bilinear_case(CircularCNN, (4, d), (d, d), f"n_features={d}")
        for d in (1, 2, 5, 6)
    ),
]  # fmt: skip
# One of each kind.
KINDS = list({type(case.network): case for case in CASES}.values())

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_kind = pytest.mark.parametrize("case", KINDS, ids=lambda case: type(case.network).__name__)
