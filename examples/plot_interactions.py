"""
Which pairs act together? A polynomial activation, with proof
=============================================================

With a quadratic activation a network is a quadratic function of all features: it has the products
of all pairs, but its penalty lets it have few independent ones. Its optimum is proven for any
number of features, in seconds.

Which pairs of measurements act together in the diabetes patients of scikit-learn?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler, scale

import cvxnn

patients = load_diabetes()
X, y, names = scale(patients.data), scale(patients.target), patients.feature_names
quadratic = cvxnn.Polynomial()
largest = cvxnn.largest_beta(X, y, model=quadratic, intercept=True)
path = cvxnn.regularization_path(X, y, 8, model=quadratic, intercept=True)
for beta, solution in zip(path.betas, path.solutions, strict=True):
    print(f"beta {beta:7.2f}: {solution.status.name}, {solution.n_neurons:2d} neurons")

# %%
# The weights of the products are a matrix. A row or column is a feature, the diagonal its square.


def products(network):
    directions, sizes = network.hidden_weights, network.output_weights
    return network.a * (directions.T * sizes) @ directions


figure, axes = plt.subplots(1, 2, figsize=(9.0, 4.2), layout="constrained")
for ax, share in zip(axes, (0.3, 0.03), strict=True):
    solution = cvxnn.solve(X, y, share * largest, model=quadratic, intercept=True)
    matrix = products(solution.network)
    limit = np.abs(matrix).max()
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_xticks(range(10), names, rotation=90)
    ax.set_yticks(range(10), names)
    ax.set_title(f"{share:g} of the largest beta: rank {np.linalg.matrix_rank(matrix, 1e-8)}")
    figure.colorbar(image, ax=ax, shrink=0.8)

# %%
# Beside ridge regression on the features, and on all products, each with its best penalty:

folds = KFold(5, shuffle=True, random_state=0)
strengths = np.logspace(-1, 4, 16)
models = {
    "ridge": make_pipeline(StandardScaler(), RidgeCV(strengths)),
    "ridge on all products": make_pipeline(
        StandardScaler(), PolynomialFeatures(2), StandardScaler(), RidgeCV(strengths)
    ),
    "polynomial network": cvxnn.ConvexReLURegressorCV(
        model=quadratic, hidden_bias=False, cv=3, time_limit=None
    ),
}
for name, model in models.items():
    scores = cross_val_score(model, X, y, cv=folds)
    print(f"{name}: R2 {scores.mean():.3f} +- {scores.std() / 5**0.5:.3f}")
