"""Which oracle suits which rows: rank two, else cells where they are few, else a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.oracle.branch_and_bound import MAX_RANK, BranchAndBound, ClimbAndBound
from cvxnn.oracle.cells import CellOracle
from cvxnn.oracle.circle import CircularRows
from cvxnn.oracle.price import LayerOracle, Oracle, Price
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.signs import SignTree
from cvxnn.patterns import PatternSet, count_patterns_bound
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.patterns.reduction import Reduction, reduce_rows

Kind = Literal["rank two", "cells", "tree"]

# Up to this many patterns, pricing them all is quicker than any search.
_FEW_PATTERNS = 50_000
# Rank from which on signs of few rows are quicker to go through than cones: 50 rows in rank 7
# take a second where cones take minutes, in rank 4 it is the other way round. One node of more
# hyperplanes takes as long as thousands of cones, which then have the better bound.
_SIGN_RANK, _MOST_HYPERPLANES = 7, 256
# Beyond the rank of cones up to so many, where beta is large: a node takes milliseconds.
_MOST_WITHOUT_CONES = 512
# Rank up to which cones usually come to an end, and hyperplanes up to which signs do: 60 rows of
# normal numbers take 10 s in rank 15 at 0.1 of the largest beta, 20 s at 0.03, 50 s in rank 30.
SURE_RANK, _SURE_HYPERPLANES = 6, 64
# Those up to which signs may in minutes.
_FEW_HYPERPLANES = 80
# As good as infinite.
_MOST_DOUBLINGS = 1_000
# Cells that a search over cones goes through in the time of one unit of work.
_CELLS = 1_000.0
# Hyperplanes for which a node takes twice as long as one of cones.
_DEAR_NODE = 20


def tree_of(
    rows: FloatArray, reduction: Reduction, max_nodes: int | None = None
) -> BranchAndBound | SignTree:
    """The search with a proof that suits rows: over cones, or over signs of few rows.

    Parameters
    ----------
    rows : ndarray, shape (N, d)
    reduction : Reduction
        Theirs.
    max_nodes : int, optional
        Of cones; of signs as many as take about as long.

    Examples
    --------
    >>> few, many = np.eye(12), np.ones((1, 1))
    >>> type(tree_of(few, reduce_rows(few))).__name__
    'SignTree'
    >>> type(tree_of(many, reduce_rows(many))).__name__
    'BranchAndBound'
    """
    if _goes_through_signs(reduction):
        if max_nodes is not None:
            # A node is dear by the cube of the rows, one of cones by their number.
            share = _DEAR_NODE**2 / (_DEAR_NODE**2 + reduction.n_classes**2)
            max_nodes = max(1, int(share * max_nodes))
        return SignTree(rows, reduction, max_nodes=max_nodes)
    return BranchAndBound(rows, reduction, max_nodes=max_nodes)


def usually_ends(reduction: Reduction) -> bool:
    """Whether :func:`tree_of` these rows comes to its end, in a minute or so at the worst.

    Examples
    --------
    >>> [usually_ends(reduce_rows(np.eye(rank))) for rank in (6, 9, 64, 65)]
    [True, True, True, False]
    """
    return reduction.rank <= SURE_RANK or reduction.n_classes <= _SURE_HYPERPLANES


def may_end(reduction: Reduction) -> bool:
    """Whether :func:`tree_of` these rows may come to its end in a time that one waits for.

    Examples
    --------
    >>> [may_end(reduce_rows(np.eye(rank))) for rank in (6, 65, 81)]
    [True, True, False]
    """
    return reduction.rank <= SURE_RANK or reduction.n_classes <= _FEW_HYPERPLANES


def proof_work(n_rows: int, reduction: Reduction) -> float:
    """Roughly what :func:`tree_of` takes for its proof: seconds where it is a thousand.

    For cones the share of a thousand of the most cells there may be, and of the rows in each
    class: a million cells take 2 or 3 s in ranks 3 to 6. In rank two a proof costs nothing. Signs
    of few rows are gone through at any rank, in the time of ``2^(p / 3)`` for p hyperplanes: 30
    rows take a second or two at 0.01 of the largest beta, more rows of rank 20 several.

    Examples
    --------
    >>> round(proof_work(1_000, reduce_rows(np.vander(np.arange(1_000.0), 3))))
    999
    >>> round(proof_work(24, reduce_rows(np.eye(24))))
    256
    """
    n_classes, rank = reduction.n_classes, reduction.rank
    if rank <= 2:
        return 1.0
    # Beyond any float; of so high a rank not all terms are summed.
    cells = math.log2(count_patterns_bound(n_classes, min(rank, _MOST_DOUBLINGS)))
    doublings = cells + math.log2(n_rows / n_classes / _CELLS)
    if _goes_through_signs(reduction):
        doublings = min(doublings, n_classes / 3.0)
    return 2.0 ** min(doublings, _MOST_DOUBLINGS)


def _goes_through_signs(reduction: Reduction) -> bool:
    """Whether signs of rows are quicker to go through than cones."""
    most = _MOST_HYPERPLANES if reduction.rank <= MAX_RANK else _MOST_WITHOUT_CONES
    return reduction.rank >= _SIGN_RANK and reduction.n_classes <= most


@dataclass(frozen=True)
class Effort:
    """How much an oracle does beside its proof.

    Attributes
    ----------
    most : int
        Neurons to propose, of each sign where an ascent looks for them.
    depth : float
        How far the function of rank two falls between two of them, see
        :class:`~cvxnn.oracle.rank_two.RankTwoOracle`.
    max_nodes : int, optional
        Nodes of a tree.
    random_state : numpy.random.Generator, optional
        Starts of an ascent that looks for neurons before a tree; none does where not given.
    """

    most: int = 200
    depth: float = 0.0
    max_nodes: int | None = None
    random_state: np.random.Generator | None = None


@final
class RowGeometry:
    """What the choice depends on: rank, hyperplanes and cells of rows, found out when asked.

    Parameters
    ----------
    rows : ndarray, shape (N, d)
    deadline : Deadline, optional
        OutOfTimeError is raised by whatever it passes in.
    patterns : PatternSet, optional
        The only cells of interest, instead of all of space.
    lists_cells : bool
        Whether cells may be listed where they are few.
    turned : bool
        As for :func:`~cvxnn.patterns.reduction.reduce_rows`: for hyperplanes that nearly meet.

    Examples
    --------
    >>> RowGeometry(np.eye(2)).kind(), RowGeometry(np.eye(3)).kind()
    ('rank two', 'cells')
    >>> RowGeometry(np.eye(3), lists_cells=False).kind()
    'tree'
    """

    def __init__(
        self,
        rows: FloatArray,
        deadline: Deadline = UNLIMITED,
        *,
        patterns: PatternSet | None = None,
        lists_cells: bool = True,
        turned: bool = False,
    ) -> None:
        self.rows, self._given, self._lists_cells = rows, patterns, lists_cells
        self._turned = turned
        self._deadline = deadline

    def kind(self, *, is_read: bool = False) -> Kind:
        """What suits.

        A search that sums over arcs takes every row for a prediction of its own: it does not
        suit rows that are read together, while an oracle of rank two does.
        """
        if self._given is None and not is_read and self.circle is not None:
            return "rank two"
        return "tree" if self.patterns is None else "cells"

    def oracle(self, effort: Effort | None = None) -> Oracle[Price]:
        """The oracle of the kind that suits."""
        effort = Effort() if effort is None else effort
        kind = self.kind()
        if kind == "rank two":
            assert self.circle is not None
            return RankTwoOracle(self.circle, most=effort.most, depth=effort.depth)
        if kind == "cells":
            assert self.patterns is not None
            return CellOracle(self.rows, self.patterns, self.reduction, self._deadline)
        tree = tree_of(self.rows, self.reduction, effort.max_nodes)
        if effort.random_state is None:
            return tree
        return ClimbAndBound(self.rows, tree, effort.random_state, most=effort.most)

    @cached_property
    def circle(self) -> CircularRows | None:
        """The rows sorted by angle; None above rank two."""
        if self.rows.shape[1] > 2 and self.reduction.rank > 2:
            return None
        return CircularRows.of(self.rows)

    @cached_property
    def reduction(self) -> Reduction:
        """The rows merged to hyperplanes."""
        return reduce_rows(self.rows, self._deadline, turned=self._turned)

    @cached_property
    def patterns(self) -> PatternSet | None:
        """The cells to price: those given, or all where they are few."""
        if self._given is not None or not self._lists_cells:
            return self._given
        bound = count_patterns_bound(self.reduction.n_classes, self.reduction.rank)
        return enumerate_until(self.rows, self._deadline) if bound <= _FEW_PATTERNS else None


def oracle_for(layer: Layer, effort: Effort) -> LayerOracle[Price]:
    """An oracle for the predictions of a layer that has a first bound at once.

    So it lists no cells: that may take longer than the first bounds of a tree.

    Examples
    --------
    >>> oracle = oracle_for(Layer(np.eye(2)), Effort())
    >>> oracle.price(np.array([[3.0], [-4.0]])).kind
    'rank two'
    """
    return LayerOracle(layer, RowGeometry(layer.rows, lists_cells=False).oracle(effort))
