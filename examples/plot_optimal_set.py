"""
All optima at once, on a circle
===============================

The best value is one number, the best network need not be one network. Of four points on a circle,
all with the target 1, a whole segment of networks is optimal. They agree on the points and differ
between them, so that "the" prediction there is a choice that the data have not made.
"""

import matplotlib.pyplot as plt
import numpy as np

import cvxnn
from cvxnn.plotting import plot_neurons, plot_predictions


def on_circle(angles):
    return np.column_stack([np.cos(angles), np.sin(angles)])


corners = np.arange(4) * np.pi / 2.0
X, y, beta = on_circle(corners), np.ones(4), 0.1
optima = cvxnn.OptimalSet(X, y, beta)
print(optima)

# %%
# All optimal networks have their neurons along four directions. How the weight is shared among
# these has one degree of freedom (``dimension``), and so have the functions
# (``function_dimension``). The two ends of the segment are the networks with the fewest neurons:

ends = optima.vertices()
for network in ends:
    print(f"{network.n_neurons} neurons, objective {network.objective(X, y, beta):.6f}")
left, right = plot_neurons(
    ends,
    names=("weight of the first coordinate", "weight of the second"),
    axes=plt.subplots(1, 2, figsize=(8.0, 4.0), sharey=True, layout="constrained")[1],
)
for ax, end in ((left, "one end"), (right, "the other end")):
    ax.set_title(f"The neurons of {end}")
left.legend(loc="upper left")

# %%
# Around the circle, from 0 to 360 degrees: the range of what optimal networks predict, and some of
# them. At the four points there is no freedom, between them a lot.

degrees = np.linspace(0.0, 360.0, 361)
figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
plot_predictions(
    optima,
    degrees,
    features=lambda grid: on_circle(np.deg2rad(grid)),
    data=(np.rad2deg(corners), y),
    ax=ax,
)
ax.set(xlabel="angle (degrees)", xticks=range(0, 361, 90))
ax.set_title("What optimal networks predict on the circle", pad=28)

# %%
# A wish can decide: of all optimal networks, the one with the largest prediction at 45 degrees.

wish = on_circle(np.array([np.pi / 4.0]))
lowest, highest = optima.prediction_range(wish)
best = optima.optimise([1.0], wish)
print(f"between {lowest[0]:.3f} and {highest[0]:.3f}; chosen {best(wish)[0]:.3f}")
print("optimal:", optima.contains(best))

# %%
# Real data of some noise leave no such freedom, as a rule. The ring has 50 points:

ring = cvxnn.load_ring()
print(cvxnn.OptimalSet(*ring, beta=1.0))
