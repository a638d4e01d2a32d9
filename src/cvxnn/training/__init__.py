"""Training a network to global optimality: :func:`solve`."""

from cvxnn.training.solve import solve, solve_layer

__all__ = ["solve", "solve_layer"]
