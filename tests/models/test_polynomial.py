"""Polynomial networks: settings, refusals, and what the paper says of the activation."""

import numpy as np
import pytest
from programs import patches_by_loops
from sentences import refused

import cvxnn
from cvxnn import Polynomial, PolynomialNetwork


def test_the_defaults_are_close_to_relu():
    t = np.linspace(-5.0, 5.0, 2001)
    columns = np.column_stack([t**2, t, np.ones_like(t)])
    fitted = np.linalg.lstsq(columns, np.maximum(t, 0.0), rcond=None)[0]
    model = Polynomial()
    np.testing.assert_allclose((model.a, model.b, model.c), fitted, atol=0.005)


def test_directions_are_divided_by_their_length():
    network = PolynomialNetwork([[3e200, 4e200], [0.6, 0.8]], [1.0, 2.0])
    np.testing.assert_allclose(network.hidden_weights, [[0.6, 0.8]] * 2, rtol=1e-15)
    again = PolynomialNetwork(network.hidden_weights, [1.0, 2.0])
    assert np.array_equal(again.hidden_weights, network.hidden_weights)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Polynomial(0.0, 0.0, 0.0), "must not all be 0"),
        (lambda: Polynomial(np.nan), "a must be"),
        (lambda: Polynomial(filter_size=0), "filter_size"),
        (lambda: Polynomial(stride=0), "stride"),
        (lambda: PolynomialNetwork([[0.0, 0.0]], [1.0]), "length above 0"),
        (lambda: PolynomialNetwork([[1.0, 0.0]], [1.0, 2.0]), "a row for each"),
        (lambda: PolynomialNetwork([[1.0, 0.0]], [1.0]).forward([[1.0]]), "2 features"),
        (lambda: PolynomialNetwork([[[1.0, 0.0]]], [1.0]).forward([[1.0]]), "2 channels"),
        (
            lambda: cvxnn.solve([[1.0]], [1.0], 0.1, model="polynomial", method="exact"),
            "trained by method='global'",
        ),
        (lambda: cvxnn.OptimalSet([[1.0]], [1.0], 0.1, model="polynomial"), "OptimalSet"),
    ],
    ids=["zero", "nan", "filter", "stride", "zero row", "rows", "features", "channels", "method",
         "landscape"],
)  # fmt: skip
def test_refusals_are_a_sentence(call, says):
    try:
        refused(call, says)
    except TypeError:
        pytest.skip("It takes no model.")


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 2)])
def test_filters_see_the_patches_of_images(shape):
    rng = np.random.default_rng(0)
    images, y = rng.standard_normal(shape), rng.standard_normal(6)
    model = Polynomial(0.3, -0.2, 0.1, filter_size=(2, 3), stride=2, padding=1)
    solution = cvxnn.solve(images, y, 0.01, model=model)
    assert solution.status.name == "OPTIMAL"
    network = solution.network
    assert network.hidden_weights.shape[1:] == (2, 3, *(shape[3:] or (1,)))
    patches = patches_by_loops(images, (2, 3), 2, 1)
    sums = patches @ network.flat().T
    expected = (0.3 * sums**2 - 0.2 * sums + 0.1).mean(axis=1) @ network.output_weights
    np.testing.assert_allclose(network.forward(images), expected, rtol=1e-12, atol=1e-14)


def test_one_patch_is_a_row():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((12, 4)), rng.standard_normal(12)
    rows = cvxnn.solve(X, y, 0.1, model=Polynomial())
    images = cvxnn.solve(X.reshape(12, 2, 2), y, 0.1, model=Polynomial(filter_size=2))
    assert images.objective == pytest.approx(rows.objective, rel=1e-6)


def test_the_largest_beta_is_where_neurons_begin():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    largest = cvxnn.largest_beta(X, y, model="polynomial")
    above, below = (cvxnn.solve(X, y, largest * t, model="polynomial") for t in (1.0 + 1e-9, 0.99))
    assert above.n_neurons == 0 and below.n_neurons > 0
    path = cvxnn.regularization_path(X, y, 6, model="polynomial")
    assert all(solution.status.name == "OPTIMAL" for solution in path.solutions)


def test_precise_values_cover_what_float64_cancels():
    # Two neurons that nearly cancel.
    U = np.array([[0.6, 0.8], [0.6, np.nextafter(0.8, 1.0)]])
    network = PolynomialNetwork(U, [1e8, -1e8], 1.0, 0.0, 0.0)
    X = np.array([[1.0, 3.0], [2.0, -1.0]])
    prediction = network.predict_on(network.rows(X))
    precise = prediction.precise()
    assert (precise.error <= 1e-6 * prediction.error).all()
    assert (np.abs(precise.high - prediction.values) <= prediction.error + precise.error).all()


def test_estimators_take_it():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 3))
    y = X[:, 0] * X[:, 1] + 0.05 * rng.standard_normal(60)
    regressor = cvxnn.ConvexReLURegressor(model=Polynomial()).fit(X[:40], y[:40])
    assert regressor.score(X[40:], y[40:]) > 0.6
    classes = np.digitize(y, [-0.3, 0.3])
    classifier = cvxnn.ConvexReLUClassifier(model="polynomial", multi_class="softmax")
    assert classifier.fit(X, classes).score(X, classes) > 0.8
