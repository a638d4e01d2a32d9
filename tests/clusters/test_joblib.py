"""Backends of joblib: folds, classes and parts in other processes are those in this one."""

from functools import partial

import joblib
import numpy as np
import pytest

from cvxnn import ConvexReLUClassifier, ConvexReLURegressorCV, Global
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:The best beta:UserWarning"
)
BACKENDS = ["dask", pytest.param("loky", marks=pytest.mark.long)]


def rows(n=60, d=3):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, np.maximum(X[:, 0], 0.0) + 0.1 * rng.standard_normal(n)


@pytest.fixture(params=BACKENDS)
def elsewhere(request, client):
    with joblib.parallel_config(request.param, n_jobs=2):
        yield


@pytest.mark.long
def test_folds_walk_in_other_processes(elsewhere):
    """Each goes on from where it was for the beta before, wherever that was."""
    X, y = rows()
    options = {"betas": [10.0, 3.0], "cv": 2, "time_limit": 900.0, "proof_time": 0.0}
    found = ConvexReLURegressorCV(**options).fit(X, y)
    with joblib.parallel_config("sequential"):
        wanted = ConvexReLURegressorCV(**options).fit(X, y)
    assert np.allclose(found.scores_path_, wanted.scores_path_, rtol=1e-12)
    assert found.objective_ == pytest.approx(wanted.objective_, rel=1e-9)


@pytest.mark.long
def test_classes_are_trained_in_other_processes(elsewhere):
    X, y = rows(40, 2)
    labels = np.digitize(y, [0.1, 0.6])
    options = {"beta": 1.0, "multi_class": "ovr", "max_iter": 4}
    options |= {"time_limit": 900.0, "proof_time": 0.0, "method": Global(certify=False)}
    found = ConvexReLUClassifier(**options).fit(X, labels)
    with joblib.parallel_config("sequential"):
        wanted = ConvexReLUClassifier(**options).fit(X, labels)
    assert found.objective_ == pytest.approx(wanted.objective_, rel=1e-9)
    assert found.status_ is wanted.status_ and len(found.networks_) == 3


def test_parts_are_bounded_in_other_processes(elsewhere):
    X, y = rows(120, 4)
    problem = Problem.of(Layer(X), y, 3.0, SquaredLoss())
    make = partial(RelaxationProver, most=40, threads=1)

    def bound():
        prover = PartsProver(problem, 4, make, threads=2)
        joined, _ = prover.joined(Neurons.none(4), 1e-6, UNLIMITED)
        return joined.best().bound(joined.problem)

    found = bound()
    with joblib.parallel_config("threading"):
        assert found == pytest.approx(bound(), rel=1e-6)
