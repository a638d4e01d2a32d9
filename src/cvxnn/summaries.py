"""Results in a few lines, as `print` shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from textwrap import fill

_WIDTH = 96


def summary(head: str, rows: Iterable[tuple[str, str]], remarks: Iterable[str] = ()) -> str:
    """A sentence, rows of a name and a text below it, and remarks below these.

    Examples
    --------
    >>> print(summary("It is done.", [("gap", "1e-07"), ("neurons", "3")], ["It was quick."]))
    It is done.
      gap          1e-07
      neurons      3
      It was quick.
    """
    lines = [fill(head, _WIDTH, subsequent_indent="  ")]
    lines += [
        fill(f"  {name:11}  {text}", _WIDTH, subsequent_indent=15 * " ") for name, text in rows
    ]
    lines += [
        fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ") for text in remarks if text
    ]
    return "\n".join(lines)


def of_quality(
    objective: float, dual_bound: float, gap: float, tol: float | None = None
) -> list[tuple[str, str]]:
    """Objective, lower bound and gap of a network as rows of a summary.

    Examples
    --------
    >>> dict(of_quality(2.0, -math.inf, math.inf))
    {'objective': '2', 'lower bound': 'none', 'gap': 'none'}
    """
    bound = f"{dual_bound:.9g}, which no network of its kind is below"
    share = f"{gap:.1e}" if tol is None else f"{gap:.1e} (tol {tol:.1e})"
    return [
        ("objective", f"{objective:.9g}"),
        ("lower bound", bound if math.isfinite(dual_bound) else "none"),
        ("gap", share if math.isfinite(gap) else "none"),
    ]


def counted(number: int, noun: str) -> str:
    """A number of things, in words.

    Examples
    --------
    >>> counted(1, "round"), counted(2, "round")
    ('1 round', '2 rounds')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
