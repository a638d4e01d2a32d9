"""What the study found: rows of tables, runs on data, experiments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvxnn.baselines import LocalSearch
from cvxnn.results import Solution, relative_gap
from cvxnn.study.paper import PaperFigures
from cvxnn.study.paper_data import Dataset

# By what share of its size rounding may put an objective below a bound.
_ROUNDING = 1e-9


class StudyError(RuntimeError):
    """A result contradicts a certified bound: the study must not be believed."""


@dataclass(frozen=True)
class Row:
    """One method on one data set.

    All objectives are (2) of the seed paper, a sum over the rows.

    Attributes
    ----------
    data, method : str
        Their names.
    parameters : str
        What the method was run with.
    n_neurons : int
        Neurons of the network: what was found for convex training, what was
        given for gradient descent.
    n_patterns : int, optional
        Patterns in the convex program, where it lists them.
    objective : float
        Of the best network.
    median, worst : float, optional
        Over the trials; ``inf`` where a trial diverged.
    lower_bound : float
        Certified, for networks of any width on these data.
    accuracy, test_accuracy : float
        Share of rows whose label is the sign of the best network; the second
        is None without test data.
    status : str
        How the run ended.
    seconds : float
        All trials together.
    paper : PaperFigures
        What the paper reports.
    """

    data: str
    method: str
    parameters: str
    n_neurons: int
    n_patterns: int | None
    objective: float
    median: float | None
    worst: float | None
    lower_bound: float
    accuracy: float
    test_accuracy: float | None
    status: str
    seconds: float
    paper: PaperFigures

    @property
    def gap(self) -> float:
        """Of the best network to the bound, see :func:`cvxnn.results.relative_gap`."""
        return relative_gap(self.objective, self.lower_bound)


@dataclass(frozen=True, eq=False)
class DataResult:
    """All runs on one data set.

    Attributes
    ----------
    data : Dataset
    solutions : mapping of str to Solution
        By the name of the method.
    searches : mapping of str to LocalSearch
        By their label in figures.
    rows : tuple of Row
    """

    data: Dataset
    solutions: Mapping[str, Solution[Any]]
    searches: Mapping[str, LocalSearch]
    rows: tuple[Row, ...]

    @property
    def lower_bound(self) -> float:
        """The best certified bound of all runs; it holds for networks of any width."""
        return best_bound(self.solutions)


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """One section of the paper's experiments.

    Attributes
    ----------
    name : str
        ``"4.1"`` to ``"4.4"``.
    title : str
    results : tuple of DataResult
        One for each data set.
    """

    name: str
    title: str
    results: tuple[DataResult, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of its table."""
        return tuple(row for result in self.results for row in result.rows)


@dataclass(frozen=True)
class NormsRow:
    """The program with squared norms beside the one that the paper states.

    Attributes
    ----------
    data : str
    seed : int
        Of the data.
    beta : float
    squared_value, squared_bound : float
        Value and lower bound of the program with squared norms.
    optimum, lower_bound : float
        Objective (2) of the best network, and the certified bound on it.
    paper_objective : float
        In the paper's column "optimal, objective" for data of this size.
    is_paper_data : bool
        Whether these are the paper's own data, as far as can be known.
    """

    data: str
    seed: int
    beta: float
    squared_value: float
    squared_bound: float
    optimum: float
    lower_bound: float
    paper_objective: float
    is_paper_data: bool

    @property
    def agrees(self) -> bool:
        """Whether the value of squared norms begins with the digits that the paper prints.

        Examples
        --------
        >>> NormsRow("line", 1, 1e-3, 8.0917, 8.09, 1.8, 1.8, 8.09, True).agrees
        True
        """
        digits = len(str(self.paper_objective).partition(".")[2])
        return math.floor(self.squared_value * 10**digits) == round(
            self.paper_objective * 10**digits
        )


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What :func:`run_study` returns.

    Attributes
    ----------
    experiments : tuple of ExperimentResult
    norms : tuple of NormsRow
        Why the objectives of the paper are others.
    skipped : mapping of str to str
        Experiments without data, and the reason in a sentence.
    quick : bool
    random_state : int
    elapsed : float
        Seconds.
    files : tuple of Path
        All that was written, the report last.
    """

    experiments: tuple[ExperimentResult, ...]
    norms: tuple[NormsRow, ...]
    skipped: Mapping[str, str]
    quick: bool
    random_state: int
    elapsed: float
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def report(self) -> Path:
        """The page with everything on it."""
        return self.files[-1]


def best_bound(solutions: Mapping[str, Solution[Any]]) -> float:
    """The largest of the certified lower bounds on the optimal value of (2)."""
    return max(solution.dual_bound for solution in solutions.values())


def check_bound(objective: float, lower_bound: float, what: str) -> None:
    """Raise :class:`StudyError` if a network does better than is proven to be possible.

    Examples
    --------
    >>> check_bound(1.0, 1.0 + 1e-12, "trial 3")
    >>> check_bound(1.0, 1.1, "trial 3")
    Traceback (most recent call last):
    cvxnn.study.outcomes.StudyError: The objective 1 of trial 3 is below the certified lower bound 1.1: one of them is wrong.
    """  # noqa: E501
    if not objective >= lower_bound - _ROUNDING * abs(lower_bound):
        raise StudyError(
            f"The objective {objective:.12g} of {what} is below the certified lower bound "
            f"{lower_bound:.12g}: one of them is wrong."
        )
