"""The examples of the pages in docs/ say what the library does."""

import doctest
import re
from importlib.util import find_spec
from pathlib import Path

import capabilities
import pytest

from cvxnn.models.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# What the build writes is not read.
PAGES = {
    str(page.relative_to(DOCS)): page.read_text(encoding="utf-8")
    for page in sorted(DOCS.rglob("*.md"))
    if page.relative_to(DOCS).parts[0] not in ("_build", "gallery")
}
FRONTS = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
}
# Pages without examples in Python; the commands of the last are tried in tests/cli.
# What devices do needs packages that are tested in tests/contracts/test_tensors.py.
PROSE = {f"guide/{name}.md" for name in ("index", "numbers", "devices", "command_line")}
# What the examples of other pages show is in the tests of its kind as well.
ALWAYS = {"index.md", "start/quick_start.md"}
# What the examples of a page take.
PACKAGES = {
    "guide/clusters.md": ("dask.array", "distributed"),
    "guide/study.md": ("torch",),
    "notebooks/certify_yours.md": ("torch",),
}


def cells(text):
    """The code of a page that the build runs as a notebook, without options."""
    return re.findall(r"```\{code-cell\} ipython3\n(?::.*\n)*(.*?)```", text, flags=re.DOTALL)


NOTEBOOKS = [name for name in PAGES if cells(PAGES[name])]


def test_pages_of_the_guide_have_examples():
    guide = {name for name in PAGES if name.startswith("guide/")}
    assert len(guide) >= 16
    for name in guide - PROSE - set(NOTEBOOKS):
        assert PAGES[name].count(">>> ") >= 10, name


def pages_with_examples():
    for name, text in PAGES.items():
        if ">>> " in text:
            yield pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long)


@pytest.mark.long
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_cells_of_a_notebook(name):
    for package in PACKAGES.get(name, ()):
        pytest.importorskip(package)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    namespace = {}
    with pyplot.rc_context():
        for cell in cells(PAGES[name]):
            exec(compile(cell, name, "exec"), namespace)
            pyplot.close("all")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_can_be_taken_home(name):
    assert f"{{nb-download}}`{Path(name).stem}.ipynb`" in PAGES[name]


@pytest.mark.parametrize("name", [*pages_with_examples()])
def test_the_examples_of_a_page(name):
    for package in PACKAGES.get(name, ()):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", PAGES[name], flags=re.DOTALL)
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, name, name, 0)
    report = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(report)


def test_the_links_of_pages_lead_somewhere():
    texts = {DOCS / name: text for name, text in PAGES.items()}
    for page, text in (texts | {ROOT / name: text for name, text in FRONTS.items()}).items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:\s`]+)(?:#[^)]*)?\)", prose):
            # The gallery is made by the build, of the examples.
            made = re.search(r"gallery/(?:images/sphx_glr_)?(plot_[a-z_]+?)(?:_\d{3})?\.", target)
            path = ROOT / "examples" / f"{made.group(1)}.py" if made else page.parent / target
            assert path.exists() or target.endswith("gallery/index.rst"), (page, target)


def anchors(text):
    """What a link within a page may name: its headings and its labels."""
    headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"(?m)^\(([\w-]+)\)=$", text))


def test_the_links_of_pages_lead_to_a_heading():
    n_links = 0
    for name, text in PAGES.items():
        for target, anchor in re.findall(r"\]\(([^)#:\s`]*)#([^)]+)\)", text):
            path = (DOCS / name).parent / target if target else DOCS / name
            if "gallery/" not in target:
                n_links += 1
                assert anchor in anchors(path.read_text(encoding="utf-8")), (name, target, anchor)
    assert n_links >= 20


def test_the_table_of_capabilities_is_what_the_code_declares():
    found = capabilities.PLACE.search(capabilities.PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found.group() == found.group(1) + capabilities.table() + found.group(2)


def test_every_kind_is_in_the_table_and_its_string_means_it():
    shown = {type(model).__module__.rpartition(".")[2] for model in capabilities.shown().values()}
    assert shown == set(MODELS)


def test_every_module_of_the_glossary_exists():
    entries = re.findall(r"(?m)^(\S.*)\n: (.*) \(`([\w.]+)`\)$", PAGES["glossary.md"])
    words = [word for word, _, _ in entries]
    assert PAGES["glossary.md"].count("\n: ") == len(entries) >= 50
    assert words == sorted(set(words))
    for _, meaning, module in entries:
        assert len(meaning) <= 160
        assert find_spec(module) is not None, module


def test_every_paper_of_the_bibliography_is_cited():
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    text += "\n".join(PAGES[name] for name in PAGES if name.startswith("guide/"))
    entries = re.findall(r"(?m)^- ((?:[^\n]|\n  )+)", PAGES["bibliography.md"])
    assert len(entries) >= 30
    for entry in entries:
        first_author = re.match(r"(?:[A-Z]\.[ -]?)+ ?([^\s,]+?)(?:,|\.| and )", entry)
        assert first_author is not None and first_author[1] in text, entry
        assert "*" in entry, entry


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_figure_of_a_notebook_says_what_it_shows(name):
    for cell in re.findall(r"```\{code-cell\} ipython3\n(.*?)```", PAGES[name], flags=re.DOTALL):
        assert ("subplots(" in cell) == cell.startswith(':mystnb: {"image": {"alt": "'), cell
