"""Small problems of a bound, nasty ones among them."""

import numpy as np

from cvxnn.relaxation.moments import Moments

Generator = np.random.Generator


def shapes(B, b, d, c=1):
    """Of the parts of Moments."""
    m, head = c + d, (B, b) if c == 1 else (B, c, b)
    return [(B, m, m), head, head, (B, d, b), (B, d, b), (B, b, b), (B, b, b), (B, b, b)]


def random_moments(rng: Generator, B, b, d, scale=1.0, c=1) -> Moments:
    """Symmetric where it has to be."""
    parts = Moments(*(scale * rng.standard_normal(shape) for shape in shapes(B, b, d, c)))
    halves = {name: getattr(parts, name) for name in ("corner", "pp", "qq")}
    return parts._replace(**{name: 0.5 * (a + a.mT) for name, a in halves.items()})


def rows_and_weights(rng: Generator, n, d):
    """Random, integer, parallel, of low rank, badly scaled, or with zeros."""
    X, w = rng.standard_normal((n, d)), rng.standard_normal(n)
    match rng.integers(7):
        case 0:
            X, w = rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-2, 3, n).astype(float)
        case 1:
            X = X[rng.integers(n, size=n)] * rng.choice([-2.0, 1.0, 1.0, 0.0, 3.0], size=(n, 1))
        case 2:
            X = X[:, : max(1, d - 1)] @ rng.standard_normal((max(1, d - 1), d))
        case 3:
            X = X * np.exp2(rng.integers(-30, 30, d).astype(float))
        case 4:
            w = w * (rng.random(n) < 0.4)
            X[:, -1] = 1.0
        case 5:
            X = X * np.exp2(rng.integers(-40, 40, (n, 1)).astype(float))
    return X, w


def multipliers(rng: Generator, X, w) -> Moments:
    """Of the size of the data, or tiny, huge or nothing; dense or sparse."""
    (B, b, d), c = X.shape, 1 if w.ndim == 2 else w.shape[1]
    size = np.abs(X).max() or 1.0
    scale = float(rng.choice([0.0, 1e-200, 1e-3, 0.3, 1.0, 1e3, 1e100]))
    L = random_moments(rng, B, b, d, scale, c)
    L = L.combined(lambda part: part * (rng.random() < 0.7))
    if rng.random() < 0.3:
        # Not even symmetric.
        L = L._replace(pp=L.pp * rng.random((b, b)), qq=L.qq * rng.random((b, b)))
    top = np.abs(w).max() or 1.0
    # Numbers that are not finite are multipliers, too.
    with np.errstate(over="ignore"):
        heads = {name: top * getattr(L, name) for name in ("p", "q", "up", "uq")}
        pairs = {name: top / size * getattr(L, name) for name in ("pp", "pq", "qq")}
    return L._replace(**heads, **pairs)
