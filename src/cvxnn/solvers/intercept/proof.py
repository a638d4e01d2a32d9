"""Proofs beside an intercept: the dual point has to vanish on the constant."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS
from cvxnn.certificates import DualProof
from cvxnn.losses.balance import balanced
from cvxnn.problems import Problem

# Distances from the best constant, in powers of this, of the slopes that bound an intercept.
_BASE, _NEAREST, _FARTHEST = 8.0, -4, 7
# Proofs on either side of the best intercept that further ones are mixed with.
_KEPT = 3


def mixed(above: DualProof, below: DualProof, problem: Problem[Any]) -> DualProof:
    """The mixture of two proofs whose dual point has the sum 0.

    Parameters
    ----------
    above, below : DualProof
        Of dual points of a sum above 0, and below 0: such are those beside an intercept that
        is too small, and too large.
    problem : Problem
        Whose rows know the lengths of predictions.

    Notes
    -----
    What a dual point may at most be on predictions is a convex function of it, and its value
    a concave one: two points that are each near the optimum beside their intercepts b and c
    give one that is off by ``|b - c| |sum(v)|`` for either v, a product of two small numbers.
    """
    sums = [math.fsum(above.v), -math.fsum(below.v)]
    share = sums[1] / (sums[0] + sums[1])
    parts = share * above.v, (1.0 - share) * below.v
    v = parts[0] + parts[1]
    rounding = 4.0 * EPS * float((np.abs(parts[0]) + np.abs(parts[1])) @ problem.rows.lengths)
    bounds = share * above.bounds + (1.0 - share) * below.bounds
    kinds = (above.kind, below.kind)
    kind = kinds[0] if above.bounds.max() >= below.bounds.max() else kinds[1]
    slack = max(above.slack, below.slack)
    evidence = None if above.evidence is None else above.evidence.mixed(below.evidence, share)
    bounds = bounds * (1.0 + 8.0 * EPS) + 2.0 * rounding
    return DualProof(v[:, None], bounds, kind, slack, evidence)


def beside_any_offset(proof: DualProof, problem: Problem[Any], reach: float) -> DualProof:
    """A proof for neurons alone as one for those beside any intercept.

    Parameters
    ----------
    proof : DualProof
        Of any dual point v, for neurons alone.
    problem : Problem
        Whose rows know the lengths of predictions.
    reach : float
        Bound on the modulus of the intercept of every network that is better than the best
        one known, see :func:`intercept_reach`.

    Notes
    -----
    ``l(f + b, y) >= v'(f + b) - l*(v)`` for every v, and only the term ``b sum(v)`` is new.
    The sum is rounded once.
    """
    v = balanced(proof.v)
    moved = float(np.abs(v - proof.v) @ problem.rows.lengths)
    sums = 1.0 + 2.0 * (len(v) + problem.rows.n_features + 32) * EPS
    bounds = proof.bounds * (1.0 + 2.0 * EPS) + moved * sums
    left = abs(math.fsum(v)) * (1.0 + 2.0 * EPS)
    slack = proof.slack + (left * reach * (1.0 + 8.0 * EPS) if left > 0.0 else 0.0)
    return replace(proof, V=v[:, None], bounds=bounds, slack=slack)


def intercept_reach(problem: Problem[Any], constant: float, reached: float) -> float:
    """Bound on the modulus of the intercept of every network of an objective below `reached`.

    Parameters
    ----------
    problem : Problem
    constant : float
        The best constant prediction, about.
    reached : float
        An objective.

    Returns
    -------
    float
        inf where none is known.

    Notes
    -----
    Predictions f of neurons are of the modulus ``lengths reached / beta`` at most, and
    ``l(f + b, y) >= s'(f + b) - l*(s)`` for every s. Slopes s with a sum above 0 bound b from
    above, those below 0 from below; the best of some slopes at constants is taken. O(n) each.
    """
    loss, y = problem.loss, problem.y
    of_neurons = problem.rows.lengths * (reached / problem.beta)
    rounding = 1.0 + 4.0 * (len(y) + problem.rows.n_features + 32) * EPS
    bounds = {1.0: np.inf, -1.0: np.inf}
    for k, sign in itertools.product(range(_NEAREST, _FARTHEST + 1), bounds):
        slope = loss.gradient(np.full_like(y, constant + sign * _BASE**k), y)
        # In the domain of the conjugate, which is a function of minus the slope here.
        dual = loss.project(-slope, y)
        total = -sign * math.fsum(dual)
        if total > 0.0:
            conjugate = abs(loss.conjugate(dual, y)) + loss.conjugate_error(dual, y)
            size = reached + conjugate + float(np.abs(dual) @ of_neurons)
            bounds[sign] = min(bounds[sign], size / total * rounding)
    return max(bounds.values())


@final
class Mixing:
    """Carries proofs over, and mixes those on both sides of the best intercept.

    Parameters
    ----------
    problem : Problem
    reach : float
        See :func:`beside_any_offset`.
    """

    def __init__(self, problem: Problem[Any], reach: float) -> None:
        self._problem, self._reach = problem, reach
        self._nearest: dict[bool, list[DualProof]] = {True: [], False: []}

    def carried_over(self, proof: DualProof) -> list[DualProof]:
        """What a proof for neurons alone proves beside any intercept, by itself and in mixtures.

        These are with the proofs nearest to the sum 0 on the other side: not with one only,
        as that of a search that was cut short may be near 0 by chance, and far from the optimum.
        """
        total = math.fsum(proof.v)
        found = [self._beside_any(proof)]
        if total == 0.0 or not np.isfinite(proof.bounds).all():
            return found
        side = total > 0.0
        for other in self._nearest[not side]:
            pair = (proof, other) if side else (other, proof)
            found.append(self._beside_any(mixed(*pair, self._problem)))
        nearest = [*self._nearest[side], proof]
        self._nearest[side] = sorted(nearest, key=lambda proof: abs(math.fsum(proof.v)))[:_KEPT]
        return found

    def _beside_any(self, proof: DualProof) -> DualProof:
        return beside_any_offset(proof, self._problem, self._reach)
