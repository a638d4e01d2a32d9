"""The best neuron at a residual, and a bound on what any neuron is worth there."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers import Layer
from cvxnn.oracle import AscentOracle, LayerOracle, Proposals
from cvxnn.oracle.choice import SURE_RANK, RowGeometry, tree_of, usually_ends
from cvxnn.problems import Neurons
from cvxnn.solvers.proof_time import ProofTime

# Share of the weights that the squared length of a classifier costs, and its steps.
_RIDGE, _STEPS = 1e-4, 50
# Accuracy of an oracle that has to search, beside its rounds.
_COARSE = 1e-3


@final
class NextNeuron:
    """Finds the next neuron for networks on a layer.

    Parameters
    ----------
    layer : Layer
    random_state : numpy.random.Generator
        Where ascents start.
    n_starts : int
        Of them, in each round.
    deadline : Deadline
        OutOfTimeError is raised by what it passes in.
    proof_time : ProofTime
        Of the run, for oracles that may not end.

    Examples
    --------
    >>> from cvxnn.interrupts import UNLIMITED
    >>> from cvxnn.methods import Incremental
    >>> time = ProofTime(Incremental())
    >>> best = NextNeuron(Layer(np.eye(2)), np.random.default_rng(0), 4, UNLIMITED, time)
    >>> proof, found = best.at(np.array([3.0, -4.0]), 1.0)
    >>> round(proof.oracle_bound, 6), found.directions[0].tolist(), found.signs[0]
    (4.0, [0.0, 1.0], np.float64(-1.0))
    """

    def __init__(
        self,
        layer: Layer,
        random_state: np.random.Generator,
        n_starts: int,
        deadline: Deadline,
        proof_time: ProofTime,
    ) -> None:
        self._layer, self._random_state, self._n_starts = layer, random_state, n_starts
        self._deadline, self._proof_time = deadline, proof_time
        self._geometry = RowGeometry(layer.rows, deadline)
        self.is_exact = self._geometry.kind() != "tree"

    @property
    def ends(self) -> bool:
        """Whether an oracle that has to search usually comes to its end."""
        return usually_ends(self._geometry.reduction)

    @cached_property
    def _exact(self) -> LayerOracle:  # type: ignore[type-arg]
        return LayerOracle(self._layer, self._geometry.oracle())

    @cached_property
    def _tree(self) -> LayerOracle:  # type: ignore[type-arg]
        return LayerOracle(self._layer, tree_of(self._layer.rows, self._geometry.reduction))

    @cached_property
    def _ascent(self) -> AscentOracle:
        reduction = self._geometry.reduction
        to_direction = reduction.basis.T @ reduction.to_direction
        return AscentOracle(self._layer.rows @ reduction.basis, to_direction, self._random_state)

    def at(self, v: FloatArray, threshold: float) -> tuple[DualProof, Proposals]:
        """What is known at a dual point v, shape (n,), in the time of a round.

        Returns
        -------
        DualProof
            By an exact oracle, where it has no need to search.
        Proposals
            Neurons of a value above the threshold, the best first.
        """
        if self.is_exact:
            price = self._exact.price(v[:, None], threshold, deadline=self._deadline)
            return DualProof.priced(v[:, None], price), price.proposals
        found = self._climbed(v, threshold)
        return spectral_proof(self._layer, v), found

    def searched(
        self, v: FloatArray, threshold: float, tol: float, starts: FloatArray, deadline: Deadline
    ) -> tuple[DualProof, Proposals]:
        """The same by an oracle that searches, from the directions `starts`, to an accuracy.

        It may take the time of the run where it usually ends, and else that for proofs.
        """
        if self.is_exact:
            return self.at(v, threshold)
        time = self._proof_time
        is_sure = self._geometry.reduction.rank <= SURE_RANK
        if not is_sure:
            deadline = Deadline(min(deadline.remaining, time.exact(ends=self.ends)))
        with nullcontext() if is_sure else time.taking():
            price = self._tree.price(
                v[:, None], threshold, tol=tol, starts=starts, deadline=deadline
            )
        check_interrupt()
        return DualProof.priced(v[:, None], price), price.proposals

    def _climbed(self, v: FloatArray, threshold: float) -> Proposals:
        """What ascents find, from the classifier and from random directions."""
        pulled, basis = self._layer.pull(v), self._geometry.reduction.basis
        u = classifier(self._ascent.X, pulled)
        both = Neurons(np.stack([u, -u]), np.zeros(2), np.array([[1.0], [-1.0]]))
        found = self._ascent.search(
            pulled[:, None], threshold, self._n_starts,
            neurons=both, most=self._n_starts, polish=True, deadline=self._deadline,
        )  # fmt: skip
        return found.turned(basis.T)


def classifier(X: FloatArray, v: FloatArray) -> FloatArray:
    """The direction that separates rows with ``v_i > 0`` from those with ``v_i < 0``.

    Logistic regression with weights ``|v_i|`` and a small ridge, shape (d,), of length 1.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)

    Examples
    --------
    >>> classifier(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([2.0, -1.0])).round(6)
    array([1., 0.])
    """
    weights = np.abs(v)
    total = float(weights.sum())
    spread = float(np.sqrt(np.mean(X**2))) if X.size else 0.0
    if total == 0.0 or spread == 0.0:
        return np.eye(X.shape[1])[0]
    weights, rows = weights / total, X * (np.sign(v)[:, None] / spread)

    def value(w: FloatArray) -> tuple[float, FloatArray]:
        margins = rows @ w
        loss = float(weights @ np.logaddexp(0.0, -margins)) + 0.5 * _RIDGE * float(w @ w)
        return loss, _RIDGE * w - rows.T @ (weights * expit(-margins))

    start = np.zeros(X.shape[1])
    w = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    length = float(np.linalg.norm(w))
    return w / length if length > 0.0 else np.eye(X.shape[1])[0]
