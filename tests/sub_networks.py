"""Three layers of ReLU, written out anew: a program of blocks, and local search."""

from dataclasses import dataclass

import numpy as np
from programs import in_cvxpy, search
from solvers.parallel.three_layers import optimum_of_blocks

from cvxnn.array_types import FloatArray
from cvxnn.losses import as_loss


@dataclass(frozen=True)
class SubNetworks:
    """``f = sum_k ((X W_k)_+ b_k)_+ a_k``, for data of rank two."""

    X: FloatArray

    def optimum(self, cp, loss, y, beta, *, intercept=False):
        """Over sub-networks of two hidden units, which are enough for so few rows."""
        return optimum_of_blocks(
            self.X, y, beta, lambda f, y: in_cvxpy(cp, loss, f, y), intercept=intercept
        )

    def lowest(self, loss, y, beta, m=5, width=2):
        """What L-BFGS finds on the weights of m sub-networks, from random starts."""
        chosen, (_, d) = as_loss(loss), self.X.shape
        sizes = [m * width * d, m * width, m]

        def objective(weights):
            W, b, a = np.split(weights, np.cumsum(sizes)[:-1])
            W, b = W.reshape(m, width, d), b.reshape(m, width)
            sums = np.einsum("nd,kjd->nkj", self.X, W)
            hidden = np.maximum(sums, 0.0)
            inner = np.einsum("nkj,kj->nk", hidden, b)
            outer = np.maximum(inner, 0.0)
            f = outer @ a
            norms = [np.sqrt((W**2).sum((1, 2))), np.sqrt((b**2).sum(1)), np.abs(a)]
            value = chosen.value(f, y) + beta / 3.0 * sum((each**3).sum() for each in norms)
            pull = chosen.gradient(f, y)
            at_inner = (pull[:, None] * a) * (inner > 0.0)
            at_hidden = at_inner[:, :, None] * b * (sums > 0.0)
            gradients = (
                np.einsum("nkj,nd->kjd", at_hidden, self.X) + beta * norms[0][:, None, None] * W,
                np.einsum("nk,nkj->kj", at_inner, hidden) + beta * norms[1][:, None] * b,
                outer.T @ pull + beta * norms[2] * a,
            )
            return value, np.concatenate([part.ravel() for part in gradients])

        return search(objective, sum(sizes), jac=True)
