"""Pairs of signs until a proof shows that none is missing, or as many as walks find."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.oracle.quantized.oracle import Bound, QuantizedOracle, SignPairs
from cvxnn.problems import Problem
from cvxnn.results import relative_gap
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.quantized.krivine import krivine_draws
from cvxnn.solvers.quantized.neurons import QuantizedNeurons
from cvxnn.solvers.quantized.program import SemidefiniteProgram
from cvxnn.solvers.quantized.proofs import proof_of
from cvxnn.solvers.quantized.settings import SETTINGS
from cvxnn.solvers.quantized.sizes import Sizes, best_sizes, sharp_residual
from cvxnn.solvers.search import IncumbentSearch


@final
class QuantizedSearch(IncumbentSearch):
    """Column generation over pairs of vectors of signs.

        min  l(sum_j s_j (X u_j)(X v_j), y) + beta sum_j s_j,   s_j >= 0

    or the same beside a number b that is added to all predictions.

    Parameters
    ----------
    problem : Problem of QuantizedRows
        With a smooth loss.
    random_state : numpy.random.Generator
    deadline : Deadline
    start : QuantizedNeurons, optional
    proof_time : ProofTime, optional
        For trees that may not end.
    certifies : bool
        Whether trees that may take seconds, and the relaxation, are asked.
    constant : float, optional
        The best intercept without neurons, where there is one beside them.

    Notes
    -----
    A round walks from random signs over pairs of ``u'N v`` above beta, N of the residual, and sizes
    all pairs anew. Where none is found, a tree over the signs of u proves that there is none, or
    finds one. Beyond some 32 features the semidefinite relaxation comes before: its bound is
    there early, and pairs drawn from it are starts. Where the tree does not end, that is the bound.
    """

    neurons: QuantizedNeurons

    def __init__(
        self,
        problem: Problem[QuantizedRows],
        random_state: np.random.Generator,
        deadline: Deadline,
        start: QuantizedNeurons | None = None,
        proof_time: ProofTime | None = None,
        *,
        certifies: bool = True,
        constant: float | None = None,
    ) -> None:
        d = problem.rows.n_features
        none = np.zeros((0, d))
        super().__init__(
            problem, QuantizedNeurons.pairs(none, none, np.zeros(0)), "sign pairs", deadline
        )
        self._random_state, self._proof_time, self._certifies = random_state, proof_time, certifies
        self._constant, self._reach = constant, 0.0
        self._prediction = np.zeros_like(problem.y)
        if constant is not None:
            self._prediction += constant
            self.neurons = replace(self.neurons, intercept=constant)
            self.objective = problem.value(self._prediction)
            self._reach = intercept_reach(problem, constant, self.objective)
        self._oracle = QuantizedOracle(problem.rows, random_state)
        self._left = self._right = none
        self._columns = np.zeros((problem.rows.n_predictions, 0))
        self._sizes = Sizes(np.zeros(0), constant or 0.0)
        self._residual = problem.residual(self._prediction)
        self._program: SemidefiniteProgram | None = None
        self.is_cheap = d <= SETTINGS.few
        v = self._residual
        self._note(v, self._oracle.exact(v) if self.is_cheap else self._oracle.quick(v))
        if start is not None and len(start):
            pairs = SignPairs.of(start.directions, start.partners * start.signs[:, None],
                                 start.sizes)  # fmt: skip
            self._join(pairs)

    def step(self, tol: float) -> None:
        """One round: new pairs and the best sizes; a proof where there are none."""
        check_interrupt()
        self.deadline.check()
        before = self.objective, self.bound
        self.n_blocks, last = 0, False
        for _ in range(SETTINGS.inner):
            pairs = self._found(tol)
            self.n_blocks, last = self.n_blocks + len(pairs), not len(pairs)
            if last:
                break
            self._join(pairs)
            self.deadline.check()
        wants_relaxation = self._certifies and self.problem.rows.n_features > SETTINGS.usual
        if wants_relaxation and not self._is_relaxed:
            self._relax()
        elif last and not self.is_cheap:
            self._conclude(tol)
        advanced = (self.objective, self.bound) != before
        self.stalled = 0.0 if advanced or self.stationary else self.stalled + SETTINGS.idle

    def finish(self, tol: float, *, quick: bool) -> None:
        """Pairs of size zero are no neurons; nothing else is left to do."""

    def incumbent(self) -> QuantizedNeurons:
        """The best network so far."""
        return self.neurons

    def _found(self, tol: float) -> SignPairs:
        """Pairs above beta, which are not there yet."""
        v, least = self._residual, self._least(tol)
        found = self._fresh(self._oracle.walk(v, least, SETTINGS.walks))
        if self.is_cheap:
            bound = self._oracle.exact(v)
            self._note(v, bound)
            if not len(found):
                found = self._fresh(self._pair_of(bound, v).above(least))
        elif not len(found):
            found = self._fresh(self._oracle.walk(v, least, SETTINGS.most_walks))
        return found.head(SETTINGS.most_new)

    def _pair_of(self, bound: Bound, v: FloatArray) -> SignPairs:
        """The pair with the u of a tree, and the best v beside it."""
        assert bound.signs is not None
        return self._oracle.best_beside(v, bound.signs[None])

    def _fresh(self, pairs: SignPairs) -> SignPairs:
        """Those that have no column yet."""
        if not len(pairs) or not len(self._left):
            return pairs
        known = {key.tobytes() for key in np.hstack([self._left, self._right]) > 0.0}
        given = np.hstack([pairs.left, pairs.right]) > 0.0
        fresh = np.array([key.tobytes() not in known for key in given])
        return SignPairs(pairs.left[fresh], pairs.right[fresh], pairs.values[fresh])

    def _join(self, pairs: SignPairs) -> None:
        """Take pairs in, and size all anew; those that have long been nothing leave."""
        if not len(pairs):
            return
        columns = self.problem.rows.activations(pairs.left, pairs.right)
        values = np.concatenate([self._sizes.values, np.zeros(len(pairs))])
        start = Sizes(values, self._sizes.intercept)
        left, right = np.vstack([self._left, pairs.left]), np.vstack([self._right, pairs.right])
        columns = np.hstack([self._columns, columns])
        has_intercept = self._constant is not None
        sizes = best_sizes(self.problem, columns, start, self.deadline, intercept=has_intercept)
        kept = self._kept(columns, sizes)
        self._left, self._right, self._columns = left[kept], right[kept], columns[:, kept]
        self._sizes = sizes = Sizes(sizes.values[kept], sizes.intercept)
        self._prediction = sizes.prediction(self._columns)
        self._residual = sharp_residual(self.problem, self._columns, sizes, intercept=has_intercept)
        value = self.problem.value(self._prediction, sizes.total)
        if value < self.objective:
            alive = sizes.values > 0.0
            neurons = QuantizedNeurons.pairs(
                self._left[alive], self._right[alive], sizes.values[alive]
            )
            self.neurons, self.objective = replace(neurons, intercept=sizes.intercept), value

    def _least(self, tol: float) -> float:
        """What a pair has to be above to be worth a round."""
        return self.problem.beta * (1.0 + SETTINGS.margin * min(tol, 1.0))

    def _note(self, v: FloatArray, bound: Bound) -> None:
        """Take what is proven of a dual point, if it is the best proof."""
        self._take(self._beside_all(proof_of(v, bound)))

    def _beside_all(self, proof: DualProof) -> DualProof:
        """A proof for neurons alone as one beside any intercept, where there is one."""
        if self._constant is None:
            return proof
        return beside_any_offset(proof, self.problem, self._reach)

    def _kept(self, columns: FloatArray, sizes: Sizes) -> IntArray:
        """The columns of a size, and of the others those that are nearest to one."""
        alive = sizes.values > 0.0
        most = 2 * int(alive.sum()) + SETTINGS.spare
        if len(alive) <= most:
            return np.arange(len(alive))
        values = columns.T @ self.problem.residual(sizes.prediction(columns))
        order = np.argsort(-np.where(alive, np.inf, values), kind="stable")
        return np.sort(order[:most])

    @property
    def _is_relaxed(self) -> bool:
        return self._program is not None and self._program.is_done

    def _relax(self) -> None:
        """Some steps on the relaxation: its bound, and pairs drawn from it."""
        if self._program is None:
            self._program = SemidefiniteProgram(self.problem, self._random_state, self._constant)
        program = self._program
        program.advance(SETTINGS.steps, self.deadline)
        proof = self._beside_all(program.proof())
        self._take(proof)
        left = relative_gap(program.value, proof.bound(self.problem))
        program.is_done = program.is_done or left <= SETTINGS.closed
        u, _ = krivine_draws(*program.vectors, SETTINGS.draws, self._random_state)
        found = self._fresh(self._oracle.walk(self._residual, self.problem.beta, 0, u))
        self._join(found.head(SETTINGS.most_new))

    def _conclude(self, tol: float) -> None:
        """Walks find nothing: a tree shows that there is nothing, finds it, or does not end."""
        if not self._certifies:
            self.stationary = True
            return
        v = self._residual
        bound = self._by_tree(v)
        if bound.finished:
            self._note(v, bound)
            self._join(self._fresh(self._pair_of(bound, v).above(self._least(tol))))
            return
        if not self._is_relaxed:
            self._relax()
            return
        self.stationary = True

    def _by_tree(self, v: FloatArray) -> Bound:
        """An exact search within the time that there is for it."""
        beta, start = self.problem.beta, self._left[0] if len(self._left) else None
        time, d = self._proof_time, self.problem.rows.n_features
        if time is None:
            return self._oracle.exact(v, beta, start, self.deadline, SETTINGS.quick_nodes)
        seconds = time.exact(ends=d <= SETTINGS.usual)
        deadline = Deadline(max(min(seconds, self.deadline.remaining), 0.0))
        with time.taking():
            bound = self._oracle.exact(v, beta, start, deadline)
        time.cut_short = None if bound.finished else time.taken
        return bound
