"""The experiments of section 4 of the seed paper, run again: with bounds beside the numbers."""

from cvxnn.study.experiments import EXPERIMENTS
from cvxnn.study.outcomes import (
    DataResult,
    ExperimentResult,
    NormsRow,
    Row,
    StudyError,
    StudyResult,
)
from cvxnn.study.paper_data import DataUnavailable
from cvxnn.study.reproduction import run_study

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
