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

# What type checkers see of the names below.
if TYPE_CHECKING:
    from cvxnn.datasets import load_ring as load_ring
    from cvxnn.errors import InputError as InputError
    from cvxnn.errors import ModelFileError as ModelFileError
    from cvxnn.errors import TooManyPatternsError as TooManyPatternsError
    from cvxnn.estimators import ConvexReLUClassifier as ConvexReLUClassifier
    from cvxnn.estimators import ConvexReLUClassifierCV as ConvexReLUClassifierCV
    from cvxnn.estimators import ConvexReLURegressor as ConvexReLURegressor
    from cvxnn.estimators import ConvexReLURegressorCV as ConvexReLURegressorCV
    from cvxnn.exchange import from_torch as from_torch
    from cvxnn.exchange import save_onnx as save_onnx
    from cvxnn.exchange import to_onnx as to_onnx
    from cvxnn.exchange import to_torch as to_torch
    from cvxnn.landscape import DescentPath as DescentPath
    from cvxnn.landscape import OptimalSet as OptimalSet
    from cvxnn.landscape import SmallestNetwork as SmallestNetwork
    from cvxnn.landscape import descent_path as descent_path
    from cvxnn.layers.images import image_patches as image_patches
    from cvxnn.losses import AbsoluteLoss as AbsoluteLoss
    from cvxnn.losses import GammaLoss as GammaLoss
    from cvxnn.losses import HingeLoss as HingeLoss
    from cvxnn.losses import HuberLoss as HuberLoss
    from cvxnn.losses import LogisticLoss as LogisticLoss
    from cvxnn.losses import PoissonLoss as PoissonLoss
    from cvxnn.losses import QuantileLoss as QuantileLoss
    from cvxnn.losses import SquaredHingeLoss as SquaredHingeLoss
    from cvxnn.losses import SquaredLoss as SquaredLoss
    from cvxnn.methods import Exact as Exact
    from cvxnn.methods import Global as Global
    from cvxnn.methods import Sampled as Sampled
    from cvxnn.models.base import Model as Model
    from cvxnn.models.base import load_network as load_network
    from cvxnn.models.circular_conv import CircularCNN as CircularCNN
    from cvxnn.models.circular_conv import CircularConv as CircularConv
    from cvxnn.models.conv import Conv as Conv
    from cvxnn.models.conv import ConvolutionalNetwork as ConvolutionalNetwork
    from cvxnn.models.gated import Gated as Gated
    from cvxnn.models.gated_network import GatedNetwork as GatedNetwork
    from cvxnn.models.linear_conv import LinearCNN as LinearCNN
    from cvxnn.models.linear_conv import LinearConv as LinearConv
    from cvxnn.models.parallel import Parallel as Parallel
    from cvxnn.models.relu import ReLU as ReLU
    from cvxnn.networks import Network as Network
    from cvxnn.networks import TwoLayerNetwork as TwoLayerNetwork
    from cvxnn.networks.parallel import ParallelNetwork as ParallelNetwork
    from cvxnn.networks.storage import load_certificate as load_certificate
    from cvxnn.patterns import PatternSet as PatternSet
    from cvxnn.patterns import count_patterns_bound as count_patterns_bound
    from cvxnn.patterns import enumerate_patterns as enumerate_patterns
    from cvxnn.patterns import sample_patterns as sample_patterns
    from cvxnn.program import ConvexProgram as ConvexProgram
    from cvxnn.results import Certificate as Certificate
    from cvxnn.results import ImprovingNeuron as ImprovingNeuron
    from cvxnn.results import NetworkCertificate as NetworkCertificate
    from cvxnn.results import Progress as Progress
    from cvxnn.results import Solution as Solution
    from cvxnn.results import Status as Status
    from cvxnn.results import Verdict as Verdict
    from cvxnn.training import solve as solve
    from cvxnn.training.certification import certify as certify
    from cvxnn.training.depth import DepthGain as DepthGain
    from cvxnn.training.depth import depth_gain as depth_gain
    from cvxnn.training.path import RegularizationPath as RegularizationPath
    from cvxnn.training.path import largest_beta as largest_beta
    from cvxnn.training.path import regularization_path as regularization_path
    from cvxnn.verification import BoundCertificate as BoundCertificate
    from cvxnn.verification import Verification as Verification

# A name is imported when it is first asked for (PEP 562), so that `import cvxnn`
# and the help of the command line do not pay for numba.
_NAMES = {
    "cvxnn.datasets": "load_ring",
    "cvxnn.errors": "InputError ModelFileError TooManyPatternsError",
    "cvxnn.estimators": (
        "ConvexReLUClassifier ConvexReLUClassifierCV ConvexReLURegressor ConvexReLURegressorCV"
    ),
    "cvxnn.exchange": "from_torch save_onnx to_onnx to_torch",
    "cvxnn.landscape": "DescentPath OptimalSet SmallestNetwork descent_path",
    "cvxnn.layers.images": "image_patches",
    "cvxnn.losses": (
        "AbsoluteLoss GammaLoss HingeLoss HuberLoss LogisticLoss PoissonLoss QuantileLoss "
        "SquaredHingeLoss SquaredLoss"
    ),
    "cvxnn.methods": "Exact Global Sampled",
    "cvxnn.models.base": "Model load_network",
    "cvxnn.models.circular_conv": "CircularCNN",
    "cvxnn.models.conv": "ConvolutionalNetwork",
    "cvxnn.models.gated_network": "GatedNetwork",
    "cvxnn.models.linear_conv": "LinearCNN",
    "cvxnn.networks": "Network TwoLayerNetwork",
    "cvxnn.networks.parallel": "ParallelNetwork",
    "cvxnn.networks.storage": "load_certificate",
    "cvxnn.patterns": "PatternSet count_patterns_bound enumerate_patterns sample_patterns",
    "cvxnn.program": "ConvexProgram",
    "cvxnn.results": (
        "Certificate ImprovingNeuron NetworkCertificate Progress Solution Status Verdict"
    ),
    "cvxnn.training": "solve",
    "cvxnn.training.certification": "certify",
    "cvxnn.training.depth": "DepthGain depth_gain",
    "cvxnn.training.path": "RegularizationPath largest_beta regularization_path",
    "cvxnn.verification": "BoundCertificate Verification",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
_HOMES |= {model: f"cvxnn.models.{name}" for name, model in MODELS.items()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
