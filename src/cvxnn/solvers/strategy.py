"""How the optimum of a problem is looked for: what a model and a method come down to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.methods import Method
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.opening import opening
from cvxnn.solvers.search import Search

# Accuracy, and the nodes times rows it may take: some seconds. A clock would give another
# bound on another day.
SHARP, _WORK = 1e-6, 100_000_000
_MOST_NODES = 100_000


class Join(Enum):
    """When neurons and an intercept are searched for at once."""

    NEVER = "never"
    AFTER = "after searches beside intercepts that came to no end"
    FIRST = "first"


class Strategy(ABC):
    """Opens the search of a run, and says what there is as long as there is none.

    Everything is in the units of the problem that it was made for.

    Attributes
    ----------
    n_patterns : int
        Patterns in the program, once the search is open; 0 where none are listed.
    """

    n_patterns: int = 0

    @abstractmethod
    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""

    @abstractmethod
    def open_for(
        self,
        problem: Problem[Any],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows, from neurons where that helps.

        Unless it `certifies`, an exact oracle is not asked where it would have to search.
        """

    def rough(
        self, problem: Problem[Any], start: Neurons | None, deadline: Deadline
    ) -> TileSearch | None:
        """A rough search for neurons and an intercept at once, where that is worth it."""
        return None

    def jointly(
        self,
        problem: Problem[Any],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search | None:
        """A search for neurons and an intercept at once, to the end, where there is one."""
        return None

    def join(self, problem: Problem[Any], deadline: Deadline) -> Join:
        """Whether that is better than searches beside given intercepts."""
        return Join.NEVER

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """What else, beside the model's settings, says which networks a proof is about."""
        return {}

    @property
    def asks(self) -> bool:
        """Whether searches may ask an exact oracle beyond what proves their rounds."""
        return False

    @property
    def polishes(self) -> bool:
        """Whether neurons come to rest to the last digits."""
        return True

    @abstractmethod
    def opening(self) -> Neurons:
        """A first network in the time of a few passes over the data, for a run cut short."""

    @abstractmethod
    def first_proof(self) -> DualProof:
        """What the residual of the network without neurons proves, in the same time."""

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by an exact oracle, where that takes longer: some seconds at most."""
        return self.first_proof()

    @abstractmethod
    def nothing(self) -> Neurons:
        """The network without neurons."""


def sharp_proof(layer: Layer, v: FloatArray, deadline: Deadline = UNLIMITED) -> DualProof:
    """The largest ``|v'phi(u)|`` over ``||u|| <= 1`` to 1e-6, or an upper bound.

    An upper bound where the oracle does not finish within its nodes or the deadline, or the
    rank of the rows is above 9.

    Examples
    --------
    >>> import numpy as np
    >>> round(sharp_proof(Layer(np.array([[1.0], [2.0]])), np.ones(2)).oracle_bound, 6)
    3.0
    """
    oracle = oracle_for(layer, some_seconds(layer))
    price = oracle.price(v[:, None], tol=SHARP, deadline=deadline)
    return DualProof.priced(v[:, None], price)


def some_seconds(layer: Layer) -> Effort:
    """What an oracle may spend on a dual point of a layer in a few seconds, on any machine."""
    return Effort(max_nodes=min(_MOST_NODES, max(1, _WORK // len(layer.rows))))


class RowsStrategy(Strategy):
    """A strategy for neurons on rows, with the cells that a method lists.

    Parameters
    ----------
    problem : Problem of Rows
    method : Method
    random_state : numpy.random.Generator
    """

    def __init__(
        self, problem: Problem[Any], method: Method, random_state: np.random.Generator
    ) -> None:
        self._problem, self._method, self._random_state = problem, method, random_state

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """What else, beside the model's settings, says which networks a proof is about."""
        return {}

    @property
    def asks(self) -> bool:
        return self._method.covers_all and self._method.certify

    @property
    def polishes(self) -> bool:
        return self._method.polish

    def opening(self) -> Neurons:
        return opening(self._problem)

    def nothing(self) -> Neurons:
        return Neurons.none(self._problem.rows.n_features)

    def first_proof(self) -> DualProof:
        return spectral_proof(self._problem.rows, self._problem.residual_at_zero, quick=True)
