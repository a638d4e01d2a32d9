"""The largest value of a dual point on neurons of kinks: by what suits, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cvxnn.errors import InputError
from cvxnn.verification.angles import largest_in_plane
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import ConeSplits, Evidence, Pieces, SignSplits
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.signs import SignTree
from cvxnn.verification.spectral import spectral_bound
from cvxnn.verification.tree import MOST_DIMENSIONS, Tree

# By how much a bound may be above the one that is to be proven. About a largest value that lies
# on kinks cones become needles, and estimates on them are not much closer than this: to halve
# those on which rounding is left would not end.
SLACK = 3e-8
# Cones or regions, and entries of them times rows, that a search looks at: minutes at most.
MOST, MOST_ENTRIES = 800_000, 2_000_000_000
# Signs are tried first up to so many rows, or, in so many dimensions, so many for each; beyond
# so many rows there are too many.
_FEW_ROWS, _HIGH, _ROWS_EACH, _MANY_ROWS = 24, 5, 7, 512
# Regions after which another tree is tried, where there is one.
_FIRST = 20_000


def largest_of_kinks(
    pieces: Pieces, level: float, evidence: Evidence | None, deadline: Deadline = FOREVER
) -> tuple[float, str]:
    """An upper bound on ``|v'phi(u)|`` over ``||u|| <= 1``, and what has proven it.

    Parameters
    ----------
    pieces : Pieces
        Of one side for a bound on ``v'phi(u)``.
    level : float
        A bound that is said to hold: what is not above it need not be any closer.
    evidence : Evidence, optional
        Without it a tree is searched, where one eigenvalue does not do.
    deadline : Deadline
        Of a search, which then says what it has proven.

    Raises
    ------
    InputError
        If the evidence is none for rows of this shape, or for one output.
    """
    if evidence is not None and evidence.is_of_outputs:
        raise InputError("The certificate has evidence for several outputs, and there is one.")
    if not np.isfinite(level):
        level = np.inf
    wanted = level * (1.0 + SLACK)
    function = pieces.reduced()
    if function.rank <= 2:
        return bound_at_once(function)
    if evidence is not None:
        found = [(evidence.bound(pieces, wanted, deadline), evidence.words)]
        return found[0] if found[0][0] <= wanted else min(*found, bound_at_once(function))
    found = [bound_at_once(function)]
    if found[0][0] > wanted:
        found += [
            (bound, f"{_NAMES[kind]}, searched")
            for kind, bound, _ in _searches(function, wanted, deadline)
        ]
    return min(found)


def bound_at_once(function: Kinked) -> tuple[float, str]:
    """What needs neither evidence nor a search, and what it is."""
    if function.rank <= 2:
        return function.total(largest_in_plane(function)), "rows sorted by angle, exactly"
    return function.total(max(map(spectral_bound, function.sides))), "a spectral bound"


def recorded_evidence(pieces: Pieces, level: float) -> Evidence | None:
    """The splits of a tree that proves a level, None where it takes none, or proves too little."""
    function = pieces.reduced()
    if function.rank <= 2:
        return None
    for kind, bound, splits in _searches(function, level * (1.0 + SLACK), FOREVER):
        if bound <= level * (1.0 + SLACK) * (1.0 + 1e-9):
            return ConeSplits(*splits) if kind is Tree else SignSplits(*splits)
    return None


_NAMES = {Tree: "a tree of cones", SignTree: "a tree of signs of rows"}


def _searches(
    function: Kinked, level: float, deadline: Deadline
) -> Iterator[tuple[Any, float, list[Any]]]:
    """Trees that suit, one after the other until one proves the level: bounds and splits."""
    n, rank = function.rows.shape
    is_few = n <= _FEW_ROWS or (rank >= _HIGH and n <= _ROWS_EACH * rank)
    is_high = rank > MOST_DIMENSIONS and n <= _MANY_ROWS
    kinds: list[Any] = [SignTree] if is_few or is_high else []
    if rank <= MOST_DIMENSIONS:
        kinds.append(Tree)
    target = function.needed(level)
    for k, kind in enumerate(kinds):
        most = int(min(MOST, MOST_ENTRIES / max(1, function.rows.size)))
        most = most if kind is kinds[-1] else min(most, _FIRST)
        left, found, sides = deadline.share(len(kinds) - k), [], function.sides
        for place, f in enumerate(sides):
            found.append(kind(f, target, left.share(len(sides) - place)).searched(most))
        bound = function.total(max(part for part, _ in found))
        yield kind, bound, [splits for _, splits in found]
        if bound <= level:
            return
