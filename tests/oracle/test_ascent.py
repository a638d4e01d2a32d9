"""The ascent oracle: what it proposes is attained, and below what is proven."""

import numpy as np
import pytest
from cones import project_on_cone
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle import AscentOracle, CellOracle, Proposals, ascent
from cvxnn.oracle.ascent_kernels import climb
from cvxnn.patterns import enumerate_patterns
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Neurons

seeds = st.integers(0, 2**32 - 1)


def oracle_of(X: FloatArray, seed: int = 0) -> AscentOracle:
    """The oracle of data of full column rank."""
    return AscentOracle(X, reduce_rows(X).to_direction, np.random.default_rng(seed))


def data(seed: int, n: int, r: int) -> tuple[FloatArray, FloatArray]:
    """Rows off centre and of different lengths, and a dual point."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, r)) * rng.choice([0.1, 1.0, 10.0], (n, 1)) + rng.standard_normal(r)
    return X, rng.standard_normal(n)


def value(X: FloatArray, v: FloatArray, u: FloatArray) -> float:
    return float(v @ np.maximum(X @ u, 0.0))


def check_attained(X: FloatArray, v: FloatArray, found: Proposals) -> None:
    """Unit directions that have the values they claim, best first."""
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0, rtol=1e-12)
    attained = [s * value(X, v, u) for s, u in zip(found.signs, found.directions, strict=True)]
    np.testing.assert_allclose(found.values, attained, rtol=1e-10, atol=1e-12)
    assert (np.diff(found.values) <= 0.0).all()


@given(seed=seeds, n=st.integers(3, 12), r=st.integers(2, 3), polish=st.booleans())
@settings(max_examples=30)
def test_values_are_attained_and_below_the_maximum(seed, n, r, polish):
    X, v = data(seed, max(n, r), r)
    largest = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound
    found = oracle_of(X).search(v[:, None], 0.3 * largest, 30, polish=polish)
    check_attained(X, v, found)
    assert (found.values > 0.3 * largest).all()
    assert found.largest <= largest * (1.0 + 1e-12)
    mirrored = oracle_of(X).search(-v[:, None], 0.3 * largest, 30, polish=polish)
    np.testing.assert_array_equal(found.values, mirrored.values)
    np.testing.assert_array_equal(found.signs, -mirrored.signs)
    for threshold, starts in ((1.001 * largest, 30), (0.1 * largest, 0)):
        none = oracle_of(X).search(v[:, None], threshold, starts, polish=polish)
        assert none.directions.shape == (0, r) and none.largest == 0.0


@given(seed=seeds, n=st.integers(3, 14), r=st.integers(2, 3))
@settings(max_examples=30)
def test_many_starts_find_the_global_maximum(seed, n, r):
    X, v = data(seed, max(n, r), r)
    largest = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound
    found = oracle_of(X).search(v[:, None], 0.5 * largest, 400, polish=True)
    assert found.largest == pytest.approx(largest, rel=1e-9)


def test_a_dual_point_of_one_sign_has_proposals_of_one_sign():
    X, v = data(3, 20, 3)
    assert (oracle_of(X).search(np.abs(v)[:, None], 0.1, 40).signs == 1.0).all()
    assert (oracle_of(X).search((-np.abs(v))[:, None], 0.1, 40).signs == -1.0).all()


@pytest.mark.parametrize("seed", range(8))
def test_polishing_ends_at_the_maximiser_of_the_closed_cell(seed):
    X, v = data(seed, 15, 3)
    rough = oracle_of(X).search(v[:, None], 0.1, 20)
    fine = oracle_of(X).search(v[:, None], 0.1, 20, polish=True)
    best = []
    for s, u, reached in zip(rough.signs, rough.directions, rough.values, strict=True):
        on = X @ u > 0.0
        norm, _ = project_on_cone(np.where(on, 1.0, -1.0)[:, None] * X, s * (v * on) @ X)
        assert norm >= reached * (1.0 - 1e-9)
        best.append(norm)
    # Some that were below `enough` may have come above it.
    kept = fine.values[: len(best)]
    assert (kept >= np.sort(rough.values)[::-1]).all()
    assert all(np.isclose(fine.values, norm, rtol=1e-9, atol=0.0).any() for norm in best)


def test_at_most_so_many_of_each_sign_and_no_two_alike():
    rng = np.random.default_rng(4)
    X, v = rng.standard_normal((60, 4)), rng.standard_normal(60)
    every = oracle_of(X).search(v[:, None], 0.01, 300)
    few = oracle_of(X).search(v[:, None], 0.01, 300, most=3)
    for sign in (1.0, -1.0):
        assert (every.signs == sign).sum() > 3
        assert (few.signs == sign).sum() == 3
        alike = every.directions[every.signs == sign]
        assert (np.triu(alike @ alike.T, 1) < 1.0 - 1e-6).all()
    assert few.largest == pytest.approx(every.largest, rel=1e-9)


def test_given_starts_are_climbed_too():
    X, v = data(6, 30, 3)
    best = oracle_of(X).search(v[:, None], 0.1, 200, polish=True)
    for sign in (1.0, -1.0):
        of_sign = best.select(best.signs == sign)
        neuron = Neurons(of_sign.directions[:1], np.ones(1), of_sign.outputs[:1])
        again = oracle_of(X, 9).search(v[:, None], 0.1, 0, neurons=neuron, polish=True)
        assert again.largest >= of_sign.largest * (1.0 - 1e-12)
        assert (again.signs == sign).all()


def test_zero_rows_and_a_zero_dual_point():
    X, v = data(7, 12, 3)
    X[[2, 5]] = 0.0
    check_attained(X, v, oracle_of(X).search(v[:, None], 0.1, 30, polish=True))
    assert len(oracle_of(X).search(np.zeros(12)[:, None], 0.1, 30, polish=True).values) == 0


@pytest.mark.parametrize("polish", [False, True])
def test_a_deadline_stops_between_chunks(polish, monkeypatch):
    # One start in a chunk: the first is climbed, the others are not.
    monkeypatch.setattr(ascent, "SETTINGS", ascent.Settings(chunk_work=1))
    X, v = data(8, 40, 3)
    found = oracle_of(X).search(v[:, None], 0.01, 500, polish=polish, deadline=Deadline(0.0))
    assert len(found.values) <= 2
    check_attained(X, v, found)


def test_chunks_change_nothing(monkeypatch):
    X, v = data(8, 40, 3)
    whole = oracle_of(X).search(v[:, None], 0.1, 50)
    monkeypatch.setattr(ascent, "SETTINGS", ascent.Settings(chunk_work=5_000))
    np.testing.assert_array_equal(oracle_of(X).search(v[:, None], 0.1, 50).values, whole.values)


# ------------------------------------------------------------------ the kernel


def climb_slowly(
    X: FloatArray, v: FloatArray, u: FloatArray, n_steps: int, cone: FloatArray, price: float
) -> tuple[FloatArray, float, float]:
    """A twin of the kernel for one start: direction, value and step size."""
    step = 1.0

    def paid(u: FloatArray) -> float:
        return value(X, v, u) - price * float(np.abs(u).sum())

    def target(u: FloatArray) -> FloatArray:
        slope = (v * (X @ u > 0.0)) @ X
        slope = np.sign(slope) * np.maximum(np.abs(slope) - price, 0.0)
        return np.where(cone * slope < 0.0, 0.0, slope)

    reached, gradient = paid(u), target(u)
    for _ in range(n_steps):
        length = np.linalg.norm(gradient)
        if step < 1e-7 or length == 0.0:
            break
        trial = (1.0 - step) * u + step * gradient / length
        if np.linalg.norm(trial) < 1e-12:
            break
        trial = trial / np.linalg.norm(trial)
        ahead = paid(trial)
        if ahead > reached + 1e-15 * abs(reached):
            u, reached, gradient = trial, ahead, target(trial)
            step = min(1.0, 2.0 * step)
        else:
            step *= 0.5
    return u, reached, step


@pytest.mark.parametrize(("n", "r"), [(1, 1), (7, 3), (128, 2), (300, 4)])
@pytest.mark.parametrize("price", [0.0, 0.8])
def test_the_kernel_against_its_twin(n, r, price):
    X, v = data(n, n, r)
    rng = np.random.default_rng(n)
    starts = rng.standard_normal((20, r))
    cone = np.zeros(r)
    if price > 0.0:
        cone[0] = 1.0
        starts[:, 0] = np.abs(starts[:, 0])
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    directions, steps, values = starts.copy(), np.ones(20), np.empty(20)
    climb(np.ascontiguousarray(X.T), v, cone, price, directions, steps, values, 6)
    for k, start in enumerate(starts):
        u, reached, step = climb_slowly(X, v, start, 6, cone, price)
        np.testing.assert_allclose(directions[k], u, atol=1e-9)
        assert values[k] == pytest.approx(reached, rel=1e-9, abs=1e-12)
        assert steps[k] == step
        assert values[k] >= value(X, v, start) - price * np.abs(start).sum() - 1e-12
        assert (cone * directions[k] >= 0.0).all()
