"""Three layers on one feature with free biases, written out anew: slopes, all ramps, networks."""

from dataclasses import dataclass

import numpy as np
from programs import in_cvxpy, search

from cvxnn.array_types import FloatArray
from cvxnn.losses import as_loss


@dataclass(frozen=True)
class Ramped:
    """``f = c + sum_k s_k clip(x - t_k, 0, t'_k - t_k)`` at the price of the slopes ``|s_k|``."""

    x: FloatArray

    def optimum(self, cp, loss, y, beta, *, intercept=True):
        """Of the program of values at the points, whose slopes turn; a constant is free anyway."""
        points, places = np.unique(self.x, return_inverse=True)
        f = cp.Variable(len(points))
        slopes = cp.multiply(cp.diff(f), 1.0 / np.diff(points))
        turns = cp.norm1(cp.diff(cp.hstack([0.0, slopes, 0.0])))
        program = cp.Problem(cp.Minimize(in_cvxpy(cp, loss, f[places], y) + 0.5 * beta * turns))
        return float(program.solve(solver="CLARABEL"))

    def dictionary(self):
        """All ramps between data, shape (n, m (m - 1) / 2)."""
        points = np.unique(self.x)
        pairs = [(s, t) for i, s in enumerate(points) for t in points[i + 1 :]]
        return np.column_stack([np.clip(self.x - s, 0.0, t - s) for s, t in pairs])

    def lasso(self, cp, loss, y, beta):
        """The optimum over sums of all ramps between data, by a Lasso."""
        A = self.dictionary()
        z, c = cp.Variable(A.shape[1]), cp.Variable()
        program = cp.Problem(cp.Minimize(in_cvxpy(cp, loss, A @ z + c, y) + beta * cp.norm1(z)))
        return float(program.solve(solver="CLARABEL"))

    def lowest(self, loss, y, beta, m=5, width=2):
        """What L-BFGS finds on the weights of m sub-networks, from random starts."""
        chosen, x = as_loss(loss), self.x[:, None, None]
        sizes = [m * width] * 3 + [m, m]

        def objective(weights):
            w, c, b, e, a = np.split(weights[:-1], np.cumsum(sizes)[:-1])
            w, c, b = (part.reshape(m, width) for part in (w, c, b))
            sums = x * w + c
            hidden = np.maximum(sums, 0.0)
            inner = (hidden * b).sum(axis=2) + e
            outer = np.maximum(inner, 0.0)
            f = outer @ a + weights[-1]
            norms = [np.linalg.norm(w, axis=1), np.linalg.norm(b, axis=1), np.abs(a)]
            value = chosen.value(f, y) + beta / 3.0 * sum((each**3).sum() for each in norms)
            pull = chosen.gradient(f, y)
            at_inner = (pull[:, None] * a) * (inner > 0.0)
            at_hidden = at_inner[:, :, None] * b * (sums > 0.0)
            gradients = (
                (at_hidden * x).sum(axis=0) + beta * norms[0][:, None] * w,
                at_hidden.sum(axis=0),
                (at_inner[:, :, None] * hidden).sum(axis=0) + beta * norms[1][:, None] * b,
                at_inner.sum(axis=0),
                outer.T @ pull + beta * norms[2] * a,
            )
            flat = [part.ravel() for part in gradients]
            return value, np.concatenate([*flat, [pull.sum()]])

        return search(objective, sum(sizes) + 1, jac=True)
