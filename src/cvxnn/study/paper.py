"""What the seed paper reports, to be put beside what is computed here.

Y. Bian, "Convexifying Neural Networks", section 4: table 2 and the times in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """Time and objective, None where the paper gives none."""

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
