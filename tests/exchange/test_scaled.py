"""Stages of networks of every kind that were trained on scaled data."""

from dataclasses import replace

import numpy as np
import pytest
from exchange.outputs import by_onnx, by_torch
from scipy.special import softmax

import cvxnn
from cvxnn.estimators.scaling import Scaling
from cvxnn.exchange.scaled import unscaled
from cvxnn.networks.stages import Activation

RNG = np.random.default_rng(0)
X = 5.0 * RNG.standard_normal((7, 3)) + 2.0
COLUMNS = Scaling(np.array([1.0, -2.0, 3.0]), np.array([2.0, 0.5, 4.0]), 7.0, 3.0)
ENTRIES = Scaling(None, 4.0, 7.0, 3.0)
HIDDEN, OUTPUT = RNG.standard_normal((4, 3)), RNG.standard_normal(4)
NETWORKS = {
    "plain": (cvxnn.TwoLayerNetwork(HIDDEN, OUTPUT), COLUMNS, X),
    "intercept": (cvxnn.TwoLayerNetwork(HIDDEN, OUTPUT, intercept=0.7), COLUMNS, X),
    "skip": (cvxnn.TwoLayerNetwork(HIDDEN, OUTPUT, slope=0.1, skip_weights=OUTPUT[:3]), COLUMNS, X),
    "gated": (cvxnn.GatedNetwork(HIDDEN[::-1], HIDDEN, OUTPUT), COLUMNS, X),
    "circular": (cvxnn.CircularCNN(HIDDEN, HIDDEN[::-1]), ENTRIES, X),
    "signs": (
        cvxnn.QuantizedNetwork(np.sign(HIDDEN), np.sign(HIDDEN[::-1]), OUTPUT, intercept=0.7),
        COLUMNS, X,
    ),
    "patches": (
        cvxnn.LinearCNN(HIDDEN, RNG.standard_normal((4, 2))), ENTRIES,
        RNG.standard_normal((5, 2, 3)),
    ),
    "signals": (
        cvxnn.ConvolutionalNetwork(HIDDEN[:, :, None], OUTPUT, OUTPUT, pooling="max", padding=1),
        ENTRIES, RNG.standard_normal((5, 6)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("run", [by_torch, by_onnx])
@pytest.mark.parametrize("name", NETWORKS)
def test_raw_data_go_in_and_raw_values_come_out(run, name):
    network, scaling, data = NETWORKS[name]
    expected = scaling.restored(network.forward(scaling.transform(data)))
    shown = data[:, None] if name == "signals" else data
    values = run(_Scaled(network, scaling), shown)
    assert values[:, 0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


class _Scaled:
    """A network with its scaling, exported as estimators do it."""

    def __init__(self, network, scaling):
        self.network, self.scaling = network, scaling

    def to_torch(self, **options):
        return cvxnn.to_torch(self.network, scaling=self.scaling, **options)

    def to_onnx(self, **options):
        return cvxnn.to_onnx(self.network, scaling=self.scaling, **options)


def test_a_step_between_reads_no_data():
    with pytest.raises(TypeError, match="Activation reads no data"):
        unscaled((Activation(), Activation()), ENTRIES)


@pytest.mark.parametrize("run", [by_torch, by_onnx])
@pytest.mark.parametrize("probabilities", [False, True])
def test_several_outputs_have_scales_of_their_own(run, probabilities):
    network = cvxnn.TwoLayerNetwork(HIDDEN, np.column_stack([OUTPUT, -OUTPUT]), intercept=[0.1, 2])
    scaling = replace(COLUMNS, target_centre=np.array([7.0, 0.0]), target_scale=np.array([0.3, 2]))
    expected = scaling.restored(network.forward(scaling.transform(X)))
    expected = softmax(expected, axis=1) if probabilities else expected
    values = run(_Scaled(network, scaling), X, probabilities=probabilities)
    assert values == pytest.approx(expected, rel=1e-12, abs=1e-12)
