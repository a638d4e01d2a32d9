"""certify of several outputs: objective and bound are those of formulas by hand, and of solve."""

from functools import cache

import numpy as np
import pytest
from perceptrons import mlp
from runs import quietly
from sentences import refused
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from variants import with_long

from cvxnn import Status, TwoLayerNetwork, Verdict, certify, load_certificate, solve
from cvxnn.losses import as_loss

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((24, 2))
X = np.column_stack([FEATURES, np.ones(24)])
KINDS = np.digitize(FEATURES[:, 0] + 0.3 * RNG.standard_normal(24), [-0.4, 0.4])
NUMBERS = np.column_stack([np.abs(FEATURES), FEATURES @ [1.0, -1.0]])
TARGETS = {"squared": NUMBERS, "huber": NUMBERS, "softmax": np.eye(3)[KINDS]}
BETA = 0.5
CASES = [(loss, intercept) for loss in TARGETS for intercept in (False, True)]


@cache
def solved(loss, intercept):
    return solve(X, TARGETS[loss], BETA, loss=loss, intercept=intercept, tol=1e-7)


def by_hand(prediction, Y, loss):
    """The losses from their definitions."""
    if loss == "softmax":
        return float((np.log(np.exp(prediction).sum(axis=1)) - (Y * prediction).sum(axis=1)).sum())
    distance = np.abs(prediction - Y)
    if loss == "squared":
        return float(0.5 * (distance**2).sum())
    return float(np.where(distance <= 1.0, 0.5 * distance**2, distance - 0.5).sum())


def objective(network, loss, Y=None, rows=X, beta=BETA):
    hidden, output = network.hidden_weights, network.output_weights
    prediction = np.maximum(rows @ hidden.T, 0.0) @ output + network.intercept
    squares = (hidden**2).sum() + (output**2).sum()
    return by_hand(prediction, TARGETS[loss] if Y is None else Y, loss) + 0.5 * beta * squares


def perturbed(network):
    rng = np.random.default_rng(1)
    hidden, output = network.hidden_weights, network.output_weights
    return TwoLayerNetwork(
        hidden + 0.3 * rng.standard_normal(hidden.shape),
        output + 0.3 * rng.standard_normal(output.shape),
        intercept=network.intercept,
    )


@cache
def improvable(loss, intercept):
    """The certificate of a network that is not optimal."""
    network = perturbed(solved(loss, intercept).network)
    return certify(network, X, TARGETS[loss], BETA, loss=loss)


@with_long(("loss", "intercept"), CASES)
def test_an_optimal_network_is_proven_with_the_bound_of_its_training(loss, intercept):
    solution = solved(loss, intercept)
    certificate = certify(solution.network, X, TARGETS[loss], BETA, loss=loss)
    assert certificate.verdict is Verdict.OPTIMAL and certificate.gap <= 1e-6
    assert certificate.objective == pytest.approx(objective(solution.network, loss), rel=1e-12)
    assert certificate.dual_bound == pytest.approx(solution.dual_bound, rel=1e-6)
    assert certificate.dual_bound <= solution.objective + solution.objective_error
    assert certificate.improving_neuron is None and certificate.better_network is None


def test_the_bound_is_that_of_solve_to_rounding():
    # Far from the optimum it comes from the training, which is that of solve.
    bad = perturbed(solved("softmax", False).network)
    found = certify(bad, X, KINDS, BETA, loss="softmax", random_state=0)
    same = solve(X, TARGETS["softmax"], BETA, loss="softmax", tol=2.5e-7, random_state=0)
    assert found.dual_bound == pytest.approx(same.dual_bound, rel=1e-7)


@with_long(("loss", "intercept"), CASES, always=2)
def test_a_perturbed_network_is_improved(loss, intercept):
    Y, best = TARGETS[loss], solved(loss, intercept)
    certificate = improvable(loss, intercept)
    network = certificate.network
    assert certificate.verdict is Verdict.IMPROVABLE
    assert certificate.objective == pytest.approx(objective(network, loss), rel=1e-12)
    assert certificate.dual_bound == pytest.approx(best.objective, rel=2e-6)
    difference = certificate.objective - certificate.dual_bound
    assert certificate.gap == pytest.approx(difference / certificate.objective, rel=1e-9)
    balanced = objective(network.balance(), loss)
    assert certificate.balanced_objective == pytest.approx(balanced, rel=1e-12)
    better = certificate.better_network
    assert better.status is Status.OPTIMAL
    assert objective(better.network, loss) == pytest.approx(best.objective, rel=2e-6)
    again = certify(better.network, X, Y, BETA, loss=loss)
    assert again.verdict is Verdict.OPTIMAL


