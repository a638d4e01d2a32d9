"""Rows in dask on local workers of little memory, beside the same rows in one memory.

The problem is friedman1 with 20 columns of deviation 1, of which five matter, and noise of
deviation 1, at a tenth of the largest beta. Chunks make their own rows, so that nothing of the
size of the data is in the process that asks. For each number of workers: seconds of the search
and of the proof, the largest resident size of a worker and of the driver, objective and gap; and
the same search in one memory, in a process of its own. Results are written as they come.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from harness import FloatArray, print_table
from memory import peak_mib

import cvxnn
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.descent.rough_path import RoughPath

CHUNK, SAMPLE = 100_000, 20_000
# Mean and deviation of friedman1 with its noise.
CENTRE, SCALE = 14.413, 4.98


@dataclass(frozen=True)
class Outcome:
    """What one way came to."""

    n: int
    features: int
    workers: int
    limit: str
    beta: float
    objective: float
    dual_bound: float
    gap: float
    neurons: int
    rounds: int
    search_seconds: float
    seconds: float
    cpu_seconds: float
    worker_mib: float
    driver_mib: float
    hidden_sum: float

    def cells(self) -> list[object]:
        where = "in memory" if self.workers == 0 else f"{self.workers} of {self.limit}"
        return [
            self.n, where, f"{self.objective:.10g}", f"{self.gap:.4f}", self.neurons, self.rounds,
            f"{self.search_seconds:.0f}", f"{self.seconds - self.search_seconds:.0f}",
            f"{self.cpu_seconds:.0f}", f"{self.worker_mib:.0f}", f"{self.driver_mib:.0f}",
        ]  # fmt: skip


def rows(start: int, count: int, features: int) -> FloatArray:
    """Rows `start` and on, with their targets in the last column: the same in every chunk."""
    rng = np.random.default_rng([0, start])
    U = rng.random((count, features))
    y = 10.0 * np.sin(np.pi * U[:, 0] * U[:, 1]) + 20.0 * (U[:, 2] - 0.5) ** 2
    y += 10.0 * U[:, 3] + 5.0 * U[:, 4] + rng.standard_normal(count)
    return np.column_stack([(U - 0.5) * 12.0**0.5, (y - CENTRE) / SCALE])


def table(n: int, features: int) -> Any:
    """The rows as a dask array that makes them where they are wanted."""
    sizes = [min(CHUNK, n - i) for i in range(0, n, CHUNK)]

    def chunk(block_info: Any = None) -> FloatArray:
        (start, end), _ = block_info[None]["array-location"]
        return rows(start, end - start, features)

    chunks = (tuple(sizes), (features + 1,))
    return da.map_blocks(chunk, chunks=chunks, dtype=float, meta=np.zeros((0, 0)))


def beta_of(n: int, features: int, share: float) -> float:
    """A share of the largest beta, as far as some rows tell."""
    some = rows(0, SAMPLE, features)
    problem = Problem.of(Layer(np.ascontiguousarray(some[:, :-1])), some[:, -1], 1.0, SquaredLoss())
    return share * RoughPath(problem, np.random.default_rng(0)).largest_beta * n / SAMPLE


def search_seconds(solution: Any) -> float:
    """Until the last round; what comes after are bounds."""
    rounds = [line.elapsed for line in solution.history if not np.isfinite(line.dual_bound)]
    return float(rounds[-1] if rounds else solution.history[-1].elapsed)


def outcome(
    solution: Any, given: argparse.Namespace, workers: int, cpu: float, peak: float
) -> Outcome:
    return Outcome(
        given.rows, given.features, workers, given.memory, solution.beta, solution.objective,
        solution.dual_bound, solution.gap, solution.n_neurons, solution.n_iter,
        search_seconds(solution), solution.elapsed, cpu, peak, peak_mib(),
        float(np.abs(solution.network.hidden_weights).sum()),
    )  # fmt: skip


def on_cluster(given: argparse.Namespace, workers: int, beta: float) -> Outcome:
    method = cvxnn.Global(proof_time=given.proof)
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=given.memory,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        data = table(given.rows, given.features)

        def show(line: cvxnn.Progress) -> None:
            peak = max(client.run(peak_mib).values())
            print(
                f"# {workers} workers, {line.elapsed:.0f} s: objective {line.objective:.8g}, bound "
                f"{line.dual_bound:.6g}, {line.n_neurons} neurons, {peak:.0f} MiB", flush=True,
            )  # fmt: skip

        X, y = data[:, :-1], data[:, -1]
        solution = cvxnn.solve(X, y, beta, method=method, tol=given.gap, callback=show)
        cpu = sum(sum(times[:2]) for times in client.run(os.times).values())
        peak = max(client.run(peak_mib).values())
        return outcome(solution, given, workers, cpu, peak)


def in_memory(given: argparse.Namespace, beta: float) -> Outcome:
    """In the process that measures its memory."""
    count, parts = given.rows, []
    for start in range(0, count, CHUNK):
        parts.append(rows(start, min(CHUNK, count - start), given.features))
    every = np.vstack(parts)
    del parts
    X, y = np.ascontiguousarray(every[:, :-1]), every[:, -1].copy()
    del every
    before = time.process_time()
    solution = cvxnn.solve(X, y, beta, method=cvxnn.Global(polish=False, proof_time=0.0))
    return outcome(solution, given, 0, time.process_time() - before, 0.0)


def outcomes(given: argparse.Namespace) -> Iterator[Outcome]:
    beta = beta_of(given.rows, given.features, given.share)
    for workers in given.workers:
        yield on_cluster(given, workers, beta)
    if not given.no_memory:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            yield pool.apply(in_memory, (given, beta))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.1, help="of the largest beta")
    parser.add_argument("--workers", type=int, nargs="*", default=[2, 1])
    parser.add_argument("--memory", default="1GiB", help="limit of each worker")
    parser.add_argument("--gap", type=float, default=0.19, help="at which a part is proven")
    parser.add_argument("--proof", type=float, default=36_000.0, help="seconds for it, at most")
    parser.add_argument("--no-memory", action="store_true", help="without the run in one memory")
    parser.add_argument("--out", type=Path, help="where to write the outcomes, as JSON")
    given = parser.parse_args()
    found: list[Outcome] = []

    def cells() -> Iterator[list[object]]:
        for one in outcomes(given):
            found.append(one)
            if given.out is not None:
                given.out.write_text(json.dumps([asdict(o) for o in found], indent=1), "utf-8")
            yield one.cells()

    print_table(
        [
            "rows", "where", "objective", "gap", "neurons", "rounds", "search, s", "proof, s",
            "CPU, s", "MiB of a worker", "MiB here",
        ],
        cells(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
