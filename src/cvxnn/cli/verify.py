"""``cvxnn verify``: the lower bound of a saved model, from its certificate and a table alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvxnn.cli.options import OUTPUT, PROBLEM, RUN, JsonOption, ModelArgument, argument, option
from cvxnn.cli.reporting import end_code, progress_lines
from cvxnn.interrupts import deferred_interrupts, forget_interrupt, interrupt_pending

if TYPE_CHECKING:
    from cvxnn.verification import Verification

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
    float, option("Time after which a search ends with what it has proven.", RUN, "SECONDS")
]


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

    MODEL is of 'cvxnn fit' or 'cvxnn solve', any network that was saved with its certificate, or
    a certificate alone. One that is of images takes DATA.npz, with arrays of the names X and y.

    Exit codes: 0 the bound and the objective of the file are confirmed; 1 they are not, with
    the bound that was; 2 a mistake in the options, the data or the file.
    """
    from cvxnn.cli.claims import read_claim
    from cvxnn.validation import check_positive

    check_positive(time_limit, "--time-limit")
    claim = read_claim(model, data, target or [])
    with progress_lines(), deferred_interrupts():
        report = claim.certificate.verify(
            claim.X, claim.y, claim.weights, network=claim.network,
            fingerprint=not ignore_fingerprint, time_limit=time_limit, stopped=interrupt_pending,
        )  # fmt: skip
        is_interrupted = interrupt_pending()
        forget_interrupt()
    _show(report, model, data, as_json=json)
    raise typer.Exit(end_code(report.accepted, interrupted=is_interrupted))


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
