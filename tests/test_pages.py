"""The numbers of README and docs are those that benchmarks have measured."""

import draw_figures
import fill_pages
import pytest
import records
from records import Record, Table

NAMES = sorted(Record.names())
ROWS = [["ring", "50", "0.1", "7"], ["ring", "200", "0.4", "-"], ["grid, 3 x 3", "9", "0.2", "5"]]
TABLE = Table("", ["data", "n", "our s", "Clarabel, s"], ROWS)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A record in a folder of its own, and a page that wants it."""

    def store(text, unchanged=True, complete=True):
        monkeypatch.setattr(records, "FOLDER", tmp_path / "records")
        tables = [TABLE]
        Record("growth.py", ["--ring", "50"], "2026-01-02", "0123456789", unchanged, complete,
               1.0, 2, "1", {}, tables).save("growth")  # fmt: skip
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        return page

    return store


@pytest.mark.parametrize("page", fill_pages.PAGES, ids=lambda page: page.name)
def test_a_page_says_what_the_records_say(page):
    assert fill_pages.filled(page) == page.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_of_a_script_that_is_there(name):
    record = Record.load(name)
    assert (records.ROOT / "benchmarks" / record.script).is_file()
    assert record.complete and record.unchanged and len(record.commit) == 40
    for table in record.tables:
        assert {len(row) for row in table.rows} <= {len(table.columns)}


def test_every_figure_is_one_that_is_drawn_from_a_record():
    assert {path.stem for path in draw_figures.FOLDER.iterdir()} <= set(draw_figures.FIGURES)


@pytest.mark.parametrize("name", draw_figures.FIGURES)
def test_a_figure_is_of_its_record(name):
    drawing = draw_figures.FIGURES[name]
    figure = draw_figures.FOLDER / f"{name}.svg"
    assert figure.exists() == drawing.is_there
    if drawing.is_there:
        assert draw_figures.source(Record.load(drawing.record)) in figure.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("depth", [(["target", "share of beta", "ratio"], [["bump", "0.1", "0.8"]])]),
        ("draws", 4 * [([], [])] + [(["draws", "distance"], [["8", "0.3"], ["16", "0.2"]])]),
        ("gap_beta", [(["table", "n x d", "0.1", "0.3"], [["wine", "178 x 14", "2e-2", "0"]])]),
        ("gap_time", [(["problem", "spectral"], [["diabetes", "0.5"]]),
                      (["problem", "s", "gap"], [["diabetes", "2.0", "1e-2"]])]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_figure_is_drawn_from_the_tables(name, tables):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = figure.add_subplot()
    record = Record("a.py", [], "", "", True, True, 1.0, 2, "1", {},
                    [Table("", columns, rows) for columns, rows in tables])  # fmt: skip
    draw_figures.FIGURES[name].draw_on(ax, record)
    assert len(ax.get_lines()) >= 1 and ax.get_legend() is not None


def test_a_table_is_filled(stored):
    page = stored("a\n<!-- table growth 0 | columns: n, our s | rows: ring -->\nold\n<!-- end -->b")
    text = fill_pages.filled(page)
    assert "| n | our s |\n| --- | --- |\n| 50 | 0.1 |\n| 200 | 0.4 |\n" in text
    assert "--ring 50`]" in text and "2026-01-02, commit 01234567*" in text and text[-1] == "b"
    page.write_text(text, encoding="utf-8")
    assert fill_pages.filled(page) == text


def test_a_long_table_shows_its_first_rows(stored):
    page = stored("<!-- table growth 0 | columns: n | rows: ring | first: 1 --><!-- end -->")
    assert "| n |\n| --- |\n| 50 |\n\n*" in fill_pages.filled(page)


def test_names_of_columns_and_cells_may_have_commas(stored):
    page = stored(
        "<!-- table growth 0 | columns: n, Clarabel, s | rows: grid, 3 x 3 --><!-- end -->"
    )
    assert "| n | Clarabel, s |\n| --- | --- |\n| 9 | 5 |\n" in fill_pages.filled(page)


def test_a_table_without_a_record_is_a_sentence(stored):
    page = stored("<!-- table bounds_beta 0 | script: bounds.py --beta -->\nold\n<!-- end -->")
    text = fill_pages.filled(page)
    assert "No figures of this version: [`bounds.py --beta`](" in text and "old" not in text


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("value growth 0 | ring, 200 | our s", "0.4"),
        ("value growth 0 ; grid, 3 x 3 ; our s", "0.2"),
        ("count growth 0", "3"),
        ("count growth 0 | n: 200", "1"),
        ("sum growth 0 | n", "259"),
        ("median growth 0 | our s", "0.2"),
        ("smallest growth 0 | our s | rows: ring", "0.1"),
        ("largest growth 0 | Clarabel, s", "7"),
    ],
)
def test_a_number_is_filled(stored, wanted, number):
    page = stored(f"in <!-- {wanted} -->?<!-- end --> s")
    assert fill_pages.filled(page).endswith(f"-->{number}<!-- end --> s")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("ring | our s", "2 rows begin with 'ring'"),
        ("ring, 300 | our s", "0 rows begin"),
        ("ring, 50 | theirs", "No column, or several, named 'theirs'"),
    ],
)
def test_what_is_not_in_a_record_is_no_number(stored, wanted, message):
    page = stored(f"<!-- value growth 0 | {wanted} -->1<!-- end -->")
    with pytest.raises(ValueError, match=message):
        fill_pages.filled(page)


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ("table growth 0 | columns: m", ValueError, "No column begins 'm'"),
        ("table other 0", ValueError, "no script other.py"),
        ("value bounds 0 | ring | n", FileNotFoundError, "bounds.json"),
    ],
)
def test_what_is_asked_for_must_exist(stored, wanted, error, message):
    page = stored(f"<!-- {wanted} -->1<!-- end -->")
    with pytest.raises(error, match=message):
        fill_pages.filled(page)


@pytest.mark.parametrize("state", [{"unchanged": False}, {"complete": False}])
def test_a_run_of_another_tree_is_not_shown(stored, state):
    page = stored("<!-- value growth 0 | ring, 50 | n -->1<!-- end -->", **state)
    with pytest.raises(ValueError, match="is not fit to be shown"):
        fill_pages.filled(page)
