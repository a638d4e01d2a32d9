"""What exported networks compute, in PyTorch and in the reference evaluator of ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvxnn import to_onnx, to_torch


def by_torch(networks: Any, inputs: np.ndarray, dtype: str = "float64", **options: Any) -> Any:
    torch = pytest.importorskip("torch")
    module = to_torch(networks, dtype=getattr(torch, dtype), **options)
    with torch.no_grad():
        return module(torch.tensor(inputs, dtype=getattr(torch, dtype))).numpy()


def by_onnx(networks: Any, inputs: np.ndarray, dtype: str = "float64", **options: Any) -> Any:
    reference = pytest.importorskip("onnx.reference")
    model = to_onnx(networks, dtype=dtype, **options)
    (values,) = reference.ReferenceEvaluator(model).run(None, {"X": inputs.astype(dtype)})
    return values
