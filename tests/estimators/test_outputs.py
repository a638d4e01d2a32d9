"""Estimators whose network has several outputs: classes by softmax, several targets."""

from functools import cache

import numpy as np
import pytest
from estimators.cases import CASES, FLOWERS, SPECIES
from exchange.outputs import by_onnx, by_torch
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import log_loss, r2_score
from sklearn.utils.estimator_checks import check_regressor_multioutput, check_supervised_y_2d
from variants import with_long

import cvxnn
from cvxnn import ConvexReLUClassifier, ConvexReLUClassifierCV, ConvexReLURegressor, Status
from cvxnn.errors import InputError

RNG = np.random.default_rng(0)
RELU = CASES["ReLU"]
X, KINDS = RELU.data, RELU.classes
CIRCULAR = "circular_conv"
NAMES = np.array(["first", "second", "third"])[KINDS]
ONE_HOT = np.eye(3)[KINDS]
TARGETS = np.column_stack([RELU.target, 100.0 * KINDS - 7.0, X[:, 0] ** 2])
shared = pytest.mark.parametrize(
    "case", [CASES[name] for name in ("ReLU", "leaky")], ids=["ReLU", "leaky"]
)


@cache
def of_three_classes():
    """Not to be changed."""
    return RELU.classifier().fit(X, NAMES)


@shared
def test_classes_share_the_neurons_of_one_network(case):
    model = case.classifier().fit(case.data, NAMES)
    solution, values = case.solve(ONE_HOT, loss="softmax")
    assert model.status_ is solution.status is Status.OPTIMAL and model.dual_gap_ <= 1e-6
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.networks_ == [model.network_] and model.network_.n_outputs == 3
    assert model.n_neurons_ == model.network_.n_neurons > 0
    assert model.verify(case.data, NAMES)[0].accepted
    found = model.decision_function(case.data)
    assert found - found[:, :1] == pytest.approx(values - values[:, :1], abs=0.02)
    probabilities = model.predict_proba(case.data)
    np.testing.assert_allclose(probabilities, softmax(found, axis=1), rtol=1e-12)
    expected = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(case.data), expected)
    assert model.score(case.data, NAMES) > case.score
    loss = len(KINDS) * log_loss(NAMES, probabilities) + model.beta_ * model.network_.penalty()
    assert loss == pytest.approx(model.objective_, rel=1e-9)


def test_no_start_of_a_local_method_comes_below_the_bound():
    model = of_three_classes()
    rows, k = RELU.standardised(), 12

    def objective(theta):
        U, A = theta[: 3 * k].reshape(k, 3), theta[3 * k : 6 * k].reshape(k, 3)
        active = np.maximum(rows @ U.T, 0.0)
        f = active @ A + theta[6 * k :]
        pull = softmax(f, axis=1) - ONE_HOT
        value = logsumexp(f, axis=1).sum() - f[np.arange(len(f)), KINDS].sum()
        slopes = ((active > 0.0) * (pull @ A.T)).T @ rows + U
        parts = [slopes.ravel(), (active.T @ pull + A).ravel(), pull.sum(axis=0)]
        return value + 0.5 * theta[: 6 * k] @ theta[: 6 * k], np.concatenate(parts)

    starts = np.random.default_rng(1).standard_normal((10, 6 * k + 3))
    reached = [minimize(objective, start, jac=True, method="L-BFGS-B").fun for start in starts]
    assert model.dual_bound_ <= min(reached)
    assert min(reached) == pytest.approx(model.objective_, rel=1e-3)


def test_it_is_smaller_than_a_network_for_each_class():
    joint = ConvexReLUClassifier(1.0).fit(FLOWERS, SPECIES)
    each = ConvexReLUClassifier(1.0, multi_class="ovr").fit(FLOWERS, SPECIES)
    assert len(each.networks_) == 3 and joint.n_neurons_ <= 0.5 * each.n_neurons_
    assert joint.score(FLOWERS, SPECIES) >= each.score(FLOWERS, SPECIES) - 0.02


