"""What a round over a cluster costs the process that asks: processor seconds and bytes.

A round is one sum over all rows, with k neurons of d weights each: one task for each block, and
sums of blocks are added up by tasks where there are many. Rows are few, so that what is measured is
the way there and back, on one and two local workers; with it the cost of rows in kernels, and of a
row and iteration in a proof, comes a forecast for many workers and rows.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import time
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from harness import print_table

from cvxnn.certificates import spectral_proof
from cvxnn.distributed.cluster import Cluster
from cvxnn.distributed.collections import Pieces
from cvxnn.distributed.rows import ClusterRows
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.segments.rows import never
from cvxnn.solvers.segments.segment import LENGTH, Segment

ROUNDS = 8
# Of the forecast: workers of one thread, rows, blocks of two sizes of chunks, rounds of a search,
# and iterations of a proof.
WORKERS, ROWS, BLOCKS, SEARCH, PROOF = 100, 10**9, (500, 10_000), 600, 60


def rows_of(workers: Cluster, n_blocks: int, d: int) -> ClusterRows:
    """One segment in each block."""
    n = n_blocks * LENGTH
    X = da.random.default_rng(0).standard_normal((n, d), chunks=(LENGTH, d))
    pieces = Pieces.of(X, X[:, 0], None)
    return ClusterRows.read(workers, pieces, SquaredLoss(), never, intercept=False)


def measured(client: Client, n_blocks: int, d: int, k: int) -> dict[str, float]:
    rows = rows_of(Cluster(client), n_blocks, d)
    rng = np.random.default_rng(0)
    arguments = rng.standard_normal((k, d)), rng.standard_normal(k), 0.0
    rows.total("value_and_gradient", (), *arguments)
    walls, cpus = [], []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        sums = rows.total("value_and_gradient", (), *arguments)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "blocks": n_blocks, "features": d, "neurons": k,
        "wall_ms": 1e3 * statistics.median(walls), "driver_cpu_ms": 1e3 * statistics.median(cpus),
        "bytes_down": len(pickle.dumps(arguments)), "bytes_up": len(pickle.dumps(sums)),
    }  # fmt: skip


def kernel_seconds(d: int, k: int) -> float:
    """Processor seconds of a row and neuron in a value and gradient, on one core."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((LENGTH, d))
    segment = Segment(X, X[:, 0].copy(), SquaredLoss())
    weights = rng.standard_normal((k, d)), rng.standard_normal(k), 0.0
    segment.value_and_gradient(*weights)
    begun = time.process_time()
    for _ in range(ROUNDS):
        segment.value_and_gradient(*weights)
    return (time.process_time() - begun) / ROUNDS / LENGTH / k


def proof_seconds(d: int) -> float:
    """Processor seconds of a row and iteration in the proof of a segment, on one core."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((LENGTH, d))
    y = np.maximum(X[:, 0], 0.0) + rng.standard_normal(LENGTH)
    problem = Problem.of(Layer(X), y, 0.1 * float(np.linalg.norm(X.T @ y)), SquaredLoss())
    most = 20
    prover = RelaxationProver(problem, block=64, most=most, threads=1)
    first = spectral_proof(problem.rows, problem.target)
    begun = time.process_time()
    prover.improve(Neurons.none(d), first, 0.0, UNLIMITED)
    return (time.process_time() - begun) / most / LENGTH


def forecast(rounds: list[dict[str, float]], d: int, k: int) -> list[list[object]]:
    """On paper, from what was measured: rows in many blocks on many workers of one thread."""
    part = [one for one in rounds if one["neurons"] == k]
    part = [one for one in part if one["workers"] == max(one["workers"] for one in part)]
    blocks, walls = np.array([[one["blocks"], one["wall_ms"]] for one in part]).T
    slope, _ = np.polyfit(blocks, walls, 1)
    gradient = kernel_seconds(d, k) * k * ROWS / WORKERS
    lines: list[list[object]] = [
        ["memory of a worker, without libraries", f"{(12 * d + 24) * ROWS / WORKERS / 1e9:.1f} GB"],
        ["a gradient on a worker", f"{gradient:.1f} s"],
    ]
    for n_blocks in BLOCKS:
        seconds = 1e-3 * slope * n_blocks
        lines += [
            [f"a round in the process that asks, {n_blocks} blocks", f"{seconds:.1f} s"],
            [f"bytes sent in a round, {n_blocks} blocks",
             f"{part[0]['bytes_down'] * n_blocks / 1e6:.1f} MB"],
            [f"a search of {SEARCH} rounds, {n_blocks} blocks",
             f"{SEARCH * (seconds + gradient) / 3600:.1f} h"],
        ]  # fmt: skip
    proof = proof_seconds(d) * PROOF * ROWS / WORKERS
    return [*lines, [f"a proof of {PROOF} iterations", f"{proof / 3600:.1f} h"]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, nargs="*", default=[2, 8, 32, 128])
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--neurons", type=int, nargs="*", default=[30, 300])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found: list[dict[str, float]] = []
    for workers in given.workers:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            for k in given.neurons:
                for n_blocks in given.blocks:
                    one = measured(client, n_blocks, given.features, k)
                    found.append({"workers": workers, **one})
    print_table(
        ["workers", "blocks", "neurons", "ms", "CPU ms here", "bytes down", "bytes up"],
        [
            [
                one["workers"], one["blocks"], one["neurons"], f"{one['wall_ms']:.1f}",
                f"{one['driver_cpu_ms']:.1f}", one["bytes_down"], one["bytes_up"],
            ]
            for one in found
        ],
    )  # fmt: skip
    kernel = [[k, f"{1e9 * kernel_seconds(given.features, k):.2f}"] for k in given.neurons]
    print_table(["neurons", "ns of a processor for a row and neuron"], kernel)
    print_table(
        [f"{WORKERS} workers, {ROWS:.0e} rows", "on paper"],
        forecast(found, given.features, given.neurons[0]),
    )
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
