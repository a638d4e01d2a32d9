"""Means and deviations of the columns of rows in dask: sums in the order of segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.distributed.blocks import RawBlock, merged
from cvxnn.distributed.cluster import Cluster, Future
from cvxnn.distributed.collections import Pieces
from cvxnn.errors import InputError
from cvxnn.interrupts import check_interrupt
from cvxnn.losses import Loss
from cvxnn.solvers.segments.segment import LENGTH
from cvxnn.solvers.segments.tree import Node, Sums, nodes_of, total_of


@final
@dataclass(frozen=True)
class Moments:
    """Weighted means and deviations of columns; of a constant one its value and 1.

    Attributes
    ----------
    mean, deviation : ndarray, shape (d + c,)
        Of the columns of X and of y, in this order.
    """

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, cluster: Cluster, pieces: Pieces, loss: Loss) -> Moments:
        """Of rows in dask, in two passes; whatever the chunks, the same digits.

        Raises
        ------
        InputError
            If a row is not as :func:`cvxnn.solve` takes it, or sums are not in float64.
        """
        blocks = pieces.read(cluster, loss)

        check_blocks(cluster, blocks)

        def total(function: Any, *arguments: Any) -> Sums:
            tasks = [cluster.submit(function, block, *arguments) for block in blocks]
            return total_of(merged(*cluster.results(tasks, check_interrupt)))

        (first,) = cluster.results([cluster.submit(_first, blocks[0])])
        # Around a value of its own a column far from zero loses no digits.
        weight, sums = total(_sums, first)
        mean = first + sums / weight
        weight, squares = total(_squares, mean)
        if not (np.isfinite(weight) and np.isfinite(squares).all()):
            raise InputError(
                "Means and deviations of X and y, with these weights, are beyond float64; "
                "rescale them."
            )
        deviation = np.sqrt(squares / weight)
        # What rounding makes of a constant is no deviation.
        is_constant = deviation <= 4.0 * EPS * np.abs(mean)
        return cls(np.where(is_constant, first, mean), np.where(is_constant, 1.0, deviation))


def check_blocks(cluster: Cluster, blocks: Sequence[Future]) -> None:
    """InputError with the first thing that is wrong with rows, if there is one."""
    faults = cluster.results([cluster.submit(_fault, block) for block in blocks])
    if any(faults):
        raise InputError(next(fault for fault in faults if fault))


def _fault(block: RawBlock) -> str:
    return block.fault


def _columns(block: RawBlock, part: slice) -> FloatArray:
    y = block.y[part]
    return np.column_stack([block.X[part], y])


def _first(block: RawBlock) -> FloatArray:
    return _columns(block, slice(0, 1))[0]


def _sums(block: RawBlock, first: FloatArray) -> list[Node]:
    return _nodes(block, lambda columns, w: (w.sum(), w @ (columns - first)))


def _squares(block: RawBlock, mean: FloatArray) -> list[Node]:
    return _nodes(block, lambda columns, w: (w.sum(), w @ (columns - mean) ** 2))


def _nodes(block: RawBlock, sums: Any) -> list[Node]:
    found: list[Sequence[Any]] = []
    for start in range(0, len(block.X), LENGTH):
        part = slice(start, start + LENGTH)
        columns = _columns(block, part)
        weights = np.ones(len(columns)) if block.weights is None else block.weights[part]
        found.append(sums(columns, weights))
    return nodes_of(map(tuple, found), first=block.start // LENGTH)
