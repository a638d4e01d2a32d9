"""The worked examples of CONTRIBUTING work."""

import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text("utf-8")
SECTION = re.compile(r"^## (Adding [^\n]*)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)


def test_the_worked_examples_run(monkeypatch):
    module = ModuleType("worked_examples")
    # Where dataclasses look the annotations of their fields up.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    sections = SECTION.findall(PAGE)
    pieces = ("a loss", "a kind of network", "an oracle", "a method")
    assert [title for title, _ in sections] == [f"Adding {piece}" for piece in pieces]
    for title, text in sections:
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert any("assert " in block for block in blocks), title
        for block in blocks:
            exec(compile(block, title, "exec"), vars(module))


def test_files_that_the_page_names_are_there():
    root = Path(__file__).resolve().parents[1]
    for name in re.findall(r"`([\w/]+/[\w/]+\.py)`", PAGE):
        assert any((root / folder / name).exists() for folder in (".", "src", "src/cvxnn")), name
