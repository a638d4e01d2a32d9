"""Python as a process of its own that imports the package under test."""

import os
import subprocess
import sys
from pathlib import Path

import cvxnn

SOURCE = str(Path(cvxnn.__file__).parents[1])


def start(*arguments, **options):
    """Started; `options` are those of `Popen`, where `env` is added to the environment."""
    env = os.environ | {"PYTHONPATH": SOURCE, "COLUMNS": "100"} | options.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, text=True, env=env, **pipes)


def python(*arguments, **env):
    """What a process that succeeds writes to its output, and to its errors."""
    process = start(*arguments, env=env)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output, errors
