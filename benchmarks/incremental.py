"""One neuron a round: Frank and Wolfe, the fully corrective method, `global`, `sampled` and SGD.

Objective (2) and proven gap against neurons, rounds and time, each method from nothing:
`frank_wolfe` with a line search and with steps 2 / (k + 2), `incremental`, `global`, `sampled`
with 10 to 1000 directions (a run each), and SGD with momentum on batches of 32 for networks of
200 neurons from normal weights, the best of four rates at each time. SGD proves nothing; its
gap is to the best bound of all. Columns have mean 0 and variance 1, with a column of ones, and
so has y where it is no label; beta is a share of the largest.

Data: the ring of section 4.3 of the seed paper, at two beta, friedman1 of scikit-learn (200
rows), and pol, if `--uci DIR` has the folder `pol` as for `uci.py`; else the table of diabetes
that scikit-learn brings.

Run it on one thread: `OMP_NUM_THREADS=1 python benchmarks/incremental.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table, warm_up, warm_up_global
from sklearn.datasets import load_diabetes, make_friedman1

import cvxnn
from cvxnn.results import Progress

SAMPLES = (10, 30, 100, 300, 1000)
WIDTH, BATCH, RATES, MOMENTUM = 200, 32, (0.003, 0.01, 0.03, 0.1), 0.9
METHODS: dict[str, cvxnn.Method] = {
    "global": cvxnn.Global(),
    "incremental": cvxnn.Incremental(),
    "frank_wolfe": cvxnn.FrankWolfe(),
    "frank_wolfe, open loop": cvxnn.FrankWolfe("open_loop"),
}

# The gap of the best bound beyond which it says little of how networks compare.
_FAR = 0.01

# A line of a curve: seconds, neurons, objective, bound, bound of the method itself.
Point = tuple[float, int, float, float | None, float | None]


def standardised(X: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns and target of mean 0 and variance 1, and a column of ones."""
    X = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
    return X, (y - y.mean()) / y.std()


def problems(uci: Path | None) -> Iterator[tuple[str, FloatArray, FloatArray, float]]:
    """Name, X, y and the share of the largest beta."""
    yield "ring", *cvxnn.load_ring(), 0.01
    yield "ring, 0.3", *cvxnn.load_ring(), 0.3
    yield "friedman1", *standardised(*make_friedman1(200, n_features=5, random_state=0)), 0.1
    if uci is None:
        yield "diabetes", *standardised(*load_diabetes(return_X_y=True)), 0.1
    else:
        from uci import load

        X, y, test = load(uci / "pol")
        train = ~test[:, 0]
        yield "pol", *standardised(X[train][:, X[train].std(axis=0) > 0.0], y[train]), 0.1


def trained(
    X: FloatArray, y: FloatArray, beta: float, method: cvxnn.Method, seconds: float
) -> list[Point]:
    """The curve of a method: its rounds, then the network it returns."""
    curve: list[Point] = []

    def note(entry: Progress) -> None:
        curve.append(
            (entry.elapsed, entry.n_neurons, entry.objective, entry.dual_bound, entry.method_bound)
        )

    solution = cvxnn.solve(
        X, y, beta, method=method, time_limit=seconds, max_iter=2000, callback=note
    )
    curve.append(
        (solution.elapsed, solution.n_neurons, solution.objective, solution.dual_bound, None)
    )
    return curve


def sampled(X: FloatArray, y: FloatArray, beta: float, seconds: float) -> list[Point]:
    """A run for each number of directions, with the bound over all networks."""
    curve: list[Point] = []
    for n_samples in SAMPLES:
        method = cvxnn.Sampled(n_samples)
        solution = cvxnn.solve(X, y, beta, method=method, time_limit=seconds)
        found = (solution.n_neurons, solution.objective, solution.dual_bound)
        curve.append((solution.elapsed, *found, None))
    return curve


def descended(
    X: FloatArray, y: FloatArray, beta: float, share: float, seconds: float
) -> list[Point]:
    """SGD with momentum on objective (2) over n, looked at ten times a second at no cost."""
    rng, n = np.random.default_rng(0), len(y)
    rate = share / float((X**2).sum())
    W = rng.standard_normal((WIDTH, X.shape[1])) / np.sqrt(X.shape[1])
    a = rng.standard_normal(WIDTH) / np.sqrt(WIDTH)
    moves = [np.zeros_like(W), np.zeros_like(a)]
    curve: list[Point] = []
    spent, looked = 0.0, -1.0
    while spent < seconds:
        begun = time.perf_counter()
        for _ in range(20):
            rows = rng.integers(0, n, BATCH)
            hidden = np.maximum(X[rows] @ W.T, 0.0)
            left = (hidden @ a - y[rows]) * (n / BATCH)
            slopes = [
                ((left[:, None] * a) * (hidden > 0.0)).T @ X[rows] + beta * W,
                left @ hidden + beta * a,
            ]
            for move, slope, weights in zip(moves, slopes, (W, a), strict=True):
                move *= MOMENTUM
                move -= rate * slope
                weights += move
        spent += time.perf_counter() - begun
        if spent - looked >= 0.1:
            looked = spent
            left = np.maximum(X @ W.T, 0.0) @ a - y
            # Balanced, each neuron costs the product of its weights.
            penalty = float((np.linalg.norm(W, axis=1) * np.abs(a)).sum())
            value = 0.5 * float(left @ left) + beta * penalty
            if not np.isfinite(value):
                break
            curve.append((spent, WIDTH, value, None, None))
    return curve


def best_descent(X: FloatArray, y: FloatArray, beta: float, seconds: float) -> list[Point]:
    """The best of all rates at each time, as if it had been known."""
    with np.errstate(all="ignore"):
        points = sorted(point for share in RATES for point in descended(X, y, beta, share, seconds))
    best, curve = np.inf, []
    for point in points:
        if point[2] < best:
            best = point[2]
            curve.append(point)
    return curve


