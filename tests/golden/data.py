"""Data of the golden cases that `problems.py` and the benchmarks do not have."""

from functools import cache

import numpy as np
from harness import smooth_target
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def signs(y):
    """Labels for the losses that need them."""
    return np.where(y > np.median(y), 1.0, -1.0)


def small(n=30, d=3, seed=0):
    """Two features and a column of ones, unless `d` says otherwise."""
    return smooth_target(n, d, np.random.default_rng(seed))


def weights(n):
    """Weights of rows over two orders of magnitude, one of them 0."""
    drawn = 10.0 ** np.random.default_rng(9).uniform(-1.0, 1.0, n)
    drawn[1] = 0.0
    return drawn


def line(n):
    """One feature with a sine, a jump and noise, and a column of ones."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-2.0, 2.0, n)
    y = np.sin(4.0 * x) + 0.5 * np.sign(x) + 0.3 * rng.standard_normal(n)
    return np.column_stack([x, np.ones(n)]), y


def steep_signals(n=12, length=6):
    """Signals and their steepest rise."""
    signals = np.random.default_rng(4).standard_normal((n, length))
    return signals, np.maximum(np.diff(signals, axis=1), 0.0).max(axis=1)


def colours(n=10, side=4):
    """Images of two channels, and what a filter of two colours sees in them."""
    rng = np.random.default_rng(5)
    images = rng.standard_normal((n, side, side, 2))
    rises = np.maximum(images[:, 1:, :, 0] - images[:, :-1, :, 1], 0.0)
    return images, rises.sum(axis=(1, 2)) / side + 0.1 * rng.standard_normal(n)


@cache
def digits():
    """Zeros and ones, 8 x 8 pixels: two thirds of those that there are."""
    images, labels = load_digits(n_class=2, return_X_y=True)
    y = np.where(labels == 1, 1.0, -1.0)
    parts = train_test_split(
        images.reshape(-1, 8, 8) / 16.0, y, test_size=1 / 3, stratify=y, random_state=0
    )
    return parts[0], parts[2]


def weights_of_a_network(d, m, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, d)), rng.standard_normal(m)
