"""What a third layer buys on one feature, and gated: optima beside those of two layers.

On one feature with free biases: the proven optimum of three layers over that of two (the program
of slopes in Clarabel), for noise, a bump, a plateau and a wave, from .3 to .003 of the largest
beta; the same networks trained by L-BFGS in PyTorch, where it is installed; seconds
for up to 100 000 rows beside the same program in Clarabel. Gated, n = 1000, d = 20: 30 gates, and
900 products of 30 gates in each of two layers. Seconds are those of the processor.

    OMP_NUM_THREADS=1 python benchmarks/depth.py --out depth.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import clarabel
import numpy as np
from harness import FloatArray, print_table
from scipy import sparse

import cvxnn

FREE = cvxnn.Parallel(bias="free")
_SHARES = (0.3, 0.1, 0.03, 0.01, 0.003)
_STARTS, _PARTS, _STEPS = 10, 20, 500


def targets(n: int) -> tuple[FloatArray, dict[str, FloatArray]]:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-1.0, 1.0, n))
    shapes = {
        "noise": rng.standard_normal(n),
        "bump": np.maximum(1.0 - 3.0 * np.abs(x), 0.0),
        "plateau": np.clip(3.0 - 6.0 * np.abs(x), 0.0, 1.0),
        "wave": np.sin(8.0 * x),
    }
    return x, {
        name: y + (0.1 if name != "noise" else 0.0) * rng.standard_normal(n)
        for name, y in shapes.items()
    }


def clarabel_optimum(x: FloatArray, y: FloatArray, beta: float, layers: int) -> tuple[float, float]:
    """The program of values and slopes at the points: its value and seconds.

    Three layers pay half of all turns of the slope from 0 to 0; two layers the larger of the
    sum of inner turns and of half of that and ``|s_1 + s_{m-1}|`` (handbook B.15).
    """
    start, n = time.process_time(), len(x)
    m, dx = n - 1, np.diff(x)
    rise = sparse.diags([-np.ones(m), np.ones(m)], [0, 1], shape=(m, n))
    inner = sparse.diags([-np.ones(m - 1), np.ones(m - 1)], [0, 1], shape=(m - 1, m))
    ends = sparse.csr_matrix(([1.0, 1.0], ([0, 1], [0, m - 1])), shape=(2, m))
    ends = ends if layers == 3 else sparse.csr_matrix(np.ones((1, 2))) @ ends
    turns = sparse.vstack([inner, ends])
    k = turns.shape[0]
    equal = sparse.hstack([rise, -sparse.diags(dx), sparse.csr_matrix((m, k + 1))])
    none, column, ones = sparse.csr_matrix((k, n)), sparse.csr_matrix((k, 1)), sparse.eye(k)
    rows = [equal, *(sparse.hstack([none, s * turns, -ones, column]) for s in (1.0, -1.0))]
    weights = np.concatenate([np.ones(m - 1), np.zeros(k - m + 1)])
    prices = [0.5 * np.ones(k)] if layers == 3 else [weights, 0.5 * np.ones(k)]
    for price in prices:
        rows.append(sparse.csr_matrix(np.concatenate([np.zeros(n + m), price, [-1.0]])[None]))
    A = sparse.vstack(rows, format="csc")
    q = np.concatenate([-y, np.zeros(m + k), [beta]])
    P = sparse.block_diag([sparse.eye(n), sparse.csr_matrix((m + k + 1,) * 2)], format="csc")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.ZeroConeT(m), clarabel.NonnegativeConeT(A.shape[0] - m)]
    solver = clarabel.DefaultSolver(P, q, A, np.zeros(A.shape[0]), cones, settings)
    value = solver.solve().obj_val + 0.5 * float(y @ y)
    return float(value), time.process_time() - start


def trained_in_torch(x: FloatArray, y: FloatArray, beta: float, seed: int) -> float:
    """The objective of L-BFGS from random weights of 20 sub-networks of three hidden units."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    X, Y = torch.tensor(x)[:, None, None], torch.tensor(y)
    W, c, b = (torch.randn(_PARTS, 3, requires_grad=True) for _ in range(3))
    e, a = (torch.randn(_PARTS, requires_grad=True) for _ in range(2))
    o = torch.zeros(1, requires_grad=True)
    steps = torch.optim.LBFGS(
        [W, c, b, e, a, o], max_iter=_STEPS, line_search_fn="strong_wolfe",
        tolerance_grad=1e-9, tolerance_change=1e-13,
    )  # fmt: skip

    def objective() -> Any:
        hidden = torch.relu(X * W + c)
        f = torch.relu((hidden * b).sum(2) + e) @ a + o
        cubes = (W**2).sum(1) ** 1.5 + (b**2).sum(1) ** 1.5 + a.abs() ** 3
        return 0.5 * ((f - Y) ** 2).sum() + beta / 3.0 * cubes.sum()

    def closure() -> Any:
        steps.zero_grad()
        value = objective()
        value.backward()
        return value

    steps.step(closure)
    return float(objective().detach())


