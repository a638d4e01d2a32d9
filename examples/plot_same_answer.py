"""
The same answer for every seed
==============================

Gradient methods end where their random start leads them. The optimum is one value: cvxnn finds it
from no start at all, and proves that nothing is better.

The data are the brightness of pixels along a line across a photo of a flower, which comes with
scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.neural_network import MLPRegressor

import cvxnn

brightness = load_sample_image("flower.jpg")[200, ::10].mean(axis=1)
place = 10 * np.arange(len(brightness))
centre, spread = brightness.mean(), brightness.std()
x, y = np.linspace(-2.0, 2.0, len(place)), (brightness - centre) / spread
X = np.column_stack([x, np.ones(len(x))])  # neurons see the column of ones, their bias
beta = 0.1

# %%
# Networks of scikit-learn with ten neurons, each from other random weights, are trained by L-BFGS
# until it stops.

trained = [
    MLPRegressor(
        hidden_layer_sizes=10, solver="lbfgs", alpha=beta, max_iter=5000, random_state=seed
    ).fit(X[:, :1], y)
    for seed in range(10)
]

# %%
# cvxnn takes no seed. The gap that it returns says how much better any other network can be, of any
# width.

solution = cvxnn.solve(X, y, beta, intercept=True)
print(solution.status.name, f"objective {solution.objective:.4f}, gap {solution.gap:.0e}")

# %%
# MLPRegressor spares the biases of its neurons, which the objective of cvxnn penalises like the
# other weights. So that both have the same objective, its networks are read as networks of cvxnn,
# and balanced, which changes no prediction and makes the penalty as small as it can be.


def read(network):
    hidden = np.column_stack([network.coefs_[0].T, network.intercepts_[0]])
    read = cvxnn.TwoLayerNetwork(hidden, network.coefs_[1][:, 0])
    return read.with_intercept(network.intercepts_[1][0]).balance()


networks = [read(network) for network in trained]
objectives = sorted(network.objective(X, y, beta) for network in networks)
print("ten seeds:", *(f"{objective:.2f}" for objective in objectives))

# %%
# Each seed is another function, and one number is below all of their objectives.

rows = np.column_stack([np.linspace(-2.0, 2.0, 400), np.ones(400)])
along = np.linspace(0, place[-1], 400)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.0, 3.6), width_ratios=(2, 1), layout="constrained"
)
for network in networks:
    left.plot(along, centre + spread * network(rows), color="0.65", linewidth=1.0)
left.plot([], [], color="0.65", linewidth=1.0, label="ten seeds of L-BFGS")
best = centre + spread * solution.network(rows)
left.plot(along, best, color="#0072b2", linewidth=2.5, label="cvxnn")
left.plot(place, brightness, "o", color="#d55e00", markersize=4, label="pixels")
left.set(xlabel="place (pixels)", ylabel="brightness", ylim=(0, 200))
left.set_title("Ten seeds, ten functions", pad=24)
left.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
right.plot(range(1, 11), objectives, "o", color="0.45", label="seeds, sorted")
right.axhline(solution.dual_bound, color="#0072b2", linewidth=2.5, label="proven optimum")
right.set(xlabel="network", ylabel="objective", ylim=(0.0, None))
right.set_title("One optimum below", pad=24)
right.legend()
