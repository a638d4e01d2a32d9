"""certify with other losses and weights: bounds and neurons against the full program in cvxpy."""

from typing import Any

import numpy as np
import pytest
from perceptrons import mlp
from runs import quietly
from scipy.optimize import minimize_scalar
from sklearn.neural_network import MLPClassifier
from small_programs import NAMES, FloatArray, data, reference, target_for
from variants import with_long

from cvxnn.errors import InputError
from cvxnn.losses import HuberLoss, Loss, as_loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import NetworkCertificate, Verdict
from cvxnn.training.certification import certify

BETA = 0.1


def some_network(d: int) -> TwoLayerNetwork:
    rng = np.random.default_rng(d)
    return TwoLayerNetwork(0.5 * rng.standard_normal((4, d)), 0.5 * rng.standard_normal(4))


def assert_neuron_holds(
    certificate: NetworkCertificate, X: FloatArray, y: FloatArray, loss: Loss
) -> None:
    """It lowers the objective by what it says, and no other size of it by more."""
    neuron, network, beta = certificate.improving_neuron, certificate.network, certificate.beta
    assert neuron is not None
    improved = neuron.added_to(network).objective(X, y, beta, loss)
    assert improved == pytest.approx(certificate.objective - neuron.decrease, rel=1e-12)
    assert neuron.decrease > certificate.tol * certificate.objective
    prediction = network.forward(X)
    move = neuron.sign * np.maximum(X @ neuron.direction, 0.0)
    assert neuron.value == pytest.approx(-loss.gradient(prediction, y) @ move)
    best = minimize_scalar(
        lambda c: loss.value(prediction + c * move, y) + beta * c,
        bounds=(0.0, 10.0 * neuron.size),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert neuron.size == pytest.approx(best.x, rel=1e-5)


@with_long("name, d", [*zip(NAMES, (2, 3, 2, 3), strict=True)], ids=str)
def test_the_bound_is_the_optimum_of_the_full_program(name, d):
    X, y = data(d)
    y, loss = target_for(name, y), as_loss(name)
    optimum = reference(X, y, BETA, name)
    network = some_network(d)
    certificate = certify(network, X, y, BETA, loss=name)
    assert certificate.verdict is Verdict.IMPROVABLE
    assert certificate.objective == network.objective(X, y, BETA, loss)
    assert certificate.dual_bound == pytest.approx(optimum, rel=2e-6)
    assert certificate.dual_bound <= optimum * (1.0 + 1e-6) <= certificate.objective
    assert certificate.better_network is not None
    assert certificate.better_network.objective == pytest.approx(optimum, rel=2e-6)
    assert_neuron_holds(certificate, X, y, loss)
    best = certify(certificate.better_network.network, X, y, BETA, loss=loss)
    assert best.verdict is Verdict.OPTIMAL
    assert best.improving_neuron is best.better_network is None


@with_long("name", ["logistic", "squared"])
def test_weights_count_rows(name):
    X, y = data(3)
    y = target_for(name, y)
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    network = some_network(3)
    certificate = certify(network, X, y, BETA, loss=name, sample_weight=weights)
    optimum = reference(X, y, BETA, name, weights)
    assert certificate.dual_bound == pytest.approx(optimum, rel=2e-6)
    counts = weights.astype(int)
    rows, targets = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    expected = network.objective(rows, targets, BETA, as_loss(name))
    assert certificate.objective == pytest.approx(expected, rel=1e-12)
    assert_neuron_holds(certificate, rows, targets, as_loss(name))
    better = certificate.better_network.network
    best = certify(better, X, y, BETA, loss=name, sample_weight=weights)
    assert best.verdict is Verdict.OPTIMAL


def test_the_zero_network_is_optimal_from_the_largest_beta_on():
    from cvxnn.estimators import largest_beta

    X, y = data(3)
    none = TwoLayerNetwork(np.zeros((0, 3)), np.zeros(0))
    for name in NAMES:
        beta = largest_beta(X, y, loss=name)
        assert certify(none, X, y, 1.001 * beta, loss=name).verdict is Verdict.OPTIMAL
        below = certify(none, X, y, 0.9 * beta, loss=name)
        assert below.verdict is Verdict.IMPROVABLE
        assert_neuron_holds(below, X, y, as_loss(name))


def test_a_neuron_far_from_the_parabola_has_its_best_size():
    """Outliers of Huber's loss and confident mistakes: the majorizer is far off there."""
    X = np.array([[1.0, 1.0], [2.0, 1.0], [-1.0, 1.0]])
    for loss, y in ((HuberLoss(1e-3), [500.0, 1.0, 7.0]), (as_loss("logistic"), [1.0, -1.0, 1.0])):
        targets = np.array(y)
        network = TwoLayerNetwork([[-40.0, -40.0], [30.0, 0.0]], [1.0, -1.0])
        certificate = certify(network, X, targets, 1e-5, loss=loss)
        assert_neuron_holds(certificate, X, targets, loss)


def fitted(labels: Any, **options: Any) -> MLPClassifier:
    X, _ = data(3)
    options = {"alpha": BETA, "max_iter": 50} | options
    return quietly(mlp(MLPClassifier, **options).fit, X[:, :-1], labels)


def test_a_classifier_of_scikit_learn_knows_its_loss():
    X, y = data(3)
    labels = np.where(y > 0.0, "yes", "no")
    model = fitted(labels)
    certificate = certify(model, X[:, :-1], labels, BETA)
    assert certificate.dual_bound == pytest.approx(reference(X, y, BETA, "logistic"), rel=2e-6)
    logits = certificate.network.forward(X)
    chances = model.predict_proba(X[:, :-1])[:, 1]
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-logits)), chances, atol=1e-12)
    notes = " ".join(certificate.notes)
    assert "MLPClassifier spares its biases" in notes
    assert "corresponds to the logistic loss and beta = alpha" in notes
    assert "The labels -1 and 1 are its classes no and yes." in certificate.notes
    other = certify(model, X[:, :-1], labels, BETA, loss="squared_hinge")
    assert other.dual_bound == pytest.approx(reference(X, y, BETA, "squared_hinge"), rel=2e-6)


