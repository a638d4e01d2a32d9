"""Linear convolutional networks: convex programs that need no activation patterns."""

from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.architectures.patches import image_patches
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.solve import solve_circular_cnn, solve_linear_cnn

__all__ = [
    "ArchitectureSolution",
    "CircularCNN",
    "LinearCNN",
    "image_patches",
    "solve_circular_cnn",
    "solve_linear_cnn",
]
