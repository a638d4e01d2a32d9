"""Solvers of the convex program (5): one algorithm to a file."""
