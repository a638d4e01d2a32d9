"""
Rows in dask: the same network however they are cut
===================================================

Rows that do not fit into one memory, or are on a cluster, stay where they are: what is exchanged
are sums over them. So the network is the same to the last digit however the rows are cut, and the
bound is a sum of the bounds of parts.

How blue is a pixel, given how red it is? The data are twenty thousand pixels of a photo that comes
with scikit-learn, of a palace in China. They fit into any memory; the calls are the same for twenty
billion.
"""

import warnings

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.exceptions import ConvergenceWarning

import cvxnn

photo = load_sample_image("china.jpg")
pixels = np.random.default_rng(0).permutation(photo.reshape(-1, 3) / 255.0)[:20_000]
X, y = pixels[:, :1], pixels[:, 2]

# %%
# Three ways to cut the rows. Of a cluster, ``distributed.Client("scheduler:8786")`` would be made
# before; without one, threads of this process do the work. Files come by
# ``dask.dataframe.read_parquet``. A search over a cluster is a rough one, and cvxnn warns that its
# end is no proof of the last digit; the gap says what is proven.

warnings.simplefilter("ignore", ConvergenceWarning)
fitted = {}
for length in (20_000, 7_000, 1_500):
    rows, targets = da.from_array(X, chunks=(length, 1)), da.from_array(y, chunks=length)
    model = cvxnn.ConvexReLURegressor(
        beta=1000.0, method=cvxnn.Global(proof_time=10.0), time_limit=None
    )
    fitted[rows.numblocks[0]] = model.fit(rows, targets)
for blocks, model in fitted.items():
    gap = 100 * model.dual_gap_
    print(f"{blocks:2d} blocks: objective {model.objective_:.12f}, gap {gap:.2f} %")

# %%
# Sums are added up in a tree whose shape is that of the rows alone. To the last digit:

first, *others = fitted.values()
weights = first.network_.hidden_weights
print(all(np.array_equal(weights, other.network_.hidden_weights) for other in others))

# %%
# The gap is proven: no network of any width is better by more than that share of the objective. It
# is the price of rows that nobody sees at once, each part of which is bounded by itself. A rough
# search also leaves more neurons than are needed:

print(f"{first.n_neurons_} neurons, R2 {first.score(X, y):.3f}")

# %%
# The pixels, and what the network says of them. Predictions for rows in dask are in dask, too.

grid = da.from_array(np.linspace(0.0, 1.0, 500)[:, None], chunks=(100, 1))
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 3.6), width_ratios=(1, 1.15), layout="constrained"
)
left.imshow(photo)
left.set(xticks=[], yticks=[], title="the photo")
cells = right.hexbin(X[:, 0], y, gridsize=45, mincnt=1, bins="log", cmap="Greys")
right.plot(grid, first.predict(grid).compute(), color="#d55e00", linewidth=2.5, label="network")
right.set(xlabel="red", ylabel="blue", xlim=(0.0, 1.0), ylim=(0.0, 1.0), title="its pixels")
right.legend(loc="upper left")
figure.colorbar(cells, ax=right, label="pixels")
