"""Training on arrays of other libraries: the same problem, and networks of numpy."""

import os

import numpy as np
import pytest
from contracts import cases
from namespaces import each_library, in_numpy, namespace, placed
from planted_rows import planted, planted_outputs
from runs import quietly
from sentences import refused

import cvxnn
from cvxnn.backends.devices import Device
from cvxnn.solvers.devices.rows import DeviceRows

# They say themselves which data are of another library.
pytestmark = pytest.mark.skipif("CVXNN_TEST_ARRAYS" in os.environ, reason="all data are tensors")
ROUGH = cvxnn.Global(polish=False)


@each_library
@pytest.mark.parametrize("name", ["ReLU", "gates", "filters", "linear"])
def test_what_is_not_searched_on_a_device_is_the_same_to_the_last_digit(library, name):
    case = cases.CASES[name]
    X, y = case.data()
    here, there = case.solve(), case.solve(X=placed(library, X), y=placed(library, y))
    assert there.network == here.network and there.dual_bound == here.dual_bound
    assert there.certificate.fingerprint == here.certificate.fingerprint


@pytest.fixture
def searched(monkeypatch):
    """The devices that rows have been put on."""
    found = []
    init = DeviceRows.__init__

    def noted(self, problem, device):
        found.append(device)
        init(self, problem, device)

    monkeypatch.setattr(DeviceRows, "__init__", noted)
    return found


@each_library
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_rough_search_is_on_the_device_of_the_data(library, outputs, searched):
    X, y = planted(150) if outputs == 1 else planted_outputs(150)
    weights = np.linspace(0.5, 2.0, 150)
    options = {"method": ROUGH, "intercept": True}
    here = quietly(cvxnn.solve, X, y, 20.0, sample_weight=weights, **options)
    assert searched == []
    data = (placed(library, part) for part in (X, y))
    options["sample_weight"] = placed(library, weights)
    there = quietly(cvxnn.solve, *data, 20.0, **options)
    assert searched == [Device.of(placed(library, X))]
    assert there.objective == pytest.approx(here.objective, rel=1e-2)
    assert isinstance(there.network.hidden_weights, np.ndarray)
    # Objective and bound are those of the CPU in double precision, whoever has searched.
    network, f = there.network, there.network(X)
    loss = 0.5 * float(weights @ ((f - y) ** 2).reshape(150, -1).sum(axis=1))
    assert there.objective == pytest.approx(loss + 20.0 * network.penalty(), rel=1e-12)
    assert there.dual_bound <= here.objective


@each_library
def test_a_network_of_tensors_has_tensors(library):
    X, y = planted(60)
    network = quietly(cvxnn.solve, X, y, 20.0, method=ROUGH).network
    data = placed(library, X, np.float32)
    values = network(data)
    assert type(values) is type(data) and values.dtype == data.dtype
    np.testing.assert_allclose(in_numpy(values), network(X), rtol=1e-5, atol=1e-5)


@each_library
def test_paths_largest_betas_and_certificates_of_tensors(library):
    X, y = cases.CASES["ReLU"].data()
    tensors = placed(library, X), placed(library, y)
    assert cvxnn.largest_beta(*tensors) == cvxnn.largest_beta(X, y)
    found, wanted = cvxnn.regularization_path(*tensors, 2), cvxnn.regularization_path(X, y, 2)
    assert found.networks == wanted.networks
    solution = found.solutions[-1]
    assert solution.certificate.verify(*tensors).accepted
    certificate = cvxnn.certify(solution.network, *tensors, beta=solution.beta)
    assert certificate.verdict is cvxnn.Verdict.OPTIMAL


def test_a_device_for_arrays_of_numpy(searched):
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    X, y = planted(100)
    solution = quietly(cvxnn.solve, X, y, 20.0, method=ROUGH, device="cpu")
    assert searched == [Device("torch", torch.device("cpu"))]
    assert solution.n_neurons > 0
    searched.clear()
    path = quietly(cvxnn.regularization_path, X, y, [40.0, 20.0], method=ROUGH, device="cpu")
    assert len(path.solutions) == 2 and {device.library for device in searched} == {"torch"}
    for bad, says in (("cuda:99", "is none that PyTorch can use"), (7, "must be the name")):
        refused(lambda bad=bad: cvxnn.solve(X, y, 1.0, device=bad), says)


def test_a_device_needs_double_precision():
    strict = pytest.importorskip("array_api_strict")
    pytest.importorskip("array_api_compat")
    place = strict.Device("no_float64")
    X = strict.ones((4, 2), device=place, dtype=strict.float32)
    refused(lambda: cvxnn.solve(X, np.ones(4), 1.0), "no numbers in double precision")
    assert namespace("array_api_strict") is strict
