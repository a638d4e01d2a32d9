"""Estimators on rows in dask: those in memory, as far as a rough search goes."""

from dataclasses import replace

import numpy as np
import pytest
from variants import with_long

import cvxnn
from cvxnn import ConvexReLUClassifier, ConvexReLURegressor, ConvexReLURegressorCV, Status

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 6_000


def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 100.0]
    y = np.maximum(X[:, 0], 0.0) + 0.1 * np.abs(X[:, 1]) + 0.1 * rng.standard_normal(N)
    return X, 7.0 + 20.0 * y


def in_dask(array, chunk=2_500):
    return da.from_array(array, chunks=(chunk, *array.shape[1:]))


def gap_at(block, row, block_info):
    first = block_info[0]["array-location"][0][0]
    return np.where(np.arange(first, first + len(block))[:, None] == row, np.nan, block)


@pytest.mark.long
def test_classes_share_a_time_limit(client, monkeypatch):
    """Each has an equal share of what is left, as in memory; after Ctrl-C others have none."""
    X, y = rows()
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    limits = []

    def solve(X, y, beta, *, time_limit, **options):
        limits.append(time_limit)
        first, n = X[:100].compute(), 100
        found = cvxnn.solve(first, y[:n].compute(), beta, max_iter=1, time_limit=5.0)
        return replace(found, status=statuses[len(limits) - 1])

    monkeypatch.setattr("cvxnn.estimators.given_beta.solve_quietly", solve)
    model = ConvexReLUClassifier(beta=3.0, multi_class="ovr", time_limit=9_000.0)
    statuses = [Status.STATIONARY] * 3
    model.fit(in_dask(X), in_dask(labels))
    assert np.allclose(limits, [3_000.0, 4_500.0, 9_000.0], rtol=0.1)
    limits.clear()
    statuses = [Status.INTERRUPTED] * 3
    model.fit(in_dask(X), in_dask(labels))
    assert limits[0] > 2_000.0 and max(limits[1:]) < 1.0


@pytest.mark.long
def test_a_regressor_scales_as_in_memory(client):
    X, y = rows()
    weights = 1.0 + np.arange(N) % 2
    model = ConvexReLURegressor(beta=30.0).fit(in_dask(X), in_dask(y), in_dask(weights))
    wanted = ConvexReLURegressor(beta=30.0).fit(X, y, weights)
    for name in ("centre", "scale", "target_centre", "target_scale"):
        found = getattr(model.scaling_, name)
        assert np.allclose(found, getattr(wanted.scaling_, name), rtol=1e-12)
    assert model.objective_ == pytest.approx(wanted.objective_, rel=1e-2)
    assert np.corrcoef(model.predict(X), wanted.predict(X))[0, 1] > 0.999
    assert 0.0 <= model.dual_gap_ <= 1.0 and model.n_features_in_ == 3
    of_dask = model.predict(in_dask(X))
    assert isinstance(of_dask, da.Array)
    assert np.allclose(of_dask.compute(), model.predict(X), rtol=1e-12)


@pytest.mark.long
def test_chunks_do_not_matter(client):
    X, y = rows()
    fits = [ConvexReLURegressor(beta=30.0).fit(in_dask(X, c), in_dask(y, c)) for c in (900, N)]
    first, second = (fit.network_.hidden_weights for fit in fits)
    assert np.array_equal(first, second)


@pytest.mark.long
def test_a_guessed_beta_is_of_all_rows(client):
    X, y = rows()
    model = ConvexReLURegressor(max_iter=1)
    found = model.fit(in_dask(X), in_dask(y)).beta_
    wanted = ConvexReLURegressor(max_iter=1).fit(X, y).beta_
    assert 0.3 * wanted < found < 3.0 * wanted


@pytest.mark.long
def test_a_classifier_of_a_frame_has_names_and_classes(client):
    X, y = rows()
    labels = np.where(y > np.median(y), "high", "low")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    held = dd.from_pandas(frame, npartitions=3)
    target = dd.from_pandas(pd.Series(labels, index=frame.index), npartitions=3)
    model = ConvexReLUClassifier(beta=30.0, max_iter=1)
    model.fit(held, target)
    assert model.classes_.tolist() == ["high", "low"]
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.score(frame, labels) > 0.9
    assert np.array_equal(model.predict(held).compute(), model.predict(frame))
    shares = model.predict_proba(held).compute()
    assert np.allclose(shares, model.predict_proba(frame))


@pytest.mark.long
def test_three_classes_share_a_network(client):
    X, y = rows()
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = ConvexReLUClassifier(beta=3.0, max_iter=2)
    model.fit(in_dask(X), in_dask(labels))
    assert model.network_.n_outputs == 3 and model.score(X, labels) > 0.85


