"""Objectives and their rounding errors, against exact arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from networks.cases import exact, leaky, penalty, product
from variants import with_long

from cvxnn import ConvolutionalNetwork
from cvxnn.compensated import matrix_product, network_output, pair_error
from cvxnn.evaluation import evaluate, predict
from cvxnn.layers import Layer
from cvxnn.layers.max_pooling import max_layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss, WeightedLoss
from cvxnn.results import Status
from cvxnn.training import solve


def exact_prediction(layer, hidden, weights):
    """``R (M u)_+ a`` in rational arithmetic."""
    hinges = product(leaky(product(exact(layer.rows), exact(hidden).T), 0.0), exact(weights))
    return hinges if layer.readout is None else product(exact(layer.readout.toarray()), hinges)


def exact_loss(loss, f, y):
    """The loss of one row, to 60 digits where it is not rational."""
    target = Fraction(y)
    if isinstance(loss, SquaredLoss):
        return (f - target) ** 2 / 2
    if isinstance(loss, HuberLoss):
        delta, size = Fraction(loss.delta), abs(f - target)
        return size**2 / 2 if size <= delta else delta * size - delta**2 / 2
    if isinstance(loss, SquaredHingeLoss):
        return max(1 - target * f, Fraction(0)) ** 2 / 2
    with localcontext() as context:
        context.prec = 60
        margin = Decimal(f.numerator) / Decimal(f.denominator) * Decimal(y)
        return Fraction((1 + (-margin).exp()).ln())


LOSSES = [SquaredLoss(), HuberLoss(0.1), LogisticLoss(), SquaredHingeLoss()]


@pytest.mark.parametrize("size", [1.0, 1e8, 1e-8])
@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_the_error_covers_the_exact_objective(loss, read, size):
    rng = np.random.default_rng(0)
    layer = Layer(rng.standard_normal((9, 3)) * size)
    if read:
        layer = layer.with_slope(0.3)
    weights = rng.uniform(0.5, 2.0, layer.n_predictions)
    weighted = WeightedLoss(loss, weights)
    for trial in range(8):
        hidden, output = rng.standard_normal((4, 3)) / size, rng.standard_normal(4)
        # Targets at, next to and far from the predictions.
        predicted = layer.forward(hidden, output)
        noise = rng.choice([0.0, 1e-16, 1e-9, 1.0], 9) * rng.standard_normal(9)
        y = np.sign(predicted) if loss.has_labels else predicted * (1.0 + noise)
        if loss.has_labels:
            y[y == 0.0] = 1.0
        f = exact_prediction(layer, hidden, output)
        truth = sum(
            (Fraction(w) * exact_loss(loss, g, t) for w, g, t in zip(weights, f, y, strict=True)),
            Fraction(0),
        )
        for tol in (1.0, 1e-12):
            found = evaluate(weighted, y, predict(layer, hidden, output), 0.0, 0, tol)
            assert abs(Fraction(found.value) - truth) <= Fraction(found.error), trial
        if not loss.has_labels:
            # In twice the precision the value has all its digits, whatever cancels.
            assert abs(Fraction(found.value) - truth) <= truth * Fraction(1e-12)


@pytest.mark.parametrize("read", [False, True])
def test_a_linear_part_joins_the_sums(read):
    rng = np.random.default_rng(1)
    layer = Layer(rng.standard_normal((6, 2)))
    if read:
        layer = Layer(layer.rows, scipy.sparse.eye_array(6, format="csr"))
    hidden, output, w = rng.standard_normal((3, 2)), rng.standard_normal(3), np.array([0.1, 1e3])
    y = layer.forward(hidden, output) + layer.rows @ w
    f = exact_prediction(layer, hidden, output)
    truth = sum((f + exact(layer.rows) @ exact(w) - exact(y)) ** 2) / 2
    prediction = predict(layer, hidden, output, (layer.rows, w))
    found = evaluate(SquaredLoss(), y, prediction, 0.0, 0)
    assert abs(Fraction(found.value) - truth) <= Fraction(found.error)
    assert abs(Fraction(found.value) - truth) <= truth * Fraction(1e-12)


def test_filters_may_win_at_different_patches():
    """Two filters, each at its own of two patches: the terms are 1 and 1."""
    patches = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    layer, filters = max_layer(patches, has_bias=False), np.eye(2)
    assert predict(layer, filters, np.array([1.0, -1.0])).moduli[0] >= 2.0
    network = ConvolutionalNetwork(filters.reshape(2, 1, 2), [1.0, -1.0], pooling="max")
    assert network.predict_on(network.rows(patches)).moduli[0] >= 2.0


def test_products_in_pairs():
    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((4, 30)), rng.standard_normal((30, 2))
    A[:, 15:], B[15:] = -A[:, :15], B[:15] * (1.0 + 1e-13)
    high, low = matrix_product(A, B)
    for i in range(4):
        for j in range(2):
            terms = [Fraction(a) * Fraction(b) for a, b in zip(A[i], B[:, j], strict=True)]
            error = abs(Fraction(high[i, j]) + Fraction(low[i, j]) - sum(terms))
            assert error <= Fraction(pair_error(30)) * sum(map(abs, terms))
            assert abs(low[i, j]) <= np.finfo(float).eps * abs(high[i, j])


def test_a_kink_is_decided_in_twice_the_precision():
    # 0.1 * 3 - 0.3 is 5.6e-17 in float64, and -2.8e-17 in truth.
    row, u = np.array([[0.1, -0.3]]), np.array([[3.0, 1.0]])
    assert Fraction(0.1) * 3 - Fraction(0.3) > 0
    high, low = network_output(row, u, np.ones(1))
    assert Fraction(high[0]) + Fraction(low[0]) == Fraction(0.1) * 3 - Fraction(0.3)
    assert network_output(-row, u, np.ones(1))[0] == 0.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@with_long("beta", [1e-60, 1e-20, 1e-30, 1e-40])
def test_optimal_is_true_of_the_network_beside_a_tiny_beta(beta):
    """The residual of an optimum is about beta: float64 may see none at all."""
    X, y = np.array([[0.3, -1.1, 0.7]]), np.array([1.3])
    solution = solve(X, y, beta)
    network = solution.network
    f = exact_prediction(Layer(X), network.hidden_weights, network.output_weights)
    truth = (f[0] - Fraction(1.3)) ** 2 / 2 + Fraction(beta) * penalty(network)
    assert abs(Fraction(solution.objective) - truth) <= Fraction(solution.objective_error)
    # beta |y| / ||x|| - beta^2 / (2 ||x||^2) in closed form; the second term is nothing.
    length = float(np.linalg.norm(X))
    optimum = beta * 1.3 / length - beta**2 / (2.0 * length**2)
    assert solution.dual_bound <= optimum * (1.0 + 1e-12)
    assert solution.dual_bound == pytest.approx(optimum, rel=1e-6)
    true_gap = float((truth - Fraction(solution.dual_bound)) / truth)
    assert (solution.status is Status.OPTIMAL) == (true_gap <= 1e-6) and solution.gap >= true_gap
