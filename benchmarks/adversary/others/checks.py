"""One instance of the other networks: what it claims, held against independent arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversary.certificate import certificate_faults
from adversary.checks import Call, Outcome, check_against, check_claims, outcome_of
from adversary.others.instances import OthersInstance, call, problem_of, terms_of
from adversary.others.problem import objective, rounding_of_loss
from adversary.others.search import OthersSearch


def check(instance: OthersInstance, time_limit: float | None = 2.0, call: Call = call) -> Outcome:
    """Run one instance and check what it returns."""
    return outcome_of(instance, time_limit, call, _check_result)


def _check_result(instance: OthersInstance, result: Any, _: Any, outcome: Outcome) -> None:
    problem, network = problem_of(instance), terms_of(instance, result.network)
    outcome.status = result.status.name
    numbers = [result.objective, result.dual_bound]
    arrays = [network.alpha, *network.arrays]
    if np.isnan(numbers).any() or not all(np.isfinite(array).all() for array in arrays):
        outcome.failures.append(("nan", f"objective and bound are {numbers}"))
        return
    exact = objective(problem, network)
    check_claims(rounding_of_loss(problem, network), result, exact, outcome)
    rng = np.random.default_rng([instance.seed, instance.index, 2])
    search = OthersSearch(problem, network, rng, _masks(instance, problem.X))
    best = search.run()
    check_against(best[1], search.origin, result, exact, outcome)
    for fault in certificate_faults(instance, result, exact[1], best[1]):
        outcome.failures.append(("certificate", fault))


def _masks(instance: OthersInstance, X: Any) -> Any:
    """Where both gates of each pair are open."""
    if instance.gates is None:
        return None
    first, second = (X @ gates.T >= 0.0 for gates in (instance.gates, instance.second_gates))
    return (first[:, :, None] & second[:, None, :]).reshape(len(X), -1).T
