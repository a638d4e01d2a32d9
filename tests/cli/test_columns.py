"""What is done with columns: kinds, notes, wishes of the user; and what they are encoded as."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("skrub", reason="needs cvxnn[cli]")

from people import people

from cvxnn.cli.cells import Cells
from cvxnn.cli.columns import Column, Kind, Wishes, features, planned
from cvxnn.cli.encoder import encoder
from cvxnn.cli.sources import Source
from cvxnn.errors import InputError, ModelFileError


def table(columns, separator=",", **options):
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    text = "".join(separator.join(map(str, line)) + "\n" for line in lines)
    return Cells.read(Source("x.csv", text), **options)


def plan(cells, **wishes):
    return {column.name: column for column in planned(cells, ["y"], Wishes(**wishes))}


def one(cells, separator=","):
    """What becomes of a column of these cells."""
    columns = {"a": cells, "b": np.arange(len(cells)) % 3, "y": cells}
    return plan(table(columns, separator))["a"]


N = 20
WORDS = [f"w{i % 3}" for i in range(N)]


@pytest.mark.parametrize(
    ("cells", "kind", "note"),
    [
        ([0.5 * i for i in range(N)], "number", ""),
        ([*range(1, N), 1], "number", ""),
        ([*range(1, N), ""], "left out", "the rows' own numbers, one after the other"),
        ([i * i for i in range(N)], "number", ""),
        ([5] * N, "left out", "the same in every row"),
        ([5, *[""] * (N - 1)], "number", "19 missing"),
        ([""] * N, "left out", "empty"),
        (WORDS, "category", "3 values"),
        (["", *WORDS[1:]], "category", "3 values, 1 missing"),
        ([*["true"] * 10, *["false"] * 10], "category", "2 values"),
        ([f"id{i}" for i in range(N)], "left out", "another word in every row, as ids have"),
        ([f"Ann {i}" for i in range(N)], "category", "20 values"),
        ([f"Ann {i}" for i in range(60)], "text", "60 values"),
        ([f"{1 + i:02d}.03.2020" for i in range(N)], "date", ""),
        ([f"2020-03-{1 + i:02d}T10:00:00" for i in range(N)], "date", ""),
        ([*(f"2020-03-{1 + i:02d}" for i in range(N - 1)), ""], "date", "1 missing"),
        ([f"{i}%" for i in range(N)], "number", "without %"),
        ([f"${i}.50" for i in range(N)], "number", "without $"),
        ([*[0.5] * (N - 1), "x"], "number", "1 cell without a number, as 'x' in line 21"),
    ],
    ids=str,
)  # fmt: skip
def test_kinds(cells, kind, note):
    column = one(cells)
    found = column.note.removeprefix("1 missing, ") if "cell" in note else column.note
    assert (column.kind, found) == (kind, note)


@pytest.mark.parametrize(
    ("cells", "separator", "style"),
    [
        (["1,5", "2,25", "3"], ";", "comma"),
        (['"1,5"', '"2,25"', "3"], ",", "comma"),
        (['"1,500"', '"12,250"', "3"], ",", "grouped"),
        (["1,500", "12,250", "3"], ";", "comma"),
        (["1.500,5", "12", "3"], "\t", "comma"),
        (["1.5", "12", "3"], ";", "point"),
    ],
)
def test_styles(cells, separator, style):
    column = one(cells * 7, separator)
    words = {"comma": "decimal commas", "grouped": "commas between thousands", "point": ""}
    note = column.note.removesuffix(", a guess: '1,500' is 1.5")
    assert (column.kind, column.style, note) == (Kind.NUMBER, style, words[style])
    # Only there each comma may be one between thousands.
    assert (note != column.note) == (cells[:2] == ["1,500", "12,250"])


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "PassengerId", "Unnamed: 0"])
def test_numbers_that_are_called_an_id_are_left_out(name):
    numbers = (np.arange(N) ** 2).tolist()
    columns = {name: numbers, "paid": numbers, "b": WORDS, "y": WORDS}
    found = plan(table(columns))
    assert found[name].kind == "left out" and found["paid"].kind == "number"
    assert plan(table(columns), keep=[name])[name].kind == "number"


def test_wishes():
    columns = {"a": [1, 2] * N, "b": [*range(2 * N)], "c": WORDS + WORDS, "y": WORDS + WORDS}
    cells = table(columns, text=["a"])
    found = plan(cells, drop=["c"], keep=["b"], category=["a"])
    assert [found[name].kind for name in "abc"] == ["category", "number", "left out"]
    assert found["c"].note == "as you said"
    with pytest.raises(InputError, match="no column besides the target 'y' to use"):
        plan(cells, drop=["a", "b", "c"])


def test_the_column_that_was_left_out_is_named_where_none_is_left():
    cells = table({"x": range(N), "y": WORDS})
    with pytest.raises(InputError) as caught:
        plan(cells)
    assert str(caught.value).endswith(
        "to use. Left out were 'x': the rows' own numbers, one after the other. "
        "--keep x uses one that looks like an id."
    )
    assert plan(cells, keep=["x"])["x"].kind == "number"
    with pytest.raises(InputError, match=r"Left out were 'x': as you said\.$"):
        plan(cells, drop=["x"])
    wide = table({f"c{j}": [1] * N for j in range(7)} | {"y": WORDS})
    with pytest.raises(InputError, match=r"'c4': the same in every row; and 2 more\.$"):
        plan(wide)


def test_columns_are_kept_as_text():
    column = Column("a", Kind.DATE, "comma", "a note")
    assert Column.from_record(column.to_record()) == column
    for record in ({}, {"name": "a", "kind": "magic", "style": "point", "note": ""}):
        with pytest.raises(ModelFileError, match="none that cvxnn wrote"):
            Column.from_record(record)


def test_what_columns_are_encoded_as():
    cells = Cells.read(Source("people.csv", people(separator=";", decimal=",")))
    columns = planned(cells, ["income"], Wishes(drop=["rich"]))
    frame, notes = features(cells, columns)
    fitted = encoder(columns).fit(frame)
    encoded = pd.DataFrame(fitted.transform(frame), columns=fitted.get_feature_names_out())
    assert notes == [] and np.isfinite(encoded.to_numpy()).all()
    balance = cells.numbers("balance", "comma")[0]
    known = np.isfinite(balance)
    assert np.array_equal(encoded["balance"][known], balance[known])
    assert (encoded["balance"][~known] == np.nanmedian(balance)).all()
    assert np.array_equal(encoded["missingindicator_balance"] == 1.0, ~known)
    job = cells.frame["job"]
    for name in ("cook", "judge", "nurse"):
        assert np.array_equal(encoded[f"job_{name}"] == 1.0, job == name)
    assert np.array_equal(encoded["job_nan"] == 1.0, job.isna())
    assert np.array_equal(encoded["city_Oslo"] == 1.0, cells.frame["city"] == "Oslo")
    days = pd.to_datetime(cells.frame["born"], format="%d.%m.%Y")
    assert np.array_equal(encoded["born_year"], days.dt.year)
    assert np.array_equal(encoded["born_day"], days.dt.day)
    assert not any(name.startswith(("planet", "id", "rich")) for name in encoded)
