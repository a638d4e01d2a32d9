"""Quantised networks: bound, optimum and network; draws, many features, and bits.

Rows are normal, targets those of three pairs of signs with noise; beta is a share of the
largest. On four features the optimum is a Lasso over all 36 pairs, and the relaxation is solved
by cvxpy with Clarabel, too, in the form of the paper. Certificates are checked by code of their
own.

    OMP_NUM_THREADS=1 python benchmarks/quantised.py [--quick] [--out quantised.json]
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table

import cvxnn
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso
from cvxnn.solvers.quantized.krivine import GAMMA, krivine_draws
from cvxnn.solvers.quantized.program import SemidefiniteProgram

Record = dict[str, Any]
SIZES = ((10, 200), (20, 200), (28, 200), (32, 200), (36, 200), (50, 200), (100, 400))


def drawn(seed: int, n: int, d: int, noise: float = 0.5) -> tuple[FloatArray, FloatArray]:
    """Rows, and targets of three pairs with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = noise * rng.standard_normal(n)
    for size in rng.standard_normal(3):
        u, v = rng.choice([-1.0, 1.0], (2, d))
        y += size / d * (X @ u) * (X @ v)
    return X, y


def largest(X: FloatArray, y: FloatArray) -> float:
    """The beta from which on nothing is learned, or a bound on it."""
    return cvxnn.largest_beta(X, y, model="quantized", time_limit=2.0)


def all_columns(X: FloatArray) -> FloatArray:
    """What all pairs make of the rows, with both signs, each pair once."""
    d = X.shape[1]
    half = np.array([(1.0, *rest) for rest in product((-1.0, 1.0), repeat=d - 1)])
    first, second = np.triu_indices(len(half))
    columns = (X @ half[first].T) * (X @ half[second].T)
    return np.hstack([columns, -columns])


def exhaustive(X: FloatArray, y: FloatArray, beta: float) -> float:
    """The optimum over all pairs, by a Lasso that is checked."""
    columns = all_columns(X)
    sizes = nonnegative_lasso(columns, y, beta)
    left = y - columns @ sizes
    assert (columns.T @ left).max() <= beta * (1.0 + 1e-9)
    return 0.5 * float(left @ left) + beta * float(sizes.sum())


def relaxed(X: FloatArray, y: FloatArray, beta: float) -> tuple[SemidefiniteProgram, float]:
    """The relaxation, and what is proven by it."""
    problem = Problem.of(QuantizedRows(X), y, beta, SquaredLoss())
    program = SemidefiniteProgram(problem, np.random.default_rng(0))
    while not program.is_done:
        program.advance(200, UNLIMITED)
    return program, program.proof().bound(problem)


def with_cvxpy(X: FloatArray, y: FloatArray, beta: float) -> tuple[FloatArray, float, float]:
    """The matrix of the relaxation in the form of the paper, rho and its value; Clarabel."""
    import cvxpy as cp

    d = X.shape[1]
    whole, rho = cp.Variable((2 * d, 2 * d), PSD=True), cp.Variable()
    f = cp.sum(cp.multiply(X @ whole[:d, d:], X), axis=1)
    goal = 0.5 * cp.sum_squares(f - y) + beta * rho
    problem = cp.Problem(cp.Minimize(goal), [cp.diag(whole) == rho])
    problem.solve(solver="CLARABEL")
    return np.asarray(whole.value), float(rho.value), float(problem.value)


def rounded(X: FloatArray, y: FloatArray, beta: float, whole: FloatArray) -> tuple[float, float]:
    """Of 200 draws: the objective with equal weights, and with those of a Lasso."""
    d, rng = X.shape[1], np.random.default_rng(0)
    values, vectors = np.linalg.eigh(whole)
    factors = vectors * np.sqrt(np.maximum(values, 0.0))
    rho = float(np.mean((factors**2).sum(axis=1)))
    factors /= np.linalg.norm(factors, axis=1)[:, None]
    u, v = krivine_draws(factors[:d], factors[d:], 200, rng)
    columns = (X @ u.T) * (X @ v.T)
    size = rho * np.pi / (2.0 * GAMMA * 200)
    plain = 0.5 * float(((size * columns.sum(axis=1) - y) ** 2).sum()) + beta * 200 * size
    both = np.hstack([columns, -columns])
    sizes = nonnegative_lasso(both, y, beta)
    left = y - both @ sizes
    return plain, 0.5 * float(left @ left) + beta * float(sizes.sum())


def of_four_features(count: int) -> Record:
    """Shares of the exhaustive optimum, over problems of 30 rows."""
    shares: dict[str, list[float]] = {
        name: [] for name in ("relaxation", "bound", "network", "draws", "Lasso of draws")
    }
    for seed in range(count):
        X, y = drawn(seed, 30, 4)
        beta = 0.1 * largest(X, y)
        value = exhaustive(X, y, beta)
        solution = cvxnn.solve(X, y, beta, model="quantized", tol=1e-9)
        assert solution.status is cvxnn.Status.OPTIMAL
        whole, _, relaxation = with_cvxpy(X, y, beta)
        plain, lasso = rounded(X, y, beta, whole)
        _, ours = relaxed(X, y, beta)
        assert solution.dual_bound <= value * (1.0 + 1e-12) and ours <= relaxation * (1.0 + 1e-6)
        found = (ours, solution.dual_bound, solution.objective, plain, lasso)
        for name, reached in zip(shares, found, strict=True):
            shares[name].append(reached / value)
    return {
        name: {"least": min(each), "mean": float(np.mean(each)), "largest": max(each)}
        for name, each in shares.items()
    }


