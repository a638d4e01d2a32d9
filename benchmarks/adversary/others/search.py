"""Better networks: terms that gain at the residual, and all of their weights at once."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize

from adversary.others.problem import OthersProblem, Terms, objective
from adversary.problem import LEVEL, FloatArray, Interval

_ROUNDS, _DRAWS = 6, 60


class OthersSearch:
    """From the terms of a network and random ones, with the best weights; then more terms.

    In float64, but for the objective of what it ends with.

    Parameters
    ----------
    problem : OthersProblem
    given : Terms
        The network under test.
    masks : ndarray, shape (k, n), optional
        Where both gates of a pair are open.
    """

    def __init__(
        self, problem: OthersProblem, given: Terms, rng: np.random.Generator, masks: Any = None
    ) -> None:
        self.problem, self.rng, self.masks = problem, rng, masks
        self.best, self.origin = objective(problem, given), "given"
        self._given = given

    def run(self) -> Interval:
        """The least objective."""
        with np.errstate(all="ignore"):
            parts = [_unit(self.problem, self._given.arrays)] if len(self._given.alpha) else []
            parts.append(self._drawn(_DRAWS))
            arrays = _joined(parts)
            for _ in range(_ROUNDS):
                alpha, intercept, v = self._fit(arrays)
                if v is None:
                    break
                used = np.abs(alpha) > 0.0
                self._offer(Terms(alpha[used], tuple(a[used] for a in arrays), intercept))
                arrays = _joined([tuple(a[used] for a in arrays), self._promising(v)])
        return self.best

    def _offer(self, network: Terms) -> None:
        numbers = [network.alpha, network.intercept, *network.arrays]
        if not all(np.isfinite(part).all() for part in numbers):
            return
        value = objective(self.problem, network)
        if value[1] < self.best[0]:
            self.best, self.origin = value, "terms"

    def _drawn(self, count: int) -> tuple[FloatArray, ...]:
        """Random terms of the price 1."""
        d, rng = self.problem.X.shape[1], self.rng
        match self.problem.kind:
            case "polynomial":
                return _unit(self.problem, (rng.standard_normal((count, d)),))
            case "quantized":
                if 4**d <= 1024:
                    signs = np.array(list(product((-1.0, 1.0), repeat=d)))
                    pairs = [(k, j) for k in range(len(signs)) for j in range(k + 1)]
                    return signs[[k for k, _ in pairs]], signs[[j for _, j in pairs]]
                left, right = np.sign(rng.standard_normal((2, count, d)))
                return left, right
            case "gates":
                chosen = self.masks[rng.integers(len(self.masks), size=count)]
                return _unit(self.problem, (rng.standard_normal((count, d)), chosen))
        W, b = rng.standard_normal((count, 2, d)), rng.standard_normal((count, 2))
        c, e = np.zeros((count, 2)), np.zeros(count)
        if self.problem.kind == "ramps":
            x = self.problem.X[:, 0]
            knots = rng.choice(x, (count, 2))
            W, c = np.ones((count, 2, 1)), -knots
            W[:, 1], b = 0.0, np.column_stack([np.ones(count), np.zeros(count)])
            flat = rng.random(count) < 0.7
            # Ramps between two points: minus the positive part, turned over.
            W[flat, 0], c[flat, 0], b[flat, 0] = 1.0, -knots[flat].min(axis=1), -1.0
            e[flat] = np.ptp(knots[flat], axis=1)
            turned = rng.random(count) < 0.5
            W[turned], c[turned] = -W[turned], -c[turned]
        return _unit(self.problem, (W, b, c, e))

    def _promising(self, v: FloatArray) -> tuple[FloatArray, ...]:
        """Terms of large values at the residual."""
        problem, d = self.problem, self.problem.X.shape[1]
        if problem.kind == "polynomial":
            a, b, _ = problem.coefficients
            X = problem.X
            bent = a * (X.T * v) @ X
            slope = b * X.T @ v
            if not (np.isfinite(bent).all() and np.isfinite(slope).all()):
                return self._drawn(_DRAWS)
            u = np.vstack([np.linalg.eigh(bent)[1].T, slope, self.rng.standard_normal((8, d))])
            for sign in (1.0, -1.0):
                w = u[-8:]
                shift = np.linalg.norm(bent, 2)
                for _ in range(50):
                    w = sign * (2.0 * w @ bent + slope) + 2.0 * shift * w
                    w = w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-300)
                u = np.vstack([u, w])
            return _unit(problem, (u[np.linalg.norm(u, axis=1) > 0.0],))
        if problem.kind == "gates":
            u = (self.masks * v) @ problem.X
            kept = np.linalg.norm(u, axis=1) > 0.0
            return _unit(problem, (u[kept], self.masks[kept]))
        terms = self._drawn(20 * _DRAWS)
        values = np.abs(v @ _columns(problem, terms))
        best = np.argsort(-np.nan_to_num(values))[:_DRAWS]
        return tuple(part[best] for part in terms)

    def _fit(self, arrays: Any) -> tuple[FloatArray, float, FloatArray | None]:
        """The best weights of terms of price 1 and the residual, None beyond float64."""
        problem = self.problem
        columns = _columns(problem, arrays)
        sizes = np.abs(columns).max(axis=0, initial=0.0)
        m, target = columns.shape[1], np.abs(problem.y).max(initial=0.0) or 1.0
        if problem.loss in ("logistic", "hinge", "squared_hinge"):
            target = 1.0
        units = np.where(sizes > 0.0, target / np.where(sizes > 0.0, sizes, 1.0), 1.0)
        scaled, prices = columns * units, problem.beta * units
        if not (np.isfinite(scaled).all() and np.isfinite(prices).all()):
            return np.zeros(m), 0.0, None
        unit = max(_loss(problem, np.zeros(len(problem.y)))[0], 1e-290)

        def value(p: FloatArray) -> tuple[float, FloatArray]:
            z, shift = p[:m] - p[m : 2 * m], p[-1] * target * problem.intercept
            f = scaled @ z + shift
            loss, slope = _loss(problem, f)
            gradient = scaled.T @ slope
            last = target * slope.sum() * problem.intercept
            full = np.concatenate([gradient + prices, prices - gradient, [last]])
            return (loss + prices @ (p[:m] + p[m : 2 * m])) / unit, full / unit

        bounds = [(0.0, None)] * (2 * m) + [(None, None)]
        start = np.zeros(2 * m + 1)
        if not np.isfinite(value(start)[1]).all():
            return np.zeros(m), 0.0, None
        found = minimize(
            value, start, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 400, "ftol": 1e-15, "gtol": 1e-12},
        ).x  # fmt: skip
        alpha = (found[:m] - found[m : 2 * m]) * units
        intercept = float(found[-1] * target * problem.intercept)
        slope = _loss(problem, columns @ alpha + intercept)[1]
        return alpha, intercept, -slope if np.isfinite(slope).all() else None


def _columns(problem: OthersProblem, arrays: Any) -> FloatArray:
    """``phi_j`` of all rows, shape (n, m), in float64."""
    X = problem.X
    if problem.kind == "polynomial":
        a, b, c = problem.coefficients
        t = X @ arrays[0].T
        return (a * t + b) * t + c
    if problem.kind == "quantized":
        return (X @ arrays[0].T) * (X @ arrays[1].T)
    if problem.kind == "gates":
        return np.where(arrays[1].T, X @ arrays[0].T, 0.0)
    W, b, c, e = arrays
    hidden = np.maximum(np.einsum("nd,mkd->nmk", X, W) + c, 0.0)
    return np.maximum(np.einsum("nmk,mk->nm", hidden, b) + e, 0.0)


def _unit(problem: OthersProblem, arrays: Any) -> tuple[FloatArray, ...]:
    """Terms divided by their price."""
    if problem.kind == "quantized":
        return tuple(arrays)
    if problem.kind in ("polynomial", "gates"):
        u = arrays[0]
        return u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300), *arrays[1:]
    W, b, c, e = arrays
    one = np.maximum(np.linalg.norm(W.reshape(len(W), -1), axis=1), 1e-300)
    two = np.maximum(np.linalg.norm(b, axis=1), 1e-300)
    return W / one[:, None, None], b / two[:, None], c / one[:, None], e / (one * two)


def _joined(parts: Any) -> tuple[FloatArray, ...]:
    """The terms of several arrays; sub-networks get as many hidden units as the widest has."""
    parts = list(parts)
    if len(parts[0]) == 4:
        width = max(part[1].shape[1] for part in parts)
        parts = [
            tuple(
                np.pad(a, [(0, 0), (0, width - a.shape[1])] + [(0, 0)] * (a.ndim - 2))
                if a.ndim > 1
                else a
                for a in part
            )
            for part in parts
        ]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _loss(problem: OthersProblem, f: FloatArray) -> tuple[float, FloatArray]:
    """The loss and its gradient, one of them where it has kinks."""
    y, r = problem.y, f - problem.y
    match problem.loss:
        case "squared":
            values, slopes = 0.5 * r**2, r
        case "huber":
            inner = np.clip(r, -problem.delta, problem.delta)
            values, slopes = inner * (r - 0.5 * inner), inner
        case "logistic":
            values, slopes = np.logaddexp(0.0, -y * f), -y * np.exp(-np.logaddexp(0.0, y * f))
        case "squared_hinge":
            left = np.maximum(1.0 - y * f, 0.0)
            values, slopes = 0.5 * left**2, -y * left
        case "hinge":
            values, slopes = np.maximum(1.0 - y * f, 0.0), np.where(y * f < 1.0, -y, 0.0)
        case "absolute":
            values, slopes = np.abs(r), np.sign(r)
        case _:
            values = np.maximum(-LEVEL * r, (1.0 - LEVEL) * r)
            slopes = np.where(r < 0.0, -LEVEL, 1.0 - LEVEL)
    return float(problem.weights @ values), problem.weights * slopes
