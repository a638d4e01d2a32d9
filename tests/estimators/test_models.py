"""Both estimators with every kind of network: what they train, and what they say of it."""

import numpy as np
import pytest
from estimators.cases import BARS, CASES, FLOWERS, IMAGES
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from variants import with_long

import cvxnn
from cvxnn import Conv, ConvexReLUClassifier, ConvexReLURegressor, Sampled, Status

# Of these, the ones that estimators treat like others, and whose searches take longest.
LIKE_OTHERS = ("leaky", "skip", "max pooling")


def but_for(names):
    names = list(names)
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=name, marks=pytest.mark.long if name in names else ())
            for name, case in CASES.items()
        ],
    )


# One for each shape of samples: what these tests are about has nothing to do with the network.
FEW = ("signs", "ReLU", "patches")
each_of_few = with_long("case", [CASES[name] for name in FEW], ids=FEW)


@but_for((*LIKE_OTHERS, "images"))
def test_attributes_are_those_of_the_solution(case):
    model = case.regressor().fit(case.data, case.target)
    mean, deviation = case.target.mean(), case.target.std()
    solution, values = case.solve((case.target - mean) / deviation)
    values = mean + deviation * values
    assert model.status_ is solution.status is Status.OPTIMAL
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.dual_bound_ <= solution.objective and model.dual_gap_ <= 1e-6
    assert type(model.network_) is type(solution.network)
    assert model.n_neurons_ == model.network_.n_neurons > 0
    assert model.sample_shape_ == case.data.shape[1:] and model.n_features_in_ == case.data.shape[1]
    assert model.n_iter_ >= 1 and model.predict(case.data) == pytest.approx(values, abs=1e-2)


@but_for(name for name in CASES if name not in ("ReLU", "signs"))
def test_labels_are_signs(case):
    labels = case.classes == 0
    model = case.classifier().fit(case.data, labels)
    solution, values = case.solve(np.where(labels, 1.0, -1.0), loss="logistic")
    assert model.status_ is solution.status is Status.OPTIMAL
    assert model.objective_ == pytest.approx(solution.objective, rel=1e-6)
    assert model.classes_.tolist() == [False, True] and model.networks_ == [model.network_]
    assert model.decision_function(case.data) == pytest.approx(values, abs=1e-2)
    probabilities = model.predict_proba(case.data)
    logits = np.log(probabilities[:, 1] / probabilities[:, 0])
    np.testing.assert_allclose(logits, model.decision_function(case.data), atol=1e-9)
    assert not hasattr(case.classifier(loss="squared"), "predict_proba")
    assert not hasattr(model, "transform")


@each_of_few
def test_three_classes_are_one_against_the_rest(case):
    names = np.array(["first", "second", "third"])[case.classes]
    model = case.classifier(multi_class="ovr").fit(case.data, names)
    assert model.status_ is Status.OPTIMAL
    assert len(model.networks_) == 3 and not hasattr(model, "network_")
    values = model.decision_function(case.data)
    single = case.classifier().fit(case.data, case.classes == 1)
    np.testing.assert_allclose(values[:, 1], single.decision_function(case.data), atol=1e-6)
    probabilities = model.predict_proba(case.data)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    expected = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(case.data), expected)
    assert model.score(case.data, names) > case.score
    assert model.n_neurons_ == sum(network.n_neurons for network in model.networks_)
    assert model.objective_ >= model.dual_bound_ >= (1.0 - 1e-6) * model.objective_
    # A fit for two classes leaves nothing of the three.
    assert model.fit(case.data, case.classes == 0).network_ == model.networks_[0]


@each_of_few
def test_order_weights_and_repetition_give_the_same_numbers(case):
    X, y = case.data, case.classes == 0
    rng = np.random.default_rng(1)
    weights, order = rng.integers(0, 3, len(X)), rng.permutation(len(X))
    again = np.repeat(order, weights[order])
    for class_weight in (None, "balanced"):
        weighted, shuffled, repeated = (
            case.classifier(class_weight=class_weight).fit(*data)
            for data in (
                (X, y, weights),
                (X[order], y[order], weights[order]),
                (X[again], y[again]),
            )
        )
        for other in (shuffled, repeated):
            assert weighted.objective_ == pytest.approx(other.objective_, rel=1e-9)
            if class_weight is None:
                expected = other.decision_function(X)
                np.testing.assert_array_equal(weighted.decision_function(X), expected)


