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
from cvxnn.baselines import local_search
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
ax.set_title("The objective along the path", pad=24)

# %%
# Along two thousand points of the path the objective never rises, and the end is the optimum.

values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 2000))
print(f"from {values[0]:.1f} to {values[-1]:.4f}")
print("never rises:", bool((np.diff(values) <= 1e-12 * values[:-1]).all()))

# %%
# How gradient descent with momentum fares from random starts, with few neurons and with many: how
# far above the optimum it ends.

for width in (2, 5, 40):
    search = local_search(X, y, beta, width=width, iterations=5000, n_trials=5)
    above = search.losses[:, -1] / target.objective - 1.0
    print(f"{width:2d} neurons:", *(f"+{100 * each:.1f} %" for each in sorted(above)))
