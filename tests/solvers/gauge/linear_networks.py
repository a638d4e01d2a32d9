"""Linear networks of both kinds: small problems, and their programs written out anew."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from programs import draw, search
from scipy.linalg import circulant, dft

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.gauge.programs import CircularProgram, GaugeProgram, PatchProgram
from cvxnn.solvers.gauge.search import GaugeSearch


def problem_of(
    program: GaugeProgram, y: FloatArray, beta: float, loss: Any = "squared"
) -> Problem[GaugeProgram]:
    return Problem.of(program, y, beta, as_loss(loss))


def solved(
    program: GaugeProgram, y: Any, beta: float, loss: Any = "squared", tol: float = 1e-6
) -> GaugeSearch:
    """A search that has closed the gap."""
    found = GaugeSearch(problem_of(program, np.asarray(y), beta, loss), Deadline())
    while found.gap > tol:
        assert found.stalled < 3.0
        found.step(tol)
    return found


@dataclass(frozen=True)
class Patches:
    """Patches, shape (n, K, h), and filters with weights for every patch."""

    data: FloatArray

    @property
    def program(self) -> PatchProgram:
        return PatchProgram(self.data)

    @property
    def lengths(self) -> tuple[int, int]:
        """Of a filter and its output weights."""
        _, K, h = self.data.shape
        return h, K

    @property
    def most_filters(self) -> int:
        return min(self.lengths)

    def function(self, filters: FloatArray, outputs: FloatArray) -> FloatArray:
        return np.einsum("nkh,mh,mk->n", self.data, filters, outputs)

    def pull(self, v: FloatArray, filters: FloatArray, outputs: FloatArray) -> list[FloatArray]:
        slope = np.einsum("n,nkh->kh", v, self.data)
        return [outputs @ slope, filters @ slope.T]

    def gauge(self, t: FloatArray) -> float:
        return float(np.linalg.norm(t.reshape(self.data.shape[1:]), "nuc"))

    def dual_norm(self, slope: FloatArray) -> float:
        return float(np.linalg.norm(slope.reshape(self.data.shape[1:]), 2))

    def gauge_in_cvxpy(self, cp: Any, t: Any) -> Any:
        return cp.normNuc(cp.reshape(t, self.data.shape[1:], order="C"))


@dataclass(frozen=True)
class Circular:
    """Rows, shape (n, d), and circular filters."""

    data: FloatArray

    @property
    def program(self) -> CircularProgram:
        return CircularProgram(self.data)

    @property
    def lengths(self) -> tuple[int, int]:
        _, d = self.data.shape
        return d, d

    @property
    def most_filters(self) -> int:
        return 1

    def function(self, filters: FloatArray, outputs: FloatArray) -> FloatArray:
        pairs = zip(filters, outputs, strict=True)
        return sum((self.data @ circulant(u) @ w for u, w in pairs), np.zeros(len(self.data)))

    def pull(self, v: FloatArray, filters: FloatArray, outputs: FloatArray) -> list[FloatArray]:
        slope = self.data.T @ v
        return [np.stack([circulant(w).T @ slope for w in part]) for part in (outputs, filters)]

    def gauge(self, t: FloatArray) -> float:
        return float(np.abs(dft(len(t), scale="sqrtn") @ t).sum()) / len(t) ** 0.5

    def dual_norm(self, slope: FloatArray) -> float:
        return float(np.abs(dft(len(slope)) @ slope).max())

    def gauge_in_cvxpy(self, cp: Any, t: Any) -> Any:
        d = self.data.shape[1]
        return cp.norm1(dft(d, scale="sqrtn") @ t) / d**0.5


Rows = Patches | Circular

any_kind = pytest.mark.parametrize("kind", [Patches, Circular])


def drawn(kind: type[Rows], loss: str, *shape: int, seed: int = 0) -> tuple[Rows, FloatArray]:
    """Rows of shape (n, K, h), or (n, K h), and targets of a network of one filter."""
    patches, y = draw(loss, *shape, seed=seed)
    return kind(patches if kind is Patches else patches.reshape(len(patches), -1)), y


def local_search(rows: Rows, y: FloatArray, beta: float, loss: str, m: int) -> float:
    """The lowest objective of L-BFGS on the weights of m filters, from 40 random starts."""
    shapes = [(m, length) for length in rows.lengths]
    chosen, size = as_loss(loss), m * rows.lengths[0]

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        parts = weights[:size].reshape(shapes[0]), weights[size:].reshape(shapes[1])
        prediction = rows.function(*parts)
        value = chosen.value(prediction, y) + 0.5 * beta * float(weights @ weights)
        pulled = rows.pull(chosen.gradient(prediction, y), *parts)
        return value, np.concatenate([part.ravel() for part in pulled]) + beta * weights

    return search(objective, m * sum(rows.lengths), jac=True)
