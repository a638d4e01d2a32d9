"""``cvxnn predict``: from a model file and a table to predictions."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cvxnn.cli.options import OUTPUT, JsonOption, ModelArgument, Task, argument, option
from cvxnn.cli.reporting import say
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from cvxnn.array_types import Array, FloatArray
    from cvxnn.cli.cells import Cells
    from cvxnn.cli.table_models import TableModel

_Data = Annotated[
    Path,
    argument(
        "Table with the model's columns, in any order; others may be in it; - reads stdin.",
        "DATA.csv",
    ),
]
_Out = Annotated[
    Path | None, option("Write the predictions here, not to stdout.", OUTPUT, "PREDICTIONS.csv")
]
_Proba = Annotated[
    bool, option("Print the probability of every class beside the label.", OUTPUT, None, "--proba")
]


@dataclass(frozen=True)
class _Predictions:
    """One for each row of a table, and what they are compared with.

    Attributes
    ----------
    values : ndarray, shape (n,)
        Numbers or labels.
    task : Task
    target : str
        The name of the column that is predicted.
    has_target : bool
        Whether the table has that column.
    observed : ndarray of shape (n,), or None
        The column, where it has a value in every row.
    probabilities : ndarray of shape (n, k), or None
    classes : list of str
    """

    values: Array
    task: Task
    target: str
    has_target: bool
    observed: Array | None
    probabilities: FloatArray | None = None
    classes: tuple[str, ...] = ()


def predict(
    model: ModelArgument,
    data: _Data,
    out: _Out = None,
    proba: _Proba = False,
    json: JsonOption = False,
) -> None:
    """Predict with a saved model, one row of output for each row of the table.

    If the table has the target, the mean squared error or the accuracy goes to stderr.
    """
    from cvxnn.cli.outputs import check_writable

    if out is not None:
        check_writable(out)
        _check_no_input(out, model, data)
    predictions = _reader(model)(model, data, proba)
    score, name = _score(predictions)
    if score is not None:
        say(f"{name} on {predictions.target!r}: {score!r}")
    elif predictions.has_target:
        say(f"no {name}: column {predictions.target!r} has cells {_unknown(predictions.task)}.")
    record = {"n_rows": len(predictions.values), name.replace(" ", "_"): score}
    _write(predictions, record, out, as_json=json)


def _check_no_input(out: Path, *inputs: Path) -> None:
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise InputError(f"--out {str(out)!r} would overwrite an input of the command.")


def _reader(model: Path) -> Callable[[Path, Path, bool], _Predictions]:
    """What predicts with a file of this name."""
    from cvxnn.networks.storage import SUFFIXES

    readers = {".skops": _table_predictions} | dict.fromkeys(SUFFIXES, _network_predictions)
    reader = readers.get(model.suffix.lower())
    if reader is None:
        raise InputError(f"A model file ends in .skops, .npz or .safetensors, got {str(model)!r}.")
    return reader


def _unknown(task: Task) -> str:
    is_numbers = task is Task.REGRESSION
    return "that are no finite numbers" if is_numbers else "that are empty"


def _network_predictions(model: Path, data: Path, proba: bool) -> _Predictions:
    """Of a network that reads a table of numbers."""
    import numpy as np

    from cvxnn.cli.outputs import load_model
    from cvxnn.cli.tables import Features, open_table
    from cvxnn.validation import check_data

    network, metadata = load_model(model)
    features = Features.from_metadata(metadata, network.n_features, str(model))
    if proba:
        raise InputError(f"{model} predicts numbers, which have no probabilities.")
    table = open_table(data)
    for name in features.names:
        table.require(name)
    known = [features.target] if features.target in table.columns else []
    values = table.read([*features.names, *known], optional=known)
    inputs = values[:, : len(features.names)]
    observed = values[:, -1] if known and not np.isnan(values[:, -1]).any() else None
    predictions = network.forward(check_data(features.matrix(inputs)))
    return _Predictions(predictions, Task.REGRESSION, features.target, bool(known), observed)


def _table_predictions(model: Path, data: Path, proba: bool) -> _Predictions:
    """Of a model that reads a table of any kind."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.cells import Cells
    from cvxnn.cli.sources import Source
    from cvxnn.cli.table_models import load_table_model
    from cvxnn.cli.tables import require

    loaded = load_table_model(model)
    cells = Cells.read(Source.read(data), text=loaded.texts, target=loaded.target)
    for column in loaded.used:
        require(column.name, tuple(cells.frame), cells.source)
    encoded, notes = loaded.encoded(cells)
    for note in notes:
        say(note)
    target = loaded.target
    has_target = target in cells.frame
    return _Predictions(
        loaded.predict(encoded),
        loaded.task,
        target,
        has_target,
        _observed(loaded, cells) if has_target else None,
        loaded.probabilities(encoded) if proba else None,
        tuple(loaded.classes),
    )


def _observed(model: TableModel, cells: Cells) -> Array | None:
    """The target in a table, as the model predicts it; None if a row has none."""
    from cvxnn.cli.targets import observed

    values = observed(cells, model.target, model.task, model.style)
    if model.task is Task.CLASSIFICATION:
        return None if values is None else model.labels(cells, values)
    restyled = cells.restyled(model.target, model.style)
    if restyled:
        say(f"column {restyled}")
    return values


def _score(predictions: _Predictions) -> tuple[float | None, str]:
    """None where there is nothing, or not everything, to compare with; and the name of it."""
    observed, values = predictions.observed, predictions.values
    if predictions.task is Task.CLASSIFICATION:
        from cvxnn.cli.targets import accuracy

        return None if observed is None else accuracy(values, observed), "accuracy"
    error = None if observed is None else float(((values - observed) ** 2).mean())
    return error, "mean squared error"


def _write(
    predictions: _Predictions, record: dict[str, Any], out: Path | None, *, as_json: bool
) -> None:
    from cvxnn.cli.outputs import write_json, write_stdout
    from cvxnn.files import atomic_write

    if out is not None:
        with atomic_write(out) as file:
            file.write(_csv(predictions).encode())
    if as_json and out is not None:
        write_json(record | {"out": str(out)})
    elif as_json:
        write_json(record | {"predictions": predictions.values.tolist()} | _proba(predictions))
    elif out is None:
        write_stdout(_csv(predictions))


def _proba(predictions: _Predictions) -> dict[str, Any]:
    if predictions.probabilities is None:
        return {}
    columns = zip(predictions.classes, predictions.probabilities.T.tolist(), strict=True)
    return {"probabilities": dict(columns)}


def _csv(predictions: _Predictions) -> str:
    """A column of predictions, and one of probabilities for each class."""
    is_numbers = predictions.task is Task.REGRESSION
    values = predictions.values.tolist()
    columns = [["prediction", *(map(repr, values) if is_numbers else values)]]
    for name, column in _proba(predictions).get("probabilities", {}).items():
        columns.append([f"probability of {name}", *map(repr, column)])
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()
