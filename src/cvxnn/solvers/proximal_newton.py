"""Losses other than the squared one: a sequence of weighted squares.

At a prediction f the loss is replaced by ``1/2 ||A g - z||^2`` with its gradient there
and the curvature ``A'A``, as a rule diagonal; the penalty stays as it is. Because ReLU
is positively homogeneous, a weighted square is the squared loss on the rows
``sqrt(h_i) x_i``; any other A joins the readout of the layer. The arrangement is the
same, so that every method for the squared loss is one for all smooth losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.losses.base import DiagonalRoot, Root
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import best_weights, prune
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.search import IncumbentSearch, Search
from cvxnn.solvers.segments.segment import LENGTH
from cvxnn.solvers.squares import SETTINGS as SQUARES
from cvxnn.solvers.squares import model_problem, squares, step_length


@dataclass(frozen=True)
class Settings:
    """The numbers that the sequence of models goes by.

    Attributes
    ----------
    slow : float
        A model that is not certified is left when a round gains less than this share of
        what all its rounds did: the next model knows better.
    first_tolerance, forcing : float
        Relative accuracy of the first model, and of a model beside the gain of the last.
    at_rest : float
        Relative gain of a model that is the end where nothing is polished.
    aim : float
        Share of the tolerance that a model that is certified may use up.
    least_tolerance : float
        What a model can reach.
    patience : int
        Rounds of a model without progress after which it is taken as it is.
    quick_entries : int
        Of activations that are looked through in no time.
    """

    slow: float = 0.1
    first_tolerance: float = 1e-2
    forcing: float = 0.1
    at_rest: float = 1e-4
    aim: float = 0.3
    least_tolerance: float = 1e-13
    patience: int = 3
    quick_entries: int = 1 << 22


SETTINGS = Settings()


class ModelOpener(Protocol):
    """Opens the search for a problem with squared loss, from neurons to start with.

    Its rows are those of a root of curvature, where there is one. Where the search
    `certifies` its gap is proven.
    """

    def __call__(
        self, problem: Problem[Any], start: Neurons | None, root: Root[Any] | None, certifies: bool
    ) -> Search: ...


def search_for(
    problem: Problem[Any],
    open_model: ModelOpener,
    deadline: Deadline,
    start: Neurons | None = None,
    opening: TileSearch | None = None,
    *,
    polishes: bool = True,
) -> Search:
    """The search for a problem of any loss: one with squared loss, or a sequence of them.

    A sequence may have an opening, a rough search for the loss itself; without a polish
    that is all, or models that are as rough.
    """
    if problem.is_least_squares:
        return open_model(problem, start, None, True)
    return ProximalNewton(problem, open_model, deadline, start, opening, polishes=polishes)


@final
class ProximalNewton(IncumbentSearch):
    """Search for the optimum with any smooth loss, by searches with squared loss.

    Parameters
    ----------
    problem : Problem of Rows
    open_model : ModelOpener
    deadline : Deadline
    start : Neurons, optional
        A network to begin with; it has to be better than none.
    opening : TileSearch, optional
        A rough search that finds one.
    polishes : bool
        Whether models follow the opening, and models are certified.

    Notes
    -----
    The objective is convex on the segment of networks between two of them, neurons
    side by side with weights 1 - t and t, and a step goes to its minimum there: no
    model can fail. Near the optimum t is 1 and convergence quadratic. Where the loss
    is nearly linear, as Huber's with a small delta, a step is short as long as it is
    not known which rows have a curvature at the optimum; that is found by steps on
    the weights of given neurons, a small Lasso each, between two models. Models are
    certified only when they have stopped to gain: the dual point of the last one,
    times ``sqrt(h)``, is minus the gradient there, up to second order, and what is
    proven of it on the scaled rows holds on the rows.

    References
    ----------
    J. Lee, Y. Sun and M. Saunders, Proximal Newton-type methods for minimizing
    composite functions, SIAM J. Optim. 24 (2014). The weights of all neurons at once
    are the fully corrective step of M. Jaggi, Revisiting Frank-Wolfe, ICML 2013.
    """

    alternative = "tree"

    def __init__(
        self,
        problem: Problem[Any],
        open_model: ModelOpener,
        deadline: Deadline,
        start: Neurons | None = None,
        opening: TileSearch | None = None,
        *,
        polishes: bool = True,
    ) -> None:
        self._polishes = polishes
        self.layer, n_features = problem.rows, problem.rows.n_features
        super().__init__(problem, Neurons.none(n_features), "spectral", deadline)
        self._open, self.basis = open_model, np.eye(n_features)
        self._prediction = np.zeros_like(problem.y)
        self.proof = self._space_proof = spectral_proof(self.layer, problem.residual_at_zero)
        self.bound = self.proof.bound(problem)
        if start is not None:
            self._offer(start)
        self._opening, self._is_rough = opening, opening is not None and not polishes
        self._gain, self._share = np.inf, 1.0
        # Of a quadratic loss the first model is the loss.
        self._certifies = problem.loss.is_quadratic
        self._model: Search | None = None
        self._root: Root[Any] = DiagonalRoot(np.ones_like(problem.y))
        self._model_tol = 0.0

    def step(self, tol: float) -> None:
        """One round of a model; the next model, where it has come to its end."""
        if self._opening is not None:
            self._open_further(self._opening)
            return
        model = self._begin(tol) if self._model is None else self._model
        if not self._is_done(model):
            before = min(model.objective, self._first)
            model.step(self._model_tol)
            self.n_blocks = model.n_blocks
            gained, all_gained = before - model.objective, self._first - model.objective
            self._slow = not self._certifies and 0.0 < gained < SETTINGS.slow * all_gained
        if self._is_done(model):
            self._end(model, tol)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Take over what the model under way has reached, and leave a minimal network."""
        if self._model is not None:
            self._take_over(self._model, quick=quick)
        entries = len(self.problem.y) * len(self.neurons)
        if (quick or self.deadline.passed) and entries > SETTINGS.quick_entries:
            return
        if self._is_rough and len(self.problem.y) > LENGTH:
            # It is left as it is.
            return
        # A step that ended between two networks has the neurons of both. The proof of the
        # old network shall hold for the new one: more than rounding must not be lost.
        pruned = prune(self.layer, self.neurons, self._last_deadline(quick=quick))
        prediction = self.layer.forward(pruned.rays, pruned.signs)
        reached = self.problem.value(prediction, float(pruned.sizes.sum()))
        if reached <= self.objective * (1.0 + 0.1 * tol):
            self.neurons = pruned

    def final_proofs(self, *, quick: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on (2) over all networks."""
        return self.proof, self._space_proof

    def _open_further(self, opening: TileSearch) -> None:
        """One round of the rough search."""
        try:
            if opening.advance():
                self._opening = None
                self.stationary = not self._polishes
        finally:
            self.n_blocks, neurons = opening.n_new, opening.neurons
            end = self.layer.forward(neurons.rays, neurons.signs)
            self._move(neurons, end, 1.0)

    def _begin(self, tol: float) -> Search:
        """The model at the best network so far."""
        self._root, target, offset = self._squares(self._share)
        # The objective of a model has an offset, which its relative gap must not see.
        visible = self.objective / max(self.objective + offset, 1e-300)
        # A dual point errs by the root of the gap: a model that led nowhere was too coarse.
        wanted = SETTINGS.aim * tol * 0.1**self.stalled
        if not self._certifies:
            coarse = min(SETTINGS.first_tolerance, SETTINGS.forcing * self._gain)
            wanted = max(wanted, coarse)
        self._model_tol = max(wanted * visible, SETTINGS.least_tolerance)
        problem = self._model_problem(self._root, target)
        model = self._open(problem, self.neurons, self._root, self._certifies)
        self._model, self.rank = model, model.rank
        self._first = offset + self.problem.beta * float(self.neurons.sizes.sum())
        self._slow = False
        return model

    def _squares(self, least: float) -> tuple[Root[Any], FloatArray, float]:
        return squares(self.problem, self._prediction, least)

    def _model_problem(self, root: Root[Any], target: FloatArray) -> Problem[Any]:
        return model_problem(self.problem, root, target)

    def _is_done(self, model: Search) -> bool:
        reached = model.gap <= self._model_tol or model.stationary or self._slow
        return reached or model.stalled >= SETTINGS.patience or self.deadline.passed

    def _end(self, model: Search, tol: float) -> None:
        """Take over the network of a model, and decide what the next one is like."""
        before = (self.objective, self.bound)
        # What is cheap for a model is cheap for a few models more.
        self.is_cheap = model.is_cheap
        self._correct(self._take_over(model, quick=not self._certifies))
        self._model = None
        self._gain = (before[0] - self.objective) / max(self.objective, 1e-300)
        self._share *= SQUARES.share_factor
        small = self._gain <= 0.1 * tol
        self.stationary = small and self._certifies and model.stationary and self.gap > tol
        self._certifies |= small
        if not self._polishes:
            self.stationary = self._gain <= SETTINGS.at_rest or self.problem.loss.is_quadratic
        better = self._gain > 1e-12 or self.bound > before[1]
        self.stalled = 0.0 if better else self.stalled + 1.0

    def _take_over(self, model: Search, *, quick: bool) -> Neurons:
        """Take over network and proofs of a model; its neurons."""
        model.finish(self._model_tol, quick=quick)
        neurons = model.incumbent()
        self._offer(neurons)
        program, space = model.final_proofs(quick=quick)
        self._take(self._on_the_rows(program))
        proofs = (self._space_proof, self._on_the_rows(space))
        self._space_proof = max(proofs, key=lambda proof: proof.bound(self.problem))
        return neurons

    def _offer(self, neurons: Neurons) -> None:
        """Move to the best network between the present one and these neurons."""
        end = self.layer.forward(neurons.rays, neurons.signs)
        t = self._step_length(end, float(neurons.sizes.sum() - self.neurons.sizes.sum()))
        self._move(_between(self.neurons, neurons, t), end, t)

    def _correct(self, found: Neurons) -> None:
        """Find the best weights for the present neurons and these: the same steps, but cheap."""
        neurons = self.neurons.joined(found.directions, found.outputs)
        factor = share = SQUARES.share_factor
        for _ in range(SQUARES.corrections):
            if self.deadline.passed:
                break
            before = self.objective
            root, target, _ = self._squares(share)
            model = self._model_problem(root, target)
            weights = best_weights(model, neurons, self.deadline)
            ahead = neurons.sized(weights)
            end = self.layer.forward(ahead.rays, ahead.signs)
            t = self._step_length(end, float(weights.sum() - neurons.sizes.sum()))
            mixed = (1.0 - t) * neurons.sizes + t * weights
            neurons = neurons.sized(mixed)
            self._move(neurons.select(mixed > 0.0), end, t)
            if before - self.objective <= SQUARES.small_gain * self.objective:
                break
            share = share * factor if t > 0.5 else min(1.0, share / factor)

    def _step_length(self, end: FloatArray, growth: float) -> float:
        """Where the objective is least on the way to a prediction, with weights that grow so."""
        return step_length(self.problem, self._prediction, end, growth)

    def _move(self, neurons: Neurons, end: FloatArray, t: float) -> None:
        """Take a network t of the way to a prediction, if it is better than the present one."""
        prediction = end if t == 1.0 else (1.0 - t) * self._prediction + t * end
        objective = self.problem.value(prediction, float(neurons.sizes.sum()))
        if objective < self.objective:
            self.neurons, self.objective, self._prediction = neurons, objective, prediction

    def _on_the_rows(self, proof: DualProof) -> DualProof:
        """A proof for a model, carried over: ``v'f = v~'(A f)`` for ``v = A'v~``.

        Both sides round; and v is moved into the domain of the
        conjugate, which changes ``v'f`` by ``sum_i |change_i| |f_i|`` at most.
        """
        v = self._root.transposed(proof.v)
        inside = self.problem.loss.project(v, self.problem.y)
        moved = float(np.abs(inside - v) @ self.layer.lengths)
        rounding = self._root.error(proof.v, self.layer.lengths)
        # The sum over n rows of lengths over d columns may err by (n + d) eps of itself.
        sums = 1.0 + 2.0 * (len(v) + sum(self.layer.rows.shape) + 32) * EPS
        bounds = proof.bounds * (1.0 + 8.0 * EPS) + (moved + rounding) * sums
        return DualProof(inside[:, None], bounds, proof.kind)


def _between(first: Neurons, second: Neurons, t: float) -> Neurons:
    """``(1 - t)`` of one network beside t of the other."""
    if t == 1.0:
        return second
    return Neurons(
        np.vstack([first.directions, second.directions]),
        np.concatenate([(1.0 - t) * first.sizes, t * second.sizes]),
        np.concatenate([first.outputs, second.outputs]),
    )
