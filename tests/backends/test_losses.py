"""Losses of arrays of other libraries, against the same losses of numpy."""

import numpy as np
import pytest
from namespaces import each_library, in_numpy, placed

from cvxnn import losses
from cvxnn.losses.kinked import TiltedLoss
from cvxnn.losses.offset import OffsetLoss

F = np.array([-30.0, -1.2, -0.3, 0.0, 0.4, 1.0, 2.5, 40.0])
LABELS = np.array([1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
NUMBERS = np.array([0.0, 3.0, -1.0, 0.2, 0.1, 1.0, 9.0, 38.0])
COUNTS = np.array([0.0, 3.0, 1.0, 0.0, 2.0, 1.0, 9.0, 38.0])
WEIGHTS = np.linspace(0.5, 3.0, 8)
PLAIN = {
    "squared": (losses.SquaredLoss(), NUMBERS),
    "huber": (losses.HuberLoss(0.7), NUMBERS),
    "logistic": (losses.LogisticLoss(), LABELS),
    "squared hinge": (losses.SquaredHingeLoss(), LABELS),
    "poisson": (losses.PoissonLoss(), COUNTS),
    "gamma": (losses.GammaLoss(), COUNTS + 0.1),
    "smoothed quantile": (losses.QuantileLoss(0.3).smoothed(0.5), NUMBERS),
    "smoothed hinge": (losses.HingeLoss().smoothed(0.25), LABELS),
}
ALL = {
    **PLAIN,
    **{f"weighted {name}": (losses.WeightedLoss(loss, WEIGHTS), y)
       for name, (loss, y) in PLAIN.items()},
    "beside numbers": (OffsetLoss(losses.LogisticLoss(), NUMBERS / 9.0), LABELS),
}  # fmt: skip
CLASSES = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
TABLE = np.array([[0.0, 1.0, -2.0], [50.0, -60.0, 3.0], [1.0, 1.0, 1.0], [-9.0, 0.0, 700.0]])


def compared(names, loss, library, f, y, dtype, rtol):
    there = loss.placed(lambda array: placed(library, array, dtype))
    for name in names:
        wanted = getattr(loss, name)(f, y)
        found = getattr(there, name)(placed(library, f, dtype), placed(library, y, dtype))
        assert type(found) is type(placed(library, f)) and in_numpy(found).dtype == dtype, name
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(
            in_numpy(found),
            wanted,
            rtol,
            atol=rtol * scale,
            err_msg=f"{type(loss).__name__}.{name}",
        )


NAMES = ("values", "gradient", "curvature", "majorizer")


@each_library
def test_values_and_slopes_are_those_of_numpy(library):
    for name, (loss, y) in ALL.items():
        assert loss.takes_any_array, name
        compared(NAMES, loss, library, F, y, np.float64, 1e-13)


@each_library
def test_in_single_precision_they_are_nearly(library):
    for loss, y in ALL.values():
        compared(NAMES, loss, library, np.clip(F, -6.0, 6.0), y, np.float32, 2e-6)


@each_library
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_classes(library, dtype, rtol):
    compared(NAMES, losses.SoftmaxLoss(), library, TABLE, CLASSES, dtype, rtol)


@each_library
@pytest.mark.parametrize("loss", [TiltedLoss(-1.0, 3.0), losses.AbsoluteLoss()], ids=str)
def test_kinks(library, loss):
    compared(("values", "gradient", "curvature"), loss, library, F, NUMBERS, np.float64, 1e-15)


def test_a_loss_that_says_nothing_is_for_numpy():
    class Mine(losses.Loss):
        pass

    assert not Mine.takes_any_array
    assert not losses.SkipLoss(losses.SquaredLoss(), np.ones((2, 1)), 1.0).takes_any_array