def test_what_is_not_for_dask_is_refused(client):
    X, y = (in_dask(part) for part in rows())
    with pytest.raises(cvxnn.InputError, match="does not take rows in dask"):
        ConvexReLURegressorCV().fit(X, y)
    with pytest.raises(cvxnn.InputError, match="without kinks"):
        ConvexReLURegressor(beta=1.0, loss="absolute").fit(X, y)
    with pytest.raises(cvxnn.InputError, match="class_weight is not"):
        ConvexReLUClassifier(beta=1.0, class_weight="balanced").fit(X, y > 7.0)
    with pytest.raises(cvxnn.InputError, match="not on a device"):
        ConvexReLURegressor(beta=1.0, device="cpu").fit(X, y)
    with pytest.raises(cvxnn.InputError, match="the first at row 5900, column 0"):
        ConvexReLURegressor().fit(X.map_blocks(gap_at, 5_900, block_info=True, dtype=float), y)
    with pytest.raises(cvxnn.InputError, match="warm_start is not"):
        ConvexReLURegressor(beta=1.0, warm_start=True).fit(X, y)


def in_frames(X, *columns):
    """Rows and what is beside them in frames of other partitions, as they come from files."""
    rows = dd.from_pandas(pd.DataFrame(X, columns=["a", "b", "c"]), npartitions=3)
    return rows, *(dd.from_pandas(pd.Series(column), npartitions=2) for column in columns)


@pytest.mark.long
@with_long("loss", ["squared", "poisson"])
def test_a_score_is_a_sum_over_blocks(loss):
    X, y = (part[:900] for part in rows())
    y = np.column_stack([y, y[::-1]]) if loss == "squared" else np.floor(np.maximum(y, 0.0) / 10)
    weights = 1.0 + np.arange(900) % 3
    model = ConvexReLURegressor(beta=30.0, loss=loss, max_iter=2, time_limit=5.0)
    model.fit(X[:100], y[:100])
    for extra in ((), (weights,)):
        found = model.score(*(in_dask(part, 350) for part in (X, y, *extra)))
        assert found == pytest.approx(model.score(X, y, *extra), rel=1e-10)
    assert model.score(in_dask(X), y) == pytest.approx(model.score(X, y), rel=1e-10)
    for constant in (np.ones_like(y), np.zeros_like(y)):
        assert model.score(in_dask(X, 200), constant) == model.score(X, constant)
    with pytest.raises(cvxnn.InputError, match="y has 899 entries but X has 900 rows"):
        model.score(in_dask(X), in_dask(y[1:]))


@pytest.mark.long
def test_scores_of_frames_are_those_in_memory():
    X, y = (part[:900] for part in rows())
    frame, weights = pd.DataFrame(X, columns=["a", "b", "c"]), 1.0 + np.arange(900) % 3
    labels = np.where(y > np.median(y), "high", "low")
    classifier = ConvexReLUClassifier(beta=3.0, max_iter=2, time_limit=5.0)
    regressor = ConvexReLURegressor(beta=30.0, max_iter=2, time_limit=5.0)
    for model, target in ((classifier, labels), (regressor, y)):
        model.fit(frame[:100], target[:100])
        for extra in ((), (weights,)):
            found = model.score(*in_frames(X, target, *extra))
            assert found == pytest.approx(model.score(frame, target, *extra), rel=1e-10)


@pytest.mark.long
def test_scores_and_predictions_of_blocks_without_weights_or_rows():
    """Weights of 0 on a whole block, and blocks that a filter has emptied."""
    X, y = (part[:300] for part in rows())
    weights = (np.arange(300) >= 100) * (1.0 + np.arange(300) % 3)
    labels = np.where(y > np.median(y), "high", "low")
    classifier = ConvexReLUClassifier(beta=3.0, max_iter=2, time_limit=5.0)
    regressor = ConvexReLURegressor(beta=30.0, max_iter=2, time_limit=5.0)
    for model, target in ((classifier, labels), (regressor, y)):
        model.fit(X, target)
        held, of_target, of_rows = (in_dask(part, 100) for part in (X, target, weights))
        wanted = model.score(X, target, weights)
        assert model.score(held, of_target, of_rows) == pytest.approx(wanted, rel=1e-10)
        with pytest.raises(cvxnn.InputError, match="must not be zero for every row"):
            model.score(held, of_target, 0.0 * weights)
        left = of_rows > 0.0
        found = model.score(held[left], of_target[left], of_rows[left])
        assert found == pytest.approx(wanted, rel=1e-10)
        assert np.array_equal(model.predict(held[left]).compute(), model.predict(X[100:]))
        with pytest.raises(cvxnn.InputError, match=r"of shape \(n, d\)"):
            model.predict(held[:, 0])
    left = in_dask(weights, 100) > 0.0
    probabilities = classifier.predict_proba(in_dask(X, 100)[left]).compute()
    assert np.array_equal(probabilities, classifier.predict_proba(X[100:]))
    frame = pd.DataFrame({"a": X[:, 0], "row": np.arange(300.0)})
    regressor.fit(frame, y)
    held = dd.from_pandas(frame, npartitions=3)
    found = regressor.predict(held[held["row"] >= 100.0]).compute()
    assert np.array_equal(np.asarray(found), regressor.predict(frame[100:]))
