"""The examples of the gallery are complete; that they run is a matter of the build of the site."""

import ast
import importlib.util
from pathlib import Path

import pytest

import cvxnn

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def in_order():
    """What docs/gallery_order.py names."""
    path = ROOT / "docs" / "gallery_order.py"
    spec = importlib.util.spec_from_file_location("gallery_order", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EXAMPLES


def test_every_example_has_a_place_in_the_gallery():
    assert len(FILES) >= 12
    assert sorted(in_order()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_example_compiles_and_is_short(name):
    source = (ROOT / "examples" / name).read_text(encoding="utf-8")
    tree = ast.parse(source, name)
    compile(tree, name, "exec")
    title, line, *_ = ast.get_docstring(tree).splitlines()
    assert set(line) == {"="} and len(line) == len(title)
    lines = [line for line in source.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 100 and source.count("# %%") >= 2


@pytest.mark.parametrize("name", FILES)
def test_an_example_asks_for_names_that_there_are(name):
    tree = ast.parse((ROOT / "examples" / name).read_text(encoding="utf-8"))
    asked = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "cvxnn"
    ]
    assert set(asked) <= set(cvxnn.__all__)