@each_of_few
def test_class_weight_is_a_weight_of_samples(case):
    X, y = case.data, case.classes == 0
    by_class = case.classifier(class_weight={True: 3.0, False: 1.0}).fit(X, y)
    by_sample = case.classifier().fit(X, y, sample_weight=np.where(y, 3.0, 1.0))
    np.testing.assert_array_equal(by_class.decision_function(X), by_sample.decision_function(X))
    assert case.classifier(class_weight="balanced").fit(X, y).objective_ != by_sample.objective_


@each_of_few
def test_cross_validation_is_for_samples_of_every_shape(case):
    options = {"cv": 2} | {name: case.options[name] for name in case.options if name != "beta"}
    betas = [3.0 * case.beta, case.beta]
    model = cvxnn.ConvexReLUClassifierCV(betas, **options).fit(case.data, case.classes)
    assert model.scores_path_.shape == (2, 2) and model.status_ is Status.OPTIMAL
    plain = case.classifier(beta=model.beta_).fit(case.data, case.classes)
    assert model.objective_ == pytest.approx(plain.objective_, rel=2e-6)
    # From a beta that is too large for any neuron.
    with pytest.warns(UserWarning, match=r"constant: beta = .* No smaller beta"):
        cvxnn.ConvexReLURegressorCV([1e6], tol=1e-2, **options).fit(case.data, case.target)
    with pytest.warns(UserWarning, match=r"constant: beta = .* Take a smaller beta"):
        empty = case.regressor(beta=1e6).fit(case.data, case.target)
    assert empty.n_neurons_ == 0


@but_for(name for name in CASES if name not in ("signs", "patches"))
def test_data_of_another_shape_are_refused(case):
    model = case.regressor().fit(case.data, case.target)
    with pytest.raises(ValueError, match=r"features, but Convex|as when it was fitted"):
        model.predict(case.data[..., :-1])
    with pytest.raises(ValueError, match=r"samples of shape .* as when it was fitted"):
        model.predict(np.ones((2, *case.data.shape[1:], 2)))
    words = r"X must have .* axes for .* in a ConvexReLURegressor, got shape \(3, 2, 2, 2, 2\)"
    with pytest.raises(ValueError, match=words):
        case.regressor().fit(np.ones((3, 2, 2, 2, 2)), [1.0, 2.0, 3.0])


def test_a_bias_is_a_column_of_ones_or_a_setting():
    def fitted(**options):
        model = ConvexReLURegressor(0.1, fit_intercept=False, **options)
        return model.fit(FLOWERS[:9], FLOWERS[:9, 0])

    assert fitted().network_.n_features == 5 and fitted(hidden_bias=False).network_.n_features == 4
    assert fitted(model=Conv(2)).network_.biases is not None
    assert fitted(model=Conv(2), hidden_bias=False).network_.biases is None
    assert fitted(model=Conv(2, bias=True), hidden_bias=False).network_.biases is not None
    linear = [fitted(model="circular_conv", hidden_bias=bias) for bias in (True, False)]
    assert linear[0].network_ == linear[1].network_
    with pytest.raises(
        ValueError, match="gates must have the 5 features of X, its column of ones included, got 4"
    ):
        fitted(model=cvxnn.Gated(np.eye(4)))


