"""How far a trained network is from the best one: :func:`certify`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.certificates import DualProof, Prover, spectral_proof
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.exchange.foreign import ReadNetwork, detached, read_network
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Problem
from cvxnn.results import (
    ImprovingNeuron,
    NetworkCertificate,
    Solution,
    Status,
    Verdict,
    relative_gap,
)
from cvxnn.training.improving_neuron import NeuronTrials
from cvxnn.training.run import Callback, Limits
from cvxnn.training.training_prover import TrainingProver
from cvxnn.validation import check_random_state

FloatArray = NDArray[np.float64]

# Neurons of the oracle that are tried.
_CANDIDATES = 32
# Share of its excess over beta by which the function falls between two directions
# of rank two: noise gives every hill a thousand summits.
_DEPTH = 0.05
# Tolerance of the first look at the residual of the network, and the share of
# the time for it: a bound from training is usually better.
_COARSE = 1e-3
_RESIDUAL_SHARE = 0.3
# A gap that rescaling the neurons closes by this share of the objective is worth a note.
_UNBALANCED = 1e-6


def certify(
    network: Any,
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    loss: str | Loss | None = None,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    time_limit: float | None = 60.0,
    random_state: int | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> NetworkCertificate:
    """Prove how far a two-layer ReLU network is from the best one, however it was trained.

    The objective is (2) of the seed paper,

        1/2 ||f(X) - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean), or the same with another convex loss in place
    of the square. Every bias is penalised: a hidden bias is a weight on a column of
    ones, an output bias c is one more neuron on it, which costs ``beta |c|``. Where
    that is not how the network was trained, `notes` of the result say so.

    Parameters
    ----------
    network : object
        A :class:`TwoLayerNetwork`; a pair ``(hidden_weights, output_weights)``
        of shapes (m, d) and (m,), (1, m) or (m, 1); a module of torch with one
        output that computes Linear, ReLU, Linear, with or without biases: a
        ``Sequential``, or one whose `forward` torch.fx can trace. Dropout and
        BatchNorm1d may be in it in evaluation mode, BatchNorm1d folded into the
        layer beside it, and Flatten, Identity and a Sigmoid at the end. Or a fitted
        ``MLPRegressor`` or binary ``MLPClassifier`` of ``sklearn.neural_network``
        with one hidden layer of ReLU, a fitted :class:`ConvexReLURegressor` or
        :class:`ConvexReLUClassifier` for two classes, also with ``CV``; or a fitted
        ``Pipeline`` of scikit-learn that ends in a network. Its weights
        are taken to float64, in which everything is computed.
    X : array-like, shape (n, d)
        Data as the network itself takes them: the column of ones for its biases is
        appended here, and the steps of a pipeline transform them. Tensors of torch
        are taken as well, also where they require gradients; images of any shape
        where the network begins with Flatten.
    y : array-like, shape (n,)
        Targets. For a classifier the labels that it was fitted on, which its
        ``classes_`` turn into -1 and 1; 0 and 1 for a torch network that ends in
        Sigmoid; -1 and 1 for others where the loss is for labels.
    beta : float
        Regularisation, > 0.
    loss : str or Loss, optional
        As for :func:`cvxnn.solve`. By default that of the network, where it is known:
        ``"logistic"`` for an `MLPClassifier` and for a Sigmoid at the end, before which
        its values are taken, that of an estimator of this library; ``"squared"`` for
        all others.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0, as for :func:`cvxnn.solve`.
    tol : float, default 1e-6
        Relative gap ``(objective + objective_error - dual_bound) / objective`` below which the
        network counts as optimal; in ]0, 1[.
    time_limit : float or None, default 60.0
        Seconds after which the search for a better bound stops, None for never.
        Unlike training, the question has an honest answer at any time, and a
        complete one may take time exponential in d: a call without a limit
        might not return. A minute is what small problems, and large ones with
        few features, need at most.
    random_state : int, numpy Generator or None, default 0
        Source of the directions and the working set that the search starts from.
    callback : callable, optional
        Called with a :class:`Progress` after every round of the search. These
        are of the network that is trained for its bound, not of the one given.

    Returns
    -------
    NetworkCertificate
        With objective, lower bound, gap, verdict and, if there is one, the best
        improving neuron; also when the time is up or Ctrl-C is pressed: then
        with the bound so far.

    Raises
    ------
    InputError
        If an argument is not as described; one sentence says what was found. More than
        one output, or one network for each of several classes, is certified one by one.

    Notes
    -----
    A module with a `forward` of the user's is traced and run once, on random rows.

    A balanced network is optimal if and only if no neuron has
    ``|r'(Xu)_+| > beta`` at its residual r, minus the gradient of the loss, and its
    own neurons attain beta. Two dual points are tried: the residual, which suffices
    for an optimal network, and, where its bound is too low, the one that training a
    network of our own leads to, because the optimal value is the same number
    whichever dual point proves it.

    What other objectives correspond to, all n rows at once: ``torch.nn.MSELoss()``
    with ``weight_decay=w`` of ``torch.optim.SGD`` is 2 / n times (2) with
    ``beta = n w / 2``, but for an output bias c, which it lets cost
    ``beta c^2 / 2``. `HuberLoss` is 1 / n times the one here with ``beta = n w``,
    and so is `BCEWithLogitsLoss` on labels t of 0 and 1, the logistic loss of
    ``y = 2 t - 1``. `MLPRegressor` and `MLPClassifier` with ``alpha`` are 1 / n times
    the one here with ``beta = alpha``, but without a penalty on their biases.

    References
    ----------
    Seed paper, (2), (8) and (11); M. Pilanci and T. Ergen, ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.training import solve
    >>> X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.0])
    >>> certificate = certify(([[1.0]], [0.5]), X, y, beta=1.0)
    >>> print(certificate.verdict.name, f"{certificate.objective:.4f}")
    IMPROVABLE 1.2500
    >>> certificate = certify(solve(X, y, beta=1.0).network, X, y, beta=1.0)
    >>> print(certificate.verdict.name, f"{certificate.objective:.4f}")
    OPTIMAL 0.9000
    """
    read = read_network(network)
    data = read.data(X)
    problem = Problem.checked(
        Layer(data), read.target(y, len(data)), beta, read.loss if loss is None else loss,
        detached(sample_weight, "sample_weight"),
    )  # fmt: skip
    # Training might refuse beta too, but only after the residual has been priced.
    problem.in_units()
    limits = Limits(tol, 1, time_limit, callback)
    run = _Run(read, problem, limits, check_random_state(random_state))
    with deferred_interrupts():
        run.execute()
        certificate = run.certificate()
        forget_interrupt()
    return certificate


class _Run:
    """One call of :func:`certify`: what is known so far, at any time a valid answer."""

    def __init__(
        self,
        read: ReadNetwork,
        problem: Problem[Layer],
        limits: Limits,
        rng: np.random.Generator,
    ) -> None:
        self.read, self.network, self.problem = read, read.network, problem
        self.layer, self.y, self.beta, self.loss = (
            problem.rows, problem.y, problem.beta, problem.loss
        )  # fmt: skip
        self.tol, self.rng, self.deadline = limits.tol, rng, Deadline(limits.time_limit)
        self.trainer = TrainingProver(problem, rng, limits.callback)
        evaluation = self._evaluate(self.network)
        self.objective, self.objective_error = evaluation.value, evaluation.error
        self.balanced = self._evaluate(self.network.balance())
        self.prediction = self.network.forward(self.layer.rows)
        self.of_residual = spectral_proof(self.layer, problem.residual(self.prediction))
        self.proof = self.of_residual
        self.largest_value = 0.0
        self.neuron: ImprovingNeuron | None = None
        self.solution: Solution[Any] | None = None
        self.interrupted = False

    def execute(self) -> None:
        """Price the residual, then search for a better bound; Ctrl-C keeps what there is."""
        try:
            self._price_residual()
            if self._gap() > self.tol:
                self._ask(self.trainer)
        except KeyboardInterrupt:
            self.interrupted = True

    def certificate(self) -> NetworkCertificate:
        """What is known, with the verdict it allows."""
        return NetworkCertificate(
            objective=self.objective,
            dual_bound=self._bound_of(self.proof),
            oracle_bound=self.of_residual.oracle_bound,
            objective_error=self.objective_error,
            verdict=self._verdict(),
            network=self.network,
            has_ones=self.read.has_ones,
            balanced_objective=self.balanced.value,
            largest_value=self.largest_value,
            improving_neuron=self.neuron,
            better_network=self.solution,
            notes=self._notes(),
            beta=self.beta,
            tol=self.tol,
            interrupted=self.interrupted,
            elapsed=self.deadline.elapsed,
        )

    def _gap(self) -> float:
        return relative_gap(self.objective, self._bound_of(self.proof), self.objective_error)

    def _is_better(self, other: Evaluation) -> bool:
        """Whether an objective is lower by more than tol, whatever rounding hides of the two."""
        known = self.objective - self.objective_error - (other.value + other.error)
        return known > self.tol * self.objective

    def _verdict(self) -> Verdict:
        if self._gap() <= self.tol:
            return Verdict.OPTIMAL
        known = self.neuron is not None or self.solution is not None
        if known or self._is_better(self.balanced):
            return Verdict.IMPROVABLE
        return Verdict.UNDECIDED

    def _notes(self) -> tuple[str, ...]:
        notes = self.read.notes(self.layer.rows, self.beta)
        if self.balanced.value < self.objective * (1.0 - _UNBALANCED):
            notes += (
                "Balancing its neurons (TwoLayerNetwork.balance), which does not change the "
                f"function, lowers the objective to {self.balanced.value:.10g}.",
            )
        return notes

    def _bound_of(self, proof: DualProof) -> float:
        return proof.bound(self.loss, self.y, self.beta)

    def _evaluate(self, network: TwoLayerNetwork) -> Evaluation:
        with np.errstate(over="ignore", invalid="ignore"):
            evaluation = network.evaluate(self.layer.rows, self.y, self.beta, self.loss, self.tol)
        if not np.isfinite(evaluation.value + evaluation.error):
            raise InputError(
                "The objective of the network is beyond float64: its weights are too large for X."
            )
        return evaluation

    def _price_residual(self) -> None:
        """Coarsely, and to the end where the network turns out to be nearly optimal."""
        effort = Effort(most=_CANDIDATES, depth=_DEPTH, random_state=self.rng)
        oracle, V = oracle_for(self.layer, effort), self.of_residual.V
        trials = NeuronTrials(self.layer.rows, self.y, self.beta, self.loss, self.prediction)
        for tol in (_COARSE, 0.5 * self.tol):
            deadline = self.deadline.share(_RESIDUAL_SHARE)
            price = oracle.price(V, self.beta, tol=tol, deadline=deadline)
            self._take_residual(DualProof.priced(V, price))
            proposals = trials.valued(price.proposals)
            self.largest_value = max(self.largest_value, proposals.largest)
            neuron = trials.best(proposals)
            if neuron is not None and self._is_better(
                self._evaluate(neuron.added_to(self.network))
            ):
                self.neuron = neuron
            if price.is_exact or self._gap() > 10.0 * _COARSE or self.neuron is not None:
                return

    def _take_residual(self, proof: DualProof) -> None:
        """Keep what is proven of the residual, if it is closer than before."""
        self.of_residual = min(self.of_residual, proof, key=lambda p: p.oracle_bound)
        self.proof = max(self.proof, self.of_residual, key=self._bound_of)

    def _ask(self, prover: Prover[TwoLayerNetwork]) -> None:
        """For a better bound: it holds for every network, also for this one."""
        self.proof = prover.improve(self.network, self.proof, self.tol, self.deadline)
        solution = self.trainer.solution
        if solution is None:
            return
        self.interrupted = solution.status is Status.INTERRUPTED
        if self._is_better(Evaluation(solution.objective, solution.objective_error)):
            self.solution = solution
