"""What the commands write: text, JSON, tables in the terminal, and model files."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cvxnn.cli.reporting import counted, discard, say, stdout_error
from cvxnn.errors import InputError
from cvxnn.files import check_target
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.base import Network
from cvxnn.networks.storage import SUFFIXES
from cvxnn.progress import format_gap, format_number
from cvxnn.results import NetworkCertificate, Solution

# Of files in which PyTorch and scikit-learn keep models.
_FOREIGN = (".pt", ".pth", ".pkl", ".pickle", ".joblib")
# Attributes of a solution that its summary has.
_FIGURES = (
    "message", "objective", "dual_bound", "gap", "program_gap", "n_neurons", "n_patterns",
    "n_iter", "elapsed", "method", "beta", "tol",
)  # fmt: skip


def write_stdout(text: str) -> None:
    """Write to stdout; a reader that has gone away, as in ``| head``, is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise stdout_error(error) from error


def strict(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with null for numbers that JSON does not have: infinities and NaN."""
    return {key: _strict_value(value) for key, value in record.items()}


def write_json(record: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout."""
    write_stdout(json.dumps(strict(record), indent=2, allow_nan=False) + "\n")


def check_model_name(path: Path) -> None:
    """Raise `InputError` if `path` does not end like a model file that can be used here."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"A model file ends in {' or '.join(SUFFIXES)}, got {str(path)!r}.")
    if suffix == ".safetensors" and find_spec("safetensors") is None:
        raise InputError(
            "A .safetensors file needs the package safetensors: pip install safetensors"
        )


def check_model_file(path: Path) -> None:
    """As `check_model_name`, of a file that is there; networks of others are for Python."""
    if path.suffix.lower() in _FOREIGN:
        raise InputError(
            f"{path} is no file of cvxnn: in Python, cvxnn.certify takes networks of PyTorch and "
            "scikit-learn, and what it returns has a method save."
        )
    check_model_name(path)


def load_model(path: Path) -> tuple[TwoLayerNetwork, dict[str, Any]]:
    """The network in a file that 'cvxnn solve' has saved, and its metadata."""
    check_model_file(path)
    return TwoLayerNetwork.load_with_metadata(path)


def load_any_model(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of any kind in a file, and its metadata."""
    # Here and not above: it loads all models.
    from cvxnn.models.base import load_network

    check_model_file(path)
    return load_network(path)


def check_writable(path: Path) -> None:
    """Raise `OSError` if no file could be written at `path`, before hours are spent on one."""
    target = Path(os.path.realpath(path))
    check_target(target, path)
    if not target.parent.is_dir():
        message = "Cannot write the file, its folder does not exist"
        raise OSError(errno.ENOENT, message, str(path))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        message = "Cannot write the file, its folder is not writable"
        raise OSError(errno.EACCES, message, str(path))


def _strict_value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return strict(value)
    if isinstance(value, (list, tuple)):
        return [_strict_value(item) for item in value]
    return value


def show_solution(
    solution: Solution[Any],
    title: str,
    *,
    model: Path | None = None,
    advice: str = "",
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Print the solution on stdout; where no table says so, a missed goal goes to stderr.

    So does what would narrow the gap, the `advice`.
    """
    if as_json:
        write_json(summary(solution) | {"model": None if model is None else str(model)})
    elif not quiet:
        _write_table(solution, title, model, advice)
    if (as_json or quiet) and not solution.status.is_success:
        say(solution.message, "warning")
        if advice:
            say(advice)


def summary(solution: Solution[Any]) -> dict[str, Any]:
    """The figures of a solution by name."""
    return {"status": solution.status.name} | {name: getattr(solution, name) for name in _FIGURES}


def _write_table(solution: Solution[Any], title: str, model: Path | None, advice: str) -> None:
    colour = "green" if solution.status.is_success else "yellow"
    sentence = Text.assemble((solution.status.name, f"bold {colour}"), "  ", solution.message)
    rows = _rows(solution)
    parts: list[RenderableType] = [figures(rows)]
    if model is not None:
        parts.append(model_line(model, rows))
    ending: list[RenderableType] = ["", note(advice)] if advice else []
    draw_page([Text(title, style="bold"), "", *parts, "", Padding(sentence, (0, 2)), *ending])


def draw_page(parts: Iterable[RenderableType]) -> None:
    """Print one thing below the other; a bare `Text` stays one line, however long."""
    # Drawn into a string first: rich would end the process with an error on a closed pipe.
    terminal, page = Console(), StringIO()
    console = Console(
        file=page, force_terminal=terminal.is_terminal, width=terminal.width, highlight=False
    )
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    write_stdout(page.getvalue())


def note(text: str) -> Padding:
    """A remark below a table."""
    return Padding(Text.assemble(("Note  ", "cyan"), text), (0, 2))


def model_line(path: Path, rows: Iterable[tuple[str, str, str]]) -> Text:
    """Where the model is, as one more row of :func:`figures`, which is not broken."""
    width = max(len(name) for name, *_ in rows)
    return Text.assemble("  ", (f"{'model':{width}}", "cyan"), "  ", str(path))


def figures(rows: Iterable[tuple[str, str, str]]) -> Padding:
    """A table of names, values and what they mean."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    return Padding(table, (0, 2))


def certificate_rows(
    solution: Solution[Any] | NetworkCertificate, loss: str = "squared"
) -> list[tuple[str, str, str]]:
    """The rows of a table that say how good a network is, and what is proven about it."""
    fit = "1/2 ||f(X) - y||^2" if loss == "squared" else f"{loss} loss"
    objective = f"{fit} + beta/2 ||weights||^2"
    bound, gap = "no two-layer ReLU network is below it", "(objective - lower bound) / objective"
    if not math.isfinite(solution.dual_bound):
        bound, gap = "", "of the whole problem"
    return [
        ("objective", format_number(solution.objective), objective),
        ("lower bound", format_number(solution.dual_bound), bound),
        ("gap", format_gap(solution.gap), gap),
    ]


def _rows(solution: Solution[Any]) -> list[tuple[str, str, str]]:
    rows = certificate_rows(solution)
    if solution.method == "sampled":
        rows.append(("program gap", format_gap(solution.program_gap), "for these patterns only"))
    rows.append(("neurons", str(solution.n_neurons), "of the network found"))
    if solution.n_patterns:
        rows.append(("patterns", str(solution.n_patterns), "activation patterns in the program"))
    return [*rows, ("time", f"{solution.elapsed:.2f} s", counted(solution.n_iter, "round"))]
