"""Other networks on convex programs: gated ReLU, linear convolutional networks."""

from cvxnn.architectures.gated import solve_gated
from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.architectures.patches import image_patches
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.solve import solve_circular_cnn, solve_linear_cnn

__all__ = [
    "ArchitectureSolution",
    "CircularCNN",
    "GatedNetwork",
    "LinearCNN",
    "image_patches",
    "solve_circular_cnn",
    "solve_gated",
    "solve_linear_cnn",
]
