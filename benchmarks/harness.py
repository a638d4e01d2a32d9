"""What the benchmarks share: timing, tables, and an independent evaluation."""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from records import Table
from sklearn.exceptions import ConvergenceWarning

import cvxnn
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.oracle.choice import Effort, oracle_for

FloatArray = NDArray[np.float64]
Result = TypeVar("Result")

# The tables show how a run ended.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# All tables that were printed, for `record.py`.
PRINTED: list[Table] = []

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
        cvxnn.solve(X, y, 0.1, method=method)


def warm_up_global() -> None:
    """The same for what ``method="global"`` uses on rank 2, and above it on many rows."""
    rng = np.random.default_rng(0)
    for d, n in ((2, 200), (3, 400), (4, 200)):
        X, y = smooth_target(n, d, rng)
        beta = 0.02 * float(np.linalg.norm(X.T @ y))
        solution = cvxnn.solve(X, y, beta, time_limit=20.0)
        exact_gap(X, y, beta, solution.network, 1e-3)


def smooth_target(n: int, d: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Normal data with a column of ones: a sine in one feature, a hinge in another, noise."""
    X = rng.standard_normal((n, d))
    X[:, -1] = 1.0
    hinge = np.maximum(X[:, 1], 0.0) if d > 2 else 0.0
    return X, np.sin(2.0 * X[:, 0]) + hinge + 0.3 * rng.standard_normal(n)


def median_time(
    run: Callable[[], Result], repeats: int, budget: float = np.inf
) -> tuple[float, Result]:
    """Median wall-clock seconds of `repeats` calls, and the result of the last.

    No call starts after `budget` seconds.
    """
    seconds: list[float] = []
    while len(seconds) < repeats and (not seconds or sum(seconds) < budget):
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


def exact_gap(
    X: FloatArray, y: FloatArray, beta: float, network: cvxnn.TwoLayerNetwork, tol: float
) -> tuple[float, float]:
    """Lower bound and relative gap of a network, from the oracle that suits the rows.

    The dual point is the residual; the oracle adds 0.3 `tol` to the gap at most,
    unless two minutes do not suffice for the branch and bound.
    """
    hidden, output = network.hidden_weights, network.output_weights
    objective = network_objective(X, y, beta, hidden, output)
    residual = y - np.maximum(X @ hidden.T, 0.0) @ output
    price = oracle_for(Layer(X), Effort()).price(
        residual[:, None], beta, tol=0.3 * tol, starts=hidden, deadline=Deadline(120.0)
    )
    bound = certified_bound(y, beta, residual, price.bound)
    return bound, (objective - bound) / objective


def balance(hidden: Any, output: Any) -> tuple[FloatArray, FloatArray]:
    """The same function with the smallest penalty: equal norms in both layers."""
    hidden, output = np.asarray(hidden, dtype=float), np.asarray(output, dtype=float)
    norms, sizes = np.linalg.norm(hidden, axis=1), np.abs(output)
    used = (norms > 0.0) & (sizes > 0.0)
    factor = np.sqrt(sizes[used] / norms[used])
    return hidden[used] * factor[:, None], output[used] / factor


def count_neurons(hidden: FloatArray, output: FloatArray) -> int:
    """Neurons that are more than the dust a solver leaves: above 1e-6 of the largest."""
    sizes = np.linalg.norm(hidden, axis=1) * np.abs(output)
    return int((sizes > 1e-6 * sizes.max(initial=0.0)).sum())


def certified_bound(y: FloatArray, beta: float, v: FloatArray, oracle_bound: float) -> float:
    """Lower bound from a dual point: scaled until what an oracle proves makes it feasible."""
    largest = beta / max(oracle_bound, 1e-300)
    scale = min(max(float(v @ y) / float(v @ v), 0.0), largest)
    return scale * float(v @ y) - 0.5 * scale**2 * float(v @ v)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A Markdown table, a row as soon as it is there; kept for `record.py`."""
    table = Table(title, list(header))
    PRINTED.append(table)
    if title:
        print(f"{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header), flush=True)
    for row in rows:
        cells = [str(cell) for cell in row]
        table.rows.append(cells)
        print("| " + " | ".join(cells) + " |", flush=True)
    print()
