"""An oracle of predictions, made of one of the rows that they are read from."""

from __future__ import annotations

from typing import Generic, TypeVar

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Rows
from cvxnn.oracle.price import Oracle, Price, of_one_output

P = TypeVar("P", bound=Price)


class LayerOracle(Generic[P]):
    """Prices dual points of the predictions: the only place where they are pulled to rows.

    Parameters
    ----------
    layer : Rows
    oracle : Oracle
        Of what the predictions are read from.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.oracle.rank_two import RankTwoOracle
    >>> modulus = Layer(np.array([[2.0]])).with_slope(-1.0)
    >>> oracle = LayerOracle(modulus, RankTwoOracle(modulus.rows))
    >>> round(oracle.price(np.array([[3.0]])).bound, 9)
    6.0
    """

    def __init__(self, layer: Rows, oracle: Oracle[P]) -> None:
        self.layer, self.oracle = layer, oracle

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> P:
        """Price a dual point of the predictions, see :class:`~cvxnn.oracle.price.Oracle`."""
        v = of_one_output(V)
        pulled = self.layer.pull(v)[:, None]
        price = self.oracle.price(pulled, threshold, tol=tol, starts=starts, deadline=deadline)
        return price.raised(self.layer.pull_error(v))
