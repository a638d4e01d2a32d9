"""One instance: the call, and everything that it claims held against independent arithmetic."""

from __future__ import annotations

import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import cvxnn
from adversary import dual_point
from adversary.calls import call, open_masks, weights_of
from adversary.certificate import certificate_faults
from adversary.dyadic import nearest
from adversary.instances import Instance, problem_of
from adversary.problem import Problem, Weights, objective, rounding_of_loss
from adversary.relaxed import relaxed_call
from adversary.search import LocalSearch

Call = Callable[[Instance, float | None], Any]

_PROVEN_BY_ONE_RUN = ("relu", "leaky", "cnn", "cnn_max")
# Rows up to which dual points are checked; up to 8 by all that can be their maximiser.
_FEW_ROWS = 24
_ROUNDING = Fraction(1, 10**12)
_GAP_ROUNDING = 1 + Fraction(1, 10**9)


@dataclass
class Outcome:
    """What became of an instance.

    Attributes
    ----------
    status : str
        Name of the status or verdict, "REFUSED", or "FAILED" where no result came.
    failures : list of (kind, sentence)
    message : str
        Of the refusal.
    in_range : bool
        Whether the documentation promises that the call is accepted.
    seconds : float
    gap : float
        Exact objective over the best lower bound, relatively.
    dual_checked : bool
        Whether the dual point itself was checked.
    """

    seed: int
    index: int
    family: str
    kind: str
    status: str = "FAILED"
    failures: list[tuple[str, str]] = field(default_factory=list)
    message: str = ""
    in_range: bool = True
    seconds: float = 0.0
    gap: float = np.inf
    dual_checked: bool = False
    repr: str = ""


class _TooLong(BaseException):
    """The call did not end long after its limit."""


def check(instance: Instance, time_limit: float | None = 2.0, call: Call = call) -> Outcome:
    """Run one instance and check what it returns."""
    return outcome_of(instance, time_limit, call, _check_result)


def outcome_of(
    instance: Instance, time_limit: float | None, call: Call, check_result: Callable[..., None]
) -> Outcome:
    """Run one instance, and whatever checks its result and its proof, for an outcome."""
    outcome = Outcome(instance.seed, instance.index, instance.family, instance.kind)
    outcome.in_range, outcome.repr = instance.in_range(), instance.short()
    result, proof = _result(instance, time_limit, call, outcome)
    if result is not None:
        try:
            check_result(instance, result, proof, outcome)
        except Exception as error:
            error.add_note(f"in the checks of seed {instance.seed}, index {instance.index}")
            raise
    return outcome


