"""Cells of tables: numbers in every style, text as it is, lines of the file."""

import numpy as np
import pytest

pytest.importorskip("skops", reason="needs cvxnn[cli]")

import pandas as pd

from cvxnn.cli.cells import Cells
from cvxnn.cli.number_formats import FORMATS
from cvxnn.cli.sources import Source
from cvxnn.errors import InputError


def read(content, **options):
    return Cells.read(Source("x.csv", content), **options)


def equal(found, expected):
    return np.array_equal(found, np.array(expected, dtype=float), equal_nan=True)


@pytest.mark.parametrize("blank", ["\n", "   \n", "\r\n"])
def test_rows_know_their_lines(blank):
    cells = read(f"a,b\n1,x\n{blank}2,\n{blank}{blank}3,z\n")
    assert cells.lines.tolist() == [2, 4, 7]
    assert cells.frame["a"].tolist() == [1, 2, 3]
    assert cells.frame["b"].isna().tolist() == [False, True, False]
    some = cells.rows(np.array([False, True, True]))
    assert some.lines.tolist() == [4, 7] and some.frame["b"].tolist()[1] == "z"


def test_tabs_alone_are_a_row_of_empty_cells_between_tabs():
    cells = read("a\tb\n1\t2\n\t\n3\t4\n")
    assert cells.lines.tolist() == [2, 3, 4] and cells.frame["a"].isna().tolist()[1]


def test_text_is_as_it_is_in_the_file():
    cells = read("flag,code,word\nTRUE,007, a b \nTrue,8,?\n,9,NA\n", text=["code"])
    assert cells.frame["flag"].tolist()[:2] == ["TRUE", "True"]
    assert cells.frame["code"].tolist() == ["007", "8", "9"]
    assert cells.frame["word"].tolist()[0] == "a b"
    assert cells.frame["word"].isna().tolist() == [False, True, True]


def test_the_index_that_pandas_writes_gets_its_name():
    assert list(read(",a\n0,5\n").frame) == ["Unnamed: 0", "a"]


@pytest.mark.parametrize(
    ("style", "cell", "value"),
    [
        ("point", "1.5", 1.5), ("point", " -2e3 ", -2000.0), ("point", ".5", 0.5),
        ("point", "1,5", np.nan), ("point", "1_000", np.nan), ("point", "inf", np.nan),
        ("comma", "1,5", 1.5), ("comma", "-,5", -0.5), ("comma", "1.234.567,8", 1234567.8),
        ("comma", "1.5", np.nan), ("comma", "12", 12.0), ("comma", "1.234", 1234.0),
        ("comma", "0.123", np.nan), ("grouped", "0,123", np.nan), ("comma", "-0,123", -0.123),
        ("point", "37%", 37.0), ("comma", " 3,5 % ", 3.5), ("point", "$224.50", 224.5),
        ("comma", "12 €", 12.0), ("grouped", "-$1,224.50", -1224.5), ("point", "$-3", -3.0),
        ("comma", "€\u00a01.500", 1500.0), ("point", "£", np.nan), ("point", "5% off", np.nan),
        ("point", "12$50", np.nan), ("point", "%5", np.nan),
        ("grouped", "1,234.5", 1234.5), ("grouped", "1234.5", 1234.5), ("grouped", "1,5", np.nan),
        ("grouped", "one", np.nan),
        # Beside an exponent there are no thousands.
        ("comma", "1.234E+05", np.nan), ("grouped", "1,234e5", np.nan), ("comma", "1,2e3", 1200.0),
        ("point", "1.234E+05", 123400.0), ("point", "1 234e2", np.nan),
    ],
)  # fmt: skip
def test_styles_of_numbers(style, cell, value):
    cells = read(f'a;b\n"{cell}";x\n"";x\n', text=["a"])
    assert equal(FORMATS[style].parsed(cells.frame["a"]), [value, np.nan])


