"""Other networks on the same convex programs: leaky and gated activations, convolutions."""

from cvxnn.architectures.cnn import solve_cnn
from cvxnn.architectures.convolutional import ConvolutionalNetwork
from cvxnn.architectures.gated import solve_gated
from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.architectures.leaky import LeakyNetwork
from cvxnn.architectures.leaky_solve import solve_leaky
from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.solve import solve_circular_cnn, solve_linear_cnn
from cvxnn.layers.images import image_patches

__all__ = [
    "ArchitectureSolution",
    "CircularCNN",
    "ConvolutionalNetwork",
    "GatedNetwork",
    "LeakyNetwork",
    "LinearCNN",
    "image_patches",
    "solve_circular_cnn",
    "solve_cnn",
    "solve_gated",
    "solve_leaky",
    "solve_linear_cnn",
]
