"""
Filters of a convolutional network
==================================

A convolutional network of two layers applies each filter to all patches of an image and adds up
what it answers. Its filters can be trained by a convex program, too, and drawn.

Which filters tell a one from a seven? The data are the 8 by 8 pixels of scikit-learn's digits.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

import cvxnn
from cvxnn.plotting import plot_filters

digits = load_digits()
chosen = np.isin(digits.target, (1, 7))
images, kinds = digits.images[chosen] / 16.0, digits.target[chosen]
images_train, images_test, kinds_train, kinds_test = train_test_split(
    images, kinds, test_size=0.5, random_state=0
)

# %%
# Filters of 3 by 3 pixels whose activations are summed. Their patches have rank nine, which is more
# than what is proven to the last digit in seconds. The search stops where it gains little, and the
# gap says what is proven by then. cvxnn warns of an end without a proof, which is expected here.

warnings.simplefilter("ignore", ConvergenceWarning)
model = cvxnn.ConvexReLUClassifier(
    beta=1.0,
    model=cvxnn.Conv((3, 3)),
    method=cvxnn.Global(polish=False, proof_time=2.0),
    time_limit=10,
).fit(images_train, kinds_train)
print(f"{model.status_.name}: {model.n_neurons_} filters, gap {100 * model.dual_gap_:.0f} %")
print(f"{100 * model.score(images_test, kinds_test):.1f} % of the images held out are right")

# %%
# The filters with the largest shares of the penalty. Where the weights are red the filter wants
# ink, where they are blue it wants none. With ``+`` it speaks for a seven, with ``-`` for a one.

plot_filters(
    model.network_, max_filters=8, figure=plt.figure(figsize=(8.0, 1.9), layout="constrained")
)

# %%
# Where does the strongest filter answer? Its feature map is drawn over two images.

network, data = model.network_, model.scaling_.transform(images_test)
sizes = np.linalg.norm(network.filters.reshape(network.n_neurons, -1), axis=1)
strongest = np.argmax(sizes * np.abs(network.output_weights))
maps = network.feature_maps(data)[..., strongest]
figure, axes = plt.subplots(1, 4, figsize=(8.0, 2.3), layout="constrained")
for pair, kind in zip(axes.reshape(2, 2), (1, 7), strict=True):
    index = np.flatnonzero(kinds_test == kind)[0]
    pair[0].imshow(images_test[index], cmap="gray_r")
    pair[0].set_title(f"a {'one' if kind == 1 else 'seven'}")
    pair[1].imshow(maps[index], cmap="cividis", vmin=0.0, vmax=maps.max())
    pair[1].set_title("the answer")
for ax in axes:
    ax.set(xticks=[], yticks=[])
