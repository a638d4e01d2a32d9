"""Which rows the folds of a cross-validation train on, and which they are scored on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from cvxnn.array_types import Array, IntArray
from cvxnn.errors import InputError

Split = tuple[IntArray, IntArray]

# Rows from which on one part of them, held out, tells as much as five folds, and this part.
_MANY_ROWS, _HELD_OUT = 10_000, 0.2
_FOLDS = 5


def splitter_of(cv: Any, y: Array, *, is_classifier: bool, seed: int) -> Any:
    """The splitter of the parameter `cv`; None is five shuffled folds, or one part held out.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As elsewhere in scikit-learn.
    y : ndarray, shape (n,)
    is_classifier : bool
        Whether parts keep the shares of the classes.
    seed : int
        Of the shuffling that None has.

    Examples
    --------
    >>> splitter_of(None, np.zeros(10_000), is_classifier=False, seed=0)
    ShuffleSplit(n_splits=1, random_state=0, test_size=0.2, train_size=None)
    """
    if cv is not None:
        return check_cv(cv, y, classifier=is_classifier)
    if len(y) < _MANY_ROWS:
        kind = StratifiedKFold if is_classifier else KFold
        return kind(_FOLDS, shuffle=True, random_state=seed)
    # A class of one row cannot be on both sides.
    stratified = is_classifier and np.unique(y, return_counts=True)[1].min() > 1
    kind = StratifiedShuffleSplit if stratified else ShuffleSplit
    return kind(1, test_size=_HELD_OUT, random_state=seed)


def splits_of(splitter: Any, X: Array, y: Array, groups: Any) -> list[Split]:
    """Training and test rows of every fold.

    Raises
    ------
    InputError
        If the splitter needs groups and there are none, or it makes no fold.
    """
    if groups is None and _needs_groups(splitter):
        raise InputError(
            f"cv={type(splitter).__name__} needs groups: pass fit(X, y, groups=...), an entry "
            "for each row."
        )
    splits = [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(X, y, groups)]
    if not splits:
        raise InputError("cv makes no fold.")
    return [(_as_numbers(train, len(X)), _as_numbers(test, len(X))) for train, test in splits]


def _needs_groups(splitter: Any) -> bool:
    """Whether it asks for groups, as those of scikit-learn say in their metadata."""
    if not hasattr(splitter, "get_metadata_routing"):
        return False
    return splitter.get_metadata_routing().split.requests.get("groups") is True


def _as_numbers(rows: Array, n: int) -> IntArray:
    """Rows as numbers, where they are a mask."""
    return np.arange(n)[rows] if rows.dtype == bool else rows
