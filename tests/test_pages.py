"""The numbers of README and docs are those that benchmarks have measured."""

import fill_pages
import pytest
import records
from records import Record, Table

NAMES = sorted(path.stem for path in records.FOLDER.glob("*.json"))
TABLE = Table("", ["data", "n", "our s"], [["ring", "50", "0.1"], ["ring", "200", "0.4"]])


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


def test_a_table_is_filled(stored):
    page = stored("a\n<!-- table growth 0 | columns: n, our s | rows: ring -->\nold\n<!-- end -->b")
    text = fill_pages.filled(page)
    assert "| n | our s |\n| --- | --- |\n| 50 | 0.1 |\n| 200 | 0.4 |\n" in text
    assert "--ring 50`]" in text and "2026-01-02, commit 01234567*" in text and text[-1] == "b"
    page.write_text(text, encoding="utf-8")
    assert fill_pages.filled(page) == text


def test_a_number_is_filled(stored):
    page = stored("in <!-- value growth 0 | ring, 200 | our s -->?<!-- end --> s")
    assert fill_pages.filled(page).endswith("-->0.4<!-- end --> s")


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


@pytest.mark.parametrize("state", [{"unchanged": False}, {"complete": False}])
def test_a_run_of_another_tree_is_not_shown(stored, state):
    page = stored("<!-- value growth 0 | ring, 50 | n -->1<!-- end -->", **state)
    with pytest.raises(ValueError, match="is not fit to be shown"):
        fill_pages.filled(page)
