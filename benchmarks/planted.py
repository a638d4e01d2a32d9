"""Objective against time on a planted network: n = 1000, d = 20 and ones, beta = 1.

``rng = default_rng(0)``; X normal (1000, 20), U normal (20, 10), a normal (10),
``y = (X U)_+ a + 0.1 normal``, then a column of ones. The other sides are Adam
(full batch, learning rate falling to zero over the time it is given, the best of a
small grid) and L-BFGS in PyTorch on a network of fixed width, and pyscnn on
sampled gates. Every side gets T / 12, T / 4 and T; Adam starts anew for each, and
every learning rate of the grid gets the whole of it.

Objective (2) is recomputed here in float64 from balanced weights. Only the rows
"in the run" of our method are its own history: a run keeps no old weights. The
rank is 21, so that no bound comes near the optimum; the last line says what is proven.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import (
    FloatArray,
    balance,
    certified_bound,
    count_neurons,
    network_objective,
    print_table,
)

import cvxnn
from cvxnn.layers import spectral_bound

BETA = 1.0
LEARNING_RATES = (1e-3, 3e-3, 1e-2)
INSTALL_TORCH = "PyTorch is left out: pip install 'cvxnn[torch]'."
INSTALL_PYSCNN = (
    "pyscnn is left out: in an environment with torch, "
    "pip install --no-deps pyscnn linalg_backends opt_einsum tqdm."
)


@dataclass(frozen=True)
class Point:
    """Weights and the seconds after which they were there."""

    seconds: float
    hidden: FloatArray
    output: FloatArray


def planted() -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 20))
    U = rng.standard_normal((20, 10))
    a = rng.standard_normal(10)
    y = np.maximum(X @ U, 0.0) @ a + 0.1 * rng.standard_normal(1000)
    return np.column_stack([X, np.ones(1000)]), y


def row(side: str, X: FloatArray, y: FloatArray, point: Point) -> list[object]:
    hidden, output = balance(point.hidden, point.output)
    objective = network_objective(X, y, BETA, hidden, output)
    return [side, f"{point.seconds:.1f}", f"{objective:.6g}", count_neurons(hidden, output)]


def ours(X: FloatArray, y: FloatArray, seconds: float) -> tuple[list[list[object]], str]:
    """A run of all the time with its history, and one of a twelfth of it."""
    rows = []
    for limit in (seconds, seconds / 12):
        solution = cvxnn.solve(X, y, BETA, time_limit=limit)
        if limit == seconds:
            rows += history_rows(solution, (seconds / 12, seconds / 4))
            proof = proven(X, y, solution)
        weights = solution.network.hidden_weights, solution.network.output_weights
        name = f"cvxnn, time_limit={limit:g} ({solution.status.name})"
        rows.append(row(name, X, y, Point(solution.elapsed, *weights)))
    return rows, proof


def history_rows(solution: cvxnn.Solution, times: tuple[float, ...]) -> Iterator[list[object]]:
    for seconds in times:
        before = [entry for entry in solution.history if entry.elapsed <= seconds]
        if before:
            best = min(before, key=lambda entry: entry.objective)
            yield ["cvxnn, in the run", f"{seconds:.1f}", f"{best.objective:.6g}", best.n_neurons]


def proven(X: FloatArray, y: FloatArray, solution: cvxnn.Solution) -> str:
    hidden, output = solution.network.hidden_weights, solution.network.output_weights
    residual = y - np.maximum(X @ hidden.T, 0.0) @ output
    bound = certified_bound(y, BETA, residual, spectral_bound(X, residual))
    return (
        f"Lower bound proven by the run: {solution.dual_bound:.4g}; "
        f"recomputed from the spectral bound: {bound:.4g}."
    )


def start_weights(width: int, d: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Normal hidden weights; every output weight as long as its row."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((width, d)) / np.sqrt(d)
    output = rng.choice([-1.0, 1.0], width) * np.linalg.norm(hidden, axis=1)
    return hidden / width**0.25, output / width**0.25


class TorchProblem:
    """Objective (2) of a network of fixed width, as PyTorch sees it."""

    def __init__(self, X: FloatArray, y: FloatArray, width: int, precision: str) -> None:
        import torch

        kind = getattr(torch, precision)
        self.X, self.y = torch.tensor(X, dtype=kind), torch.tensor(y, dtype=kind)
        self.weights = [
            torch.tensor(w, dtype=kind, requires_grad=True)
            for w in start_weights(width, X.shape[1], 0)
        ]

    def objective(self) -> Any:
        hidden, output = self.weights
        residual = (self.X @ hidden.T).relu() @ output - self.y
        penalty = (hidden**2).sum() + (output**2).sum()
        return 0.5 * (residual**2).sum() + 0.5 * BETA * penalty

    def point(self, seconds: float) -> Point:
        hidden, output = (w.detach().numpy().astype(np.float64) for w in self.weights)
        return Point(seconds, hidden, output)


def adam(problem: TorchProblem, rate: float, seconds: float) -> Point:
    """Full-batch Adam with a cosine schedule on the clock."""
    import torch

    optimizer = torch.optim.Adam(problem.weights, lr=rate)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        optimizer.param_groups[0]["lr"] = 0.5 * rate * (1.0 + math.cos(math.pi * elapsed / seconds))
        optimizer.zero_grad()
        problem.objective().backward()
        optimizer.step()
    return problem.point(elapsed)


def lbfgs(problem: TorchProblem, times: tuple[float, ...]) -> Iterator[Point]:
    """L-BFGS with a strong Wolfe line search: one run, looked at after the times."""
    import torch

    optimizer = torch.optim.LBFGS(
        problem.weights, max_iter=5, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=1e-9, tolerance_change=0.0,
    )  # fmt: skip

    def closure() -> Any:
        optimizer.zero_grad()
        value = problem.objective()
        value.backward()
        return value

    start = time.perf_counter()
    for seconds in times:
        while (elapsed := time.perf_counter() - start) < seconds:
            optimizer.step(closure)
        yield problem.point(elapsed)


def torch_rows(
    X: FloatArray, y: FloatArray, width: int, times: tuple[float, ...]
) -> Iterator[list[object]]:
    warm = TorchProblem(X, y, width, "float32")
    adam(warm, 1e-3, 0.5)
    for seconds in times:
        points = {
            rate: adam(TorchProblem(X, y, width, "float32"), rate, seconds)
            for rate in LEARNING_RATES
        }
        rows = [row(f"Adam, rate {rate:g}", X, y, point) for rate, point in points.items()]
        yield min(rows, key=lambda cells: float(str(cells[2])))
    for point in lbfgs(TorchProblem(X, y, width, "float64"), times):
        yield row("L-BFGS", X, y, point)


def scnn_rows(X: FloatArray, y: FloatArray, gates: int, iterations: int) -> Iterator[list[object]]:
    """pyscnn takes no time limit; its loss is divided by 2 n."""
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU, ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL, ApproximateConeDecomposition

    G = np.random.default_rng(0).standard_normal((X.shape[1], gates))
    regularizer = NeuronGL1(BETA / len(y))
    sides = (
        ("augmented Lagrangian", ConvexReLU, AL, {"max_primal_iters": iterations}),
        ("cone decomposition", ConvexGatedReLU, ApproximateConeDecomposition,
         {"max_iters": iterations}),
    )  # fmt: skip
    for name, make_model, make_solver, options in sides:
        model = make_model(G)
        solver = make_solver(model, **options)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network, _ = optimize_model(
                model, solver, Metrics(), X, y, regularizer=regularizer,
                unitize_data=False, dtype="float64",
            )  # fmt: skip
        seconds = time.perf_counter() - start
        hidden, output = (np.asarray(w, dtype=np.float64) for w in network.parameters[:2])
        yield row(f"pyscnn, {name}", X, y, Point(seconds, hidden, output.ravel()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="the time T")
    parser.add_argument("--width", type=int, default=400, help="neurons of Adam and L-BFGS")
    parser.add_argument("--gates", type=int, default=500, help="gates of pyscnn")
    parser.add_argument("--scnn-iterations", type=int, default=10_000)
    parser.add_argument("--skip", nargs="*", default=(), choices=("cvxnn", "torch", "pyscnn"))
    arguments = parser.parse_args()
    notes: list[str] = []
    print_table(["side", "s", "objective (2)", "neurons"], all_rows(arguments, notes))
    print("\n".join(notes))


def all_rows(arguments: argparse.Namespace, notes: list[str]) -> Iterator[list[object]]:
    X, y = planted()
    T = arguments.seconds
    if "cvxnn" not in arguments.skip:
        cvxnn.solve(X[:300], y[:300], BETA, time_limit=5.0)  # compiles
        rows, proof = ours(X, y, T)
        yield from rows
        notes.append(proof)
    if importlib.util.find_spec("torch") is None:
        notes.append(INSTALL_TORCH)
    elif "torch" not in arguments.skip:
        yield from torch_rows(X, y, arguments.width, (T / 12, T / 4, T))
    if importlib.util.find_spec("scnn") is None:
        notes.append(INSTALL_PYSCNN)
    elif "pyscnn" not in arguments.skip:
        yield from scnn_rows(X, y, arguments.gates, arguments.scnn_iterations)


if __name__ == "__main__":
    main()
