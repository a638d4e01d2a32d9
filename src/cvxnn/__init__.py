"""Two-layer ReLU networks trained to certified global optimality.

Training is a convex program over the activation patterns of the data (Pilanci and
Ergen, 2020): the result does not depend on a seed or a step size, and it comes with
a lower bound that no two-layer ReLU network of any width can beat.

Examples
--------
>>> import cvxnn
>>> X, y = cvxnn.load_ring()
>>> solution = cvxnn.solve(X, y, beta=1.0)
>>> solution.status.name
'OPTIMAL'
>>> print(f"{solution.objective:.4f}, gap below tol: {solution.gap <= solution.tol}")
9.7259, gap below tol: True
>>> solution.network.forward(X).shape
(50,)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cvxnn.datasets import load_ring
    from cvxnn.errors import InputError, ModelFileError, TooManyPatternsError
    from cvxnn.estimators import (
        ConvexReLUClassifier,
        ConvexReLUClassifierCV,
        ConvexReLURegressor,
        ConvexReLURegressorCV,
    )
    from cvxnn.exchange import from_torch, save_onnx, to_onnx, to_torch
    from cvxnn.landscape import DescentPath, OptimalSet, SmallestNetwork, descent_path
    from cvxnn.layers.images import image_patches
    from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss
    from cvxnn.methods import Exact, Global, Sampled
    from cvxnn.models import Model
    from cvxnn.models.circular_conv import CircularCNN, CircularConv
    from cvxnn.models.conv import Conv, ConvolutionalNetwork
    from cvxnn.models.files import load_network
    from cvxnn.models.gated import Gated, GatedNetwork
    from cvxnn.models.linear_conv import LinearCNN, LinearConv
    from cvxnn.models.relu import ReLU
    from cvxnn.networks import Network, TwoLayerNetwork
    from cvxnn.patterns import (
        PatternSet,
        count_patterns_bound,
        enumerate_patterns,
        sample_patterns,
    )
    from cvxnn.program import ConvexProgram
    from cvxnn.results import (
        Certificate,
        ImprovingNeuron,
        NetworkCertificate,
        Progress,
        Solution,
        Status,
        Verdict,
    )
    from cvxnn.training import solve
    from cvxnn.training.certification import certify
    from cvxnn.training.path import RegularizationPath, largest_beta, regularization_path

__all__ = [
    "Certificate",
    "CircularCNN",
    "CircularConv",
    "Conv",
    "ConvexProgram",
    "ConvexReLUClassifier",
    "ConvexReLUClassifierCV",
    "ConvexReLURegressor",
    "ConvexReLURegressorCV",
    "ConvolutionalNetwork",
    "DescentPath",
    "Exact",
    "Gated",
    "GatedNetwork",
    "Global",
    "HuberLoss",
    "ImprovingNeuron",
    "InputError",
    "LinearCNN",
    "LinearConv",
    "LogisticLoss",
    "Model",
    "ModelFileError",
    "Network",
    "NetworkCertificate",
    "OptimalSet",
    "PatternSet",
    "Progress",
    "ReLU",
    "RegularizationPath",
    "Sampled",
    "SmallestNetwork",
    "Solution",
    "SquaredHingeLoss",
    "SquaredLoss",
    "Status",
    "TooManyPatternsError",
    "TwoLayerNetwork",
    "Verdict",
    "certify",
    "count_patterns_bound",
    "descent_path",
    "enumerate_patterns",
    "from_torch",
    "image_patches",
    "largest_beta",
    "load_network",
    "load_ring",
    "regularization_path",
    "sample_patterns",
    "save_onnx",
    "solve",
    "to_onnx",
    "to_torch",
]

# A name is imported when it is first asked for (PEP 562), so that `import cvxnn`
# and the help of the command line do not pay for numba.
_HOMES = {
    "Certificate": "cvxnn.results",
    "CircularCNN": "cvxnn.models.circular_conv",
    "CircularConv": "cvxnn.models.circular_conv",
    "Conv": "cvxnn.models.conv",
    "ConvexProgram": "cvxnn.program",
    "ConvexReLUClassifier": "cvxnn.estimators",
    "ConvexReLUClassifierCV": "cvxnn.estimators",
    "ConvexReLURegressor": "cvxnn.estimators",
    "ConvexReLURegressorCV": "cvxnn.estimators",
    "ConvolutionalNetwork": "cvxnn.models.conv",
    "DescentPath": "cvxnn.landscape",
    "Exact": "cvxnn.methods",
    "Gated": "cvxnn.models.gated",
    "GatedNetwork": "cvxnn.models.gated",
    "Global": "cvxnn.methods",
    "HuberLoss": "cvxnn.losses",
    "ImprovingNeuron": "cvxnn.results",
    "InputError": "cvxnn.errors",
    "LinearCNN": "cvxnn.models.linear_conv",
    "LinearConv": "cvxnn.models.linear_conv",
    "LogisticLoss": "cvxnn.losses",
    "Model": "cvxnn.models",
    "ModelFileError": "cvxnn.errors",
    "Network": "cvxnn.networks",
    "NetworkCertificate": "cvxnn.results",
    "OptimalSet": "cvxnn.landscape",
    "PatternSet": "cvxnn.patterns",
    "Progress": "cvxnn.results",
    "ReLU": "cvxnn.models.relu",
    "RegularizationPath": "cvxnn.training.path",
    "Sampled": "cvxnn.methods",
    "SmallestNetwork": "cvxnn.landscape",
    "Solution": "cvxnn.results",
    "SquaredHingeLoss": "cvxnn.losses",
    "SquaredLoss": "cvxnn.losses",
    "Status": "cvxnn.results",
    "TooManyPatternsError": "cvxnn.errors",
    "TwoLayerNetwork": "cvxnn.networks",
    "Verdict": "cvxnn.results",
    "certify": "cvxnn.training.certification",
    "count_patterns_bound": "cvxnn.patterns",
    "descent_path": "cvxnn.landscape",
    "enumerate_patterns": "cvxnn.patterns",
    "from_torch": "cvxnn.exchange",
    "image_patches": "cvxnn.layers.images",
    "largest_beta": "cvxnn.training.path",
    "load_network": "cvxnn.models.files",
    "load_ring": "cvxnn.datasets",
    "regularization_path": "cvxnn.training.path",
    "sample_patterns": "cvxnn.patterns",
    "save_onnx": "cvxnn.exchange",
    "solve": "cvxnn.training",
    "to_onnx": "cvxnn.exchange",
    "to_torch": "cvxnn.exchange",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
