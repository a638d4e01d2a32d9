"""The examples of docs/optimal_set.md say what the library does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "optimal_set.md"


def test_the_examples_of_the_page():
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
    assert result.attempted >= 30
    assert result.failed == 0, "".join(report)


def test_the_figures_of_the_page_are_there():
    for name in re.findall(r"\]\((figures/[^)]*)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / name).stat().st_size > 1000
