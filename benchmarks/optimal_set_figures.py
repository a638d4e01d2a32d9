"""The figures of docs/guide/optimal_set.md; needs matplotlib.

python benchmarks/optimal_set_figures.py [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

import cvxnn
from cvxnn.plotting import plot_descent, plot_neurons, plot_predictions

matplotlib.use("Agg")
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    y, beta = np.array([1.0, -1.0, 1.0, -1.0, 1.0]), 1e-4
    optima = cvxnn.OptimalSet(X, y, beta)
    axes = plot_neurons(
        optima.vertices(),
        titles=["one end of the segment", "the other end"],
        names=("weight of x", "bias"),
    )
    axes[0].figure.savefig(folder / "neurons.png", dpi=100)

    angles = np.arange(4) * np.pi / 2.0
    circle = cvxnn.OptimalSet(np.column_stack([np.cos(angles), np.sin(angles)]), np.ones(4), 0.1)
    ax = plot_predictions(
        circle,
        np.linspace(0.0, 2.0 * np.pi, 361),
        features=lambda t: np.column_stack([np.cos(t), np.sin(t)]),
        data=(angles, np.ones(4)),
    )
    ax.set_xlabel("angle")
    ax.figure.savefig(folder / "circle.png", dpi=100)

    rng = np.random.default_rng(0)
    start = cvxnn.TwoLayerNetwork(3.0 * rng.standard_normal((12, 2)), rng.standard_normal(12))
    path = cvxnn.descent_path(start, optima.minimal_network(), X, y, beta)
    plot_descent(path, X, y, beta).figure.savefig(folder / "descent.png", dpi=100)


if __name__ == "__main__":
    main()