@pytest.mark.parametrize("style", ["point", "comma", "grouped"])
@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "'", "\u2019"])
def test_spaces_and_apostrophes_between_thousands(style, space):
    point = FORMATS[style].decimal
    parts = ["1", "234", "567"]
    texts = [
        space.join(parts), f"-12{space}345{point}5", f"$1{space}234", f"1{space}234 €",
        f"1{space}23", f"0{space}234", f"1234{space}567", f"1{space}234,567.8",
        f"1{space}{space}234",
    ]  # fmt: skip
    found = FORMATS[style].parsed(pd.Series(texts))
    assert equal(found, [1234567, -12345.5, 1234, 1234, *[np.nan] * 5])
    assert equal(FORMATS[style].parsed(pd.Series(["1 234'567"])), [np.nan])


def test_spaces_tell_no_decimal_sign():
    cells = read("a;b\n1 234;1 234,5\n992;1\n")
    assert cells.style("a") == ("comma", 1.0) and cells.remarks("a", "comma") == []
    assert equal(cells.numbers("b", cells.style("b")[0])[0], [1234.5, 1])


def test_exponents_tell_a_decimal_point():
    cells = read("a;b\n1.234E+05;1\n2.5E+05;2\n")
    assert cells.style("a")[0] == "point"
    assert equal(cells.numbers("a", "point")[0], [123400, 250000])
    cells = read("a;b\n1.234E+05;1.015\n2.5E+05;992\n")
    assert equal(cells.numbers("b", cells.style("b")[0])[0], [1.015, 992])


def test_numbers_are_read_to_the_last_digits():
    values = np.random.default_rng(0).standard_normal(50) * 1e9
    text = "a\n" + "".join(f"{value!r}\n" for value in values.tolist())
    # Some versions of pandas miss the last bit.
    assert read(text).numbers("a", "point")[0] == pytest.approx(values, rel=4e-16)


def test_a_cell_that_is_no_number_is_missing_and_told():
    cells = read("a,b\n1,5\ninf,x\n,7\n")
    values, note = cells.numbers("a", "point")
    assert equal(values, [1, np.nan, np.nan])
    assert note == "1 cell without a number, as 'inf' in line 3"
    values, note = cells.numbers("b", "point")
    assert equal(values, [5, np.nan, 7])
    assert note == "1 cell without a number, as 'x' in line 3"


@pytest.mark.parametrize("cell", ["1e101", "-1e300", "1e-200"])
def test_numbers_beyond_the_range_of_data_are_refused(cell):
    with pytest.raises(InputError, match=r"x\.csv, line 3, column 'a': .* is not 0, nor between"):
        read(f"a,b\n1,2\n{cell},3\n").numbers("a", "point")


def test_rows_of_another_length_are_refused():
    with pytest.raises(InputError, match=r"x\.csv, line 3: 1 cell where the header has 2 cells\."):
        read("a,b\n1,2\n3\n4,5\n")


def test_dates_are_times_of_utc():
    cells = read("a;b\n01.02.2020;x\n;x\nsome day;x\n")
    dates, note = cells.dates("a", "%d.%m.%Y")
    assert dates.isna().tolist() == [False, True, True] and str(dates[0]) == "2020-02-01 00:00:00"
    assert note == "1 cell without a date, as 'some day' in line 4"
    dates, _ = read("a;b\n2020-02-01T01:00:00+02:00;x\n").dates("a", "%Y-%m-%dT%H:%M:%S%z")
    assert str(dates[0]) == "2020-01-31 23:00:00"


GERMAN = "umsatz;anteil\n992;0,5\n1.015;1,5\n"


