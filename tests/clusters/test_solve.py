"""Training on rows in dask: results are those of rows in memory."""

import signal
from dataclasses import replace

import numpy as np
import pytest

import cvxnn
from cvxnn import Status

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ROUGH = cvxnn.Global(polish=False, proof_time=0.0)
N, D = 9_000, 5


def rows(n=N, d=D, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.maximum(X[:, 0], 0.0) + X[:, 1] * X[:, 2] + 0.3 * rng.standard_normal(n)
    return X, y


def in_dask(array, chunk):
    return da.from_array(array, chunks=(chunk, *array.shape[1:]))


def alike(found, wanted):
    """Whether two solutions have the same network, digit for digit."""
    pairs = zip(
        (found.network.hidden_weights, found.network.output_weights),
        (wanted.network.hidden_weights, wanted.network.output_weights),
        strict=True,
    )
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def in_memory():
    X, y = rows()
    return cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=2)


@pytest.mark.long
@pytest.mark.parametrize(
    "chunk",
    [pytest.param(1_000, marks=pytest.mark.long), 4_096, pytest.param(N, marks=pytest.mark.long)],
)
def test_networks_are_those_in_memory_whatever_the_chunks(chunk, client, in_memory):
    X, y = (in_dask(part, chunk) for part in rows())
    found = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=2)
    assert found.objective == pytest.approx(in_memory.objective, rel=1e-12)
    assert alike(found, in_memory) and found.status is in_memory.status
    assert 0.0 <= found.gap < 1.0
    X, y = rows()
    known = found.network.objective(X, y, 0.1 * N)
    assert found.objective == pytest.approx(known, rel=1e-12)


def without_client(monkeypatch):
    def none():
        raise ValueError("No clients found")

    monkeypatch.setattr("distributed.default_client", none)


@pytest.mark.long
def test_networks_are_the_same_without_a_client(in_memory, monkeypatch):
    without_client(monkeypatch)
    X, y = (in_dask(part, 5_000) for part in rows())
    found = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=2)
    assert alike(found, in_memory) and found.certificate is None


CASES = {
    "intercept far from 0": (lambda X, y: y + 50.0, {"intercept": True}),
    "logistic": (lambda X, y: np.sign(y), {"loss": "logistic"}),
    "huber with weights": (
        lambda X, y: y, {"loss": "huber", "sample_weight": 1.0 + np.arange(N) % 3}
    ),
    "two outputs": (lambda X, y: np.column_stack([y, -(y**2)]), {}),
    "softmax with weights": (
        lambda X, y: np.eye(3)[np.digitize(y, [-0.5, 0.5])],
        {"loss": "softmax", "intercept": True, "sample_weight": 1.0 + np.arange(N) % 2},
    ),
    "counts": (lambda X, y: np.floor(np.exp(y).clip(max=20.0)), {"loss": "poisson"}),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_other_losses_and_outputs_are_as_in_memory(case, client):
    target, options = CASES[case]
    X, y = rows()
    y = target(X, y)
    options = {"method": ROUGH, "max_iter": 2, **options}
    wanted = cvxnn.solve(X, y, 0.08 * N, **options)
    if "sample_weight" in options:
        options["sample_weight"] = in_dask(options["sample_weight"], 2_000)
    found = cvxnn.solve(in_dask(X, 2_000), in_dask(y, 3_000), 0.08 * N, **options)
    assert found.objective == pytest.approx(wanted.objective, rel=1e-8)
    assert found.dual_bound <= wanted.objective
    assert found.n_neurons == wanted.n_neurons


@pytest.mark.long
def test_rows_of_low_rank_are_as_in_memory(client):
    X, y = rows()
    X = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(N)])
    wanted = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=2)
    found = cvxnn.solve(in_dask(X, 3_000), in_dask(y, 3_000), 0.1 * N, method=ROUGH, max_iter=2)
    assert found.objective == pytest.approx(wanted.objective, rel=1e-8)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_data_frames_and_parquet_are_read_out_of_core(client, in_memory, tmp_path):
    pytest.importorskip("pyarrow")
    X, y = rows()
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(D)]).assign(y=y)
    dd.from_pandas(frame, npartitions=4).to_parquet(tmp_path / "rows")
    read = dd.read_parquet(tmp_path / "rows")
    found = cvxnn.solve(read.drop(columns="y"), read["y"], 0.1 * N, method=ROUGH, max_iter=2)
    assert alike(found, in_memory)


