"""The experiments of section 4 of the seed paper, run again: with bounds beside the numbers."""

from cvxnn.study.errors import DataUnavailable, StudyError
from cvxnn.study.experiments import EXPERIMENTS
from cvxnn.study.results import DataResult, ExperimentResult, NormsRow, Row, StudyResult
from cvxnn.study.run import run_study

__all__ = [
    "EXPERIMENTS",
    "DataResult",
    "DataUnavailable",
    "ExperimentResult",
    "NormsRow",
    "Row",
    "StudyError",
    "StudyResult",
    "run_study",
]
