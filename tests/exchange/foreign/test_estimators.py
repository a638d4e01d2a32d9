"""Estimators of this library and pipelines: their values, labels and losses."""

import numpy as np
import pytest
from perceptrons import mlp
from runs import quietly
from sentences import refused
from sklearn.compose import make_column_transformer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from variants import with_long

import cvxnn
from cvxnn.errors import InputError
from cvxnn.estimators.scaling import Scaling
from cvxnn.exchange.foreign import read_network
from cvxnn.results import Verdict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 2)) * [1.0, 5.0] + [0.0, 20.0]
Y = np.abs(X[:, 0]) + 0.1 * RNG.standard_normal(30)
LABELS = np.where(Y > 0.7, "large", "small")


def hidden(model, target=Y, data=X):
    return quietly(model.fit, data, target)


def with_network(model):
    return cvxnn.ConvexReLURegressor(beta=0.5, model=model)


# ------------------------------------------------------------------ estimators of this library


@with_long("hidden_bias", [True, False])
@with_long(
    "model",
    [
        cvxnn.ConvexReLURegressor(beta=0.5),
        cvxnn.ConvexReLURegressor(beta=0.1, loss="huber", delta=0.2),
        cvxnn.ConvexReLURegressorCV(betas=[1.0, 0.5], cv=2),
        cvxnn.ConvexReLUClassifier(beta=0.5),
        cvxnn.ConvexReLUClassifier(beta=0.5, loss="squared_hinge"),
        cvxnn.ConvexReLUClassifier(beta=0.5, loss="squared"),
        cvxnn.ConvexReLUClassifierCV(betas=[1.0, 0.5], cv=2),
    ],
    ids=str,
    always=2,
)
def test_estimators_are_certified_as_they_were_trained(model, hidden_bias):
    target = LABELS if hasattr(model, "class_weight") else Y
    model.set_params(hidden_bias=hidden_bias).fit(X, target)
    beta = getattr(model, "beta_", getattr(model, "beta", None))
    certificate = cvxnn.certify(model, X, target, beta)
    # Trained by the one, and proved by the other from the dual point of its residual.
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == pytest.approx(model.objective_, rel=1e-9)
    read = read_network(model)
    values = getattr(model, "decision_function", model.predict)(X)
    assert np.array_equal(model.scaling_.restored(read.network.forward(read.data(X))), values)
    assert read.has_intercept and "standardised as in the training" in certificate.notes[0]
    assert read.has_ones == hidden_bias
    if hasattr(model, "class_weight"):
        assert "The labels -1 and 1 are its classes large and small." in certificate.notes
        with pytest.raises(InputError, match=r"which are 'large' and 'small', got 1.0"):
            cvxnn.certify(model, X, np.ones(30), beta)


@pytest.mark.long
def test_the_loss_may_be_another_one():
    model = cvxnn.ConvexReLURegressor(beta=0.1, loss="huber", delta=0.2).fit(X, Y)
    certificate = cvxnn.certify(model, X, Y, 0.1, loss="squared", time_limit=5.0)
    expected = 0.5 * ((model.predict(X) - Y) ** 2).sum() / Y.var() + 0.1 * model.network_.penalty()
    assert certificate.objective == pytest.approx(expected, rel=1e-12)


def test_parameters_that_were_set_later_do_not_count_for_the_column_of_ones():
    model = cvxnn.ConvexReLURegressor(beta=0.5).fit(X, Y).set_params(hidden_bias=False)
    assert read_network(model).has_ones


@pytest.mark.long
def test_class_weights_are_for_the_user_to_pass():
    model = cvxnn.ConvexReLUClassifier(beta=0.5, class_weight="balanced").fit(X, LABELS)
    _, member, counts = np.unique(LABELS, return_inverse=True, return_counts=True)
    certificate = cvxnn.certify(model, X, LABELS, 0.5, sample_weight=15.0 / counts[member])
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == pytest.approx(model.objective_, rel=1e-9)
    assert "Its class_weight, 'balanced', counts only" in " ".join(certificate.notes)


