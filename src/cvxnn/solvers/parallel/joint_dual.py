"""The joint dual of three layers: leaves that share a dual point, refined and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.oracle.parallel.leaves import OPEN, LeafOracle, LeafPrice, Leaves
from cvxnn.oracle.price import VectorOracle
from cvxnn.solvers.parallel.goals import Goal
from cvxnn.solvers.parallel.master import Cuts, Master, MasterPoint
from cvxnn.solvers.parallel.neurons import SubNetworks


@dataclass(frozen=True)
class Settings:
    """The numbers that the joint dual goes by.

    Attributes
    ----------
    share : float
        How far a priced point is from the best one to that of the master: between the two,
        cuts go deeper than at either.
    most : int
        Cuts for each vector of a leaf and price, at most.
    near : float
        Cuts are dropped after a split whose slack is above this share of beta.
    fine : float
        Relative distance to what is promised from which on programs are solved finely.
    settled : float
        Leaves are split once cuts may gain less than this share of what splits may.
    worth : float
        Splits are for leaves whose score is this share of the largest at least.
    split_share, fewest_splits : float, int
        And at most this share of all leaves at a time, or so many.
    zero, wrong : float
        A dual variable below this share of the largest is zero, and its sign wrong where the
        residual has the other one beyond the second.
    """

    share: float = 0.5
    most: int = 3
    near: float = 0.1
    fine: float = 1e-4
    settled: float = 1.0
    worth: float = 0.3
    split_share: float = 0.25
    fewest_splits: int = 4
    zero: float = 1e-5
    wrong: float = 1e-6


SETTINGS = Settings()


@final
@dataclass(frozen=True)
class PricedPoint:
    """A dual point with bounds on ``s v'f``, f of a sub-network of size one, for both signs s.

    Attributes
    ----------
    v : ndarray, shape (n,)
    bounds : ndarray, shape (2,)
    leaves : Leaves
        That prove them.
    """

    v: FloatArray
    bounds: FloatArray
    leaves: Leaves


@final
class JointDual:
    """Leaves, the neurons that cut them, and the best dual point that they prove.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    goal : Goal
    oracle : VectorOracle
        Of two layers on X.
    directions : ndarray, shape (N, d)
        Neurons to begin with.
    residual : ndarray, shape (n,)
        Of some network, whose signs are assumed of dual points first.

    Attributes
    ----------
    leaves : Leaves
        With the coefficients of the best dual point.
    v : ndarray, shape (n,)
        The best dual point so far, scaled to be feasible.
    priced : PricedPoint, optional
        The same before it was scaled, with what is proven of it.
    proven : float
        What it proves, but for the rounding of the scaling.
    promised : float
        What it would prove without an error of the cuts; inf before the first round.

    Notes
    -----
    ``v' f <= beta`` for every sub-network f of size one bounds the optimum; the leaves bound
    the left side (:mod:`cvxnn.oracle.parallel.leaves`). All share v and each has its own
    coefficients: a convex program whose constraints are the neurons of two layers. The oracle
    of two layers finds those that are missing, and prices every point that is reported. The
    multipliers of a leaf are a sub-network: ``s (p - q)_+`` with ``p = sum lambda_k h_k`` over
    the cuts of a and q over those of -c. What a leaf overestimates on a row of which nothing
    is said is ``w_i min(p_i, q_i)``: there it is split.
    """

    def __init__(
        self,
        X: FloatArray,
        goal: Goal,
        oracle: VectorOracle[Any],
        directions: FloatArray,
        residual: FloatArray,
    ) -> None:
        self._X, self._goal, self._oracle = X, goal, LeafOracle(oracle)
        self._directions = np.zeros((0, X.shape[1]))
        self._activations = np.zeros((0, len(X)))
        every = self._known(directions)
        self.leaves = Leaves.roots(len(X))
        self._cuts = [Cuts(every, every) for _ in range(len(self.leaves))]
        self._assumed = np.where(residual >= 0.0, 1.0, -1.0)
        self._flips = np.zeros(len(X), dtype=np.int64)
        self.v = np.zeros(len(X))
        self.priced: PricedPoint | None = None
        self.proven, self.promised = -np.inf, np.inf
        self._point: MasterPoint | None = None

    def refine(self, deadline: Deadline = UNLIMITED) -> None:
        """A solution of the master, and cuts where it is too good to be true.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before all leaves are priced; the best point stays.
        """
        check_interrupt()
        master = Master(self._goal.aim, self._goal.beta, self.leaves, self._assumed)
        near = self.promised - self.proven < SETTINGS.fine * abs(self.proven)
        point = master.solve(self._activations, self._cuts, finely=near, deadline=deadline)
        share = 1.0 if self.priced is None else SETTINGS.share
        v = share * point.v + (1.0 - share) * self.v
        coefficients = share * point.coefficients + (1.0 - share) * self.leaves.coefficients
        unit = self._goal.unit(v)
        if not unit > 0.0:
            unit, v, coefficients = 1.0, self.v, self.leaves.coefficients
        trial, v = self.leaves.with_coefficients(coefficients / unit), self._goal.placed(v)
        threshold = self._goal.beta / unit * (1.0 + 1e-9)
        price = self._oracle.price(trial, v, threshold, deadline=deadline)
        self._point, self.promised = point, point.value + self._goal.offset
        self._note(trial, v, price)
        self._cut(price)

    def _note(self, trial: Leaves, v: FloatArray, price: LeafPrice) -> None:
        t, proven = self._goal.scale(v, price.largest)
        if np.isfinite(t) and proven > self.proven:
            self.proven, self.v = proven, t * v
            self.priced = PricedPoint(v, price.of_signs(trial), trial)
            self.leaves = trial.with_coefficients(t * trial.coefficients)

    def _cut(self, price: LeafPrice) -> None:
        for k, (over, under) in enumerate(price.found):
            new = self._known(over[: SETTINGS.most]), self._known(under[: SETTINGS.most])
            self._cuts[k] = self._cuts[k].joined(*new)

    def _known(self, directions: FloatArray) -> IntArray:
        """The indices of directions, which are taken in."""
        first = len(self._directions)
        activations = np.maximum(self._X @ directions.T, 0.0).T
        self._directions = np.vstack([self._directions, directions])
        self._activations = np.vstack([self._activations, activations])
        return np.arange(first, first + len(directions))

    def is_settled(self, best: float) -> bool:
        """Whether cuts have less to say than splits, where no goal is above the best known value.

        What cuts may still add is what is promised and not proven, and what splits may add is
        beyond that.
        """
        return self.promised - self.proven < SETTINGS.settled * max(best - self.promised, 0.0)

    def _sums(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """p and q of each leaf, shape (L, n), and the sums of the multipliers, (L,)."""
        point = self._point
        assert point is not None
        active = self._activations
        over = [z @ active[c.over[: len(z)]] for z, c in zip(point.over, self._cuts, strict=True)]
        under = [
            z @ active[c.under[: len(z)]] for z, c in zip(point.under, self._cuts, strict=True)
        ]
        sizes = [float(a.sum() + b.sum()) for a, b in zip(point.over, point.under, strict=True)]
        return np.array(over), np.array(under), np.array(sizes)

    def _scores(self) -> FloatArray:
        """What a split of each leaf and row may gain, shape (L, n)."""
        point = self._point
        assert point is not None
        p, q, _ = self._sums()
        signs = self.leaves.signs[:, None]
        prediction = (signs * np.maximum(p - q, 0.0)).sum(axis=0)
        residual = self._goal.residual(prediction, point.v)
        weight = np.maximum(np.maximum(signs * point.v, signs * residual), 0.0)
        return np.where(self.leaves.choices == OPEN, weight * np.minimum(p, q), 0.0)

    def sub_networks(self) -> SubNetworks:
        """Those that the multipliers of the last master make of the leaves."""
        point = self._point
        assert point is not None
        parts = []
        for k, cuts in enumerate(self._cuts):
            over, under = point.over[k], point.under[k]
            weights = np.concatenate([over, -under])
            known = np.concatenate([cuts.over[: len(over)], cuts.under[: len(under)]])
            kept = np.abs(weights) > 1e-9 * np.abs(weights).max(initial=0.0)
            root = np.sqrt(np.abs(weights[kept]))
            hidden = self._directions[known[kept]] * root[:, None]
            inner = np.sign(weights[kept]) * root
            if len(root) and root.max() ** 2 > 1e-12:
                sign = self.leaves.signs[[k]]
                parts.append(SubNetworks.of_layers(hidden[None], inner[None], sign))
        if not parts:
            return SubNetworks.nothing(self._X.shape[1])
        return SubNetworks.stacked(parts)

    def branch(self) -> None:
        """Split the leaves that promise most, or mend the signs that are assumed.

        Cuts far from tight are dropped.
        """
        point = self._point
        assert point is not None
        scores = self._scores()
        self._mend_signs(point)
        self._drop(point)
        best = scores.max(axis=1)
        worthy = np.flatnonzero(best > max(SETTINGS.worth * best.max(), self._floor))
        most = max(SETTINGS.fewest_splits, int(SETTINGS.split_share * len(self.leaves)))
        worthy = worthy[np.argsort(-best[worthy], kind="stable")][:most]
        places = [(int(k), int(scores[k].argmax())) for k in worthy]
        if places:
            parents = Leaves.parents(len(self.leaves), places)
            self.leaves = self.leaves.split(places)
            self._cuts = [self._cuts[k] for k in parents]
            self._point = None

    @property
    def _floor(self) -> float:
        """Scores below this are rounding of the master."""
        return 1e-10 * max(abs(self.promised), 1e-300)

    def _mend_signs(self, point: MasterPoint) -> None:
        """Turn assumed signs that hold a dual variable at zero, and drop them the second time."""
        p, q, _ = self._sums()
        prediction = (self.leaves.signs[:, None] * np.maximum(p - q, 0.0)).sum(axis=0)
        residual = self._goal.residual(prediction, point.v)
        # With all signs wrong v is zero, but for the rounding of the master.
        size = max(float(np.abs(point.v).max()), SETTINGS.wrong * float(np.abs(residual).max()))
        is_zero = np.abs(point.v) < SETTINGS.zero * size
        wrong = is_zero & (self._assumed * residual < -SETTINGS.wrong * size)
        self._flips += wrong
        turned = np.where(self._flips > 1, 0.0, -self._assumed)
        self._assumed = np.where(wrong, turned, self._assumed)

    def _drop(self, point: MasterPoint) -> None:
        """Forget cuts that were far from tight at the last point of the master."""
        at = self.leaves.with_coefficients(point.coefficients)
        room, kept = self._goal.beta * (1.0 - SETTINGS.near), []
        for k, (over, under) in enumerate(zip(at.over(point.v), -at.coefficients, strict=True)):
            cuts = self._cuts[k]
            kept.append(Cuts(
                cuts.over[self._activations[cuts.over] @ over > room],
                cuts.under[self._activations[cuts.under] @ under > room],
            ))  # fmt: skip
        self._cuts = kept
