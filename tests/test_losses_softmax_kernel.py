"""One pass over the softmax loss gives what the loss gives, in both precisions."""

import numpy as np
import pytest

from cvxnn.losses import SoftmaxLoss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 80.0])
@pytest.mark.parametrize("kind", ["classes", "shares"])
def test_value_and_gradient_at_once(dtype, size, kind):
    rng = np.random.default_rng(0)
    f = (size * rng.standard_normal((200, 4))).astype(dtype)
    Y = np.eye(4)[rng.integers(0, 4, 200)] if kind == "classes" else rng.uniform(0, 2, (200, 4))
    loss, Y = SoftmaxLoss(), Y.astype(dtype)
    value, gradient = loss.value_and_gradient(f, Y)
    assert isinstance(value, float) and gradient.dtype == dtype
    exact, exactly = f.astype(np.float64), Y.astype(np.float64)
    eps = float(np.finfo(dtype).eps)
    assert value == pytest.approx(loss.value(exact, exactly), rel=50.0 * eps)
    slopes = loss.gradient(exact, exactly)
    np.testing.assert_allclose(gradient, slopes, rtol=0.0, atol=200.0 * (1.0 + size) * eps)


def test_losses_without_one_give_both_as_they_are():
    from cvxnn.losses import HuberLoss

    f, y = np.array([0.3, -2.0]), np.array([0.0, 1.0])
    value, gradient = HuberLoss(0.5).value_and_gradient(f, y)
    assert value == HuberLoss(0.5).value(f, y)
    np.testing.assert_array_equal(gradient, HuberLoss(0.5).gradient(f, y))
