"""Monotone networks, convex and concave ones, and those that pay a 1-norm: what holds of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from programs import Constrained
from sentences import refused
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import ReLU, Status, TwoLayerNetwork
from cvxnn.layers.costs import Costs, check_monotone, mixed_norms

TOL = 1e-7


def rows(n=25, seed=0):
    """Two columns and ones; a function that is not monotone, with noise."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    y = np.abs(X[:, 0]) - np.maximum(X[:, 1], 0.0) + 0.5 * X[:, 0]
    return X, y + 0.4 * rng.standard_normal(n)


def pairs(count=100_000, seed=1):
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(-4.0, 4.0, (2, count, 2))
    ones = np.ones((count, 1))
    return np.hstack([one, ones]), np.hstack([other, ones])


@with_long("features, loss", [(1, "squared"), (None, "absolute"), (None, "poisson")], ids=str)
def test_networks_are_monotone_on_many_pairs(features, loss):
    X, y = rows()
    y = np.floor(np.exp(y)) if loss == "poisson" else y
    model = ReLU(features=features, monotonic_cst=[1, -1])
    solution = cvxnn.solve(X, y, 0.05, model=model, loss=loss, intercept=True)
    assert solution.status is Status.OPTIMAL
    one, other = pairs()
    # From the lower to the higher of the first, the higher to the lower of the second.
    ends = [
        np.column_stack([first(one[:, 0], other[:, 0]), second(one[:, 1], other[:, 1]), one[:, 2]])
        for first, second in ((np.minimum, np.maximum), (np.maximum, np.minimum))
    ]
    low, high = (solution.network(end) for end in ends)
    assert (high - low >= -1e-12 * np.abs(high).max()).all()


@with_long("shape", ["concave", "convex"])
def test_networks_have_the_curvature_on_many_pairs(shape):
    X, y = rows()
    solution = cvxnn.solve(X, y, 0.05, model=ReLU(shape=shape), intercept=True)
    assert solution.status is Status.OPTIMAL and solution.n_neurons > 2
    one, other = pairs()
    middle = 0.5 * (one + other)
    network = solution.network
    bend = 0.5 * (network(one) + network(other)) - network(middle)
    sign = 1.0 if shape == "convex" else -1.0
    assert (sign * bend >= -1e-12 * np.abs(network(one)).max()).all()


@pytest.mark.long
def test_each_constraint_costs_and_the_optima_are_in_order():
    X, y = rows(8)
    options = {"beta": 0.1, "intercept": True, "tol": TOL}

    def optimum(**settings):
        return cvxnn.solve(X, y, model=ReLU(**settings), **options)

    free, rising, both = (optimum(monotonic_cst=m) for m in (None, [1, 0], [1, -1]))
    assert free.objective < rising.dual_bound and rising.objective <= both.objective + 1e-6
    convex = optimum(monotonic_cst=[1, -1], shape="convex")
    assert both.objective < convex.dual_bound
    ratios = [optimum(monotonic_cst=[1, -1], l1_ratio=r) for r in (0.0, 0.5, 1.0)]
    objectives = [solution.objective for solution in ratios]
    assert objectives == sorted(objectives) and ratios[0].objective == both.objective


def test_zeros_ask_for_nothing():
    X, y = rows()
    plain = cvxnn.solve(X, y, 0.1)
    assert cvxnn.solve(X, y, 0.1, model=ReLU(monotonic_cst=[0, 0])).network == plain.network
    refused(lambda: cvxnn.solve(X, y, 0.1, model=ReLU(monotonic_cst=[0])), "each of the 3 columns")


def test_a_number_for_the_column_of_ones_is_one_for_the_bias():
    X, y = rows()
    solution = cvxnn.solve(X, y, 0.1, model=ReLU(monotonic_cst=[0, 0, 1]))
    network = solution.network
    assert (network.output_weights * network.hidden_weights[:, 2] >= 0.0).all()


