"""Sums over rows on a device, against those of rows in the memory of the CPU."""

import numpy as np
import pytest
from namespaces import each_library, placed
from variants import with_long

from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import in_float64
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import QuantileLoss, WeightedLoss, as_loss
from cvxnn.losses.regression import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.devices import rows as device_rows
from cvxnn.solvers.devices.rows import DeviceRows
from cvxnn.solvers.segments import rows as segmented
from cvxnn.solvers.segments.directions import spread_directions
from cvxnn.solvers.segments.rows import LocalRows

N, D, K = 70, 5, 6


class OnlyNumpy(SquaredLoss):
    """A loss of somebody who has heard of numpy only."""

    takes_any_array = False

    def gradient(self, prediction, y):
        assert isinstance(prediction, np.ndarray)
        return prediction - y


RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, D))
WEIGHTS = RNG.uniform(0.5, 2.0, N)
NUMBERS = RNG.standard_normal((N, 3))
ONE = {
    "squared": (as_loss("squared"), NUMBERS[:, :1]),
    "weighted huber": (WeightedLoss(as_loss("huber"), WEIGHTS), NUMBERS[:, :1]),
    "logistic": (as_loss("logistic"), np.sign(NUMBERS[:, :1])),
    "poisson": (as_loss("poisson"), np.floor(np.abs(3.0 * NUMBERS[:, :1]))),
    "smoothed quantile": (QuantileLoss(0.2).smoothed(0.5), NUMBERS[:, :1]),
    "of numpy": (OnlyNumpy(), NUMBERS[:, :1]),
}
SEVERAL = {
    "squared of three": (as_loss("squared"), NUMBERS),
    "weighted logistic of three": (WeightedLoss(as_loss("logistic"), WEIGHTS), np.sign(NUMBERS)),
    "softmax": (as_loss("softmax"), np.eye(3)[RNG.integers(0, 3, N)]),
}
CASES = {**ONE, **SEVERAL}
each_case = pytest.mark.parametrize(("loss", "Y"), CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    """Of eight rows, the last of six."""
    monkeypatch.setattr(segmented, "LENGTH", 8)
    monkeypatch.setattr(device_rows, "LENGTH", 8)


def both(loss, Y, library):
    problem = Problem(Layer(X), Y, 0.1, loss)
    return LocalRows(problem), DeviceRows(problem, Device.of(placed(library, [0.0])))


def asked(rows, Y):
    """All that a search asks of rows, by name."""
    rng, c = np.random.default_rng(1), Y.shape[1]
    hidden, heads = rng.standard_normal((K, D)), rng.standard_normal((K, c))
    b = 0.3 if c == 1 else rng.standard_normal(c)
    heads = heads[:, 0] if c == 1 else heads
    f = rows.keep("predictions", (), hidden, heads)
    step = rows.keep("predictions", (), hidden[::-1].copy(), 0.1 * heads)
    yield "value", rows.total("value", (f,), b), 1e-13
    yield "value_beyond", rows.total("value_beyond", (f, step), 0.25, b), 1e-13
    yield "squares", rows.total("squares_of_wanted", (f,), b), 1e-13
    yield "pulls", rows.total("pulls", (f,), b, hidden), 3e-6
    yield "gradient", rows.total("value_and_gradient", (), hidden, heads, b), 3e-6
    yield "curved", rows.total("curved_sums", (f,), b, hidden, 1e-2), 3e-6
    point = np.asarray(b)
    for what in ("value", "slopes", "curvature", "majorizer"):
        outputs = (None,) if c == 1 or rows.loss.joins_outputs else (0, 2)
        for output in outputs:
            at = point if output is None else point[output]
            yield f"{what} of {output}", rows.total("beside", (f,), what, at, output), 1e-13


@each_library
@each_case
def test_sums_are_those_of_rows_on_the_cpu(library, loss, Y):
    for (name, here, rtol), (_, there, _) in zip(
        *(asked(rows, Y) for rows in both(loss, Y, library)), strict=True
    ):
        assert len(here) == len(there), name
        for wanted, found in zip(here, there, strict=True):
            assert type(found) is float or isinstance(found, np.ndarray)
            assert np.shape(found) == np.shape(wanted), name
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol, atol=rtol * scale, err_msg=name)


@each_library
def test_no_neurons_predict_nothing(library):
    loss, Y = CASES["squared"]
    for rows in both(loss, Y, library):
        f = rows.keep("predictions", (), np.zeros((0, D)), np.zeros(0))
        (value,) = rows.total("value", (f,), 0.0)
        assert value == pytest.approx(0.5 * float((Y**2).sum()), rel=1e-14)


