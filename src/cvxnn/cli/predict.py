"""``cvxnn predict``: from a model file and a CSV file to predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cvxnn.cli.options import OUTPUT, JsonOption, ModelArgument, argument, option
from cvxnn.cli.reporting import say
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from cvxnn.array_types import FloatArray

_Data = Annotated[
    Path,
    argument("Table with the model's features, in any order; others may be in it.", "DATA.csv"),
]
_Out = Annotated[
    Path | None, option("Write the predictions here, not to stdout.", OUTPUT, "PREDICTIONS.csv")
]


def predict(model: ModelArgument, data: _Data, out: _Out = None, json: JsonOption = False) -> None:
    """Predict with a saved network, one row of output for each row of the table.

    Where the table has the target as well, the mean squared error goes to stderr.
    """
    from cvxnn.cli.outputs import check_writable

    if out is not None:
        check_writable(out)
        _check_no_input(out, model, data)
    predictions, target, observed = _evaluate(model, data)
    error = _mean_squared_error(predictions, observed)
    if observed is not None and error is None:
        say(f"no mean squared error: column {target!r} has cells that are no finite numbers.")
    elif error is not None:
        say(f"mean squared error on {target!r}: {error!r}")
    _write(predictions, error, out, as_json=json)


def _check_no_input(out: Path, *inputs: Path) -> None:
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise InputError(f"--out {str(out)!r} would overwrite an input of the command.")


def _evaluate(model: Path, data: Path) -> tuple[FloatArray, str, FloatArray | None]:
    """The predictions, the target's name and, where the table has it, the target."""
    from cvxnn.cli.outputs import load_model
    from cvxnn.cli.tables import Features, open_table
    from cvxnn.validation import check_data

    network, metadata = load_model(model)
    features = Features.from_metadata(metadata, network.n_features, str(model))
    table = open_table(data)
    for name in features.names:
        table.require(name)
    known = [features.target] if features.target in table.columns else []
    values = table.read([*features.names, *known], optional=known)
    inputs = values[:, : len(features.names)]
    return (
        network.forward(check_data(features.matrix(inputs))),
        features.target,
        (values[:, -1] if known else None),
    )


def _mean_squared_error(predictions: FloatArray, observed: FloatArray | None) -> float | None:
    """None where there is nothing, or not everything, to compare with."""
    import numpy as np

    if observed is None or np.isnan(observed).any():
        return None
    return float(np.mean((predictions - observed) ** 2))


def _write(
    predictions: FloatArray, error: float | None, out: Path | None, *, as_json: bool
) -> None:
    from cvxnn.cli.outputs import write_json, write_stdout
    from cvxnn.files import atomic_write

    column = "\n".join(["prediction", *map(repr, predictions.tolist()), ""])
    if out is not None:
        with atomic_write(out) as file:
            file.write(column.encode())
    if as_json:
        record = {"n_rows": len(predictions), "mean_squared_error": error}
        if out is None:
            write_json(record | {"predictions": predictions.tolist()})
        else:
            write_json(record | {"out": str(out)})
    elif out is None:
        write_stdout(column)
