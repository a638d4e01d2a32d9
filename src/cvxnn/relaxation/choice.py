"""Which prover suits how many rows."""

from __future__ import annotations

from functools import partial

from cvxnn.certificates import Prover
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver

# Rows that are proven together: with more, memory grows and the first iterations bring less, but
# the bound after the same time is no better, see `benchmarks/large_bounds.py`.
_TOGETHER = 5_000


def prover_for(problem: Problem[Layer]) -> Prover[Neurons]:
    """A prover of bounds at any rank: of all rows together, or of parts where they are many.

    The number of parts is a power of two, so that they keep two, four or eight cores busy to
    the end.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> type(prover_for(Problem.of(Layer(np.eye(3)), np.ones(3), 0.5, SquaredLoss()))).__name__
    'RelaxationProver'
    """
    n = len(problem.Y)
    if n <= _TOGETHER:
        return RelaxationProver(problem)
    n_parts = 1 << (-(-n // _TOGETHER) - 1).bit_length()
    threads = max(1, available_cores() // n_parts)
    return PartsProver(problem, n_parts, partial(RelaxationProver, threads=threads))
