"""Bounds, rows and tables of the study."""

import csv
import io

import pytest

pytest.importorskip("torch")

from cvxnn.study.outcomes import NormsRow, PaperFigures, Row, StudyError, check_bound, paper_figures
from cvxnn.study.report import norms_record, record, show, to_csv, used_columns


def row(**changes):
    values = {
        "data": "line", "method": "SGD", "parameters": "10 trials, of some steps", "n_neurons": 5,
        "n_patterns": None, "objective": 2.0, "median": 3.0, "worst": float("inf"),
        "lower_bound": 0.5, "accuracy": 0.9, "test_accuracy": None, "status": "all steps",
        "seconds": 0.25, "paper": PaperFigures(8.71, 0.017),
    }  # fmt: skip
    return Row(**(values | changes))


@pytest.mark.parametrize("objective", [0.9, 1.0 - 1e-8, float("nan"), -1.0])
def test_an_objective_below_the_bound_is_an_error(objective):
    with pytest.raises(StudyError, match="of trial 3 is below the certified lower bound 1:"):
        check_bound(objective, 1.0, "trial 3")


@pytest.mark.parametrize(
    ("objective", "bound"),
    [(1.0, 1.0), (1.0, 1.0 + 1e-12), (float("inf"), 1.0), (0.0, 0.0), (1.0, float("-inf"))],
)
def test_an_objective_at_the_bound_or_above_is_none(objective, bound):
    assert check_bound(objective, bound, "trial 3") is None


def test_the_gap_of_a_row():
    assert row().gap == pytest.approx(0.75)


def test_what_the_paper_does_not_report_is_none():
    assert paper_figures("4.2", 100, "sampled") == PaperFigures(3.52, 29.09)
    assert paper_figures("4.2", 100, "lbfgs") == PaperFigures(None, None)


def test_a_table_keeps_every_digit():
    table = to_csv([record(row(objective=0.1 + 0.2)), record(row())])
    lines = list(csv.DictReader(io.StringIO(table.decode())))
    assert float(lines[0]["objective"]) == 0.1 + 0.2
    assert lines[0]["parameters"] == "10 trials, of some steps" and lines[0]["patterns"] == ""
    assert float(lines[1]["worst"]) == float("inf") and lines[1]["paper's time (s)"] == "8.71"


def test_columns_without_values_are_left_out():
    columns = used_columns([record(row()), record(row(test_accuracy=0.5))])
    assert "patterns" not in columns and "test accuracy" in columns


def test_values_for_people():
    shown = {name: show(name, value) for name, value in record(row()).items()}
    assert shown["objective"] == "2" and shown["worst"] == "diverged" and shown["patterns"] == "-"
    assert shown["gap"] == "7.5e-01" and shown["accuracy"] == "90.0 %"
    assert shown["time (s)"] == "0.25"


@pytest.mark.parametrize(
    ("value", "printed", "agrees"),
    [(8.0917, 8.09, True), (8.1, 8.09, False), (0.00698, 0.006, True), (0.0059, 0.006, False)],
)
def test_agreement_with_the_digits_that_the_paper_prints(value, printed, agrees):
    norms = NormsRow("line", 1, 1e-3, value, value, 1.0, 1.0, printed, True)
    assert norms.agrees is agrees and norms_record(norms)["paper's data"] == "yes"
