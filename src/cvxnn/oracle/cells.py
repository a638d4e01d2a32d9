"""The exact oracle over enumerated cells: max over ||u|| <= 1 of |v'(Xu)_+|, with a proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.oracle.price import Price, Proposals, VectorOracle, Wanted
from cvxnn.patterns import PatternSet
from cvxnn.patterns.cell_walk import flippable_rows, index_cells
from cvxnn.patterns.cone_kernels import cover_errors, price_cells
from cvxnn.patterns.reduction import HyperplaneWeights, Reduction, reduce_rows

# Entries of (cells x normals) that one kernel call works through.
_CHUNK_WORK = 1 << 24


@final
@dataclass(frozen=True)
class CellPrice(Price):
    """The price of every cell; bounds hold over all of space when the oracle is complete.

    Attributes
    ----------
    cell_bounds : ndarray, shape (2, M)
        Bound for each cell, for s = +1 and s = -1.
    points : ndarray, shape (2, M, r)
        Maximiser times maximum in reduced coordinates; zero for cells that were
        cleared without one.
    threshold : float
        Above which neurons are proposed.
    basis : ndarray, shape (d, r)
        Reduced coordinates.
    """

    kind: ClassVar[str] = "cells"
    is_exact: ClassVar[bool] = True

    cell_bounds: FloatArray
    points: FloatArray
    threshold: float
    basis: FloatArray

    @classmethod
    def of(
        cls, cell_bounds: FloatArray, points: FloatArray, threshold: float, basis: FloatArray
    ) -> CellPrice:
        """With the bounds of the cells put together."""
        bounds = cell_bounds.max(axis=1, initial=0.0)
        return cls(bounds, True, cell_bounds, points, threshold, basis)

    @cached_property
    def proposals(self) -> Proposals:
        """The maximisers of cells, which neighbours may share; put together when asked for."""
        values = np.linalg.norm(self.points, axis=2)
        half, cells = np.nonzero(values > max(self.threshold, 0.0))
        best = np.argsort(-values[half, cells], kind="stable")
        half, cells = half[best], cells[best]
        found = values[half, cells]
        directions = (self.points[half, cells] / found[:, None]) @ self.basis.T
        return Proposals(directions, np.where(half == 0, 1.0, -1.0)[:, None], found)


@final
class CellOracle(VectorOracle[CellPrice]):
    """Prices every cell of a pattern set by conic projection.

    For a complete set the bound is a theorem about all of space, whatever
    produced the patterns. Call a row *flippable* in a cell when changing its
    sign gives another cell of the set, and let the outer cone of a cell be cut
    out by its flippable rows only. Take any u and any cell, and flip a
    flippable row that u violates, again and again: each flip reduces the number
    of violated rows, so this ends in a cell whose outer cone holds u. The outer
    cones of any non-empty set of cells cover space. What remains is how far an
    outer cone reaches beyond the rows that are not flippable: not at all if the
    set is complete and rounding does not blur which rows are redundant.
    Multipliers bound that reach, and the bound on the oracle grows by it. A
    missing cell thus shows as a loose bound, never as a wrong one.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    patterns : PatternSet
        Patterns of X.
    reduction : Reduction, optional
        ``reduce_rows(X)``, where it is known already.
    deadline : Deadline, optional
        OutOfTimeError is raised when it passes before the oracle is ready.

    Attributes
    ----------
    is_complete : bool
        Whether the bound covers all of space.
    basis : ndarray, shape (d, r)
        Orthonormal basis of the row space: reduced coordinates ``w = basis' u``.
    normals : ndarray, shape (p, r)
        Unit normals of the hyperplanes in reduced coordinates.
    sides : ndarray of bool, shape (M, p)
        Side of each hyperplane for each cell.

    Notes
    -----
    O(M p r) per pricing after the first; a few multiples of that for the proof
    of coverage, once. By Moreau's decomposition the maximum over a cone K is
    the norm of the projection of ``X'Dv`` on K, the least norm in (10) of the
    seed paper.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.patterns import enumerate_patterns
    >>> X = np.eye(2)
    >>> oracle = CellOracle(X, enumerate_patterns(X))
    >>> price = oracle.price(np.array([[3.0], [-4.0]]))
    >>> price.bounds.round(9), price.directions[0]
    (array([3., 4.]), array([0., 1.]))
    """

    def __init__(
        self,
        X: FloatArray,
        patterns: PatternSet,
        reduction: Reduction | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> None:
        reduction = reduce_rows(X, deadline) if reduction is None else reduction
        self.is_complete = patterns.is_complete
        self.basis, self.normals = reduction.basis, reduction.normals
        self._reduction = reduction
        self._words = _side_words(patterns, reduction.representatives, deadline)
        if self.is_complete:
            self.starts, self.rows, self.neighbours = self._find_facets(deadline)
            self.cover = self._prove_coverage(deadline)
        else:
            self.starts = self.rows = self.neighbours = np.zeros(0, dtype=np.int64)
            self.cover = np.zeros(len(patterns))

    def _chunks(self, deadline: Deadline) -> Iterator[slice]:
        """Slices of cells, so short that an interrupt gets through between kernel calls."""
        # A projection looks at all normals for each row that it finds tight.
        rank = self.normals.shape[1]
        work = max(self.normals.size * (1 + rank // 2), 1)
        return deadline.chunks(self.n_cells, _CHUNK_WORK // work)

    def _find_facets(self, deadline: Deadline) -> tuple[IntArray, IntArray, IntArray]:
        p = len(self.normals)
        table, hashes = index_cells(self._words, p)
        parts = [
            flippable_rows(self._words, p, table, hashes, cells.start, cells.stop)
            for cells in self._chunks(deadline)
        ]
        counts = np.concatenate([counts for counts, _ in parts])
        found = np.vstack([found for _, found in parts])
        starts = np.concatenate([[0], np.cumsum(counts)])
        return starts, np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])

    def _prove_coverage(self, deadline: Deadline) -> FloatArray:
        # Which rows are redundant does not depend on the units of the columns;
        # powers of two change them without rounding.
        largest = np.abs(self.normals).max(axis=0, initial=0.0)
        units = np.exp2(-np.rint(np.log2(np.where(largest > 0.0, largest, 1.0))))
        normals = self.normals * units
        errors = [
            cover_errors(self._words[c], normals, self.starts[c.start : c.stop + 1], self.rows)
            for c in self._chunks(deadline)
        ]
        # Unit normals: nothing in the unit ball is farther than 1 from a hyperplane.
        return np.minimum(np.concatenate(errors) / float(units.min(initial=np.inf)), 1.0 + 1e-12)

    @property
    def n_cells(self) -> int:
        """Number of cells M."""
        return len(self._words)

    def sides(self, cells: IntArray) -> BoolArray:
        """Side of every hyperplane for the given cells, shape (k, p)."""
        bytes_ = self._words[cells].view(np.uint8)
        bits = np.unpackbits(bytes_, axis=1, bitorder="little", count=len(self.normals))
        return bits.view(np.bool_)

    def price_vector(self, v: FloatArray, wanted: Wanted) -> CellPrice:
        """Price v, shape (n,).

        Cells proven to stay below the threshold are not refined. OutOfTimeError is raised
        when the deadline passes before all are priced.
        """
        weights = HyperplaneWeights.of(self._reduction, v)
        enough = wanted.threshold / weights.unit - weights.error
        bounds = np.empty((2, self.n_cells))
        points = np.empty((2, self.n_cells, self.normals.shape[1]))
        for c in self._chunks(wanted.deadline):
            facets = self.starts[c.start : c.stop + 1] if self.is_complete else self.starts
            bounds[:, c], points[:, c] = price_cells(
                self._words[c], self.normals, facets, self.rows,
                weights.positive, -weights.negative, self.cover[c], enough,
            )  # fmt: skip
        bounds = (bounds + weights.error) * weights.unit
        return CellPrice.of(bounds, points * weights.unit, wanted.threshold, self.basis)


def _side_words(
    patterns: PatternSet, representatives: IntArray, deadline: Deadline
) -> NDArray[np.uint64]:
    """Side of each hyperplane as bits: the mask at the first row of its class."""
    p = len(representatives)
    words = np.zeros((len(patterns), max(1, -(-p // 64))), dtype=np.uint64)
    for part in deadline.chunks(len(patterns), (1 << 25) // patterns.n_rows):
        on = patterns.unpack(part)[:, representatives]
        packed = np.packbits(on, axis=1, bitorder="little")
        words[part].view(np.uint8)[:, : packed.shape[1]] = packed
    return words
