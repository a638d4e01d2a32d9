"""The arguments of a training that do not depend on where the rows are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.errors import InputError
from cvxnn.losses import Loss, as_loss
from cvxnn.methods import Method, as_method
from cvxnn.models.base import Model, as_model
from cvxnn.training.run import Limits
from cvxnn.validation import check_flag, check_random_state


@final
@dataclass(frozen=True)
class Arguments:
    """Model, method and loss that go together, and what else :func:`cvxnn.solve` takes.

    Attributes
    ----------
    model : Model
    method : Method
    loss : Loss
    intercept : bool
        Whether there is one beside the neurons.
    random_state : numpy.random.Generator
    limits : Limits
    """

    model: Model
    method: Method
    loss: Loss
    intercept: bool
    random_state: np.random.Generator
    limits: Limits

    @classmethod
    def of(
        cls,
        *,
        model: str | Model = "relu",
        method: str | Method = "global",
        loss: str | Loss = "squared",
        intercept: bool = False,
        random_state: int | np.random.Generator | None = 0,
        **limits: Any,
    ) -> Self:
        """As :func:`cvxnn.solve` takes them; InputError if one is not as described."""
        model, method, loss = as_model(model), as_method(method), as_loss(loss)
        model.check_method(method)
        model.check_loss(loss)
        intercept = check_flag(intercept, "intercept") or model.has_intercept
        random_state = check_random_state(random_state)
        return cls(model, method, loss, intercept, random_state, Limits(**limits))


def refuse_device(device: object) -> None:
    """InputError if rows in dask are to be searched on a device."""
    if device is not None:
        raise InputError("Rows in dask are searched by the CPUs of its workers, not on a device.")
