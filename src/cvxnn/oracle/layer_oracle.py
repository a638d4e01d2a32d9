"""An oracle of predictions, made of one of the rows that they are read from."""

from __future__ import annotations

from typing import TypeVar, final

from cvxnn.array_types import FloatArray
from cvxnn.layers import Rows
from cvxnn.oracle.price import Oracle, Price, VectorOracle, Wanted

P = TypeVar("P", bound=Price)


@final
class LayerOracle(VectorOracle[P]):
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

    def price_vector(self, v: FloatArray, wanted: Wanted) -> P:
        """Price a dual point of the predictions."""
        price = self.oracle.price(
            self.layer.pull(v)[:, None], wanted.threshold,
            tol=wanted.tol, starts=wanted.starts, deadline=wanted.deadline,
        )  # fmt: skip
        return price.raised(self.layer.pull_error(v))
