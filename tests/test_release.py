"""What is said in several files about versions and packages is the same in all."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import cvxnn

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[([\w,-]+)\])?(.*)")
# What pip and people write; the name of a package has no such difference.
NORMAL = re.compile(r"[-_.]+")


def text(name):
    return (ROOT / name).read_text("utf-8")


def package(requirement):
    return NORMAL.sub("-", REQUIREMENT.match(requirement)[1]).lower()


def lower_bounds(requirements):
    return {package(line): REQUIREMENT.match(line)[3] for line in requirements}


def workflow(name):
    return yaml.safe_load(text(f".github/workflows/{name}.yml"))


def test_the_version_is_one():
    assert re.search(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)[1] == cvxnn.__version__
    assert yaml.safe_load(text("CITATION.cff"))["version"] == cvxnn.__version__
    recipe = yaml.safe_load(text("recipe/recipe.yaml"))
    assert recipe["context"]["version"] == cvxnn.__version__


def test_requirements_are_ranges_from_a_lowest_version_on():
    """So that they can be installed beside those of others, and the lowest ones be tested."""
    for line in PROJECT["dependencies"] + [line for lines in EXTRAS.values() for line in lines]:
        if package(line) != PROJECT["name"]:
            assert re.fullmatch(r">=\d+(\.\d+)*", REQUIREMENT.match(line)[3]), line


def test_the_recipe_asks_for_what_the_wheel_asks_for():
    recipe = yaml.safe_load(text("recipe/recipe.yaml"))
    asked = dict(line.split(maxsplit=1) for line in recipe["requirements"]["run"])
    assert asked.pop("python") == ">=${{ python_min }}"
    assert ">=" + recipe["context"]["python_min"] == PROJECT["requires-python"]
    assert asked == lower_bounds(PROJECT["dependencies"])
    (script,) = recipe["build"]["python"]["entry_points"]
    assert dict([script.split(" = ")]) == PROJECT["scripts"]


def test_every_package_has_a_version_for_the_checks():
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text(".ci/constraints.txt"), re.MULTILINE))
    asked = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    assert {package(line) for line in asked} - {PROJECT["name"]} <= pinned


def test_extras_that_are_named_are_there():
    named = [("pyproject.toml", text("pyproject.toml"))]
    named += [(page.name, page.read_text("utf-8")) for page in PAGES]
    named += [(path.name, path.read_text("utf-8")) for path in sorted((ROOT / "src").rglob("*.py"))]
    named += [(path.name, path.read_text("utf-8")) for path in sorted((ROOT / ".ci").iterdir())]
    found = set()
    for name, content in named:
        for extras in re.findall(r"(?:cvxnn|'\.|`\.)\[([a-z,-]+)\]", content):
            assert set(extras.split(",")) <= set(EXTRAS), name
            found |= set(extras.split(","))
    assert found >= {"cli", "dev", "study", "test", "torch"}


def test_commands_of_the_readme_are_what_the_checks_run():
    commands = re.findall(r"```bash\n(.*?)```", text("README.md"), flags=re.DOTALL)
    (tests,) = [line for block in commands for line in block.splitlines() if "-m pytest" in line]
    assert "pip install" in tests and "'.[test]'" in tests
    assert "grep -m 1 -e '-m pytest' README.md" in text(".ci/test")
    assert re.findall(r"^\./(\w+)$", text(".ci/run"), re.MULTILINE) == ["lint", "test"]


def test_the_workflows_take_the_pythons_that_are_promised():
    versions = re.compile(r"Programming Language :: Python :: (\d\.\d+)")
    promised = [found[1] for line in PROJECT["classifiers"] if (found := versions.fullmatch(line))]
    jobs = workflow("tests")["jobs"]
    matrix = jobs["versions"]["strategy"]["matrix"]
    assert matrix["python"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert {run["packages"] for run in matrix["include"]} == {"lowest-direct"}
    assert {run["python"] for run in matrix["include"]} == {promised[0], promised[-1]}


@pytest.mark.parametrize("name", ["tests", "docs", "release"])
def test_the_workflows_call_steps_that_are_there(name):
    steps = [step for job in workflow(name)["jobs"].values() for step in job["steps"]]
    called = [step["run"].split()[0] for step in steps if step.get("run", "").startswith(".ci/")]
    assert called
    for step in called:
        assert (ROOT / step).stat().st_mode & 0o100, step
