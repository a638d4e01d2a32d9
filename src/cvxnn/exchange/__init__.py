"""Networks for other libraries, PyTorch modules and ONNX models, and networks of others read."""

from cvxnn.exchange.onnx_models import save_onnx, to_onnx
from cvxnn.exchange.torch_modules import from_torch, to_torch

__all__ = ["from_torch", "save_onnx", "to_onnx", "to_torch"]