def test_weights_are_repetition_and_order_does_not_matter():
    rng = np.random.default_rng(1)
    weights, order = rng.integers(0, 3, len(X)), rng.permutation(len(X))
    again = np.repeat(order, weights[order])
    for class_weight in (None, "balanced"):
        model = RELU.classifier(class_weight=class_weight)
        weighted = clone(model).fit(X, NAMES, weights)
        for data in ((X[order], NAMES[order], weights[order]), (X[again], NAMES[again])):
            other = clone(model).fit(*data)
            assert weighted.objective_ == pytest.approx(other.objective_, rel=1e-9)
            np.testing.assert_allclose(other.predict_proba(X), weighted.predict_proba(X), atol=1e-6)
    heavy = {"first": 1.0, "second": 5.0, "third": 1.0}
    by_class = RELU.classifier(class_weight=heavy).fit(X, NAMES)
    by_sample = RELU.classifier().fit(X, NAMES, np.where(NAMES == "second", 5.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


@pytest.mark.parametrize("beta", [0.5, "auto"])
def test_a_class_without_weight_has_probability_0(beta):
    weights = (NAMES != "second").astype(float)
    model = ConvexReLUClassifier(beta).fit(X, NAMES, weights)
    assert model.classes_.tolist() == ["first", "second", "third"]
    assert (model.predict_proba(X)[:, 1] == 0.0).all()
    assert set(model.predict(X)) == {"first", "third"}
    # The others are those of a training without it.
    rest = NAMES != "second"
    two = cvxnn.solve(
        _standardised(X[rest]), ONE_HOT[rest][:, [0, 2]], model.beta_, loss="softmax",
        intercept=True,
    )  # fmt: skip
    assert model.objective_ == pytest.approx(two.objective, rel=1e-5)
    assert model.network_.n_outputs == 3 and np.isfinite(model.objective_)
    again = model.set_params(warm_start=True).fit(X, NAMES, weights)
    assert again.objective_ == pytest.approx(two.objective, rel=1e-5)
    alone = ConvexReLUClassifier(0.5).fit(X, NAMES, (NAMES == "third").astype(float))
    assert (alone.predict(X) == "third").all() and alone.n_neurons_ == 0


def _standardised(data):
    return np.column_stack([(data - data.mean(axis=0)) / data.std(axis=0), np.ones(len(data))])


def test_cross_validation_walks_all_classes_in_one_network():
    model = ConvexReLUClassifierCV([3.0, 1.0], cv=2).fit(FLOWERS, SPECIES)
    assert model.scores_path_.shape == (2, 2) and model.network_.n_outputs == 3
    assert model.objective_ >= model.dual_bound_ and model.score(FLOWERS, SPECIES) > 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"multi_class": "multinomial"}, "multi_class must be"),
        ({"multi_class": "softmax", "loss": "squared_hinge"}, "needs loss='logistic'"),
        ({"multi_class": "softmax", "model": CIRCULAR}, r"needs a model .* Circ.* take 'ovr'"),
        ({"multi_class": "softmax", "method": "exact"}, "'exact' has one: take 'ovr'"),
    ],
)
def test_what_has_no_softmax_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        ConvexReLUClassifier(1.0, **options).fit(X, NAMES)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@with_long(
    "options",
    [{"method": cvxnn.Sampled(3)}, {"loss": "squared_hinge", "time_limit": 60.0}],
    ids=str,
)
def test_what_has_none_is_one_against_the_rest_by_itself(options):
    options = {"beta": 1.0} | options
    model = ConvexReLUClassifier(**options).fit(X, NAMES)
    each = ConvexReLUClassifier(**options, multi_class="ovr").fit(X, NAMES)
    assert len(model.networks_) == 3 and model.networks_ == each.networks_


@with_long("multi_class", ["softmax", "ovr"])
def test_two_classes_are_one_output(multi_class):
    model = ConvexReLUClassifier(1.0, multi_class=multi_class).fit(X, KINDS > 0)
    assert model.network_ == ConvexReLUClassifier(1.0).fit(X, KINDS > 0).network_
    assert model.network_.n_outputs is None and model.predict_proba(X).shape == (len(X), 2)


