"""The problem of a model that ``cvxnn fit`` wrote, on a table: what its certificate is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvxnn.array_types import Array
from cvxnn.cli.cells import Cells
from cvxnn.cli.options import Loss, Task
from cvxnn.cli.problems import Problem, check_one_output
from cvxnn.cli.reporting import say
from cvxnn.cli.sources import Source
from cvxnn.cli.table_models import TableModel, load_table_model
from cvxnn.cli.tables import Features, require
from cvxnn.cli.targets import read_target
from cvxnn.errors import InputError


def table_problem(model: Path, data: Path, beta: float | None) -> Problem:
    """The estimator of a model, on the encoded columns of a table.

    Raises
    ------
    InputError
        If it has several outputs, a network for each of several classes, or the table does not
        suit it.
    """
    loaded = load_table_model(model)
    check_one_output(loaded.n_outputs, model, "certify")
    if len(loaded.classes) > 2:
        raise InputError(
            f"{model} has {len(loaded.classes)} networks, one for each class; 'cvxnn certify' "
            "is for one."
        )
    cells = Cells.read(Source.read(data), text=loaded.texts, targets=loaded.targets)
    for name in (loaded.target, *(column.name for column in loaded.used)):
        require(name, tuple(cells.frame), cells.source)
    target = read_target(cells, loaded.target, loaded.task, loaded.loss, loaded.style)
    encoded, notes = loaded.encoded(cells.rows(target.known))
    for note in (*target.notes, *notes):
        say(note)
    values = target.values
    if loaded.task is Task.CLASSIFICATION:
        values = loaded.labels(cells, values)
        _check_labels(loaded, values, cells.source)
    estimator = loaded.estimator
    return Problem(
        network=estimator,
        features=_features(loaded),
        X=encoded,
        y=values,
        beta=float(estimator.beta_) if beta is None else beta,
        loss=Loss(loaded.loss),
    )


def _features(model: TableModel) -> Features:
    scaling = model.estimator.scaling_
    return Features(
        names=tuple(str(name) for name in model.pipeline[0].get_feature_names_out()),
        targets=model.targets,
        bias=True,
        mean=scaling.centre,
        scale=scaling.scale,
    )


def _check_labels(model: TableModel, values: Array, source: str) -> None:
    new = sorted(set(np.unique(values).tolist()) - set(model.classes))
    if new:
        raise InputError(f"{source}: {new[0]!r} is none of the classes of the model.")
