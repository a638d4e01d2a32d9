"""Networks of other libraries, read as :class:`~cvxnn.networks.TwoLayerNetwork`.

No library is imported here: an object of a library that was never imported does
not exist, so its class is looked up among the modules that are loaded.
"""

from cvxnn.exchange.foreign.network import ReadNetwork, detached
from cvxnn.exchange.foreign.read import read_network

__all__ = ["ReadNetwork", "detached", "read_network"]
