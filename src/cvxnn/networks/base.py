"""What all networks of this room are: immutable weights with a function and an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.evaluation import Evaluation, Prediction, evaluate
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.networks.stages import Stages
from cvxnn.validation import check_positive, check_target

FloatArray = NDArray[np.float64]


class ImmutableNetwork(ABC):
    """A network that is its weights, which cannot be written to, and a few settings."""

    __slots__ = ()

    @property
    @abstractmethod
    def _weights(self) -> tuple[FloatArray, ...]:
        """The arrays among the arguments of the constructor: what is trained, and gates."""

    @property
    def _settings(self) -> dict[str, Any]:
        """The other arguments of the constructor: hashable values by name."""
        return {}

    @abstractmethod
    def forward(self, data: ArrayLike) -> FloatArray:
        """``f(data)``, shape (n,), also available by calling the network."""

    def __call__(self, data: ArrayLike) -> FloatArray:
        """The same as :meth:`forward`."""
        return self.forward(data)

    def penalty(self) -> float:
        """Half the sum of all squared weights, what beta multiplies in the objective."""
        return 0.5 * sum(float(np.vdot(part, part)) for part in self._weights)

    def objective(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss | None = None
    ) -> float:
        """``l(f(data), y) + beta * penalty``: a sum over the rows, no mean.

        Parameters
        ----------
        data : array-like
            As for :meth:`forward`.
        y : array-like, shape (n,)
        beta : float
            Positive.
        loss : Loss, optional
            The squared loss if None.

        Raises
        ------
        InputError
            If an argument is not as described.
        """
        loss = SquaredLoss() if loss is None else loss
        return self.evaluate(data, y, check_positive(beta, "beta"), loss).value

    def evaluate(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss, tol: float = 1.0
    ) -> Evaluation:
        """The objective with a bound on its rounding error, small beside `tol` if that is cheap.

        Errors are those of :meth:`objective`.
        """
        prediction = self._predict(data)
        target = check_target(y, len(prediction.values))
        n_weights = sum(part.size for part in self._weights)
        return evaluate(loss, target, prediction, beta * self.penalty(), n_weights, tol)

    @classmethod
    @abstractmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """What the networks compute, for other libraries: one model with an output for each.

        Raises
        ------
        InputError
            If they differ in what they read, or in a setting.
        """

    @abstractmethod
    def _predict(self, data: ArrayLike) -> Prediction:
        """The values of :meth:`forward`, with what is known of their rounding."""

    def __eq__(self, other: object) -> bool:
        """Whether kind, settings and weights are the same, in the same order."""
        if not isinstance(other, ImmutableNetwork) or type(other) is not type(self):
            return NotImplemented
        own, others = self._weights, other._weights
        return (
            self._settings == other._settings
            and len(own) == len(others)
            and all(map(np.array_equal, own, others))
        )

    def __hash__(self) -> int:
        # Adding 0.0 turns -0.0 into 0.0: they are equal, so their hashes must be.
        parts = tuple((part.shape, (part + 0.0).tobytes()) for part in self._weights)
        return hash((parts, tuple(self._settings.items())))

    def __reduce__(self) -> tuple[Callable[..., ImmutableNetwork], tuple[Any, ...]]:
        # Arrays come out of a pickle writable, and must go through the constructor.
        return _rebuilt, (type(self), self._weights, self._settings)


def _rebuilt(
    kind: type[ImmutableNetwork], weights: tuple[Any, ...], settings: dict[str, Any]
) -> ImmutableNetwork:
    return kind(*weights, **settings)
