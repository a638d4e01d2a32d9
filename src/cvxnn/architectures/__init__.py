"""Other networks on the same convex programs: leaky and gated activations, convolutions."""

from cvxnn.architectures.cnn import solve_cnn
from cvxnn.architectures.convolutional import ConvolutionalNetwork
from cvxnn.architectures.files import load_network
from cvxnn.architectures.gated import solve_gated
from cvxnn.architectures.gated_networks import GatedNetwork
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
    "LinearCNN",
    "image_patches",
    "load_network",
    "solve_circular_cnn",
    "solve_cnn",
    "solve_gated",
    "solve_leaky",
    "solve_linear_cnn",
]
