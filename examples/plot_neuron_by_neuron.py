"""
Neuron by neuron, until none is worth its price
===============================================

The convex view makes training a network as simple as filling a basket: look for the neuron that
would lower the objective most, put it in, find the best weights of all that are there, and begin
again. When no neuron is worth its price the network is the best one of any width, and that is its
proof. So goes ``method="incremental"``. Frank and Wolfe's method, older and simpler still, takes a
step towards each new neuron and leaves the others as they are.

How far has diabetes gone after a year, given the body mass index? The data are the 442 patients of
scikit-learn.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

import cvxnn

patients = load_diabetes(as_frame=True, scaled=False)
index, y = patients.data["bmi"].to_numpy(), patients.target.to_numpy()
u, y = (index - index.mean()) / index.std(), (y - y.mean()) / y.std()
X = np.column_stack([u, np.ones(len(u))])
beta = 0.05 * cvxnn.largest_beta(X, y)

# %%
# The first rounds. A search that is cut short warns that it is, which is intended here.

warnings.simplefilter("ignore", ConvergenceWarning)
optimum = cvxnn.solve(X, y, beta, method="incremental")
rounds = {k: cvxnn.solve(X, y, beta, method="incremental", max_iter=k) for k in (1, 2, 3)}
rounds[optimum.n_iter] = optimum
for k, solution in rounds.items():
    print(
        f"round {k:2d}: {solution.n_neurons} neurons, objective {solution.objective:.4f}, "
        f"bound {solution.dual_bound:.4f}, {solution.status.name}"
    )

# %%
# Round by round the network bends where the patients want it to. What comes after the third round
# is too little to be seen, and nothing comes after the last.

grid = np.linspace(index.min(), index.max(), 300)
rows = np.column_stack([(grid - index.mean()) / index.std(), np.ones(len(grid))])
figure, axes = plt.subplots(
    1, len(rounds), figsize=(10.0, 3.0), sharex=True, sharey=True, layout="constrained"
)
for ax, (k, solution) in zip(axes, rounds.items(), strict=True):
    ax.plot(index, y, ".", color="0.7", markersize=3)
    ax.plot(grid, solution.network(rows), color="#0072b2", linewidth=2.5)
    ax.set(title=f"round {k}", xlabel="body mass index")
axes[0].set_ylabel("progression (standardised)")

# %%
# The same problem by three methods. ``"global"``, the default, also moves the neurons that it has.

methods = {
    "global": cvxnn.Global(),
    "incremental": cvxnn.Incremental(),
    "Frank-Wolfe": cvxnn.FrankWolfe(),
}
runs = {name: cvxnn.solve(X, y, beta, method=each, max_iter=150) for name, each in methods.items()}
for name, run in runs.items():
    print(f"{name:11}: {run.n_iter:3d} rounds, {run.n_neurons:2d} neurons, gap {run.gap:.0e}")

# %%
# How far objective and bound are from the optimum, round by round. Between the two lines of a
# colour lies whatever is not known yet. Frank-Wolfe comes near at once and then takes its time,
# with ever more neurons.

colors = {"global": "#009e73", "incremental": "#0072b2", "Frank-Wolfe": "#d55e00"}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
for name, run in runs.items():
    steps = [entry.iteration + 1 for entry in run.history]
    above = [100 * (entry.objective / optimum.objective - 1) for entry in run.history]
    below = [100 * (1 - entry.dual_bound / optimum.objective) for entry in run.history]
    left.loglog(steps, np.maximum(above, 1e-6), color=colors[name], label=name)
    left.loglog(steps, np.maximum(below, 1e-6), color=colors[name], linestyle=":")
    right.plot(steps, [entry.n_neurons for entry in run.history], color=colors[name], label=name)
left.plot([], [], color="0.4", label="objective above it")
left.plot([], [], color="0.4", linestyle=":", label="bound below it")
left.set(ylabel="distance to the optimum (%)", title="Objective and bound close in")
right.set(xscale="log", ylabel="neurons of the network", title="What it takes")
for ax in (left, right):
    ax.set_xticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
    ax.set_xlabel("round")
left.legend(fontsize="small")
