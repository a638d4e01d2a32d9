"""What ``cvxnn fit`` shows of a trained model."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from cvxnn import __version__
from cvxnn.cli.options import Task
from cvxnn.cli.outputs import draw_page, figures, model_line, note, write_json
from cvxnn.cli.reporting import counted, say
from cvxnn.cli.scores import NAMES, explained_by
from cvxnn.cli.tables import features_in_words
from cvxnn.progress import format_gap

if TYPE_CHECKING:
    from cvxnn.cli.training import Fitted

    Row = tuple[str, str, str]

# Lines about columns, and neighbours that share one.
_LISTED = 40
_ALIKE = 4
_SHOWN_CLASSES = 5
# Gaps up to which a network is the best one, and up to which they tell how good it is.
_BEST, _TELLING = 1e-5, 0.2
# Scores beside which those of simpler answers are shown.
_COMPARED = ("r2", "accuracy")
_CUT_SHORT = ("INTERRUPTED", "TIME_LIMIT")
# What the user may not have meant.
_NOT_KEPT = "The model is not kept: --out model.skops saves it, for 'cvxnn predict'."
_NO_SCORE = "There is no score: --holdout 0.2 trains on four rows in five and scores on the others."


def show_fitted(
    fitted: Fitted, saved: Path | None, *, is_kept: bool, as_json: bool, quiet: bool
) -> None:
    """Print the model on stdout; in JSON, a training that was cut short is said on stderr.

    That a model is not kept is said in JSON by the entry for its file, and on stderr where
    there is nothing on stdout.
    """
    if as_json:
        write_json(_record(fitted, saved))
    elif not quiet:
        _write_page(fitted, saved, is_kept=is_kept)
    elif not is_kept:
        say(_NOT_KEPT)
    if (as_json or quiet) and fitted.ending.status in _CUT_SHORT:
        say(fitted.ending.message, "warning")


def _record(fitted: Fitted, saved: Path | None) -> dict[str, Any]:
    model = fitted.model
    return {
        "status": fitted.ending.status,
        "message": fitted.ending.message,
        "advice": fitted.ending.advice,
        "task": model.task.value,
        "target": list(model.targets) if model.others else model.target,
        "classes": model.classes or None,
        "loss": model.trained_loss,
        **model.figures,
        "columns": [
            {"name": column.name, "kind": column.kind.value, "note": column.note}
            for column in model.columns
        ],
        "model": None if saved is None else str(saved),
        "cvxnn_version": __version__,
    }


def _write_page(fitted: Fitted, saved: Path | None, *, is_kept: bool) -> None:
    colour = "yellow" if fitted.ending.status in _CUT_SHORT else "green"
    status = Text.assemble((fitted.ending.status, f"bold {colour}"), "  ", fitted.ending.message)
    rows = [*_score_rows(fitted), *_network_rows(fitted)]
    page: list[Any] = [
        Text(_title(fitted), style="bold"), "", figures(_column_rows(fitted)), "", figures(rows),
    ]  # fmt: skip
    if saved is not None:
        page.append(model_line(saved, rows))
    page += ["", Padding(status, (0, 2))]
    has_score = any(fitted.model.figures[key] is not None for key in ("holdout", "cv_score"))
    remarks = [
        fitted.ending.advice, "" if has_score else _NO_SCORE, "" if is_kept else _NOT_KEPT,
    ]  # fmt: skip
    for text in filter(None, remarks):
        page += ["", note(text)]
    draw_page(page)


def _title(fitted: Fitted) -> str:
    model = fitted.model
    known = model.figures
    what = counted(len(model.targets), "number") if model.others else "number"
    if model.task is Task.CLASSIFICATION:
        names = ", ".join(model.classes[:_SHOWN_CLASSES])
        more = ", ..." if len(model.classes) > _SHOWN_CLASSES else ""
        what = f"{len(model.classes)} classes: {names}{more}"
    held = known.get("holdout")
    rows = counted(known["n_rows"] + (0 if held is None else held["n_rows"]), "row")
    features = features_in_words(known["n_features"], len(model.used))
    return f"{Path(fitted.source).name}: {rows}, {features} -> {', '.join(model.targets)} ({what})"


def _column_rows(fitted: Fitted) -> list[Row]:
    """A line for each column, and one for neighbours of which the same is to be said."""
    rows: list[Row] = []
    columns = fitted.model.columns
    for (kind, remark), group in groupby(
        columns, key=lambda column: (column.kind.value, column.note)
    ):
        names = [column.name for column in group]
        if len(names) < _ALIKE:
            rows += [(name, kind, remark) for name in names]
        else:
            alike = f"{len(names)} columns" + (f", each {remark}" if remark else "")
            rows.append((f"{names[0]} ... {names[-1]}", kind, alike))
    n_cut = len(rows) - _LISTED
    return rows if n_cut <= 0 else [*rows[:_LISTED], ("", "", f"and {n_cut} lines more, in --json")]


# Losses whose errors are what beta is chosen by.
_ERRORS = {"absolute": "mae", "quantile": "pinball"}


def _score_rows(fitted: Fitted) -> list[Row]:
    known, is_numbers = fitted.model.figures, fitted.model.task is Task.REGRESSION
    rows = []
    held = known.get("holdout")
    if held is not None:
        where = f"on {counted(held['n_rows'], 'row')} held out"
        beside = _beside(held)
        meanings = {"rmse": "root mean square error, ", "mae": "mean absolute error, "}
        for key, name in NAMES.items():
            meaning = meanings.get(key, "") + where + (beside if key in _COMPARED else "")
            rows += [
                (name + of, f"{value:.4g}", meaning) for of, value in _by_target(held.get(key))
            ]
    if known["cv_score"] is not None:
        loss, score = fitted.model.loss, known["cv_score"]
        name = NAMES[explained_by(loss)] if is_numbers else "accuracy"
        if loss in _ERRORS:
            # As a score it is negative.
            name, score = NAMES[_ERRORS[loss]], -score
        rows.append((f"cv {name}", f"{score:.4g}", "mean of cross-validation"))
    return rows


def _beside(held: dict[str, Any]) -> str:
    """What simpler answers have of the main score."""
    others = {"the commonest class": "commonest", "a linear model": "linear"}
    known = [(held.get(key), who) for who, key in others.items()]
    words = [f"{value:.4g} by {who}" for value, who in known if value is not None]
    return f"; {', '.join(words)}" if words else ""


def _by_target(score: Any) -> list[tuple[str, float]]:
    """A score of each target, with words that say of which, or the only one."""
    if isinstance(score, dict):
        return [(f" of {name}", value) for name, value in score.items()]
    return [] if score is None else [("", score)]


def _network_rows(fitted: Fitted) -> list[Row]:
    known = fitted.model.figures
    ways = {"cv": "chosen by cross-validation", "auto": "by the rule of thumb", "given": "as given"}
    loss = fitted.model.trained_loss
    gap = float("inf") if known["gap"] is None else known["gap"]
    return [
        ("beta", f"{known['beta']:.4g}", f"{ways[known['beta_by']]}; {loss} loss"),
        ("neurons", str(known["n_neurons"]), "of the network found"),
        ("proven gap", format_gap(gap), gap_in_words(gap)),
        ("time", f"{known['elapsed']:.2f} s", "of training"),
    ]


def gap_in_words(gap: float) -> str:
    """What a proven gap says of a network, by its size.

    Examples
    --------
    >>> for gap in (1e-7, 0.0213, 0.5, float("inf")):
    ...     print(gap_in_words(gap))
    proven best: no network of any width is better by more
    no network of any width has an objective more than 2.1 % lower
    says little: the best network may be this one, or its objective up to 50 % lower
    nothing is proven
    """
    if gap == float("inf"):
        return "nothing is proven"
    if gap <= _BEST:
        return "proven best: no network of any width is better by more"
    share = f"{100.0 * gap:.2g} %"
    if gap <= _TELLING:
        return f"no network of any width has an objective more than {share} lower"
    return f"says little: the best network may be this one, or its objective up to {share} lower"
