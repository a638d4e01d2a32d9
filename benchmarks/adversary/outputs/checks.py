"""One instance of several outputs: what it claims, held against independent arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from adversary.certificate import certificate_faults
from adversary.checks import Call, Outcome, check_against, check_claims, outcome_of
from adversary.outputs.instances import OutputsInstance, call, problem_of, weights_of
from adversary.outputs.problem import objective, rounding_of_loss
from adversary.outputs.search import OutputsSearch


def check(instance: OutputsInstance, time_limit: float | None = 2.0, call: Call = call) -> Outcome:
    """Run one instance and check what it returns."""
    return outcome_of(instance, time_limit, call, _check_result)


def _check_result(instance: OutputsInstance, result: Any, _: Any, outcome: Outcome) -> None:
    problem = problem_of(instance)
    outcome.status = result.status.name
    network = weights_of(result.network)
    arrays = [network.hidden, network.output]
    numbers = [result.objective, result.dual_bound]
    if np.isnan(numbers).any() or not all(np.isfinite(array).all() for array in arrays):
        outcome.failures.append(("nan", f"objective and bound are {numbers}"))
        return
    exact = objective(problem, network)
    check_claims(rounding_of_loss(problem, network), result, exact, outcome)
    rng = np.random.default_rng([instance.seed, instance.index, 2])
    best = OutputsSearch(problem, network, rng).run()
    check_against(best.objective[1], best.origin, result, exact, outcome)
    for fault in certificate_faults(instance, result, exact[1], best.objective[1]):
        outcome.failures.append(("certificate", fault))
