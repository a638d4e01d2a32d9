"""The largest value of a dual point on sub-networks of three layers, between two proven bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.parallel.leaves import two_layer_oracle
from cvxnn.oracle.price import BOTH
from cvxnn.solvers.parallel.descent import climb
from cvxnn.solvers.parallel.goals import GaugeGoal
from cvxnn.solvers.parallel.joint_dual import JointDual, PricedPoint
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.proofs import root_proof

# Ascents of each sign, hidden units of each, and their steps.
_STARTS, _WIDTH, _STEPS = 100, 8, 400
# Rows up to which choices of signs are tried, and programs without progress that end them.
_MOST_ROWS, _PATIENCE = 200, 12


@final
@dataclass(frozen=True)
class GaugeInterval:
    """``M3(v) = max |v'((X W)_+ b)_+|`` over ``||W||_F ||b|| <= 1``, between two bounds.

    Attributes
    ----------
    lower, upper : float
        Proven, rounding included.
    best : SubNetworks
        The one of size one that has the lower bound.
    point : PricedPoint
        The leaves that prove the upper bound, at v divided by :func:`power_of_two` of it.
    n_leaves : int
    """

    lower: float
    upper: float
    best: SubNetworks
    point: PricedPoint
    n_leaves: int


def gauge_interval(
    X: FloatArray,
    v: FloatArray,
    random_state: np.random.Generator,
    *,
    threshold: float | None = None,
    tol: float = 1e-6,
    deadline: Deadline = UNLIMITED,
    most_leaves: int = 1000,
) -> GaugeInterval:
    """Bounds on ``M3(v)`` to a relative accuracy, or until it is known on which side it lies.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)
        Not zero.
    random_state : numpy.random.Generator
        Where ascents start.
    threshold : float, optional
        Between values that need not be told apart any closer once it is decided.
    tol : float
    deadline : Deadline
        When to hand over what there is.
    most_leaves : int

    Raises
    ------
    OutOfTimeError
        If the deadline passes before there is a first bound.

    Notes
    -----
    From below by ascents and by the multipliers of the leaves, from above by leaves, see
    :class:`~cvxnn.solvers.parallel.joint_dual.JointDual`.

    Examples
    --------
    >>> X = np.array([[-2.0, 1.0], [-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> v = np.array([-3.0, 1.0, 3.0, 1.0, -3.0])
    >>> interval = gauge_interval(X, v, np.random.default_rng(0))
    >>> print(f"{interval.lower:.4f} {interval.upper:.4f}")
    5.0000 5.0000
    """
    size = power_of_two(v)
    scaled = v / size
    lower, best = _climbed(X, scaled, random_state, deadline)
    oracle = two_layer_oracle(X, deadline)
    point = root_proof(oracle, scaled, 0.0, deadline)
    upper, count = float(point.bounds.max()), 2
    if len(v) <= _MOST_ROWS and not _is_decided(lower, upper, threshold, size, tol):
        joint = JointDual(X, GaugeGoal(scaled), oracle, _directions(best), scaled)
        stalled = 0
        try:
            while stalled < _PATIENCE and not _is_decided(lower, upper, threshold, size, tol):
                joint.refine(deadline)
                lower, best = max(
                    (lower, best), *_values(X, scaled, joint.sub_networks()), key=lambda b: b[0]
                )
                assert joint.priced is not None
                stalled += 1
                if (found := float(joint.priced.bounds.max())) < upper * (1.0 - 1e-12):
                    upper, point, count, stalled = found, joint.priced, len(joint.leaves), 0
                near = joint.promised - joint.proven <= 1e-8 * abs(joint.proven)
                is_ready = near or joint.is_settled(1.0 / max(lower, 1e-300))
                if is_ready and len(joint.leaves) < most_leaves:
                    joint.branch()
        except OutOfTimeError:
            # What there is, is proven.
            pass
    return GaugeInterval(lower * size, upper * size, best, point, count)


def upper_point(
    X: FloatArray, v: FloatArray, *, deadline: Deadline, most_leaves: int
) -> PricedPoint:
    """The leaves of the upper bound of :func:`gauge_interval`, without what only the lower takes.

    Where there are no choices of signs, ascents help no leaf, and take two thirds of the time.
    """
    if len(v) <= _MOST_ROWS:
        rng = np.random.default_rng(0)
        return gauge_interval(X, v, rng, deadline=deadline, most_leaves=most_leaves).point
    return root_proof(two_layer_oracle(X, deadline), v / power_of_two(v), 0.0, deadline)


def _is_decided(
    lower: float, upper: float, threshold: float | None, size: float, tol: float
) -> bool:
    if upper - lower <= tol * upper:
        return True
    if threshold is None:
        return False
    return lower * size > threshold * (1.0 + tol) or upper * size <= threshold


def _directions(best: SubNetworks) -> FloatArray:
    directions = best.directions.reshape(-1, best.directions.shape[2])
    lengths = np.linalg.norm(directions, axis=1)
    return directions[lengths > 0.0] / lengths[lengths > 0.0, None]


def _climbed(
    X: FloatArray, v: FloatArray, random_state: np.random.Generator, deadline: Deadline
) -> tuple[float, SubNetworks]:
    """The best sub-network of ascents from random weights, and what is proven of its value."""
    d, found = X.shape[1], []
    for sign in BOTH:
        hidden = random_state.standard_normal((_STARTS, _WIDTH, d))
        inner = random_state.standard_normal((_STARTS, _WIDTH))
        values, hidden, inner = climb(X, sign * v, hidden, inner, _STEPS, deadline)
        at = [int(values.argmax())]
        one = SubNetworks.of_layers(hidden[at], inner[at], np.array([sign]))
        found += _values(X, v, one)
    return max(found, key=lambda b: b[0], default=(0.0, SubNetworks.nothing(d)))


def _values(X: FloatArray, v: FloatArray, pool: SubNetworks) -> list[tuple[float, SubNetworks]]:
    """``s v'f`` of each one at size one, less what rounding may have added, shape (K,)."""
    found = []
    units = pool.shortened()
    for k in range(len(units)):
        one = units.select(np.array([k]))
        hidden, inner = one.directions[0], one.inner[0]
        value = float(one.signs[0] * (v @ one.activations(X)[:, 0]))
        moduli = float(np.abs(v) @ (np.abs(X) @ (np.abs(hidden).T @ np.abs(inner))))
        n, (width, d) = len(X), hidden.shape
        error = (n + width + d + 16) * EPS * moduli
        size = float(np.linalg.norm(hidden) * np.linalg.norm(inner))
        proven = (value - error) / size * (1.0 - (width * d + 16) * EPS)
        found.append((max(proven, 0.0), one.sized(np.ones(1))))
    return found
