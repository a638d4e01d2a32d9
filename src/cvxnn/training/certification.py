"""How far a trained network is from the best one: :func:`certify`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from cvxnn.certificates import dual_bound
from cvxnn.clocks import clock
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.exchange.foreign import ReadNetwork, detached, read_network
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import (
    AscentOracle,
    BranchAndBound,
    RankTwoOracle,
    exact_oracle,
    spectral_bound,
)
from cvxnn.results import (
    ImprovingNeuron,
    NetworkCertificate,
    Progress,
    Solution,
    Status,
    Verdict,
    relative_gap,
)
from cvxnn.training.solve import counted_outputs, solve_quietly
from cvxnn.training.units import ScaledProblem
from cvxnn.validation import (
    check_callback,
    check_optional_positive,
    check_positive,
    check_random_state,
    check_tolerance,
)

FloatArray = NDArray[np.float64]
Callback = Callable[[Progress], object]

# Directions of the oracle that are tried as neurons, and its starts.
_CANDIDATES, _STARTS = 32, 256
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
    target, beta = read.target(y, len(data)), check_positive(beta, "beta")
    layer, target, chosen = counted_outputs(
        Layer(data), target, read.loss if loss is None else loss,
        detached(sample_weight, "sample_weight"),
    )  # fmt: skip
    # Training might refuse beta too, but only after the residual has been priced.
    ScaledProblem.of(layer, target, beta, chosen)
    run = _Run(
        read,
        layer.rows,
        target,
        beta,
        chosen,
        tol=check_tolerance(tol),
        time_limit=check_optional_positive(time_limit, "time_limit"),
        rng=check_random_state(random_state),
        callback=check_callback(callback),
    )
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
        X: FloatArray,
        y: FloatArray,
        beta: float,
        loss: Loss,
        *,
        tol: float,
        time_limit: float | None,
        rng: np.random.Generator,
        callback: Callback | None,
    ) -> None:
        self.read, self.network = read, read.network
        self.X, self.y, self.beta, self.loss = X, y, beta, loss
        self.tol, self.time_limit, self.rng, self.callback = tol, time_limit, rng, callback
        self.start, self.deadline = clock(), Deadline(time_limit)
        evaluation = self._evaluate(self.network)
        self.objective, self.objective_error = evaluation.value, evaluation.error
        self.balanced = self._evaluate(self.network.balance())
        self.prediction = self.network.forward(X)
        self.residual = -loss.gradient(self.prediction, y)
        self.oracle_bound = spectral_bound(X, self.residual)
        self.dual_bound = self._bound_of_residual()
        self.largest_value = 0.0
        self.neuron: ImprovingNeuron | None = None
        self.solution: Solution | None = None
        self.interrupted = False

    @property
    def elapsed(self) -> float:
        return clock() - self.start

    def execute(self) -> None:
        """Price the residual, then search for a better bound; Ctrl-C keeps what there is."""
        try:
            self._price_residual()
            if self._gap() > self.tol:
                self._search()
        except KeyboardInterrupt:
            self.interrupted = True

    def certificate(self) -> NetworkCertificate:
        """What is known, with the verdict it allows."""
        return NetworkCertificate(
            objective=self.objective,
            dual_bound=self.dual_bound,
            oracle_bound=self.oracle_bound,
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
            elapsed=self.elapsed,
        )

    def _gap(self) -> float:
        return relative_gap(self.objective, self.dual_bound, self.objective_error)

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
        notes = self.read.notes(self.X, self.beta)
        if self.balanced.value < self.objective * (1.0 - _UNBALANCED):
            notes += (
                "Balancing its neurons (TwoLayerNetwork.balance), which does not change the "
                f"function, lowers the objective to {self.balanced.value:.10g}.",
            )
        return notes

    def _bound_of_residual(self) -> float:
        return dual_bound(self.loss, self.y, self.residual, self.beta, self.oracle_bound)

    def _evaluate(self, network: TwoLayerNetwork) -> Evaluation:
        with np.errstate(over="ignore", invalid="ignore"):
            evaluation = network.evaluate(self.X, self.y, self.beta, self.loss, self.tol)
        if not np.isfinite(evaluation.value + evaluation.error):
            raise InputError(
                "The objective of the network is beyond float64: its weights are too large for X."
            )
        return evaluation

    def _price_residual(self) -> None:
        """Coarsely, and to the end where the network turns out to be nearly optimal."""
        pricer = _pricer(self.X, self.rng)
        for tol in (_COARSE, 0.5 * self.tol):
            deadline = self.deadline.share(_RESIDUAL_SHARE)
            prices = pricer.price(self.residual, self.beta, tol, deadline)
            self.oracle_bound = min(self.oracle_bound, prices.bound)
            self.dual_bound = max(self.dual_bound, self._bound_of_residual())
            self.largest_value = max(self.largest_value, float(prices.values.max(initial=0.0)))
            neuron = self._best_neuron(prices)
            if neuron is not None and self._is_better(
                self._evaluate(neuron.added_to(self.network))
            ):
                self.neuron = neuron
            if pricer.is_exact or self._gap() > 10.0 * _COARSE or self.neuron is not None:
                return

    def _best_neuron(self, prices: _Prices) -> ImprovingNeuron | None:
        """The direction whose neuron lowers the objective most, at the size that is best for it."""
        neurons = [self._neuron(prices, int(j)) for j in np.flatnonzero(prices.values > self.beta)]
        known = [neuron for neuron in neurons if neuron is not None]
        return max(known, key=lambda neuron: neuron.decrease, default=None)

    def _neuron(self, prices: _Prices, j: int) -> ImprovingNeuron | None:
        """The neuron of a direction at its best size c; None where it gains less than rounding."""
        direction, sign = prices.directions[j], float(prices.signs[j])
        move = sign * np.maximum(self.X @ direction, 0.0)
        size = _best_size(self.loss, self.prediction, self.y, move, self.beta)
        moved = self.prediction + size * move
        fall = self.loss.values(self.prediction, self.y) - self.loss.values(moved, self.y)
        decrease = float(fall.sum()) - self.beta * size
        if decrease <= 0.0:
            return None
        return ImprovingNeuron(direction, sign, float(prices.values[j]), size, decrease)

    def _search(self) -> None:
        """Train on the same data: the bound holds for every network, also for this one."""
        seconds = None if self.time_limit is None else self.time_limit - self.elapsed
        if seconds is not None and seconds <= 0.0:
            return
        solution = self._train(seconds)
        self.interrupted = solution.status is Status.INTERRUPTED
        self.dual_bound = max(self.dual_bound, solution.dual_bound)
        if self._is_better(Evaluation(solution.objective, solution.objective_error)):
            self.solution = solution

    def _train(self, seconds: float | None) -> Solution:
        """A network of our own with its bound."""
        # The network to certify may use up tol by itself: the bound must be closer.
        return solve_quietly(
            self.X, self.y, self.beta, loss=self.loss, tol=self.tol / 4.0,
            time_limit=seconds, random_state=self.rng, callback=self.callback,
        )  # fmt: skip


def _best_size(
    loss: Loss, prediction: FloatArray, y: FloatArray, move: FloatArray, beta: float
) -> float:
    """The c > 0 with the least ``l(f + c move) + beta c``, convex in c; 0 if there is none."""
    slope_at_zero = float(loss.gradient(prediction, y) @ move) + beta
    weight = float(loss.majorizer(prediction, y) @ move**2)
    if slope_at_zero >= 0.0 or weight == 0.0:
        return 0.0
    # The minimum of the parabola that majorizes the loss: that of a quadratic loss.
    unit = -slope_at_zero / weight

    def slope(t: float) -> float:
        """Relative to that at 0, whose square might leave the range of float64."""
        moved = prediction + t * unit * move
        return (float(loss.gradient(moved, y) @ move) + beta) / -slope_at_zero

    end = 1.0
    while slope(end) < 0.0:
        end *= 2.0
    return unit * float(brentq(slope, 0.0, end))


@dataclass(frozen=True)
class _Prices:
    """The oracle at one dual point: a proven bound, and directions that were found.

    ``values`` of shape (k,) are ``signs * v'(X u)_+`` at the unit ``directions`` (k, d).
    """

    bound: float
    directions: FloatArray
    signs: FloatArray
    values: FloatArray

    @classmethod
    def of(
        cls, X: FloatArray, v: FloatArray, bound: float, directions: FloatArray, signs: FloatArray
    ) -> _Prices:
        """The prices of directions, computed from X itself."""
        # One by one: the activations of all at once might not fit into memory.
        values = [float(v @ np.maximum(X @ direction, 0.0)) for direction in directions]
        return cls(bound, directions, signs, signs * np.array(values))


class _RankTwoPricer:
    """The oracle for data of rank two at most, which needs no search."""

    is_exact = True

    def __init__(self, X: FloatArray, oracle: RankTwoOracle) -> None:
        self.X, self.oracle = X, oracle

    def price(self, v: FloatArray, beta: float, tol: float, deadline: Deadline) -> _Prices:
        """The maximum up to rounding, whatever `tol`; no time to speak of."""
        found = self.oracle.price(v, beta, most=_CANDIDATES, depth=_DEPTH)
        return _Prices.of(self.X, v, found.bound, found.directions, found.signs)


class _TreePricer:
    """The oracle for any data: an ascent finds directions, branch and bound proves."""

    is_exact = False

    def __init__(self, X: FloatArray, tree: BranchAndBound, rng: np.random.Generator) -> None:
        basis = tree.reduction.basis
        self.X, self.basis, self.tree = X, basis, tree
        self.ascent = AscentOracle(X @ basis, basis.T @ tree.reduction.to_direction, rng)

    def price(self, v: FloatArray, beta: float, tol: float, deadline: Deadline) -> _Prices:
        """Bound ``max |v'(Xu)_+|`` to `tol`, and find directions where it exceeds beta."""
        found = self.ascent.search(
            v, beta, _STARTS, most=_CANDIDATES, polish=True, deadline=deadline
        )
        climbed = found.directions @ self.basis.T
        tree = self.tree.price(v, beta, tol=tol, starts=climbed, deadline=deadline)
        directions = np.vstack([climbed, tree.directions])
        return _Prices.of(
            self.X, v, tree.bound, directions, np.concatenate([found.signs, tree.signs])
        )


def _pricer(X: FloatArray, rng: np.random.Generator) -> _RankTwoPricer | _TreePricer:
    """The exact oracle for X, with directions that it finds."""
    oracle = exact_oracle(X)
    if isinstance(oracle, RankTwoOracle):
        return _RankTwoPricer(X, oracle)
    return _TreePricer(X, oracle, rng)