def of_many_features(d: int, n: int, share: float) -> Record:
    """One run, with the check of its certificate."""
    X, y = drawn(0, n, d)
    beta = share * largest(X, y)
    start = time.perf_counter()
    solution = cvxnn.solve(X, y, beta, model="quantized", time_limit=60.0)
    seconds = time.perf_counter() - start
    report = solution.certificate.verify(X, y, network=solution.network)
    return {
        "d": d, "n": n, "share": share, "status": solution.status.name, "gap": solution.gap,
        "objective": solution.objective, "neurons": solution.n_neurons, "seconds": seconds,
        "proof": solution.certificate.kind, "checked": report.accepted, "check": report.elapsed,
    }  # fmt: skip


def beside_clarabel(d: int, n: int) -> Record:
    """The relaxation by cvxpy with Clarabel and 200 draws, and ours: bound and network."""
    X, y = drawn(0, n, d)
    beta = 0.1 * largest(X, y)
    start = time.perf_counter()
    whole, _, value = with_cvxpy(X, y, beta)
    middle = time.perf_counter()
    _, theirs = rounded(X, y, beta, whole)
    end = time.perf_counter()
    _, bound = relaxed(X, y, beta)
    ours = time.perf_counter() - end
    begun = time.perf_counter()
    solution = cvxnn.solve(X, y, beta, model="quantized")
    return {
        "d": d, "n": n, "Clarabel": value, "Clarabel seconds": middle - start,
        "draws": theirs, "our bound": bound, "our bound seconds": ours,
        "network": solution.objective, "status": solution.status.name, "gap": solution.gap,
        "network seconds": time.perf_counter() - begun,
    }  # fmt: skip


def bits(name: str, X: FloatArray, y: FloatArray, seeds: int) -> list[Record]:
    """Test R2 and bits of networks: of signs, and of ReLU in single precision."""
    records = []
    for model, betas in (
        ("quantized", (1, 3, 10, 30, 100, 300)),
        ("relu", (0.1, 0.3, 1, 3, 10, 30)),
    ):
        scores, sizes, neurons = [], [], []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(y))
            train, test = order[: 2 * len(y) // 3], order[2 * len(y) // 3 :]
            method = cvxnn.Global(certify=False)
            estimator = cvxnn.ConvexReLURegressorCV(
                betas=[float(beta) for beta in betas],
                cv=3,
                model=model,
                method=method,
                random_state=0,
            ).fit(X[train], y[train])
            network = estimator.network_
            scores.append(estimator.score(X[test], y[test]))
            neurons.append(network.n_neurons)
            sizes.append(network.n_bits if model == "quantized" else 32 * network.n_weights)
        records.append(
            {
                "data": name, "model": model, "R2": float(np.mean(scores)),
                "error": float(np.std(scores) / np.sqrt(seeds)),
                "bits": float(np.mean(sizes)), "neurons": float(np.mean(neurons)),
            }
        )  # fmt: skip
    return records


def distances(repeats: int) -> tuple[FloatArray, FloatArray, float]:
    """Numbers of draws, root mean squares of their distance to the relaxation, and its size."""
    X, y = drawn(0, 30, 4)
    program, _ = relaxed(X, y, 0.1 * largest(X, y))
    target, rng = program.prediction, np.random.default_rng(1)
    counts, found = 2 ** np.arange(3, 15), []
    for count in counts:
        squares = []
        for _ in range(repeats):
            u, v = krivine_draws(*program.vectors, int(count), rng)
            size = program.rho * np.pi / (2.0 * GAMMA * count)
            fit = size * ((X @ u.T) * (X @ v.T)).sum(axis=1)
            squares.append(float(np.mean((fit - target) ** 2)))
        found.append(np.sqrt(np.mean(squares)))
    return counts, np.array(found), float(np.sqrt(np.mean(target**2)))


def show(records: list[Record]) -> None:
    """A table of them."""
    cells = ([_shown(value) for value in record.values()] for record in records)
    print_table(list(records[0]), cells)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few problems")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    options = parser.parse_args()
    from sklearn.datasets import load_diabetes, make_friedman1

    X, y = drawn(0, 20, 4)
    cvxnn.solve(X, y, 1.0, model="quantized")
    four = of_four_features(5 if options.quick else 50)
    print("Shares of the optimum over all pairs, four features, 30 rows:")
    show([{"what": name, **each} for name, each in four.items()])
    counts, found, size = distances(5 if options.quick else 30)
    slope = float(np.polyfit(np.log(counts), np.log(found), 1)[0])
    print(f"Distance of m draws to the relaxation: m^{slope:.3f}\n")
    sizes = SIZES[:2] if options.quick else SIZES
    many = [of_many_features(d, n, share) for d, n in sizes for share in (0.3, 0.05)]
    show(many)
    beside = [beside_clarabel(d, 100) for d in ((5, 10) if options.quick else (5, 10, 15, 20))]
    show(beside)
    data = [
        ("diabetes", *load_diabetes(return_X_y=True)),
        ("friedman1", *make_friedman1(600, noise=1.0, random_state=0)),
    ]
    sized = [one for each in data for one in bits(*each, 2 if options.quick else 5)]
    show(sized)
    shares = (found / size).tolist()
    show([{"draws": int(m), "distance": at} for m, at in zip(counts, shares, strict=True)])
    if options.out is not None:
        record = {
            "four features": four, "power": slope, "many features": many,
            "beside Clarabel": beside, "bits": sized,
        }  # fmt: skip
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
