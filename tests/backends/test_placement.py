"""Nothing is put on another device on the way: by tensors that have a device and no memory."""

import numpy as np
import pytest

from cvxnn.backends.devices import Device
from cvxnn.layers import Layer
from cvxnn.losses import QuantileLoss, WeightedLoss, as_loss
from cvxnn.losses.offset import OffsetLoss
from cvxnn.problems import Problem
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.moments import adjoint, in_cone, moments, within_ball
from cvxnn.relaxation.state import State
from cvxnn.solvers.devices.rows import DeviceRows

torch = pytest.importorskip("torch")
pytest.importorskip("array_api_compat")
META = Device("torch", torch.device("meta"))
N, D, K = 12, 3, 4
ONE = {
    name: as_loss(name)
    for name in ("squared", "huber", "logistic", "squared_hinge", "poisson", "gamma")
} | {
    "smoothed": QuantileLoss(0.2).smoothed(0.5),
    "weighted": WeightedLoss(as_loss("logistic"), np.ones(N)),
    "beside numbers": OffsetLoss(as_loss("huber"), np.ones(N)),
}
CASES = {name: (loss, 1) for name, loss in ONE.items()} | {
    "of three": (as_loss("squared"), 3),
    "classes": (as_loss("softmax"), 3),
}


def is_there(found):
    parts = found if isinstance(found, tuple) else (found,)
    return all(part.device == META.place for part in parts)


@pytest.mark.parametrize(("loss", "c"), CASES.values(), ids=CASES)
def test_sums_stay_where_the_rows_are(loss, c):
    rows = DeviceRows(Problem(Layer(np.ones((N, D))), np.ones((N, c)), 1.0, loss), META)
    tile, place = rows._tile(slice(0, N)), rows._placed
    hidden, heads = place(np.ones((K, D))), place(np.ones(K) if c == 1 else np.ones((K, c)))
    b = 0.5 if c == 1 else place(np.ones(c))
    f = rows.keep("predictions", (), np.ones((K, D)), np.ones(K) if c == 1 else np.ones((K, c)))
    assert is_there(f) and is_there(tile.predictions(hidden, heads))
    assert is_there(tile.value(f, b)) and is_there(tile.value_beyond(f, f, 0.5, b))
    assert is_there(tile.pulls(f, b, hidden)) and is_there(tile.squares_of_wanted(f, b))
    assert is_there(tile.value_and_gradient(hidden, heads, b))
    assert is_there(tile.curved_sums(f, b, hidden, 1e-2))
    for what in ("value", "slopes", "majorizer", "curvature"):
        assert is_there(tile.beside(f, what, b, None))


@pytest.mark.parametrize("head", [1, 3])
def test_moments_stay_where_they_are(head):
    numbers = Numbers.on(META)
    X, F = np.ones((2, 5, D)), np.ones((2, head + D + 5, head + D + 5))
    slack = np.ones((2, 5) if head == 1 else (2, head, 5))
    X, F, slack = (numbers.placed(part) for part in (X, F, slack))
    G = moments(F, X)
    assert is_there(adjoint(in_cone(G, META.xp), X, META.xp))
    assert is_there(within_ball(G.corner[0], META.xp))
    merged = State.of(X, F, slack).merged(META.xp)
    assert is_there(tuple(merged.image)) and is_there(merged.copy)
