"""Networks whose neurons see one group of columns each: the groups, and the largest value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.arcs import bound_in_plane
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.largest import SLACK, bound_at_once, largest_of_kinks
from cvxnn.verification.workers import on_all_cores

Groups = tuple[tuple[int, ...], ...]
# The sign of an output weight, 0 for several outputs, and those of a direction: of each kind of
# neuron that a network has.
Kinds = tuple[tuple[int, tuple[int, ...]], ...]
# More take too long to list.
_MOST = 10_000


def stated_features(settings: Mapping[str, Any]) -> int | Groups | None:
    """What a neuron sees, as a certificate says it; InputError if that is nothing."""
    features = settings.get("features")
    if features is None or (_is_count(features) and features > 0):
        return features
    if isinstance(features, (list, tuple)) and features:
        groups = [tuple(g) if isinstance(g, (list, tuple)) else () for g in features]
        if all(g and all(_is_count(column) for column in g) for g in groups):
            return tuple(groups)
    raise InputError("The certificate has features that are none.")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def groups_in(features: int | Groups, data: FloatArray) -> Groups:
    """The columns of each group: with a last column of ones, which all neurons see."""
    width = data.shape[1]
    has_ones = bool(np.all(data[:, width - 1] == 1.0))
    own = width - 1 if has_ones else width
    if isinstance(features, int):
        size = min(features, own)
        if math.comb(own, size) > _MOST:
            raise InputError(f"The certificate has more than {_MOST} groups of features.")
        chosen: Groups = tuple(combinations(range(own), size))
    else:
        chosen = features
    if any(column >= width for group in chosen for column in group):
        raise InputError("The certificate has features that X has no columns for.")
    ones = (width - 1,) if has_ones else ()
    return tuple(sorted({tuple(sorted({*group, *ones})) for group in chosen}))


def largest_of_groups(
    data: FloatArray, v: FloatArray, groups: Groups, level: float, deadline: Deadline
) -> tuple[float, str]:
    """A bound on ``|v'(X u)_+|`` over unit u that are zero outside of one group, and how.

    Parameters
    ----------
    data : ndarray, shape (n, d)
    v : ndarray, shape (n,)
    groups : tuple of tuple of int
    level : float
        A bound that is said to hold.
    deadline : Deadline
        Of all groups together.

    Notes
    -----
    The largest of the bounds of the groups, each computed anew from its columns.
    """
    parts = [Pieces(data[:, list(group)], v, np.zeros_like(v)) for group in groups]
    return largest_of_parts(parts, level, deadline)


def largest_of_parts(
    parts: Sequence[Pieces],
    level: float,
    deadline: Deadline,
    quick_bounds: Sequence[float] | None = None,
) -> tuple[float, str]:
    """The largest of bounds on functions of kinks on the unit ball, and how.

    Where they are known already, `quick_bounds` are bounds that need no search.
    """
    wanted = level * (1.0 + SLACK) if np.isfinite(level) else np.inf
    bounds, deep = [0.0], []
    if quick_bounds is None:
        quick_bounds = on_all_cores(quick_bound, parts)
    for part, quick in zip(parts, quick_bounds, strict=True):
        if quick <= wanted:
            bounds.append(quick)
        else:
            deep.append(part)
    in_planes = all(part.rows.shape[1] <= 2 for part in parts)
    how = "rows of each group sorted by angle" if in_planes else "bounds without a search"
    for k, part in enumerate(deep):
        function = part.reduced()
        if function.rank <= 2:
            bounds.append(bound_at_once(function)[0])
            continue
        share = deadline.share(len(deep) - k)
        bound, found = largest_of_kinks(part, level, None, share)
        bounds.append(bound)
        how = f"for each group and sign {found}" if part.is_one_sided else f"for each group {found}"
    return max(bounds), how


def quick_bound(pieces: Pieces) -> float:
    """What needs no search."""
    function = pieces.reduced()
    if function.rank > 2:
        return bound_at_once(function)[0]
    return function.total(bound_in_plane(function))


def kinds_of(hidden: FloatArray, output: FloatArray) -> Kinds:
    """The signs of the neurons of a network, of those that do anything."""
    used = output != 0.0 if output.ndim == 1 else output.any(axis=1)
    heads = np.sign(output[used]) if output.ndim == 1 else np.zeros(int(used.sum()))
    pairs = zip(heads.astype(int).tolist(), np.sign(hidden[used]).astype(int).tolist(), strict=True)
    return tuple(sorted({(head, tuple(entries)) for head, entries in pairs}))


def outside(kinds: Kinds, groups: Groups) -> str:
    """The sentence for neurons that see columns of no one group, if there are any."""
    sets = [set(group) for group in groups]
    supports = [np.flatnonzero(signs).tolist() for _, signs in kinds]
    others = [s for s in supports if not any(set(s) <= group for group in sets)]
    if not others:
        return ""
    columns = ", ".join(map(str, others[0]))
    return (
        f"The network has a neuron that sees the columns {columns}, and the certificate is about "
        f"networks whose neurons see one of {len(groups)} groups of columns each."
    )
