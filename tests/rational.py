"""The problem in the plane in exact rational arithmetic, independent of the library."""

import math
from fractions import Fraction
from functools import cmp_to_key
from itertools import groupby


def integers(values):
    """Integers k and an exponent e with values ``k 2^-e``, exactly."""
    fractions = [Fraction(float(value)) for value in values.reshape(-1)]
    largest = max((value.denominator for value in fractions), default=1)
    return [int(value * largest) for value in fractions], largest.bit_length() - 1


def power(exponent):
    return Fraction(2) ** exponent


def cross(a, b):
    return a[0] * b[1] - a[1] * b[0]


def _before(a, b):
    """Order of two vectors by their angle from the first axis, in [0, 2 pi)."""
    halves = [v[1] < 0 or (v[1] == 0 and v[0] < 0) for v in (a, b)]
    if halves[0] != halves[1]:
        return int(halves[0]) - int(halves[1])
    turn = cross(a, b)
    return -1 if turn > 0 else int(turn < 0)


def root(value):
    """The square root, rounded once or twice, wherever the exponent is."""
    shift = (value.denominator.bit_length() - value.numerator.bit_length()) // 2
    return math.ldexp(math.sqrt(float(value * power(2 * shift))), -shift)


def largest(X, v):
    """``max |v'(Xu)_+|`` over the unit circle for two columns, rounded once; O(n log n).

    A walk around the circle with the sum g of the active rows: on an arc the function is
    ``g'u``, largest at one of its ends or along g.
    """
    flat, e = integers(X)
    rows = list(zip(flat[::2], flat[1::2], strict=True))
    weights, f = integers(v)
    events = []
    for (x, z), weight in zip(rows, weights, strict=True):
        if (x, z) != (0, 0) and weight:
            events += [((z, -x), (weight * x, weight * z)), ((-z, x), (-weight * x, -weight * z))]
    order = cmp_to_key(_before)
    events.sort(key=lambda event: order(event[0]))
    turns = [(list(group)) for _, group in groupby(events, key=lambda event: order(event[0]))]
    if not turns:
        return 0.0
    # On the last arc, which ends at the first direction.
    first, last = turns[0][0][0], turns[-1][0][0]
    middle = inside(last, first)
    g = (0, 0)
    for (x, z), weight in zip(rows, weights, strict=True):
        if x * middle[0] + z * middle[1] > 0:
            g = (g[0] + weight * x, g[1] + weight * z)
    best = Fraction(0)
    for i, turn in enumerate(turns):
        u = turn[0][0]
        value = g[0] * u[0] + g[1] * u[1]
        best = max(best, Fraction(value * value, u[0] ** 2 + u[1] ** 2))
        for _, change in turn:
            g = (g[0] + change[0], g[1] + change[1])
        after = turns[(i + 1) % len(turns)][0][0]
        if any(cross(u, s) >= 0 and cross(s, after) >= 0 for s in (g, (-g[0], -g[1]))):
            best = max(best, Fraction(g[0] ** 2 + g[1] ** 2))
    return root(best * power(-2 * (e + f)))


def inside(a, b):
    """A direction on the arc of less than a full turn from a to b."""
    if cross(a, b) > 0:
        lengths = [abs(v[0]) + abs(v[1]) for v in (a, b)]
        return a[0] * lengths[1] + b[0] * lengths[0], a[1] * lengths[1] + b[1] * lengths[0]
    return -a[1], a[0]


def objective(hidden, output, X, y, beta):
    """``1/2 ||f - y||^2 + beta/2 (||hidden||^2 + ||output||^2)``."""
    flat, e = integers(X)
    weights, h = integers(hidden)
    heads, a = integers(output)
    rows = list(zip(flat[::2], flat[1::2], strict=True))
    neurons = list(zip(weights[::2], weights[1::2], heads, strict=True))
    unit = power(-(e + h + a))
    loss = Fraction(0)
    for (x, z), target in zip(rows, y, strict=True):
        f = sum(head * max(0, x * w + z * b) for w, b, head in neurons)
        loss += (f * unit - Fraction(float(target))) ** 2
    squares = sum(w * w for w in weights) * power(-2 * h)
    squares += sum(head * head for head in heads) * power(-2 * a)
    return (loss + Fraction(float(beta)) * squares) / 2


def bound(X, y, beta, v):
    """``t v'y - 1/2 ||t v||^2`` for the best t that leaves ``t v`` feasible, up to 1e-15."""
    at, f = integers(v)
    targets, e = integers(y)
    along = Fraction(sum(a * b for a, b in zip(at, targets, strict=True))) * power(-(e + f))
    squares = Fraction(sum(a * a for a in at)) * power(-2 * f)
    t = min(along / squares, Fraction(beta) / Fraction(largest(X, v)) * (1 - power(-50)))
    return t * along - t * t * squares / 2
