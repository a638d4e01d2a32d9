"""Which problems have a relaxation, and the prover by it: for any layer, and what is beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.layers.parallel import ParallelRows
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SkipLoss
from cvxnn.losses.offset import best_offset
from cvxnn.oracle.choice import SURE_RANK, usually_ends
from cvxnn.oracle.outputs.choice import OUTPUTS_SURE_RANK
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.beside import Beside, value
from cvxnn.relaxation.choice import LEAVES, prover_for
from cvxnn.relaxation.memory import Memory
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.relaxation.parallel.prover import SubNetworkProver
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.relaxation.readout import separated
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.parallel.neurons import as_sub_networks
from cvxnn.solvers.skip.free import evaluated
from cvxnn.solvers.skip.priced_line import PricedLine
from cvxnn.solvers.skip.profile import ProfiledProblem
from cvxnn.solvers.smoothing.problems import SmoothedProblem

OnBound = Callable[[DualProof], object] | None
SmoothProver: TypeAlias = RelaxationProver | PartsProver | OutputsProver | SubNetworkProver
# Residuals next to a kink, for targets of size one: bounds lose the square of it.
_STRIP = 2.0**-12


@dataclass(frozen=True)
class SmoothingProver:
    """A :class:`~cvxnn.certificates.Prover` for a loss with kinks, by that for a smooth one.

    Attributes
    ----------
    smoothed : SmoothedProblem
    inner : RelaxationProver, PartsProver, OutputsProver or SubNetworkProver
        For the smooth problem.
    on_stage : callable, optional
        As for those that are not in parts.
    """

    smoothed: SmoothedProblem
    inner: SmoothProver
    on_stage: Callable[[bool], object] | None = None

    @property
    def least_seconds(self) -> float:
        """Those of the prover for the smooth problem."""
        return self.inner.least_seconds

    def improve(
        self, incumbent: Neurons, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and what is found; bounds are those of the loss with kinks."""
        inner: AnyProver = self.inner
        if self.on_stage is not None:
            inner = staged(inner, self.on_stage)
        found = inner.improve(incumbent, self.smoothed.lifted(proof), tol, deadline)
        proofs = (proof, self.smoothed.proof(found))
        return max(proofs, key=lambda proof: proof.bound(self.smoothed.whole))


AnyProver: TypeAlias = SmoothProver | SmoothingProver


def staged(prover: AnyProver, on_stage: Callable[[bool], object]) -> AnyProver:
    """A prover that says when a stage begins, unless it is in parts."""
    if isinstance(prover, PartsProver):
        return prover
    return replace(prover, on_stage=on_stage)


def is_in_parts(prover: AnyProver) -> bool:
    """Whether a prover divides the rows and its time."""
    return isinstance(getattr(prover, "inner", prover), PartsProver)


def relaxation_prover(
    problem: Problem[Any],
    *,
    intercept: bool = False,
    on_bound: OnBound = None,
    memory: Memory | None = None,
) -> AnyProver | None:
    """The prover by the relaxation, or None where there is no relaxation of a problem.

    Parameters
    ----------
    problem : Problem
        There is a relaxation for sub-networks on :class:`~cvxnn.layers.parallel.ParallelRows`
        on which no oracle of two layers ends, and for a :class:`~cvxnn.layers.Layer` with a
        sparse readout or without one (ReLU, leaky and absolute values, sums and averages over
        patches), alone or, for one output, in a :class:`~cvxnn.layers.relu.SkipLayer`, with any
        loss that is a sum over
        the rows; none for maxima of patches, gates and dense readouts.
        Beside a free linear part of size one, as :meth:`Problem.in_units` makes it: bounds of
        other data are weaker, by what is charged for rounding.
    intercept : bool
        Whether there is one beside the neurons.
    on_bound : callable, optional
        Called with the best proof so far, whenever a bound has been computed.
    memory : Memory, optional
        Of the last iteration along a path of beta, where this one goes on; many rows, which are
        bounded in parts, begin anew.

    Returns
    -------
    RelaxationProver, PartsProver, OutputsProver, SubNetworkProver, SmoothingProver or None
        Its incumbents and proofs are those of `problem`, beside any intercept and linear part.

    Raises
    ------
    InputError
        If a free linear part has no best weights.

    Notes
    -----
    The loss of the neurons alone is the least over what is beside them. A dual point of it
    vanishes on what is free, and what rounding leaves there is charged by those who prove that
    for a search: :func:`~cvxnn.solvers.intercept.proof.beside_any_offset` and
    :class:`~cvxnn.solvers.skip.profile.ProfiledProblem`.

    Examples
    --------
    >>> from cvxnn.certificates import spectral_proof
    >>> from cvxnn.losses import SquaredLoss
    >>> rows, y = Layer(np.array([[1.0], [-1.0]])), np.array([5.0, 1.0])
    >>> problem = Problem.of(rows, y, 0.5, SquaredLoss())
    >>> prover = replace(relaxation_prover(problem, intercept=True), most=200)
    >>> first = spectral_proof(rows, np.zeros(2))
    >>> proof = prover.improve(Neurons.none(1), first, 1e-3, UNLIMITED)
    >>> round(proof.bound(problem), 2)  # two neurons of output 2 - 1/2, and the intercept 3
    1.75
    """
    if _relaxed_rows(problem) is None:
        return None
    if isinstance(problem.rows, ParallelRows) and not needs_relaxation(problem):
        # Leaves over an oracle that ends say more.
        return None
    if not problem.loss.is_kinked:
        return _smooth_prover(problem, intercept, on_bound, memory)
    smoothed = SmoothedProblem.over(problem, _STRIP)

    def note(found: DualProof) -> None:
        if on_bound is not None:
            on_bound(smoothed.proof(found))

    return SmoothingProver(smoothed, _smooth_prover(smoothed.problem, intercept, note, memory))


