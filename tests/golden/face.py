"""The public functions that golden cases call: the only place that names them.

Every function returns the figures of one run, by the names that `compare.py` knows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

import cvxnn

FloatArray = NDArray[np.float64]
Figures = dict[str, Any]
Arguments = ParamSpec("Arguments")

# Predictions of a case that are kept, at rows spread evenly.
_KEPT_ROWS = 8


def _quiet(run: Callable[Arguments, Figures]) -> Callable[Arguments, Figures]:
    """Without the warning of a run that fell short: its status is one of the figures."""

    @wraps(run)
    def quietly(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return run(*args, **kwargs)

    return quietly


def _kept(predictions: FloatArray) -> list[float]:
    few = np.linspace(0, len(predictions) - 1, min(_KEPT_ROWS, len(predictions))).round()
    return predictions[few.astype(int)].ravel().tolist()


def _of(solution: Any, data: FloatArray) -> Figures:
    network = solution.network
    return {
        "objective": solution.objective,
        "dual_bound": solution.dual_bound,
        "status": solution.status.name,
        "size": network.n_neurons,
        "predictions": _kept(network.forward(data)),
    }


def _method(options: dict[str, Any]) -> dict[str, Any]:
    """The options with the method as an object, where it has options of its own."""
    name = options.pop("method", "global")
    kind = {"global": cvxnn.Global, "exact": cvxnn.Exact, "sampled": cvxnn.Sampled}[name]
    given = {key: options.pop(key) for key in ("n_samples", "scheme", "certify") if key in options}
    own = {field.name for field in fields(kind)}
    return {"method": kind(**{k: v for k, v in given.items() if k in own}), **options}


def _solve(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Any:
    return cvxnn.solve(X, y, beta, **_method(options))


@_quiet
def relu(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Figures:
    return _of(_solve(X, y, beta, **options), X)


@_quiet
def relu_from_start(X: FloatArray, y: FloatArray, beta: float, other_beta: float) -> Figures:
    """From the network of another beta."""
    start = cvxnn.solve(X, y, other_beta).network
    return _of(cvxnn.solve(X, y, beta, warm_start=start), X)


@_quiet
def relu_on_patterns(X: FloatArray, y: FloatArray, beta: float, n_samples: int) -> Figures:
    patterns = cvxnn.sample_patterns(X, n_samples, random_state=3)
    return _of(cvxnn.solve(X, y, beta, method=cvxnn.Sampled(patterns=patterns)), X)


def program(X: FloatArray, y: FloatArray, beta: float, n_samples: int) -> Figures:
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


@_quiet
def leaky(X: FloatArray, y: FloatArray, beta: float, slope: float, **options: Any) -> Figures:
    model = cvxnn.ReLU(slope, options.pop("skip", None))
    return _of(_solve(X, y, beta, model=model, **options), X)


@_quiet
def gated(
    X: FloatArray, y: FloatArray, beta: float, gates: FloatArray | None = None, **options: Any
) -> Figures:
    return _of(cvxnn.solve(X, y, beta, model=_gated(gates, options), **options), X)


def _gated(gates: FloatArray | None, options: dict[str, Any]) -> Any:
    own = {key: options.pop(key) for key in ("n_gates", "skip") if key in options}
    return cvxnn.Gated(gates, **own)


@_quiet
def decomposed(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Figures:
    """The two ReLU networks that do what a gated network does."""
    gated_model = _gated(options.pop("gates", None), options)
    gated_network = cvxnn.solve(X, y, beta, model=gated_model, **options).network
    networks = [gated_network.to_relu(X), gated_network.to_relu(X, "minimum_norm")]
    return {
        "objective": [network.objective(X, y, beta) for network in networks],
        "size": [network.n_neurons for network in networks],
        "predictions": [_kept(network.forward(X)) for network in networks],
    }


@_quiet
def cnn(
    images: FloatArray, y: FloatArray, beta: float, filter_size: Any, **options: Any
) -> Figures:
    return _of(_solve(images, y, beta, model=_conv(filter_size, options), **options), images)


def _conv(filter_size: Any, options: dict[str, Any]) -> Any:
    settings = ("stride", "padding", "pooling", "slope")
    own = {key: options.pop(key) for key in settings if key in options}
    return cvxnn.Conv(filter_size, bias=options.pop("fit_intercept", False), **own)


@_quiet
def linear_cnn(
    images: FloatArray, y: FloatArray, beta: float, filter_size: Any, **options: Any
) -> Figures:
    patches = cvxnn.image_patches(images, filter_size)
    return _of(cvxnn.solve(patches, y, beta, model="linear_conv", **options), patches)


@_quiet
def circular_cnn(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Figures:
    return _of(cvxnn.solve(X, y, beta, model="circular_conv", **options), X)


@_quiet
def certificate(
    network: Callable[[], Any], X: FloatArray, y: FloatArray, beta: float, **options: Any
) -> Figures:
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


def relu_network(hidden: FloatArray, output: FloatArray) -> Any:
    return cvxnn.TwoLayerNetwork(hidden, output)


@_quiet
def trained(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Any:
    return _solve(X, y, beta, **options).network


@_quiet
def path(X: FloatArray, y: FloatArray, betas: int, **options: Any) -> Figures:
    found = cvxnn.regularization_path(X, y, betas, **_method(options))
    return {
        "values": found.betas.tolist(),
        "objective": found.objectives.tolist(),
        "dual_bound": found.dual_bounds.tolist(),
        "status": [solution.status.name for solution in found.solutions],
        "size": found.n_neurons.tolist(),
        "predictions": [_kept(network.forward(X)) for network in found.networks],
    }


@_quiet
def largest_beta(X: FloatArray, y: FloatArray, **options: Any) -> Figures:
    return {"values": cvxnn.largest_beta(X, y, **options)}


@_quiet
def regressor(X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Figures:
    return _fitted(cvxnn.ConvexReLURegressor(beta, time_limit=None, **options), X, y)


@_quiet
def classifier(X: FloatArray, y: NDArray[Any], beta: float, **options: Any) -> Figures:
    return _fitted(cvxnn.ConvexReLUClassifier(beta, time_limit=None, **options), X, y)


@_quiet
def regressor_cv(X: FloatArray, y: FloatArray, betas: list[float], **options: Any) -> Figures:
    return _chosen(cvxnn.ConvexReLURegressorCV(betas, time_limit=None, **options), X, y)


@_quiet
def classifier_cv(X: FloatArray, y: NDArray[Any], betas: list[float], **options: Any) -> Figures:
    return _chosen(cvxnn.ConvexReLUClassifierCV(betas, time_limit=None, **options), X, y)


def cnn_regressor(
    X: FloatArray, y: FloatArray, beta: float, filter_size: int, pooling: str, **options: Any
) -> Figures:
    return regressor(X, y, beta, model=cvxnn.Conv(filter_size, pooling=pooling), **options)


def cnn_classifier(
    X: FloatArray, y: NDArray[Any], beta: float, filter_size: int, pooling: str, **options: Any
) -> Figures:
    return classifier(X, y, beta, model=cvxnn.Conv(filter_size, pooling=pooling), **options)


def _fitted(model: Any, X: FloatArray, y: NDArray[Any]) -> Figures:
    model.fit(X, y)
    values = getattr(model, "decision_function", model.predict)(X)
    return {
        "objective": model.objective_,
        "dual_bound": model.dual_bound_,
        "status": model.status_.name,
        "size": model.n_neurons_,
        "predictions": _kept(values),
    }


def _chosen(model: Any, X: FloatArray, y: NDArray[Any]) -> Figures:
    figures = _fitted(model, X, y)
    return {**figures, "values": [model.beta_, *model.betas_, *model.scores_path_.ravel()]}


@_quiet
def optimal_set(X: FloatArray, y: FloatArray, beta: float) -> Figures:
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


@_quiet
def descent(start: Any, X: FloatArray, y: FloatArray, beta: float, **options: Any) -> Figures:
    optima = cvxnn.OptimalSet(X, y, beta)
    found = cvxnn.descent_path(start, optima.minimal_network(), X, y, beta, **options)
    times = np.linspace(0.0, 1.0, 9)
    return {
        "objective": found.objectives(X, y, beta, times).tolist(),
        "status": [found.stage_at(t) for t in times],
        "size": [found(t).n_neurons for t in (0.0, 1.0)],
        "predictions": [_kept(found(t).forward(X)) for t in (0.0, 1.0)],
    }
