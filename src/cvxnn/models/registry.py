"""The registry of the kinds of networks: a model that stands here is everywhere."""

from __future__ import annotations

from cvxnn.models.base import Model
from cvxnn.models.circular_conv import CircularConv
from cvxnn.models.conv import Conv
from cvxnn.models.gated import Gated
from cvxnn.models.linear_conv import LinearConv
from cvxnn.models.relu import ReLU
from cvxnn.validation import check_choice

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
