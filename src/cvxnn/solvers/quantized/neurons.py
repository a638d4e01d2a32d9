"""Neurons of two vectors of signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons


@final
@dataclass(frozen=True)
class QuantizedNeurons(Neurons):
    """Neurons ``size (X u)(X v)``: directions are the u, and outputs 1, as -v is a v, too.

    Attributes
    ----------
    partners : ndarray, shape (k, d)
        The v.
    """

    partners: FloatArray = field(kw_only=True)

    @classmethod
    def pairs(cls, left: FloatArray, right: FloatArray, sizes: FloatArray) -> QuantizedNeurons:
        """From vectors of signs as rows, shape (k, d), and sizes, shape (k,)."""
        return cls(left, sizes, np.ones((len(sizes), 1)), partners=right)
