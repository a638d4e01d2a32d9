"""Running commands: inside the tests, and as processes of their own."""

import json

import numpy as np
import processes
import pytest
from typer.testing import CliRunner

from cvxnn.cli import app

V_SHAPE = "x,y\n-2,2\n-1,1\n0,0\n1,1\n2,2\n3,3\n"


@pytest.fixture(autouse=True)
def no_lines_of_progress(monkeypatch):
    """What is on stderr does not depend on the time that a command takes."""
    monkeypatch.setattr("cvxnn.cli.reporting.BETWEEN_LINES", 1e6)


@pytest.fixture(scope="session")
def run():
    """Run a command; what the CLI does not turn into an exit code is raised."""

    def invoke(*arguments, stdin=None):
        words = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, words, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture(scope="session")
def solve(run, v_shape):
    """Run `cvxnn solve`, on y = |x| unless said otherwise."""

    def invoke(*options, data=v_shape, target="y", beta=0.01):
        return run("solve", data, "--target", target, "--beta", beta, *options)

    return invoke


@pytest.fixture(scope="session")
def record(solve):
    """What `cvxnn solve --json` prints."""
    return lambda *options, **data: json.loads(solve(*options, "--json", **data).stdout)


@pytest.fixture(scope="session")
def refused(run):
    """Run a command with a mistake of the user in it; the one sentence beside its notes."""

    def invoke(*arguments):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        (sentence,) = [line for line in result.stderr.splitlines() if line[:6] != "note: "]
        assert sentence.startswith("error: ")
        return sentence

    return invoke


@pytest.fixture(scope="session")
def start():
    """Start Python as a process that imports the package under test."""
    return processes.start


@pytest.fixture(scope="session")
def v_shape(tmp_path_factory):
    """Data of y = |x|, which two neurons fit."""
    path = tmp_path_factory.mktemp("v") / "v.csv"
    path.write_text(V_SHAPE)
    return path


@pytest.fixture(scope="session")
def model(solve, v_shape):
    """A model of y = |x|."""
    path = v_shape.with_suffix(".npz")
    assert solve("--out", path, "--quiet").exit_code == 0
    return path


def write_table(path, columns, rows):
    """A CSV file with all digits."""
    lines = [columns, *(",".join(map(repr, row)) for row in np.asarray(rows).tolist())]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def table():
    return write_table