@pytest.mark.parametrize("loss", TARGETS)
def test_an_improving_neuron_keeps_its_promise(loss):
    network, neuron = improvable(loss, False).network, improvable(loss, False).improving_neuron
    before, after = objective(network, loss), objective(neuron.added_to(network), loss)
    assert before - after == pytest.approx(neuron.decrease, rel=1e-9)
    residual = -as_loss(loss).gradient(network(X), TARGETS[loss])
    pulled = residual.T @ np.maximum(X @ neuron.direction, 0.0)
    assert neuron.value == pytest.approx(neuron.output @ pulled) and neuron.value > BETA
    assert neuron.value <= np.linalg.norm(pulled) * (1.0 + 1e-12)
    lengths = [np.linalg.norm(neuron.direction), np.linalg.norm(neuron.output)]
    assert lengths == pytest.approx([1.0, 1.0])
    # Another size of the same neuron does no better.
    for factor in (0.9, 1.1):
        root = np.sqrt(factor)
        other = TwoLayerNetwork(
            np.vstack([network.hidden_weights, root * neuron.hidden_weights]),
            np.vstack([network.output_weights, root * neuron.output_weight]),
        )
        assert objective(other, loss) >= after - 1e-12
    refused(lambda: neuron.sign, "no sign; take its output")
    single = TwoLayerNetwork([[1.0, 0.0, 0.0]], [1.0])
    refused(lambda: neuron.added_to(single), "must have the outputs of the neuron, 3")


def test_what_is_known_without_time_is_below_the_optimum():
    for loss, intercept in CASES:
        best = solved(loss, intercept)
        for network in (best.network, perturbed(best.network)):
            found = certify(network, X, TARGETS[loss], BETA, loss=loss, time_limit=1e-9)
            assert 0.0 <= found.dual_bound <= best.objective
            assert found.better_network is None


@with_long(("loss", "intercept"), CASES, always=2)
def test_certificates_are_saved_and_checked(loss, intercept, tmp_path):
    found, path = improvable(loss, intercept), tmp_path / "proof.npz"
    network = found.network
    found.certificate.save(path)
    report = load_certificate(path).verify(X, TARGETS[loss], network=network)
    assert report.accepted and report.is_recomputed
    assert report.objective == pytest.approx(objective(network, loss), rel=1e-12)


@pytest.mark.long
def test_weights_of_rows_are_repetitions():
    network = perturbed(solved("softmax", True).network)
    counts = 1 + np.arange(24) % 3
    weighted = certify(network, X, KINDS, BETA, loss="softmax", sample_weight=counts)
    repeated = certify(
        network, X.repeat(counts, axis=0), KINDS.repeat(counts), BETA, loss="softmax"
    )
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-12)
    assert weighted.dual_bound == pytest.approx(repeated.dual_bound, rel=2e-6)


@with_long("loss", ["squared", "softmax"])
def test_too_many_patterns_still_give_a_bound_and_a_neuron(loss):
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((60, 12))
    kinds = np.maximum(rows @ rng.standard_normal((12, 3)), 0.0).argmax(axis=1)
    network = TwoLayerNetwork(*np.split(0.1 * rng.standard_normal((5, 15)), [12], axis=1))
    found = certify(network, rows, np.eye(3)[kinds], 1.0, loss=loss, time_limit=1.0)
    assert found.verdict is Verdict.IMPROVABLE and found.improving_neuron is not None
    expected = objective(network, loss, np.eye(3)[kinds], rows, 1.0)
    assert found.objective == pytest.approx(expected, rel=1e-12)
    neuron = found.improving_neuron
    after = objective(neuron.added_to(network), loss, np.eye(3)[kinds], rows, 1.0)
    assert expected - after == pytest.approx(neuron.decrease, rel=1e-8)
    assert 0.0 < found.dual_bound <= after