@pytest.mark.parametrize(
    ("text", "style", "values", "remarks"),
    [
        # The other column has decimal commas.
        (GERMAN, "comma", [992, 1015], ["decimal commas"]),
        (GERMAN.replace(";", "|"), "comma", [992, 1015], ["decimal commas"]),
        ('umsatz,anteil\n992,"0,5"\n1.015,"1,5"\n', "comma", [992, 1015], ["decimal commas"]),
        # It has decimal points: as text, as numbers, between commas.
        ("umsatz;anteil\n992;0.5\n1.015;1.5\n", "point", [992, 1.015], []),
        ("umsatz;anteil\n992;0.5\n1.015;x\n", "point", [992, 1.015], []),
        ("umsatz;anteil\n992;12.50\n1.015;1\n", "point", [992, 1.015], []),
        ("umsatz,anteil\n992,1\n1.015,2\n", "point", [992, 1.015], []),
        (
            "umsatz;anteil\n992;0.5\n1,015;1.5\n", "grouped", [992, 1015],
            ["commas between thousands"],
        ),
        # Numbers that no thousands are, in the column itself.
        ("umsatz;anteil\n0.992;1\n1.015;2\n", "point", [0.992, 1.015], []),
        ("umsatz;anteil\n1.234.992;1\n1.015;2\n", "comma", [1234992, 1015], ["decimal commas"]),
        ("umsatz;anteil\n992;1\n1015;2\n", "point", [992, 1015], []),
        # Nothing tells.
        (
            "umsatz;anteil\n992;1\n1.015;2\n", "comma", [992, 1015],
            ["decimal commas", "a guess: '1.015' is 1015"],
        ),
        (
            "umsatz\tanteil\n992\t1\n1.015\t2\n", "point", [992, 1.015],
            ["a guess: '1.015' is 1.015"],
        ),
        (
            "umsatz;anteil\n992;1\n1,015;2\n", "comma", [992, 1.015],
            ["decimal commas", "a guess: '1,015' is 1.015"],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_text", [False, True])
def test_one_table_has_one_style(text, style, values, remarks, as_text):
    cells = read(text, text=["umsatz"] if as_text else [])
    found, share = cells.style("umsatz")
    assert equal(cells.numbers("umsatz", found)[0], values) and share == 1.0
    assert found == style and cells.remarks("umsatz", found) == remarks


def test_a_known_style_decides_where_the_table_does_not():
    text = "umsatz;anteil\n992;1\n1.015;2\n"
    assert read(text).style("umsatz", "point") == ("point", 1.0)
    assert read(text.replace("1;", "0,5;")).style("umsatz", "comma") == ("comma", 1.0)
    assert read(GERMAN).style("umsatz", "point") == ("comma", 1.0)
    # Whole numbers of a table with decimal commas may have thousands in the next one.
    assert read("umsatz;anteil\n992;0,5\n15;1,5\n").style("umsatz") == ("comma", 1.0)


def test_another_style_than_in_the_training_is_told_where_it_makes_other_numbers():
    cells = read("a;b\n2.500;3.5\n")
    assert cells.restyled("a", "comma") == (
        "'a' is read with decimal points, and was with decimal commas in the training: "
        "'2.500' is 2.5, not 2500."
    )
    assert cells.restyled("a", "point") == "" and cells.restyled("b", "comma") == ""
    # There is but one way to read these, whatever the other table had.
    assert read("a;b\n2,50;3,5\n").restyled("a", "point") == ""
    assert read("a;b\n2500;3,5\n").restyled("a", "point") == ""


def test_signs_are_told():
    cells = read("price;share;mixed;all\n$5;37%;5 €;$1\n6;0.37;$6;\nsome $;4%;1;$2\n")
    # Of the cells that are numbers.
    assert cells.remarks("price", "point") == ["without $ in 1 of 2 cells"]
    assert cells.remarks("share", "point") == ["without % in 2 of 3 cells"]
    assert cells.remarks("mixed", "point") == ["without $ and € in 2 of 3 cells"]
    assert cells.remarks("all", "point") == ["without $"]
    assert equal(cells.numbers("price", "point")[0], [5, 6, np.nan])
