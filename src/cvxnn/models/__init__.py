"""The kinds of networks: one file for each, with the network and the model that trains it."""

from __future__ import annotations

from cvxnn.models.base import Capabilities, LayerModel, Model
from cvxnn.models.circular_conv import CircularConv
from cvxnn.models.conv import Conv
from cvxnn.models.gated import Gated
from cvxnn.models.linear_conv import LinearConv
from cvxnn.models.relu import ReLU
from cvxnn.validation import check_choice

__all__ = [
    "MODELS",
    "Capabilities",
    "CircularConv",
    "Conv",
    "Gated",
    "LayerModel",
    "LinearConv",
    "Model",
    "ReLU",
    "as_model",
]

# The registry: a kind of network is here, and so everywhere.
MODELS: dict[str, type[Model]] = {
    "relu": ReLU,
    "gated": Gated,
    "conv": Conv,
    "linear_conv": LinearConv,
    "circular_conv": CircularConv,
}


def as_model(model: object) -> Model:
    """A model from its name, with its defaults, or as it is; InputError if it is neither.

    Examples
    --------
    >>> as_model("relu")
    ReLU(slope=0.0, skip=None)
    """
    if isinstance(model, Model):
        return model
    return MODELS[check_choice(model, "model", tuple(MODELS))]()
