"""
Intervals from quantiles, each the best of its kind
===================================================

A prediction is more use with an interval. Two quantiles make one: nine in ten targets are below the
upper, one in ten below the lower, so that eight in ten are between them. The loss of a quantile is
convex, and the network that minimises it is found with proof.

How far has diabetes gone after a year, given the body mass index?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import cvxnn

patients = load_diabetes(as_frame=True, scaled=False)
X, y = patients.data[["bmi"]].to_numpy(), patients.target.to_numpy()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=0)

# %%
# One network for each quantile, each the best one of its loss, up to the gap.

levels = (0.1, 0.5, 0.9)
models = {
    level: cvxnn.ConvexReLURegressor(
        beta=10.0, loss="quantile", quantile=level, time_limit=None
    ).fit(X_train, y_train)
    for level in levels
}
for level, model in models.items():
    print(f"{level}: {model.status_.name}, {model.n_neurons_} neurons, gap {model.dual_gap_:.0e}")

# %%
# How wide the interval is may depend on the index: targets do not spread alike everywhere.

grid = np.linspace(X.min(), X.max(), 300)[:, None]
low, middle, high = (models[level].predict(grid) for level in levels)
for place in (0, -1):
    print(f"index {grid[place, 0]:.0f}: {high[place] - low[place]:.0f} wide")
figure, ax = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
ax.fill_between(grid[:, 0], low, high, color="#56b4e9", alpha=0.35, label="10 % to 90 %")
ax.plot(grid, middle, color="#0072b2", linewidth=2.5, label="median")
ax.plot(X_train, y_train, ".", color="0.55", label="training")
ax.plot(X_test, y_test, "x", color="#d55e00", markersize=4, label="held out")
ax.set(xlabel="body mass index (kg/m\N{SUPERSCRIPT TWO})", ylabel="score of the progression")
ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False)
ax.set_title("The interval of eight in ten, and the median", pad=28)

# %%
# On patients who had no part in the training it should hold eight in ten; with so few of them the
# share is itself uncertain by two or three in a hundred.


def share_inside(rows, targets):
    low, high = models[0.1].predict(rows), models[0.9].predict(rows)
    return np.mean((low <= targets) & (targets <= high))


share = share_inside(X_test, y_test)
error = np.sqrt(share * (1.0 - share) / len(y_test))
print(f"training {100 * share_inside(X_train, y_train):.0f} %")
print(f"held out {100 * share:.0f} % +- {100 * error:.0f} %")

# %%
# Networks of two quantiles are trained apart, so that they may cross. How often do they here?

print("on", int(np.sum(low > high)), "of", len(grid), "points of the grid")
