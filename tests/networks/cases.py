"""The registry of networks: every kind and setting, with data and values in rational arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import pytest
from programs import patches_by_loops
from scipy.linalg import circulant

from cvxnn import (
    CircularCNN,
    ConvolutionalNetwork,
    GatedNetwork,
    LinearCNN,
    ParallelNetwork,
    TwoLayerNetwork,
)


@dataclass(frozen=True)
class Case:
    """How to make a network of so many neurons, and the shape of data for it."""

    name: str
    make: Callable[[int], Any]
    shape: tuple[int, ...]
    image_shape: tuple[int, ...] | None = None

    @property
    def network(self):
        return self.make(4)

    @property
    def kind(self):
        return type(self.make(0))

    @property
    def data(self):
        """The last column of rows is one of ones; the first row is on the boundary of a gate."""
        data = normal(*self.shape)
        if self.image_shape is None:
            data[..., -1] = 1.0
        if self.kind is GatedNetwork:
            data[0, 0] = 0.0
        return data

    @property
    def channels_first(self):
        """The data as other libraries have them."""
        if self.image_shape is None:
            return self.data
        has_channels = len(self.shape) > len(self.image_shape) + 1
        return np.moveaxis(self.data, -1, 1) if has_channels else self.data[:, np.newaxis]

    @property
    def values(self):
        """What the network is on the data."""
        return values(self.network, self.data)

    @property
    def arrays(self):
        """The arguments of the constructor that are arrays."""
        return dict(self.network._arrays)

    @property
    def settings(self):
        """Its other arguments."""
        return dict(self.network._settings)

    def made(self, **changed):
        """A network of this kind with some arguments changed."""
        made = self.kind(**(self.arrays | self.settings | changed))
        return made


# ------------------------------------------------------------------ in rational arithmetic


def exact(array):
    """The same numbers as fractions."""
    numbers = np.vectorize(Fraction, otypes=[object])(array)
    return numbers


def product(left, right):
    """``left @ right`` of fractions, as one of integers: no sum has to be reduced."""
    (numerators, first), (others, second) = over_one_denominator(left), over_one_denominator(right)
    return (numerators @ others) * Fraction(1, first * second)


def sum_of_squares(fractions):
    flat = fractions.reshape(-1)
    return product(flat, flat)


def over_one_denominator(fractions):
    """Integers, and what they have to be divided by."""
    common = lcm(*(fraction.denominator for fraction in fractions.flat))
    whole = [fraction.numerator * (common // fraction.denominator) for fraction in fractions.flat]
    integers = np.empty(fractions.shape, dtype=object)
    integers.reshape(-1)[:] = whole
    return integers, common


def root(square):
    """The square root to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return Fraction((Decimal(square.numerator) / Decimal(square.denominator)).sqrt())


def leaky(sums, slope):
    return np.where(sums > 0, sums, Fraction(slope) * sums)


def dense_values(network, X):
    sums = product(exact(X), exact(network.hidden_weights).T)
    values = product(leaky(sums, network.slope), exact(network.output_weights))
    w = network.skip_weights
    return values if w is None else values + product(exact(X), exact(w))


def gated_values(network, X):
    gates = product(exact(X), exact(network.gates).T) >= 0
    products = product(exact(X), exact(network.hidden_weights).T)
    if network.second_gates is not None:
        gates = gates & (product(exact(X), exact(network.second_gates).T) >= 0)
        products = products * exact(network.inner_weights)
    return product(gates * products, exact(network.output_weights))


def parallel_values(network, X):
    total = exact(np.zeros(len(X)))
    for k, (W, b, a) in enumerate(
        zip(network.hidden_weights, network.inner_weights, network.output_weights, strict=True)
    ):
        sums, offset = product(exact(X), exact(W).T), Fraction(0)
        if network.hidden_biases is not None:
            sums = sums + exact(network.hidden_biases[k])
        if network.inner_biases is not None:
            offset = Fraction(network.inner_biases[k])
        total = total + leaky(product(leaky(sums, 0), exact(b)) + offset, 0) * Fraction(a)
    return total


