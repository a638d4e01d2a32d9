"""``cvxnn verify``: the lower bound of a saved model, from its certificate and a table alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvxnn.cli.options import OUTPUT, PROBLEM, RUN, JsonOption, ModelArgument, argument, option
from cvxnn.cli.reporting import end_code
from cvxnn.errors import InputError
from cvxnn.interrupts import deferred_interrupts, forget_interrupt, interrupt_pending

if TYPE_CHECKING:
    from cvxnn.array_types import Array, FloatArray
    from cvxnn.cli.table_models import TableModel
    from cvxnn.estimators.inputs import Samples
    from cvxnn.verification import BoundCertificate, Verification

_Data = Annotated[
    Path,
    argument(
        "The table that the model was trained on; or an .npz with X, y and perhaps sample_weight.",
        "DATA.csv",
    ),
]
_Target = Annotated[
    list[str] | None,
    option("Column it predicts, several times for several; the model's own.", PROBLEM, "COLUMN"),
]
_Ignore = Annotated[
    bool,
    option(
        "Recompute the bound also where table or certificate were changed.", OUTPUT, None,
        "--ignore-fingerprint",
    ),
]  # fmt: skip

_TimeLimit = Annotated[
    float, option("Seconds; then a search says what it has proven.", RUN, "SECONDS")
]


@dataclass(frozen=True)
class _Claim:
    """A certificate, the network it is about, and the data as the network reads them."""

    certificate: BoundCertificate
    network: Any
    X: FloatArray
    y: FloatArray
    weights: FloatArray | None = None


def verify(
    model: ModelArgument,
    data: _Data,
    target: _Target = None,
    ignore_fingerprint: _Ignore = False,
    time_limit: _TimeLimit = 60.0,
    json: JsonOption = False,
) -> None:
    """Check the lower bound of a saved model: recomputed from its file and the table alone.

    By code that shares nothing with the training: it trusts nothing in the file. Ctrl-C ends a
    search with the bound that it has proven so far, as --time-limit does.

    MODEL is of 'cvxnn fit' or 'cvxnn solve', or any network that was saved with its certificate.
    One that reads images takes DATA.npz, with arrays of the names X and y.

    Exit codes: 0 the bound and the objective of the file are confirmed; 1 they are not, with
    the bound that was; 2 a mistake in the options, the data or the file.
    """
    from cvxnn.validation import check_positive

    check_positive(time_limit, "--time-limit")
    claim = _reader(model, data)(model, data, target or [])
    with deferred_interrupts():
        report = claim.certificate.verify(
            claim.X, claim.y, claim.weights, network=claim.network,
            fingerprint=not ignore_fingerprint, time_limit=time_limit, stopped=interrupt_pending,
        )  # fmt: skip
        is_interrupted = interrupt_pending()
        forget_interrupt()
    _show(report, model, data, as_json=json)
    raise typer.Exit(end_code(report.accepted, interrupted=is_interrupted))


def _reader(model: Path, data: Path) -> Callable[[Path, Path, list[str]], _Claim]:
    if model.suffix.lower() == ".skops":
        return _of_table_model
    return _of_arrays if data.suffix.lower() == ".npz" else _of_network


def _of_arrays(model: Path, data: Path, targets: list[str]) -> _Claim:
    """That of a network in a file of its own, on arrays as they were given to the training."""
    from cvxnn.cli.array_files import read_arrays
    from cvxnn.cli.outputs import load_any_model
    from cvxnn.networks.storage import load_certificate

    if targets:
        raise InputError(f"{data} has its targets in the array y; leave --target out.")
    network, _ = load_any_model(model)
    arrays = read_arrays(data, needed=("X", "y"), others=("sample_weight",))
    weights = arrays.get("sample_weight")
    return _Claim(load_certificate(model), network, arrays["X"], arrays["y"], weights)


def _of_network(model: Path, data: Path, targets: list[str]) -> _Claim:
    """That of a network in a file of its own, on a table."""
    from cvxnn.cli.network_tables import NetworkTable
    from cvxnn.cli.outputs import load_any_model
    from cvxnn.networks.storage import load_certificate

    network, metadata = load_any_model(model)
    certificate = load_certificate(model)
    has_classes = certificate.loss.get("name") == "softmax"
    table = NetworkTable.read(network, metadata, model, data, targets, has_classes=has_classes)
    return _Claim(certificate, network, table.X, table.y)


def _of_table_model(model: Path, data: Path, targets: list[str]) -> _Claim:
    """That of a file of 'cvxnn fit': its estimator encodes, centres and scales the table."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.certify_model import check_targets, table_problem
    from cvxnn.cli.table_models import load_table_model
    from cvxnn.exchange.foreign import read_network
    from cvxnn.verification import BoundCertificate

    loaded = load_table_model(model)
    if loaded.certificate is None:
        raise InputError(
            f"{model} has no certificate: it has a network for each of several classes, or was "
            "saved by a version without certificates."
        )
    problem = table_problem(model, data, None)
    check_targets(targets, loaded.targets, model)
    read = read_network(problem.network)
    samples, y = _samples(loaded, problem.X, problem.y)
    certificate = BoundCertificate.from_bytes(loaded.certificate, f"The certificate in {model}")
    X = read.data(samples.X)
    return _Claim(certificate, read.network, X, read.target(y, len(X)), samples.weights)


def _samples(model: TableModel, X: FloatArray, y: Array) -> tuple[Samples, Array]:
    """As the estimator has trained on them: in an order of their own, equal ones merged.

    With targets, or labels, in this order.
    """
    import numpy as np

    from cvxnn.cli.options import Task
    from cvxnn.estimators.inputs import Samples

    if model.task is not Task.CLASSIFICATION:
        samples = Samples.of(X, y, None)
        return samples, samples.y
    classes = model.estimator.classes_
    samples = Samples.of(X, np.searchsorted(classes, y).astype(np.float64), None)
    return samples, classes[samples.y.astype(np.intp)]


def _show(report: Verification, model: Path, data: Path, *, as_json: bool) -> None:
    from cvxnn.cli.outputs import write_json

    words = "The bound is confirmed." if report.accepted else report.reason
    if as_json:
        write_json(
            {"accepted": report.accepted, "message": words}
            | {name: getattr(report, name) for name in _REPORTED}
            | {"gap": report.gap, "model": str(model), "data": str(data)}
        )
        return
    _draw(report, words, f"{model.name} on {data.name}: {report.problem}")


_REPORTED = (
    "bound", "claimed", "objective", "is_recomputed", "how", "elapsed", "beta", "loss", "network",
    "settings", "intercept",
)  # fmt: skip


def _draw(report: Verification, words: str, title: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from cvxnn.cli.outputs import draw_page, figures
    from cvxnn.progress import format_gap, format_number

    name, colour = ("CONFIRMED", "green") if report.accepted else ("NOT CONFIRMED", "yellow")
    rows = [
        ("objective", format_number(report.objective), report.origin),
        ("lower bound", format_number(report.bound), f"recomputed by {report.how}"),
        ("claimed", format_number(report.claimed), "lower bound in the file"),
        ("gap", format_gap(report.gap), "(objective - lower bound) / objective"),
        ("time", f"{report.elapsed:.2f} s", ""),
    ]
    sentence = Text.assemble((name, f"bold {colour}"), "  ", words)
    draw_page([Text(title, style="bold"), "", figures(rows), "", Padding(sentence, (0, 2))])