def has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def depth_on_a_line(n: int) -> list[dict[str, Any]]:
    x, shapes = targets(n)
    found = []
    for name, y in shapes.items():
        largest = cvxnn.largest_beta(x[:, None], y, model=FREE)
        for share in _SHARES:
            beta = share * largest
            ours = cvxnn.solve(x[:, None], y, beta, model=FREE)
            two, _ = clarabel_optimum(x, y, beta, 2)
            line = {
                "target": name, "share": share, "three": ours.objective, "gap": ours.gap,
                "two": two, "ratio": ours.objective / two, "parts": ours.n_neurons,
            }  # fmt: skip
            if share == 0.03 and has_torch():
                starts = [trained_in_torch(x, y, beta, seed) for seed in range(_STARTS)]
                trained = np.array(starts) / ours.objective
                line["torch"] = [float(trained.min()), float(np.median(trained))]
            found.append(line)
    print_table(
        ["target", "share of beta", "three", "gap", "two", "ratio", "parts", "L-BFGS over ours"],
        [
            [
                each["target"], each["share"], f"{each['three']:.5f}", f"{each['gap']:.0e}",
                f"{each['two']:.5f}", f"{each['ratio']:.3f}", each["parts"],
                "/".join(f"{t:.3f}" for t in each.get("torch", [])),
            ]
            for each in found
        ],
    )  # fmt: skip
    return found


def size_on_a_line() -> list[dict[str, Any]]:
    found = []
    for n in (1000, 20_000, 100_000):
        x, shapes = targets(n)
        y = shapes["wave"]
        beta = 0.01 * cvxnn.largest_beta(x[:, None], y, model=FREE)
        start = time.process_time()
        ours = cvxnn.solve(x[:, None], y, beta, model=FREE)
        seconds = time.process_time() - start
        start = time.process_time()
        report = ours.certificate.verify(x[:, None], y, network=ours.network)
        checked = time.process_time() - start
        value, theirs = clarabel_optimum(x, y, beta, 3)
        found.append(
            {
                "n": n, "seconds": seconds, "gap": ours.gap, "check": checked,
                "accepted": report.accepted, "clarabel_seconds": theirs,
                "clarabel_above": value / ours.objective - 1.0, "parts": ours.n_neurons,
            }
        )  # fmt: skip
    print_table(
        ["n", "s", "gap", "check, s", "accepted", "Clarabel, s", "its value above", "parts"],
        [[f"{v:.2g}" if isinstance(v, float) else v for v in each.values()] for each in found],
    )
    return found


def gated() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    n, d, G = 1000, 20, 30
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    y = np.sin(2.0 * X[:, 0]) * X[:, 1] + 0.2 * rng.standard_normal(n)
    first, second = rng.standard_normal((G, d)), rng.standard_normal((G, d))
    beta = 0.05 * cvxnn.largest_beta(X, y, model=cvxnn.Gated(first, depth=3, second_gates=second))
    models = {
        "two layers": cvxnn.Gated(first),
        "three": cvxnn.Gated(first, depth=3, second_gates=second),
    }
    found = []
    for name, model in models.items():
        start = time.process_time()
        run = cvxnn.solve(X, y, beta, model=model)
        found.append(
            {
                "model": name, "patterns": run.n_patterns, "objective": run.objective,
                "gap": run.gap, "neurons": run.n_neurons, "seconds": time.process_time() - start,
            }
        )  # fmt: skip
    print_table(
        ["gated", "patterns", "objective", "gap", "neurons", "s"],
        [[f"{v:.4g}" if isinstance(v, float) else v for v in each.values()] for each in found],
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("-n", type=int, default=200)
    arguments = parser.parse_args()
    x = np.linspace(0.0, 1.0, 9)
    cvxnn.solve(x[:, None], x**2, 0.01, model=FREE)
    found = {"line": depth_on_a_line(arguments.n), "size": size_on_a_line(), "gated": gated()}
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
