"""
Filters that tell a one from a seven, proven to be the best
===========================================================

A convolutional network of two layers slides each of its filters over an image and averages what it
answers. Filters are usually found by stochastic descent, and nobody knows whether others would have
been better. With an activation of degree two, a parabola that is close to ReLU, the best filters of
all networks of any width are found in a blink, with a proof, for filters of any size.

The data are the ones and sevens among scikit-learn's digits, of 8 by 8 pixels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cvxnn

digits = load_digits()
chosen = np.isin(digits.target, (1, 7))
images_train, images_test, kinds_train, kinds_test = train_test_split(
    digits.images[chosen] / 16.0, digits.target[chosen], test_size=0.5, random_state=0
)

# %%
# Filters see 5 by 5 pixels. The gap is the share of its objective by which any other network can be
# better: none.

model = cvxnn.ConvexReLUClassifier(
    beta=2.0, model=cvxnn.Polynomial(filter_size=5), hidden_bias=False, time_limit=None
).fit(images_train, kinds_train)
print(f"{model.status_.name}: {model.n_neurons_} filters, gap {model.dual_gap_:.0e}")
for part, images, kinds in (
    ("training", images_train, kinds_train),
    ("held out", images_test, kinds_test),
):
    print(f"{part}: {np.sum(model.predict(images) == kinds)} of {len(kinds)} images are right")

# %%
# These are the filters, by their output weights. Red pixels want ink, blue ones want none. Those
# that speak for a one are strokes that stand, and the one that speaks for a seven is a stroke that
# leans.

network = model.network_
order = np.argsort(network.output_weights)
filters = network.hidden_weights[order][..., 0]
limit = np.abs(filters).max()
figure, axes = plt.subplots(1, len(order), figsize=(8.0, 3.0), layout="constrained")
for ax, weights, output in zip(axes, filters, network.output_weights[order], strict=True):
    picture = ax.imshow(weights, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(f"for a {'seven' if output > 0.0 else 'one'}: {output:+.1f}")
    ax.set(xticks=[], yticks=[])
figure.colorbar(picture, ax=axes, label="weight of a pixel", shrink=0.8)

# %%
# Where does it see a one or a seven? A network of filters is a mean over the places of the filters.
# What each place adds is drawn below the image, in the middle of the pixels that the filters see
# there, with the outline of the ink; the mean is above.


def evidence(image):
    """What each place says: above 0 for a seven, below for a one."""
    scaled = model.scaling_.transform(image[None])
    patches = cvxnn.image_patches(scaled, 5)[0]
    t = patches.reshape(16, -1) @ network.hidden_weights.reshape(model.n_neurons_, -1).T
    answers = network.a * t**2 + network.b * t + network.c
    return (answers @ network.output_weights + network.intercept).reshape(4, 4)


shown = [*np.flatnonzero(kinds_test == 1)[:3], *np.flatnonzero(kinds_test == 7)[:3]]
maps = [evidence(images_test[index]) for index in shown]
values = model.decision_function(images_test[shown])
print(f"largest difference to the network: {np.abs(np.mean(maps, (1, 2)) - values).max():.0e}")
limit = np.abs(maps).max()
colors = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
figure, axes = plt.subplots(2, 6, figsize=(9.0, 3.4), layout="constrained")
for index, each, value, (top, below) in zip(shown, maps, values, axes.T, strict=True):
    top.imshow(images_test[index], cmap="gray_r")
    top.set_title(f"{value:+.1f}")
    picture = below.imshow(each, extent=(1.5, 5.5, 5.5, 1.5), **colors)
    below.contour(images_test[index], levels=[0.5], colors="0.25", linewidths=1.0)
    below.set(xlim=(-0.5, 7.5), ylim=(7.5, -0.5))
    for ax in (top, below):
        ax.set(xticks=[], yticks=[])
figure.colorbar(picture, ax=axes, label="one  \N{LEFT RIGHT ARROW}  seven", shrink=0.8)
