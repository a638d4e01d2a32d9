"""What a page beyond the paper's experiments is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cvxnn.study.pages.result import PageResult
from cvxnn.study.runner import Runner


@dataclass(frozen=True)
class Page:
    """A page that can be run.

    Attributes
    ----------
    title : str
    n_steps : int
        Steps of a runner that it takes.
    run : callable
        ``run(runner)``.
    """

    title: str
    n_steps: int
    run: Callable[[Runner], PageResult]