# ------------------------------------------------------------------------------- several targets


@shared
def test_targets_share_the_neurons_of_one_network(case):
    model = case.regressor().fit(case.data, TARGETS)
    mean, deviation = TARGETS.mean(axis=0), TARGETS.std(axis=0)
    solution, values = case.solve((TARGETS - mean) / deviation)
    assert model.status_ is solution.status is Status.OPTIMAL and model.dual_gap_ <= 1e-6
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.dual_bound_ <= solution.objective and model.network_.n_outputs == 3
    found = model.predict(case.data)
    assert found.shape == TARGETS.shape
    assert found == pytest.approx(mean + deviation * values, abs=0.02 * deviation.max())
    assert model.score(case.data, TARGETS) == pytest.approx(r2_score(TARGETS, found))
    assert model.solutions_ == [model.solution_] and model.n_neurons_ == model.network_.n_neurons


def test_predictions_follow_the_units_of_each_target():
    a, b = np.array([0.5, -20.0, 3.0]), np.array([1e3, 0.0, -7.0])
    one, other = (RELU.regressor().fit(X, Y).predict(X) for Y in (TARGETS, a * TARGETS + b))
    assert other == pytest.approx(a * one + b, rel=1e-3, abs=1e-3)
    raw = RELU.regressor(scale_y=False).fit(X, TARGETS)
    assert raw.scaling_.target_scale == 1.0 and raw.predict(X).shape == TARGETS.shape


@pytest.mark.long
def test_outputs_of_the_same_target_are_the_same():
    """One target twice, at half of beta^2: neurons of length sqrt(2) in the outputs."""
    one = RELU.regressor(beta=1.0).fit(X, TARGETS[:, 0])
    two = RELU.regressor(beta=np.sqrt(2.0)).fit(X, TARGETS[:, [0, 0]])
    assert two.objective_ == pytest.approx(2.0 * one.objective_, rel=1e-5)
    assert two.predict(X)[:, 1] == pytest.approx(one.predict(X), abs=1e-2)


@pytest.mark.long
@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_the_default_beta_of_several_targets(loss):
    # Of a rank without a proof: a rough search is enough.
    rows = RNG.standard_normal((60, 4))
    Y = np.column_stack([np.abs(rows[:, 0]), 50.0 * rows[:, 1] + rng_noise(60)])
    model = ConvexReLURegressor(loss=loss).fit(rows, Y)
    order = RNG.permutation(60)
    assert model.n_neurons_ > 0 and model.score(rows, Y) > 0.8
    again = ConvexReLURegressor(loss=loss).fit(rows[order], Y[order])
    assert again.beta_ == model.beta_ and again.network_ == model.network_


def rng_noise(n):
    return 0.1 * np.random.default_rng(5).standard_normal(n)


@pytest.mark.long
def test_one_column_is_one_target():
    with pytest.warns(DataConversionWarning):
        model = RELU.regressor().fit(X, TARGETS[:, :1])
    assert model.predict(X).shape == (len(X),)
    assert model.network_ == RELU.regressor().fit(X, TARGETS[:, 0]).network_


def test_what_has_one_output_refuses_several_targets():
    with pytest.raises(InputError, match=r"CircularConv.* has one output: y must be 1-D, got 3"):
        ConvexReLURegressor(1.0, model=CIRCULAR).fit(X, TARGETS)
    with pytest.raises(InputError, match="3 outputs are trained by method='global'"):
        ConvexReLURegressor(1.0, method="exact").fit(X, TARGETS)
    with pytest.raises(ValueError, match="dim 3"):
        ConvexReLURegressor(1.0).fit(X, TARGETS[:, :, None])
    with pytest.raises(ValueError, match="should be a 1d array"):
        ConvexReLUClassifier(1.0).fit(X, ONE_HOT.astype(int))


IMAGES = np.random.default_rng(9).standard_normal((20, 3, 3))
PEAKS = IMAGES.reshape(20, -1)[:, :3]
ANY_OF_THREE = np.array(["a", "b", "c"])[PEAKS.argmax(axis=1)]
FILTERS = {"model": cvxnn.Conv((2, 1)), "hidden_bias": False}