def test_a_one_norm_leaves_columns_out():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((60, 4)), np.ones(60)])
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(60)
    seen = []
    for ratio in (0.0, 1.0):
        model = ReLU(l1_ratio=ratio)
        beta = 0.1 * cvxnn.largest_beta(X, y, model=model)
        network = cvxnn.solve(X, y, beta, model=model, tol=1e-4).network
        seen.append(int((network.hidden_weights[:, :4] != 0.0).any(axis=0).sum()))
    assert seen == [4, 1]


@pytest.mark.parametrize(
    "settings",
    [{"monotonic_cst": [1, -1]}, {"shape": "concave"}, {"l1_ratio": 0.6}, {"l1_ratio": 1.0}],
    ids=str,
)
def test_at_the_largest_beta_no_neuron_is_left(settings):
    X, y = rows()
    for features in (None, 1):
        model = ReLU(features=features, **settings)
        largest = cvxnn.largest_beta(X, y, model=model)
        assert cvxnn.solve(X, y, 1.001 * largest, model=model).n_neurons == 0
        assert cvxnn.solve(X, y, 0.95 * largest, model=model).n_neurons > 0


def test_a_path_is_one_of_optima():
    X, y = rows(12)
    model = ReLU(monotonic_cst=[1, 0], l1_ratio=0.5)
    path = cvxnn.regularization_path(X, y, 4, model=model)
    assert (path.gaps <= 1e-6).all() and (np.diff(path.objectives) < 0.0).all()


def test_a_certificate_is_checked_with_its_network(tmp_path):
    X, y = rows()
    model = ReLU(monotonic_cst=[1, 0], l1_ratio=0.5, features=1)
    solution = cvxnn.solve(X, y, 0.1, model=model)
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted
    assert report.settings[1:] == ("1 monotone column", "an l1 ratio of 0.5")
    path = tmp_path / "network.npz"
    solution.network.save(path, certificate=solution.certificate)
    network, _ = cvxnn.load_network(path)
    assert network == solution.network and network.l1_ratio == 0.5
    assert cvxnn.load_certificate(path).verify(X, y, network=network).accepted
    # Of one neuron turned round.
    hidden = np.array(network.hidden_weights)
    worst = np.argmax(np.abs(hidden[:, 0]))
    hidden[worst, 0] *= -1.0
    turned = TwoLayerNetwork(hidden, network.output_weights, l1_ratio=0.5)
    report = solution.certificate.verify(X, y, network=turned)
    assert not report.accepted and "does not rise with column 0" in report.reason


@pytest.mark.long
@with_long("settings", [{"monotonic_cst": [1] * 12}, {"l1_ratio": 1.0}], ids=str)
def test_at_high_ranks_the_bound_is_what_its_check_proves(settings):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 12)), rng.standard_normal(60)
    y += np.abs(X[:, 0])
    model = ReLU(**settings)
    with pytest.warns(ConvergenceWarning):
        solution = cvxnn.solve(X, y, 8.0, model=model, time_limit=2.0)
    assert 1e-6 < solution.gap < 0.8 and solution.n_neurons > 0
    report = solution.certificate.verify(X, y, network=solution.network, time_limit=5.0)
    assert report.accepted and report.how == "bounds without a search"


# ------------------------------------------------------------------ what does not go together


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (TwoLayerNetwork([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], [1.0, 1.0]), "and 1 of them are not"),
        (TwoLayerNetwork([[0.0, 1.0, 0.0]], [-1.0]), "and 1 of them are not"),
        (TwoLayerNetwork([[1.0, 0.0, 0.0]], [1.0], l1_ratio=0.5), "must be a network of ReLU"),
    ],
    ids=["direction", "sign", "norm"],
)
def test_a_warm_start_is_in_the_class(start, says):
    X, y = rows()
    model = ReLU(monotonic_cst=[1, 0], shape="convex")
    refused(lambda: cvxnn.solve(X, y, 0.1, model=model, warm_start=start), says)


