"""The problem of a model that ``cvxnn fit`` wrote, on a table: what its certificate is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvxnn.array_types import Array, IntArray
from cvxnn.cli.cells import Cells
from cvxnn.cli.options import NetworkLoss, Task
from cvxnn.cli.problems import Problem
from cvxnn.cli.reporting import counted, say
from cvxnn.cli.sources import Source
from cvxnn.cli.table_models import TableModel, load_table_model
from cvxnn.cli.tables import Features, require
from cvxnn.cli.targets import read_numbers, read_target
from cvxnn.cli.training import held_out_rows
from cvxnn.errors import InputError


def table_problem(model: Path, data: Path, beta: float | None) -> Problem:
    """The estimator of a model, on the encoded columns of a table.

    Without the rows that were held out of its training, where it is the table of that.

    Raises
    ------
    InputError
        If it has a network for each of several classes, or the table does not suit it.
    """
    loaded = load_table_model(model)
    if loaded.n_networks > 1:
        raise InputError(
            f"{model} has {loaded.n_networks} networks, one for each class; 'cvxnn certify' and "
            "'cvxnn verify' are for one."
        )
    cells = Cells.read(Source.read(data), text=loaded.texts, targets=loaded.targets)
    for name in (*loaded.targets, *(column.name for column in loaded.used)):
        require(name, tuple(cells.frame), cells.source)
    values, known, target_notes = _targets(loaded, cells)
    encoded, notes = loaded.encoded(cells.rows(known))
    for note in (*target_notes, *notes):
        say(note)
    is_classes = loaded.task is Task.CLASSIFICATION
    if is_classes:
        values = loaded.labels(cells, values)
        _check_labels(loaded, values, cells.source)
    rows = _trained_on(loaded, values)
    estimator = loaded.estimator
    shares_neurons = is_classes and loaded.n_outputs > 1
    return Problem(
        network=estimator,
        features=_features(loaded),
        X=encoded[rows],
        y=values[rows],
        outputs=tuple(loaded.classes) if shares_neurons else loaded.targets,
        beta=float(estimator.beta_) if beta is None else beta,
        loss=NetworkLoss(loaded.trained_loss),
        parameters={"level": loaded.level} if loaded.loss == "quantile" else {},
    )


def check_targets(given: Sequence[str], own: tuple[str, ...], model: Path) -> None:
    """Raise InputError if the user names other targets than the model's."""
    if given and tuple(given) != own:
        names = ", ".join(map(repr, own))
        raise InputError(f"{model} predicts {names}; leave --target out.")


def _targets(model: TableModel, cells: Cells) -> tuple[Array, Array, tuple[str, ...]]:
    """What a model predicts in a table: values, the rows that have them, and notes."""
    if not model.others:
        target = read_target(cells, model.target, model.task, model.loss, model.style)
        return target.values, target.known, target.notes
    styles = [model.style, *(style for _, style in model.others)]
    targets, values, known = read_numbers(cells, model.targets, model.task, model.loss, styles)
    return values, known, tuple(note for target in targets for note in target.notes)


def _trained_on(model: TableModel, y: Array) -> IntArray:
    """The rows of a table that were not held out, where it is the whole table; that is said."""
    held, n_rows = model.figures.get("holdout"), int(model.figures.get("n_rows", 0))
    if held is None or "seed" not in held or len(y) != n_rows + held["n_rows"]:
        return np.arange(len(y))
    say(f"left out: {counted(held['n_rows'], 'row')} that 'cvxnn fit' has held out.")
    return held_out_rows(y, model.task, int(held["n_rows"]), int(held["seed"]))[0]


def _features(model: TableModel) -> Features:
    scaling = model.estimator.scaling_
    return Features(
        names=tuple(str(name) for name in model.pipeline[0].get_feature_names_out()),
        targets=model.targets,
        bias=True,
        mean=scaling.centre,
        scale=scaling.scale,
        n_columns=len(model.used),
    )


def _check_labels(model: TableModel, values: Array, source: str) -> None:
    new = sorted(set(np.unique(values).tolist()) - set(model.classes))
    if new:
        raise InputError(f"{source}: {new[0]!r} is none of the classes of the model.")
