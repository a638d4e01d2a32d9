"""Checks of arguments at the public face; the rooms below trust their inputs.

Every check returns the argument in the one form that the library computes
with, or raises :class:`~cvxnn.errors.InputError` with a sentence that names the
argument, what was wrong and what is accepted. Checks of an array are linear in
its size; an array that is float64 and C-contiguous already is not copied.
"""

from cvxnn.validation.arrays import (
    LARGEST_ENTRY,
    SMALLEST_ENTRY,
    WIDEST_WEIGHTS,
    as_real_array,
    check_data,
    check_dense,
    check_finite,
    check_range,
    check_target,
    check_targets,
    check_weights,
    column_names,
)
from cvxnn.validation.values import (
    check_callback,
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_optional_positive,
    check_positive,
    check_proof_time,
    check_random_state,
    check_tolerance,
)

__all__ = [
    "LARGEST_ENTRY",
    "SMALLEST_ENTRY",
    "WIDEST_WEIGHTS",
    "as_real_array",
    "check_callback",
    "check_choice",
    "check_count",
    "check_data",
    "check_dense",
    "check_finite",
    "check_flag",
    "check_number",
    "check_optional_positive",
    "check_positive",
    "check_proof_time",
    "check_random_state",
    "check_range",
    "check_target",
    "check_targets",
    "check_tolerance",
    "check_weights",
    "column_names",
]
