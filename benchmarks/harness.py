"""What the benchmarks share: timing, tables, and an independent evaluation."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import cvxnn
from cvxnn.oracle import CellOracle

FloatArray = NDArray[np.float64]
Result = TypeVar("Result")

OPTIMA = Path(__file__).resolve().parents[1] / "tests" / "data" / "optima.json"


def reference_problem(name: str) -> tuple[FloatArray, FloatArray, float]:
    """X, y and beta of a problem with a stored optimum."""
    entry = json.loads(OPTIMA.read_text("utf-8"))[name]
    return np.array(entry["X"]), np.array(entry["y"]), float(entry["beta"])


def ring(n: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """The data of section 4.3 of the seed paper for any n, with the column of ones."""
    rng = np.random.RandomState(seed)
    points = 5.0 * rng.standard_normal((n, 2))
    radius = np.linalg.norm(points, axis=1)
    labels = np.where(radius <= 1.5, -1.0, np.where(radius <= 5.0, 1.0, -1.0))
    return np.column_stack([points, np.ones(n)]), labels


def warm_up() -> None:
    """Compile the kernels, so that no clock sees it."""
    X, y = ring(8)
    for method in ("exact", "sampled"):
        cvxnn.solve(X, y, 0.1, method)


def median_time(run: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """Median wall-clock seconds of `repeats` calls, and the result of the last."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def network_objective(
    X: FloatArray, y: FloatArray, beta: float, hidden: FloatArray, output: FloatArray
) -> float:
    """Objective (2) in plain NumPy, from the weights."""
    residual = np.maximum(X @ hidden.T, 0.0) @ output - y
    penalty = float((hidden**2).sum() + (output**2).sum())
    return 0.5 * float(residual @ residual) + 0.5 * beta * penalty


def certified_bound(
    X: FloatArray, y: FloatArray, beta: float, v: FloatArray, oracle: CellOracle
) -> float:
    """Lower bound from a dual point: scaled until the oracle proves it feasible."""
    largest = beta / max(oracle.price(v, beta).bound, 1e-300)
    scale = min(max(float(v @ y) / float(v @ v), 0.0), largest)
    return scale * float(v @ y) - 0.5 * scale**2 * float(v @ v)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()
