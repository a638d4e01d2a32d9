"""Problems with the squared loss, which most searches are for."""

import numpy as np
import pytest

from cvxnn.certificates import dual_bound
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import neuron_objective
from cvxnn.solvers.search import Search


def least_squares(rows, y, beta=1.0):
    """The problem of plain rows, or of a layer."""
    layer = Layer(rows) if isinstance(rows, np.ndarray) else rows
    return Problem.of(layer, y, beta, SquaredLoss())


def drawn(rng, n, r, beta=0.1):
    """Gaussian rows and targets."""
    return least_squares(rng.standard_normal((n, r)), rng.standard_normal(n), beta)


def random_neurons(rng, k, r):
    return Neurons.of(rng.standard_normal((k, r)), rng.choice([-1.0, 1.0], (k, 1)))


def assert_no_worse(problem, before, after):
    """Neurons with unit directions and positive sizes, and an objective that did not rise."""
    objectives = [neuron_objective(problem, neurons) for neurons in (before, after)]
    assert objectives[1] <= objectives[0] * (1.0 + 1e-12)
    assert (after.sizes > 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(after.directions, axis=1), 1.0, rtol=1e-12)


def assert_claims(search, problem, rtol):
    """Objective and bound of a search, from its network and with an oracle over all cells."""
    X, y, beta = problem.X, problem.y, problem.beta
    network = network_of(search)
    assert network.objective(X, y, beta) == pytest.approx(search.objective, rel=1e-11, abs=1e-300)
    activations = np.maximum(X @ np.asarray(network.hidden_weights).T, 0.0)
    assert np.linalg.matrix_rank(activations) == activations.shape[1] <= len(X)
    largest = CellOracle(X, enumerate_patterns(X)).price(search.dual_point[:, None]).bound
    bound = dual_bound(SquaredLoss(), y, search.dual_point, beta, largest)
    assert search.bound <= bound + rtol * abs(bound) + 1e-12 * search.objective
    assert search.bound <= search.objective * (1.0 + 1e-12)


def network_of(search: Search) -> TwoLayerNetwork:
    """The network that a search on plain rows has come to."""
    hidden, output = search.incumbent().balanced()
    return TwoLayerNetwork(hidden, output[:, 0])
