"""Workers that come and go."""

import os
import signal

import numpy as np
import pytest

import cvxnn

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
ROUGH = cvxnn.Global(polish=False, proof_time=0.0)
N, D = 20_000, 6


def rows():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N, D))
    return X, np.maximum(X[:, 0], 0.0) - np.abs(X[:, 1]) + 0.3 * rng.standard_normal(N)


def workers(count):
    return distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    )


@pytest.fixture(scope="module")
def in_memory():
    return cvxnn.solve(*rows(), 0.05 * N, method=ROUGH, max_iter=3)


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_workers_finds_the_same_network(count, in_memory):
    X, y = rows()
    with workers(count) as cluster, distributed.Client(cluster):
        found = cvxnn.solve(
            da.from_array(X, chunks=(5_000, D)), y, 0.05 * N, method=ROUGH, max_iter=3
        )
    assert np.array_equal(found.network.hidden_weights, in_memory.network.hidden_weights)


def test_a_worker_that_dies_changes_nothing(in_memory):
    """One of two is killed after the first round, with what it held."""
    X, y = rows()
    killed = []
    with workers(2) as cluster, distributed.Client(cluster) as client:
        pids = client.run(os.getpid)

        def kill(progress):
            if not killed:
                killed.append(min(pids.values()))
                os.kill(killed[0], signal.SIGKILL)

        data = da.from_array(X, chunks=(5_000, D)), da.from_array(y, chunks=5_000)
        found = cvxnn.solve(*data, 0.05 * N, method=ROUGH, max_iter=3, callback=kill)
        assert killed[0] not in client.run(os.getpid).values()
    assert np.array_equal(found.network.hidden_weights, in_memory.network.hidden_weights)
    assert found.objective == pytest.approx(in_memory.objective, rel=1e-12)
