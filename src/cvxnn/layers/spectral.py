"""An upper bound on the oracle that needs no patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray

_EPS = float(np.finfo(float).eps)
# Of a level, to four digits.
_BISECTIONS = 15


def spectral_bound(X: FloatArray, v: FloatArray, *, quick: bool = False) -> float:
    """Upper bound on ``max_{||u|| <= 1} |v'(Xu)_+|`` from one eigenvalue per sign.

    With ``(t)_+ = (t + |t|) / 2`` and ``w_i = max(v_i, 0) ||x_i||``,

        v'(Xu)_+ <= 1/2 ||X'v|| + 1/2 sum_i max(v_i, 0) |x_i'u|
                 <= 1/2 ||X'v|| + 1/2 (sum_i w_i)^(1/2) lambda_max(A)^(1/2)

    where ``A = sum_i w_i x_i x_i' / ||x_i||^2``, by Cauchy and Schwarz; the same
    with -v for the other sign. With fewer rows than columns the eigenvalue is that of
    the n x n matrix ``(w_i w_k)^(1/2) x_i'x_k / (||x_i|| ||x_k||)``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)
    quick : bool
        Take the trace ``sum_i w_i`` for the largest eigenvalue, O(n d) in all: a looser
        bound, for when there is no time.

    Returns
    -------
    float
        Rounding included. O(n d m) with m = min(n, d).

    Examples
    --------
    >>> import numpy as np
    >>> bool(spectral_bound(np.eye(2), np.array([3.0, -4.0])) >= 4.0)
    True
    """
    # Scaled by a power of two, so without rounding: squares of a small v would vanish.
    largest = float(np.abs(v).max(initial=0.0))
    if largest == 0.0:
        return 0.0
    unit = float(np.exp2(np.floor(np.log2(largest))))
    v = v / unit
    lengths = np.linalg.norm(X, axis=1)
    units = X / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    linear = float(np.linalg.norm(X.T @ v))
    worst = max(_root(units, lengths, sign * v, quick=quick) for sign in (1.0, -1.0))
    return (0.5 * linear + 0.5 * worst + _margin(X, v, lengths)) * unit


@dataclass(frozen=True)
class PaidBound:
    """Upper bounds on ``v'(Xu)_+ - p ||u||_1`` over a cone and ``||u|| <= 1``, for prices p.

    As in :func:`spectral_bound`, but for this sign of v only, and the linear part

        1/2 (X'v)'u - p ||u||_1 <= 1/2 ||h||,    |h_j| = (|(X'v)_j| - 2 p)_+,

    with ``h_j = 0`` where the cone has no u_j of the sign of ``(X'v)_j``. With a price it is
    often better to bound the second part entry by entry, too: for ``c = |X|'v_+``

        v'(Xu)_+ - p ||u||_1 <= sum_j |u_j| (1/2 sign(u_j) (X'v)_j + 1/2 c_j - p) <= ||g||,

    where ``g_j >= 0`` is the best that the cone allows. The smaller one is taken.

    Attributes
    ----------
    pull : ndarray, shape (d,)
        ``X'v``, 0 where the cone does not let u follow it.
    root : float
        Of the second part.
    margin : float
        The rounding.
    reach : ndarray, shape (d,)
        The ``g_j`` without a price, rounding included; may be below 0.
    """

    pull: FloatArray
    root: float
    margin: float
    reach: FloatArray

    @classmethod
    def of(cls, X: FloatArray, v: FloatArray, cone: FloatArray) -> PaidBound:
        """For the cone ``t_j u_j >= 0`` of `cone`, shape (d,); O(n d m), m = min(n, d)."""
        largest = float(np.abs(v).max(initial=0.0))
        unit = float(np.exp2(np.floor(np.log2(largest)))) if largest > 0.0 else 1.0
        v = v / unit
        lengths = np.linalg.norm(X, axis=1)
        units = X / np.where(lengths > 0.0, lengths, 1.0)[:, None]
        pull, moduli = X.T @ v, np.abs(X).T @ np.abs(v)
        against = cone * pull < 0.0
        rounding = 4.0 * (len(v) + 8) * _EPS * moduli
        reach = 0.5 * (np.where(against, -1.0, 1.0) * np.abs(pull) + np.abs(X).T @ np.maximum(v, 0))
        pull[against] = 0.0
        root = _root(units, lengths, v, quick=False)
        margin = _margin(X, v, lengths)
        return cls(pull * unit, root * unit, margin * unit, (reach + rounding) * unit)

    def at(self, price: float) -> float:
        """The bound for a price p >= 0, rounding included.

        Examples
        --------
        >>> X, v = np.array([[3.0, 4.0]]), np.ones(1)
        >>> bounds = PaidBound.of(X, v, np.array([0.0, -1.0]))
        >>> bounds.at(0.0) >= 3.0, bounds.at(1.0) >= 2.0
        (True, True)
        """
        h = np.maximum(np.abs(self.pull) - 2.0 * price, 0.0)
        g = np.maximum(self.reach - price, 0.0)
        spectral = 0.5 * np.linalg.norm(h) + 0.5 * self.root + self.margin
        return float(min(spectral, np.linalg.norm(g) * (1.0 + 4.0 * (len(g) + 8) * _EPS)))

    def largest(self, l1_ratio: float) -> float:
        """Of ``v'(Xu)_+`` where ``(1 - r) ||u|| + r ||u||_1 <= 1``, for the r of `l1_ratio`.

        At most ``max(at(L r) + L r, L)`` for any level L; the least of these is where both are
        the same, between the values of a bisection.
        """
        start = self.at(0.0)
        if l1_ratio == 0.0 or start == 0.0:
            return start
        low, high = 0.0, start
        for _ in range(_BISECTIONS):
            level = 0.5 * (low + high)
            if self.at(level * l1_ratio) > level * (1.0 - l1_ratio):
                low = level
            else:
                high = level
        price = high * l1_ratio
        return min(start, max(self.at(price) + price, high) * (1.0 + 8.0 * _EPS))


def _root(units: FloatArray, lengths: FloatArray, v: FloatArray, *, quick: bool) -> float:
    """``(sum_i w_i)^(1/2) lambda_max(A)^(1/2)`` for one sign."""
    weights = np.maximum(v, 0.0) * lengths
    top = float(weights.sum()) if quick else largest_eigenvalue(units, weights)
    return float(np.sqrt(weights.sum() * top))


def _margin(X: FloatArray, v: FloatArray, lengths: FloatArray) -> float:
    """What rounding may take."""
    n, d = X.shape
    # The sums err by n + d eps of their moduli at most, the largest eigenvalue by m^3 eps of
    # itself, m the order of the matrix; it is at least a share 1 / m of the trace, so that
    # its root errs by m^(1/2) times as much as the entries.
    order = min(n, d)
    share = (n + d) * (order + 1.0) ** 0.5 + order**3 + 8
    return 4.0 * share * _EPS * float(np.abs(v) @ lengths)


def largest_eigenvalue(units: FloatArray, weights: FloatArray) -> float:
    """Of ``sum_i w_i u_i u_i'``, from the smaller of the two matrices that have it."""
    n, d = units.shape
    if n < d:
        scaled = units * np.sqrt(weights)[:, None]
        matrix = scaled @ scaled.T
    else:
        matrix = (units * weights[:, None]).T @ units
    return max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)
