"""The arrangement of the hyperplanes of rows: its cells, listed or drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.patterns.enumeration import enumerate_until
from cvxnn.patterns.pattern_set import PatternSet
from cvxnn.patterns.sampling import sample_until


@dataclass(frozen=True)
class RowArrangement:
    """Cells of directions that are on one side of every row.

    Attributes
    ----------
    rows : ndarray, shape (n, d)
    """

    rows: FloatArray

    def enumerate(self, deadline: Deadline) -> PatternSet:
        """All cells, see :func:`cvxnn.enumerate_patterns`."""
        return enumerate_until(self.rows, deadline)

    def sample(
        self, n_samples: int, scheme: str, random_state: np.random.Generator, deadline: Deadline
    ) -> PatternSet:
        """Those of random directions, see :func:`cvxnn.sample_patterns`."""
        return sample_until(self.rows, deadline, n_samples, random_state, scheme)