def _result(
    instance: Instance, time_limit: float | None, call: Call, outcome: Outcome
) -> tuple[Any, Any]:
    """What the call returns, or None, with the proof that was recorded."""
    limit = None if time_limit is None else 10.0 * time_limit + 1.0
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught, dual_point.recorded() as runs:
        warnings.simplefilter("always")
        try:
            with _alarm(limit):
                result = call(instance, time_limit)
        except cvxnn.InputError as error:
            outcome.status, outcome.message = "REFUSED", str(error)
            return None, None
        except _TooLong:
            outcome.failures.append(("slow", f"no result after {limit:g} s"))
            return None, None
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            text = f"{type(error).__name__}: {error} ({where})"
            outcome.failures.append(("exception", text))
            return None, None
        finally:
            outcome.seconds = time.process_time() - start
    if limit is not None and outcome.seconds > limit:
        outcome.failures.append(("slow", f"{outcome.seconds:.1f} s of CPU, allowed are {limit:g}"))
    texts = (
        f"{warning.category.__name__}: {warning.message} "
        f"({Path(warning.filename).name}:{warning.lineno})"
        for warning in caught
        if warning.category.__name__ != "ConvergenceWarning"
    )
    outcome.failures += [("warning", text) for text in dict.fromkeys(texts)]
    # The bound of a relaxation is not that of the run, and dual points here are of one output.
    is_of_run = call is not relaxed_call and instance.kind in _PROVEN_BY_ONE_RUN
    is_of_run = is_of_run and instance.y.ndim == 1
    has_proof = is_of_run and len(runs) == 1
    proof = dual_point.proof_of(runs[0]) if has_proof else None
    return result, proof


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Ends a call from outside after three times the seconds, as soon as it is in Python.

    Three times, because other processes may have the processor meanwhile; what is slow
    is decided by CPU time.
    """
    if seconds is None:
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 3.0 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _check_result(instance: Instance, result: Any, proof: Any, outcome: Outcome) -> None:
    problem = problem_of(instance)
    rng = np.random.default_rng([instance.seed, instance.index, 2])
    outcome.status = (result.verdict if instance.uses_certify else result.status).name
    network = weights_of(instance, result.network, problem.rows)
    numbers = [result.objective, result.dual_bound]
    if any(np.isnan(number) for number in numbers) or not _is_finite(network):
        outcome.failures.append(("nan", f"objective and bound are {numbers}"))
        return
    exact = objective(problem, network)
    check_claims(rounding_of_loss(problem, network), result, exact, outcome)
    if instance.uses_certify:
        _check_certificate(problem, network, result, exact, rng, outcome)
    for fault in certificate_faults(instance, result, exact[1]):
        outcome.failures.append(("certificate", fault))
    few = problem.rows.shape[0] * problem.rows.shape[1] <= _FEW_ROWS
    if proof is not None and few and len(proof[0]) == len(problem.y):
        outcome.dual_checked = True
        faults = dual_point.dual_faults(problem, network, result.dual_bound, proof, rng)
        outcome.failures += [("dual", fault) for fault in faults]
    masks = None
    if instance.kind == "gated":
        masks = open_masks(problem.rows[:, 0], instance.gates)
    steps = 60 if len(problem.y) > 12 else 200
    best = LocalSearch(problem, network, masks, rng, steps).run()
    check_against(best.objective[1], best.origin, result, exact, outcome)


def check_claims(
    slack: Fraction, result: Any, exact: tuple[Fraction, Fraction], outcome: Outcome
) -> None:
    """The reported numbers against the exact objective of the returned network.

    The loss may have the error of predictions in float64, the slack, but OPTIMAL must not rest
    on it.
    """
    low, high = exact
    reported = Fraction(result.objective)
    if np.isfinite(result.dual_bound):
        bound = Fraction(result.dual_bound)
        outcome.gap = nearest(max((low - bound) / low, Fraction(0))) if low > 0 else 0.0
        if bound > high:
            _fail(outcome, "bound", "above the exact objective of the network", bound, high)
        if outcome.status == "OPTIMAL" and low - bound > _tol(result) * _GAP_ROUNDING * low:
            _fail(outcome, "gap", f"OPTIMAL with a gap of {outcome.gap:.3e}", bound, low)
    elif outcome.status == "OPTIMAL":
        _fail(outcome, "gap", "OPTIMAL without a bound", Fraction(0), low)
    if outcome.status == "OPTIMAL":
        slack = min(slack, low * _tol(result) / 10)
    if reported < low * (1 - _ROUNDING) - slack:
        _fail(outcome, "objective", "reported below the exact one", reported, low)
    if outcome.status == "OPTIMAL" and reported > high * (1 + max(_tol(result), _ROUNDING)):
        _fail(outcome, "objective", "reported above the exact one", reported, high)


def check_against(
    best: Fraction, origin: str, result: Any, exact: tuple[Fraction, Fraction], outcome: Outcome
) -> None:
    """The bound and the status against the best network known."""
    if np.isfinite(result.dual_bound) and Fraction(result.dual_bound) > best:
        bound = Fraction(result.dual_bound)
        if bound <= exact[1]:
            _fail(outcome, "bound", f"above a network ({origin})", bound, best)
    if outcome.status == "OPTIMAL" and best < (1 - _tol(result) * _GAP_ROUNDING) * exact[0]:
        _fail(outcome, "better", f"OPTIMAL, a better network is known ({origin})", exact[0], best)


def _check_certificate(
    problem: Problem,
    network: Weights,
    result: Any,
    exact: tuple[Fraction, Fraction],
    rng: np.random.Generator,
    outcome: Outcome,
) -> None:
    """The improving neuron and the better network improve; the oracle bound holds."""
    if result.improving_neuron is not None:
        larger = result.improving_neuron.added_to(result.network)
        value = objective(problem, Weights(larger.hidden_weights, larger.output_weights))
        if value[0] >= exact[1]:
            _fail(outcome, "neuron", "the improving neuron does not", value[0], exact[1])
    if result.better_network is not None:
        better = result.better_network.network
        value = objective(problem, Weights(better.hidden_weights, better.output_weights))
        if value[0] > (1 - _tol(result)) * (1 + _ROUNDING) * exact[1]:
            _fail(outcome, "neuron", "the better network is not", value[0], exact[1])
    if len(problem.y) <= _FEW_ROWS:
        outcome.dual_checked = True
        faults = dual_point.residual_fault(problem, network, result.oracle_bound, rng)
        outcome.failures += [("dual", fault) for fault in faults]


def _fail(outcome: Outcome, kind: str, text: str, value: Fraction, other: Fraction) -> None:
    relative = nearest((value - other) / other) if other else np.inf
    outcome.failures.append(
        (kind, f"{text}: {nearest(value)!r} and {nearest(other)!r} ({relative:+.2e})")
    )


def _tol(result: Any) -> Fraction:
    return Fraction(result.tol)


def _is_finite(network: Weights) -> bool:
    parts = [network.hidden, network.output] + ([] if network.skip is None else [network.skip])
    return all(bool(np.isfinite(part).all()) for part in parts)
