"""Settings of the search for networks of several outputs on fixed gates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that :class:`~cvxnn.solvers.outputs.gates.search.GatedOutputsSearch` goes by.

    Attributes
    ----------
    most_new : int
        Neurons that a round adds.
    small : float
        Size of a new neuron, in shares of what would fit the dual point.
    steps : int
        Of L-BFGS in a round.
    enough : float
        Share of the objective that a stretch of them has to gain: else they end.
    near, slow : float
        Excess of the singular values over beta, as a share, below which Newton's method begins;
        it does, too, where the round before has not gained this share of the objective.
    newton_steps, products : int
        Of Newton's method in a round, and products with the Hessian for each of them.
    rest : float
        Gradient at which it ends, in shares of the excess times beta times the weights.
    least_rest : float
        The same in shares of the tolerance.
    nothing : float
        Singular values of a gate below this share of the largest of all are none.
    gain : float
        Relative gain of a round that is one.
    as_good : float
        Relative difference of objectives that is rounding.
    independent : float
        Eigenvalue of the cosines of the neurons' outputs above which they are independent.
    """

    most_new: int = 100
    small: float = 0.5
    steps: int = 100
    enough: float = 1e-4
    near: float = 0.2
    slow: float = 1e-3
    newton_steps: int = 100
    products: int = 300
    rest: float = 1e-2
    least_rest: float = 1e-2
    nothing: float = 1e-9
    gain: float = 1e-13
    as_good: float = 1e-14
    independent: float = 1e-10


SETTINGS = Settings()
