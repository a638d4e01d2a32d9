"""Paths from 50 networks to a global optimum: the largest rise of the objective on the way.

The starts differ in n, d, width, scale of the weights, balance and number of neurons
that are 0; every fifth has been trained by torch where it is installed, else it is left out.
The rise is the largest increase of objective (2), relative, between consecutive points of
2000 on the path; the objective is recomputed in plain NumPy from the weights. `falls` is
what the whole path gains. The second table is of two outputs with intercepts, from networks of
n c neurons more than the target; the third prunes 500 random neurons.

    python benchmarks/descent_paths.py [--starts 50] [--points 2000]
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import harness
import numpy as np
from numpy.typing import NDArray

import cvxnn

FloatArray = NDArray[np.float64]


def problem(seed: int) -> tuple[FloatArray, FloatArray, float]:
    rng = np.random.default_rng(seed)
    n, features = int(rng.integers(5, 41)), int(rng.integers(1, 4))
    X = np.column_stack([rng.standard_normal((n, features)), np.ones(n)])
    y = np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(n)
    return X, y, float(10.0 ** rng.uniform(-4.0, 0.0))


def random_start(X: FloatArray, seed: int) -> cvxnn.TwoLayerNetwork:
    """Weights of any size, unbalanced by up to six orders, some neurons 0 or dead."""
    rng = np.random.default_rng(1000 + seed)
    n, d = X.shape
    m = int(rng.integers(2 * n, 6 * n))
    scale = 10.0 ** rng.uniform(-2.0, 1.0)
    hidden, output = scale * rng.standard_normal((m, d)), scale * rng.standard_normal(m)
    if seed % 2:
        factors = 10.0 ** rng.uniform(-3.0, 3.0, m)
        hidden, output = hidden * factors[:, None], output / factors
    if seed % 3 == 0:
        hidden[rng.random(m) < 0.1] = 0.0
        output[rng.random(m) < 0.1] = 0.0
    return cvxnn.TwoLayerNetwork(hidden, output)


def torch_start(X: FloatArray, y: FloatArray, beta: float, seed: int) -> cvxnn.TwoLayerNetwork:
    """Gradient descent on objective (2) by torch: Adam, 500 steps from its default weights."""
    import torch

    torch.manual_seed(seed)
    rows, targets = torch.tensor(X), torch.tensor(y)
    model = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], 2 * len(X), bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(2 * len(X), 1, bias=False),
    ).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(500):
        optimizer.zero_grad()
        squares = sum((p**2).sum() for p in model.parameters())
        value = 0.5 * ((model(rows)[:, 0] - targets) ** 2).sum() + 0.5 * beta * squares
        value.backward()
        optimizer.step()
    hidden, output = (p.detach().numpy() for p in model.parameters())
    return cvxnn.TwoLayerNetwork(hidden, output[0])


def follow(seed: int, points: int, use_torch: bool) -> list[object]:
    X, y, beta = problem(seed)
    trained = seed % 5 == 0
    start = torch_start(X, y, beta, seed) if trained and use_torch else random_start(X, seed)
    optima = cvxnn.OptimalSet(X, y, beta)
    path = cvxnn.descent_path(start, optima.minimal_network(), X, y, beta)
    values = np.array(
        [
            harness.network_objective(X, y, beta, net.hidden_weights, net.output_weights)
            for net in map(path, np.linspace(0.0, 1.0, points))
        ]
    )
    rise = float((np.diff(values) / values[:-1]).max())
    kind = "torch" if trained and use_torch else "random"
    gap = values[-1] / optima.objective - 1.0
    return [
        f"{seed}", f"{len(X)}", f"{X.shape[1]}", f"{start.n_neurons}", kind, f"{beta:.1e}",
        f"{values[0]:.4g}", f"{values[-1]:.4g}", f"{gap:.0e}", f"{max(rise, 0.0):.1e}",
    ]  # fmt: skip


def follow_outputs(seed: int, points: int) -> list[object]:
    X, y, beta = problem(seed)
    X, Y, rng = X[:, [0, -1]], np.column_stack([y, np.abs(X[:, 0])]), np.random.default_rng(seed)
    target = cvxnn.solve(X, Y, beta, tol=1e-10, intercept=True)
    m = Y.size + target.network.n_neurons
    factors = 10.0 ** rng.uniform(-2.0, 2.0, (m, 1))
    hidden, output = rng.standard_normal((m, 2)) * factors, rng.standard_normal((m, 2)) / factors
    start = cvxnn.TwoLayerNetwork(hidden, output, intercept=rng.standard_normal(2))
    path = cvxnn.descent_path(start, target, X, Y, beta)
    values = np.array([_objective(path(t), X, Y, beta) for t in np.linspace(0.0, 1.0, points)])
    rise = float((np.diff(values) / values[:-1]).max())
    gap = values[-1] / target.dual_bound - 1.0
    return [
        f"{seed}", f"{len(X)}", f"{m}", f"{beta:.1e}", f"{values[0]:.4g}", f"{values[-1]:.4g}",
        f"{gap:.0e}", f"{max(rise, 0.0):.1e}",
    ]  # fmt: skip


def _objective(network: cvxnn.TwoLayerNetwork, X: FloatArray, Y: FloatArray, beta: float) -> float:
    hidden, output = np.array(network.hidden_weights), np.array(network.output_weights)
    left = np.maximum(X @ hidden.T, 0.0) @ output + np.array(network.intercept) - Y
    squares = float((hidden**2).sum() + (output**2).sum())
    return 0.5 * float((left**2).sum()) + 0.5 * beta * squares


def prune(seed: int) -> list[object]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((50, 4)), np.ones(50)])
    network = cvxnn.TwoLayerNetwork(rng.standard_normal((500, 5)), rng.standard_normal(500))
    pruned = network.prune(X)
    values = network.forward(X)
    moved = float(np.abs(pruned.forward(X) - values).max() / np.abs(values).max())
    return [
        f"{seed}", f"{pruned.n_neurons}", f"{moved:.1e}",
        f"{pruned.penalty() / network.balance().penalty():.6f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--points", type=int, default=2000)
    arguments = parser.parse_args()
    use_torch = find_spec("torch") is not None
    rows = [follow(seed, arguments.points, use_torch) for seed in range(arguments.starts)]
    titles = ["start", "n", "d", "m", "kind", "beta", "from", "to", "gap", "largest rise"]
    harness.print_table(titles, rows)
    print(f"largest rise of all: {max(float(str(row[-1])) for row in rows):.1e}\n")
    several = [follow_outputs(seed, arguments.points) for seed in range(arguments.starts // 5)]
    titles = ["start", "n", "m", "beta", "from", "to", "gap", "largest rise"]
    harness.print_table(titles, several)
    print(f"largest rise of all: {max(float(str(row[-1])) for row in several):.1e}\n")
    pruned = [prune(seed) for seed in range(5)]
    harness.print_table(["seed", "neurons left", "outputs moved", "penalty left"], pruned)


if __name__ == "__main__":
    main()
