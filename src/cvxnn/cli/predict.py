"""``cvxnn predict``: from a model file and a table to predictions."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cvxnn.cli.options import OUTPUT, JsonOption, ModelArgument, Task, argument, option
from cvxnn.cli.reporting import counted, say
from cvxnn.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from cvxnn.array_types import Array, FloatArray
    from cvxnn.cli.cells import Cells
    from cvxnn.cli.scores import Scores
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
    values : ndarray, shape (n, c)
        Numbers or labels, a column for each target.
    task : Task
    targets : tuple of str
        The names of the columns that are predicted.
    known : tuple of str
        Those that the table has.
    observed : mapping of ndarray of shape (n,)
        By name those that have a value in every row.
    shares : ndarray of shape (n, k), or None
        Probabilities of the classes.
    classes : tuple of str
    loss, level
        Of the model.
    are_asked_for : bool
        Whether the probabilities are to be written.
    """

    values: Array
    task: Task
    targets: tuple[str, ...]
    known: tuple[str, ...]
    observed: Mapping[str, Array]
    shares: FloatArray | None = None
    classes: tuple[str, ...] = ()
    loss: str = "squared"
    level: float = 0.5
    are_asked_for: bool = False


def predict(
    model: ModelArgument,
    data: _Data,
    out: _Out = None,
    proba: _Proba = False,
    json: JsonOption = False,
) -> None:
    """Predict with a saved model, one row of output for each row of the table.

    If the table has the target, the scores go to stderr: errors and R2, or the accuracy.
    """
    from cvxnn.cli.outputs import check_writable
    from cvxnn.cli.scores import in_words

    if out is not None:
        check_writable(out)
        _check_no_input(out, model, data)
    predictions = _reader(model)(model, data, proba)
    scores = {target: _scores(predictions, target) for target in predictions.targets}
    for target in predictions.known:
        found = scores[target]
        if found is None:
            say(f"no scores: column {target!r} has cells {_unknown(predictions.task)}.")
        else:
            say(f"scores on {target!r}: {in_words(found)}")
    record = {"n_rows": len(predictions.values), "scores": _alone(scores)}
    _write(predictions, record, out, as_json=json)


def _alone(by_target: dict[str, Any]) -> Any:
    """What there is of each target, or of the only one."""
    return by_target if len(by_target) > 1 else next(iter(by_target.values()))


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
    if "feature_names" not in metadata:
        raise _without_columns(model, network.n_features)
    features = Features.from_metadata(metadata, network.n_features, str(model))
    if proba:
        raise InputError(f"{model} predicts numbers, which have no probabilities.")
    table = open_table(data)
    for name in features.names:
        table.require(name)
    _check_targets(features.targets, network.n_outputs or 1, model)
    known = [name for name in features.targets if name in table.columns]
    values = table.read([*features.names, *known], optional=known)
    inputs, columns = np.hsplit(values, [len(features.names)])
    pairs = zip(known, columns.T, strict=True)
    observed = {name: column for name, column in pairs if not np.isnan(column).any()}
    predictions = network.forward(check_data(features.matrix(inputs)))
    by_target = predictions.reshape(len(inputs), -1)
    return _Predictions(by_target, Task.REGRESSION, features.targets, tuple(known), observed)


def _without_columns(model: Path, n_features: int) -> InputError:
    """Of a network that was saved from Python: which column is which, nobody can tell."""
    return InputError(
        f"{model} does not say which columns its network reads, as files of 'cvxnn solve' do. In "
        f"Python, cvxnn.TwoLayerNetwork.load({model.name!r})(X) predicts, for X with its "
        f"{counted(n_features, 'column')}, the one of ones included where it was trained with one."
    )


def _check_targets(targets: tuple[str, ...], n_outputs: int, model: Path) -> None:
    if len(targets) != n_outputs:
        raise ModelFileError(
            f"{model} names {len(targets)} targets, and its network has {n_outputs} outputs."
        )


def _table_predictions(model: Path, data: Path, proba: bool) -> _Predictions:
    """Of a model that reads a table of any kind."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.cells import Cells
    from cvxnn.cli.sources import Source
    from cvxnn.cli.table_models import load_table_model
    from cvxnn.cli.tables import require

    loaded = load_table_model(model)
    cells = Cells.read(Source.read(data), text=loaded.texts, targets=loaded.targets)
    for column in loaded.used:
        require(column.name, tuple(cells.frame), cells.source)
    encoded, notes = loaded.encoded(cells)
    for note in notes:
        say(note)
    styles = ((loaded.target, loaded.style), *loaded.others)
    known = {name: style for name, style in styles if name in cells.frame}
    observed = {name: _observed(loaded, cells, name, style) for name, style in known.items()}
    has_shares = loaded.task is Task.CLASSIFICATION and loaded.loss == "logistic"
    return _Predictions(
        loaded.predict(encoded).reshape(len(encoded), -1),
        loaded.task,
        loaded.targets,
        tuple(known),
        {name: values for name, values in observed.items() if values is not None},
        loaded.probabilities(encoded) if proba or (has_shares and known) else None,
        tuple(loaded.classes),
        loaded.loss,
        loaded.level,
        proba,
    )


def _observed(model: TableModel, cells: Cells, name: str, style: str) -> Array | None:
    """A target in a table, as the model predicts it; None if a row has none."""
    from cvxnn.cli.targets import observed

    values = observed(cells, name, model.task, style)
    if model.task is Task.CLASSIFICATION:
        return None if values is None else model.labels(cells, values)
    restyled = cells.restyled(name, style)
    if restyled:
        say(f"column {restyled}")
    return values


def _scores(predictions: _Predictions, target: str) -> Scores | None:
    """Those of one target; None where there is not everything to compare with."""
    from cvxnn.cli.scores import of_classes, of_numbers

    values = predictions.observed.get(target)
    if values is None:
        return None
    found = predictions.values[:, predictions.targets.index(target)]
    if predictions.task is Task.CLASSIFICATION:
        return of_classes(values, found, predictions.shares, predictions.classes)
    return of_numbers(values, found, predictions.loss, predictions.level)


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
        columns = zip(predictions.targets, predictions.values.T.tolist(), strict=True)
        write_json(record | {"predictions": _alone(dict(columns))} | _proba(predictions))
    elif out is None:
        write_stdout(_csv(predictions))


def _proba(predictions: _Predictions) -> dict[str, Any]:
    if predictions.shares is None or not predictions.are_asked_for:
        return {}
    columns = zip(predictions.classes, predictions.shares.T.tolist(), strict=True)
    return {"probabilities": dict(columns)}


def _csv(predictions: _Predictions) -> str:
    """A column of predictions for each target, and one of probabilities for each class."""
    is_numbers, several = predictions.task is Task.REGRESSION, len(predictions.targets) > 1
    columns = []
    for name, values in zip(predictions.targets, predictions.values.T.tolist(), strict=True):
        header = f"prediction of {name}" if several else "prediction"
        columns.append([header, *(map(repr, values) if is_numbers else values)])
    for name, column in _proba(predictions).get("probabilities", {}).items():
        columns.append([f"probability of {name}", *map(repr, column)])
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()
