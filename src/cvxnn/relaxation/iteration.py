"""The alternating direction method of multipliers on moments in blocks of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import in_float64
from cvxnn.relaxation.leaf import Leaf
from cvxnn.relaxation.moments import Array, Moments, Namespace
from cvxnn.relaxation.part import Part
from cvxnn.relaxation.state import State, merged_heads

# Over-relaxation (J. Eckstein and D. Bertsekas, Math. Program. 55, 1992): a tenth fewer iterations
# than with 1.6, on all of the tables of `benchmarks/bounds.py` that were tried.
_RELAX = 1.9
# Iterations between two looks at the residuals, and their ratio from which rho changes.
_EVERY, _UNBALANCED, _MOST_CHANGE = 20, 3.0, 3.0


class WorkerMap(Protocol):
    """``map``, or that of a pool of threads."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterable[Any]:
        """The function of each item."""


@final
@dataclass(frozen=True)
class Numbers:
    """What the iteration is done with.

    Attributes
    ----------
    xp : namespace
        numpy, or another with the names of the array API standard whose arrays have the methods of
        numpy's, as those of PyTorch and CuPy have.
    dtype : dtype
        Of the moments.
    place : object
        The device of the arrays, as the library has it.
    """

    xp: Namespace = np
    dtype: Any = np.float64
    place: Any = None

    @classmethod
    def on(cls, device: Device, dtype: str = "float32") -> Self:
        """Those of a device, in "float32" or "float64"."""
        return cls(device.xp, getattr(device.xp, dtype), device.place)

    @property
    def in_double_precision(self) -> Self:
        """The same with 53 bits."""
        return replace(self, dtype=self.xp.float64)

    def placed(self, array: FloatArray) -> Array:
        """An array of numpy there."""
        return self.xp.asarray(
            np.require(array, requirements="W"), dtype=self.dtype, device=self.place
        )


