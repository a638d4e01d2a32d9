"""Thousands of nasty problems, every result checked in exact arithmetic by an independent search.

Each instance is a call of the library, drawn from a seed and its index: a family of data,
a kind of network, a method, a loss, beta and a tolerance. What it returns is held against
rational arithmetic and the best network that a local search of our own finds. Failures:

    bound      a network is below the bound
    gap        OPTIMAL, but the exact objective is above the bound by more than tol
    better     OPTIMAL, but a network is known that is better by more than tol
    objective  the objective reported is not that of the network
    dual       the dual point is not feasible, or proves less than the bound
    neuron     what `certify` calls an improvement is none
    certificate  the certificate is not confirmed, or by a bound above the objective
    exception, nan, warning; slow: more than ten times the time limit and a second

With ``--relaxed`` the bound and the certificate of each result are those of a relaxation, after a
few iterations, at times in parts of the rows. With ``--outputs`` networks have two and three
outputs, of neurons and of filters, and losses are squared, Huber's and softmax. With ``--others``
they are of degree two, of signs, or of three layers, and with ``--stepwise`` one neuron comes a
round.

Run with ``--seed 17 --only 123`` to see one instance again, and on another checkout with
``PYTHONPATH=<checkout>/src``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adversary.calls import call
from adversary.checks import Call, Outcome, check
from adversary.counts import draw_counts
from adversary.families import FAMILIES
from adversary.instances import KINDS, Instance, draw
from adversary.others.checks import check as check_others
from adversary.others.instances import call as call_others
from adversary.others.instances import draw as draw_others
from adversary.outputs.checks import check as check_outputs
from adversary.outputs.instances import call as call_outputs
from adversary.outputs.instances import draw as draw_outputs
from adversary.relaxed import relaxed_call
from adversary.stepwise import draw_stepwise
from harness import print_table
from threadpoolctl import threadpool_limits

_CHUNK = 20
_COLUMNS = ("run", "solved", "OPTIMAL", "short", "refused", "inside", "failed", "dual", "s")


def main() -> int:
    arguments = _arguments()
    start = time.perf_counter()
    outcomes = []
    for outcome in _outcomes(arguments):
        outcomes.append(outcome)
        if outcome.failures or arguments.only is not None:
            _show(outcome)
        if len(outcomes) % 500 == 0:
            seconds = time.perf_counter() - start
            print(f"# {len(outcomes)} instances in {seconds:.0f} s", file=sys.stderr, flush=True)
    _print_counts(outcomes)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(_report(arguments, outcomes), indent=1), "utf-8")
    if arguments.against is not None:
        _compare(outcomes, json.loads(arguments.against.read_text("utf-8")))
    return int(any(outcome.failures for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="instances from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, help="one instance, shown in full")
    parser.add_argument("--families", nargs="+", choices=sorted(FAMILIES), help="skip others")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), help="skip others")
    parser.add_argument("--relaxed", action="store_true", help="bounds of a relaxation everywhere")
    parser.add_argument("--outputs", action="store_true", help="two and three outputs everywhere")
    parser.add_argument("--others", action="store_true", help="degree two, signs, three layers")
    parser.add_argument("--stepwise", action="store_true", help="one neuron a round everywhere")
    parser.add_argument("--counts", action="store_true", help="counts and amounts everywhere")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=2.0, help="of each call, in seconds")
    parser.add_argument("--out", type=Path, help="a JSON file with counts and every failure")
    parser.add_argument("--against", type=Path, help="such a file of another checkout")
    return parser.parse_args()


def _outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    indices = _indices(arguments)
    warm_up = _warm_up
    if arguments.outputs or arguments.others:
        warm_up = _warm_up_outputs if arguments.outputs else _warm_up_others
    if arguments.jobs == 1 or len(indices) == 1:
        warm_up()
        yield from _checked(arguments, indices)
        return
    chunks = [indices[k : k + _CHUNK] for k in range(0, len(indices), _CHUNK)]
    with ProcessPoolExecutor(arguments.jobs, initializer=warm_up) as pool:
        jobs = [pool.submit(_check_all, arguments, chunk) for chunk in chunks]
        for job in jobs:
            yield from job.result()


def _indices(arguments: argparse.Namespace) -> list[int]:
    if arguments.only is not None:
        return [arguments.only]
    indices = range(arguments.first, arguments.first + arguments.count)
    if arguments.outputs or arguments.others or arguments.stepwise:
        return list(indices)
    families, kinds = arguments.families or FAMILIES, arguments.kinds or KINDS
    if len(families) == len(FAMILIES) and len(kinds) == len(KINDS):
        return list(indices)
    drawn = ((index, draw(arguments.seed, index)) for index in indices)
    return [k for k, instance in drawn if instance.family in families and instance.kind in kinds]


def _check_all(arguments: argparse.Namespace, indices: Iterable[int]) -> list[Outcome]:
    return list(_checked(arguments, indices))


def _checked(arguments: argparse.Namespace, indices: Iterable[int]) -> Iterator[Outcome]:
    for index in indices:
        if arguments.outputs:
            yield check_outputs(draw_outputs(arguments.seed, index), arguments.time_limit)
        elif arguments.others:
            yield check_others(draw_others(arguments.seed, index), arguments.time_limit)
        else:
            called = relaxed_call if arguments.relaxed else call
            drawn = draw_counts if arguments.counts else draw
            drawn = draw_stepwise if arguments.stepwise else drawn
            yield check(drawn(arguments.seed, index), arguments.time_limit, called)


def _warm_up() -> None:
    """Compile what the kinds and methods need, so that no clock sees it."""
    # Problems are small: threads would only wait for each other.
    threadpool_limits(1)
    seen: Counter[tuple[str, str, str]] = Counter()
    for index in range(400):
        instance = draw(0, index)
        key = instance.kind, instance.method, instance.loss
        if seen[key] < 1 or instance.family == "many_rows":
            seen[key] += 1
            _quietly(call, instance)


def _warm_up_outputs() -> None:
    """The same for several outputs."""
    threadpool_limits(1)
    for index in range(30):
        _quietly(call_outputs, draw_outputs(0, index))


def _warm_up_others() -> None:
    """The same for the other networks."""
    threadpool_limits(1)
    for index in range(30):
        _quietly(call_others, draw_others(0, index))


def _quietly(call: Call, instance: Instance) -> None:
    """What fails here fails again where it is counted."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(instance, 1.0)