@pytest.mark.long
def test_a_memmap_is_read_out_of_core(client, in_memory, tmp_path):
    X, y = rows()
    np.save(tmp_path / "X.npy", X)
    held = da.from_array(np.load(tmp_path / "X.npy", mmap_mode="r"), chunks=(2_500, D))
    assert alike(cvxnn.solve(held, y, 0.1 * N, method=ROUGH, max_iter=2), in_memory)


@pytest.mark.long
def test_unknown_chunks_are_counted(client, in_memory):
    X, y = rows()
    every = np.insert(X, 7, np.nan, axis=0), np.insert(y, 7, np.nan)
    held, target = (in_dask(part, 3_000) for part in every)
    keep = ~da.isnan(target)
    held, target = held[keep], target[keep]
    found = cvxnn.solve(held, target, 0.1 * N, method=ROUGH, max_iter=2)
    assert alike(found, in_memory) and np.isnan(held.shape[0])


@pytest.mark.long
def test_bounds_are_those_of_segments_and_can_be_checked(client):
    """Against each segment by itself, solved in memory."""
    X, y = rows()
    beta = 0.05 * N
    data = in_dask(X, 4_096), in_dask(y, 4_096)
    found = cvxnn.solve(*data, beta, method=cvxnn.Global(proof_time=3.0), max_iter=2)
    assert found.dual_bound == pytest.approx(found.certificate.bounds.sum(), rel=1e-12)
    assert 0.0 < found.gap < 0.6
    for k, bound in enumerate(found.certificate.bounds):
        part = slice(k * 4096, (k + 1) * 4096)
        share = beta * len(y[part]) / N
        alone = cvxnn.solve(X[part], y[part], share, method=ROUGH)
        assert bound <= alone.objective
    report = found.certificate.verify(in_dask(X, 1_000), in_dask(y, N))
    assert report.accepted and report.bound == pytest.approx(found.dual_bound, rel=1e-4)
    other = found.certificate.verify(in_dask(X, 1_000), in_dask(y + 1e-3, N))
    assert not other.accepted and "Part 0" in other.reason
    with pytest.raises(cvxnn.InputError, match="stays there, so that it cannot be saved"):
        found.certificate.save("certificate.npz")


@pytest.mark.parametrize("intercept", [False, True])
def test_certificates_of_one_eigenvalue_verify_for_several_outputs(intercept, client):
    X, y = rows(1_000)
    data = in_dask(X, 400), in_dask(np.column_stack([y, -y, np.sin(9.0 * y)]), 400)
    found = cvxnn.solve(*data, 50.0, method=ROUGH, max_iter=1, intercept=intercept)
    report = found.certificate.verify(*data)
    assert report.accepted and found.dual_bound <= report.bound + 1e-6 * found.objective
    assert report.bound <= found.objective


@pytest.mark.long
def test_parts_with_one_label_have_certificates_beside_an_intercept(client):
    X, _ = rows()
    data = in_dask(X, 4_096), in_dask(np.where(np.arange(N) < 5_000, 1.0, -1.0), 4_096)
    found = cvxnn.solve(*data, 50.0, loss="logistic", intercept=True, method=ROUGH, max_iter=1)
    assert found.certificate.bounds[0] == 0.0 < found.certificate.bounds[1]
    assert found.certificate.verify(*data).accepted


def test_nothing_that_a_certificate_claims_is_trusted(client):
    X, y = rows(1_000)
    data = in_dask(X, 400), in_dask(y, 400)
    true = cvxnn.solve(*data, 50.0, method=ROUGH, max_iter=1).certificate
    assert true.verify(*data).accepted
    more = replace(true, dual_bound=2.0 * true.dual_bound, objective=np.inf).verify(*data)
    assert not more.accepted and "its parts prove" in more.reason
    less = replace(true, beta=0.99 * true.beta).verify(*data)
    assert not less.accepted and "betas of its parts" in less.reason


