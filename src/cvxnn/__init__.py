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

from cvxnn.models.registry import MODELS

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
    from cvxnn.models.base import Model, load_network
    from cvxnn.models.circular_conv import CircularCNN
    from cvxnn.models.circular_conv import CircularConv as CircularConv
    from cvxnn.models.conv import Conv as Conv
    from cvxnn.models.conv import ConvolutionalNetwork
    from cvxnn.models.gated import Gated as Gated
    from cvxnn.models.gated import GatedNetwork
    from cvxnn.models.linear_conv import LinearCNN
    from cvxnn.models.linear_conv import LinearConv as LinearConv
    from cvxnn.models.relu import ReLU as ReLU
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
    "ConvexProgram",
    "ConvexReLUClassifier",
    "ConvexReLUClassifierCV",
    "ConvexReLURegressor",
    "ConvexReLURegressorCV",
    "ConvolutionalNetwork",
    "DescentPath",
    "Exact",
    "GatedNetwork",
    "Global",
    "HuberLoss",
    "ImprovingNeuron",
    "InputError",
    "LinearCNN",
    "LogisticLoss",
    "Model",
    "ModelFileError",
    "Network",
    "NetworkCertificate",
    "OptimalSet",
    "PatternSet",
    "Progress",
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
_NAMES = {
    "cvxnn.datasets": ("load_ring",),
    "cvxnn.errors": ("InputError", "ModelFileError", "TooManyPatternsError"),
    "cvxnn.estimators": (
        "ConvexReLUClassifier",
        "ConvexReLUClassifierCV",
        "ConvexReLURegressor",
        "ConvexReLURegressorCV",
    ),
    "cvxnn.exchange": ("from_torch", "save_onnx", "to_onnx", "to_torch"),
    "cvxnn.landscape": ("DescentPath", "OptimalSet", "SmallestNetwork", "descent_path"),
    "cvxnn.layers.images": ("image_patches",),
    "cvxnn.losses": ("HuberLoss", "LogisticLoss", "SquaredHingeLoss", "SquaredLoss"),
    "cvxnn.methods": ("Exact", "Global", "Sampled"),
    "cvxnn.models.base": ("Model", "load_network"),
    "cvxnn.models.circular_conv": ("CircularCNN",),
    "cvxnn.models.conv": ("ConvolutionalNetwork",),
    "cvxnn.models.gated": ("GatedNetwork",),
    "cvxnn.models.linear_conv": ("LinearCNN",),
    "cvxnn.networks": ("Network", "TwoLayerNetwork"),
    "cvxnn.patterns": (
        "PatternSet",
        "count_patterns_bound",
        "enumerate_patterns",
        "sample_patterns",
    ),
    "cvxnn.program": ("ConvexProgram",),
    "cvxnn.results": (
        "Certificate",
        "ImprovingNeuron",
        "NetworkCertificate",
        "Progress",
        "Solution",
        "Status",
        "Verdict",
    ),
    "cvxnn.training": ("solve",),
    "cvxnn.training.certification": ("certify",),
    "cvxnn.training.path": ("RegularizationPath", "largest_beta", "regularization_path"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_HOMES |= {model: f"cvxnn.models.{name}" for name, model in MODELS.items()}
__all__ += [*MODELS.values()]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
