"""A random subset of the activation patterns."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.interrupts import Deadline
from cvxnn.patterns.pattern_set import PatternSet
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.validation import check_choice, check_count, check_data, check_random_state

# Entries, and products of a QR, between two looks at a deadline.
_STEP_WORK = 1 << 21

SCHEMES = ("data", "gaussian")


def sample_patterns(
    X: FloatArray,
    n_samples: int,
    random_state: int | np.random.Generator | None = None,
    *,
    scheme: str = "data",
) -> PatternSet:
    """The distinct patterns of random directions.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Data; a bias is a column of ones.
    n_samples : int
        Directions to draw; the patterns are usually fewer.
    random_state : int, numpy Generator or None
        Source of the draws.
    scheme : {"data", "gaussian"}
        ``"data"``: a direction orthogonal to r - 1 random rows, moved off these
        rows to a random side of each. It picks among the rays of the arrangement,
        however narrow the cells around them are. ``"gaussian"``: ``u ~ N(0, I)``
        as in the seed paper. It meets a cell with the probability of its solid
        angle, so badly scaled data hide most cells: half of them for raw
        one-dimensional data with a bias.

    Returns
    -------
    PatternSet
        In the order of the draws; ``is_complete`` is False.

    Raises
    ------
    InputError
        If an argument is not as described.

    Notes
    -----
    O(n_samples n d), and O(n_samples r^3) for ``"data"``.

    References
    ----------
    Seed paper, section 4.2 ("Approximate"); M. Pilanci, arXiv 2309.16512, for
    directions through data points.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import sample_patterns
    >>> X = np.column_stack([np.arange(20.0), np.ones(20)])
    >>> len(sample_patterns(X, 200, 0)), len(sample_patterns(X, 200, 0, scheme="gaussian"))
    (40, 18)
    """
    X = check_data(X)
    n_samples = check_count(n_samples, "n_samples")
    scheme = check_choice(scheme, "scheme", SCHEMES)
    rng = check_random_state(random_state)
    return sample_until(X, Deadline(), n_samples, rng, scheme)


def sample_until(
    X: FloatArray, deadline: Deadline, n_samples: int, rng: np.random.Generator, scheme: str
) -> PatternSet:
    """:func:`sample_patterns`; OutOfTimeError if the deadline passes before the end."""
    if scheme == "gaussian":
        directions = rng.standard_normal((n_samples, X.shape[1]))
    else:
        directions = _directions_through_rows(X, n_samples, rng, deadline)
    return PatternSet.from_directions(X, directions, deadline=deadline)


def _directions_through_rows(
    X: FloatArray, n_samples: int, rng: np.random.Generator, deadline: Deadline
) -> FloatArray:
    """Directions next to rays of the arrangement, shape (n_samples, d)."""
    reduction = reduce_rows(X, deadline)
    rows, r = reduction.coordinates, reduction.rank
    if r == 0:
        return np.ones((n_samples, X.shape[1]))
    directions = np.empty((n_samples, r))
    # What a chunk needs: its normals and their factors, and its products with the rows.
    for part in deadline.chunks(n_samples, (1 << 24) // max(len(rows), 4 * r * r)):
        directions[part] = _rays_and_sides(rows, part.stop - part.start, rng, deadline)
    return directions @ reduction.to_direction.T


def _rays_and_sides(
    rows: FloatArray, count: int, rng: np.random.Generator, deadline: Deadline
) -> FloatArray:
    """Random rays of the arrangement, each moved to a random side of its r - 1 rows."""
    r = rows.shape[1]
    subsets = _subsets(len(rows), r - 1, count, rng)
    signs = rng.choice([-1.0, 1.0], (count, 1))
    sides = rng.choice([-1.0, 1.0], (count, r - 1, 1))
    moved = np.empty((count, r))
    # The draws do not depend on how many are looked at together.
    for part in deadline.chunks(count, _STEP_WORK // max(len(rows), r**3)):
        moved[part] = _moved_rays(rows, rows[subsets[part]], signs[part], sides[part])
    return moved


def _moved_rays(
    rows: FloatArray, normals: FloatArray, signs: FloatArray, sides: FloatArray
) -> FloatArray:
    """The rays on r - 1 rows each, shape (k, r - 1, r), moved to the given sides of them."""
    r = rows.shape[1]
    # Columns of Q: a basis of the span of the rows, then the ray.
    Q, R = np.linalg.qr(normals.transpose(0, 2, 1), mode="complete")
    rays = Q[:, :, -1] * signs
    triangle = R[:, : r - 1].transpose(0, 2, 1)
    # Dependent rows (a degenerate subset) get a direction all the same.
    triangle[:, np.arange(r - 1), np.arange(r - 1)] += 1e-12
    off = (Q[:, :, : r - 1] @ np.linalg.solve(triangle, sides))[:, :, 0]
    return rays + _short_step(rows, rays, off) * off


def _subsets(p: int, size: int, count: int, rng: np.random.Generator) -> IntArray:
    """Random subsets of ``range(p)``, shape (count, size); drawn row by row."""
    return np.array(
        [rng.choice(p, size, replace=False, shuffle=False) for _ in range(count)], dtype=np.int64
    ).reshape(count, size)


def _short_step(rows: FloatArray, rays: FloatArray, off: FloatArray) -> FloatArray:
    """Half of the step at which the first other row would change its side, shape (k, 1)."""
    at, rate = np.abs(rays @ rows.T), np.abs(off @ rows.T)
    passed = at > 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(passed & (rate > 0.0), at / rate, np.inf)
    return np.asarray(np.minimum(0.5 * ratios.min(axis=1, keepdims=True), 1.0))
