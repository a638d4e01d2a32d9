"""Whether a model that was read from a file has all that it predicts with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from cvxnn.array_types import Array
from cvxnn.cli.columns import Column, Kind
from cvxnn.cli.number_formats import FORMATS
from cvxnn.cli.options import Task
from cvxnn.cli.targets import LOSSES
from cvxnn.estimators import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
)
from cvxnn.estimators.scaling import Scaling
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork

_ESTIMATORS: dict[Task, tuple[type, ...]] = {
    Task.REGRESSION: (ConvexReLURegressor, ConvexReLURegressorCV),
    Task.CLASSIFICATION: (ConvexReLUClassifier, ConvexReLUClassifierCV),
}
# What a fitted estimator predicts with, besides its parameters and networks.
_FITTED = {"n_features_in_", "sample_shape_", "_inputs", "scaling_"}
# Parameters that models of earlier versions lack, and then have by default.
_LATER = {"quantile", "monotonic_cst"}
# What is in a column of one cell that is missing.
_MISSING: dict[Kind, Any] = {
    Kind.NUMBER: np.array([np.nan]),
    Kind.DATE: np.array(["NaT"], dtype="datetime64[us]"),
    Kind.CATEGORY: np.array([None], dtype=object),
    Kind.TEXT: np.array([""], dtype=object),
}


def check_model(
    pipeline: Any,
    columns: Sequence[Column],
    task: Task,
    words: Mapping[str, Any],
    others: Sequence[tuple[Any, Any]] = (),
) -> None:
    """Raise one of :data:`cvxnn.files.DAMAGE` if something is missing, or of another kind.

    An attribute that is missing must not be looked up in the class, where it has a default.

    Parameters
    ----------
    pipeline, columns, task
        Of a :class:`cvxnn.cli.table_models.TableModel`.
    words : mapping
        Its target, loss and style.
    others : sequence of pairs
        Names and styles of its further targets.
    """
    _require(isinstance(pipeline, Pipeline) and len(pipeline) == 2, "pipeline")
    _require(isinstance(words["target"], str), "target")
    _require(words["loss"] in LOSSES[task], "loss")
    styles = [column.style for column in columns if column.kind is Kind.NUMBER]
    styles += [style for _, style in others]
    _require({*styles, words["style"]} <= set(FORMATS), "style")
    _require(all(isinstance(name, str) for name, _ in others), "targets")
    _require(not others or task is Task.REGRESSION, "targets")
    _check_estimator(pipeline[-1], task, words["loss"], 1 + len(others))
    _try_out(pipeline, columns)


def _check_estimator(estimator: Any, task: Task, loss: str, n_targets: int) -> None:
    _require(isinstance(estimator, _ESTIMATORS[task]), "estimator")
    known = vars(estimator)
    needed = _FITTED | set(estimator.get_params(deep=False)) - _LATER
    needed |= {"classes_", "networks_"} if task is Task.CLASSIFICATION else {"network_"}
    _require(needed <= set(known), f"{needed - set(known)} of the estimator")
    _require(known["loss"] == loss, "loss of the estimator")
    model = known["model"]
    _require(model == "relu" or (isinstance(model, ReLU) and ReLU(**vars(model)) == model), "model")
    networks, n_values = [known.get("network_")], n_targets
    if task is Task.CLASSIFICATION:
        networks, n_classes = known["networks_"], len(known["classes_"])
        n_values = 1 if n_classes == 2 else n_classes
    n_features = known["n_features_in_"]
    width = n_features + bool(known["_inputs"]["has_ones"])
    for network in networks:
        _require(isinstance(network, TwoLayerNetwork) and network.n_features == width, "network")
    outputs = [network.n_outputs for network in networks]
    # One network of all values, or one for each.
    joint, each = [None if n_values == 1 else n_values], [None] * n_values
    _require(outputs == joint or (outputs == each and task is Task.CLASSIFICATION), "networks")
    _check_scaling(known["scaling_"], n_features, n_targets)


def _check_scaling(scaling: Any, n_features: int, n_targets: int) -> None:
    _require(isinstance(scaling, Scaling), "scaling")
    known = vars(scaling)
    _require(set(known) == {field.name for field in fields(Scaling)}, "scaling")
    for name in ("target_centre", "target_scale"):
        is_float = isinstance(known[name], float)
        _require(is_float or (n_targets > 1 and np.shape(known[name]) == (n_targets,)), name)
        _require(bool(np.isfinite(known[name]).all()), name)
    _require(bool(np.all(known["target_scale"] > 0.0)), "target_scale")
    for name in ("centre", "scale"):
        part: Array = known[name]
        _require(isinstance(part, np.ndarray) and part.shape == (n_features,), name)
        _require(bool(np.isfinite(part).all()), name)
    _require(bool((known["scale"] > 0.0).all()), "scale")


def _try_out(pipeline: Pipeline, columns: Sequence[Column]) -> None:
    """Predict for a row of missing cells, which every model can."""
    frame = pd.DataFrame(
        {
            column.name: _MISSING[column.kind]
            for column in columns
            if column.kind is not Kind.LEFT_OUT
        }
    )
    with warnings.catch_warnings():
        # A category that was never missing does not know that it is.
        warnings.simplefilter("ignore", UserWarning)
        encoded = np.asarray(pipeline[0].transform(frame))
    _require(encoded.shape == (1, pipeline[-1].n_features_in_), "encoder")
    _require(len(pipeline[-1].predict(encoded)) == 1, "predictions")


def _require(is_right: bool, name: str) -> None:
    if not is_right:
        raise ValueError(f"{name} of a model is missing, or of another kind")
