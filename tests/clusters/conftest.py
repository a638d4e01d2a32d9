"""A cluster of two local workers for the tests of rows in dask."""

import pytest

# The workers live to the end of the tests, and are mostly idle: dask's watching of itself would
# take a tenth of a core all the time.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "10s",
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.system-monitor.interval": "10s",
}


@pytest.fixture(scope="session")
def client():
    pytest.importorskip("distributed")
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(QUIET),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as workers,
        Client(workers) as client,
    ):
        yield client
