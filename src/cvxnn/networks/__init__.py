"""Networks: immutable weights with a function, an objective and files."""

from cvxnn.networks.two_layer import TwoLayerNetwork, load_model

__all__ = ["TwoLayerNetwork", "load_model"]
