"""The largest value of a dual point on neurons of kinks: by what suits, and how."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvxnn.verification.angles import largest_in_plane
from cvxnn.verification.evidence import ConeSplits, Evidence, Pieces, SignSplits
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.signs import SignTree
from cvxnn.verification.spectral import spectral_bound
from cvxnn.verification.tree import MOST_DIMENSIONS, Tree

# By how much a bound may be above the one that is to be proven: rounding is somewhat less.
_SLACK = 1e-9
# Cones, and entries of cones times rows, that a search looks at: minutes at most.
_MOST, _MOST_ENTRIES = 400_000, 2_000_000_000
# Up to so many rows signs are tried, however few dimensions there are; beyond so many there are
# too many.
_FEW_ROWS, _MANY_ROWS = 24, 400


def largest_of_kinks(pieces: Pieces, level: float, evidence: Evidence | None) -> tuple[float, str]:
    """An upper bound on ``|v'phi(u)|`` over ``||u|| <= 1``, and what has proven it.

    Parameters
    ----------
    pieces : Pieces
    level : float
        A bound that is said to hold: what is not above it need not be any closer.
    evidence : Evidence, optional
        Without it, or where it proves too little, a tree is searched.

    Raises
    ------
    InputError
        If the evidence is none for rows of this shape.
    """
    if not np.isfinite(level):
        level = np.inf
    wanted = level * (1.0 + _SLACK)
    function = pieces.reduced()
    if function.rank <= 2:
        return function.total(largest_in_plane(function)), "rows sorted by angle, exactly"
    found: list[tuple[float, str]] = []
    if evidence is not None:
        found.append((evidence.bound(pieces, wanted), evidence.words))
    if not found or found[0][0] > wanted:
        both = (function, function.negative())
        spectral = function.total(max(map(spectral_bound, both)))
        found.append((spectral, "a spectral bound"))
        if evidence is None and spectral > wanted:
            kind = _tree_for(function)
            if kind is not None:
                bounds = [bound for bound, _ in _searched(kind, function, wanted)]
                found.append((function.total(max(bounds)), f"{_NAMES[kind]}, searched"))
    return min(found)


def recorded_evidence(pieces: Pieces, level: float) -> Evidence | None:
    """The splits of a tree that proves a level, None where it takes none, or proves too little."""
    function = pieces.reduced()
    kind = _tree_for(function)
    if function.rank <= 2 or kind is None:
        return None
    (above, first), (below, second) = _searched(kind, function, level * (1.0 + _SLACK))
    if function.total(max(above, below)) > level * (1.0 + 2.0 * _SLACK):
        return None
    record = ConeSplits if kind is Tree else SignSplits
    return record(first, second)


_NAMES = {Tree: "a tree of cones", SignTree: "a tree of signs of rows"}


def _tree_for(function: Kinked) -> Any:
    """The tree that suits, or None."""
    n, rank = function.rows.shape
    if n <= _FEW_ROWS:
        return SignTree
    if rank <= MOST_DIMENSIONS:
        return Tree
    return SignTree if n <= _MANY_ROWS else None


def _searched(kind: Any, function: Kinked, level: float) -> list[tuple[float, Any]]:
    target = function.needed(level)
    most = int(min(_MOST, _MOST_ENTRIES / max(1, function.rows.size)))
    return [kind(f, target).searched(most) for f in (function, function.negative())]
