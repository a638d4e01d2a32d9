"""How the optimum over polynomial networks is looked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.polynomial import PolynomialRows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.intercept.proof import intercept_reach
from cvxnn.solvers.outputs.intercept import without_neurons
from cvxnn.solvers.polynomial.search import PolynomialSearch, SearchedProblem
from cvxnn.solvers.strategy import Strategy


@final
class PolynomialStrategy(Strategy):
    """One search over the neurons of all outputs and their intercepts; there are no patterns.

    Parameters
    ----------
    problem : Problem of PolynomialRows
    start : Neurons, optional
    intercept : bool
    """

    def __init__(
        self, problem: Problem[PolynomialRows], start: Neurons | None, *, intercept: bool
    ) -> None:
        self._problem, self._start, self._intercept = problem, start, intercept

    @cached_property
    def _coordinates(self) -> tuple[FloatArray, PolynomialRows]:
        """Principal axes of the rows, in which the Hessian is nearly diagonal, and the rows."""
        basis = principal_axes(self._problem.rows.table)
        turned = self._problem.rows.turned(basis)
        if self._intercept:
            turned = replace(turned, coefficients=(*turned.coefficients[:2], 0.0))
        return basis, turned

    def open(self, deadline: Deadline) -> PolynomialSearch:
        """The search, in the time of a few passes over the data."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[PolynomialRows],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> PolynomialSearch:
        """The same for another problem on the same rows."""
        basis, turned = self._coordinates
        searched = self._searched(problem, basis, turned)
        return PolynomialSearch(searched, start, self._nothing(problem), deadline)

    def _searched(
        self, problem: Problem[PolynomialRows], basis: FloatArray, turned: PolynomialRows
    ) -> SearchedProblem:
        reach = None
        if self._intercept and problem.n_outputs == 1:
            constant = float(self._nothing(problem).intercept)
            reached = problem.value(np.full_like(problem.y, constant))
            reach = intercept_reach(problem, constant, reached)
        return SearchedProblem(problem, turned, basis, reach, self._intercept)

    def opening(self) -> Neurons:
        """The network of the first round's neurons, at their best sizes."""
        search = self.open_for(self._problem, None, Deadline())
        search.begin()
        return search.incumbent()

    def nothing(self) -> Neurons:
        """The best network without neurons."""
        return self._nothing(self._problem)

    def first_proof(self) -> DualProof:
        """What the residual of the best network without neurons proves; exact."""
        problem, none = self._problem, np.zeros((self._problem.rows.n_features, 0))
        searched = self._searched(problem, none, problem.rows)
        prediction = np.zeros_like(problem.target) + self.nothing().intercept
        _, proof = searched.price(problem.residual(prediction))
        return proof

    def _nothing(self, problem: Problem[PolynomialRows]) -> Neurons:
        if problem.n_outputs == 1 and not self._intercept:
            return Neurons.none(problem.rows.n_features)
        return without_neurons(problem, intercept=self._intercept)


def principal_axes(table: FloatArray) -> FloatArray:
    """Orthonormal columns that hold all rows, and one direction beyond them if there is one.

    Parameters
    ----------
    table : ndarray, shape (N, h)

    Returns
    -------
    ndarray, shape (h, min(h, N + 1))

    Examples
    --------
    >>> principal_axes(np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])).shape
    (3, 3)
    """
    count, h = table.shape
    if count + 1 >= h:
        _, basis = np.linalg.eigh(table.T @ table)
        return np.ascontiguousarray(basis[:, ::-1])
    inside, _ = np.linalg.qr(table.T)
    _, _, turned = np.linalg.svd(table @ inside, full_matrices=False)
    basis = inside @ turned.T
    outside = np.random.default_rng(0).standard_normal(h)
    for _ in range(2):
        outside -= basis @ (basis.T @ outside)
    return np.column_stack([basis, outside / np.linalg.norm(outside)])
