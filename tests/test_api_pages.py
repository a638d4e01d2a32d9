"""Every public name has a page of the site, made from a docstring with an example."""

import inspect
import re
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "docs" / "api"
PUBLIC = ("cvxnn", "cvxnn.baselines", "cvxnn.plotting", "cvxnn.study")
DIRECTIVES = re.compile(r"(?s)```\{eval-rst\}\n(.*?)```")
CONSTANTS = re.compile(r"(?m)^```\{py:data\} (\S+)$")


def listed_on(text):
    """The names whose pages a page of a group has made, with the template of each."""
    for directive in DIRECTIVES.findall(text):
        module = re.search(r"(?m)^\.\. currentmodule:: (\S+)$", directive)[1]
        template = re.search(r":template: autosummary/(\w+)\.rst", directive)
        for name in re.findall(r"(?m)^   (\w+)$", directive):
            yield f"{module}.{name}", template[1] if template else "class"


TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in sorted(PAGES.glob("*.md"))}
LISTED = {name: template for text in TEXTS.values() for name, template in listed_on(text)}
SHOWN = {name: text for text in TEXTS.values() for name in CONSTANTS.findall(text)}


def found(name):
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def test_no_public_name_is_without_a_page():
    names = {f"{name}.{each}" for name in PUBLIC for each in import_module(name).__all__}
    assert len(names) > 90
    assert names - {*LISTED, *SHOWN} == set()


def test_a_name_is_on_one_page_only():
    names = [name for text in TEXTS.values() for name, _ in listed_on(text)]
    assert len(names) == len(set(names))
    index = re.findall(r"(?m)^\| \[.*\]\((\w+)\.md\)", TEXTS["index"])
    assert sorted(index) == sorted(set(TEXTS) - {"index"})


def test_no_docstring_is_without_an_example():
    texts = {name: inspect.getdoc(found(name)) or "" for name in LISTED}
    assert [name for name in LISTED if "Examples\n--------\n" not in texts[name]] == []
    assert [name for name in LISTED if ">>> " not in texts[name]] == []


def test_no_constant_is_without_an_example():
    assert {"cvxnn.plotting.STYLES", "cvxnn.study.SECTIONS"} <= set(SHOWN)
    for name, text in SHOWN.items():
        assert found(name)
        assert re.search(rf">>> .*\b{name.rpartition('.')[2]}\b", text), name


def annotations_of(thing):
    """What a function returns, or the members of what others return, as it is annotated."""
    if inspect.isroutine(thing):
        yield import_module(thing.__module__), str(thing.__annotations__.get("return"))
    elif is_dataclass(thing):
        for each in thing.__mro__:
            for member, annotation in inspect.get_annotations(each).items():
                if not member.startswith("_"):
                    yield import_module(each.__module__), str(annotation)
        for member, value in vars(thing).items():
            getter = value.fget if isinstance(value, property) else value
            if not member.startswith("_") and inspect.isfunction(getter):
                yield from annotations_of(getter)


def test_what_public_functions_return_has_pages():
    pages = {found(name) for name in LISTED}
    missing = set()
    for name in LISTED:
        if LISTED[name] == "settings" or name == "cvxnn.Model":
            continue
        for module, annotation in annotations_of(found(name)):
            for word in re.findall(r"\w+", annotation):
                kind = getattr(module, word, None)
                is_ours = getattr(kind, "__module__", "").startswith("cvxnn.")
                if is_ours and inspect.isclass(kind) and not getattr(kind, "_is_protocol", False):
                    missing |= {kind} - pages
    assert missing == set()
