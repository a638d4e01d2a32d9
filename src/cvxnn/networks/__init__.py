"""Networks: immutable weights with a function, an objective and files."""

from cvxnn.networks.base import Network
from cvxnn.networks.two_layer import TwoLayerNetwork, check_plain

__all__ = ["Network", "TwoLayerNetwork", "check_plain"]
