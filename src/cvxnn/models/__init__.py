"""The kinds of networks: one file for each, with the network and the model that trains it."""

from cvxnn.models.base import Capabilities, LayerModel, Model
from cvxnn.models.registry import MODELS, as_model

__all__ = ["MODELS", "Capabilities", "LayerModel", "Model", "as_model"]
