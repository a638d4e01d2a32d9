"""The floor plan: rooms import only from rooms before them, and no files form a circle."""

import ast
import re
from pathlib import Path

import pytest
from structure import Source, circles, imports

import cvxnn

PACKAGE = Path(cvxnn.__file__).parent
FLOORS = """
    errors array_types settings summaries blas clocks interrupts files archives kernels backends
    validation verification compensated
    layers losses evaluation patterns methods networks results progress problems
    oracle program certificates relaxation baselines solvers models exchange distributed training
    landscape estimators datasets plotting study cli
"""
ROOMS = FLOORS.split()
# The face of the package and `python -m` are above all rooms.
FACE = {"__init__", "__main__"}


def read_all(package):
    return [Source.read(path, package.parent) for path in sorted(package.rglob("*.py"))]


def room_of(source, package):
    return source.path.relative_to(package).parts[0].removesuffix(".py")


def taken_from_the_face(source, package):
    """Names that a file imports from the package itself, which leads anywhere."""
    names = set()
    for node in source.nodes:
        match node:
            case ast.Import(names=aliases):
                names |= {package for alias in aliases if alias.name == package}
            case ast.ImportFrom(module=module, names=aliases) if module == package:
                names |= {alias.name for alias in aliases}
    return names


def faults(package, rooms):
    """What breaks the floor plan: imports upwards, imports of the face, and circles of files."""
    sources = read_all(package)
    modules = {source.module for source in sources}
    found = []
    for source in sources:
        room = room_of(source, package)
        if room in FACE:
            continue
        if room not in rooms:
            found.append(f"{room} has no place in the floor plan")
            continue
        # What is imported for type checkers counts like anything else.
        targets = {name for name, _ in imports(source, modules) if name != package.name}
        above = {name for name in targets if name.split(".")[1] in rooms[rooms.index(room) + 1 :]}
        found += [f"{source.module} imports {name}" for name in sorted(above)]
        face = taken_from_the_face(source, package.name) - {"__version__"}
        face -= {name for name in face if f"{package.name}.{name}" in modules}
        found += [f"{source.module} imports {name} from the face" for name in sorted(face)]
    return found + [f"circle: {', '.join(circle)}" for circle in circles(sources, with_typing=True)]


def test_rooms_import_only_earlier_rooms_and_no_files_form_a_circle():
    assert faults(PACKAGE, ROOMS) == []


FORMS = {
    "import a.b": "import house.{room}.{name}\n",
    "from a import b": "from house.{room} import {name}\n",
    "from a.b import c": "from house.{room}.{name} import thing\n",
    "under another name": "from house.{room} import {name} as other\n",
    "inside a function": "def f():\n    from house.{room} import {name}\n",
    "inside a class": "class C:\n    import house.{room}.{name} as other\n",
    "for type checkers": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import house.{room}.{name}\n"
    ),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def house(folder, **files):
    """A package of two rooms with files such as `cellar_wine` and what is in them."""
    package = folder / "house"
    for name in ("cellar_wine", "cellar_coal", "attic_trunk"):
        path = package / f"{name.replace('_', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.get(name, "thing = 1\n"), encoding="utf-8")
    for path in (package, package / "cellar", package / "attic"):
        (path / "__init__.py").write_text("", encoding="utf-8")
    return package


@each_form
def test_an_import_upwards_is_found(form, tmp_path):
    package = house(tmp_path, cellar_wine=form.format(room="attic", name="trunk"))
    assert faults(package, ["cellar", "attic"]) == ["house.cellar.wine imports house.attic.trunk"]
    assert faults(package, ["attic", "cellar"]) == []


@each_form
def test_a_circle_inside_a_room_is_found(form, tmp_path):
    wine = FORMS["from a.b import c"].format(room="cellar", name="coal")
    package = house(tmp_path, cellar_wine=wine, cellar_coal=form.format(room="cellar", name="wine"))
    assert faults(package, ["cellar", "attic"]) == ["circle: house.cellar.coal, house.cellar.wine"]


@pytest.mark.parametrize("form", ["from house import thing\n", "def f():\n    import house\n"])
def test_an_import_through_the_face_is_found(form, tmp_path):
    (fault,) = faults(house(tmp_path, cellar_wine=form), ["cellar", "attic"])
    assert fault.endswith("from the face")
    version = house(tmp_path, cellar_wine="from house import __version__, cellar\n")
    assert faults(version, ["cellar", "attic"]) == []


def test_a_room_without_a_place_is_found(tmp_path):
    assert "attic has no place in the floor plan" in faults(house(tmp_path), ["cellar"])


def test_files_are_short():
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path for path, text in texts.items() if len(text.splitlines()) >= 500] == []


def test_public_names_are_all_there():
    for name in cvxnn.__all__:
        assert getattr(cvxnn, name).__name__ == name and name in dir(cvxnn)


def test_type_checkers_see_the_public_names():
    face = Source.read(PACKAGE / "__init__.py", PACKAGE.parent)
    froms = [node for node in face.nodes if isinstance(node, ast.ImportFrom)]
    exported = {alias.asname for node in froms for alias in node.names} - {None}
    assert exported == set(cvxnn.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        cvxnn.sovle  # noqa: B018


def test_every_room_is_described():
    text = (PACKAGE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall("`(\\w+)`", table)) >= set(ROOMS)
