"""
How much better could the network be that you trained?
======================================================

A loss that no longer falls says that the training has ended, not that the network is good. How much
better could any network have been, of any width? :func:`cvxnn.certify` answers with a lower bound
that is proven, for networks of scikit-learn and PyTorch and for arrays of weights.

The data are the diabetes patients of scikit-learn, with the body mass index and the logarithm of a
serum level.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import scale

import cvxnn

patients = load_diabetes(as_frame=True)
X = scale(patients.data[["bmi", "s5"]].to_numpy())
y = scale(patients.target.to_numpy())
alpha = 10.0

# %%
# Networks of scikit-learn with more and more neurons, three seeds each, trained by L-BFGS. The
# ``alpha`` of an MLPRegressor is the beta of cvxnn.

widths = (1, 2, 5, 20, 100)
trained = {
    width: [
        MLPRegressor(
            hidden_layer_sizes=width,
            solver="lbfgs",
            alpha=alpha,
            max_iter=5000,
            max_fun=10**6,
            random_state=seed,
        ).fit(X, y)
        for seed in range(3)
    ]
    for width in widths
}

# %%
# A certificate is about a network, the data and beta. This is one of the networks with five
# neurons:

certificate = cvxnn.certify(trained[5][0], X, y, beta=alpha)
print(certificate.verdict.name)
print(f"its objective  {certificate.objective:.3f}")
print(f"the bound      {certificate.dual_bound:.3f}")
print(f"the gap        {100 * certificate.gap:.2f} %")

# %%
# The gap is the share of its objective by which the best network can be better at most. Notes say
# in which way the objective that scikit-learn minimises is another one: it spares the biases.

print(*certificate.notes, sep="\n")

# %%
# The bound is one for all networks on these data, so it is computed once. The objective of each
# network is read off its weights, balanced, which changes no prediction. The output bias is an
# intercept here, which costs nothing, so that the bound is a little lower than that above.


def objective_of(mlp):
    hidden = np.column_stack([mlp.coefs_[0].T, mlp.intercepts_[0]])
    output = mlp.coefs_[1][:, 0]
    network = cvxnn.TwoLayerNetwork(hidden, output).with_intercept(mlp.intercepts_[1][0])
    return network.balance().objective(with_ones, y, alpha)


with_ones = np.column_stack([X, np.ones(len(X))])
optimum = cvxnn.solve(with_ones, y, alpha, intercept=True)
print(f"{optimum.status.name}, {optimum.n_neurons} neurons, bound {optimum.dual_bound:.3f}")

# %%
# Above the bound by how much? That share of the bound is what is left to gain, whatever the width
# and however long the training. Wide networks end close to each other and yet above what is best.

figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
for place, width in enumerate(widths):
    above = [100 * (objective_of(mlp) / optimum.dual_bound - 1) for mlp in trained[width]]
    ax.semilogy([place] * 3, above, "o", color="#d55e00")
    print(f"{width:3d} neurons:", *(f"+{each:.2f} %" for each in sorted(above)))
ax.set_xticks(range(len(widths)), widths)
ax.set_yticks([0.1, 1, 10, 100], ["0.1 %", "1 %", "10 %", "100 %"])
ax.grid(axis="y", color="0.85")
ax.set(
    xlabel="neurons of the MLPRegressor", ylabel="above the proven bound",
    title="What three seeds of each width leave to gain",
)  # fmt: skip

# %%
# Where the certificate says ``IMPROVABLE`` it has a better network at hand.

if certificate.better_network is not None:
    better = certificate.better_network
    print(f"{better.objective:.3f} with {better.n_neurons} neurons")
