"""Which neurons count as worth beta, at a residual that is polished but rounded."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.landscape.rays import RowsOnRays
from cvxnn.layers import Layer
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

# A neuron is active when its largest value is within this share of beta. A polished residual
# decides with five digits to spare.
ACTIVE = 1e-9
# As long as the residual is not that accurate, this share is the most that is tried.
_LOOSE = 1e-6
# Directions this close to active are candidates while the optimum is being polished.
CANDIDATE = 1e-4
# Values this far below beta are not computed to the end.
RESOLVED = 1e-3
# Newton's method stops where no value exceeds beta by more than this share; what is
# proven of the result includes the rounding of sums that cancel.
ACCURATE, _ACCEPTABLE = 1e-11, 1e-6
# Activations with a smaller share of their own than this are combinations of others.
NEARLY_DEPENDENT = 1e-6


def active_share(sizes: FloatArray, values: FloatArray, excess: float) -> float:
    """How far below 1 a value counts as 1: a neuron that is in use has to count.

    Parameters
    ----------
    sizes, values : ndarray, shape (k,)
        Of a network, and what its neurons are worth, in shares of beta.
    excess : float
        Of the best neuron that was found, above 1.
    """
    used = sizes > 1e-6 * sizes.sum()
    missing = 1.0 - float(values[used].min(initial=1.0))
    return min(max(ACTIVE, 10.0 * excess, 2.0 * missing), _LOOSE)


def margin(values: FloatArray, share: float) -> float:
    """How far the best of the others stays below 1; more than 1e-3 is not resolved."""
    below = values[values < 1.0 - share]
    return float(min(1.0 - below.max(initial=0.0), RESOLVED))


def exact_weights(
    columns: FloatArray, y: FloatArray, fit: FloatArray, beta: float, start: FloatArray
) -> FloatArray:
    """Weights of an optimal network on the columns of active neurons, shape (k,).

    The polished fit is more accurate than that of the Lasso, where beta is small.
    """
    weights = nonnegative_lasso(columns, y, beta, start)
    support = weights > 0.0
    exact = np.linalg.lstsq(columns[:, support], fit, rcond=None)[0]
    if (exact > 0.0).all():
        weights[support] = exact
    return weights


def check_excess(excess: float) -> None:
    """InputError if a neuron may still exceed beta by more than rounding does."""
    if excess > _ACCEPTABLE:
        raise InputError(
            "The optimum could not be polished: a neuron may still exceed beta by "
            f"{excess:.1e} of it. Scale the columns of X, take rows that "
            "almost coincide as one, or raise beta."
        )


def without_constant(rays: RowsOnRays) -> tuple[Layer, FloatArray]:
    """What neurons look at and have to fit, without its part along an intercept.

    An intercept takes the best value for every network: what is left of activations and
    targets is their part orthogonal to the constant.
    """
    constant = rays.constant
    if constant is None:
        return Layer(rays.X), rays.y
    unit = constant / np.linalg.norm(constant)
    layer = Layer(rays.X, np.eye(len(unit)) - np.outer(unit, unit))
    # Most of a level far from 0 is taken off before products round it.
    level = np.median((rays.y.T / constant).T, axis=0)
    return layer, layer.read(rays.y - np.multiply.outer(constant, level))
