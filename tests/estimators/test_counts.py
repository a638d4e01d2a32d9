"""Counts and amounts: means, deviances, and what scikit-learn makes of the same."""

import numpy as np
import pytest
from sentences import refused
from sklearn.linear_model import GammaRegressor, PoissonRegressor
from sklearn.metrics import d2_tweedie_score
from variants import with_long

import cvxnn
from cvxnn import ConvexReLURegressor, ConvexReLURegressorCV
from cvxnn.losses import as_loss

POWERS = {"poisson": 1, "gamma": 2}
LINEAR = {"poisson": PoissonRegressor, "gamma": GammaRegressor}
each_loss = pytest.mark.parametrize("loss", POWERS)


def drawn(loss, n=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 1))
    mean = np.exp(1.0 + 1.5 * np.abs(X[:, 0]))
    return X, rng.poisson(mean).astype(float) if loss == "poisson" else mean * rng.gamma(
        3.0, size=n
    )


@with_long("loss", POWERS)
def test_predictions_are_means_and_the_score_is_that_of_scikit_learn(loss):
    X, y = drawn(loss)
    weights = np.random.default_rng(1).uniform(0.2, 3.0, len(y))
    model = ConvexReLURegressor(beta=1.0, loss=loss).fit(X, y, weights)
    assert model.status_ is cvxnn.Status.OPTIMAL
    f = model.network_.forward(np.column_stack([model.scaling_.transform(X), np.ones(len(X))]))
    np.testing.assert_allclose(model.predict(X), np.exp(f), rtol=1e-12)
    # The best intercept has the right total.
    predicted = model.predict(X)
    if loss == "poisson":
        assert weights @ predicted == pytest.approx(weights @ y, rel=1e-5)
    for each in (None, weights):
        expected = d2_tweedie_score(y, predicted, sample_weight=each, power=POWERS[loss])
        assert model.score(X, y, each) == pytest.approx(expected, rel=1e-9)
    linear = LINEAR[loss]().fit(X, y, weights)
    assert model.score(X, y) > linear.score(X, y) + 0.2
    assert all(report.accepted for report in model.verify(X, y, weights))
    certificate = cvxnn.certify(model, X, y, 1.0, sample_weight=weights)
    assert certificate.verdict.name == "OPTIMAL"


@with_long("loss", POWERS)
def test_targets_are_not_scaled_whatever_is_asked_for(loss):
    X, y = drawn(loss, 20)
    plain, unscaled = (
        ConvexReLURegressor(beta=1.0, loss=loss, scale_y=scale_y).fit(X, y)
        for scale_y in (True, False)
    )
    np.testing.assert_array_equal(unscaled.predict(X), plain.predict(X))


@pytest.mark.long
@pytest.mark.parametrize(("loss", "beta"), [("gamma", "auto"), ("poisson", "cv")])
def test_beta_is_chosen_by_the_deviance(loss, beta):
    X, y = drawn(loss)
    model = ConvexReLURegressorCV(loss=loss) if beta == "cv" else ConvexReLURegressor(loss=loss)
    model.fit(X, y)
    fresh = drawn(loss, 500, 7)
    assert model.score(*fresh) > 0.6 and model.n_neurons_ > 0
    if beta == "cv":
        assert model.best_score_ == pytest.approx(model.scores_path_.mean(axis=1).max())


@pytest.mark.long
def test_several_counts_share_neurons():
    X, first = drawn("poisson", 60)
    Y = np.column_stack([first, np.random.default_rng(3).poisson(2.0 * np.exp(X[:, 0]))])
    model = ConvexReLURegressor(beta=2.0, loss="poisson", time_limit=None).fit(X, Y)
    assert model.status_ is cvxnn.Status.OPTIMAL and model.predict(X).shape == Y.shape
    each = [d2_tweedie_score(y, f, power=1) for y, f in zip(Y.T, model.predict(X).T, strict=True)]
    assert model.score(X, Y) == pytest.approx(np.mean(each), rel=1e-9)
    alone = ConvexReLURegressor(beta=2.0, loss="poisson").fit(X, Y[:, 0])
    assert model.objective_ >= alone.objective_


def test_targets_that_are_none():
    X, y = drawn("poisson", 30)
    for model in (ConvexReLURegressor(loss="poisson"), ConvexReLURegressorCV(loss="poisson")):
        refused(lambda model=model: model.fit(X, y - 1e3), "y must have counts for this loss")
        refused(lambda model=model: model.fit(X, 0.0 * y), "got zeros only")
    refused(lambda: ConvexReLURegressor(loss="gamma").fit(X, 0.0 * y), "amounts above 0")
    fitted = ConvexReLURegressor(beta=1.0, loss="poisson").fit(X, y)
    refused(lambda: fitted.score(X, -y - 1.0), "y must have counts")
    assert fitted.__sklearn_tags__().target_tags.positive_only


def test_a_fold_whose_training_rows_have_no_counts_is_named():
    X, _ = drawn("poisson", 30)
    y = np.zeros(30)
    y[4] = 3.0
    sentence = refused(
        lambda: ConvexReLURegressorCV(loss="poisson").fit(X, y), "got zeros only: it has no best"
    )
    assert sentence.startswith("The fold") and "has training rows without" in sentence
    assert ConvexReLURegressor(beta=1.0, loss="poisson").fit(X, y).status_.is_success


@each_loss
@pytest.mark.parametrize("model", [ConvexReLURegressor, ConvexReLURegressorCV])
def test_targets_that_are_all_the_same(loss, model):
    X = np.random.default_rng(0).standard_normal((40, 3))
    fitted = model(loss=loss).fit(X, np.full(40, 3.3))
    assert fitted.status_ is cvxnn.Status.OPTIMAL and fitted.n_neurons_ == 0
    assert fitted.dual_gap_ <= 1e-6
    np.testing.assert_allclose(fitted.predict(X), 3.3, rtol=1e-14)


def test_scores_without_anything_to_explain():
    X, y = drawn("poisson", 30)
    model = ConvexReLURegressor(beta=1.0, loss="poisson").fit(X, y)
    assert model.score(X, np.zeros(30)) == 0.0 and model.score(X, np.full(30, 3.0)) == 0.0
    with pytest.warns(UserWarning, match="less than two samples"):
        assert np.isnan(model.score(X[:1], y[:1]))


def test_the_exports_have_the_logarithm():
    torch = pytest.importorskip("torch")
    X, y = drawn("poisson", 30)
    model = ConvexReLURegressor(beta=1.0, loss="poisson").fit(X, y)
    values = model.to_torch()(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(np.exp(values), model.predict(X), rtol=1e-9)


def test_a_loss_is_what_it_is_by_name():
    assert all(as_loss(name).has_log_link for name in POWERS)
