"""The floor plan: rooms import only from rooms before them."""

import ast
from pathlib import Path

import pytest

import cvxnn

PACKAGE = Path(cvxnn.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [
    "errors",
    "array_types",
    "convergence",
    "blas",
    "clocks",
    "interrupts",
    "files",
    "kernels",
    "validation",
    "compensated",
    "layers",
    "losses",
    "evaluation",
    "patterns",
    "networks",
    "exchange",
    "problems",
    "results",
    "progress",
    "oracle",
    "program",
    "certificates",
    "baselines",
    "solvers",
    "training",
    "architectures",
    "landscape",
    "estimators",
    "datasets",
    "plotting",
    "study",
    "cli",
]
# The face of the package and `python -m` are above all rooms.
FACE = {"__init__", "__main__"}


def room_of(source: Path) -> str:
    return source.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(source: Path) -> set[str]:
    """Every module of cvxnn that a file names in an import, wherever in the file it does."""
    modules = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            modules.add(node.module)
            if node.module == "cvxnn":
                modules.update(f"cvxnn.{alias.name}" for alias in node.names)
    return {module for module in modules if module.split(".")[0] == "cvxnn"}


def imported_rooms(source: Path) -> set[str]:
    names = {module.split(".")[1] for module in imported_modules(source) if "." in module}
    return names - {"__version__"}


def ids(source: Path) -> str:
    return source.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_rooms_import_only_earlier_rooms(source):
    room = room_of(source)
    if room in FACE:
        return
    assert room in ROOMS, f"{room} has no place in the floor plan"
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    assert imported_rooms(source) <= allowed


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_files_are_short(source):
    assert len(source.read_text(encoding="utf-8").splitlines()) < 500


def test_the_check_finds_an_import_upwards(tmp_path):
    source = tmp_path / "losses.py"
    source.write_text("def f():\n    from cvxnn.training import solve\n    import cvxnn.cli.fit\n")
    assert imported_rooms(source) == {"training", "cli"}


def test_public_names_are_all_there():
    for name in cvxnn.__all__:
        assert getattr(cvxnn, name).__name__ == name
        assert name in dir(cvxnn)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        cvxnn.sovle  # noqa: B018
