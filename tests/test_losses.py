"""The four functions of a loss, each against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cvxnn.losses import Loss, SquaredLoss

LOSSES: list[Loss] = [SquaredLoss()]

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
scalars = st.floats(-10.0, 10.0).filter(lambda value: abs(value) > 1e-6 or value == 0.0)
vectors = arrays(np.float64, 4, elements=scalars)
Vector = NDArray[np.float64]


@each_loss
@given(f=vectors, y=vectors)
def test_value_is_a_sum_over_the_rows(loss: Loss, f: Vector, y: Vector) -> None:
    rows = [loss.value(f[[i]], y[[i]]) for i in range(len(f))]
    assert loss.value(f, y) == pytest.approx(sum(rows), rel=1e-12, abs=1e-12)


@each_loss
@given(f=vectors, y=vectors)
def test_gradient_is_the_slope_of_the_value(loss: Loss, f: Vector, y: Vector) -> None:
    step = 1e-5
    slopes = [
        (loss.value(f + step * e, y) - loss.value(f - step * e, y)) / (2 * step)
        for e in np.eye(len(f))
    ]
    np.testing.assert_allclose(loss.gradient(f, y), slopes, rtol=1e-6, atol=1e-6)


@each_loss
@given(f=vectors, y=vectors)
def test_curvature_is_the_slope_of_the_gradient(loss: Loss, f: Vector, y: Vector) -> None:
    step = 1e-5
    slopes = (loss.gradient(f + step, y) - loss.gradient(f - step, y)) / (2 * step)
    np.testing.assert_allclose(loss.curvature(f, y), slopes, rtol=1e-6, atol=1e-6)
    assert (loss.curvature(f, y) >= 0.0).all()


@each_loss
@given(v=scalars, y=scalars)
def test_conjugate_is_the_supremum(loss: Loss, v: float, y: float) -> None:
    def negative(f: float) -> float:
        return v * f + loss.value(np.array([f]), np.array([y]))

    best = minimize_scalar(negative, bounds=(-50.0, 50.0), method="bounded")
    assert loss.conjugate(np.array([v]), np.array([y])) == pytest.approx(-best.fun, abs=1e-6)


@each_loss
@given(f=vectors, v=vectors, y=vectors)
def test_fenchel_young(loss: Loss, f: Vector, v: Vector, y: Vector) -> None:
    # l(f) + l*(-v) >= -v'f, with equality at v = -gradient: what makes a dual bound a bound.
    slack = loss.value(f, y) + loss.conjugate(v, y) + float(v @ f)
    assert slack >= -1e-9
    dual = -loss.gradient(f, y)
    tight = loss.value(f, y) + loss.conjugate(dual, y) + float(dual @ f)
    assert tight == pytest.approx(0.0, abs=1e-9)


@each_loss
@given(v=vectors, y=vectors, largest=st.floats(0.0, 20.0))
def test_dual_scaling_is_the_best_of_a_grid(
    loss: Loss, v: Vector, y: Vector, largest: float
) -> None:
    t = loss.dual_scaling(v, y, largest)
    assert 0.0 <= t <= largest
    best = -loss.conjugate(t * v, y)
    grid = [-loss.conjugate(s * v, y) for s in np.linspace(0.0, largest, 201)]
    assert best >= max(grid) - 1e-9


@each_loss
def test_dual_scaling_of_no_direction_and_no_room(loss: Loss) -> None:
    y = np.array([1.0, -1.0])
    assert loss.dual_scaling(np.zeros(2), y, 3.0) == 0.0
    assert loss.dual_scaling(y, y, 0.0) == 0.0


def test_squared_loss_by_hand() -> None:
    loss, f, y = SquaredLoss(), np.array([1.0, 4.0]), np.array([3.0, 3.0])
    assert loss.value(f, y) == 2.5
    assert loss.gradient(f, y).tolist() == [-2.0, 1.0]
    assert loss.curvature(f, y).tolist() == [1.0, 1.0]
    assert loss.conjugate(f, y) == 0.5 * 17.0 - 15.0
    assert loss.dual_scaling(f, y, 10.0) == 15.0 / 17.0


def test_loss_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Loss()  # type: ignore[abstract]