def test_a_warm_start_of_the_class_leads_to_the_optimum():
    X, y = rows()
    model = ReLU(monotonic_cst=[1, 0], l1_ratio=0.5)
    first = cvxnn.solve(X, y, 0.2, model=model)
    warm = cvxnn.solve(X, y, 0.1, model=model, warm_start=first.network)
    assert warm.objective == pytest.approx(cvxnn.solve(X, y, 0.1, model=model).objective, rel=2e-6)


def test_methods_and_outputs_are_refused():
    X, y = rows()
    model = ReLU(shape="convex")
    refused(lambda: cvxnn.solve(X, np.column_stack([y, y]), 0.1, model=model), "has one output")
    for method in ("exact", "sampled"):
        refused(lambda m=method: cvxnn.solve(X, y, 0.1, model=model, method=m), "is trained by")
    network = TwoLayerNetwork([[1.0, 0.0, 0.0]], [1.0], l1_ratio=0.5)
    refused(lambda: cvxnn.certify(network, X, y, 0.1), "or an l1_ratio, got")


def test_the_model_shows_its_settings():
    model = ReLU(monotonic_cst=np.array([1, 0]), shape="convex", l1_ratio=1)
    assert repr(model).endswith("monotonic_cst=(1, 0), shape='convex', l1_ratio=1.0)")
    assert model.replaced(shape=None, l1_ratio=0.0) == ReLU(monotonic_cst=[1, 0])


# ------------------------------------------------------------------ cones and norms

numbers = st.floats(-10.0, 10.0).map(lambda x: round(x, 3))


@given(arrays(np.float64, (4, 3), elements=numbers), st.floats(0.0, 1.0))
def test_a_mixed_norm_is_a_norm_between_the_two(vectors, ratio):
    norms = mixed_norms(vectors, ratio)
    euclidean, own = np.linalg.norm(vectors, axis=1), np.abs(vectors).sum(axis=1)
    slack = 1e-12 * (1.0 + own)
    assert (euclidean - slack <= norms).all() and (norms <= own + slack).all()
    assert mixed_norms(vectors.sum(axis=0), ratio) <= norms.sum() + slack.sum()
    assert np.allclose(mixed_norms(-3.0 * vectors, ratio), 3.0 * norms)


@given(
    arrays(np.float64, (4, 3), elements=numbers),
    st.tuples(*[st.sampled_from([-1, 0, 1])] * 3),
    st.sampled_from([1.0, -1.0]),
)
def test_cones_are_closed_under_sums_and_projections(vectors, monotone, sign):
    costs, signs = Costs(monotone), np.full(4, sign)
    projected = costs.projected(vectors, sign)
    assert costs.fit(projected, signs).all()
    assert costs.fit(projected.sum(axis=0)[None], signs[:1]).all()
    inside = costs.fit(vectors, signs)
    lengths = np.linalg.norm(vectors, axis=1)
    expected = vectors / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    assert np.allclose(projected[inside], expected[inside])


@pytest.mark.parametrize("value", [[2], "ab", [[1]], {"a": 1}, [0.5], [True], [], 1, [np.nan]])
def test_constraints_that_are_none_are_refused(value):
    refused(lambda: check_monotone(value), "monotonic_cst must be None or 1-D with -1, 0 or 1")


@pytest.mark.parametrize("n", [5])
@pytest.mark.parametrize("loss", ["squared", "huber", "logistic"])
def test_optimum_and_bound_are_those_of_the_program_on_all_cells(n, loss):
    cp = pytest.importorskip("cvxpy")
    X, y = rows(n)
    y = np.sign(y) if loss == "logistic" else y
    model = ReLU(monotonic_cst=[1, -1], l1_ratio=0.4)
    optimum = Constrained.of(X, model).optimum(cp, loss, y, 0.1)
    solution = cvxnn.solve(X, y, 0.1, model=model, loss=loss, tol=TOL)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(optimum, rel=1e-6)
    assert solution.dual_bound == pytest.approx(optimum, rel=1e-6)
