"""Rows on a cluster, as a search sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.distributed.blocks import Block, Facts, RawBlock, kept, merged, summed
from cvxnn.distributed.cluster import Cluster, Future
from cvxnn.distributed.collections import Pieces
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.layers.rows import power_of_two
from cvxnn.losses import Loss, WeightedLoss
from cvxnn.problems import SMALLEST_BETA, Units, middle_of
from cvxnn.solvers.segments.rows import Check, Kept, SegmentedRows, never
from cvxnn.solvers.segments.segment import Segment
from cvxnn.solvers.segments.tree import Sums, total_of

# Blocks whose sums are added up by one task, where there are more of them.
_TOGETHER = 16


@final
@dataclass(frozen=True)
class ClusterRows(SegmentedRows):
    """Rows in blocks of segments on the workers of a cluster, in the units of a search.

    A block stays where it is. Each method is one task for each block, and what comes back are
    sums, in the order of the tree over all segments: their digits are those of rows in one
    memory, whatever blocks and workers there are.

    Attributes
    ----------
    cluster : Cluster
    blocks : list of Future
    starts : list of int
        The first row of each block, and at last the number of rows.
    n_features, n_outputs : int
    loss : Loss
        Without weights.
    units : Units
    """

    cluster: Cluster
    blocks: list[Future]
    starts: list[int]
    n_features: int
    n_outputs: int
    loss: Loss
    units: Units

    @classmethod
    def read(
        cls, cluster: Cluster, pieces: Pieces, loss: Loss, check: Check, *, intercept: bool
    ) -> ClusterRows:
        """Rows of dask collections, checked as those in one memory are; two passes.

        Raises
        ------
        InputError
            If a row is not as :func:`cvxnn.solve` takes it, with the rows of its block.
        """
        raw = pieces.read(cluster, loss)
        futures = [cluster.submit(RawBlock.facts, block, loss) for block in raw]
        facts = _joined(cluster.results(futures, check))
        if intercept:
            _check_intercept(loss, facts)
        units, inner = _units(loss, facts, intercept=intercept)
        blocks = [cluster.submit(RawBlock.in_units, block, loss, units) for block in raw]
        return cls(
            cluster, blocks, pieces.starts, pieces.n_features, len(facts.present), inner, units
        )

    @property
    def n_rows(self) -> int:  # type: ignore[override]
        return self.starts[-1]

    def beta_in_units(self, beta: float) -> float:
        """A beta of the data; InputError if it does not fit them at all."""
        scaled = beta / self.units.rows / self.units.targets
        if not SMALLEST_BETA < scaled < 1.0 / SMALLEST_BETA:
            raise InputError(
                f"beta = {beta:g} is out of all proportion to X and y, of size "
                f"{self.units.rows:g} and {self.units.targets:g}; rescale one of them."
            )
        return scaled

    def keep(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> list[Future]:
        check()
        return self._tasks("keep", method, kept, arguments)

    def total(
        self, method: str, kept: Sequence[Kept], *arguments: Any, check: Check = never
    ) -> Sums:
        futures = self._tasks("total", method, kept, arguments)
        while len(futures) > _TOGETHER:
            starts = range(0, len(futures), _TOGETHER)
            futures = [self.cluster.submit(merged, *futures[i : i + _TOGETHER]) for i in starts]
        return total_of(merged(*self.cluster.results(futures, check)))

    def gather(self, rows: slice | NDArray[np.intp]) -> Segment:
        if isinstance(rows, slice):
            rows = np.arange(self.n_rows)[rows]
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        places = np.searchsorted(self.starts[1:], wanted, side="right")
        tasks = [
            self.cluster.submit(Block.taken, self.blocks[k], wanted[places == k] - self.starts[k])
            for k in np.unique(places).tolist()
        ]
        parts = [np.concatenate(each) for each in zip(*self.cluster.results(tasks), strict=True)]
        X, y, weights = (_in_order(part, order) for part in parts)
        loss = self.loss if (weights == 1.0).all() else WeightedLoss(self.loss, weights)
        return Segment(X, y, loss)

    def evaluate(
        self,
        hidden: FloatArray,
        output: FloatArray,
        b: float | FloatArray,
        price: Evaluation,
        tol: float,
    ) -> Evaluation:
        """The objective of a network in the units of the data, from its weights, in float64.

        Parameters
        ----------
        hidden : ndarray, shape (k, d)
        output : ndarray, shape (k,) or (k, c)
        b : float or ndarray
            Added to all predictions.
        price : Evaluation
            What its penalty costs.
        tol : float
            The gap that the objective is held against.
        """
        units = self.units
        scaled = hidden * units.rows, output / units.targets, (b - units.offset) / units.targets
        loss, error = self.total("evaluated", (), *scaled, tol)
        # A sum in a tree errs by a rounding for each level.
        error += (self.n_rows.bit_length() + 8) * EPS * loss
        share = units.objective
        total = loss * share + price.value
        return Evaluation(total, (error * share + price.error + 4.0 * EPS * total) * (1.0 + 1e-9))

    def _tasks(
        self, kind: str, method: str, beside: Sequence[Kept], arguments: Sequence[Any]
    ) -> list[Future]:
        function = kept if kind == "keep" else summed
        parts = list(zip(self.blocks, [method] * len(self.blocks), *beside, strict=True))
        return self.cluster.each(function, parts, *arguments, len(beside))


def _joined(facts: Sequence[Facts]) -> Facts:
    first, *others = facts
    for other in others:
        if first.fault or other.fault:
            break
        first = first.joined(other)
    fault = next((each.fault for each in facts if each.fault), "")
    if fault:
        raise InputError(fault)
    return first


def _units(loss: Loss, facts: Facts, *, intercept: bool) -> tuple[Units, Loss]:
    """Those of :meth:`cvxnn.problems.Problem.in_units`, from the ends of the data."""
    low, high = facts.smallest_target, facts.largest_target
    is_far = intercept and not (loss.has_labels or loss.has_log_link)
    offset = middle_of(low, high) if is_far else 0.0
    unit = loss.unit(np.concatenate([low - offset, high - offset]))
    units = Units(power_of_two(np.array([facts.largest])), unit, offset)
    return units, loss.in_units(unit)


def _check_intercept(loss: Loss, facts: Facts) -> None:
    """InputError if an intercept has no best value, as for targets in one memory."""
    ends = np.stack([facts.smallest_target, facts.largest_target])
    if loss.joins_outputs:
        loss.check_intercept(np.diag(facts.present))
    else:
        loss.check_intercept(ends[:, 0] if ends.shape[1] == 1 else ends)


def _in_order(part: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    found = np.empty_like(part)
    found[order] = part
    return found
