"""A cluster of two local workers for the tests of rows in dask."""

import pytest


@pytest.fixture(scope="session")
def client():
    pytest.importorskip("distributed")
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as workers,
        Client(workers) as client,
    ):
        yield client