def _smooth_prover(
    problem: Problem[Any], intercept: bool, on_bound: OnBound, memory: Memory | None
) -> SmoothProver:
    rows = problem.rows
    if isinstance(rows, ParallelRows):
        return _of_sub_networks(problem, intercept, on_bound)
    if problem.n_outputs > 1:
        return OutputsProver(problem, intercept, on_bound=on_bound)
    if isinstance(rows, SkipLayer):
        problem = problem.on(replace(rows, has_constant=rows.has_constant or intercept))
        beside = beside_free_line(problem) if rows.is_free else beside_priced_line(problem)
    elif intercept:
        beside = beside_intercept(problem)
    else:
        prover = prover_for(problem, on_bound)
        return replace(prover, memory=memory) if isinstance(prover, RelaxationProver) else prover
    return RelaxationProver(
        beside.inner, beside=beside, on_bound=on_bound, memory=memory, leaves=LEAVES
    )


def _of_sub_networks(
    problem: Problem[ParallelRows], intercept: bool, on_bound: OnBound
) -> SubNetworkProver:
    if not intercept:
        return SubNetworkProver(problem, as_sub_networks, on_bound=on_bound)
    constant = best_offset(problem.loss, np.zeros_like(problem.y), problem.y)
    reached = problem.value(np.full_like(problem.y, constant))
    reach = intercept_reach(problem, constant, reached)

    def carried(found: DualProof) -> DualProof:
        return beside_any_offset(found, problem, reach)

    return SubNetworkProver(problem, as_sub_networks, carried, on_bound=on_bound)


def needs_relaxation(problem: Problem[Any], deadline: Deadline = UNLIMITED) -> bool:
    """Whether there is a relaxation of a problem, and no exact oracle that usually ends.

    Raises
    ------
    OutOfTimeError
        If the deadline passes.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> problems = (
    ...     Problem.of(Layer(np.eye(rank)), np.ones(rank), 0.5, SquaredLoss()) for rank in (6, 70)
    ... )
    >>> [needs_relaxation(problem) for problem in problems]
    [False, True]
    """
    rows = _relaxed_rows(problem)
    if rows is None or not may_need_relaxation(problem):
        return False
    reduction = reduce_rows(rows, deadline)
    return reduction.rank > _sure_rank(problem) and not (
        problem.n_outputs == 1 and usually_ends(reduction)
    )


def may_need_relaxation(problem: Problem[Any]) -> bool:
    """The same by the shape of the rows alone, whatever their rank.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> may_need_relaxation(Problem.of(Layer(np.eye(6)), np.ones(6), 0.5, SquaredLoss()))
    False
    """
    rows = _relaxed_rows(problem)
    return rows is not None and min(rows.shape) > _sure_rank(problem)


def _sure_rank(problem: Problem[Any]) -> int:
    """Up to which exact oracles end."""
    return SURE_RANK if problem.n_outputs == 1 else OUTPUTS_SURE_RANK


def _relaxed_rows(problem: Problem[Any]) -> FloatArray | None:
    """The rows of neurons, where there is a relaxation for them."""
    rows = problem.rows
    if isinstance(rows, ParallelRows):
        return rows.X
    # Beside a linear part there are no several outputs.
    layer = rows.layer if isinstance(rows, SkipLayer) and problem.n_outputs == 1 else rows
    is_relaxed = isinstance(layer, Layer) and separated(layer) is not None
    return layer.rows if is_relaxed else None


def beside_intercept(problem: Problem[Layer]) -> Beside:
    """Neurons, and any number that is added to all predictions."""
    y = problem.y
    constant = best_offset(problem.loss, np.zeros_like(y), y)
    reach = intercept_reach(problem, constant, problem.value(np.full_like(y, constant)))
    loss = SkipLoss(problem.loss, np.ones((len(y), 1)), 1.0, n_free=1)
    inner = replace(problem, loss=loss)

    def proof(found: DualProof) -> DualProof:
        return beside_any_offset(found, problem, reach)

    return Beside(problem, inner, partial(value, inner), proof)


def beside_free_line(problem: Problem[SkipLayer]) -> Beside:
    """Neurons, and a linear part that costs nothing."""
    free, nothing = ProfiledProblem.of(problem), Neurons.none(problem.rows.n_features)
    evaluation = evaluated(problem, nothing, free.linear(nothing))
    reached = evaluation.value + evaluation.error

    def proof(found: DualProof) -> DualProof:
        return free.proof(found, reached)

    return Beside(problem, free.inner, partial(value, free.inner), proof)


def beside_priced_line(problem: Problem[SkipLayer]) -> Beside:
    """Neurons, and a linear part at the price of a neuron."""
    line, layer = PricedLine(problem), problem.rows.layer
    eta = line.guess(np.zeros_like(problem.y))

    def objective(neurons: Neurons) -> float:
        f = layer.forward(neurons.directions, neurons.signs * neurons.sizes)
        return line.objective(f, float(neurons.sizes.sum()), line.best(f))

    price = problem.beta if eta > 0.0 else 0.0
    return Beside(problem, line.around(eta), objective, line.proof, price)