@pytest.mark.long
def test_limits_and_callbacks_are_those_of_other_runs(client):
    X, y = (in_dask(part, 3_000) for part in rows())
    lines = []
    found = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, time_limit=1e-3, callback=lines.append)
    assert found.status is Status.TIME_LIMIT and np.isfinite(found.objective)
    found = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=1, callback=lines.append)
    assert found.status is Status.ITERATION_LIMIT and len(lines) >= 1
    assert lines[0].objective >= found.objective
    again = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=1, warm_start=found.network)
    assert again.objective <= found.objective


def test_an_interrupt_leaves_the_best_network(client):
    X, y = (in_dask(part, 3_000) for part in rows())

    def press(progress):
        signal.raise_signal(signal.SIGINT)

    found = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, callback=press)
    assert found.status is Status.INTERRUPTED and found.n_neurons > 0
    assert found.dual_bound > 0.0 and len(found.history) == 1
    assert found.certificate.verify(X, y).accepted


@pytest.mark.long
@pytest.mark.parametrize("has_client", [True, False], ids=["client", "threads"])
def test_an_interrupt_of_the_proof_leaves_what_is_proven(has_client, client, monkeypatch):
    """Of each segment the best bound so far, and its certificate; workers are free at once."""
    X, y = (in_dask(part, 3_000) for part in rows())
    if not has_client:
        without_client(monkeypatch)

    def press(progress):
        if progress.dual_bound > 0.0:
            signal.raise_signal(signal.SIGINT)

    first = cvxnn.solve(X, y, 0.1 * N, method=ROUGH, max_iter=1)
    patient = cvxnn.Global(proof_time=6_000.0)
    found = cvxnn.solve(X, y, 0.1 * N, method=patient, max_iter=1, callback=press)
    assert found.status is Status.INTERRUPTED and found.dual_bound >= first.dual_bound > 0.0
    assert (found.certificate is not None) is has_client
    if has_client:
        assert found.dual_bound == pytest.approx(found.certificate.bounds.sum(), rel=1e-12)
        assert found.certificate.verify(X, y).accepted


@pytest.mark.parametrize("intercept", [False, pytest.param(True, marks=pytest.mark.long)])
def test_few_features_are_proven_exactly(intercept, client):
    """Bounds of segments are their optima, and what their residual proves is not far."""
    X, y = rows()
    X = X[:, :2]
    data = in_dask(X, 4_096), in_dask(y + 3.0 * intercept, 4_096)
    options = {"intercept": intercept, "max_iter": 3}
    quick = cvxnn.solve(*data, 0.1 * N, method=ROUGH, **options)
    found = cvxnn.solve(*data, 0.1 * N, method=cvxnn.Global(proof_time=60.0), **options)
    assert quick.gap < 0.2 and found.gap < 0.02
    for k, bound in enumerate(found.certificate.bounds):
        part = slice(k * 4096, (k + 1) * 4096)
        share = 0.1 * N * len(y[part]) / N
        alone = cvxnn.solve(X[part], y[part], share, intercept=intercept)
        assert bound == pytest.approx(alone.objective, rel=1e-5)
    assert found.certificate.verify(*data).accepted


