"""Standardised data: statistics by numpy, and predictions that follow the units."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import cvxnn
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.scaling import Scaling

RNG = np.random.default_rng(0)
X = RNG.standard_normal((25, 2)) * [0.01, 30.0] + [5.0, -2.0]
Y = np.abs(100.0 * X[:, 0] - 500.0) + 0.01 * X[:, 1] + 0.1 * RNG.standard_normal(25)
WEIGHTS = RNG.integers(1, 4, 25).astype(float)
# Up to rank 6 the optimum is proven, and predictions are as exact as it is.
EXACT = {"rel": 1e-5, "abs": 1e-5}


def scaling(weights=None, data=X, y=Y):
    samples = Samples.of(data, y, weights)
    return Scaling().of_rows(samples).of_target(samples)


def test_columns_and_target_have_mean_0_and_deviation_1():
    assert scaling().transform(X) == pytest.approx(StandardScaler().fit_transform(X), abs=1e-12)
    target = scaling().target(Y)
    assert target.mean() == pytest.approx(0.0, abs=1e-12) and target.std() == pytest.approx(1.0)
    assert scaling().restored(target) == pytest.approx(Y)


def test_weights_are_repetition_and_order_does_not_matter():
    again = np.repeat(np.arange(25), WEIGHTS.astype(int))
    order = RNG.permutation(len(again))
    found = [scaling(WEIGHTS), scaling(None, X[again][order], Y[again][order])]
    weighted = StandardScaler().fit(X, sample_weight=WEIGHTS)
    for each in found:
        assert np.array_equal(each.centre, found[0].centre)
        assert np.array_equal(each.scale, found[0].scale)
        assert (each.target_centre, each.target_scale) == (
            found[0].target_centre, found[0].target_scale
        )  # fmt: skip
        assert each.centre == pytest.approx(weighted.mean_)
        assert each.scale == pytest.approx(weighted.scale_)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e16 / 3.0, -1e-90])
def test_a_constant_column_has_scale_1(value):
    data = np.column_stack([X[:, 0], np.full(25, value)])
    found = scaling(WEIGHTS, data, np.full(25, value))
    assert found.scale[1] == 1.0 and (found.transform(data)[:, 1] == 0.0).all()
    assert found.target_scale == 1.0 and (found.target(np.full(25, value)) == 0.0).all()


def test_a_column_far_from_zero_keeps_its_digits():
    seconds = 1.7e9 + 86400.0 * np.arange(25.0)
    found = scaling(None, seconds[:, None], seconds)
    days = np.arange(25.0)
    expected = (days - days.mean()) / days.std()
    assert found.transform(seconds[:, None])[:, 0] == pytest.approx(expected, abs=1e-9)


def test_entries_of_images_have_one_scale_and_no_centre():
    images = RNG.standard_normal((5, 4, 4)) + 3.0
    found = Scaling().of_entries(Samples.of(images, np.arange(5.0), None))
    assert found.centre is None and found.scale == pytest.approx(np.sqrt(np.mean(images**2)))
    assert found.transform(images) == pytest.approx(images / found.scale)
    assert Scaling().of_entries(Samples.of(0.0 * images, np.arange(5.0), None)).scale == 1.0


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [{}, {"loss": "huber", "delta": 0.3, "tol": 1e-9}],
    ids=str,
)
def test_predictions_follow_the_units_of_target_and_columns(options):
    # The default beta follows a rough search, which is not the same to the last digit.
    def predict(data, y, at):
        return cvxnn.ConvexReLURegressor(0.2, **options).fit(data, y).predict(at)

    new = X + 0.1 * RNG.standard_normal(X.shape) * X.std(axis=0)
    expected = predict(X, Y, new)
    assert (predict(X, 1e6 - 250.0 * Y, new) - 1e6) / -250.0 == pytest.approx(expected, **EXACT)
    factors, shifts = np.array([1e-5, -3e4]), np.array([2.0, 4e4])
    moved = predict(shifts + factors * X, Y, shifts + factors * new)
    assert moved == pytest.approx(expected, **EXACT)


def test_decisions_follow_the_units_of_columns():
    labels = np.median(Y) < Y
    factors, shifts = np.array([1e-5, -3e4]), np.array([2.0, 4e4])
    values = [
        cvxnn.ConvexReLUClassifier().fit(data, labels).decision_function(data)
        for data in (X, shifts + factors * X)
    ]
    assert values[0] == pytest.approx(values[1], **EXACT)


@pytest.mark.long
def test_attributes_are_in_the_units_of_the_standardised_data():
    model = cvxnn.ConvexReLURegressor(0.5).fit(X, Y)
    data = np.column_stack([StandardScaler().fit_transform(X), np.ones(25)])
    target = (Y - Y.mean()) / Y.std()
    expected = cvxnn.solve(data, target, 0.5, intercept=True)
    assert model.objective_ == pytest.approx(expected.objective, rel=1e-6)
    found = model.network_(np.column_stack([model.scaling_.transform(X), np.ones(25)]))
    assert model.scaling_.restored(found) == pytest.approx(model.predict(X))
    raw = cvxnn.ConvexReLURegressor(
        0.5, scale_X=False, scale_y=False, fit_intercept=False
    ).fit(X, Y)  # fmt: skip
    expected = cvxnn.solve(np.column_stack([X, np.ones(25)]), Y, 0.5)
    assert raw.objective_ == pytest.approx(expected.objective, rel=1e-6)
    assert raw.network_.intercept == 0.0 and model.network_.intercept != 0.0


@pytest.mark.parametrize("name", ["scale_X", "scale_y", "fit_intercept", "warm_start"])
def test_flags_are_flags(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        cvxnn.ConvexReLURegressor(**{name: "yes"}).fit(X, Y)


def test_each_of_several_targets_has_its_own_units():
    both = np.column_stack([Y, -30.0 * X[:, 1], np.full(25, 4.0)])
    found = scaling(WEIGHTS, y=both)
    apart = [scaling(WEIGHTS, y=y) for y in both.T]
    assert found.target_centre.tolist() == pytest.approx([each.target_centre for each in apart])
    assert found.target_scale.tolist() == pytest.approx([each.target_scale for each in apart])
    assert found.restored(found.target(both)) == pytest.approx(both)
    assert found.equals(scaling(WEIGHTS, y=both)) and not found.equals(scaling(y=both))
    assert not found.equals(apart[0])
