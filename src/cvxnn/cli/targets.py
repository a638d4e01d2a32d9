"""The column to predict: numbers or classes, and the loss that suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import Array
from cvxnn.cli.cells import Cells, shown
from cvxnn.cli.labels import merged, merging
from cvxnn.cli.number_formats import FORMATS, unit
from cvxnn.cli.options import Task
from cvxnn.cli.reporting import counted
from cvxnn.errors import InputError
from cvxnn.losses import as_loss
from cvxnn.losses.counts import LogLinkLoss

# Classes that a network tells apart; a column of more words is no target.
_MOST_CLASSES = 100
# A target of so few different whole numbers may have been meant as classes.
_FEW_NUMBERS = 10


# What the targets of losses with a logarithm are.
_TARGETS = {"poisson": "a count of 0 or more", "gamma": "an amount above 0"}
# What a loss is for; the squared one is for both. The first one is the default.
LOSSES: Mapping[Task, tuple[str, ...]] = {
    Task.REGRESSION: ("squared", "huber", "absolute", "quantile", "poisson", "gamma"),
    Task.CLASSIFICATION: ("logistic", "squared_hinge", "hinge", "squared"),
}


@dataclass(frozen=True)
class Target:
    """What is to be predicted, a value for each row that has one.

    Attributes
    ----------
    name : str
    task : Task
    loss : str
    style : str
        How its numbers are written, see :data:`cvxnn.cli.number_formats.FORMATS`.
    values : ndarray, shape (n,)
        Numbers, or labels as they are in the file.
    known : ndarray of bool
        Which rows of the table have one.
    notes : tuple of str
        What the user should know.
    """

    name: str
    task: Task
    loss: str
    style: str
    values: Array
    known: Array
    notes: tuple[str, ...]


def read_target(
    cells: Cells, name: str, task: Task | None, loss: str | None, style: str | None = None
) -> Target:
    """The target, which the cells have as text.

    Parameters
    ----------
    cells : Cells
    name : str
    task, loss : optional
        What the user wants; else classes where the target is no number or has two values.
    style : str, optional
        How its numbers were written in another table, for those that may be read in two ways.

    Raises
    ------
    InputError
        If the column does not suit what is wanted, with the line that does not.
    """
    column = cells.frame[name]
    known = column.notna().to_numpy()
    if not known.any():
        raise InputError(
            f"{cells.source}: column {name!r} is empty, nothing can be learnt of it"
            f"{_unknown(cells, name)}."
        )
    missing = len(known) - int(known.sum())
    rows = "1 row has" if missing == 1 else f"{missing} rows have"
    notes = [f"{rows} no {name!r}{_unknown(cells, name)}; left out."] if missing else []
    style, _ = cells.style(name, style)
    wanted = task
    task = task or _task_of(loss) or _natural_task(cells, name, style)
    if loss is not None and loss not in LOSSES[task]:
        raise InputError(f"--loss {loss} is not for {task}; take {' or '.join(LOSSES[task])}.")
    if task is Task.REGRESSION:
        values = _numbers(cells, name, style, *_wanted(wanted, loss))
        _check_for_loss(cells, name, values, known, loss)
        values = values[known]
        remarks = cells.remarks(name, style)
        notes += [f"{name!r} is read as numbers: {', '.join(remarks)}."] if remarks else []
        notes += _advice(name, values)
    else:
        classes = _classes(cells, name, style)
        values = column[known].map(classes).to_numpy(dtype=str)
        notes += merging(name, classes)
        advice = _without_unit(column[known]) if wanted is None and loss is None else ""
        notes += [f"{name!r} is read as classes; to have numbers, {advice}."] if advice else []
    if len(np.unique(values)) < 2:
        where = f"every row that has one{_unknown(cells, name)}" if missing else "every row"
        what = "value" if column.nunique() == 1 else "value, to 16 digits,"
        raise InputError(f"{cells.source}: column {name!r} has the same {what} in {where}.")
    return Target(name, task, loss or LOSSES[task][0], style, values, known, tuple(notes))


def read_numbers(
    cells: Cells,
    names: Sequence[str],
    task: Task | None,
    loss: str | None,
    styles: Sequence[str] | None = None,
) -> tuple[list[Target], Array, Array]:
    """Several targets, which are numbers, as one network predicts them.

    Parameters
    ----------
    cells, task, loss
        As for :func:`read_target`.
    names : sequence of str
        Two or more.
    styles : sequence of str, optional
        How the numbers of each were written in another table.

    Returns
    -------
    targets : list of Target
        Each by itself.
    values : ndarray, shape (n, c)
        Of the rows that have all of them.
    known : ndarray of bool
        Which rows of the table have.

    Raises
    ------
    InputError
        As :func:`read_target`, if one is of classes, or no row has all.
    """
    known_styles = dict(zip(names, styles, strict=True)) if styles else {}
    targets = [read_target(cells, name, task, loss, known_styles.get(name)) for name in names]
    for target in targets:
        if target.task is Task.CLASSIFICATION:
            if loss is not None and loss not in LOSSES[Task.REGRESSION]:
                raise InputError(
                    f"Several targets are numbers, and --loss {loss} is for classes: leave one of "
                    "them out."
                )
            raise InputError(
                f"Several targets are numbers, and {target.name!r} is of classes: give it as the "
                "only --target."
            )
    known = np.logical_and.reduce([target.known for target in targets])
    if not known.any():
        raise InputError(f"{cells.source}: no row has all of {', '.join(map(repr, names))}.")
    values = [target.values[known[target.known]] for target in targets]
    return targets, np.column_stack(values), known


def _unknown(cells: Cells, name: str) -> str:
    """The words that were read as a missing target, with how many rows have them."""
    missing = cells.unknown.get(name, np.zeros(0, dtype=object))
    words, counts = np.unique(missing[missing != ""], return_counts=True)
    pairs = zip(words.tolist(), counts.tolist(), strict=True)
    listed = ", ".join(f"{word!r} in {counted(count, 'row')}" for word, count in pairs)
    return f" ({listed} is read as missing)" if listed else ""


def observed(cells: Cells, name: str, task: Task, style: str) -> Array | None:
    """The target in a table to predict: numbers or texts; None if a row has none."""
    column = cells.frame[name]
    if task is Task.CLASSIFICATION:
        return None if column.isna().any() else column.to_numpy(dtype=str)
    values, _ = cells.numbers(name, cells.style(name, style)[0])
    return values if np.isfinite(values).all() else None


def _task_of(loss: str | None) -> Task | None:
    """The task that only has this loss."""
    tasks = [task for task, losses in LOSSES.items() if loss in losses]
    return tasks[0] if len(tasks) == 1 else None


def _natural_task(cells: Cells, name: str, style: str) -> Task:
    column = cells.frame[name].dropna()
    numbers = FORMATS[style].parsed(column)
    n_bad = int(numbers.isna().sum())
    if n_bad == 0:
        # Two numbers of more digits than a float has may be one as floats.
        n_values = (numbers.nunique(), len(set(merged(column.unique().tolist(), style).values())))
        return Task.CLASSIFICATION if 2 in n_values else Task.REGRESSION
    # Most are numbers: a cell that is none is a mistake rather than a class.
    return Task.REGRESSION if n_bad < 0.5 * len(column) else Task.CLASSIFICATION


def _wanted(task: Task | None, loss: str | None) -> tuple[str, str]:
    """Why numbers are needed, and the option to take for classes instead."""
    if task is not None:
        return f"which --task {task} needs", f"--task {Task.CLASSIFICATION}"
    if loss is not None and _task_of(loss) is Task.REGRESSION:
        own = [name for name in LOSSES[Task.CLASSIFICATION] if _task_of(name) is not None]
        return f"which --loss {loss} needs", f"--loss {' or '.join(own)}"
    return "as most are", f"--task {Task.CLASSIFICATION}"


def _numbers(cells: Cells, name: str, style: str, why: str, instead: str) -> Array:
    values, note = cells.numbers(name, style)
    if note:
        column = cells.frame[name]
        bad = ~np.isfinite(values) & column.notna().to_numpy()
        advice = _without_unit(column[bad])
        if not advice and column.nunique() <= _MOST_CLASSES:
            advice = f"for classes give {instead}"
        raise InputError(
            f"{cells.source}, line {cells.line(bad)}, column {name!r}: {shown(column[bad])} is "
            f"not a number, {why}; {advice or 'correct the cell, or leave it empty'}."
        )
    return values


def _without_unit(texts: Array) -> str:
    """What makes numbers of cells that have one with a unit; an empty string for others."""
    found = unit(texts)
    return f"remove the unit {found!r} from the column" if found else ""


def _check_for_loss(cells: Cells, name: str, values: Array, known: Array, loss: str | None) -> None:
    """InputError with the line of a number that is no count or amount, where these are wanted."""
    if loss not in _TARGETS:
        return
    chosen = as_loss(loss)
    assert isinstance(chosen, LogLinkLoss)
    bad = known & ~chosen.takes(np.where(known, values, 1.0))
    if bad.any():
        raise InputError(
            f"{cells.source}, line {cells.line(bad)}, column {name!r}: "
            f"{shown(cells.frame[name][bad])} is not {_TARGETS[loss]}, which --loss {loss} "
            "needs."
        )


def _classes(cells: Cells, name: str, style: str) -> dict[str, str]:
    """The class of every text in a column."""
    column = cells.frame[name].dropna()
    classes = merged(column.unique().tolist(), style)
    n_classes = len(set(classes.values()))
    if n_classes > _MOST_CLASSES:
        advice = _without_unit(column)
        ending = f"; to have numbers, {advice}." if advice else "."
        raise InputError(
            f"{cells.source}: column {name!r} has {n_classes} different values, too many for "
            f"classes; the first is {shown(column)}{ending}"
        )
    return classes


def _advice(name: str, values: Array) -> list[str]:
    n_values = len(np.unique(values))
    few = n_values <= min(_FEW_NUMBERS, len(values) // 2)
    if not few or np.any(values != np.floor(values)):
        return []
    return [f"{name!r} has {n_values} different numbers; are they classes? --task classification"]
