"""Weights of classes: what scikit-learn's formula and repeated rows say."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

import cvxnn
from cvxnn.errors import InputError
from cvxnn.estimators.inputs import class_weighted

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 30)
COUNTS = RNG.integers(0, 4, 30)


def test_balanced_classes_have_one_total():
    weights = RNG.random(30)
    balanced = class_weighted("balanced", LABELS, weights)
    assert np.bincount(LABELS, balanced) == pytest.approx([weights.sum() / 3.0] * 3)
    factors = balanced / weights
    _, first = np.unique(LABELS, return_index=True)
    assert factors == pytest.approx(factors[first][LABELS])


def test_balanced_weights_are_those_of_repeated_rows():
    again = np.repeat(np.arange(30), COUNTS)
    repeated = compute_sample_weight("balanced", LABELS[again])
    balanced = class_weighted("balanced", LABELS, COUNTS.astype(float))
    assert balanced == pytest.approx(np.bincount(again, repeated, minlength=30))
    plain = class_weighted("balanced", LABELS, None)
    assert plain == pytest.approx(compute_sample_weight("balanced", LABELS))


def test_classes_without_weight_are_no_classes():
    weights = np.where(LABELS == 2, 0.0, COUNTS).astype(float)
    kept = LABELS != 2
    expected = class_weighted("balanced", LABELS[kept], weights[kept])
    balanced = class_weighted("balanced", LABELS, weights)
    assert balanced[kept] == pytest.approx(expected) and not balanced[~kept].any()


@pytest.mark.long
def test_scores_that_choose_beta_count_classes_as_the_training_does():
    """Else beta may be one for which the class that counts is never found."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 3))
    y = np.where(X[:, 0] + rng.standard_normal(60) > 1.0, "rare", "common")
    weights = {"common": 1e-6, "rare": 1.0}
    estimator = cvxnn.ConvexReLUClassifierCV(cv=3, class_weight=weights).fit(X, y)
    predicted = estimator.predict(X)
    assert np.mean(predicted[y == "rare"] == "rare") > 0.9
    assert estimator.best_score_ > 0.99 > np.mean(predicted == y)


def test_weights_of_all_sizes_stay_numbers():
    balanced = class_weighted("balanced", np.array([0, 0, 1]), np.array([1e-12, 3e-12, 1e12]))
    assert balanced == pytest.approx([1.25e11, 3.75e11, 5e11])


def test_the_weighted_row_is_the_row_twice():
    # Worked by hand: with totals 2 and 2 no class is favoured, so that the balanced problem is
    # the plain one with these weights.
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 0, 1])
    weights, again = [1, 1, 2], [0, 1, 2, 2]
    raw = {"beta": 0.1, "scale_X": False, "fit_intercept": False}
    model = cvxnn.ConvexReLUClassifier(class_weight="balanced", **raw)
    weighted = model.fit(x, y, sample_weight=weights).objective_
    assert weighted == model.fit(x[again], y[again]).objective_
    plain = cvxnn.ConvexReLUClassifier(**raw).fit(x, y, sample_weight=weights)
    assert weighted == plain.objective_ and weighted == pytest.approx(1.07279, abs=1e-5)


QUICK = {"method": cvxnn.Sampled(5), "max_iter": 20, "class_weight": "balanced"}
X = RNG.standard_normal((30, 3))
MODELS = [
    cvxnn.ConvexReLUClassifier(**QUICK),
    cvxnn.ConvexReLUClassifierCV(betas=[1.0], cv=2, **QUICK),
    cvxnn.ConvexReLUClassifier(model=cvxnn.Conv(2), **QUICK),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({False: -1.0, True: 1.0}, "must be at least 0, got -1"),
        ({False: np.inf, True: 1.0}, "must be finite"),
        ({False: 0.0, True: 0.0}, "must not be zero for every row"),
    ],
)
def test_weights_of_classes_are_weights(model, class_weight, words):
    with pytest.raises(InputError, match=words):
        clone(model).set_params(class_weight=class_weight).fit(X, LABELS > 0)
