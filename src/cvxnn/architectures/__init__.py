"""Convolutional networks on the same convex programs, and linear ones that need no patterns."""

from cvxnn.architectures.cnn import solve_cnn
from cvxnn.architectures.convolutional import ConvolutionalNetwork
from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.architectures.patches import image_patches
from cvxnn.architectures.results import CNNSolution
from cvxnn.architectures.solve import solve_circular_cnn, solve_linear_cnn

__all__ = [
    "CNNSolution",
    "CircularCNN",
    "ConvolutionalNetwork",
    "LinearCNN",
    "image_patches",
    "solve_circular_cnn",
    "solve_cnn",
    "solve_linear_cnn",
]
