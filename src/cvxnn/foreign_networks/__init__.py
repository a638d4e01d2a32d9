"""Networks of other libraries, read as :class:`~cvxnn.networks.TwoLayerNetwork`.

No library is imported here: an object of a library that was never imported does
not exist, so its class is looked up among the modules that are loaded.
"""

from cvxnn.foreign_networks.network import ReadNetwork
from cvxnn.foreign_networks.read import read_network
from cvxnn.foreign_networks.tensors import detached

__all__ = ["ReadNetwork", "detached", "read_network"]
