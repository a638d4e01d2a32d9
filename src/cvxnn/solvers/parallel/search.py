"""The search for an optimal network of sub-networks of three layers, with a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.layers.parallel import ParallelRows
from cvxnn.methods import Global
from cvxnn.oracle.parallel.leaves import two_layer_oracle
from cvxnn.oracle.price import BOTH
from cvxnn.problems import Problem
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.opening import opening
from cvxnn.solvers.parallel.descent import climb, descend, weighed
from cvxnn.solvers.parallel.goals import BoundGoal
from cvxnn.solvers.parallel.joint_dual import JointDual
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.proofs import proof_of, quick_proof, root_proof
from cvxnn.solvers.search import IncumbentSearch, Pursuit


@dataclass(frozen=True)
class Settings:
    """The numbers that the search for sub-networks goes by.

    Attributes
    ----------
    first_tolerance, first_rounds : float, int
        Of the network of two layers that it begins with.
    masters : int
        Programs of the joint dual in a round, at most.
    most_rows : int
        Up to which there is a joint dual; more rows have the bound without choices.
    starts, width, climbs : int
        Of ascents for a sub-network: how many, hidden units of each, and rounds of the joint dual
        with them.
    polish_steps : int
        Of the descent of all weights in a round.
    idle : float
        What a round without progress adds to `stalled`.
    """

    first_tolerance: float = 1e-3
    first_rounds: int = 30
    masters: int = 6
    most_rows: int = 1000
    starts: int = 60
    width: int = 8
    climbs: int = 3
    polish_steps: int = 300
    idle: float = 0.25


SETTINGS = Settings()


@final
class ParallelSearch(IncumbentSearch):
    """A network of two layers, then the joint dual of three: bounds and networks in turn.

    Parameters
    ----------
    problem : Problem of ParallelRows
        Of one output, with a loss without kinks.
    random_state : numpy.random.Generator
    deadline : Deadline
    start : SubNetworks, optional
        A network to begin with, in the place of one of two layers.

    Notes
    -----
    A round solves the joint dual on the neurons known so far a few times, with cuts from the
    oracle of two layers, and splits the leaves that promise most. Its multipliers are
    sub-networks; they, and those of ascents, get their best sizes by a non-negative Lasso, and
    all weights descend together. More than ``most_rows`` rows have ascents, descents, and the
    bound of the residual without choices.
    """

    neurons: SubNetworks
    _joint: JointDual | None

    def __init__(
        self,
        problem: Problem[ParallelRows],
        random_state: np.random.Generator,
        deadline: Deadline,
        start: SubNetworks | None = None,
    ) -> None:
        X = problem.rows.X
        super().__init__(problem, SubNetworks.nothing(X.shape[1]), "choices", deadline)
        self.basis, self._random_state = np.eye(X.shape[1]), random_state
        self._take(quick_proof(X, problem.residual_at_zero))
        self._oracle = two_layer_oracle(X, deadline)
        self._rounds = self._climbed = 0
        self._goal, self._joint = BoundGoal(problem), None
        self._pursuit: Pursuit | None = None
        if start is not None:
            self._offer(start.trimmed())
        if len(self.neurons) == 0:
            two = problem.on(Layer(X))
            self._offer(SubNetworks.of_neurons(opening(two)))
            strategy = LayerStrategy(two, Global(), random_state)
            self._pursuit = Pursuit(strategy.open_for(two, None, deadline, certifies=False))

    def step(self, tol: float) -> None:
        """One round; of two layers first."""
        check_interrupt()
        before = self.objective, self.bound, self._n_leaves
        if self._pursuit is not None:
            self._first_round()
            self.stalled = 0.0
            return
        if len(self.problem.y) > SETTINGS.most_rows:
            self._loose_round()
        else:
            self._joint_round(tol)
        gained = before[0] - self.objective > 1e-12 * abs(before[0]) or self.bound > before[1]
        # The first splits of many let the bound be.
        gained |= self._n_leaves > before[2]
        self.stalled = 0.0 if gained else self.stalled + SETTINGS.idle

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing is left to do: sub-networks with independent outputs, at most n."""

    def _first_round(self) -> None:
        """Of the network of two layers, whose proofs say nothing of three."""
        assert self._pursuit is not None
        self._rounds += 1
        search = self._pursuit.search
        more = self._pursuit.advance(SETTINGS.first_tolerance)
        if not more or self._rounds >= SETTINGS.first_rounds:
            self._pursuit = None
        self._offer(SubNetworks.of_neurons(search.incumbent()))
        self.n_blocks = search.n_blocks

    @property
    def _n_leaves(self) -> int:
        return 0 if self._joint is None else len(self._joint.leaves)

    @property
    def _residual(self) -> FloatArray:
        return self.problem.residual(self.neurons.predict(self.problem.rows.X))

    def _joint_round(self, tol: float) -> None:
        """Programs until the leaves are settled, networks from them, and splits."""
        joint = self._opened()
        for _ in range(SETTINGS.masters):
            self._goal.around(self.neurons.predict(self.problem.rows.X))
            joint.refine(self.deadline)
            assert joint.priced is not None
            self._take(proof_of(joint.priced))
            self._weigh(joint.sub_networks())
            if self.gap <= tol:
                return
            if joint.is_settled(self.objective):
                break
        self.n_blocks = len(joint.leaves)
        if self._climbed < SETTINGS.climbs:
            self._climbed += 1
            self._weigh(self._ascend())
        self._polish()
        near = joint.promised - joint.proven < 0.1 * tol * abs(self.objective)
        if joint.is_settled(self.objective) or near:
            joint.branch()

    def _opened(self) -> JointDual:
        """With the neurons of the network, or of the sub-networks, to begin with."""
        if self._joint is None:
            directions = self.neurons.directions.reshape(-1, self.problem.rows.n_features)
            lengths = np.linalg.norm(directions, axis=1)
            directions = directions[lengths > 0.0] / lengths[lengths > 0.0, None]
            self._joint = JointDual(
                self.problem.rows.X, self._goal, self._oracle, directions,
                self._residual,
            )  # fmt: skip
        return self._joint

    def _loose_round(self) -> None:
        """Ascents and descents, and the bound without choices."""
        found = self._ascend()
        self.n_blocks = len(found)
        self._weigh(found)
        self._polish()
        point = root_proof(self._oracle, self._residual, self.problem.beta, self.deadline)
        self._take(proof_of(point))

    def _ascend(self) -> SubNetworks:
        """Sub-networks that ascents find at the residual, of both signs."""
        X, v, rng = self.problem.rows.X, self._residual, self._random_state
        d, parts = X.shape[1], []
        for sign in BOTH:
            hidden = rng.standard_normal((SETTINGS.starts, SETTINGS.width, d))
            inner = rng.standard_normal((SETTINGS.starts, SETTINGS.width))
            values, hidden, inner = climb(X, sign * v, hidden, inner, deadline=self.deadline)
            kept = np.argsort(-values)[: SETTINGS.starts // 4]
            kept = kept[values[kept] > self.problem.beta]
            signs = np.full((len(kept), 1), sign)
            parts.append(SubNetworks(hidden[kept], np.zeros(len(kept)), signs, inner=inner[kept]))
        return SubNetworks.stacked(parts)

    def _weigh(self, new: SubNetworks) -> None:
        """The best sizes of those known and new ones."""
        if len(new) == 0:
            return
        try:
            pool = SubNetworks.stacked([self.neurons, new.sized(np.zeros(len(new)))])
            self._offer(weighed(self.problem, pool, self.deadline)[0])
        except OutOfTimeError:
            # The network is as good as before.
            return

    def _polish(self) -> None:
        """All weights together, and then the best sizes."""
        steps = SETTINGS.polish_steps
        moved = descend(self.problem, self.neurons, steps=steps, deadline=self.deadline)
        self._offer(moved)
        self._weigh(moved)

    def _offer(self, neurons: SubNetworks) -> None:
        prediction = neurons.predict(self.problem.rows.X)
        objective = self.problem.value(prediction, float(neurons.sizes.sum()))
        if objective < self.objective:
            self.neurons, self.objective = neurons, objective