BAD = {
    "not finite": (
        lambda X, y: (np.where(np.arange(N)[:, None] == 5000, np.nan, X), y),
        "X must be finite, got 5 NaN or infinite entries, the first at row 5000, column 0",
    ),
    "rows": (lambda X, y: (X, y[:-1]), "y has 8999 entries but X has 9000 rows"),
    "text": (lambda X, y: (X.astype(str), y), "X must be real numbers"),
    "labels": (lambda X, y: (X, y), "labels"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case, client):
    change, words = BAD[case]
    X, y = change(*rows())
    loss = "logistic" if case == "labels" else "squared"
    with pytest.raises(cvxnn.InputError, match=words):
        cvxnn.solve(in_dask(X, 3_000), in_dask(y, 3_000), 1.0, loss=loss)


def sparse(array):
    return array.map_blocks(pytest.importorskip("scipy.sparse").csr_matrix)


UNREADABLE = {
    "sparse": (lambda X, y, w: (sparse(X), y, w), "X must be dense, got sparse chunks"),
    "delayed": (lambda X, y, w: (dask.delayed(X), y, w), "X is delayed, of a shape that nobody"),
    "delayed y": (lambda X, y, w: (X, dask.delayed(y), w), "y is delayed, of a shape"),
    "one weight": (lambda X, y, w: (X, y, 2.0), r"shape \(9000,\), one for each row of X"),
    "an entry": (
        lambda X, y, w: (X, da.where(da.arange(N, chunks=N) == 8_200, np.inf, y), w),
        "y must be finite, got 1 NaN or infinite entry, the first at entry 8200",
    ),
    "a weight": (lambda X, y, w: (X, y, w - 1.0), "sample_weight must be above 0 for rows in dask"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_said_as_in_memory(case, client):
    change, words = UNREADABLE[case]
    X, y = (in_dask(part, 3_000) for part in rows())
    X, y, weights = change(X, y, da.ones(N, chunks=3_000))
    with pytest.raises(cvxnn.InputError, match=words) as said:
        cvxnn.solve(X, y, 1.0, sample_weight=weights)
    assert str(said.value).count(". ") == 0


@pytest.mark.long
def test_nullable_numbers_are_numbers(client):
    frame = pd.DataFrame(rows()[0][:, :2], columns=["a", "b"])
    frame["c"] = np.arange(N) % 3
    y = pd.Series(rows()[1])
    options = {"method": ROUGH, "max_iter": 1}
    wanted = cvxnn.solve(frame.to_numpy(), y.to_numpy(), 0.1 * N, **options)
    frame["c"] = frame["c"].astype("Int64")
    held, of_y = (dd.from_pandas(part, npartitions=2) for part in (frame, y.astype("Float64")))
    found = cvxnn.solve(held, of_y, 0.1 * N, **options)
    assert found.objective == pytest.approx(wanted.objective, rel=1e-12)
    frame.loc[8_000, "c"] = pd.NA
    with pytest.raises(cvxnn.InputError, match="the first at row 8000, column 2"):
        cvxnn.solve(dd.from_pandas(frame, npartitions=2), of_y, 0.1 * N, **options)


REFUSED = {
    "kinks": ({"loss": "absolute"}, "losses without kinks, which are squared, huber, .* poisson"),
    "a tolerance": ({"tol": 2.0}, "tol must be below 1"),
    "a loss": ({"loss": "l2"}, "loss"),
    "gates": ({"model": cvxnn.Conv(filter_size=2)}, "Rows in dask are for ReLU"),
    "skip": ({"model": cvxnn.ReLU(skip="free")}, "Rows in dask are for ReLU"),
    "exact": ({"method": "exact"}, 'for method="global"'),
    "a device": ({"device": "cuda"}, "by the CPUs of its workers, not on a device"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_cluster_has_nothing_for_is_refused(case):
    options, words = REFUSED[case]
    X, y = (in_dask(part, 3_000) for part in rows())
    with pytest.raises(cvxnn.InputError, match=words):
        cvxnn.solve(X, y, 1.0, **options)


def test_columns_of_text_are_named(client):
    frame = pd.DataFrame({"a": [1.0, 2.0], "city": ["x", "y"]})
    with pytest.raises(cvxnn.InputError, match="'city'"):
        cvxnn.solve(dd.from_pandas(frame, npartitions=1), np.ones(2), 1.0)


def test_weights_of_zero_and_other_functions_are_refused(client):
    X, y = (in_dask(part, 3_000) for part in rows())
    weights = in_dask((np.arange(N) > 3).astype(float), 3_000)
    with pytest.raises(cvxnn.InputError, match="leave the others out"):
        cvxnn.solve(X, y, 1.0, sample_weight=weights)
    with pytest.raises(cvxnn.InputError, match="collection of dask"):
        cvxnn.largest_beta(X, y)
