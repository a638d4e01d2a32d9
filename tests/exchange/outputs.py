"""What exported networks and estimators compute, in PyTorch and in the evaluator of ONNX."""

from functools import partial

import pytest

from cvxnn import to_onnx, to_torch


def by_torch(exported, inputs, dtype="float64", **options):
    torch = pytest.importorskip("torch")
    export = getattr(exported, "to_torch", partial(to_torch, exported))
    module = export(dtype=getattr(torch, dtype), **options)
    with torch.no_grad():
        return module(torch.tensor(inputs, dtype=getattr(torch, dtype))).numpy()


def by_onnx(exported, inputs, dtype="float64", **options):
    reference = pytest.importorskip("onnx.reference")
    model = getattr(exported, "to_onnx", partial(to_onnx, exported))(dtype=dtype, **options)
    (values,) = reference.ReferenceEvaluator(model).run(None, {"X": inputs.astype(dtype)})
    return values
