"""How long a fit takes, and what it says of its end."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.estimators.time_limits import Budget

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 9))
Y = np.abs(X[:, 0]) + X[:, 1] * (X[:, 2] > 0.0) + 0.5 * RNG.standard_normal(80)
# What no proof reaches: rank 10.
MODELS = {
    "regressor": (cvxnn.ConvexReLURegressor, Y),
    "classifier": (cvxnn.ConvexReLUClassifier, Y > 0.5),
    "regressor CV": (cvxnn.ConvexReLURegressorCV, Y),
    "classifier CV": (cvxnn.ConvexReLUClassifierCV, np.digitize(Y, [0.3, 0.9])),
}
each_model = pytest.mark.parametrize("name", MODELS)


@with_long("name", ["regressor", "classifier CV", "classifier", "regressor CV"], always=2)
def test_who_asks_for_no_proof_is_not_told_that_there_is_none(name):
    kind, y = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = kind().fit(X, y)
    assert model.status_ is Status.STATIONARY and model.n_neurons_ > 0
    assert model.dual_bound_ <= model.objective_ and model.score(X, y) > 0.5
    for solution, network in zip(model.solutions_, model._fitted_networks(), strict=True):
        assert solution.network == network and len(solution.history) == solution.n_iter >= 1
        assert solution.history[-1].objective == pytest.approx(solution.objective)


@each_model
def test_a_limit_is_for_the_whole_fit_and_leaves_a_model(name):
    kind, y = MODELS[name]
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        model = kind(time_limit=1e-3).fit(X, y)
    assert model.status_ is Status.TIME_LIMIT and model.predict(X).shape == (80,)
    assert model.beta_ > 0.0


@each_model
def test_a_search_that_would_end_by_itself_ends_in_time_too(name, monkeypatch):
    monkeypatch.setattr("cvxnn.estimators.time_limits.AUTOMATIC", 1e-3)
    kind, y = MODELS[name]
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        model = kind().fit(X, y)
    assert model.status_ is Status.TIME_LIMIT and np.isfinite(model.objective_)
    assert model.dual_bound_ <= model.objective_


@pytest.mark.long
def test_a_proof_that_is_not_there_in_time_gives_way_to_a_search(monkeypatch):
    """Half of it is no good: the network is polished at a beta chosen by rough ones."""
    X, rng = RNG.standard_normal((100, 2)), np.random.default_rng(1)
    y = np.sin(3.0 * X[:, 0]) * X[:, 1] + 0.3 * rng.standard_normal(100)
    proven = cvxnn.ConvexReLURegressor(1.0).fit(X, y)
    assert proven.status_ is Status.OPTIMAL
    monkeypatch.setattr("cvxnn.estimators.time_limits.PROOFS", 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        searched = cvxnn.ConvexReLURegressor(1.0).fit(X, y)
    assert searched.status_ is Status.STATIONARY
    assert proven.dual_bound_ <= searched.objective_ <= 1.05 * proven.objective_


@pytest.mark.long
def test_few_rows_are_proven_at_any_rank():
    """Where an exact oracle goes through the signs of rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few = cvxnn.ConvexReLURegressor(2.0).fit(X[:20], Y[:20])
        more = cvxnn.ConvexReLURegressor(2.0, proof_time=0.0).fit(X, Y)
        # Below the ranks of signs it is cells that are few.
        cells = cvxnn.ConvexReLURegressor(0.5).fit(X[:17, :5], Y[:17])
    assert few.status_ is cells.status_ is Status.OPTIMAL
    assert max(few.dual_gap_, cells.dual_gap_) <= 1e-6
    assert more.status_ is Status.STATIONARY
    assert more.solution_.advice.startswith("The gap may narrow with a larger proof_time. A larger")


def test_methods_that_are_no_search_end_by_themselves(monkeypatch):
    monkeypatch.setattr("cvxnn.estimators.time_limits.PROOFS", 1e-6)
    sampled = cvxnn.ConvexReLURegressor(1.0, method=cvxnn.Sampled(n_samples=8)).fit(X[:, :2], Y)
    assert sampled.status_ is Status.OPTIMAL_FOR_PATTERNS


def test_networks_share_what_is_left():
    budget = Budget.of(100.0)
    assert 30.0 < budget.share_of(3).remaining <= 100.0 / 3.0
    assert 95.0 < budget.share_of(1).remaining <= 100.0
    assert not Budget.of(None).share_of(3).limited


@pytest.mark.parametrize("limit", [0, -1.0, "soon", np.inf])
def test_other_limits_are_refused(limit):
    with pytest.raises(ValueError, match="time_limit"):
        cvxnn.ConvexReLURegressor(time_limit=limit).fit(X, Y)


@pytest.mark.long
def test_models_without_plain_rows_end_roughly_too():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leaky = cvxnn.ConvexReLURegressor(5.0, model=cvxnn.ReLU(0.1)).fit(X, Y)
    assert leaky.status_ is Status.STATIONARY and leaky.n_neurons_ > 0


@pytest.mark.long
def test_ten_seeds_and_orders_end_near_each_other():
    """A rough search joins independent ones: the optimum, which is unique in predictions."""
    found = [cvxnn.ConvexReLURegressor(2.0, random_state=seed).fit(X, Y) for seed in range(3)]
    order = RNG.permutation(80)
    found.append(cvxnn.ConvexReLURegressor(2.0).fit(X[order], Y[order]))
    assert np.array_equal(found[3].predict(X), found[0].predict(X))
    values = np.array([model.predict(X) for model in found]) / Y.std()
    assert np.sqrt(np.mean((values - values.mean(axis=0)) ** 2)) < 0.03
    # The seed is not ignored.
    assert not np.array_equal(values[0], values[1])
