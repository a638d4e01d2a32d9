"""The experiments of section 4 of the seed paper, run again with bounds, and pages beside them."""

from cvxnn.study.experiments import EXPERIMENTS
from cvxnn.study.outcomes import (
    DataResult,
    ExperimentResult,
    NormsRow,
    Row,
    StudyError,
    StudyResult,
)
from cvxnn.study.pages.registry import PAGES
from cvxnn.study.pages.result import PageResult, PageTable
from cvxnn.study.paper_data import DataUnavailable
from cvxnn.study.reproduction import SECTIONS, run_study

__all__ = [
    "EXPERIMENTS",
    "PAGES",
    "SECTIONS",
    "DataResult",
    "DataUnavailable",
    "ExperimentResult",
    "NormsRow",
    "PageResult",
    "PageTable",
    "Row",
    "StudyError",
    "StudyResult",
    "run_study",
]
