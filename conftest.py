"""What holds for all tests: optional packages of doctests, threads, garbage, no clock for fits."""

import gc
import os
from collections.abc import Generator
from importlib.util import find_spec

import pytest

# Before numpy is imported, here and in processes that tests start: with `-n auto` every core
# has a process already.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Modules that cannot be imported without a package, of which a function imports them.
collect_ignore_glob = []
if find_spec("torch") is None:
    collect_ignore_glob += ["src/cvxnn/exchange/torch_layers.py"]
if find_spec("pandas") is None or find_spec("skops") is None:
    tables = "cells", "columns", "encoder", "targets", "table_models", "training", "fit_report"
    collect_ignore_glob += [f"src/cvxnn/cli/{name}.py" for name in tables]

OPTIONAL = {
    "cvxnn.baselines": "torch",
    "cvxnn.estimators.model_estimator.ModelEstimator.to_onnx": "onnx",
    "cvxnn.estimators.model_estimator.ModelEstimator.to_torch": "torch",
    "cvxnn.exchange.onnx_models": "onnx",
    "cvxnn.exchange.torch_modules": "torch",
    "cvxnn.plotting": "matplotlib",
    "cvxnn.plotting.curves.plot_objective": "torch",
    "cvxnn.plotting.curves.plot_scores": "torch",
    "cvxnn.study": "torch",
}


@pytest.fixture(scope="session", autouse=True)
def _proofs_of_fits_have_time() -> Generator[None, None, None]:
    """Where nobody gives a time: what a fit ends with does not depend on the load of a machine."""
    from cvxnn.estimators import time_limits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_limits, "PROOFS", 60.0)
        patch.setattr(time_limits, "AUTOMATIC", 600.0)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without looking for garbage: a million objects are made here that live to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for module, package in OPTIONAL.items():
            if (
                isinstance(item, pytest.DoctestItem)
                and item.name.startswith(module)
                and find_spec(package) is None
            ):
                item.add_marker(pytest.mark.skip(reason=f"needs {package}"))
