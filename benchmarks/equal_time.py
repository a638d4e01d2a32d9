"""Objective (2) at equal times: `cvxnn.solve` against L-BFGS and Adam in PyTorch.

Columns of X and y have mean 0 and variance 1 (labels stay), and X a column of ones; beta is a
share of the largest, as ascents find it. Ours gets a run of its own for each time, by `time_limit`. L-BFGS (strong
Wolfe) and Adam (minibatches of 256, constant rate) train networks of fixed width from
normal weights, in one run each that is looked at at these times; looking costs them nothing,
and what counts is the best that they had until then. "best of Adam" is the best of four rates at
each time, as if it had been known. Objectives are recomputed in float64 from balanced weights.

`DIR` has the folders `pol` and `kin40k`, each with `data.csv.gz`, whose last column is the
target, and `test_mask.csv.gz`, as for `uci.py`; without it these two are left out.
Run it on one thread: `OMP_NUM_THREADS=1 python benchmarks/equal_time.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, balance, print_table, warm_up
from planted import planted, start_weights
from sklearn.datasets import make_classification, make_friedman1
from uci import load

import cvxnn
from cvxnn.layers import Layer
from cvxnn.losses import Loss, as_loss
from cvxnn.problems import Problem as SolverProblem
from cvxnn.solvers.descent.rough_path import RoughPath

TIMES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
WIDTHS = (100, 300, 1000)
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
PRECISIONS = ("float32", "float64")
BATCH = 256
UCI = ("pol", "kin40k")


@dataclass(frozen=True)
class Problem:
    """Data with a column of ones, and the share of the largest beta."""

    X: FloatArray
    y: FloatArray
    share: float
    loss: str = "squared"

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, share: float, loss: str = "squared") -> Problem:
        X = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
        return cls(X, y if loss == "logistic" else (y - y.mean()) / y.std(), share, loss)

    @property
    def largest_beta(self) -> float:
        """By ascents: above rank 9 `cvxnn.largest_beta` is a bound only, far from it."""
        data = SolverProblem.of(Layer(self.X), self.y, 1.0, as_loss(self.loss))
        return RoughPath(data, np.random.default_rng(0)).largest_beta

    def objective(self, beta: float, hidden: FloatArray, output: FloatArray) -> float:
        """In float64, from balanced weights: by half of the squares, not by the product."""
        hidden, output = balance(hidden, output)
        loss: Loss = as_loss(self.loss)
        penalty = float((hidden**2).sum() + (output**2).sum())
        return loss.value(Layer(self.X).forward(hidden, output), self.y) + 0.5 * beta * penalty


def from_table(data: Path, name: str, share: float) -> Problem:
    X, y, masks = load(data / name)
    train = ~masks[:, 0]
    return Problem.of(X[train], y[train], share)


def friedman(n: int) -> Problem:
    return Problem.of(*make_friedman1(n, n_features=10, noise=1.0, random_state=0), 0.003)


def synthetic() -> Problem:
    X, labels = make_classification(
        20_000, 30, n_informative=10, n_redundant=5, n_clusters_per_class=4, flip_y=0.03,
        random_state=0,
    )  # fmt: skip
    return Problem.of(X, np.where(labels > 0, 1.0, -1.0), 0.01, "logistic")


SETS: dict[str, Callable[[Path], Problem]] = {
    "pol": lambda data: from_table(data, "pol", 0.003),
    "kin40k": lambda data: from_table(data, "kin40k", 0.01),
    "friedman1": lambda data: friedman(2_000),
    "planted": lambda data: Problem.of(planted()[0][:, :-1], planted()[1], 0.003),
    "synthetic": lambda data: synthetic(),
}


@dataclass
class Trace:
    """The best weights of a run at some times, on a clock that looking does not move."""

    score: Callable[[FloatArray, FloatArray], float]
    times: tuple[float, ...]
    found: list[float] = field(default_factory=list)
    _start: float = field(default_factory=time.perf_counter)

    @property
    def is_over(self) -> bool:
        return len(self.found) == len(self.times)

    def look(self, weights: Callable[[], list[FloatArray]]) -> None:
        """Note the objective of the weights for all times that have come."""
        now = time.perf_counter()
        if not self.is_over and now - self._start >= self.times[len(self.found)]:
            value = min(self.score(*weights()), *self.found[-1:], np.inf)
            while not self.is_over and now - self._start >= self.times[len(self.found)]:
                self.found.append(value)
        self._start += time.perf_counter() - now


def ours(problem: Problem, beta: float, times: tuple[float, ...]) -> Iterator[float]:
    for limit in times:
        solution = cvxnn.solve(
            problem.X, problem.y, beta, loss=problem.loss, time_limit=limit, random_state=0
        )
        network = solution.network
        yield problem.objective(beta, network.hidden_weights, network.output_weights)


class TorchProblem:
    """Objective (2) of a network of fixed width, as PyTorch sees it."""

    def __init__(self, problem: Problem, beta: float, width: int, precision: str) -> None:
        import torch

        self.torch, kind = torch, getattr(torch, precision)
        self.X, self.y = (torch.tensor(array, dtype=kind) for array in (problem.X, problem.y))
        self.beta, self._is_logistic = beta, problem.loss == "logistic"
        self.weights = [
            torch.tensor(array, dtype=kind, requires_grad=True)
            for array in start_weights(width, problem.X.shape[1], 0)
        ]

    def objective(self, rows: Any = slice(None)) -> Any:
        """On some of the rows, in proportion."""
        hidden, output = self.weights
        f, y = (self.X[rows] @ hidden.T).relu() @ output, self.y[rows]
        losses = self.torch.nn.functional.softplus(-y * f) if self._is_logistic else (f - y) ** 2
        penalty = 0.5 * self.beta * ((hidden**2).sum() + (output**2).sum())
        factor = 1.0 if self._is_logistic else 0.5
        return factor * len(self.y) / len(y) * losses.sum() + penalty

    def copied(self) -> list[FloatArray]:
        return [weight.detach().numpy().astype(np.float64) for weight in self.weights]


def lbfgs(problem: TorchProblem, trace: Trace) -> list[float]:
    best: list[Any] = [np.inf, problem.copied()]
    optimizer = problem.torch.optim.LBFGS(
        problem.weights, max_iter=20, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=0.0, tolerance_change=0.0,
    )  # fmt: skip

    def closure() -> Any:
        optimizer.zero_grad()
        value = problem.objective()
        value.backward()
        if value.item() < best[0]:
            best[:] = [value.item(), problem.copied()]
        trace.look(lambda: best[1])
        return value

    while not trace.is_over:
        optimizer.step(closure)
    return trace.found


def adam(problem: TorchProblem, trace: Trace, rate: float) -> list[float]:
    optimizer = problem.torch.optim.Adam(problem.weights, lr=rate)
    generator = problem.torch.Generator().manual_seed(0)
    while not trace.is_over:
        for rows in problem.torch.randperm(len(problem.y), generator=generator).split(BATCH):
            optimizer.zero_grad()
            # Steps of Adam do not depend on the scale of the objective.
            problem.objective(rows).backward()
            optimizer.step()
            trace.look(problem.copied)
    return trace.found


def peers(
    problem: Problem, beta: float, arguments: argparse.Namespace
) -> Iterator[tuple[str, list[float]]]:
    """Objectives by the name of the side."""
    times = tuple(arguments.times)

    def trace() -> Trace:
        return Trace(lambda hidden, output: problem.objective(beta, hidden, output), times)

    for precision in arguments.precisions:
        for width in arguments.widths:

            def fresh(width: int = width, precision: str = precision) -> TorchProblem:
                return TorchProblem(problem, beta, width, precision)

            yield f"L-BFGS, {width}, {precision}", lbfgs(fresh(), trace())
            runs = [adam(fresh(), trace(), rate) for rate in arguments.rates]
            yield f"best of Adam, {width}, {precision}", np.min(runs, axis=0).tolist()


def measured(name: str, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Objectives of all sides on a set, the best until each time."""
    problem = SETS[name](arguments.data)
    beta = problem.share * problem.largest_beta
    found = {"cvxnn": list(ours(problem, beta, tuple(arguments.times)))}
    if not arguments.ours_only:
        found |= dict(peers(problem, beta, arguments))
    return found


