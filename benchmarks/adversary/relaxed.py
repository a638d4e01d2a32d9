"""The same calls with the bound of a relaxation, where an exact one would come first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import cvxnn
from adversary.calls import call, model_of
from adversary.instances import Instance
from adversary.problem import LEVEL
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.losses import HuberLoss, QuantileLoss
from cvxnn.problems import Problem
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.relaxed import relaxation_prover
from cvxnn.training.certificate import bound_certificate

# Iterations, drawn for each instance; any number of them proves something.
_MOST = (1, 20, 60, 150)
_SECONDS = 1.0
# Kinds of networks for which there is no relaxation, and one that has no bound of its own here.
_WITHOUT = ("linear_cnn", "circular", "gated", "cnn_max", "certify")
# One in so many plain problems is proven in parts.
_IN_PARTS = 4


def relaxed_call(instance: Instance, time_limit: float | None) -> Any:
    """The result of the call, whose bound and certificate are those of a relaxation, if any."""
    result = call(instance, time_limit)
    if instance.kind in _WITHOUT:
        return result
    rng = np.random.default_rng([instance.seed, instance.index, 3])
    model, problem = model_of(instance), _problem(instance)
    prover = relaxation_prover(problem, intercept=instance.intercept)
    if not isinstance(prover, RelaxationProver):
        return result
    prover = replace(prover, most=int(rng.choice(_MOST)), block=int(rng.integers(2, 60)), threads=1)
    nothing = DualProof.of(problem.y, np.inf, "none")
    chosen: Any = prover
    if prover.beside is None and len(problem.y) > 1 and rng.integers(_IN_PARTS) == 0:
        n_parts = int(rng.integers(2, min(5, len(problem.y)) + 1))
        chosen = PartsProver(problem, n_parts, lambda part: replace(prover, problem=part), 1)
    neurons = model.neurons(result.network)
    proof = chosen.improve(neurons, nothing, 1e-12, Deadline(_SECONDS))
    bound = proof.bound(problem)
    certificate = result.certificate and bound_certificate(
        model, problem, proof, {}, bound=bound,
        objective=result.objective + result.objective_error,
        intercept=instance.intercept, fingerprint=result.certificate.fingerprint,
    )  # fmt: skip
    status = cvxnn.Status.STATIONARY
    return replace(result, dual_bound=bound, certificate=certificate, status=status)


def _problem(instance: Instance) -> Problem[Any]:
    named = {"huber": HuberLoss(instance.delta), "quantile": QuantileLoss(LEVEL)}
    loss: Any = named.get(instance.loss, instance.loss)
    rows = model_of(instance).rows(instance.X)
    return Problem.checked(
        rows, instance.y, instance.beta, loss, instance.weights, instance.intercept
    )
