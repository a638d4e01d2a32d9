"""One pass over tiles gives what the layer gives, in both precisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles


def squares_of(y, dtype):
    target = y.astype(dtype)

    def squares(rows, f):
        assert f.dtype == dtype
        left = f - target[rows]
        return 0.5 * float(left @ left), left

    return squares


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 5) | st.integers(125, 260) | st.integers(510, 1030),
    d=st.integers(1, 20),
    k=st.integers(0, 6),
)
def test_value_and_gradient_are_those_of_the_layer(seed, n, d, k):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    hidden, output = rng.standard_normal((k, d)), rng.standard_normal(k)
    expected = Layer(X).value_and_gradient(hidden, output, y)
    size = 1.0 + np.abs(X).sum() * (1.0 + np.abs(hidden).sum()) * (1.0 + np.abs(output).sum())
    for dtype in (np.float64, np.float32):
        found = Tiles(X, dtype).value_and_gradient(hidden, output, squares_of(y, dtype))
        for one, other in zip(found, expected, strict=True):
            atol = 10.0 * np.finfo(dtype).eps * size * (1.0 + np.abs(y).max())
            np.testing.assert_allclose(one, other, rtol=0.0, atol=atol)


def test_wide_rows_have_low_tiles_and_the_same_gradient():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 200)), rng.standard_normal(300)
    hidden, output = rng.standard_normal((3, 200)), rng.standard_normal(3)
    found = Tiles(X, np.float64).value_and_gradient(hidden, output, squares_of(y, np.float64))
    for one, other in zip(found, Layer(X).value_and_gradient(hidden, output, y), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-10)


def test_the_loss_may_end_the_pass():
    def stop(rows, f):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Tiles(np.ones((3, 2)), np.float32).value_and_gradient(np.ones((1, 2)), np.ones(1), stop)
