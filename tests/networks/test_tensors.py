"""Values of two-layer networks on arrays of other libraries, against those of numpy."""

import numpy as np
import pytest
from namespaces import each_library, in_numpy, namespace, placed

import cvxnn
from cvxnn.backends import tiling
from cvxnn.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((11, 3))
HIDDEN, HEADS = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2))
NETWORKS = {
    "one output": cvxnn.TwoLayerNetwork(HIDDEN, HEADS[:, 0]),
    "leaky, with a line": cvxnn.TwoLayerNetwork(
        HIDDEN, HEADS[:, 0], slope=-0.3, skip_weights=[1.0, 2.0, -1.0]
    ).with_intercept(0.7),
    "two outputs": cvxnn.TwoLayerNetwork(HIDDEN, HEADS).with_intercept([0.5, -0.5]),
    "no neurons": cvxnn.TwoLayerNetwork(np.zeros((0, 3)), np.zeros(0)),
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@each_library
@each_network
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-14), (np.float32, 2e-6)])
def test_values_are_of_the_library_and_precision_of_the_data(library, network, dtype, rtol):
    data = placed(library, X, dtype)
    values = network(data)
    assert type(values) is type(data) and values.dtype == data.dtype
    np.testing.assert_allclose(in_numpy(values), network(X.astype(dtype)), rtol, atol=rtol * 9.0)


@each_library
@each_network
def test_rows_are_dealt_out_where_memory_is_small(library, network, monkeypatch):
    monkeypatch.setattr(tiling.Device, "entries", property(lambda self: 10))
    values = network(placed(library, X))
    np.testing.assert_allclose(in_numpy(values), network(X), 1e-14, atol=1e-13)


@each_library
def test_other_data_are_read_as_those_of_numpy(library):
    network, xp = NETWORKS["one output"], namespace(library)
    one = network(placed(library, X[0]))
    assert float(one) == pytest.approx(network(X[0]), rel=1e-14)
    assert network(placed(library, X[:0])).shape == (0,)
    integers = xp.asarray(np.array([[1, 2, 3]]))
    np.testing.assert_allclose(in_numpy(network(integers)), network([[1, 2, 3]]), 1e-14)
    wrong = X.copy()
    wrong[2, 1] = np.nan
    for bad, says in ((wrong, "finite"), (X[:, :2], "3 features")):
        with pytest.raises(InputError, match=says):
            network(placed(library, bad))
