"""What a time limit or Ctrl-C leaves: seconds over it, and how good the network is.

Normal data with a column of ones and a target of hinges and noise; beta is a hundredth of
``||X'y||``, far below the least for which no neuron is left. Each problem runs twice at
least, and the run that is least over counts: what a busy machine adds is not ours. The last
column is the objective over that of the network without neurons.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from harness import FloatArray, network_objective, print_table, smooth_target, warm_up_global

import cvxnn

SHAPES = ((50, 5_000), (1_000, 1_000), (2_000, 100), (20_000, 30), (100_000, 10))
LIMITS = (0.5, 2.0, 8.0)
INTERRUPTS = (0.3, 1.0)
LOSSES = ("squared", "logistic")
METHODS = ("global", "sampled")


@dataclass(frozen=True)
class Outcome:
    """One run that was cut short."""

    shape: tuple[int, int]
    method: str
    loss: str
    stop: str
    allowed: float
    elapsed: float
    cpu: float
    status: str
    neurons: int
    share: float

    @property
    def over(self) -> float:
        """Seconds after the limit."""
        return self.elapsed - self.allowed

    def cells(self) -> list[object]:
        return [
            f"{self.shape[0]} x {self.shape[1]}", self.method, self.loss,
            f"{self.stop} {self.allowed:g}", f"{self.elapsed:.2f}", f"{self.over:+.2f}",
            f"{self.cpu:.2f}", self.status, self.neurons, f"{self.share:.4f}",
        ]  # fmt: skip


def problem(n: int, d: int, loss: str) -> tuple[FloatArray, FloatArray, float]:
    X, y = smooth_target(n, d, np.random.default_rng(n + d))
    if loss != "squared":
        y = np.where(y > np.median(y), 1.0, -1.0)
    return X, y, 0.01 * float(np.linalg.norm(X.T @ y))


def run_once(shape: tuple[int, int], method: str, loss: str, stop: str, seconds: float) -> Outcome:
    X, y, beta = problem(*shape, loss)
    limit = seconds if stop == "limit" else None
    if stop == "Ctrl-C":
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, seconds)
    start, cpu = time.perf_counter(), time.process_time()
    solution = cvxnn.solve(X, y, beta, method=method, loss=loss, time_limit=limit)
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    empty = cvxnn.losses.as_loss(loss).value(np.zeros_like(y), y)
    network = solution.network
    value = solution.objective
    if loss == "squared":
        value = network_objective(X, y, beta, network.hidden_weights, network.output_weights)
    return Outcome(
        shape, method, loss, stop, seconds, elapsed, cpu, solution.status.name,
        solution.n_neurons, value / empty,
    )  # fmt: skip


def best_of(run: Callable[[], Outcome], repeats: int) -> Outcome:
    return min((run() for _ in range(repeats)), key=lambda outcome: outcome.over)


def outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    stops = [("limit", s) for s in arguments.limits] + [("Ctrl-C", s) for s in arguments.interrupts]
    for loss in arguments.losses:
        for method in arguments.methods:
            for n, d in SHAPES:
                if arguments.shape and f"{n}x{d}" not in arguments.shape:
                    continue
                for stop, seconds in stops:
                    yield best_of(
                        lambda shape=(n, d), m=method, lo=loss, st=stop, s=seconds: run_once(
                            shape, m, lo, st, s
                        ),
                        arguments.repeats,
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits", type=float, nargs="*", default=LIMITS, help="seconds")
    parser.add_argument("--interrupts", type=float, nargs="*", default=INTERRUPTS, help="seconds")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--losses", nargs="*", default=LOSSES)
    parser.add_argument("--shape", nargs="*", help="such as 50x5000; all by default")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, help="where to write the outcomes, as JSON")
    arguments = parser.parse_args()
    warm_up_global()
    warm_up_methods()
    found: list[Outcome] = []

    def rows() -> Iterator[list[object]]:
        for outcome in outcomes(arguments):
            found.append(outcome)
            yield outcome.cells()

    print_table(
        ["X", "method", "loss", "stop", "seconds", "over", "CPU", "status", "neurons", "share"],
        rows(),
    )
    late = [o for o in found if o.over > (0.1 * o.allowed + 0.2 if o.stop == "limit" else 0.5)]
    empty = [o for o in found if o.neurons == 0]
    print(f"{len(found)} runs, {len(late)} of them late, {len(empty)} without neurons")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps([asdict(o) for o in found], indent=1), "utf-8")


def warm_up_methods() -> None:
    """Compile what the shapes use, in high rank and over sampled patterns."""
    for n, d in ((100, 12), (60, 100)):
        for method in METHODS:
            for loss in LOSSES:
                X, y, beta = problem(n, d, loss)
                cvxnn.solve(
                    X, y, beta, loss=loss, time_limit=10.0,
                    method=cvxnn.Sampled(30) if method == "sampled" else method,
                )  # fmt: skip


if __name__ == "__main__":
    main()
