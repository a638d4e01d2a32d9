"""Estimators of every kind of network, with data for them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

import cvxnn
from cvxnn.models.base import as_model

RNG = np.random.default_rng(0)


def bars():
    """Images of noise with a horizontal (0), a vertical (1) or a diagonal bar (2)."""
    images, kinds = 0.1 * RNG.standard_normal((36, 5, 5)), np.arange(36) % 3
    for image, kind, k in zip(images, kinds, RNG.integers(0, 3, 36), strict=True):
        rows = {0: k, 1: slice(3), 2: np.arange(3) + k}[kind]
        columns = {0: slice(3), 1: k, 2: np.arange(3) + k}[kind]
        image[rows, columns] += 1.0
    return images, kinds


FLOWERS, SPECIES = load_iris(return_X_y=True)
FLOWERS, SPECIES = StandardScaler().fit_transform(FLOWERS)[::3], SPECIES[::3]
IMAGES, BARS = bars()
RING, SIDES = cvxnn.load_ring()
RING = RING[:, :2]


@dataclass(frozen=True)
class Case:
    """A model with data, three classes of them, and what else an estimator is given."""

    model: Any
    data: NDArray[Any]
    classes: NDArray[Any]
    beta: float = 1.0
    method: str = "global"
    # Fraction of the classes that are found.
    score: float = 0.9
    intercept: bool = True

    @property
    def target(self):
        """Numbers that depend on the data."""
        return np.abs(self.data.reshape(len(self.data), -1)).max(axis=1)

    @property
    def options(self):
        return {"beta": self.beta, "model": self.model, "method": self.method,
                "fit_intercept": self.intercept, "time_limit": 60.0}  # fmt: skip

    def regressor(self, **options):
        return cvxnn.ConvexReLURegressor(**self.options | options)

    def classifier(self, **options):
        return cvxnn.ConvexReLUClassifier(**self.options | options)

    def standardised(self):
        """The data as the networks read them, by numpy and scikit-learn."""
        if not as_model(self.model).takes_ones:
            return self.data / np.sqrt(np.mean(self.data**2))
        data = StandardScaler().fit_transform(self.data)
        return np.column_stack([data, np.ones(len(data))])

    def solve(self, target, **options):
        """What the estimators train, from the public function, and its values."""
        data = self.standardised()
        model = as_model(self.model).with_bias()
        solution = cvxnn.solve(
            data,
            target,
            self.beta,
            model=model,
            method=self.method,
            intercept=self.intercept,
            **options,
        )
        return solution, solution.network(data)


CASES = {
    "ReLU": Case("relu", FLOWERS[::2, 2:], SPECIES[::2]),
    "leaky": Case(cvxnn.ReLU(slope=-0.5), FLOWERS[::2, 2:], SPECIES[::2], intercept=False),
    "skip": Case(cvxnn.ReLU(skip="penalised"), FLOWERS[::2, 2:], SPECIES[::2], intercept=False),
    # Gates have an entry for the column of ones.
    "gated": Case(cvxnn.Gated(RNG.standard_normal((30, 5))), FLOWERS, SPECIES),
    # The search for an intercept takes most of a fit, and with max pooling it ends short of the
    # last digits; the contracts have all of these with one.
    "images": Case(cvxnn.Conv((1, 2), padding=1), IMAGES[:18], BARS[:18], 0.3, intercept=False),
    "max pooling": Case(
        cvxnn.Conv(2, pooling="max"), IMAGES[:9, 2], BARS[:9], 0.1, "exact", 0.7, intercept=False
    ),
    "patches": Case(
        "linear_conv", cvxnn.image_patches(IMAGES, 3), BARS, 0.2, score=0.7, intercept=False
    ),
    "circular": Case("circular_conv", FLOWERS, SPECIES, score=0.7),
    "signs": Case("quantized", FLOWERS, SPECIES),
}

_RELU = CASES["ReLU"]
_FLOWERS, _SPECIES = _RELU.data, _RELU.classes
_IMAGES = CASES["images"]
CV = {"betas": [1.0, 0.1], "cv": 2, "time_limit": 60.0}
# With larger betas, which are quicker: what is made of a fitted model is the same.
_FEWER = {name: {"beta": 3.0 * case.beta} for name, case in CASES.items()}
# Estimators with what they are fitted to.
ESTIMATORS = {
    **{
        f"{k}, numbers": (case.regressor(**_FEWER[k]), case.data, case.target)
        for k, case in CASES.items()
    },
    **{
        f"{k}, classes": (case.classifier(**_FEWER[k]), case.data, case.classes)
        for k, case in CASES.items()
    },
    "huber": (_RELU.regressor(loss="huber"), _FLOWERS, _RELU.target),
    "quantile": (_RELU.regressor(loss="quantile", quantile=0.7), _FLOWERS, _RELU.target),
    "hinge": (_RELU.classifier(loss="hinge"), _FLOWERS, _SPECIES == 0),
    "two classes": (_RELU.classifier(beta=3.0), _FLOWERS, _SPECIES == 0),
    "as they are": (
        _RELU.regressor(beta=3.0, scale_X=False, scale_y=False),
        _FLOWERS,
        _RELU.target,
    ),
    "no intercept": (_RELU.classifier(fit_intercept=False), _FLOWERS, _SPECIES),
    "one for each class": (_RELU.classifier(beta=3.0, multi_class="ovr"), _FLOWERS, _SPECIES),
    "two targets": (_RELU.regressor(), _FLOWERS, np.column_stack([_RELU.target, _SPECIES])),
    "two targets, leaky": (
        CASES["leaky"].regressor(beta=3.0),
        _FLOWERS,
        np.column_stack([_RELU.target, _SPECIES]),
    ),
    "no bias": (_RELU.classifier(hidden_bias=False), _FLOWERS, _SPECIES),
    "no neurons": (_RELU.classifier(beta=1e6), _FLOWERS, _SPECIES),
    "no filters": (_IMAGES.regressor(beta=1e6, hidden_bias=False), _IMAGES.data, _IMAGES.target),
    "two targets CV": (
        cvxnn.ConvexReLURegressorCV(**CV),
        _FLOWERS,
        np.column_stack([_RELU.target, 100.0 * _SPECIES]),
    ),
    "numbers CV": (cvxnn.ConvexReLURegressorCV(**CV), _FLOWERS, _RELU.target),
    "classes CV": (cvxnn.ConvexReLUClassifierCV(**CV), _FLOWERS, _SPECIES),
}
# Those that are stored and exported as another one is.
_LIKE_OTHERS = (
    "leaky", "skip", "max pooling", "images, classes", "patches, classes", "circular, classes",
    "signs, classes", "gated, classes", "huber", "quantile", "hinge", "two targets, ",
    "two targets CV", "classes CV",
)  # fmt: skip
each_estimator = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if name.startswith(_LIKE_OTHERS) else ())
        for name in ESTIMATORS
    ],
)


@cache
def fitted(name):
    """One of them, with its data; not to be changed."""
    estimator, data, target = ESTIMATORS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The model is a constant")
        return estimator.fit(data, target), data
