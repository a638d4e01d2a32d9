"""Gated networks as modules of PyTorch."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from cvxnn import GatedNetwork, InputError


def random_network(m=4, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return GatedNetwork(*rng.standard_normal((2, m, d)), rng.standard_normal(m))


def test_torch_gives_the_same_outputs_and_trains_the_weights_only():
    torch = pytest.importorskip("torch")
    network = random_network()
    X = np.random.default_rng(3).standard_normal((8, 3))
    module = network.to_torch()
    values = module(torch.tensor(X))
    assert values.shape == (8, 1)
    assert np.allclose(values.detach().numpy()[:, 0], network.forward(X), rtol=1e-13)
    assert {name for name, _ in module.named_parameters()} == {"hidden.weight", "output.weight"}
    assert "gates" in module.state_dict()
    values.sum().backward()
    assert module.hidden.weight.grad is not None
    single = network.to_torch(dtype=torch.float32)
    assert single(torch.tensor(X, dtype=torch.float32)).dtype is torch.float32
    assert network == random_network()


def test_without_torch_the_export_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'cvxnn\[torch\]'"):
        random_network().to_torch()
