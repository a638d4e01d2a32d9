"""
A third layer helps, with proof
===============================

A third layer can only lower the optimum, since networks of two layers are among those of three.
Whether it lowers it at all is a question that training alone cannot answer: a worse objective may
be bad luck. Here it is answered with proof.

How likely is a tumour malignant, given its mean radius? Those of scikit-learn's breast cancer table
are in twelve groups of equal size, from small to large.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import cvxnn

table = load_breast_cancer()
order = np.argsort(table.data[:, 0], kind="stable")
groups = np.array_split(order, 12)
radius = np.array([table.data[group, 0].mean() for group in groups])
share = np.array([1.0 - table.target[group].mean() for group in groups])
u = (radius - radius.mean()) / radius.std()
X = np.column_stack([u, np.ones(12)])

# %%
# :func:`cvxnn.depth_gain` compares the optima of two and three layers, whose penalties are such
# that a function of two layers costs the same in both.

beta = 0.02
gain = cvxnn.depth_gain(X, share, beta, tol=1e-2)
print("a third layer helps:", gain.helps)
print("optimum of three layers over that of two: {:.3f} to {:.3f}".format(*gain.ratio))

# %%
# The share is flat, steep and flat again. Two layers need a neuron for each turn, and pay its whole
# slope; a sub-network of three layers can be a ramp that ends.

two = cvxnn.solve(X, share, beta)
three = cvxnn.solve(X, share, beta, model="parallel", tol=1e-2)
for name, solution in (("two layers", two), ("three layers", three)):
    print(f"{name}: {solution.status.name}, objective {solution.objective:.5f}")
grid = np.linspace(u.min() - 0.3, u.max() + 0.3, 400)
rows = np.column_stack([grid, np.ones(400)])
figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
back = radius.mean() + radius.std() * grid
ax.plot(back, two.network(rows), color="#d55e00", linestyle="--", linewidth=2.0, label="two layers")
ax.plot(back, three.network(rows), color="#0072b2", linewidth=2.5, label="three layers")
ax.plot(radius, share, "o", color="0.35", label="groups of tumours")
ax.set(
    xlabel="mean radius", ylabel="share that is malignant",
    title="The best network of two layers, and of three",
)  # fmt: skip
ax.legend()

# %%
# For a single feature and biases that cost nothing there is no limit on the number of rows: all 569
# tumours at once, with the logistic loss.

labels = 1.0 - 2.0 * table.target
ramps = cvxnn.Parallel(bias="free")
column = (table.data[:, :1] - table.data[:, 0].mean()) / table.data[:, 0].std()
largest = cvxnn.largest_beta(column, labels, model=ramps, loss="logistic")
all_rows = cvxnn.solve(column, labels, 0.01 * largest, model=ramps, loss="logistic")
print(f"{all_rows.status.name}, gap {all_rows.gap:.0e}, {all_rows.n_neurons} sub-networks")