def rows(results: dict[str, dict[str, list[float]]]) -> Iterator[list[object]]:
    for name, found in results.items():
        others = [values for side, values in found.items() if side != "cvxnn"]
        for side, values in found.items():
            yield [name, side, *(f"{value:.6g}" for value in values)]
        if others:
            ratios = np.array(found["cvxnn"]) / np.min(others, axis=0)
            yield [name, "ours / best of the others", *(f"{ratio:.4f}" for ratio in ratios)]


def warm_up_high_rank() -> None:
    """Compile what high rank takes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 12))
    for loss, y in (("squared", X[:, 0] ** 2), ("logistic", np.sign(X[:, 0]))):
        cvxnn.solve(X, y, 1.0, loss=loss, time_limit=5.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--sets", nargs="*", choices=tuple(SETS), default=tuple(SETS))
    parser.add_argument("--times", nargs="*", type=float, default=TIMES, help="rising, in seconds")
    parser.add_argument("--widths", nargs="*", type=int, default=WIDTHS)
    parser.add_argument("--rates", nargs="*", type=float, default=RATES, help="of Adam")
    parser.add_argument("--precisions", nargs="*", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--ours-only", action="store_true", help="leave out PyTorch")
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="JSON of all objectives; sets that are in it are shown, and not run again",
    )  # fmt: skip
    arguments = parser.parse_args()
    if not arguments.ours_only:
        import torch

        torch.set_num_threads(1)
    warm_up()
    warm_up_high_rank()
    results: dict[str, dict[str, list[float]]] = {}
    if arguments.out is not None and arguments.out.exists():
        results = json.loads(arguments.out.read_text("utf-8"))
    for name in arguments.sets:
        if name in results or (name in UCI and arguments.data is None):
            continue
        results[name] = measured(name, arguments)
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(results, indent=1), "utf-8")
    print_table(["set", "side", *(f"{seconds:g} s" for seconds in arguments.times)], rows(results))


if __name__ == "__main__":
    main()
