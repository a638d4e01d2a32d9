"""One pass over tiles gives what the layer gives, in both precisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.losses import SoftmaxLoss


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


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 5) | st.integers(510, 1030),
    d=st.integers(1, 9),
    k=st.integers(0, 5),
    c=st.integers(2, 4),
)
def test_several_outputs_are_the_sum_of_what_each_gives(seed, n, d, k, c):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((n, d)), rng.standard_normal((n, c))
    hidden, output = rng.standard_normal((k, d)), rng.standard_normal((k, c))
    each = [Layer(X).value_and_gradient(hidden, output[:, j], Y[:, j]) for j in range(c)]
    values, slopes, output_slopes = zip(*each, strict=True)
    expected = sum(values), np.sum(slopes, axis=0), np.stack(output_slopes, axis=1)
    size = 1.0 + np.abs(X).sum() * (1.0 + np.abs(hidden).sum()) * (1.0 + np.abs(output).sum())
    for dtype in (np.float64, np.float32):
        target = Y.astype(dtype)

        def squares(rows, f, target=target):
            assert f.dtype == target.dtype
            left = f - target[rows]
            return 0.5 * float(np.vdot(left, left)), left

        found = Tiles(X, dtype, c).value_and_gradient(hidden, output, squares)
        for one, other in zip(found, expected, strict=True):
            atol = 10.0 * np.finfo(dtype).eps * size * (1.0 + np.abs(Y).max())
            np.testing.assert_allclose(one, other, rtol=0.0, atol=atol)


def test_gradients_of_a_loss_that_joins_outputs_are_slopes_of_its_value():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 3)), np.eye(3)[rng.integers(0, 3, 40)]
    tiles, weights = Tiles(X, np.float64, 3), [rng.standard_normal((4, 3)) for _ in range(2)]

    def evaluated(hidden, output):
        return tiles.value_and_gradient(
            hidden, output, lambda rows, f: SoftmaxLoss().value_and_gradient(f, Y[rows])
        )

    _, *gradients = evaluated(*weights)
    for layer, gradient in enumerate(gradients):
        for at in np.ndindex(gradient.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [part.copy() for part in weights]
                moved[layer][at] += step
                ends.append(evaluated(*moved)[0])
            assert gradient[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)
