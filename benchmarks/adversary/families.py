"""Families of nasty data: functions of a generator that give X, y and perhaps more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adversary.problem import FloatArray

Rng = np.random.Generator


@dataclass
class Data:
    """What a family decides; None is left to the draw of the instance.

    Attributes
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    weights : ndarray, shape (n,), or None
    beta_power : float or None
        The decimal logarithm of beta over a rough guess of the largest.
    delta : float or None
        For the Huber loss, whose loss it then is.
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None = None
    beta_power: float | None = None
    delta: float | None = None


def _sizes(rng: Rng) -> tuple[int, int]:
    return int(rng.integers(2, 10)), int(rng.integers(1, 5))


def _normal(rng: Rng) -> Data:
    n, d = _sizes(rng)
    X = rng.standard_normal((n, d))
    if rng.random() < 0.4:
        X[:, -1] = 1.0
    return Data(X, rng.standard_normal(n))


def ordinary(rng: Rng) -> Data:
    """Normal data."""
    return _normal(rng)


def conflicts(rng: Rng) -> Data:
    """Equal rows with different targets."""
    data = _normal(rng)
    n = len(data.y)
    X = data.X[rng.integers(max(n // 2, 1), size=n)]
    return Data(X, np.where(rng.random(n) < 0.5, -1.0, 1.0) * np.abs(data.y))


def grid(rng: Rng) -> Data:
    """Small integers: many dependent rows."""
    n, d = _sizes(rng)
    X = rng.integers(-2, 3, size=(n, d)).astype(float)
    return Data(X, rng.integers(-3, 4, size=n).astype(float))


def parallel(rng: Rng) -> Data:
    """Rows whose directions are 1e-12 to 1e-6 apart."""
    n, d = _sizes(rng)
    base = rng.standard_normal((1 if rng.random() < 0.2 else max(n // 3, 1), d))
    X = base[rng.integers(len(base), size=n)] * rng.uniform(0.5, 2.0, size=(n, 1))
    X = X + 10.0 ** rng.uniform(-12, -6) * rng.standard_normal((n, d))
    return Data(X * np.where(rng.random(n) < 0.3, -1.0, 1.0)[:, None], rng.standard_normal(n))


def scales(rng: Rng) -> Data:
    """Everything far from size one; columns or rows of different size."""
    data = _normal(rng)
    X, y = data.X * 10.0 ** rng.uniform(-90, 90), data.y * 10.0 ** rng.uniform(-90, 90)
    choice = rng.random()
    if choice < 0.35:
        X = X * 10.0 ** rng.uniform(-8, 8, size=X.shape[1])
    elif choice < 0.6:
        X = X * 10.0 ** rng.uniform(-8, 8, size=(len(X), 1))
    elif choice < 0.7:
        X = data.X * 10.0 ** rng.uniform(-48, 48, size=X.shape[1])
    elif choice < 0.8:
        X = data.X * 10.0 ** rng.uniform(-48, 48, size=(len(X), 1))
    elif choice < 0.84:
        X = data.X * 10.0 ** rng.choice([-150.0, -120.0, 120.0, 150.0])
    return Data(X, y)


def subnormal(rng: Rng) -> Data:
    """A few entries at the end of the documented range, now and then subnormal ones."""
    data = _normal(rng)
    tiny = 10.0 ** rng.uniform(-99, -60) if rng.random() < 0.9 else 5e-324 * rng.integers(1, 1000)
    data.X[rng.random(data.X.shape) < 0.4] = tiny
    if rng.random() < 0.3:
        data.y[rng.random(len(data.y)) < 0.5] = tiny
    return data


def zeros(rng: Rng) -> Data:
    """Rows, columns, targets or everything zero."""
    data = _normal(rng)
    data.X[rng.random(len(data.X)) < 0.4] = 0.0
    if rng.random() < 0.3:
        data.X[:, rng.integers(data.X.shape[1])] = 0.0
    if rng.random() < 0.12:
        data.X[:] = 0.0
    if rng.random() < 0.12:
        data.y[:] = 0.0
    return data


def wide(rng: Rng) -> Data:
    """Fewer rows than features."""
    n = int(rng.integers(1, 5))
    d = n + int(rng.integers(1, 6))
    return Data(rng.standard_normal((n, d)), rng.standard_normal(n))


def symmetric(rng: Rng) -> Data:
    """With every row its negative, and targets that are even, odd, or equal."""
    n, d = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    if rng.random() < 0.5:
        X = np.round(2.0 * X)
    return Data(np.vstack([X, -X]), np.concatenate([y, rng.choice([-1.0, 1.0]) * y]))


def timestamps(rng: Rng) -> Data:
    """Seconds since 1970, or years, beside a column of ones."""
    choice = rng.random()
    n = int(rng.integers(5, 10)) if choice < 0.7 else int(rng.integers(30, 200))
    if choice > 0.97:
        n = int(rng.integers(500, 1000))
    offset, step = (1.7e9, 86400.0) if rng.random() < 0.7 else (2000.0, 1.0)
    day = rng.integers(0, 366 if offset > 1e6 else 25, size=n)
    y = 5.0 * np.sin(day / 50.0) + 0.3 * rng.standard_normal(n)
    if rng.random() < 0.5:
        y += 100.0
    return Data(np.column_stack([offset + step * day, np.ones(n)]), y)


def row_weights(rng: Rng) -> Data:
    """Weights of rows over up to 30 decades, at times far from 1, and now and then over 200."""
    data = _normal(rng)
    choice = rng.random()
    span = 100.0 if choice < 0.08 else rng.choice([2.0, 8.0, 14.9])
    shift = rng.uniform(-80.0, 80.0) if choice > 0.5 else 0.0
    data.weights = 10.0 ** (shift + rng.uniform(-span, span, size=len(data.y)))
    return data


def tiny_beta(rng: Rng) -> Data:
    """Almost an interpolation."""
    data = _normal(rng) if rng.random() < 0.6 else grid(rng)
    data.beta_power = rng.uniform(-30, -6)
    return data


def huge_beta(rng: Rng) -> Data:
    """Beta at the largest that leaves neurons, and far beyond."""
    data = _normal(rng)
    data.beta_power = rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else rng.uniform(0.5, 30)
    return data


def rank_one(rng: Rng) -> Data:
    """Multiples of one row."""
    n, d = _sizes(rng)
    scale = rng.standard_normal(n) if rng.random() < 0.7 else rng.integers(-3, 4, n) * 1.0
    return Data(np.outer(scale, rng.standard_normal(d)), rng.standard_normal(n))


def rank_two(rng: Rng) -> Data:
    """Rows of a plane, as they are or in more dimensions."""
    n = int(rng.integers(3, 10)) if rng.random() < 0.85 else int(rng.integers(30, 120))
    X = rng.standard_normal((n, 2))
    if rng.random() < 0.5:
        X[:, 1] = 1.0
    if rng.random() < 0.4:
        X = X @ rng.standard_normal((2, int(rng.integers(3, 5))))
    return Data(X, np.sin(2.0 * X[:, 0]) + 0.5 * rng.standard_normal(n))


def constant(rng: Rng) -> Data:
    """One target for all."""
    data = _normal(rng)
    data.y[:] = rng.choice([-1.0, 1.0, 1e-8, 1e8])
    return data


def collinear(rng: Rng) -> Data:
    """Columns that depend on each other but for 1e-12 to 1e-5, maybe in a row of little weight."""
    n = int(rng.integers(4, 9))
    x = rng.standard_normal(n) if rng.random() < 0.5 else np.arange(1.0, n + 1.0)
    other = x.copy()
    rows = np.array([n - 1]) if rng.random() < 0.5 else np.arange(n)
    other[rows] += 10.0 ** rng.uniform(-12, -5) * rng.choice([-1.0, 1.0], size=len(rows))
    weights = None
    y = rng.standard_normal(n)
    if rng.random() < 0.5:
        weights = np.ones(n)
        weights[-1] = 10.0 ** rng.uniform(-12, -4)
        y[-1] /= np.sqrt(weights[-1])
    return Data(np.column_stack([np.ones(n), x, other]), y, weights)


def polynomial(rng: Rng) -> Data:
    """Evenly spaced x with a power of it for a target, and a bias."""
    n = int(rng.integers(5, 10)) if rng.random() < 0.8 else int(rng.integers(30, 202))
    x = np.linspace(-100.0, 100.0, n)
    data = Data(np.column_stack([x, np.ones(n)]), x ** int(rng.integers(2, 5)))
    data.beta_power = rng.uniform(-9, -1)
    return data


def huber_extreme(rng: Rng) -> Data:
    """The Huber loss with delta from 1e-8 to 1e8."""
    data = _normal(rng)
    data.delta = 10.0 ** rng.uniform(-8, 8)
    return data


def blank(rng: Rng) -> Data:
    """Every row of weight above 0 is zero, or all but one."""
    data = _normal(rng)
    n = len(data.y)
    data.weights = (rng.random(n) < 0.6).astype(float)
    data.weights[0] = 1.0
    data.X[data.weights > 0.0] = 0.0
    if rng.random() < 0.5:
        data.X[0] = 1.0
    return data


def many_rows(rng: Rng) -> Data:
    """Too many patterns to list: neurons are searched for, and branch and bound certifies."""
    n, d = (70, 4) if rng.random() < 0.5 else (30, 6)
    X = rng.standard_normal((n, d))
    X[:, -1] = 1.0
    data = Data(X, np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(n))
    data.beta_power = rng.uniform(-2.0, -0.3)
    return data


FAMILIES: dict[str, tuple[Callable[[Rng], Data], float]] = {
    "ordinary": (ordinary, 1.5),
    "conflicts": (conflicts, 1.0),
    "grid": (grid, 1.5),
    "parallel": (parallel, 1.2),
    "scales": (scales, 1.2),
    "subnormal": (subnormal, 0.8),
    "zeros": (zeros, 0.8),
    "wide": (wide, 0.8),
    "symmetric": (symmetric, 1.0),
    "timestamps": (timestamps, 1.0),
    "row_weights": (row_weights, 1.2),
    "tiny_beta": (tiny_beta, 1.2),
    "huge_beta": (huge_beta, 0.8),
    "rank_one": (rank_one, 0.8),
    "rank_two": (rank_two, 1.0),
    "constant": (constant, 0.6),
    "collinear": (collinear, 1.0),
    "polynomial": (polynomial, 0.8),
    "huber_extreme": (huber_extreme, 0.8),
    "blank": (blank, 0.5),
    "many_rows": (many_rows, 0.15),
}
"""Each family with its share of the instances."""
