"""The estimators on images: scikit-learn's checks, its tools, and what they train."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from cvxnn import ConvexCNNClassifier, ConvexCNNRegressor, Status, solve_cnn

# Tables of the checks are signals: filters of two features, one with zeros around it.
QUICK = {
    "filter_size": 2, "padding": 1, "method": "sampled", "n_samples": 8, "max_iter": 4,
}  # fmt: skip
ESTIMATORS = [
    ConvexCNNRegressor(loss="huber", pooling="average", **QUICK),
    ConvexCNNClassifier(slope=0.1, **QUICK),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def bars():
    """Images of noise with a horizontal (0), a vertical (1) or a diagonal bar (2)."""
    rng = np.random.default_rng(0)
    images, kinds = 0.1 * rng.standard_normal((36, 5, 5)), np.arange(36) % 3
    for image, kind, k in zip(images, kinds, rng.integers(0, 3, 36), strict=True):
        if kind == 0:
            image[k, :3] += 1.0
        elif kind == 1:
            image[:3, k] += 1.0
        else:
            image[np.arange(3) + k, np.arange(3) + k] += 1.0
    return images, kinds


OPTIONS = {
    "beta": 1.0, "filter_size": 2, "fit_intercept": False, "method": "sampled", "n_samples": 20,
}  # fmt: skip


def test_attributes_are_those_of_the_solution(bars):
    images, kinds = bars
    images, y = images[kinds < 2], np.where(kinds[kinds < 2] == 1, 1.0, -1.0)
    model = ConvexCNNClassifier(beta=0.5, filter_size=(2, 1)).fit(images, kinds[kinds < 2])
    solution = solve_cnn(images, y, 0.5, (2, 1), loss="logistic", fit_intercept=True)
    assert model.status_ is solution.status is Status.OPTIMAL
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.dual_bound_ <= solution.objective
    assert model.dual_gap_ <= 1e-6
    assert model.n_neurons_ == model.network_.n_neurons > 0
    assert model.network_.filter_shape == (2, 1, 1)
    assert model.image_shape_ == (5, 5)
    assert model.n_iter_ >= 1
    assert model.classes_.tolist() == [0, 1]
    assert np.allclose(model.decision_function(images), solution.network(images), atol=1e-3)
    assert model.score(images, kinds[kinds < 2]) > 0.9


def test_three_classes_are_one_against_the_rest(bars):
    images, kinds = bars
    names = np.array(["horizontal", "vertical", "diagonal"])[kinds]
    model = ConvexCNNClassifier(**OPTIONS).fit(images, names)
    assert model.status_ is Status.OPTIMAL_FOR_PATTERNS
    assert len(model.networks_) == 3 and not hasattr(model, "network_")
    values = model.decision_function(images)
    single = ConvexCNNClassifier(**OPTIONS).fit(images, names == "horizontal")
    assert np.allclose(values[:, 1], single.decision_function(images), atol=1e-3)
    probabilities = model.predict_proba(images)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert (model.predict(images) == model.classes_[probabilities.argmax(axis=1)]).all()
    assert model.score(images, names) > 0.9
    assert model.n_neurons_ == sum(network.n_neurons for network in model.networks_)


def test_probabilities_only_where_there_are_any(bars):
    images, kinds = bars
    model = ConvexCNNClassifier(**OPTIONS).fit(images, kinds == 0)
    probabilities = model.predict_proba(images)
    logits = np.log(probabilities[:, 1] / probabilities[:, 0])
    assert np.allclose(logits, model.decision_function(images), atol=1e-9)
    assert not hasattr(ConvexCNNClassifier(loss="squared"), "predict_proba")


def test_weights_repetition_and_order_give_the_same_numbers(bars):
    images, kinds = bars
    rng = np.random.default_rng(1)
    weights, order = rng.integers(0, 3, len(images)), rng.permutation(len(images))
    again = np.repeat(order, weights[order])
    weighted = ConvexCNNClassifier(**OPTIONS).fit(images, kinds == 0, sample_weight=weights)
    repeated = ConvexCNNClassifier(**OPTIONS).fit(images[again], kinds[again] == 0)
    np.testing.assert_array_equal(
        weighted.decision_function(images), repeated.decision_function(images)
    )


def test_class_weight_is_a_weight_of_images(bars):
    images, kinds = bars
    y = kinds == 0
    by_class = ConvexCNNClassifier(class_weight={True: 3.0, False: 1.0}, **OPTIONS).fit(images, y)
    by_image = ConvexCNNClassifier(**OPTIONS).fit(images, y, np.where(y, 3.0, 1.0))
    np.testing.assert_array_equal(
        by_class.decision_function(images), by_image.decision_function(images)
    )


def test_grid_search_cross_validation_and_clone(bars):
    images, kinds = bars
    grid = {"beta": [10.0, 1.0], "pooling": ["sum", "average"]}
    search = GridSearchCV(ConvexCNNClassifier(**OPTIONS), grid, cv=2).fit(images, kinds == 0)
    assert search.best_score_ > 0.8
    best = clone(search.best_estimator_).fit(images, kinds == 0)
    np.testing.assert_array_equal(best.predict(images), search.predict(images))
    scores = cross_val_score(ConvexCNNRegressor(**OPTIONS), images, images.max(axis=(1, 2)), cv=3)
    assert len(scores) == 3


def test_regression_on_signals_and_on_channels():
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((20, 6, 2))
    y = np.maximum(signals[:, :, 0] - signals[:, :, 1], 0.0).sum(axis=1)
    model = ConvexCNNRegressor(beta=0.01, filter_size=(1,), fit_intercept=False).fit(signals, y)
    assert model.status_ is Status.OPTIMAL
    shares = np.linalg.norm(model.network_.filters[:, 0], axis=1)
    first = model.network_.filters[np.argmax(shares), 0]
    assert first[1] / first[0] == pytest.approx(-1.0, abs=0.05)
    assert model.score(signals, y) > 0.999
    plain = ConvexCNNRegressor(beta=0.1, filter_size=2).fit(signals[:, :, 0], y)
    assert plain.image_shape_ == (6,)
    assert plain.network_.filter_shape == (2, 1)
    assert plain.network_.biases is not None


def test_models_come_out_of_a_pickle_as_they_went_in(bars):
    images, kinds = bars
    model = ConvexCNNClassifier(**OPTIONS).fit(images, kinds)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.networks_ == model.networks_
    np.testing.assert_array_equal(copy.decision_function(images), model.decision_function(images))


def test_images_of_another_shape_are_refused(bars):
    images, kinds = bars
    model = ConvexCNNClassifier(**OPTIONS).fit(images, kinds == 0)
    with pytest.raises(ValueError, match=r"images of shape \(5, 5\), as when it was fitted"):
        model.predict(images[:, :, :4])


def test_missed_goals_warn(bars):
    images, kinds = bars
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        ConvexCNNClassifier(**OPTIONS | {"max_iter": 1, "tol": 1e-12}).fit(images, kinds == 0)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"beta": 0.0}, "beta"),
        ({"filter_size": 0}, "filter_size"),
        ({"filter_size": 6}, "filter_size must be at most 5 x 5"),
        ({"filter_size": (2, 2, 2)}, "filter_size"),
        ({"stride": 0}, "stride"),
        ({"padding": -1}, "padding"),
        ({"pooling": "max"}, "pooling"),
        ({"slope": "leaky"}, "slope"),
        ({"loss": "logistic"}, "loss"),
        ({"delta": 0.0}, "delta"),
        ({"fit_intercept": "yes"}, "fit_intercept"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(bars, parameters, words):
    with pytest.raises(ValueError, match=words):
        ConvexCNNRegressor(**parameters).fit(*bars)
