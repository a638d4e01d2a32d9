"""The report: one page of HTML that needs no other file."""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from cvxnn import __version__
from cvxnn.study.figures import StudyFigure
from cvxnn.study.outcomes import DataResult, ExperimentResult, Row, StudyResult
from cvxnn.study.paper import BETA, DATA_SEED, TABLE_BETA
from cvxnn.study.tables import Record, norms_record, record, show, used_columns

# Columns that the page tells below the table.
_BELOW = ("status", "parameters")


@dataclass(frozen=True)
class Table:
    """A table as the template reads it.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequence of str
    numeric : sequence of bool
        For each column whether it holds numbers, which are set to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]


def render_report(study: StudyResult, figures: Mapping[str, Sequence[StudyFigure]]) -> str:
    """The page, with its figures inside.

    Parameters
    ----------
    study : StudyResult
    figures : mapping of str to sequence of StudyFigure
        By the name of the experiment.

    Returns
    -------
    str
        HTML 5; every text is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cvxnn.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["image"] = _data_uri
    return environment.get_template("report.html.jinja").render(
        study=study,
        sections=[_section(experiment) for experiment in study.experiments],
        figures=figures,
        norms_table=_table([norms_record(row) for row in study.norms]) if study.norms else None,
        norms=study.norms,
        explained=[row for row in study.norms if row.is_paper_data and row.beta == TABLE_BETA],
        doubled=_doubled(study),
        n_checked=_count_networks(study),
        beta=BETA,
        table_beta=TABLE_BETA,
        data_seed=DATA_SEED,
        versions=_versions(),
    )


def _section(experiment: ExperimentResult) -> dict[str, Any]:
    """What the template needs of an experiment."""
    return {
        "name": experiment.name,
        "title": experiment.title,
        "sources": list(dict.fromkeys(result.data.source for result in experiment.results)),
        "table": _table([record(row) for row in experiment.rows], leave_out=_BELOW),
        "findings": [sentence for result in experiment.results for sentence in _findings(result)],
        "rows": experiment.rows,
    }


def _findings(result: DataResult) -> list[str]:
    """What the numbers of one data set say, in sentences."""
    convex = [row for row in result.rows if row.median is None]
    local = [row for row in result.rows if row.median is not None]
    best = min(convex, key=lambda row: row.objective)
    proof = (
        f"On {best.data} the best network of convex training has the objective "
        f"{best.objective:.6g}, and no network of any width is below {best.lower_bound:.6g}"
    )
    closing = "." if best.gap <= 1e-5 else f": the gap of {100.0 * best.gap:.0f} % remains open."
    sentences = [proof + closing]
    for row in local:
        sentences.append(_local_sentence(row, best))
    return sentences


def _local_sentence(row: Row, best: Row) -> str:
    trials = row.parameters.partition(" of ")[0]
    return (
        f"The best of {trials} of {row.method} with m = {row.n_neurons} ends at "
        f"{row.objective:.6g}, {_ratio(row.objective, best.objective)} times that"
        + (", lower than convex training." if row.objective < best.objective else ".")
    )


def _ratio(objective: float, reference: float) -> str:
    ratio = objective / reference
    return f"{ratio:,.0f}" if ratio >= 100.0 else f"{ratio:.3g}"


def _table(records: Sequence[Record], leave_out: Sequence[str] = ()) -> Table:
    columns = [name for name in used_columns(records) if name not in leave_out]
    return Table(
        columns=columns,
        rows=[[show(name, entry[name]) for name in columns] for entry in records],
        numeric=[not any(isinstance(entry[name], str) for entry in records) for name in columns],
    )


def _doubled(study: StudyResult) -> list[Row]:
    """The rows of SGD whose objective the paper gives as well."""
    return [
        row
        for experiment in study.experiments
        for row in experiment.rows
        if row.method == "SGD" and row.paper.objective is not None and experiment.name == "4.2"
    ]


def _count_networks(study: StudyResult) -> int:
    """How many networks were compared with a certified bound."""
    return sum(
        len(result.solutions) + sum(search.n_trials for search in result.searches.values())
        for experiment in study.experiments
        for result in experiment.results
    )


def _data_uri(figure: StudyFigure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg).decode()}"


def _versions() -> str:
    packages = [f"{name} {version(name)}" for name in ("numpy", "torch", "clarabel", "matplotlib")]
    return ", ".join([f"cvxnn {__version__}", f"Python {platform.python_version()}", *packages])
