"""Networks that are good enough for a score: found along the path, without proofs."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.methods import Method
from cvxnn.models.base import Model
from cvxnn.models.relu import ReLU
from cvxnn.networks.base import Network
from cvxnn.oracle import AscentOracle
from cvxnn.patterns.reduction import Reduction
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import merge_cells, residual, reweigh
from cvxnn.solvers.newton.local_descent import descend

# Starts of the ascent for each beta, fewer on many rows, and neurons of each sign it adds.
_STARTS, _FEWEST_STARTS, _ASCENT_WORK = 200, 100, 1 << 25
_MOST_NEW = 100
# Share of beta by which a neuron that is added exceeds it: less changes no score.
_MARGIN = 0.01
# Steps of L-BFGS for each beta, fewer where rows times neurons times steps are many.
_STEPS, _FEWEST_STEPS, _DESCENT_WORK = 200, 20, 1 << 29


def is_for(model: Model, method: Method, loss: Loss) -> bool:
    """Whether :func:`rough_path` trains these: plain ReLU on rows, by the squared loss.

    Examples
    --------
    >>> from cvxnn.methods import Global
    >>> is_for(ReLU(), Global(), SquaredLoss()), is_for(ReLU(0.1), Global(), SquaredLoss())
    (True, False)
    """
    return model == ReLU() and method.name == "global" and loss.is_quadratic


def rough_path(
    X: FloatArray,
    y: FloatArray,
    betas: FloatArray,
    reduction: Reduction,
    random_state: np.random.Generator,
) -> list[Network]:
    """Networks for the squared loss along falling beta, each from the one before.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    betas : ndarray, shape (k,)
        Falling, > 0.
    reduction : Reduction
        ``reduce_rows(X)``.
    random_state : numpy.random.Generator
        Where ascents start.

    Returns
    -------
    list of Network
        One for each beta.

    Notes
    -----
    The search of ``method="global"`` without its last digits: neurons are proposed by
    ascent, weighed and moved by L-BFGS, but neither Newton's method nor an oracle
    follows. Objectives are within some per cent of those after Newton's method, in a
    tenth of the time, and the scores of test rows differ by less than folds do.
    O(n k r) a step, for k neurons and rank r.

    Examples
    --------
    >>> from cvxnn.patterns.reduction import reduce_rows
    >>> X = np.random.default_rng(0).standard_normal((50, 4))
    >>> y = np.maximum(X[:, 0], 0.0)
    >>> path = rough_path(X, y, np.array([1.0, 0.1]), reduce_rows(X), np.random.default_rng(0))
    >>> [f"{network.objective(X, y, beta):.3f}" for network, beta in zip(path, (1.0, 0.1))]
    ['0.973', '0.100']
    """
    problem, units = Problem.of(Layer(X), y, float(betas[0]), SquaredLoss()).in_units()
    reduced = problem.rows.turned(reduction.basis)
    to_direction = reduction.basis.T @ reduction.to_direction
    ascent = AscentOracle(reduced.rows, to_direction, random_state)
    neurons = Neurons.none(reduced.n_features)
    path: list[Network] = []
    for beta in betas:
        scaled = problem.beta * float(beta / betas[0])
        next_problem = Problem.of(reduced, problem.y, scaled, problem.loss)
        neurons = _next(ascent, next_problem, neurons)
        found = units.restored(neurons.turned(reduction.basis.T))
        path.append(ReLU().network(found, X.shape[1:]))
    return path


def _next(ascent: AscentOracle, problem: Problem[Layer], neurons: Neurons) -> Neurons:
    """From the neurons for one beta to those for the next."""
    n = len(problem.y)
    n_starts = max(_FEWEST_STARTS, min(_STARTS, _ASCENT_WORK // n))
    V, least = residual(problem, neurons)[:, None], problem.beta * (1.0 + _MARGIN)
    found = ascent.search(V, least, n_starts, most=_MOST_NEW)
    neurons = reweigh(problem, neurons.joined(found.directions, found.outputs))
    steps = min(_STEPS, max(_FEWEST_STEPS, _DESCENT_WORK // (n * max(len(neurons), 1))))
    neurons = descend(problem, neurons, steps=steps)
    return reweigh(problem, merge_cells(problem.rows.rows, neurons))