def test_several_classes_against_the_rest_are_certified_one_by_one():
    labels = np.arange(30) % 3
    options = {"beta": 2.0, "multi_class": "ovr", "fit_intercept": False}
    model = cvxnn.ConvexReLUClassifier(**options).fit(X, labels)
    says = r"has 3 networks, .* networks_\[k\], with labels 1"
    refused(lambda: cvxnn.certify(model, X, labels, 2.0), says)
    ones = np.column_stack([model.scaling_.transform(X), np.ones(30)])
    total = 0.0
    for k, network in enumerate(model.networks_):
        signs = np.where(labels == k, 1.0, -1.0)
        total += cvxnn.certify(network, ones, signs, 2.0, loss="logistic").objective
    assert total == pytest.approx(model.objective_, rel=1e-9)


THIRDS = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.4, 0.4])]


@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("has_classes", [True, False])
def test_estimators_of_several_outputs_are_certified_as_they_were_trained(has_classes, hidden_bias):
    kind = cvxnn.ConvexReLUClassifier if has_classes else cvxnn.ConvexReLURegressor
    target = THIRDS if has_classes else np.column_stack([Y, 7.0 * X[:, 1]])
    model = kind(beta=0.8, hidden_bias=hidden_bias, time_limit=60).fit(X, target)
    certificate = cvxnn.certify(model, X, target, 0.8, tol=1e-5)
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == pytest.approx(model.objective_, rel=1e-9)
    read = read_network(model)
    values = (model.decision_function if has_classes else model.predict)(X)
    restored = model.scaling_.restored(read.network.forward(read.data(X)))
    assert np.array_equal(restored, values) and read.has_ones == hidden_bias
    if has_classes:
        note = "Its outputs are for the classes high, low, middle, in this order."
        assert note in certificate.notes
        refused(lambda: cvxnn.certify(model, X, ["none"] * 30, 0.8), "'high', 'low' and 'middle'")
    else:
        refused(lambda: cvxnn.certify(model, X, Y, 0.8), r"of shape \(30, 2\) .* got shape \(30,\)")


class Doubled(cvxnn.ConvexReLURegressor):
    def predict(self, X):
        return 2.0 * super().predict(X)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (cvxnn.ConvexReLURegressor(), "The ConvexReLURegressor is not fitted"),
        (cvxnn.ConvexReLUClassifierCV(), "The ConvexReLUClassifierCV is not fitted"),
        (Doubled(), "The network is a Doubled, .* the ConvexReLURegressor it is derived from"),
        (make_pipeline(StandardScaler(), cvxnn.ConvexReLURegressor()), "is not fitted"),
        (make_pipeline(StandardScaler(), "passthrough"), "got a str"),
        (make_pipeline(StandardScaler()), "got a StandardScaler"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_others_are_refused(model, words):
    refused(lambda: read_network(model), words)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (with_network(cvxnn.Conv(1)), "is ConvolutionalNetwork.* dual_gap_ say how far"),
        (with_network(cvxnn.ReLU(0.1)), "is TwoLayerNetwork.*slope=0.1.*, not one of two layers"),
        (GridSearchCV(mlp(), {}, cv=2), "pass its attribute best_estimator_"),
    ],
    ids=["filters", "leaky", "search"],
)
def test_others_are_refused_once_they_are_fitted(model, words):
    refused(lambda: read_network(hidden(model)), words)


def test_names_of_columns_are_those_of_the_fit():
    table = pytest.importorskip("pandas").DataFrame(X, columns=["a", "b"])
    model = cvxnn.ConvexReLURegressor(beta=0.5).fit(table, Y)
    assert cvxnn.certify(model, table, Y, 0.5).verdict is Verdict.OPTIMAL
    refused(lambda: cvxnn.certify(model, table[["b", "a"]], Y, 0.5), "X has the columns b, a")