def test_settings_are_parameters():
    model = ConvexReLUClassifier(model=Conv(2), method=Sampled(20))
    parameters = model.get_params()
    assert parameters["model__filter_size"] == 2 and parameters["method__n_samples"] == 20
    given = model.model
    model.set_params(
        model__pooling="average", model__slope=0.1, method__scheme="gaussian", beta=2.0
    )
    assert model.model == Conv(2, pooling="average", slope=0.1)
    assert model.method == Sampled(20, "gaussian") and model.beta == 2.0
    # Frozen, so that nobody else's has changed.
    assert given == Conv(2)
    # The settings of a name, and of an object that comes with them.
    named = ConvexReLURegressor().set_params(model="conv", model__filter_size=5)
    assert named.model == Conv(5)
    gates = cvxnn.Gated(np.eye(2))
    assert clone(ConvexReLURegressor(model=gates)).model is gates
    for name in ("model__filters", "method__filter_size", "models"):
        with pytest.raises(ValueError, match=r"has no setting|Invalid parameter"):
            named.set_params(**{name: 1})
    with pytest.raises(ValueError, match="filter_size"):
        named.set_params(model__filter_size=0)


@pytest.mark.long
def test_grid_search_cross_validation_and_clone():
    options = {"model": Conv(2), "method": Sampled(20), "hidden_bias": False}
    options["fit_intercept"] = False
    grid = {"beta": [0.03, 0.01], "model__filter_size": [1, 2]}
    search = GridSearchCV(ConvexReLUClassifier(**options), grid, cv=2).fit(IMAGES, BARS == 0)
    assert search.best_score_ > 0.8
    best = clone(search.best_estimator_).fit(IMAGES, BARS == 0)
    assert best.status_ is Status.OPTIMAL_FOR_PATTERNS
    np.testing.assert_array_equal(best.predict(IMAGES), search.predict(IMAGES))
    target = IMAGES.max(axis=(1, 2))
    assert len(cross_val_score(ConvexReLURegressor(**options), IMAGES, target, cv=3)) == 3


@pytest.mark.long
def test_regression_on_signals_and_on_channels():
    signals = np.random.default_rng(0).standard_normal((20, 6, 2))
    y = np.maximum(signals[:, :, 0] - signals[:, :, 1], 0.0).sum(axis=1)
    model = ConvexReLURegressor(0.01, model=Conv((1,)), hidden_bias=False).fit(signals, y)
    assert model.status_ is Status.OPTIMAL
    shares = np.linalg.norm(model.network_.filters[:, 0], axis=1)
    first = model.network_.filters[np.argmax(shares), 0]
    assert first[1] / first[0] == pytest.approx(-1.0, abs=0.05) and model.score(signals, y) > 0.999
    plain = ConvexReLURegressor(0.1, model=Conv(2)).fit(signals[:, :, 0], y)
    assert plain.sample_shape_ == (6,) and plain.network_.filter_shape == (2, 1)


@with_long("options", [{"time_limit": 1e-9}, {"max_iter": 1, "tol": 1e-12}])
def test_missed_goals_warn_once(options):
    words = rf"The gap is .*, tol is .*: raise {next(iter(options))}"
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        CASES["images"].classifier(**options).fit(IMAGES, BARS)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"beta": 0.0}, "beta"), ({"loss": "hinge"}, "loss"), ({"loss": "logistic"}, "loss"),
        ({"tol": 2.0}, "tol"), ({"method": "best"}, "method"), ({"model": "best"}, "model"),
        ({"model": Conv(6)}, "filter_size must be at most 5 x 5"),
        ({"method": "frank_wolfe"}, "takes no intercept"),
        ({"model": "relu"}, "2 axes for ReLU"), ({"hidden_bias": "yes"}, "hidden_bias"),
        ({"delta": -1.0}, "delta"), ({"max_iter": 0}, "max_iter"),
        ({"time_limit": 0}, "time_limit"), ({"random_state": "today"}, "random_state"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        ConvexReLURegressor(**{"model": Conv(2)} | parameters).fit(IMAGES, BARS)


@pytest.mark.parametrize("model", ["relu", "gated"])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(model):
    X, y = np.eye(4), np.arange(4.0)
    estimator = cvxnn.ConvexReLURegressor(beta=-1.0, model=model)
    with pytest.raises(cvxnn.InputError, match="beta"):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    before = estimator.set_params(beta=0.1).fit(X, y).predict(X)
    with pytest.raises(cvxnn.InputError, match="beta"):
        estimator.set_params(beta=-1.0).fit(X[:, :2], y)
    np.testing.assert_array_equal(estimator.predict(X), before)
