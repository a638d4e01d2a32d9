"""Errors on the command line: a sentence for a mistake, a traceback for a bug."""

import errno

import pytest
import typer

from cvxnn.cli.reporting import ExitCode, exit_code, reported_errors
from cvxnn.errors import InputError, ModelFileError, TooManyPatternsError
from cvxnn.results import Status


def test_exit_codes_of_all_statuses():
    assert {status: exit_code(status) for status in Status} == {
        Status.OPTIMAL: 0,
        Status.OPTIMAL_FOR_PATTERNS: 0,
        Status.STATIONARY: 1,
        Status.ITERATION_LIMIT: 1,
        Status.TIME_LIMIT: 1,
        Status.INTERRUPTED: 130,
        Status.NUMERICAL_ERROR: 1,
    }


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("beta is bad."), ExitCode.USER_ERROR, "error: beta is bad.\n"),
        (ModelFileError("No model."), ExitCode.USER_ERROR, "error: No model.\n"),
        (
            TooManyPatternsError("Too many."),
            ExitCode.USER_ERROR,
            "error: Too many. On the command line that is --method sampled.\n",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
            ExitCode.USER_ERROR,
            "error: No such file or directory: 'a.csv'.\n",
        ),
        (OSError(errno.EIO, "I/O error"), ExitCode.USER_ERROR, "error: I/O error.\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "error: Interrupted; nothing was written.\n"),
    ],
)
def test_mistakes_become_a_sentence_and_a_code(error, code, sentence, capsys):
    with pytest.raises(typer.Exit) as caught, reported_errors():
        raise error
    assert caught.value.exit_code == code
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", sentence)


@pytest.mark.parametrize(
    "bug", [ValueError("shapes"), ZeroDivisionError(), KeyError("x"), OSError("no errno")]
)
def test_bugs_pass_through(bug, capsys):
    with pytest.raises(type(bug)) as caught, reported_errors():
        raise bug
    assert caught.value is bug and capsys.readouterr().err == ""


@pytest.mark.long
def test_a_bug_in_a_command_shows_a_traceback(start, v_shape):
    program = (
        "import sys, cvxnn.cli\n"
        "def train(*arguments, **options): return 1 / 0\n"
        "sys.modules['cvxnn.cli.solve_command'].train = train\n"
        "from cvxnn.cli import main; main()\n"
    )
    process = start("-c", program, "solve", v_shape, "--target", "y", "--beta", 1)
    stdout, stderr = process.communicate()
    assert process.returncode == 1 and stdout == ""
    assert stderr.startswith("Traceback (most recent call last):")
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.csv", None, "No such file or directory: "),
        (".", None, "Is a directory: "),
        ("text.csv", b"x,y\n1,a\n", "line 2, column 'y': 'a' is not a number; 'cvxnn fit' takes"),
        ("target.csv", b"x,yy\n1,2\n", "has no column 'y'; did you mean 'yy'?"),
        ("lonely.csv", b"y\n1\n", "has no column besides the target 'y'."),
        ("huge.csv", b"x,y\n1e300,2\n", "X must have no entry beyond 1e+100"),
    ],
)
def test_bad_data_end_solve_with_one_sentence(refused, tmp_path, name, content, sentence, as_json):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    options = ["--json"] if as_json else []
    assert sentence in refused("solve", path, "--target", "y", "--beta", 1, *options)


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve"], ["solve", "a.csv", "--target", "y"],
        ["solve", "a.csv", "--target", "y", "--beta", "much"],
        ["solve", "a.csv", "--target", "y", "--beta", "1", "--method", "magic"],
        ["solve", "a.csv", "--target", "y", "--beta", "1", "--seed", "-1"], ["predict", "m.npz"],
        ["train"],
    ],
)  # fmt: skip
def test_bad_options_exit_with_2(run, arguments):
    assert run(*arguments).exit_code == 2