def maps_by_loops(network, data):
    """Activations of every filter at every place, shape (n, K, m)."""
    sides = network.filter_shape[:-1]
    patches = patches_by_loops(data, sides, network.stride, network.padding)
    filters = exact(network.filters.reshape(network.n_neurons, patches.shape[2]))
    maps = product(exact(patches), filters.T)
    if network.biases is not None:
        maps = maps + exact(network.biases)
    return leaky(maps, network.slope)


def convolutional_values(network, data):
    maps = maps_by_loops(network, data)
    pooled = maps.max(axis=1) if network.pooling == "max" else maps.sum(axis=1)
    if network.pooling == "average":
        pooled = pooled * Fraction(1, maps.shape[1])
    return product(pooled, exact(network.output_weights))


def linear_values(network, patches):
    products = product(exact(patches), exact(network.filters).T)
    return np.einsum("nkj,jk->n", products, exact(network.output_weights))


def circular_values(network, X):
    pairs = zip(network.filters, network.output_weights, strict=True)
    zeros = exact(np.zeros(len(X)))
    return sum((product(product(exact(X), exact(circulant(u))), exact(w)) for u, w in pairs), zeros)


# The values of a kind, and what is in its penalty: arrays by name.
FORMULAS = {
    TwoLayerNetwork: (dense_values, ("hidden_weights", "output_weights")),
    GatedNetwork: (gated_values, ("hidden_weights", "output_weights")),
    ConvolutionalNetwork: (convolutional_values, ("filters", "output_weights", "biases")),
    LinearCNN: (linear_values, ("filters", "output_weights")),
    CircularCNN: (circular_values, ("filters", "output_weights")),
    ParallelNetwork: (parallel_values, ("hidden_weights", "inner_weights", "output_weights")),
}


def values(network, data):
    """What a network is on data."""
    return FORMULAS[type(network)][0](network, data) + Fraction(network.intercept)


def square_of_norm(vector, l1_ratio):
    """``((1 - r) ||u|| + r ||u||_1)^2``, to 60 digits."""
    r = Fraction(l1_ratio)
    return ((1 - r) * root(sum_of_squares(vector)) + r * sum(map(abs, vector))) ** 2


def penalty(network):
    """What beta multiplies, to 60 digits."""
    if getattr(network, "inner_weights", None) is not None:
        layers = (network.hidden_weights, network.inner_weights, network.output_weights)
        squares = [sum_of_squares(exact(row)) for layer in layers for row in layer]
        return Fraction(sum(square * root(square) for square in squares)) / 3
    squared = [getattr(network, name) for name in FORMULAS[type(network)][1]]
    if getattr(network, "l1_ratio", 0.0):
        hidden, *squared = squared
        norms = [square_of_norm(u, network.l1_ratio) for u in exact(hidden)]
    else:
        norms = []
    squares = [sum_of_squares(exact(array)) for array in squared if array is not None]
    w = getattr(network, "skip_weights", None)
    paid = w is not None and not network.skip_is_free
    total = Fraction(sum(squares) + sum(norms)) / 2
    return total + (root(sum_of_squares(exact(w))) if paid else 0)


# ------------------------------------------------------------------ the networks


def normal(m, *shape):
    return np.random.default_rng([m, *shape]).standard_normal((m, *shape))


def dense(name, skip=False, **settings):
    w = normal(4) if skip else None

    def make(m):
        return TwoLayerNetwork(normal(m, 4), normal(m), skip_weights=w, **settings)

    return Case(name, make, (6, 4))


def gated(m):
    """The first gate has the first row on its boundary, the last is open everywhere."""
    gates = normal(m, 4)[::-1].copy()
    gates[:1] = [1.0, 0.0, 0.0, 0.0]
    gates[1:][-1:] = 0.0
    return GatedNetwork(gates, normal(m, 4), normal(m))


