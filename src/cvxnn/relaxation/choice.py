"""Which prover suits how many rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Problem
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver

# Rows that are proven together: with more, memory grows and the first iterations bring less, but
# the bound after the same time is no better, see `benchmarks/large_bounds.py`.
_TOGETHER = 5_000
# Of a tree above the relaxation, for each output sign: they share the time, so that more of them
# come to rest later.
LEAVES = 8


def prover_for(
    problem: Problem[Layer], on_bound: Callable[[DualProof], object] | None = None
) -> RelaxationProver | PartsProver:
    """A prover of bounds at any rank: of all rows together, or of parts where they are many.

    `on_bound` is called with the best proof so far, whenever a bound has been computed. The
    number of parts is a power of two, so that they keep two, four or eight cores busy to the
    end. Parts have no trees, of which every leaf takes as much memory again.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> type(prover_for(Problem.of(Layer(np.eye(3)), np.ones(3), 0.5, SquaredLoss()))).__name__
    'RelaxationProver'
    """
    n = len(problem.Y)
    if n <= _TOGETHER:
        return RelaxationProver(problem, on_bound=on_bound, leaves=LEAVES)
    n_parts = 1 << (-(-n // _TOGETHER) - 1).bit_length()
    threads = max(1, available_cores() // n_parts)
    make = partial(RelaxationProver, threads=threads)
    return PartsProver(problem, n_parts, make, on_bound=on_bound)