@pytest.mark.parametrize(
    "classes", [("no", "yes"), (0, 1), (False, True), (2, 7), (1.0, 2.0), (-1.0, 1.0)], ids=str
)
def test_labels_are_those_that_a_classifier_was_fitted_on(classes):
    X, y = data(3)
    labels = np.array(classes)[(y > 0.0).astype(int)]
    model = fitted(labels)
    # By hand: n times the mean cross entropy of scikit-learn, and all squared weights.
    chances = model.predict_proba(X[:, :-1])
    entropy = -np.log(np.where(y > 0.0, chances[:, 1], chances[:, 0])).sum()
    network = certify(model, X[:, :-1], labels, BETA, time_limit=1e-9).network
    for given in (labels, labels.tolist(), labels[:, None], labels.astype(object)):
        certificate = certify(model, X[:, :-1], given, BETA, time_limit=1e-9)
        expected = entropy + BETA * network.penalty()
        assert certificate.objective == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["maybe"] * 10, "which are 'no' and 'yes', got 'maybe' at entry 0"),
        (["no"] * 9 + [None], "got None at entry 9"),
        ([1.0] * 10, "got 1.0 at entry 0"),
        ([["no"]] * 9, "y has 9 entries but X has 10 rows"),
        ([["no", "yes"]] * 10, r"y must be 1-D, of shape \(10,\), got shape \(10, 2\)"),
        (np.ma.array(["no"] * 10, mask=[True] + 9 * [False]), "y must have no masked entries"),
        (np.array([{"no": 1}] * 10), "got {'no': 1} at entry 0"),
    ],
    ids=str,
)
def test_labels_that_are_no_classes_are_refused(labels, words):
    X, y = data(3)
    with pytest.raises(InputError, match=words) as error:
        certify(fitted(np.where(y > 0.0, "yes", "no")), X[:, :-1], labels, BETA)
    assert "\n" not in str(error.value)


def test_other_classifiers_are_refused():
    _, y = data(3)
    for model, words in (
        (MLPClassifier(), "The MLPClassifier is not fitted"),
        (fitted(np.ones(len(y))), "must have two classes at least, got 1"),
        (fitted(y, activation="tanh"), "An MLPClassifier must have activation='relu'"),
    ):
        with pytest.raises(InputError, match=words):
            certify(model, data(3)[0][:, :-1], y, BETA)
