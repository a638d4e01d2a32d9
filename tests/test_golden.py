"""Every case of `golden/` gives what it gave when `golden.json` was written.

With another processor or other versions of packages the few cases that depend on the last
digit are held to what their tolerances promise.
"""

import pytest
from golden.cases import CASES
from golden.compare import TOLERANCES, differences
from golden.record import arithmetic, arithmetic_of, stored
from runs import quietly

CONTENTS = stored()
STORED = CONTENTS["cases"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.is_long else [])
        for case in CASES
    ],
)
def test_figures_are_the_stored_ones(case):
    is_same = arithmetic() == arithmetic_of(CONTENTS, case.name)
    tolerances = TOLERANCES if is_same else {**TOLERANCES, **case.elsewhere}
    assert differences(quietly(case.run), STORED[case.name], tolerances) == []


def test_every_stored_case_is_run():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) and set(STORED) == set(names)


FIGURES = {
    "objective": [2.0, 3.0], "dual_bound": -4.0, "status": "OPTIMAL", "size": 5,
    "predictions": [1.0, 1e-9], "values": 7.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", [2.0, 3.0 + 1e-9]), ("objective", [2.0]), ("objective", [2.0, float("nan")]),
        ("dual_bound", -4.0 - 1e-8), ("dual_bound", -float("inf")), ("status", "STATIONARY"),
        ("size", 6), ("predictions", [1.0, 3e-7]), ("values", 7.0 - 1e-9),
    ],
)  # fmt: skip
def test_a_changed_figure_is_found(name, value):
    assert len(differences({**FIGURES, name: value}, FIGURES)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", [2.0, 3.0 + 1e-11]), ("dual_bound", -3.0), ("dual_bound", -4.0 - 1e-9),
        ("predictions", [1.0, 5e-8]),
    ],
)  # fmt: skip
def test_rounding_and_better_bounds_are_no_change(name, value):
    assert differences({**FIGURES, name: value}, FIGURES) == []


def test_a_missing_figure_is_found():
    assert differences({"size": 5}, FIGURES) != []


def test_a_bound_that_is_not_there_is_the_same_bound():
    none = {**FIGURES, "dual_bound": -float("inf")}
    assert differences(none, none) == []
