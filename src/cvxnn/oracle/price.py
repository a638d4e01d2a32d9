"""What an oracle is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Protocol, Self, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Rows

# Signs of one output, in the order of their bounds.
BOTH = (1.0, -1.0)


@dataclass(frozen=True)
class Proposals:
    """Neurons that would lower the objective, best first.

    Attributes
    ----------
    directions : ndarray, shape (m, d)
        Unit vectors u.
    outputs : ndarray, shape (m, c)
        Unit output weights a; for one output the signs.
    values : ndarray, shape (m,)
        ``a'V'phi(u)``, up to rounding: a lower bound on the oracle each.
    """

    directions: FloatArray
    outputs: FloatArray
    values: FloatArray

    @classmethod
    def none(cls, n_features: int, n_outputs: int = 1) -> Proposals:
        """No neurons."""
        return cls(np.zeros((0, n_features)), np.zeros((0, n_outputs)), np.zeros(0))

    @classmethod
    def joined(cls, first: Proposals, second: Proposals) -> Proposals:
        """Those of two."""
        both = cls(
            np.vstack([first.directions, second.directions]),
            np.vstack([first.outputs, second.outputs]),
            np.concatenate([first.values, second.values]),
        )
        return both.select(np.argsort(-both.values, kind="stable"))

    def __len__(self) -> int:
        """The number of neurons m."""
        return len(self.values)

    @property
    def signs(self) -> FloatArray:
        """Of one output: its sign for each neuron, shape (m,)."""
        (signs,) = self.outputs.T
        return signs

    @property
    def heads(self) -> FloatArray:
        """The output weights shaped as targets: (m,) for one output, (m, c) for several."""
        return self.outputs[:, 0] if self.outputs.shape[1] == 1 else self.outputs

    @property
    def largest(self) -> float:
        """The best value, 0 where there is none."""
        return float(self.values.max(initial=0.0))

    def select(self, index: NDArray[np.intp] | BoolArray) -> Proposals:
        """The neurons in `index`."""
        return Proposals(self.directions[index], self.outputs[index], self.values[index])

    def turned(self, matrix: FloatArray) -> Proposals:
        """Directions times a matrix with orthonormal columns or rows, shape (d, r)."""
        return replace(self, directions=self.directions @ matrix)


@dataclass(frozen=True)
class Price(ABC):
    """What an oracle has proven and found at a dual point V.

    Attributes
    ----------
    kind : str
        What has proven it, as in :class:`~cvxnn.certificates.DualProof`.
    is_exact : bool
        Whether the bounds are as good as rounding allows, whatever the tolerance.
    bounds : ndarray
        Proven upper bounds on ``||V'phi(u)||`` over ``||u|| <= 1``, rounding included: for
        one output one for each sign of it, shape (2,), twice the same where an oracle does
        not tell them apart; else one of the norm, (1,).
    finished : bool
        Whether they are as close as was asked for.
    """

    kind: ClassVar[str]
    is_exact: ClassVar[bool]

    bounds: FloatArray
    finished: bool

    @property
    def bound(self) -> float:
        """The largest of the bounds."""
        return float(self.bounds.max())

    @property
    @abstractmethod
    def proposals(self) -> Proposals:
        """Neurons of a value above the threshold that was asked for."""

    @property
    def directions(self) -> FloatArray:
        """Of the proposals, shape (m, d)."""
        return self.proposals.directions

    @property
    def outputs(self) -> FloatArray:
        """Of the proposals, shape (m, c)."""
        return self.proposals.outputs

    @property
    def signs(self) -> FloatArray:
        """Of the proposals, shape (m,), for one output."""
        return self.proposals.signs

    @property
    def values(self) -> FloatArray:
        """Of the proposals, shape (m,)."""
        return self.proposals.values

    def raised(self, error: float) -> Self:
        """With bounds that cover a further error of V."""
        return replace(self, bounds=self.bounds + error)


P = TypeVar("P", bound=Price, covariant=True)


class Oracle(Protocol[P]):
    """Bounds ``||V'phi(u)||`` over the unit ball, and finds where it is large."""

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> P:
        """Price a dual point.

        Parameters
        ----------
        V : ndarray, shape (n, c)
        threshold : float
            Usually beta: only neurons of a larger value can lower the objective, and bounds
            below it need not be any closer.
        tol : float
            Relative accuracy of the bounds where they are above the threshold; an exact
            oracle does not need to know.
        starts : ndarray, shape (k, d), optional
            Directions that may have large values, such as the neurons of a network; they
            save time where the oracle searches.
        deadline : Deadline, optional
            The price is unfinished where it passes before the end; OutOfTimeError is raised
            by oracles that have nothing to show before.
        """


@dataclass(frozen=True)
class Wanted:
    """What an oracle is to prove and to find: the arguments of :meth:`Oracle.price`.

    Attributes
    ----------
    signs : tuple of float
        Of one output: the signs of neurons that are asked about. Nothing is proven of others.
    """

    threshold: float
    tol: float
    starts: FloatArray | None
    deadline: Deadline
    signs: tuple[float, ...] = BOTH

    def bounds(self, bound: float) -> FloatArray:
        """A bound that holds for the signs that are asked about as one for each, shape (2,)."""
        return np.array([bound if sign in self.signs else np.inf for sign in BOTH])


class VectorOracle(ABC, Generic[P]):
    """An :class:`Oracle` for one output, where dual points are vectors."""

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> P:
        """Price V, shape (n, 1), see :class:`Oracle`."""
        (v,) = V.T
        return self.price_vector(v, Wanted(threshold, tol, starts, deadline))

    @abstractmethod
    def price_vector(self, v: FloatArray, wanted: Wanted) -> P:
        """Price v, shape (n,)."""


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
