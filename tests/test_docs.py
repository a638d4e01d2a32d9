"""The examples of the pages in docs/ say what the library does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_there_are_pages():
    assert {page.name for page in PAGES} >= {"architectures.md", "estimators.md", "optimal_set.md"}


@each_page
def test_the_examples_of_a_page(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.name, str(page), 0)
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
    assert result.attempted >= 10
    assert result.failed == 0, "".join(report)


@each_page
def test_the_figures_of_a_page_are_there(page):
    for name in re.findall(r"\]\((figures/[^)]*)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / name).stat().st_size > 1000
