"""What the pages say of the command line."""

import re
from pathlib import Path

import pytest
import typer

from cvxnn.cli import app

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = typer.main.get_command(app).commands


def options(command):
    return {name for parameter in COMMANDS[command].params for name in parameter.opts}


@pytest.mark.parametrize(
    ("page", "commands"),
    [
        ("README.md", {"fit", "predict", "solve"}),
        ("docs/guide/command_line.md", {"fit", "predict", "solve"}),
        ("docs/guide/study.md", {"study"}),
    ],
)
def test_commands_and_their_options_are_there(page, commands):
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = "".join(re.findall(r"(?s)```\w*\n(.*?)```", text))
    lines = re.findall(r"(?m)^cvxnn (\w+)([^\n#]*)", fenced)
    lines += re.findall(r"`cvxnn (\w+)([^`]*)`", text)
    assert commands <= {command for command, _ in lines}
    for command, rest in lines:
        assert set(re.findall(r"--[a-z0-9-]+", rest)) <= options(command), (command, rest)


def test_options_in_the_text_are_those_of_fit_or_predict():
    text = (ROOT / "docs/guide/command_line.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z0-9-]+)", text))
    assert {"--drop", "--keep", "--category", "--holdout", "--task"} <= named
    assert named <= options("fit") | options("predict")
