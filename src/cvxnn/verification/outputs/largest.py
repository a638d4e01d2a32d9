"""The largest norm of a dual point of several outputs on neurons of kinks: by what suits."""

from __future__ import annotations

import numpy as np

from cvxnn.errors import InputError
from cvxnn.verification.cones import Splits
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.largest import MOST, MOST_ENTRIES, SLACK
from cvxnn.verification.outputs.evidence import OutputsSplits
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.outputs.plane import largest_norm_in_plane
from cvxnn.verification.outputs.spectral import spectral_norm_bound
from cvxnn.verification.outputs.tree import OutputsTree
from cvxnn.verification.tree import MOST_DIMENSIONS


def largest_of_outputs(
    pieces: Pieces, level: float, evidence: Evidence | None, deadline: Deadline = FOREVER
) -> tuple[float, str]:
    """An upper bound on ``||V'phi(u)||`` over ``||u|| <= 1``, and what has proven it.

    Parameters
    ----------
    pieces : Pieces
        Of several outputs.
    level : float
        A bound that is said to hold: what is not above it need not be any closer.
    evidence : Evidence, optional
        Without it, or where it proves too little, a tree is searched.
    deadline : Deadline
        Of a search, which then says what it has proven.

    Raises
    ------
    InputError
        If the evidence is none for rows of this shape, or for several outputs.
    """
    if evidence is not None and not evidence.is_of_outputs:
        raise InputError("The certificate has evidence for one output, and there are several.")
    wanted = (level if np.isfinite(level) else np.inf) * (1.0 + SLACK)
    separate = OutputsKinked.of(pieces, merged=False)
    if separate.rank <= 2:
        return separate.total(largest_norm_in_plane(separate)), "rows sorted by angle, exactly"
    function = OutputsKinked.of(pieces)
    found = []
    if evidence is not None:
        found.append((evidence.bound(pieces, wanted, deadline), evidence.words))
    if not found or found[0][0] > wanted:
        # Merged rows make a tree smaller, but not this bound: their linear parts may add to it.
        spectral = min(each.total(spectral_norm_bound(each)) for each in (function, separate))
        found.append((spectral, "a spectral bound"))
        if evidence is None and spectral > wanted and function.rank <= MOST_DIMENSIONS:
            found.append((_searched(function, wanted, deadline)[0], "a tree of cones, searched"))
    return min(found)


def recorded_splits(pieces: Pieces, level: float) -> Evidence | None:
    """The splits of a tree that proves a level, None where it takes none, or proves too little."""
    function, wanted = OutputsKinked.of(pieces), level * (1.0 + SLACK)
    if not 2 < function.rank <= MOST_DIMENSIONS:
        return None
    bound, splits = _searched(function, wanted, FOREVER)
    return OutputsSplits(splits) if bound <= wanted * (1.0 + 1e-9) else None


def _searched(function: OutputsKinked, level: float, deadline: Deadline) -> tuple[float, Splits]:
    most = int(min(MOST, MOST_ENTRIES / max(1, function.rows.size)))
    bound, splits = OutputsTree(function, function.needed(level), deadline).searched(most)
    return function.total(bound), splits