def deep_gated(m):
    """The gates of the second layer are those of the first in another order, and one of all."""
    first = gated(m)
    second = {"second_gates": first.gates[::-1], "inner_weights": normal(m, 1)[:, 0]}
    return GatedNetwork(first.gates, first.hidden_weights, first.output_weights, **second)


def parallel(m):
    return ParallelNetwork(normal(m, 3, 4), normal(m, 3), normal(m))


def with_biases(m):
    plain, biases = parallel(m), {"hidden_biases": normal(m, 3) + 0.5, "inner_biases": normal(m)}
    return ParallelNetwork(
        plain.hidden_weights, plain.inner_weights, plain.output_weights, **biases
    )


GEOMETRIES = [
    # Shape of the data, of the filters, stride and padding.
    ((4, 9), (4, 1), 1, 0),
    ((4, 9, 2), (4, 2), 2, 1),
    ((4, 7, 6), (3, 2, 1), 1, 0),
    ((4, 7, 6), (3, 3, 1), 2, 2),
    ((4, 5, 6, 3), (2, 3, 3), 3, 1),
]


def convolutional(geometry, pooling, slope, has_biases):
    shape, filter_shape, stride, padding = GEOMETRIES[geometry]

    def make(m):
        return ConvolutionalNetwork(
            normal(m, *filter_shape), normal(m), normal(m) if has_biases else None,
            stride=stride, padding=padding, pooling=pooling, slope=slope,
        )  # fmt: skip

    return Case(f"geometry {geometry}, {pooling}", make, shape, shape[1 : len(filter_shape)])


def circular(d):
    return Case(f"circular {d}", lambda m: CircularCNN(normal(m, d), normal(m, d)), (4, d))


def with_intercept(case):
    """The same networks beside an intercept; those without neurons have none."""

    def make(m):
        return case.make(m).with_intercept(-0.375 * m)

    return Case(f"{case.name}, intercept", make, case.shape, case.image_shape)


def _named(*cases):
    return {case.name: case for case in cases}


# Rows of features, with weights for the column of ones.
ROWS = _named(
    dense("ReLU"),
    dense("ReLU and skip", skip=True),
    dense("slope 0.2", slope=0.2),
    dense("slope 0.2 and skip", skip=True, slope=0.2),
    dense("modulus and skip", skip=True, slope=-1.0),
    dense("free skip", skip=True, skip_is_free=True),
    dense("l1 ratio 0.375", l1_ratio=0.375),
    dense("l1 ratio 1 and skip", skip=True, l1_ratio=1.0),
    Case("gated", gated, (6, 4)),
    Case("deep and gated", deep_gated, (6, 4)),
    Case("parallel", parallel, (6, 4)),
    Case("parallel and biases", with_biases, (6, 4)),
    *map(circular, (2, 5, 6)),
)
ROWS |= _named(
    *(with_intercept(ROWS[name]) for name in ("ReLU", "modulus and skip", "gated", "circular 5"))
)
POOLINGS = ("sum", "average", "max")
IMAGES = _named(
    *(
        convolutional(i, pooling, (0.0, 0.1, -1.0)[(i + j) % 3], (i + j) % 2 == 0)
        for i, (j, pooling) in itertools.product(range(5), enumerate(POOLINGS))
    )
)
IMAGES |= _named(
    *(with_intercept(IMAGES[f"geometry {i}, {kind}"]) for i, kind in ((0, "sum"), (2, "max")))
)
LINEAR = Case("linear", lambda m: LinearCNN(normal(m, 3), normal(m, 5)), (5, 5, 3))
CASES = {**ROWS, **IMAGES, **_named(circular(1), LINEAR, with_intercept(LINEAR))}
RELU = ROWS["ReLU"]
# One of each kind, small.
KINDS = [
    RELU,
    ROWS["gated"],
    ROWS["parallel"],
    IMAGES["geometry 0, sum"],
    LINEAR,
    ROWS["circular 5"],
]

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_kind = pytest.mark.parametrize("case", KINDS, ids=lambda case: case.kind.__name__)