def test_another_intercept_is_named():
    network = TwoLayerNetwork(np.zeros((0, 3)), np.zeros((0, 3)), intercept=[1.0, 0.0, 0.0])
    notes = certify(network, X, KINDS, 1e3, loss="softmax").notes
    shares = np.bincount(KINDS) / 24
    best = -24 * float(shares @ np.log(shares))
    assert f"Another intercept lowers the objective to {best:.10g}." in notes
    assert any("The intercepts of the 3 outputs cost nothing" in note for note in notes)


# ------------------------------------------------------------------ networks of scikit-learn


def trained(kind, target, data=FEATURES, **options):
    return quietly(mlp(kind, **options).fit, data, target)


def penalty_by_hand(model):
    """All squared weights, hidden biases among them, and the length of the output biases."""
    squares = sum((weights**2).sum() for weights in model.coefs_)
    squares += (model.intercepts_[0] ** 2).sum()
    return 0.5 * squares + np.linalg.norm(model.intercepts_[1])


@pytest.mark.long
def test_a_classifier_of_iris_by_its_own_loss():
    data, numbers = load_iris(return_X_y=True)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    names = np.array(["setosa", "versicolor", "virginica"])[numbers]
    model = trained(MLPClassifier, names, data, alpha=2.0, max_iter=200)
    found = certify(model, data, names, 2.0, tol=1e-4)
    chances = model.predict_proba(data)[np.arange(150), numbers]
    expected = -np.log(chances).sum() + 2.0 * penalty_by_hand(model)
    assert found.objective == pytest.approx(expected, rel=1e-10)
    ones = np.column_stack([data, np.ones(150)])
    best = solve(ones, np.eye(3)[numbers], 2.0, loss="softmax", tol=1e-4)
    assert found.verdict is Verdict.IMPROVABLE
    assert best.dual_bound <= found.objective
    assert found.dual_bound == pytest.approx(best.objective, rel=2e-4)
    assert found.dual_bound <= best.objective
    assert (
        "Its outputs are for the classes setosa, versicolor, virginica, in this" in found.notes[-2]
    )
    text = " ".join(found.notes)
    assert "the softmax loss and beta = alpha" in text and "The 3 output biases are" in text


def test_a_regressor_of_two_targets():
    Y = NUMBERS[:, :2]
    model = trained(MLPRegressor, Y, alpha=BETA)
    found = certify(model, FEATURES, Y, BETA)
    expected = 0.5 * ((model.predict(FEATURES) - Y) ** 2).sum() + BETA * penalty_by_hand(model)
    assert found.objective == pytest.approx(expected, rel=1e-12)
    best = solve(X, Y, BETA)
    assert found.dual_bound == pytest.approx(best.objective, rel=2e-6)
    assert "loss_ that it reports is their mean" in " ".join(found.notes)


@pytest.mark.long
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
def test_beta_is_alpha_for_several_outputs_as_well(kind):
    # Without gradients of scikit-learn's loss: at its end the slope of ours is 0 for the weights
    # that both penalise alike, along their scale.
    target = NUMBERS if kind is MLPRegressor else KINDS
    options = {"alpha": 0.3, "max_iter": 20_000, "solver": "adam", "tol": 0.0, "batch_size": 24}
    options |= {"n_iter_no_change": 20_000, "learning_rate_init": 0.003, "max_iter": 6000}
    model = trained(kind, target, **options)
    loss = "squared" if kind is MLPRegressor else "softmax"
    Y = NUMBERS if kind is MLPRegressor else np.eye(3)[KINDS]
    active = np.maximum(FEATURES @ model.coefs_[0] + model.intercepts_[0], 0.0)

    def value(t):
        output = (1.0 + t) * model.coefs_[1]
        squares = 0.5 * 0.3 * (output**2).sum()
        return by_hand(active @ output + model.intercepts_[1], Y, loss) + squares

    step = 1e-4
    slope = (value(step) - value(-step)) / (2.0 * step)
    assert abs(slope) <= 0.02 * 0.3 * (model.coefs_[1] ** 2).sum()


