"""Gradient methods on the non-convex objective (2): what convex training is compared with."""

from cvxnn.baselines.gradient_search import LocalSearch, local_search

__all__ = ["LocalSearch", "local_search"]
