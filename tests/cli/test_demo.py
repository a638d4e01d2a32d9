"""cvxnn demo, and what the command line as a whole does."""

import io
import json
import os
import re
import signal
import time

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import cvxnn
from cvxnn.cli import app
from cvxnn.clocks import is_compiling, note_compilation, stopped_clock
from cvxnn.interrupts import check_interrupt
from cvxnn.progress import _Rounds, lines_every, live_progress
from cvxnn.results import Progress

COMMANDS = typer.main.get_command(app).commands
RING_OPTIMUM = 0.00405058686  # tests/data/optima.json, d2_n50: an independent solver


def test_demo_certifies_the_ring(run):
    result = run("demo", "--json")
    record = json.loads(result.stdout)
    assert result.exit_code == 0 and record["status"] == "OPTIMAL"
    assert record["objective"] == pytest.approx(RING_OPTIMUM, rel=2e-6)
    assert record["dual_bound"] <= RING_OPTIMUM * (1 + 1e-8) and record["gap"] <= 1e-6
    assert record["method"] == "global" and record["beta"] == 1e-4


@pytest.mark.long
def test_demo_shows_a_table(run):
    result = run("demo", "--method", "sampled")
    assert result.exit_code == 0
    for label in ("objective", "lower bound", "gap", "program gap", "neurons", "patterns", "time"):
        assert f"\n  {label} " in result.stdout
    assert "OPTIMAL_FOR_PATTERNS" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_demo(run, monkeypatch, number):
    def interrupt(*_):
        signal.raise_signal(number)
        check_interrupt()

    monkeypatch.setattr("cvxnn.solvers.layer_strategy.LayerStrategy.open", interrupt)
    result = run("demo")
    assert result.exit_code == 128 + number and "INTERRUPTED" in result.stdout


def test_version(run, start):
    assert run("--version").stdout == f"cvxnn {cvxnn.__version__}\n"
    stdout, _ = start("-m", "cvxnn", "--version").communicate()
    assert stdout == f"cvxnn {cvxnn.__version__}\n"


@pytest.mark.parametrize("command", [[], ["solve"], ["predict"], ["demo"], ["study"]])
def test_help(run, command):
    result = run(*command, "--help")
    assert result.exit_code == 0 and "Usage" in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_a_narrow_terminal_breaks_help_between_words(command):
    arguments = ["--help"] if command is None else [command, "--help"]
    narrow, wide = (
        CliRunner().invoke(app, arguments, env={"COLUMNS": columns}).output
        for columns in ("80", "240")
    )
    assert max(map(len, narrow.splitlines())) <= 80
    words = {page: set(re.sub("[─-╿]", " ", page).split()) for page in (narrow, wide)}
    assert words[narrow] <= words[wide]


def test_live_view_shows_the_latest_rounds():
    view = _Rounds()
    for iteration in range(15):
        view.add(Progress(iteration, 0.5, 2.0, float("-inf"), 3, 4))
    console = Console(file=io.StringIO(), width=100)
    console.print(view)
    lines = console.file.getvalue().splitlines()
    rounds = [line.split() for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert [int(cells[0]) for cells in rounds] == list(range(5, 15))
    assert rounds[0][1:] == ["2", "none", "none", "3", "4", "0.5"]


def test_no_live_view_without_a_terminal():
    with live_progress(True) as callback:
        assert callback is None


@pytest.fixture
def line(capsys):
    """The next line on stderr that has some words, of those that come by and by."""

    def wait(words, found=""):
        end = time.monotonic() + 60.0
        while words not in found and time.monotonic() < end:
            time.sleep(0.005)
            found += capsys.readouterr().err
        return next(line for line in found.splitlines() if words in line)

    return wait


def test_lines_now_and_then_without_a_terminal(line, capsys):
    with lines_every(0.01), live_progress(True) as callback:
        assert re.fullmatch(r"cvxnn: \d+ s", line("cvxnn: "))
        callback(Progress(7, 0.5, 2.0, 1.0, 3, 4))
        assert " s, round 7, objective 2, lower bound 1, gap 5.0e-01" in line("round")
        with stopped_clock():
            note_compilation()
            assert line("compiling").endswith(" s, compiling, once after an installation")
        line("round")
    with lines_every(0.0, wanted=False), live_progress(True) as callback:
        assert callback is None
    assert "compiling" not in capsys.readouterr().err and not is_compiling()


def test_commands_say_how_far_they_are_unless_they_are_to_be_quiet(solve, monkeypatch):
    monkeypatch.setattr("cvxnn.cli.reporting.BETWEEN_LINES", 1e-3)
    lines = solve().stderr.splitlines()
    assert lines and all(line.startswith("cvxnn: ") for line in lines)
    assert solve("--quiet").stderr == ""


@pytest.mark.long
def test_live_view_on_a_terminal_leaves_stdout_alone(start, v_shape):
    terminal, stderr = pytest.importorskip("pty").openpty()
    # A beta that leaves no neurons: what is looked at are the streams.
    arguments = ("solve", v_shape, "--target", "y", "--beta", 1000, "--json")
    process = start("-m", "cvxnn", *arguments, stderr=stderr)
    os.close(stderr)
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # Linux: the other end of the terminal is closed
        pass
    stdout, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 0 and json.loads(stdout)["status"] == "OPTIMAL"
    assert b"Ctrl-C stops" in shown