def _show(outcome: Outcome) -> None:
    where = f"--seed {outcome.seed} --only {outcome.index}"
    if not outcome.failures:
        end = outcome.message or f"gap {outcome.gap:.2e}"
        print(f"{where} {outcome.status} {end} {outcome.seconds:.2f} s | {outcome.repr}")
    for kind, sentence in outcome.failures:
        print(f"{where} {kind}: {sentence} [{outcome.status}] | {outcome.repr}", flush=True)


def _counts(outcomes: Iterable[Outcome]) -> dict[str, float]:
    outcomes = list(outcomes)
    refused = [outcome for outcome in outcomes if outcome.status == "REFUSED"]
    solved = [outcome for outcome in outcomes if outcome.status not in ("REFUSED", "FAILED")]
    optimal = sum(outcome.status == "OPTIMAL" for outcome in solved)
    return {
        "run": len(outcomes),
        "solved": len(solved),
        "OPTIMAL": optimal,
        "short": len(solved) - optimal,
        "refused": len(refused),
        "inside": sum(outcome.in_range for outcome in refused),
        "failed": sum(bool(outcome.failures) for outcome in outcomes),
        "dual": sum(outcome.dual_checked for outcome in outcomes),
        "s": round(sum(outcome.seconds for outcome in outcomes), 1),
    }


def _grouped(outcomes: list[Outcome], name: str) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[getattr(outcome, name)].append(outcome)
    return dict(sorted(groups.items()))


def _failures(outcomes: list[Outcome]) -> dict[str, int]:
    return dict(Counter(kind for o in outcomes for kind in {k for k, _ in o.failures}))


def _print_counts(outcomes: list[Outcome]) -> None:
    for name in ("family", "kind"):
        groups = _grouped(outcomes, name) | {"all": outcomes}
        print_table(
            [name, *_COLUMNS, "failures"],
            (
                [
                    group, *_counts(part).values(),
                    ", ".join(f"{kind} {count}" for kind, count in _failures(part).items()),
                ]
                for group, part in groups.items()
            ),
        )  # fmt: skip
    refusals = Counter(o.message for o in outcomes if o.status == "REFUSED" and o.in_range)
    if refusals:
        print("\nRefused inside the documented range (one sentence of each kind):")
        for message in {message[:40]: message for message in refusals}.values():
            print(f"  {message}")


def _compare(outcomes: list[Outcome], other: dict[str, Any]) -> None:
    """OPTIMAL, and rightly so, here and there, on the instances that both have run."""
    statuses = other["statuses"]
    wrong = {entry["index"] for entry in other["failed"]}
    common = [outcome for outcome in outcomes if str(outcome.index) in statuses]
    print(f"\n{'family':16}{'common':>9}{'OPTIMAL':>9}{'there':>9}  not any more")
    for family, part in (_grouped(common, "family") | {"all": common}).items():
        here = {outcome.index for outcome in part if _is_optimal(outcome)}
        there = {o.index for o in part if statuses[str(o.index)] == "OPTIMAL"} - wrong
        lost = " ".join(map(str, sorted(there - here)[:8])) if family != "all" else ""
        print(f"{family:16}{len(part):>9}{len(here):>9}{len(there):>9}  {lost}")


def _is_optimal(outcome: Outcome) -> bool:
    return outcome.status == "OPTIMAL" and not outcome.failures


def _report(arguments: argparse.Namespace, outcomes: list[Outcome]) -> dict[str, object]:
    return {
        "seed": arguments.seed,
        "time_limit": arguments.time_limit,
        "all": _counts(outcomes) | {"failures": _failures(outcomes)},
        "families": {
            name: _counts(part) | {"failures": _failures(part)}
            for name, part in _grouped(outcomes, "family").items()
        },
        "kinds": {name: _counts(part) for name, part in _grouped(outcomes, "kind").items()},
        "statuses": {o.index: o.status for o in outcomes},
        "failed": [asdict(outcome) for outcome in outcomes if outcome.failures],
        "refused": [asdict(o) for o in outcomes if o.status == "REFUSED"],
    }


if __name__ == "__main__":
    sys.exit(main())
