"""The public functions that golden cases call: the only place that names them.

Every function returns the figures of one run, by the names that `compare.py` knows.
"""

import numpy as np

import cvxnn

# Predictions of a case that are kept, at rows spread evenly.
_KEPT_ROWS = 8


def _kept(predictions):
    few = np.linspace(0, len(predictions) - 1, min(_KEPT_ROWS, len(predictions))).round()
    return predictions[few.astype(int)].ravel().tolist()


def _of(solution, data):
    network = solution.network
    return {
        "objective": solution.objective,
        "dual_bound": solution.dual_bound,
        "status": solution.status.name,
        "size": network.n_neurons,
        "predictions": _kept(network.forward(data)),
    }


def solution(X, y, beta, **options):
    return _of(cvxnn.solve(X, y, beta, **options), X)


def from_start(X, y, beta, other_beta):
    """From the network of another beta."""
    start = cvxnn.solve(X, y, other_beta).network
    return _of(cvxnn.solve(X, y, beta, warm_start=start), X)


def on_patterns(X, y, beta, n_samples):
    patterns = cvxnn.sample_patterns(X, n_samples, random_state=3)
    return _of(cvxnn.solve(X, y, beta, method=cvxnn.Sampled(patterns=patterns)), X)


def program(X, y, beta, n_samples):
    """The convex program as an object, at a point that no solver has chosen."""
    patterns = cvxnn.sample_patterns(X, n_samples, random_state=3)
    found = cvxnn.ConvexProgram(X, y, beta, patterns)
    rng = np.random.default_rng(4)
    Z, v = rng.standard_normal((found.n_blocks, X.shape[1])), rng.standard_normal(len(y))
    return {
        "objective": found.objective(Z),
        "size": found.n_blocks,
        "values": [
            found.cone_violation(Z),
            found.dual_objective(v),
            *found.correlations(v)[0],
            *found.dual_norms(v, np.zeros((found.n_blocks, len(y))))[:3],
        ],
        "predictions": _kept(found.prediction(Z)),
    }


def decomposed(X, y, beta, model):
    """The two ReLU networks that do what a gated network does."""
    gated = cvxnn.solve(X, y, beta, model=model).network
    networks = [gated.to_relu(X), gated.to_relu(X, "minimum_norm")]
    return {
        "objective": [network.objective(X, y, beta) for network in networks],
        "size": [network.n_neurons for network in networks],
        "predictions": [_kept(network.forward(X)) for network in networks],
    }


def certificate(network, X, y, beta, **options):
    """Of a network that is made when the case runs; without the clock of `certify`."""
    found = cvxnn.certify(network(), X, y, beta, time_limit=None, **options)
    neuron, better = found.improving_neuron, found.better_network
    return {
        "objective": [found.objective, found.balanced_objective],
        "dual_bound": found.dual_bound,
        "status": found.verdict.name,
        "size": found.network.n_neurons,
        "values": [
            found.largest_value,
            found.oracle_bound,
            0.0 if neuron is None else neuron.decrease,
            0.0 if better is None else better.objective,
        ],
    }


def trained(X, y, beta, **options):
    return cvxnn.solve(X, y, beta, **options).network


def path(X, y, betas, **options):
    found = cvxnn.regularization_path(X, y, betas, **options)
    return {
        "values": found.betas.tolist(),
        "objective": found.objectives.tolist(),
        "dual_bound": found.dual_bounds.tolist(),
        "status": [solution.status.name for solution in found.solutions],
        "size": found.n_neurons.tolist(),
        "predictions": [_kept(network.forward(X)) for network in found.networks],
    }


def largest_beta(X, y, **options):
    return {"values": cvxnn.largest_beta(X, y, **options)}


def fitted(model, X, y):
    """An estimator without the clock of its `fit`."""
    model.set_params(time_limit=None).fit(X, y)
    figures = {
        "objective": model.objective_,
        "dual_bound": model.dual_bound_,
        "status": model.status_.name,
        "size": model.n_neurons_,
        "predictions": _kept(getattr(model, "decision_function", model.predict)(X)),
    }
    if hasattr(model, "scores_path_"):
        figures["values"] = [model.beta_, *model.betas_]
        figures["scores"] = model.scores_path_.ravel().tolist()
    return figures


def optimal_set(X, y, beta):
    optima = cvxnn.OptimalSet(X, y, beta)
    smallest = optima.smallest_network()
    low, high = optima.prediction_range(1.5 * X + 0.5)
    networks = [optima.minimal_network(), optima.central_network(), smallest.network]
    return {
        "objective": [optima.objective, *(net.objective(X, y, beta) for net in networks)],
        "status": smallest.method,
        "size": [
            optima.n_directions,
            optima.dimension,
            optima.function_dimension,
            smallest.network.n_neurons,
            smallest.lower_bound,
        ],
        "predictions": [_kept(low), _kept(high), *(_kept(net.forward(X)) for net in networks)],
    }


def descent(start, X, y, beta, **options):
    optima = cvxnn.OptimalSet(X, y, beta)
    found = cvxnn.descent_path(start, optima.minimal_network(), X, y, beta, **options)
    times = np.linspace(0.0, 1.0, 9)
    return {
        "objective": found.objectives(X, y, beta, times).tolist(),
        "status": [found.stage_at(t) for t in times],
        "size": [found(t).n_neurons for t in (0.0, 1.0)],
        "predictions": [_kept(found(t).forward(X)) for t in (0.0, 1.0)],
    }