def gap(objective: float, bound: float) -> float:
    return max(objective - bound, 0.0) / objective


def row(name: str, curve: list[Point], bound: float) -> list[str]:
    """The end of a curve, and when it was within 1 % of the best bound."""
    seconds, neurons, objective, own, _ = curve[-1]
    proven = "none" if own is None else f"{gap(objective, own):.1e}"
    near = [(point[0], point[1]) for point in curve if gap(point[2], bound) <= 0.01]
    first = "never" if not near else f"{near[0][0]:.2f} s, {near[0][1]} neurons"
    own_bounds = [point[4] for point in curve if point[4] is not None]
    method_gap = f"{gap(objective, max(own_bounds)):.1e}" if own_bounds else ""
    return [
        name, f"{objective:.6g}", f"{gap(objective, bound):.1e}", proven, method_gap,
        str(neurons), f"{seconds:.1f}", first,
    ]  # fmt: skip


def compare(
    X: FloatArray, y: FloatArray, beta: float, seconds: float
) -> tuple[dict[str, list[Point]], float]:
    """The curves of all methods, and the best bound of them."""
    curves = {name: trained(X, y, beta, method, seconds) for name, method in METHODS.items()}
    curves["sampled"] = sampled(X, y, beta, seconds)
    curves["SGD"] = best_descent(X, y, beta, seconds)
    bounds = [point[3] for curve in curves.values() for point in curve if point[3] is not None]
    return curves, max(bounds)


def check(curves: dict[str, list[Point]], best: float) -> int:
    """How many gaps of Frank and Wolfe's own are below the true one; there must be none."""
    wrong = 0
    for curve in curves.values():
        for _, _, objective, bound, own in curve:
            upper = best * (1.0 + 1e-9)
            wrong += any(known is not None and known > upper for known in (bound, own))
            wrong += objective < 0.0
    return wrong


def figure(results: dict[str, Any], path: Path) -> None:
    """Distance from the best bound against neurons and time, and gaps against rounds.

    Where that bound is far from all networks, the distance from the best of them.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(results), 3, figsize=(12.0, 3.0 * len(results)), squeeze=False)
    for (name, result), row_of in zip(results.items(), axes, strict=True):
        is_far = gap(result["best"], result["bound"]) > _FAR
        bound, what = result["best" if is_far else "bound"], "network" if is_far else "bound"
        for k, (label, curve) in enumerate(result["curves"].items()):
            seconds, neurons = (np.array([point[i] for point in curve]) for i in (0, 1))
            left = [max(gap(point[2], bound), 1e-8) for point in curve]
            style = {"color": f"C{k}", "label": label, "marker": "o" if label == "sampled" else ""}
            if label != "SGD":
                row_of[0].plot(neurons[:-1], left[:-1], **style)
            else:
                row_of[0].axhline(left[-1], color=f"C{k}", linestyle=":", label="SGD, 200 neurons")
            row_of[1].plot(seconds, left, **style)
            if label.startswith("frank_wolfe"):
                own = [gap(point[2], point[4]) for point in curve if point[4] is not None]
                rounds = np.arange(1, len(own) + 1)
                row_of[2].plot(rounds, left[: len(own)], color=f"C{k}", label=f"{label}: true")
                row_of[2].plot(rounds, own, "--", color=f"C{k}", label="its own gap")
        rounds = np.geomspace(10.0, 2000.0, 20)
        row_of[2].plot(rounds, 3.0 / rounds, "k:", label="3 / rounds")
        for place, xlabel in zip(row_of, ("neurons", "seconds", "rounds"), strict=True):
            place.set(xscale="log", yscale="log", xlabel=xlabel, title=name, ylim=(1e-8, 2.0))
        row_of[2].set_ylim(1e-4, 2.0)
        row_of[0].set_ylabel(f"(objective - best {what}) / objective")
    axes[0, 1].legend(fontsize=7)
    axes[0, 2].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def compared(
    uci: Path | None, only: list[str], seconds: float, results: dict[str, Any]
) -> Iterator[list[str]]:
    """A line for each problem and method; what they are of is added to the results."""
    for name, X, y, share in problems(uci):
        if only and name not in only:
            continue
        beta = share * cvxnn.largest_beta(X, y, time_limit=10.0)
        curves, bound = compare(X, y, beta, seconds)
        best = min(point[2] for curve in curves.values() for point in curve)
        for label, curve in curves.items():
            yield [name, *row(label, curve, bound)]
        results[name] = {
            "n": len(y), "d": X.shape[1], "beta": beta, "bound": bound, "best": best,
            "wrong": check(curves, best), "curves": curves,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uci", type=Path, metavar="DIR")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="the others stay as in --output"
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--output", type=Path, default=Path("incremental.json"))
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    warm_up()
    warm_up_global()
    results: dict[str, Any] = {}
    if arguments.only:
        results = json.loads(arguments.output.read_text(encoding="utf-8"))
    print_table(
        ["problem", "method", "objective", "to the best bound", "own proof", "method's gap",
         "neurons", "seconds", "within 1 %"],
        compared(arguments.uci, arguments.only, arguments.seconds, results),
    )  # fmt: skip
    for name, found in results.items():
        print(
            f"{name}: n = {found['n']}, d = {found['d']}, beta = {found['beta']:.4g}, best bound "
            f"{found['bound']:.8g}; bounds above the best objective, {found['best']:.8g}: "
            f"{found['wrong']}"
        )
    arguments.output.write_text(json.dumps(results), encoding="utf-8")
    if arguments.figure is not None:
        figure(results, arguments.figure)


if __name__ == "__main__":
    main()
