"""Value and gradient of the softmax loss in one pass over few outputs."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel


@kernel
def value_and_gradient(prediction: Array, y: Array, gradient: Array) -> float:
    """The value, in float64, and what is written to `gradient`, in the precision of the arrays.

    Reductions of numpy over a few entries of each row take longer than the exponentials.
    """
    n, c = prediction.shape
    value = 0.0
    for i in range(n):
        f, target, slope = prediction[i], y[i], gradient[i]
        top = f[0]
        for k in range(1, c):
            top = max(top, f[k])
        total, counted, spent = f[0] - f[0], f[0] - f[0], 0.0
        for k in range(c):
            slope[k] = np.exp(f[k] - top)
            total += slope[k]
            counted += target[k]
            spent += target[k] * (top - f[k])
        share = counted / total
        for k in range(c):
            slope[k] = share * slope[k] - target[k]
        value += counted * np.log(total) + spent
    return value
