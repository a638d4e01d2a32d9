"""The examples of the pages in docs/ say what the library does."""

import doctest
import re
from importlib.util import find_spec
from pathlib import Path

import capabilities
import pytest

from cvxnn.models.registry import MODELS

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.md"))
GLOSSARY = next(page for page in PAGES if page.name == "glossary.md")
# Pages without examples in Python; the commands of the last two are tried in tests/cli.
# What devices do needs packages that are tested in tests/contracts/test_tensors.py.
PROSE = {
    "contents.md", "glossary.md", "numbers.md", "devices.md", "command_line.md", "study.md",
}  # fmt: skip
# Pages of one kind of network, loss or data: what they show is in the tests of these as well.
OF_ONE_KIND = {
    "additive.md", "clusters.md", "constraints.md", "counts.md", "deep.md", "outputs.md",
    "quantised.md",
}  # fmt: skip
# What the examples of a page take.
PACKAGES = {"clusters.md": ("dask.array", "distributed")}


def test_there_are_pages():
    names = {page.name for page in PAGES}
    assert names >= {
        "command_line.md",
        "contents.md",
        "estimators.md",
        "glossary.md",
        "models.md",
        "numbers.md",
        "optimal_set.md",
        "study.md",
    }


def pages_with_examples():
    for page in PAGES:
        if page.name not in PROSE:
            marks = pytest.mark.long if page.name in OF_ONE_KIND else ()
            yield pytest.param(page, id=page.name, marks=marks)


@pytest.mark.parametrize("page", [*pages_with_examples()])
def test_the_examples_of_a_page(page):
    for package in PACKAGES.get(page.name, ()):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.name, str(page), 0)
    report = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
    assert result.attempted >= 10
    assert result.failed == 0, "".join(report)


def test_the_figures_of_a_page_are_there():
    for page in PAGES:
        for name in re.findall(r"\]\((figures/[^)]*)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / name).stat().st_size > 1000


def test_the_table_of_capabilities_is_what_the_code_declares():
    found = capabilities.PLACE.search(capabilities.PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found.group() == found.group(1) + capabilities.table() + found.group(2)


def test_every_kind_is_in_the_table_and_its_string_means_it():
    shown = {type(model).__module__.rpartition(".")[2] for model in capabilities.shown().values()}
    assert shown == set(MODELS)


def test_every_module_of_the_glossary_exists():
    lines = GLOSSARY.read_text(encoding="utf-8").split("|---|---|---|\n")[1].splitlines()
    entries = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    words = [word.strip() for word, _, _ in entries]
    assert words == sorted(set(words)) and len(words) >= 50
    for _, meaning, module in entries:
        assert len(meaning) <= 160
        assert find_spec(module.strip().strip("`")) is not None, module