@cache
def with_filters():
    """A classifier and a regressor; not to be changed."""
    model = RELU.classifier(**FILTERS).fit(IMAGES, ANY_OF_THREE)
    return model, RELU.regressor(**FILTERS).fit(IMAGES, PEAKS)


@pytest.mark.long
def test_classes_and_targets_share_filters():
    model, targets = with_filters()
    assert model.networks_ == [model.network_] and model.network_.n_outputs == 3
    assert model.status_ is cvxnn.Status.OPTIMAL and model.score(IMAGES, ANY_OF_THREE) > 0.6
    assert model.predict_proba(IMAGES).sum(axis=1) == pytest.approx(np.ones(20))
    each = RELU.classifier(**FILTERS, multi_class="ovr").fit(IMAGES, ANY_OF_THREE)
    assert len(each.networks_) == 3
    assert targets.predict(IMAGES).shape == (20, 3) and targets.network_.n_outputs == 3
    largest = FILTERS | {"model": cvxnn.Conv((2, 1), pooling="max"), "method": "sampled"}
    with pytest.raises(InputError, match="has one: take 'ovr'"):
        RELU.classifier(**largest, multi_class="softmax").fit(IMAGES, ANY_OF_THREE)


@pytest.mark.parametrize("run", [by_torch, by_onnx])
def test_shared_filters_are_exported(run):
    model, targets = with_filters()
    found = run(model, IMAGES[:, None], probabilities=True)
    assert found == pytest.approx(model.predict_proba(IMAGES), abs=1e-12)
    assert run(targets, IMAGES[:, None]) == pytest.approx(targets.predict(IMAGES), abs=1e-9)


def test_a_warm_start_has_as_many_outputs():
    model = RELU.regressor(warm_start=True).fit(X, TARGETS)
    before = model.objective_
    assert model.fit(X, TARGETS).objective_ <= before * (1.0 + 1e-9)
    with pytest.raises(InputError, match=r"y must have 3 columns or classes, .* got 2"):
        model.fit(X, TARGETS[:, :2])
    with pytest.raises(InputError, match=r"y must have 3 columns or classes, .* got 1"):
        model.fit(X, TARGETS[:, 0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("check", [check_regressor_multioutput, check_supervised_y_2d])
def test_the_checks_of_scikit_learn_for_several_outputs(check):
    model = ConvexReLURegressor(1.0, method=cvxnn.Global(certify=False, polish=False))
    assert model.__sklearn_tags__().target_tags.multi_output
    assert not model.set_params(model=CIRCULAR).__sklearn_tags__().target_tags.multi_output
    check("ConvexReLURegressor", model.set_params(model="relu"))


# --------------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize("run", [by_torch, by_onnx])
def test_exports_may_end_in_probabilities(run):
    several = of_three_classes()
    found = run(several, X, probabilities=True)
    assert found == pytest.approx(several.predict_proba(X), abs=1e-12)
    two = RELU.classifier(fit_intercept=False).fit(X, KINDS > 0)
    assert run(two, X, probabilities=True)[:, 0] == pytest.approx(
        two.predict_proba(X)[:, 1], abs=1e-12
    )


@with_long("export", ["to_torch", "to_onnx"])
def test_what_has_no_probabilities_says_so(export):
    each = RELU.classifier(multi_class="ovr", fit_intercept=False).fit(X, NAMES)
    numbers = RELU.regressor().fit(X, TARGETS)
    hinge = RELU.classifier(loss="squared_hinge", fit_intercept=False).fit(X, KINDS > 0)
    for model, words in (
        (numbers, "needs a classifier with loss='logistic', got a ConvexReLURegressor with"),
        (hinge, "needs a classifier with loss='logistic', got a ConvexReLUClassifier with"),
        (each, "for one network, got 3"),
    ):
        pytest.importorskip(export[3:])
        with pytest.raises(InputError, match=words):
            getattr(model, export)(probabilities=True)
