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
_FOLDS, _FEWEST_FOLDS = 5, 3


def splitter_of(cv: Any, y: Array, *, is_classifier: bool, seed: int) -> Any:
    """The splitter of the parameter `cv`; None is five shuffled folds, or one part held out.

    There are fewer folds where five would leave a part less than two rows, or no row of some
    class; where that would be less than three, parts do not keep the shares of the classes.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As elsewhere in scikit-learn.
    y : ndarray, shape (n,)
    is_classifier : bool
        Whether parts keep the shares of the classes.
    seed : int
        Of the shuffling that None has.

    Raises
    ------
    InputError
        If there are too few rows for two folds.

    Examples
    --------
    >>> splitter_of(None, np.zeros(7), is_classifier=False, seed=0)
    KFold(n_splits=3, random_state=0, shuffle=True)
    >>> splitter_of(None, np.zeros(10_000), is_classifier=False, seed=0)
    ShuffleSplit(n_splits=1, random_state=0, test_size=0.2, train_size=None)
    """
    if cv is not None:
        return check_cv(cv, y, classifier=is_classifier)
    # A class of one row cannot be on both sides.
    fewest = int(np.unique(y, return_counts=True)[1].min()) if is_classifier else 1
    if len(y) >= _MANY_ROWS:
        kind = StratifiedShuffleSplit if fewest > 1 else ShuffleSplit
        return kind(1, test_size=_HELD_OUT, random_state=seed)
    # R^2 wants two rows for a score.
    most = min(_FOLDS, len(y) // 2)
    if most < 2:
        raise InputError(
            f"A choice of beta by cross-validation needs 4 rows at least, got n_samples={len(y)}: "
            "take the estimator without CV."
        )
    stratified = min(most, fewest)
    if is_classifier and stratified >= min(_FEWEST_FOLDS, most):
        return StratifiedKFold(stratified, shuffle=True, random_state=seed)
    return KFold(most, shuffle=True, random_state=seed)


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
