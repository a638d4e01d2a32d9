"""Reading CSV files: numbers to the last bit, and problems with their place."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cvxnn.cli import tables
from cvxnn.cli.tables import open_table
from cvxnn.errors import InputError

REMEDY = "A workbook has to be saved as CSV, and UTF-16 needs its byte order mark."


def read(path, columns=None, **options):
    table = open_table(path)
    return table.read(table.columns if columns is None else columns, **options)


def read_text(tmp_path, text, columns=None, **options):
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, columns, **options)


def message(tmp_path, text, columns=None):
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, text, columns)
    return str(caught.value).removeprefix(str(tmp_path / "data.csv"))


@given(
    values=arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_floats_come_back_to_the_last_bit(tmp_path_factory, values, line_end, quoting):
    path = tmp_path_factory.mktemp("tables") / "data.csv"
    names = [f"c, {j}" for j in range(values.shape[1])]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=line_end, quoting=quoting)
        writer.writerow(names)
        writer.writerows([[repr(cell) for cell in row] for row in values.tolist()])
    assert np.array_equal(read(path), values)
    assert np.array_equal(read(path, names[::-1]), values[:, ::-1])


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 8])
def test_chunks_do_not_show(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(tables, "_CHUNK_ROWS", chunk)
    text = "a,b\n" + "".join(f"{i},{-i}\n" for i in range(7))
    assert np.array_equal(read_text(tmp_path, text), np.column_stack([np.arange(7), -np.arange(7)]))
    bad = text.replace("5,-5", "5,five")
    assert message(tmp_path, bad) == ", line 7, column 'b': 'five' is not a number."


def test_what_spreadsheets_write_is_read(tmp_path):
    text = b'\xef\xbb\xbf"a", b\r\n 1 ,"2.5"\r\n-3e2,+4\r\n\r\n'
    table = open_table(_written(tmp_path, text))
    assert table.columns == ("a", "b")
    assert table.read(["b", "a"]).tolist() == [[2.5, 1.0], [4.0, -300.0]]


@pytest.mark.parametrize("blank", ["\n", "\r\n", "   \n", "\t\n", "\n \n\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_blank_lines_are_no_rows(tmp_path, blank, line_end):
    lines = ["a,b", "1,2", "3,4", "5,6"]
    expected = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    for k in range(5):
        text = "".join(
            (blank if j == k else "") + (line + line_end if line else "")
            for j, line in enumerate([*lines, ""])
        )
        assert read_text(tmp_path, text).tolist() == expected
    column = f"a{line_end}1{line_end}{blank}2{line_end}"
    assert read_text(tmp_path, column).tolist() == [[1.0], [2.0]]


def test_blank_lines_inside_of_quotes_are_text(tmp_path):
    text = 'note,a\n"one\n\n   \n",1\n\n"\n",2\n'
    assert read_text(tmp_path, text, ["a"]).tolist() == [[1.0], [2.0]]


def _written(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    return path


def test_columns_that_are_not_asked_for_may_hold_anything(tmp_path):
    assert read_text(tmp_path, "who,a\nAnn,1\n,2\n", ["a"]).tolist() == [[1.0], [2.0]]


def test_optional_columns_hold_nan_where_there_is_no_number(tmp_path):
    values = read_text(tmp_path, "a,b\n1,\n2,x\n3,inf\n4,5\n", optional=["b"])
    assert np.array_equal(values[:, 1], [np.nan, np.nan, np.nan, 5.0], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", " is empty."),
        ("\n\n", " is empty."),
        ("a,b\n", " has a header but no rows."),
        ("a,b\n\n\n", " has a header but no rows."),
        ("a,b\n1,2\n3\n", ", line 3: 1 cell where the header has 2 cells."),
        ("a,b\n1,2,3\n", ", line 2: 3 cells where the header has 2 cells."),
        ("a,b\n1,2\n,\n3,4\n", ", line 3, column 'a': the cell is empty."),
        ('a\n1\n""\n3\n', ", line 3, column 'a': the cell is empty."),
        ('a,b\n1,2\n""\n3,4\n', ", line 3: 1 cell where the header has 2 cells."),
        ("a,b\n1,2\n\n3,x\n", ", line 4, column 'b': 'x' is not a number."),
        ("a,b\n1,x1\n", ", line 2, column 'b': 'x1' is not a number."),
        ("a,b\n1,1_000\n", ", line 2, column 'b': '1_000' is not a number."),
        ('a,b\n1,"2,5"\n', ", line 2, column 'b': '2,5' is not a number."),
        ("a,b\n,2\n", ", line 2, column 'a': the cell is empty."),
        ("a,b\n1,  \n", ", line 2, column 'b': the cell is empty."),
        ("a,b\n1,nan\n", ", line 2, column 'b': 'nan' is not a finite number."),
        ("a,b\n-inf,2\n", ", line 2, column 'a': '-inf' is not a finite number."),
        ("a,b\n1e999,2\n", ", line 2, column 'a': '1e999' is not a finite number."),
        ("a,b,a\n1,2,3\n", ", line 1: two columns are called 'a'."),
        ("a,,b\n1,2,3\n", ", line 1: column 2 has no name."),
        (bytes(range(256)), f" is not a CSV file in UTF-8. {REMEDY}"),
        (b"\xff\xfea\x00,\x00b\x00\n\x00", " has a header but no rows."),
        (b"\x00\x01\x02,\x00\n", f" is not a CSV file in UTF-8. {REMEDY}"),
        (b"a,b\n1,2\n\xe9,4\n", ", line 3, column 'a': 'é' is not a number."),
        (b"a,b\n1,2\n\x81,4\n", " is not a CSV file in UTF-8: byte 9 is none. Save it in UTF-8."),
        (f"a\n{'x' * 500}\n", f", line 2, column 'a': '{'x' * 40}...' is not a number."),
        # Lines inside quotes count.
        ('a,b\n"1\n",2\n4,x\n', ", line 4, column 'b': 'x' is not a number."),
        ('a,b\n1,"2\n', ", after line 1: not readable as CSV (unexpected end of data)."),
    ],
)
def test_problems_name_their_place(tmp_path, text, expected):
    assert message(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("header", "wanted", "expected"),
    [
        ("price,rooms", "prize", " has no column 'prize'; did you mean 'price'? "
         "Its columns are 'price', 'rooms'."),
        ("price,rooms", "zzz", " has no column 'zzz'. Its columns are 'price', 'rooms'."),
        ("a;b", "c", " has no column 'c'. Its columns are 'a', 'b'."),
        (",".join(f"c{j}" for j in range(14)), "x", " has no column 'x'. Its columns are "
         + ", ".join(f"'c{j}'" for j in range(12)) + " and 2 more."),
    ],
)  # fmt: skip
def test_missing_columns_suggest_what_was_meant(tmp_path, header, wanted, expected):
    path = tmp_path / "data.csv"
    path.write_text(header + "\n")
    with pytest.raises(InputError) as caught:
        open_table(path).require(wanted)
    assert str(caught.value) == f"{path}{expected}"