# ------------------------------------------------------------------ pipelines


@with_long(
    "last", [mlp(), cvxnn.ConvexReLURegressor(beta=0.5)], ids=lambda last: type(last).__name__
)
@pytest.mark.parametrize(
    "steps",
    [
        (), (StandardScaler(),), (StandardScaler(), "passthrough", SelectKBest(f_regression, k=1)),
        (PolynomialFeatures(2, include_bias=False), StandardScaler()),
    ],
    ids=["alone", "scaled", "selected", "polynomial"],
)  # fmt: skip
def test_a_pipeline_has_the_values_of_its_prediction(steps, last):
    pipeline = hidden(make_pipeline(*steps, last))
    read = read_network(pipeline)
    scaling = getattr(pipeline[-1], "scaling_", Scaling())
    values = scaling.restored(read.network.forward(read.data(X)))
    assert np.abs(values - pipeline.predict(X)).max() <= 1e-10
    certificate = cvxnn.certify(pipeline, X, Y, 0.5, time_limit=0.5)
    squares = 0.5 * ((pipeline.predict(X) - Y) ** 2).sum() / scaling.target_scale**2
    assert certificate.objective == pytest.approx(squares + 0.5 * read.network.penalty(), rel=1e-10)
    assert any("the steps of the Pipeline" in note for note in certificate.notes) == bool(steps)
    if last is not pipeline[-1] and isinstance(last, cvxnn.ConvexReLURegressor):
        assert certificate.objective == pytest.approx(pipeline[-1].objective_, rel=1e-9)


def test_a_pipeline_in_a_pipeline_and_a_classifier_at_its_end():
    inner = make_pipeline(SelectKBest(k=1), mlp(MLPClassifier))
    pipeline = hidden(make_pipeline(StandardScaler(), inner), LABELS)
    read = read_network(pipeline)
    logits = read.network.forward(read.data(X))
    chances = pipeline.predict_proba(X)[:, 1]
    assert 1.0 / (1.0 + np.exp(-logits)) == pytest.approx(chances, abs=1e-10)
    certificate = cvxnn.certify(pipeline, X, LABELS, 0.5)
    right = np.where(LABELS == "small", chances, 1.0 - chances)
    expected = -np.log(right).sum() + 0.5 * read.network.penalty()
    assert certificate.objective == pytest.approx(expected, rel=1e-10)


def test_steps_may_take_what_is_no_number_and_give_what_is_sparse():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"x": X[:, 0], "kind": np.array(list("abc"))[np.arange(30) % 3]})
    encoder = make_column_transformer(
        (StandardScaler(), ["x"]), (OneHotEncoder(), ["kind"]), sparse_threshold=1.0
    )
    pipeline = hidden(make_pipeline(encoder, mlp()), data=table)
    read = read_network(pipeline)
    assert np.abs(read.network.forward(read.data(table)) - pipeline.predict(table)).max() <= 1e-10
    unknown = table.assign(kind="d")
    refused(lambda: read.data(unknown), r"\(columntransformer\) do not take X: Found unknown")


def test_data_that_the_steps_do_not_take_are_named():
    pipeline = hidden(make_pipeline(StandardScaler(), mlp()))
    for data, words in ((X[:, :1], "X has 1 features"), (["a"], "do not take X")):
        with pytest.raises(InputError, match=words) as error:
            cvxnn.certify(pipeline, data, Y, 0.5)
        assert "\n" not in str(error.value)


def test_a_subclass_of_a_pipeline_is_refused():
    class Squared(Pipeline):
        def predict(self, X, **params):
            return super().predict(X, **params) ** 2

    with pytest.raises(InputError, match=r"a Squared, .* the Pipeline it is derived from"):
        read_network(hidden(Squared([("scale", StandardScaler()), ("net", mlp())])))
