"""The report: one page of HTML that needs no other file."""

from __future__ import annotations

import base64
import csv
import io
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from cvxnn import __version__
from cvxnn.study.drawing import StudyFigure
from cvxnn.study.outcomes import (
    BETA,
    DATA_SEED,
    TABLE_BETA,
    DataResult,
    ExperimentResult,
    NormsRow,
    Row,
    StudyResult,
)
from cvxnn.study.pages.result import PageResult

# Columns that the page tells below the table.
_BELOW = ("status", "parameters")


Record = Mapping[str, Any]


def record(row: Row) -> dict[str, Any]:
    """A row of an experiment by the names of the columns; None where there is no value.

    Examples
    --------
    >>> from cvxnn.study.outcomes import PaperFigures
    >>> row = Row("line", "SGD", "10 trials", 5, None, 2.0, 3.0, 4.0, 1.0, 1.0, None, "all steps",
    ...           0.5, PaperFigures(8.71, 0.017))
    >>> record(row)["gap"], record(row)["time (s)"], record(row)["paper's time (s)"]
    (0.5, 0.5, 8.71)
    """
    return {
        "data": row.data,
        "method": row.method,
        "neurons": row.n_neurons,
        "patterns": row.n_patterns,
        "objective": row.objective,
        "median": row.median,
        "worst": row.worst,
        "lower bound": row.lower_bound,
        "gap": row.gap,
        "paper's objective": row.paper.objective,
        "accuracy": row.accuracy,
        "test accuracy": row.test_accuracy,
        "time (s)": row.seconds,
        "paper's time (s)": row.paper.seconds,
        "status": row.status,
        "parameters": row.parameters,
    }


def norms_record(row: NormsRow) -> dict[str, Any]:
    """A row of the comparison of norms by the names of the columns."""
    return {
        "data": row.data,
        "seed": row.seed,
        "paper's data": "yes" if row.is_paper_data else "no",
        "beta": row.beta,
        "squared norms": row.squared_value,
        "its lower bound": row.squared_bound,
        "paper's objective": row.paper_objective,
        "optimum of (2)": row.optimum,
        "lower bound": row.lower_bound,
    }


def to_csv(records: Sequence[Record]) -> bytes:
    """A table as CSV: floats with all digits, nothing where there is no value.

    Examples
    --------
    >>> to_csv([{"a": 0.1, "b": None}, {"a": 2, "b": "x, y"}])
    b'a,b\\n0.1,\\n2,"x, y"\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def used_columns(records: Iterable[Record]) -> list[str]:
    """The columns in which any record has a value, in their order.

    Examples
    --------
    >>> used_columns([{"a": 1, "b": None, "c": None}, {"a": 2, "b": None, "c": 3}])
    ['a', 'c']
    """
    records = list(records)
    return [name for name in records[0] if any(entry[name] is not None for entry in records)]


def show(name: str, value: Any) -> str:
    """A value as people read it.

    Examples
    --------
    >>> show("objective", 0.00405058686), show("gap", 2e-9), show("time (s)", 0.514)
    ('0.00405059', '2.0e-09', '0.51')
    >>> show("accuracy", 0.725), show("median", None)
    ('72.5 %', '-')
    """
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "diverged"
    if "accuracy" in name:
        return f"{100.0 * value:.1f} %"
    if name in ("gap", "excess"):
        return f"{value:.1e}"
    if name == "beta":
        return f"{value:g}"
    return f"{value:.2f}" if name.endswith(" (s)") else f"{value:.6g}"


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


@dataclass(frozen=True)
class Section:
    """A section of the page as the template reads it.

    Attributes
    ----------
    heading : str
    paragraphs : sequence of str
        Before the tables.
    tables : sequence of (str, Table)
        With their captions.
    findings : sequence of str
        A sentence each.
    certificate : str
        What the proofs are about, in a sentence; empty where the head of the page says it.
    runs : sequence of str
        How the methods were run.
    figures : sequence of StudyFigure
    """

    heading: str
    paragraphs: Sequence[str]
    tables: Sequence[tuple[str, Table]]
    findings: Sequence[str]
    certificate: str
    runs: Sequence[str]
    figures: Sequence[StudyFigure]


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
        sections=[
            *(_section(each, figures[each.name]) for each in study.experiments),
            *(_page_section(page) for page in study.pages),
        ],
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


def _section(experiment: ExperimentResult, figures: Sequence[StudyFigure]) -> Section:
    caption = f"Objectives, bounds and times of section {experiment.name}"
    table = _table([record(row) for row in experiment.rows], leave_out=_BELOW)
    return Section(
        heading=f"{experiment.name} {experiment.title}",
        paragraphs=list(dict.fromkeys(result.data.source for result in experiment.results)),
        tables=[(caption, table)],
        findings=[sentence for result in experiment.results for sentence in _findings(result)],
        certificate="",
        runs=[
            f"{row.data}, {row.method}, m = {row.n_neurons}: {row.parameters}; {row.status}."
            for row in experiment.rows
        ],
        figures=figures,
    )


def _page_section(page: PageResult) -> Section:
    return Section(
        heading=page.title,
        paragraphs=page.introduction,
        tables=[(table.caption, _table(table.records)) for table in page.tables],
        findings=page.findings,
        certificate=page.certificate,
        runs=(),
        figures=page.figures,
    )


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
    of_pages = sum(page.n_checked for page in study.pages)
    return of_pages + sum(
        len(result.solutions) + sum(search.n_trials for search in result.searches.values())
        for experiment in study.experiments
        for result in experiment.results
    )


def _data_uri(figure: StudyFigure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg).decode()}"


def _versions() -> str:
    packages = [f"{name} {version(name)}" for name in ("numpy", "torch", "clarabel", "matplotlib")]
    return ", ".join([f"cvxnn {__version__}", f"Python {platform.python_version()}", *packages])
