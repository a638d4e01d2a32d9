"""Training a network to global optimality: :func:`solve`."""

from cvxnn.training.solve import solve

__all__ = ["solve"]
