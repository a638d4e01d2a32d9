"""The tables of the study, as text for files and pages.

A column whose name ends in `` (s)`` is a time; all others are the same whenever
the study is run with the same seed.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cvxnn.study.outcomes import NormsRow, Row

Record = Mapping[str, Any]


def record(row: Row) -> dict[str, Any]:
    """A row of an experiment by the names of the columns; None where there is no value.

    Examples
    --------
    >>> from cvxnn.study.paper import PaperFigures
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
    if name == "gap":
        return f"{value:.1e}"
    if name == "beta":
        return f"{value:g}"
    return f"{value:.2f}" if name.endswith(" (s)") else f"{value:.6g}"