class Iteration(ABC):
    """Steps of the method, whatever the head of the moments.

    Every step has a closed form: G is projected on its cone, the loss has its proximal step,
    and F is the positive part of a matrix. Multipliers prove a bound after any number of them.

    Parameters
    ----------
    dual : callable
        Minus the gradient of the loss at the minimum of ``l(f) + sum_i (f_i - c_i)^2 / (2
        theta_i)``, for c and theta in the blocks.
    v : ndarray, shape (B, b), or (B, c, b) for several outputs
        The dual point to start from, in the blocks.
    rho : float
    leaves : list of Leaf
    numbers : Numbers
    workers : callable
        ``map`` over parts, of which there are two at least.
    n_workers : int
        How many parts it works on at the same time.

    Attributes
    ----------
    v : ndarray, of the same shape
    leaves : list of Leaf
        Which neurons have moments of their own.
    iterations : int
    rho : float
    residuals : tuple of float
        The relative primal and dual one, when they were last measured.

    Notes
    -----
    Source: S. Boyd et al., Distributed optimization and statistical learning via ADMM, 2011; rho
    by section 3.4.1.
    """

    def __init__(
        self,
        dual: Callable[[Array, FloatArray], Array],
        v: FloatArray,
        rho: float,
        leaves: list[Leaf],
        numbers: Numbers,
        workers: WorkerMap,
        n_workers: int,
    ) -> None:
        self._xp, self._dual, self._workers = numbers.xp, dual, workers
        self._n_workers = n_workers
        self.v = numbers.placed(v)
        self.rho, self.leaves, self.iterations = rho, leaves, 0
        self.residuals = np.inf, np.inf

    @abstractmethod
    def _corner(self, number: int) -> Array:
        """The corner in the cone next to those that the blocks of a leaf ask for."""

    @property
    def states(self) -> list[State]:
        """Of each leaf, all blocks together."""
        return [self.state(k) for k in range(len(self.leaves))]

    def step(self) -> None:
        """One iteration."""
        self.iterations += 1
        measured = self.iterations % _EVERY == 0
        corners = [self._corner(k) for k in range(len(self.leaves))]
        wanted = self._workers(lambda part: part.project(corners[part.number]), self.parts)
        # All leaves move by v / rho_e, rho_e = 2 rho: entries beside the diagonal count twice.
        self.v = self._dual(self._centre(wanted), self._copies / (2.0 * self.rho))
        weights = [self._weights(k) for k in range(len(self.leaves))]
        advanced = self._workers(
            lambda part: part.advance(weights[part.number], self.rho, _RELAX, measured=measured),
            self.parts,
        )
        # A map does nothing before it is asked.
        list(advanced)
        if measured:
            self._balance()

    def merge_blocks(self) -> None:
        """Go on with half as many blocks, which is tighter; their number is even."""
        states = [state.merged(self._xp) for state in self.states]
        self.leaves = [leaf._replace(fixed=leaf.fixed.merged()) for leaf in self.leaves]
        self._share(states)
        self.v = merged_heads(self.v, self._xp)

    def multipliers(self, number: int) -> Moments:
        """Of a leaf, as they are: to be put into the dual cone."""
        L = self.state(number).scaled.combined(lambda a: self._in_float64(self.rho * a))
        return L._replace(p=L.p - self._in_float64(self._weights(number)) / 2.0)

    def dual_point(self) -> FloatArray:
        """The v of the last iteration, in the blocks."""
        return self._in_float64(self.v)

    def state(self, number: int) -> State:
        """Of a leaf, all blocks together."""
        states = [part.state for part in self.parts if part.number == number]
        return states[0] if len(states) == 1 else State.joined(states, self._xp)

    def _centre(self, wanted: Iterable[Array]) -> Array:
        """What the moments of all parts say together to the loss."""
        centre = self._xp.zeros_like(self.v)
        for part, p in zip(self.parts, wanted, strict=True):
            centre[part.where] += part.sign * p
        return centre

    def _weights(self, number: int) -> Array:
        """What the last dual point weighs the moments of p of a leaf with."""
        return self.leaves[number].sign * self.v

    def _share(self, states: list[State]) -> None:
        """Give blocks to the workers."""
        self._n_blocks = states[0].X.shape[0]
        shares = _shares(self._n_blocks, -(-self._n_workers // len(states)))
        self.parts = [
            Part(where, k, leaf._replace(fixed=leaf.fixed.take(where)), state.take(where), self._xp)
            for k, (leaf, state) in enumerate(zip(self.leaves, states, strict=True))
            for where in shares
        ]
        # Of each row, how many the loss has: one for each leaf where it may be on.
        self._copies = np.sum([self._in_float64(leaf.fixed.p) for leaf in self.leaves], axis=0)

    def _mean_corner(self, number: int) -> Array:
        """Of those that the blocks of a leaf ask for."""
        total = sum(part.corner() for part in self.parts if part.number == number)
        return total / self._n_blocks

    @property
    def _wanted_ratio(self) -> float:
        """Of the residuals, the primal one over the dual one."""
        return 1.0

    @staticmethod
    def _in_float64(array: Array) -> FloatArray:
        return in_float64(array)

    def _balance(self) -> None:
        """Change rho where one of the residuals is much larger than the other."""
        norms = np.sqrt(np.sum([part.norms for part in self.parts], axis=0))
        primal, dual = norms[:2] / np.maximum(norms[2:], 1e-300)
        self.residuals = float(primal), float(dual)
        primal, dual = self.residuals
        primal /= self._wanted_ratio
        if min(primal, dual) == 0.0 or 1.0 / _UNBALANCED < primal / dual < _UNBALANCED:
            return
        factor = float(np.clip(np.sqrt(primal / dual), 1.0 / _MOST_CHANGE, _MOST_CHANGE))
        self.rho *= factor
        for part in self.parts:
            part.rescale(factor)


def _shares(count: int, n_shares: int) -> list[slice]:
    """Blocks in shares of nearly equal size."""
    ends = np.linspace(0, count, min(n_shares, count) + 1).round().astype(int)
    return [slice(a, b) for a, b in pairwise(ends.tolist())]


def sum_of_neurons(
    X: FloatArray, heads: FloatArray, directions: FloatArray, sizes: FloatArray
) -> FloatArray:
    """``F = sum_j size_j z_j z_j'``, ``z = (h, u, |Xu|)``, for each block of rows.

    Parameters
    ----------
    X : ndarray, shape (B, b, d)
    heads : ndarray, shape (k, 1) or (k, c)
    directions : ndarray, shape (k, d)
    sizes : ndarray, shape (k,)
    """
    outer = np.concatenate([heads, directions], axis=1).T
    activations = np.abs(X @ directions.T)
    z = np.concatenate([np.broadcast_to(outer, (len(X), *outer.shape)), activations], axis=1)
    return np.asarray((z * sizes) @ z.mT)
