"""Checks of arrays: data, targets and weights of rows."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import in_numpy, is_dask
from cvxnn.errors import InputError

LARGEST_ENTRY = 1e100
"""Data beyond this are refused: sums of their squares and products would overflow."""

SMALLEST_ENTRY = 1e-100
"""Data below this, but not 0, are refused: their squares would vanish, and proofs with them.

The same holds for entries of X below this share of the largest."""

WIDEST_WEIGHTS = 1e30
"""Ratio of weights of rows, 0 apart, beyond which they are refused: float64 has 16 digits for
what a row adds to the sum, and no search can tell the lightest rows from rounding."""

# What makes numbers of words and dates, and of gaps; what takes labels.
_ENCODE = "; encode words and dates, as sklearn.preprocessing.OneHotEncoder or 'cvxnn fit' does"
_FILL = "; fill gaps, as sklearn.impute.SimpleImputer does"
_DATA = ("X", "images")
_REMEDIES = dict.fromkeys(_DATA, _ENCODE) | {"y": "; labels are for ConvexReLUClassifier"}


def check_data(X: object, name: str = "X", *, first_row: int = 0) -> FloatArray:
    """Return the data as a float64, C-contiguous array of shape (n, d).

    Parameters
    ----------
    X : array-like of shape (n, d)
        Real numbers: an array, nested lists or a data frame; n and d at least 1.
    name : str
        How error messages call the argument.
    first_row : int
        The number of the first row, of rows that are a part of others.

    Raises
    ------
    InputError
        If `X` is sparse, not numeric, complex, not 2-D, empty, not finite, or
        has entries beyond `LARGEST_ENTRY` or, 0 apart, below `SMALLEST_ENTRY` or that
        share of the largest.

    Examples
    --------
    >>> check_data([[1, 2], [3, 4]])
    array([[1., 2.],
           [3., 4.]])
    """
    array = as_real_array(X, name)
    if array.ndim != 2:
        hint = f"; use {name}.reshape(-1, 1) for one feature or {name}.reshape(1, -1) for one row"
        raise InputError(
            f"{name} must be 2-D, of shape (n, d), got shape {array.shape}"
            f"{hint if array.ndim == 1 else ''}."
        )
    if array.size == 0:
        raise InputError(
            f"{name} must have at least one row and one column, got shape {array.shape}."
        )
    check_range(array, name, first_row=first_row, columns=column_names(X))
    _check_spread(array, name, first_row)
    return array


def column_names(value: object) -> tuple[str, ...]:
    """Those of a data frame; of anything else there are none.

    Examples
    --------
    >>> column_names(np.eye(2))
    ()
    """
    names = getattr(value, "columns", ())
    known = [] if callable(names) else list(names)
    return tuple(map(str, known)) if all(isinstance(each, str) for each in known) else ()


def check_range(
    array: FloatArray, name: str, *, first_row: int = 0, columns: Sequence[str] = ()
) -> None:
    """Raise `InputError` if an entry is not finite, or beyond the range of data.

    Examples
    --------
    >>> check_range(np.array([1.0, 1e200]), "y")
    Traceback (most recent call last):
    cvxnn.errors.InputError: y must have no entry beyond 1e+100 in magnitude, got 1e+200 at entry 1;
    rescale y.
    """
    check_finite(array, name, first_row=first_row, columns=columns)
    if array.size:
        _check_magnitude(array, name, first_row)


def check_weights(
    sample_weight: object, n_rows: int, name: str = "sample_weight", *, first_row: int = 0
) -> FloatArray:
    """Return weights of rows as float64, shape (n,).

    Raises
    ------
    InputError
        If they are not finite numbers of at least 0, one for each row, or all 0; if they
        are beyond `LARGEST_ENTRY` or below `SMALLEST_ENTRY`, or their ratio is beyond
        `WIDEST_WEIGHTS`, 0 apart.

    Examples
    --------
    >>> check_weights([1, 0], 2)
    array([1., 0.])
    """
    weights = as_real_array(sample_weight, name)
    if weights.shape != (n_rows,):
        raise InputError(
            f"{name} must have shape ({n_rows},), one for each row of X, got {weights.shape}."
        )
    check_finite(weights, name, first_row=first_row)
    if weights.min() < 0.0:
        raise InputError(f"{name} must be at least 0, got {weights.min():g}.")
    if not weights.any():
        raise InputError(f"{name} must not be zero for every row.")
    _check_magnitude(weights, name, first_row)
    counted = weights[weights > 0.0]
    if counted.max() > WIDEST_WEIGHTS * counted.min():
        raise InputError(
            f"{name} must have a ratio of at most {WIDEST_WEIGHTS:g} between its largest "
            f"and its smallest entry above 0, got {counted.max():.3g} and {counted.min():.3g}; "
            "set the small ones to 0."
        )
    return weights


def check_target(y: object, n: int, name: str = "y") -> FloatArray:
    """Return the targets of one output as a float64 array of shape (n,).

    Parameters
    ----------
    y : array-like of shape (n,) or (n, 1)
        Real numbers, one for each of the n rows of the data.

    Raises
    ------
    InputError
        As :func:`check_targets`, and if there are several outputs.

    Examples
    --------
    >>> check_target([[1], [2]], n=2)
    array([1., 2.])
    """
    array = as_real_array(y, name)
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise InputError(f"{name} must be 1-D, of shape ({n},), got shape {array.shape}.")
    return check_targets(array, n, name)


def check_targets(y: object, n: int, name: str = "y", *, first_row: int = 0) -> FloatArray:
    """Return the targets as a float64 array, of shape (n, c) for several outputs, else (n,).

    Raises
    ------
    InputError
        If `y` is sparse, not numeric, complex, of another shape, not finite,
        or has entries beyond `LARGEST_ENTRY` or, 0 apart, below `SMALLEST_ENTRY`.

    Examples
    --------
    >>> check_targets([[1, 0], [0, 1]], n=2)
    array([[1., 0.],
           [0., 1.]])
    """
    array = as_real_array(y, name)
    array = array.ravel() if array.shape[1:] == (1,) else array
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise InputError(
            f"{name} must be of shape ({n},), or ({n}, c) for c outputs, got shape {array.shape}."
        )
    if len(array) != n:
        raise InputError(
            f"{name} has {_plural(len(array), 'entry', 'entries')} "
            f"but X has {_plural(n, 'row', 'rows')}."
        )
    check_range(array, name, first_row=first_row)
    return array


def as_real_array(value: object, name: str) -> FloatArray:
    """Return real numbers as a float64, C-contiguous array of whatever shape they have.

    Parameters
    ----------
    value : array-like
        Numbers or booleans; not text, not complex, not sparse, not masked.
    name : str
        How error messages call the argument.

    Raises
    ------
    InputError
        If `value` is anything else. NaN and infinite entries pass, see
        :func:`check_finite`.

    Examples
    --------
    >>> as_real_array([True, False], "y")
    array([1., 0.])
    """
    check_dense(value, name)
    try:
        array = in_numpy(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{name} must be a rectangular array of numbers, got a {type(value).__name__} "
            "that numpy cannot read as one."
        ) from error
    _check_numeric(array, name, column_names(value))
    try:
        with np.errstate(over="ignore"):
            return np.asarray(array, dtype=np.float64, order="C")
    except OverflowError as error:
        raise InputError(
            f"{name} must fit into float64, got larger integers; rescale {name}."
        ) from error


def check_dense(value: object, name: str) -> None:
    """Raise `InputError` if an array is sparse, of dask, or an entry is masked.

    Examples
    --------
    >>> check_dense(np.ma.array([1.0, 2.0], mask=[True, False]), "y")
    Traceback (most recent call last):
    cvxnn.errors.InputError: y must have no masked entries; fill or drop them.
    """
    if is_dask(value):
        raise InputError(
            f"{name} is a collection of dask, which only solve, ConvexReLURegressor and "
            f"ConvexReLUClassifier take: use {name}.compute() where it fits into memory."
        )
    if hasattr(value, "toarray"):
        raise InputError(
            f"{name} must be a dense array, got a sparse {type(value).__name__}; "
            f"convert it with {name}.toarray()."
        )
    if _has_mask(value):
        raise InputError(f"{name} must have no masked entries; fill or drop them.")


def check_finite(
    array: FloatArray, name: str, *, first_row: int = 0, columns: Sequence[str] = ()
) -> None:
    """Raise `InputError` if an array has a NaN or an infinite entry.

    Examples
    --------
    >>> check_finite(np.array([1.0, np.nan]), "y")
    Traceback (most recent call last):
    cvxnn.errors.InputError: y must be finite, got 1 NaN or infinite entry, the first at entry 1.
    >>> check_finite(np.array([[1.0, np.nan]]), "X", columns=("age", "size"))
    Traceback (most recent call last):
    cvxnn.errors.InputError: X must be finite, got 1 NaN or infinite entry, the first at row 0,
    column 1 ('size'); fill gaps, as sklearn.impute.SimpleImputer does.
    """
    finite = np.isfinite(array)
    if finite.all():
        return
    count = array.size - int(np.count_nonzero(finite))
    found = _plural(count, "NaN or infinite entry", "NaN or infinite entries")
    index = int(np.argmin(finite))
    column = f" ({columns[index % len(columns)]!r})" if columns else ""
    remedy = _FILL if name in _DATA and bool(np.isnan(array).any()) else ""
    raise InputError(
        f"{name} must be finite, got {found}, "
        f"the first at {_place(index, array.shape, first_row)}{column}{remedy}."
    )


def _has_mask(value: object) -> bool:
    """Whether an entry is masked, also in a list of arrays, where numpy drops the mask."""
    if isinstance(value, (list, tuple)):
        return any(
            _has_mask(part) for part in value if isinstance(part, (list, tuple, np.ma.MaskedArray))
        )
    # Not whatever has an attribute _mask, as arrays of pandas do.
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def _check_numeric(array: NDArray[np.generic], name: str, columns: Sequence[str]) -> None:
    """Refuse what numpy might convert to float64, but should not: text, dates, complex."""
    remedy = _REMEDIES.get(name, "")
    if array.dtype.kind == "O":
        for index, entry in enumerate(array.flat):
            # numpy counts its time spans among the integers.
            is_span = isinstance(entry, np.timedelta64)
            if is_span or not isinstance(entry, (numbers.Real, np.bool_)):
                column = f" in column {columns[index % len(columns)]!r}" if columns else ""
                raise InputError(
                    f"{name} must be numeric, got an entry of type {type(entry).__name__}"
                    f"{column}{remedy}."
                )
    elif array.dtype.kind == "c":
        # The first words are those that the checks of scikit-learn look for.
        raise InputError(
            f"Complex data not supported: {name} must be real, got complex numbers "
            f"(dtype {array.dtype})."
        )
    elif array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be numeric, got dtype {array.dtype}{remedy}.")


def _check_magnitude(array: FloatArray, name: str, first_row: int) -> None:
    size = np.abs(array)
    if size.max() > LARGEST_ENTRY:
        index = int(np.argmax(size))
        raise InputError(
            f"{name} must have no entry beyond {LARGEST_ENTRY:g} in magnitude, got "
            f"{array.flat[index]:.3g} at {_place(index, array.shape, first_row)}; rescale {name}."
        )
    tiny = (size > 0.0) & (size < SMALLEST_ENTRY)
    if tiny.any():
        index = int(np.argmax(tiny))
        raise InputError(
            f"{name} must have no entry below {SMALLEST_ENTRY:g} in magnitude except 0, got "
            f"{array.flat[index]:.3g} at {_place(index, array.shape, first_row)}; round it to 0 or "
            f"rescale {name}."
        )


def _check_spread(array: FloatArray, name: str, first_row: int) -> None:
    size = np.abs(array)
    largest = size.max(initial=0.0)
    tiny = (size > 0.0) & (size < SMALLEST_ENTRY * largest)
    if tiny.any():
        index = int(np.argmax(tiny))
        raise InputError(
            f"{name} must have no entry below {SMALLEST_ENTRY:g} of its largest, {largest:.3g}, "
            f"except 0, got {array.flat[index]:.3g} at {_place(index, array.shape, first_row)}; "
            f"round it to 0 or rescale the columns of {name}."
        )


def _place(flat_index: int, shape: tuple[int, ...], first_row: int) -> str:
    """Where an entry is, counted from 0 as numpy does."""
    index = [int(k) for k in np.unravel_index(flat_index, shape)]
    if index:
        index[0] += first_row
    if len(index) == 2:
        return f"row {index[0]}, column {index[1]}"
    return f"entry {index[0] if len(index) == 1 else tuple(index)}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
