"""What ``cvxnn fit`` shows of a trained model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from cvxnn import __version__
from cvxnn.cli.columns import Kind
from cvxnn.cli.options import Task
from cvxnn.cli.outputs import counted, draw_page, figures, write_json
from cvxnn.cli.reporting import say
from cvxnn.progress import format_gap

if TYPE_CHECKING:
    from cvxnn.cli.columns import Column
    from cvxnn.cli.training import Fitted

    Row = tuple[str, str, str]

# Columns that have a line of their own; of more, those where there is something to say.
_LISTED = 30
_SHOWN_CLASSES = 5


def show_fitted(fitted: Fitted, saved: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Print the model on stdout; in JSON, a training that was cut short is said on stderr."""
    if as_json:
        write_json(_record(fitted, saved))
    elif not quiet:
        _write_page(fitted, saved)
    if (as_json or quiet) and fitted.status == "INTERRUPTED":
        say(fitted.message, "warning")


def _record(fitted: Fitted, saved: Path | None) -> dict[str, Any]:
    model = fitted.model
    return {
        "status": fitted.status,
        "message": fitted.message,
        "task": model.task.value,
        "target": model.target,
        "classes": model.classes or None,
        "loss": model.loss,
        **model.figures,
        "columns": [
            {"name": column.name, "kind": column.kind.value, "note": column.note}
            for column in model.columns
        ],
        "model": None if saved is None else str(saved),
        "cvxnn_version": __version__,
    }


def _write_page(fitted: Fitted, saved: Path | None) -> None:
    colour = "yellow" if fitted.status == "INTERRUPTED" else "green"
    status = Text.assemble((fitted.status, f"bold {colour}"), "  ", fitted.message)
    rows = [*_score_rows(fitted), *_network_rows(fitted)]
    page: list[Any] = [
        Text(_title(fitted), style="bold"), "", figures(_column_rows(fitted)), "", figures(rows),
    ]  # fmt: skip
    if saved is not None:
        page.append(Text.assemble("  ", (f"{'model':13}", "cyan"), str(saved)))
    draw_page([*page, "", Padding(status, (0, 2))])


def _title(fitted: Fitted) -> str:
    model = fitted.model
    known = model.figures
    what = "number"
    if model.task is Task.CLASSIFICATION:
        names = ", ".join(model.classes[:_SHOWN_CLASSES])
        more = ", ..." if len(model.classes) > _SHOWN_CLASSES else ""
        what = f"{len(model.classes)} classes: {names}{more}"
    rows, features = counted(known["n_rows"], "row"), counted(known["n_features"], "feature")
    return f"{Path(fitted.source).name}: {rows}, {features} -> {model.target} ({what})"


def _column_rows(fitted: Fitted) -> list[Row]:
    columns = fitted.model.columns
    rows = [(column.name, column.kind.value, column.note) for column in columns]
    if len(rows) <= _LISTED:
        return rows
    plain = [column for column in columns if _is_plain(column)]
    kept = [row for row, column in zip(rows, columns, strict=True) if not _is_plain(column)]
    return [*kept[:_LISTED], ("", "", _summary(plain, len(kept) - _LISTED))]


def _is_plain(column: Column) -> bool:
    return column.kind is Kind.NUMBER and not column.note


def _summary(plain: list[Column], n_cut: int) -> str:
    parts = [
        f"{kind.value}: {count} more" for kind, count in Counter(c.kind for c in plain).items()
    ]
    if n_cut > 0:
        parts.append(f"{n_cut} more of any kind")
    return ", ".join(parts)


def _score_rows(fitted: Fitted) -> list[Row]:
    known, is_numbers = fitted.model.figures, fitted.model.task is Task.REGRESSION
    rows = []
    held = known.get("holdout")
    if held is not None:
        where = f"on {counted(held['n_rows'], 'row')} held out"
        named = {"r2": "R2", "rmse": "error", "accuracy": "accuracy", "log_loss": "log loss"}
        meaning = {"r2": where, "rmse": f"root mean square, {where}"}
        rows += [
            (named[key], f"{held[key]:.4g}", meaning.get(key, where))
            for key in named
            if held.get(key) is not None
        ]
    if known["cv_score"] is not None:
        name = "R2" if is_numbers else "accuracy"
        rows.append((f"cv {name}", f"{known['cv_score']:.4g}", "mean of cross-validation"))
    return rows


def _network_rows(fitted: Fitted) -> list[Row]:
    known = fitted.model.figures
    ways = {"cv": "chosen by cross-validation", "auto": "by the rule of thumb", "given": "as given"}
    gap = float("inf") if known["gap"] is None else known["gap"]
    return [
        ("beta", f"{known['beta']:.4g}", f"{ways[known['beta_by']]}; {fitted.model.loss} loss"),
        ("neurons", str(known["n_neurons"]), "of the network found"),
        ("proven gap", format_gap(gap), "no network has an objective lower by more than this part"),
        ("time", f"{known['elapsed']:.2f} s", ""),
    ]