@each_library
def test_digits_do_not_depend_on_the_tiles(library):
    loss, Y = CASES["weighted huber"]
    hidden, heads = np.ones((K, D)), np.ones(K)
    _, rows = both(loss, Y, library)
    found = []
    for entries in (10_000, 8 * 2 * K, 8 * 3 * K, 8 * K):
        rows._tiling.entries = entries
        f = rows.keep("predictions", (), hidden, heads)
        found.append(rows.total("value", (f,), 0.0))
    assert len(set(found)) == 1
    # Of parts of a segment they are the same but for rounding.
    rows._tiling.entries = 3 * K
    f = rows.keep("predictions", (), hidden, heads)
    assert rows.total("value", (f,), 0.0)[0] == pytest.approx(found[0][0], rel=1e-14)


@each_library
def test_directions_are_spread_by_the_cpu(library):
    here, there = both(*CASES["squared"], library)
    np.testing.assert_array_equal(spread_directions(there), spread_directions(here))


class SmallMemory:
    """A namespace in which arrays of more than so many numbers are not to be had."""

    def __init__(self, xp, most):
        self._xp, self.most, self.refusals = xp, most, 0

    def __getattr__(self, name):
        function = getattr(self._xp, name)
        if name not in ("asarray", "maximum", "astype"):
            return function

        def limited(array, *arguments, **options):
            if np.prod(np.shape(array)) > self.most:
                self.refusals += 1
                raise MemoryError
            return function(array, *arguments, **options)

        return limited


@pytest.mark.parametrize("most", [N * D, 200, 40])
def test_where_memory_runs_out_tiles_are_smaller(monkeypatch, most):
    loss, Y = CASES["weighted huber"]
    problem = Problem(Layer(X), Y, 0.1, loss)
    here, xp = LocalRows(problem), SmallMemory(np, most)
    monkeypatch.setattr(Device, "xp", property(lambda self: xp))
    monkeypatch.setattr("cvxnn.solvers.devices.tile.namespace_of", lambda array: xp)
    monkeypatch.setattr("cvxnn.solvers.devices.operations.namespace_of", lambda array: xp)
    if most < N:
        # Targets are n numbers, for which there has to be room.
        monkeypatch.setattr(
            Device, "placed", lambda self, array, dtype: np.asarray(array, dtype=dtype)
        )
    there = DeviceRows(problem, Device("numpy", "cpu"))
    for (name, wanted, rtol), (_, found, _) in zip(asked(here, Y), asked(there, Y), strict=True):
        for a, b in zip(wanted, found, strict=True):
            np.testing.assert_allclose(b, a, rtol, atol=rtol * np.abs(a).max(), err_msg=name)
    assert xp.refusals > 0


@each_library
@with_long("name", ["softmax", "logistic"])
def test_a_search_comes_to_the_objective_of_one_on_the_cpu(library, name):
    loss, Y = CASES[name]
    objectives = []
    for rows in both(loss, Y, library):
        rng = np.random.default_rng(0)
        search = TileSearch(rows, 1.0, np.eye(D), rng, UNLIMITED, intercept=True)
        for _ in range(2):
            search.advance()
        objectives.append(search.objective)
        neurons = search.neurons
        f = rows.keep("predictions", (), neurons.rays, neurons.heads)
        f = np.concatenate(f) if isinstance(rows, LocalRows) else in_float64(f)
        direct = np.maximum(X @ neurons.rays.T, 0.0) @ neurons.heads
        np.testing.assert_allclose(f, direct, 1e-12, atol=1e-12)
    assert objectives[1] == pytest.approx(objectives[0], rel=1e-2)
    assert len(neurons) > 0 and isinstance(neurons, Neurons)


@each_library
@pytest.mark.parametrize("name", ["weighted huber", "softmax"])
def test_steps_on_tiles_are_those_of_the_cpu(library, name, monkeypatch):
    monkeypatch.setattr(device_rows, "_HEIGHT", 16)
    loss, Y = CASES[name]
    rng, c = np.random.default_rng(2), Y.shape[1]
    hidden, heads = rng.standard_normal((K, D)), rng.standard_normal((K, c))
    heads, b = (heads[:, 0], 0.2) if c == 1 else (heads, rng.standard_normal(c))
    order = rng.permutation(N)[:50]
    _, rows = both(loss, Y, library)
    tiles = rows.tiled(order)
    assert len(tiles) == 50 and tiles.n_tiles == 4
    for place in range(4):
        found = tiles.value_and_gradient(hidden, heads, b, slice(place, place + 1))
        here = rows.gather(order[16 * place : 16 * place + 16])
        for wanted, part in zip(here.value_and_gradient(hidden, heads, b), found, strict=True):
            assert np.shape(part) == np.shape(wanted)
            np.testing.assert_allclose(part, wanted, 3e-6, atol=3e-6 * np.abs(wanted).max())