def test_several_questions_are_several_logistic_losses():
    labels = (NUMBERS > 0.5).astype(int)
    model = trained(MLPClassifier, labels)
    found = certify(model, FEATURES, labels, BETA, time_limit=0.5)
    chances = model.predict_proba(FEATURES)
    right = np.where(labels == 1, chances, 1.0 - chances)
    expected = -np.log(right).sum() + BETA * penalty_by_hand(model)
    assert found.objective == pytest.approx(expected, rel=1e-10)
    assert found.dual_bound <= found.objective


# ------------------------------------------------------------------ pairs, targets and mistakes


def test_a_pair_has_a_row_of_output_weights_for_each_neuron():
    network = solved("squared", False).network
    pair = network.hidden_weights, network.output_weights
    assert certify(pair, X, NUMBERS, BETA).verdict is Verdict.OPTIMAL
    refused(lambda: certify((pair[0], pair[1].T), X, NUMBERS, BETA), r"pass output_weights\.T")


def test_classes_are_numbers_words_or_columns():
    network = perturbed(solved("softmax", False).network)
    given = {"loss": "softmax", "time_limit": 0.1}
    values = {
        certify(network, X, y, BETA, **given).objective
        for y in (KINDS, KINDS.astype(float), KINDS[:, None], TARGETS["softmax"])
    }
    assert len(values) == 1
    assert values.pop() == pytest.approx(objective(network, "softmax"), rel=1e-12)
    soft = 0.8 * TARGETS["softmax"] + 0.1
    soft /= soft.sum(axis=1, keepdims=True)
    found = certify(network, X, soft, BETA, **given)
    assert found.objective == pytest.approx(objective(network, "softmax", soft), rel=1e-12)


THREE = TwoLayerNetwork(np.ones((2, 3)), np.ones((2, 3)))
ONE = TwoLayerNetwork(np.ones((2, 3)), np.ones(2))


@pytest.mark.parametrize(
    ("network", "y", "options", "words"),
    [
        (THREE, NUMBERS[:, :2], {}, r"of shape \(24, 3\) for a network of 3 outputs, got .*24, 2"),
        (THREE, NUMBERS[:, 0], {}, r"got shape \(24,\); classes 0 to 2 take loss=.softmax."),
        (ONE, NUMBERS, {}, r"y must be 1-D, of shape \(24,\), got shape \(24, 3\)"),
        (THREE, NUMBERS[:5], {}, "y has 5 entries but X has 24 rows"),
        (THREE, KINDS + 1, {"loss": "softmax"}, "which are 0, 1 and 2, got 3 at entry"),
        (THREE, NUMBERS[:, :2], {"loss": "softmax"}, r"or have 3 columns, .* got shape \(24, 2\)"),
        (THREE, -np.ones((24, 3)), {"loss": "softmax"}, "numbers >= 0 in each row"),
        (ONE, KINDS, {"loss": "softmax"}, "networks of several outputs, and the network has one"),
        (THREE, NUMBERS, {"loss": "logistic"}, "labels -1 and 1|must be -1 or 1"),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(network, y, options, words):
    refused(lambda: certify(network, X, y, BETA, **options), words)


def test_losses_of_signs_are_not_for_classes():
    names = np.array(["a", "b", "c"])[KINDS]
    model = trained(MLPClassifier, names)
    call = {"X": FEATURES, "y": names, "beta": BETA}
    refused(lambda: certify(model, **call, loss="logistic"), "got 'logistic', which is for labels")
    refused(lambda: certify(model, FEATURES, KINDS, BETA), "'a', 'b' and 'c', got ")
    squared = certify(model, **call, loss="squared", time_limit=0.1)
    read = squared.network
    expected = objective(read, "squared", np.eye(3)[KINDS])
    assert squared.objective == pytest.approx(expected, rel=1e-12)
    hundreds = MLPClassifier((3,), max_iter=1)
    many = quietly(hundreds.fit, np.ones((30, 1)), np.arange(30))
    words = "which are 0, 1, .*, 11 and 18 more, got 99 at entry 0"
    refused(lambda: certify(many, np.ones((1, 1)), [99], BETA), words)
    note = certify(many, np.ones((30, 1)), np.arange(30), BETA, time_limit=0.01).notes
    assert any("the classes 0, 1, 2" in part and "11 and 18 more" in part for part in note)
