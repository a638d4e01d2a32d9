"""The target: numbers or classes, losses, mistakes with their line."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("skops", reason="needs cvxnn[cli]")

from cvxnn.cli.cells import Cells
from cvxnn.cli.labels import among
from cvxnn.cli.number_formats import unit
from cvxnn.cli.options import Loss, Task
from cvxnn.cli.scores import of_classes
from cvxnn.cli.sources import Source
from cvxnn.cli.targets import LOSSES, observed, read_target
from cvxnn.errors import InputError


def cells(values, separator=","):
    text = f"a{separator}y\n" + "".join(f"{i}{separator}{v}\n" for i, v in enumerate(values))
    return Cells.read(Source("x.csv", text), targets=["y"])


def target(values, task=None, loss=None, separator=","):
    return read_target(cells(values, separator), "y", task, loss)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([1.5, 2, 3], "regression"), ([0, 1, 0], "classification"), ([1, 2, 3], "regression"),
        (["yes", "no", "no"], "classification"), (["a", "b", "c"], "classification"),
        ([1, "", 2], "classification"), (["1,5", "2", "3,5"], "regression"),
    ],
)  # fmt: skip
def test_the_task_follows_from_the_values(values, task):
    found = target(values, separator=";")
    assert found.task == task
    assert found.loss == ("squared" if task == "regression" else "logistic")


def test_values_and_labels_are_those_of_the_file():
    assert target(["1,5", "", "3", "4"], separator=";").values.tolist() == [1.5, 3.0, 4.0]
    assert target(["01", "02", "01"]).values.tolist() == ["01", "02", "01"]
    assert target(["1", "1.0", "0"]).values.tolist() == ["1", "1", "0"]
    found = target(["no", "?", "yes", ""])
    assert found.values.tolist() == ["no", "yes"]
    assert found.known.tolist() == [True, False, True, False]
    assert found.notes == (
        "2 rows have no 'y' ('?' in 1 row is read as missing); left out.",
    )  # fmt: skip
    assert target(["a", "", "b"]).notes == ("1 row has no 'y'; left out.",)


def test_no_class_is_lost_silently():
    found = target(["yes", "None", "yes"])
    assert found.values.tolist() == ["yes", "None", "yes"] and found.notes == ()
    found = target(["no", "None", "yes", "NA", "null", "NA", " nan "])
    assert found.values.tolist() == ["no", "None", "yes"]
    assert found.notes == (
        "4 rows have no 'y' ('NA' in 2 rows, 'nan' in 1 row, 'null' in 1 row is read as missing); "
        "left out.",
    )
    # Who writes numbers means by None that there is none.
    found = target(["1.5", "None", "2", "4"])
    assert (found.task, found.values.tolist()) == ("regression", [1.5, 2.0, 4.0])
    assert found.notes == ("1 row has no 'y' ('None' in 1 row is read as missing); left out.",)


def test_thousands_percent_and_currencies_are_numbers_and_said():
    found = target(["992", "1.015", "17"], separator=";")
    assert found.values.tolist() == [992.0, 1015.0, 17.0] and found.style == "comma"
    assert found.notes == (
        "'y' is read as numbers: decimal commas, a guess: '1.015' is 1015.",
    )  # fmt: skip
    found = target([f"${i}.50" for i in range(200)])
    assert found.task == "regression" and found.values.tolist()[:2] == [0.5, 1.5]
    assert found.notes == ("'y' is read as numbers: without $.",)
    assert target(["1%", "12 %", "3"]).values.tolist() == [1.0, 12.0, 3.0]


def test_losses_choose_the_task_and_tasks_the_loss():
    assert {name for losses in LOSSES.values() for name in losses} == {loss.value for loss in Loss}
    assert target([0, 1, 1], loss="huber").task == "regression"
    assert target([0, 1, 2], loss="squared_hinge").task == "classification"
    assert target([0, 1, 1], loss="squared").task == "classification"
    found = target([0, 1, 2], task=Task.CLASSIFICATION)
    assert (found.loss, found.values.tolist()) == ("logistic", ["0", "1", "2"])


def test_few_numbers_may_be_classes():
    (note,) = target([1, 2, 3] * 4).notes
    assert note == "'y' has 3 different numbers; are they classes? --task classification"
    assert target([1.5, 2, 3] * 4).notes == () and target(range(12)).notes == ()


@pytest.mark.parametrize(
    ("values", "options", "sentence"),
    [
        (
            [1, 2, "x", 4],
            {},
            "line 4, column 'y': 'x' is not a number, as most are; for classes "
            "give --task classification.",
        ),
        ([1, 2, "inf", 4], {}, "line 4, column 'y': 'inf' is not a number"),
        ([1, 2, "1e200", 4], {}, "line 4, column 'y': '1e200' is not 0, nor between"),
        (
            ["a", "b"],
            {"loss": "huber"},
            "line 2, column 'y': 'a' is not a number, which --loss "
            "huber needs; for classes give --loss logistic or squared_hinge or hinge.",
        ),
        (
            ["a", "b"],
            {"task": Task.REGRESSION},
            "'a' is not a number, which --task regression "
            "needs; for classes give --task classification.",
        ),
        ([1, 2], {"task": Task.REGRESSION, "loss": "logistic"}, "is not for regression; take"),
        (["", "NA"], {}, "learnt of it ('NA' in 1 row is read as missing)."),
        (["None", "None"], {}, "column 'y' has the same value in every row."),
        (["a", "NA"], {}, "every row that has one ('NA' in 1 row is read as missing)."),
        (["", "N/A"], {}, "column 'y' is empty"),
        (
            [1, "", -2, 3],
            {"loss": "poisson"},
            "line 4, column 'y': '-2' is not a count of 0 or more, which --loss poisson needs.",
        ),
        ([1.5, 0, 2], {"loss": "gamma"}, "line 3, column 'y': '0' is not an amount above 0, which"),
        (["a", "a"], {}, "column 'y' has the same value in every row"),
        ([2, 2], {}, "column 'y' has the same value in every row"),
        ([f"w{i}" for i in range(101)], {}, "has 101 different values, too many for classes"),
    ],
)
def test_mistakes(values, options, sentence):
    with pytest.raises(InputError) as caught:
        target(values, **options)
    assert sentence in str(caught.value)


PRICES = [f"{i + 1000} EUR" for i in range(101)]


@pytest.mark.parametrize(
    ("values", "options", "sentence"),
    [
        (PRICES, {}, "too many for classes; the first is '1000 EUR'; to have numbers, remove the "
                     "unit 'EUR' from the column."),
        (PRICES, {"task": Task.REGRESSION}, "'1000 EUR' is not a number, which --task regression "
                                            "needs; remove the unit 'EUR' from the column."),
        (PRICES, {"loss": "huber"}, "which --loss huber needs; remove the unit 'EUR'"),
        ([1, 2, 3, "4 kg"], {}, "'4 kg' is not a number, as most are; remove the unit 'kg'"),
        # Neither is there a way to classes where these are too many.
        ([*range(101), "x"], {}, "'x' is not a number, as most are; correct the cell, or leave it"),
        ([f"w{i}" for i in range(101)], {}, "the first is 'w0'."),
    ],
)  # fmt: skip
def test_units_are_to_be_removed(values, options, sentence):
    with pytest.raises(InputError) as caught:
        target(values, **options)
    assert sentence in str(caught.value) and "for classes give" not in str(caught.value)


def test_classes_with_a_unit_may_have_been_meant_as_numbers():
    found = target(PRICES[:50])
    assert (found.task, found.notes) == (
        "classification",
        ("'y' is read as classes; to have numbers, remove the unit 'EUR' from the column.",),
    )
    assert target(PRICES[:50], task=Task.CLASSIFICATION).notes == ()
    assert target(["1st", "2nd", "3rd"]).notes == ()


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["54 m2", "1.5m2", "none"], "m2"), (["-3,5 °C", "4 °C"], "°C"), (["12 km/h"], "km/h"),
        (["EUR 1'079.50", "EUR 7"], "EUR"), (["A1", "A2"], ""), (["12 May 2024"], ""),
        (["3 Main St"], ""), (["a", "b", "1 kg"], ""), (["12:30", "1-2"], ""), ([], ""),
    ],
)  # fmt: skip
def test_units(cells, found):
    assert unit(pd.Series(cells, dtype=object)) == found


def test_what_predictions_are_compared_with():
    assert observed(cells(["1", "x"]), "y", Task.REGRESSION, "point") is None
    assert observed(cells(["1", "2"]), "y", Task.REGRESSION, "point").tolist() == [1.0, 2.0]
    assert observed(cells(["a", ""]), "y", Task.CLASSIFICATION, "point") is None
    labels = observed(cells(["1.0", "b"]), "y", Task.CLASSIFICATION, "point")
    assert labels.tolist() == ["1.0", "b"]
    labels = among(labels, "point", ["1", "c"], "point")
    assert of_classes(labels, np.array(["1", "c"]))["accuracy"] == 0.5


BIG = ["12345678901234567890", "12345678901234567891", "3"]


@pytest.mark.parametrize(
    "values",
    [BIG, ["9007199254740993", "9007199254740992"], ["$1", "1%", "2"], ["01", "1", "001"],
     ["1e0", "1", "+1"]],
)  # fmt: skip
def test_labels_are_the_text_as_it_stands(values):
    found = target(values * 2, task=Task.CLASSIFICATION)
    assert found.values.tolist() == values * 2 and found.notes == ()


def test_integers_beyond_floats_are_classes_of_their_own():
    assert target(BIG).values.tolist() == BIG
    found = target(["9007199254740993", "9007199254740992"])
    assert (found.task, len(set(found.values))) == ("classification", 2)
    with pytest.raises(InputError, match="has the same value, to 16 digits, in every row"):
        target(["9007199254740993", "9007199254740992"], task=Task.REGRESSION)


def test_plain_numbers_in_several_ways_are_one_class_and_said():
    found = target(["1", "1.0", "0.0", "x"], task=Task.CLASSIFICATION)
    assert found.values.tolist() == ["1", "1", "0.0", "x"]
    assert found.notes == ("'y' has numbers in several ways: '1.0' as '1'.",)
    found = target(["1,5", "1,50", "2"], task=Task.CLASSIFICATION, separator=";")
    assert found.values.tolist() == ["1,5", "1,5", "2"]
    # Between thousands the point is none before decimals.
    found = target(["1.000", "1", "1.0,0"], task=Task.CLASSIFICATION, separator=";")
    assert len(set(found.values)) == 3
