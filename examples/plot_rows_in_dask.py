"""
Rows in dask
============

Rows that do not fit into one memory, or are on a cluster, stay where they are: what is exchanged
are sums over them. So the network is the same however the rows are cut.

The data are simulated, by scikit-learn's ``make_friedman1``, so that the truth is known. Twenty
thousand rows fit into any memory; the calls are the same for twenty billion.
"""

import warnings

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

import cvxnn

X, y = make_friedman1(20_000, n_features=6, noise=1.0, random_state=0)
truth = make_friedman1(20_000, n_features=6, noise=0.0, random_state=0)[1]

# %%
# Three ways to cut the rows. Of a cluster, ``distributed.Client("scheduler:8786")`` would be made
# before; without one, threads of this process do the work. Files come by
# ``dask.dataframe.read_parquet``. Three rounds of the search are enough here; that it is cut short,
# of which cvxnn warns, is intended.

warnings.simplefilter("ignore", ConvergenceWarning)
fitted = {}
for length in (20_000, 7_000, 1_500):
    rows, targets = da.from_array(X, chunks=(length, 6)), da.from_array(y, chunks=length)
    model = cvxnn.ConvexReLURegressor(
        beta=200.0, method=cvxnn.Global(polish=False, proof_time=0.0), max_iter=3
    )
    fitted[rows.numblocks[0]] = model.fit(rows, targets)
for blocks, model in fitted.items():
    print(f"{blocks:2d} blocks: {model.n_neurons_} neurons, objective {model.objective_:.12f}")

# %%
# Sums are added up in a tree whose shape is that of the rows alone. To the last digit:

first, *others = fitted.values()
weights = first.network_.hidden_weights
print(all(np.array_equal(weights, other.network_.hidden_weights) for other in others))

# %%
# Predictions for rows in dask are in dask, too. Beside the truth, which a table would not have:

predicted = fitted[max(fitted)].predict(da.from_array(X, chunks=(7_000, 6))).compute()
noise, error = np.std(y - truth), np.sqrt(np.mean((predicted - truth) ** 2))
print(f"noise of the targets {noise:.2f}, error of the predictions {error:.2f}")
figure, ax = plt.subplots(figsize=(5.0, 4.4), layout="constrained")
cells = ax.hexbin(truth, predicted, gridsize=45, mincnt=1, bins="log", cmap="cividis")
ends = [truth.min(), truth.max()]
ax.plot(ends, ends, color="#d55e00", linewidth=1.5, label="the truth")
ax.set(xlabel="truth", ylabel="prediction")
ax.legend(loc="upper left")
figure.colorbar(cells, ax=ax, label="rows")

# %%
# Of rows in dask the search is a rough one that ends some thousandths above the optimum, and a
# bound takes time of its own, ``proof_time``, which was 0 here. The page on clusters says what it
# costs.
