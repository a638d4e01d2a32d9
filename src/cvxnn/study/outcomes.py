"""What the study found: rows of tables, runs on data, experiments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvxnn.baselines import LocalSearch
from cvxnn.results import Solution, relative_gap
from cvxnn.study.pages.result import PageResult
from cvxnn.study.paper_data import Dataset

# By what share of its size rounding may put an objective below a bound.
_ROUNDING = 1e-9


BETA = 1e-4
"""The beta that section 4 states."""

DATA_SEED = 123
"""The seed whose five points are those that the paper prints below figure 3.

Of the seeds below 60 000 it is the only one, with the generator of
:func:`cvxnn.study.paper_data.line`.
"""

TABLE_BETA = 1e-3
"""The beta with which the program of squared norms has the values of table 2."""


@dataclass(frozen=True)
class PaperFigures:
    """Time and objective, None where the paper gives none.

    Examples
    --------
    >>> PaperFigures(seconds=14.66, objective=45.87).objective
    45.87
    """

    seconds: float | None = None
    objective: float | None = None


UNREPORTED = PaperFigures()

# By section, rows of the data, and method.
_FIGURES = {
    ("4.1", 5, "optimal"): PaperFigures(0.52, 0.006),
    ("4.1", 5, "sgd"): PaperFigures(8.71, 0.017),
    ("4.2", 50, "optimal"): PaperFigures(8.86, 8.09),
    ("4.2", 50, "sampled"): PaperFigures(2.85, 8.53),
    ("4.2", 50, "sgd"): PaperFigures(14.66, 45.87),
    ("4.2", 100, "optimal"): PaperFigures(62.23, 26.41),
    ("4.2", 100, "sampled"): PaperFigures(3.52, 29.09),
    ("4.2", 100, "sgd"): PaperFigures(15.51, 95.90),
    ("4.3", 50, "optimal"): PaperFigures(1004.62),
    ("4.3", 50, "sampled"): PaperFigures(13.71),
    ("4.3", 50, "sgd"): PaperFigures(40.70),
    ("4.4", 120, "sampled"): PaperFigures(13.2),
    ("4.4", 120, "sgd"): PaperFigures(31.4),
}

OPTIMAL_OBJECTIVES = {
    n: figures.objective
    for (_, n, method), figures in _FIGURES.items()
    if method == "optimal" and figures.objective is not None
}
"""Table 2, column "optimal, objective", by the rows of the data."""


def paper_figures(experiment: str, n: int, method: str) -> PaperFigures:
    """What the paper reports for a method on n rows.

    Examples
    --------
    >>> paper_figures("4.2", 50, "sgd")
    PaperFigures(seconds=14.66, objective=45.87)
    """
    return _FIGURES.get((experiment, n, method), UNREPORTED)


class StudyError(RuntimeError):
    """A result contradicts a certified bound: the study must not be believed.

    Examples
    --------
    >>> import cvxnn.study
    >>> issubclass(cvxnn.study.StudyError, RuntimeError)
    True
    """


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

    Examples
    --------
    >>> row = Row(
    ...     "ring", "SGD", "step 1e-3", n_neurons=150, n_patterns=None, objective=2.0, median=2.5,
    ...     worst=3.0, lower_bound=1.5, accuracy=0.9, test_accuracy=None, status="10 trials",
    ...     seconds=4.0, paper=PaperFigures(),
    ... )
    >>> row.gap
    0.25
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
        """Of the best network to the bound, as of :class:`cvxnn.Solution`."""
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

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> from cvxnn.study.paper_data import Dataset
    >>> solutions = {"global": cvxnn.solve(X, y, beta=1.0)}
    >>> result = DataResult(Dataset("ring", X, y), solutions, searches={}, rows=())
    >>> print(f"{result.lower_bound:.4f}")
    9.7259
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

    Examples
    --------
    >>> result = ExperimentResult("4.1", "Five points, d = 1", results=())
    >>> result.name, result.rows
    ('4.1', ())
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

    Examples
    --------
    >>> row = NormsRow("line", 1, 1e-3, 8.0917, 8.09, 1.8, 1.8, 8.09, True)
    >>> row.agrees
    True
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
    pages : tuple of PageResult
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

    Examples
    --------
    >>> study = StudyResult((), (), (), {}, True, 0, 1.0, files=(Path("out/report.html"),))
    >>> study.report.name
    'report.html'
    """

    experiments: tuple[ExperimentResult, ...]
    pages: tuple[PageResult, ...]
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
