"""The dual point behind a returned bound, checked in rational arithmetic.

The library does not return it. `recorded` catches the runs behind a call, and where these
have the proofs that they used, they are checked: ``M(v)`` is not above the oracle's
bound, and the bound is not above what v proves. Everything a check rests on is the value of
one direction, computed exactly: what it reports is a fault for certain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from adversary import oracle
from adversary.dyadic import Dyadic, nearest, root_between
from adversary.problem import FloatArray, Problem, Weights, kink_sides, predictions

_EXACT_LOOKS = 6
# What rounding leaves of a sum that vanishes, in shares of that of the moduli.
_NO_SUM = Fraction(1, 2**44)
# A dual point and what the oracle has proven of it.
Proof = tuple[FloatArray, float]


@contextmanager
def recorded() -> Iterator[list[Any]]:
    """The runs that are executed meanwhile; none if the library has no such class."""
    runs: list[Any] = []
    kind: Any = getattr(import_module("cvxnn.training.run"), "Run", None)
    original = getattr(kind, "execute", None)
    if original is None:
        yield runs
        return

    def execute(run: Any) -> Any:
        runs.append(run)
        return original(run)

    kind.execute = execute
    try:
        yield runs
    finally:
        kind.execute = original


def proof_of(run: Any) -> Proof | None:
    """Dual point and oracle bound in the units of the caller; None where there are none."""
    proof = getattr(run, "proof", None)
    return None if proof is None else (proof.v, float(proof.oracle_bound))


def least_maximum(problem: Problem, v: FloatArray, rng: np.random.Generator) -> Fraction:
    """A rational number not above ``M(v) = max |v'f_u|`` over ``||u|| <= 1``, and close to it.

    ``f_u`` are the outputs of a network of one neuron u with the output weight 1.
    """
    size = float(np.abs(problem.rows).max(initial=0.0))
    if size == 0.0 or not np.abs(v).max(initial=0.0):
        return Fraction(0)
    with np.errstate(all="ignore"):
        pull, scaled = v / np.abs(v).max(), problem.rows / size
        if problem.read == "max":
            units, values = oracle.max_pooling_directions(scaled, pull, rng)
        else:
            flat, pull = scaled.reshape(-1, problem.n_features), np.repeat(pull, scaled.shape[1])
            units = oracle.directions(flat, pull, problem.slope, rng)
            values = oracle.values(flat, pull, problem.slope, units)
        # Many candidates are the same direction but for rounding.
        order = np.argsort(-np.abs(values))[: 40 * _EXACT_LOOKS]
        _, first = np.unique(np.abs(values[order]), return_index=True)
        units = units[order[np.sort(first)[:_EXACT_LOOKS]]]
    return max((_value(problem, v, u) for u in units), default=Fraction(0))


def _value(problem: Problem, v: FloatArray, u: FloatArray) -> Fraction:
    """``|v'f_u| / ||u||``, rounded down."""
    outputs = predictions(replace(problem, skip=None), Weights(u[None], np.ones(1)))
    product = sum((Fraction(float(a)) * f for a, f in zip(v, outputs, strict=True)), Fraction(0))
    return abs(product) / root_between(Dyadic.of(u).square_sum())[1]


def dual_faults(
    problem: Problem, network: Weights, bound: float, proof: Proof, rng: np.random.Generator
) -> Iterator[str]:
    """What is wrong with a proof, in sentences; the network beats its intercept alone."""
    v, oracle_bound = proof
    if not np.isfinite(v).all():
        yield "the dual point is not finite"
        return
    least = least_maximum(problem, v, rng)
    if np.isfinite(oracle_bound) and Fraction(oracle_bound) < least:
        above = nearest(least / Fraction(oracle_bound) - 1) if oracle_bound > 0.0 else np.inf
        yield f"M(v) is above its bound {oracle_bound!r} by {above:.1e}"
    total = abs(sum((Fraction(float(value)) for value in v), Fraction(0)))
    if problem.intercept and total > _NO_SUM * Fraction(float(np.abs(v).sum())):
        yield f"the sum of the dual point is {nearest(total)!r} beside an intercept"
    if problem.loss == "logistic" or problem.has_log_link or not np.isfinite(bound):
        return
    charged = total * abs(Fraction(network.intercept)) if problem.intercept else Fraction(0)
    largest = Fraction(problem.beta) / least if least else None
    most = _best_dual_value(problem, v, largest, charged)
    if most is not None and Fraction(bound) > most:
        excess = nearest((Fraction(bound) - most) / abs(Fraction(bound)))
        yield f"the bound {bound!r} is above all that its dual point proves by {excess:.1e}"


def _best_dual_value(
    problem: Problem, v: FloatArray, largest: Fraction | None, charged: Fraction
) -> Fraction | None:
    """``max -l*(-t v) - t charged`` over ``0 <= t <= largest``, where that is a parabola in t.

    What is charged is what the sum of v gives an intercept.
    """
    linear, square = -charged, Fraction(0)
    for value, y, weight in zip(v, problem.y, problem.weights, strict=True):
        value, y, weight = Fraction(float(value)), Fraction(float(y)), Fraction(float(weight))
        sides = kink_sides(problem.loss, y)
        if sides is not None and value:
            end = weight * sides[value > 0] / value
            largest = end if largest is None else min(largest, end)
        if problem.loss == "squared_hinge" and y * value < 0:
            return Fraction(0)
        if problem.loss == "huber" and value:
            end = weight * Fraction(problem.delta) / abs(value)
            largest = end if largest is None else min(largest, end)
        linear += value * y
        square += value * value / weight if sides is None else 0
    if sides is not None:
        return max(linear, Fraction(0)) * largest if largest is not None else Fraction(0)
    if linear <= 0 or square == 0:
        return Fraction(0)
    t = linear / square
    if largest is not None:
        t = min(t, largest)
    return t * linear - t * t * square / 2


def residual_fault(
    problem: Problem, network: Weights, oracle_bound: float, rng: np.random.Generator
) -> Iterator[str]:
    """Whether the oracle bound that `certify` returns is above M at the residual of the network.

    The residual has the rounding of float64 there, which is allowed for.
    """
    if problem.loss != "squared" or not np.isfinite(oracle_bound):
        return
    exact = [
        (Fraction(float(y)) - f) * Fraction(float(w))
        for y, f, w in zip(problem.y, predictions(problem, network), problem.weights, strict=True)
    ]
    r = np.array([nearest(value) for value in exact])
    if not np.isfinite(r).all():
        return
    least = least_maximum(problem, r, rng)
    rows = np.abs(problem.rows[:, 0])
    with np.errstate(all="ignore"):
        moduli = rows @ np.abs(network.hidden).T @ np.abs(network.output) + np.abs(problem.y)
        allowed = 1e-14 * float((problem.weights * moduli) @ np.linalg.norm(rows, axis=1))
    if np.isfinite(allowed) and Fraction(oracle_bound) + Fraction(allowed) < least:
        yield f"M at the residual is {nearest(least)!r}, above its bound {oracle_bound!r}"
