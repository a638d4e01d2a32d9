"""Classes without rows: their outputs are left out of the training, and say no."""

from dataclasses import replace

import numpy as np
import pytest

import cvxnn
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.paths import path_of
from cvxnn.estimators.seen_classes import SeenClasses
from cvxnn.interrupts import UNLIMITED

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((20, 3)), np.ones(20)])
KINDS = np.where(X[:, 0] > 0.0, 3, 1)
SAMPLES = Samples(X, np.eye(4)[KINDS], None)
TRAINING = cvxnn.ConvexReLUClassifier(1.0, multi_class="softmax")
TRAINING.classes_ = np.arange(4)
TRAINING = TRAINING._training()


def test_networks_of_some_classes_are_those_of_all():
    seen = SeenClasses.of(TRAINING, SAMPLES)
    narrow = seen.narrowed(SAMPLES)
    np.testing.assert_array_equal(narrow.y, SAMPLES.y[:, [1, 3]])
    solution = TRAINING.solve(narrow, 1.0, UNLIMITED)
    wide = seen.solution(solution)
    assert wide.objective == solution.objective and wide.network.n_outputs == 4
    values = wide.network(X)
    assert values[:, [1, 3]] == pytest.approx(solution.network(X), rel=1e-12)
    assert (values[:, [0, 2]] == -1e30).all()
    (back,) = seen.starts([wide.network])
    assert back(X) == pytest.approx(solution.network(X), rel=1e-12)
    # What the wide network costs on all classes is what was minimised.
    problem = replace(TRAINING.problem(SAMPLES), beta=1.0)
    value = problem.value(values) + wide.network.penalty()
    assert value == pytest.approx(solution.objective, rel=1e-9)


@pytest.mark.parametrize(
    ("training", "y"),
    [
        (TRAINING, np.eye(2)[KINDS // 2]),
        (TRAINING, np.eye(4)[np.full(20, 2)]),
        (replace(TRAINING, intercept=False), SAMPLES.y),
        (cvxnn.ConvexReLURegressor(1.0)._training(), SAMPLES.y),
        (cvxnn.ConvexReLUClassifier(1.0)._training(), np.where(KINDS == 3, 1.0, -1.0)),
    ],
    ids=["all", "one", "no intercept", "numbers", "labels"],
)
def test_otherwise_nothing_is_left_out(training, y):
    samples = Samples(X, y, None)
    seen = SeenClasses.of(training, samples)
    assert seen.columns is None and seen.narrowed(samples) is samples
    network = cvxnn.TwoLayerNetwork(np.eye(4), np.ones((4, 2)))
    assert seen.network(network) is network and seen.starts([network]) == [network]


def test_a_path_has_all_classes():
    path = path_of(TRAINING, SAMPLES, UNLIMITED)
    largest = path.largest_beta
    empty, found = path.advance(2.0 * largest), path.advance(0.1 * largest)
    assert empty.n_neurons == 0 < found.n_neurons and found.n_outputs == 4
    assert (found(X).argmax(axis=1) == KINDS).all()
    path.start_from(empty)
    assert path.advance(0.1 * largest).n_neurons > 0
    # One class alone needs no neurons.
    alone = path_of(TRAINING, Samples(X, np.eye(4)[np.full(20, 2)], None), UNLIMITED)
    assert alone.largest_beta == 0.0 and (alone.advance(1.0)(X).argmax(axis=1) == 2).all()
