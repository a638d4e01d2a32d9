"""Contracts of networks that were trained: files, pickles, copies and other libraries."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from contracts.cases import CASES, each_case, solved
from exchange.outputs import by_onnx, by_torch
from variants import with_long

import cvxnn
from cvxnn.models.registry import MODELS


def network_of(case):
    return solved(case.name, case.losses[0], case.methods[0]).network


@each_case
@with_long("suffix", [".npz", ".safetensors"])
def test_a_saved_network_comes_back(case, suffix, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    network, path = network_of(case), tmp_path / f"network{suffix}"
    network.save(path, metadata={"beta": case.beta})
    assert case.model.kind.load(path) == network
    for restored, metadata in (case.model.kind.load_with_metadata(path), cvxnn.load_network(path)):
        assert restored == network and type(restored) is type(network)
        assert repr(restored._settings) == repr(network._settings)
        assert metadata == {"beta": case.beta}


@each_case
def test_a_solution_survives_pickles_and_copies_and_cannot_be_written(case):
    solution = solved(case.name, case.losses[0], case.methods[0])
    for twin in (pickle.loads(pickle.dumps(solution)), copy.deepcopy(solution)):
        assert twin == solution and repr(twin) == repr(solution)
    assert (
        pickle.loads(pickle.dumps(case.model)).get_params().keys() == case.model.get_params().keys()
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.objective = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.model.slope = 0.0


@each_case
@pytest.mark.parametrize("run", [by_torch, by_onnx])
def test_an_exported_network_has_the_same_outputs(case, run):
    X, _ = case.data(case.losses[0])
    network, inputs, options = network_of(case), X, {}
    if case.model.takes_any_size:
        inputs, options = X[:, np.newaxis], {"image_shape": X.shape[1:]}
    values = run(network, inputs, **options)
    np.testing.assert_allclose(values[:, 0], network.forward(X), rtol=1e-12, atol=1e-12)


def test_every_model_of_the_registry_is_in_the_contracts():
    """A kind of network that is added has to be a case."""
    models = [getattr(cvxnn, name) for name in MODELS.values()]
    assert {type(case.model) for case in CASES.values()} == set(models)
    assert {type(network_of(case)) for case in CASES.values()} == {model.kind for model in models}
