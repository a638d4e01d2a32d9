"""Streams that are closed, full or gone: the exit code of the command, and one sentence if there is
a place for it."""

import os
import shlex
import sys

import pytest
from variants import with_long

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")

PREDICT, VERSION, HELP = ("predict", "MODEL", "DATA"), ("--version",), ("predict", "--help")
NOTE = "note: scores on 'y': R2 "
CLOSED = "error: Cannot write, it is closed: 'standard output'."
FULL = "error: No space left on device: 'standard output'."
has_full_disk = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@pytest.fixture
def shell(start, model, v_shape, tmp_path):
    """Run a command with redirections of the shell; its exit code and what came out of it."""

    def run(arguments, redirections, then=""):
        names = {"MODEL": str(model), "DATA": str(v_shape)}
        command = [sys.executable, "-m", "cvxnn", *(names.get(word, word) for word in arguments)]
        code = tmp_path / "code"
        line = f"({shlex.join(command)} {redirections}; echo $? > {shlex.quote(str(code))}) {then}"
        program = f"import os; os.execvp('sh', ['sh', '-c', {line!r}])"
        stdout, stderr = start("-c", program).communicate(timeout=120)
        return int(code.read_text()), stdout, stderr.splitlines()

    return run


@pytest.mark.long
def test_predictions_are_the_same_without_a_place_for_sentences(shell, run, model, v_shape):
    expected = run("predict", model, v_shape)
    assert expected.exit_code == 0 and expected.stderr.startswith(NOTE)
    assert len(expected.stdout.splitlines()) == 7
    assert shell(PREDICT, "<&- 2>&-") == (0, expected.stdout, [])


@pytest.mark.long
@has_full_disk
def test_predictions_are_the_same_where_sentences_find_no_space(shell):
    code, stdout, stderr = shell(PREDICT, "2>/dev/full")
    assert (code, len(stdout.splitlines()), stderr) == (0, 7, [])


@with_long("arguments", [VERSION, PREDICT], ids=["version", "predict"])
def test_a_closed_output_is_an_error_in_one_sentence(shell, arguments):
    code, stdout, stderr = shell(arguments, ">&-")
    assert (code, stdout) == (2, "")
    assert [line for line in stderr if not line.startswith(NOTE)] == [CLOSED]
    assert shell(arguments, "<&- >&- 2>&-") == (2, "", [])


@has_full_disk
@with_long("arguments", [VERSION, PREDICT], ids=["predict", "version"])
def test_a_full_disk_is_an_error_in_one_sentence(shell, arguments):
    code, stdout, stderr = shell(arguments, "> /dev/full")
    assert (code, stdout) == (2, "")
    assert [line for line in stderr if not line.startswith(NOTE)] == [FULL]


@pytest.mark.long
def test_help_without_an_output_is_an_error_as_well(shell):
    code, stdout, stderr = shell(HELP, ">&-")
    assert (code, stdout) == (2, "") and stderr == ["error: Bad file descriptor."]


@with_long(("redirections", "count"), [(">&-", 1), ("2>&-", 0)], ids=["output", "errors"])
def test_mistakes_keep_their_exit_code_and_their_sentence(shell, redirections, count):
    code, stdout, stderr = shell(("predict", "nothing.npz", "DATA"), redirections)
    assert (code, stdout, len(stderr)) == (2, "", count)


@pytest.mark.long
def test_a_reader_that_goes_away_is_no_error(shell):
    code, stdout, stderr = shell(PREDICT, "", "| true")
    assert (code, stdout) == (0, "") and len(stderr) == 1 and stderr[0].startswith(NOTE)


@pytest.mark.long
def test_a_reader_that_goes_away_after_the_first_line_is_no_error(shell):
    code, stdout, _ = shell((*PREDICT, "--json"), "", "| head -n 1")
    assert (code, stdout) == (0, "{\n")


@pytest.mark.long
def test_no_file_takes_the_place_of_a_closed_stream(shell, tmp_path):
    # Without an output the file would be its number 1, and whoever prints would write into it.
    out = tmp_path / "predictions.csv"
    code, stdout, _ = shell((*PREDICT, "--out", str(out)), ">&- 2>&-")
    assert (code, stdout) == (0, "") and len(out.read_text().splitlines()) == 7
