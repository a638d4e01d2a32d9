"""
Several classes share their neurons
===================================

With three classes or more a network has an output for each, and all outputs read the same neurons.
It is trained by the loss of multinomial logistic regression, and the optimum is one for all classes
together.

The data are the flowers of the iris table: the length and width of the petals.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import load_iris

import cvxnn

iris = load_iris()
X, species = iris.data[:, 2:], iris.target_names[iris.target]
model = cvxnn.ConvexReLUClassifier(beta=0.5).fit(X, species)
print(model.status_.name, f"objective {model.objective_:.4f}, bound {model.dual_bound_:.4f}")
print(f"{model.n_neurons_} neurons for {len(model.classes_)} classes")

# %%
# Each neuron has one vector of hidden weights and an output weight for each class.

for size, weights in zip(
    np.linalg.norm(model.network_.hidden_weights, axis=1),
    model.network_.output_weights,
    strict=True,
):
    print(f"size {size**2:5.2f}:", *(f"{weight:+.2f}" for weight in weights))

# %%
# The plane of both features, with the class that is most likely, and how sure the network is of it.

across, up = np.meshgrid(np.linspace(0.5, 7.5, 300), np.linspace(-0.1, 2.8, 300))
points = np.column_stack([across.ravel(), up.ravel()])
probabilities = model.predict_proba(points).reshape(300, 300, 3)
colors = ["#56b4e9", "#e69f00", "#009e73"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True, layout="constrained")
left.contourf(
    across, up, probabilities.argmax(axis=2), levels=[-0.5, 0.5, 1.5, 2.5], alpha=0.4,
    cmap=ListedColormap(colors),
)  # fmt: skip
for kind, color, marker in zip(model.classes_, colors, "os^", strict=True):
    chosen = X[species == kind]
    left.plot(*chosen.T, marker, color=color, markeredgecolor="0.2", markersize=5, label=kind)
left.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title="most likely class")
left.legend(loc="upper left")
sure = right.contourf(across, up, probabilities.max(axis=2), levels=12, cmap="cividis")
figure.colorbar(sure, ax=right, label="probability of that class")
right.set(xlabel="petal length (cm)", title="how sure")

# %%
# One network for each class against the rest is three proofs of three problems, with more neurons.

apart = cvxnn.ConvexReLUClassifier(beta=0.5, multi_class="ovr").fit(X, species)
print(f"shared: {model.n_neurons_} neurons, {100 * model.score(X, species):.1f} % right")
print(f"apart:  {apart.n_neurons_} neurons, {100 * apart.score(X, species):.1f} % right")
