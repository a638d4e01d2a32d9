"""
A path to the optimum that never climbs
=======================================

Gradient methods get stuck in narrow networks. In networks that are wide enough no start is behind a
hill: from each of them a path leads to the best network along which the objective never rises. This
is a theorem with a construction, and :func:`cvxnn.descent_path` walks it.

The data are the twenty men of the Linnerud table: how is the waist related to chin-ups, sit-ups and
jumps?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_linnerud
from sklearn.preprocessing import scale

import cvxnn
from cvxnn.plotting import plot_descent

table = load_linnerud()
X = np.column_stack([scale(table.data), np.ones(20)])
y = scale(table.target[:, table.target_names.index("Waist")])
beta = 0.5
target = cvxnn.solve(X, y, beta, tol=1e-9)
print(f"{target.status.name}, objective {target.objective:.4f}, {target.n_neurons} neurons")

# %%
# The start is a network of 40 random neurons, twice as many as rows, which is always wide enough.

rng = np.random.default_rng(0)
start = cvxnn.TwoLayerNetwork(rng.standard_normal((40, 4)), rng.standard_normal(40))
path = cvxnn.descent_path(start, target.network, X, y, beta)
print(path)

# %%
# Weights of each neuron are balanced, which lowers the penalty. Then neurons are pruned such that
# all predictions stay. Then what is left shrinks while the optimum grows in the free places.

figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
plot_descent(path, X, y, beta, ax=ax)

# %%
# Along two thousand points of the path the objective never rises, and the end is the optimum.

values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 2000))
print(f"from {values[0]:.1f} to {values[-1]:.4f}")
print("never rises:", bool((np.diff(values) <= 1e-12 * values[:-1]).all()))

# %%
# How gradient descent fares from the same kind of start, with few neurons and with many: the
# objectives above the optimum after 5000 steps.


def descend(width, seed, steps=5000, step_size=0.002):
    rng = np.random.default_rng(seed)
    hidden, output = rng.standard_normal((width, 4)), rng.standard_normal(width)
    hidden, output = hidden / width**0.5, output / width**0.5
    for _ in range(steps):
        active = np.maximum(X @ hidden.T, 0.0)
        residual = active @ output - y
        slopes = residual[:, None] * (active > 0.0) * output
        output = output - step_size * (active.T @ residual + beta * output)
        hidden = hidden - step_size * (slopes.T @ X + beta * hidden)
    return cvxnn.TwoLayerNetwork(hidden, output).balance().objective(X, y, beta)


for width in (2, 5, 40):
    excess = [descend(width, seed) / target.objective - 1.0 for seed in range(5)]
    print(f"{width:2d} neurons:", *(f"+{100 * each:.1f} %" for each in sorted(excess)))
