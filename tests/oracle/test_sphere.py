"""The largest value of a quadratic function on the unit sphere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.oracle.sphere import SpherePeak, peaks


def values(Q, p, U):
    return np.einsum("ij,jk,ik->i", U, Q, U) + U @ p


def drawn(seed, h, kind):
    """A function, of a size that is far from one for some seeds."""
    rng = np.random.default_rng(seed)
    Q, p = rng.standard_normal((h, h)), rng.standard_normal(h) * 10.0 ** rng.integers(-14, 4)
    Q = 0.5 * (Q + Q.T)
    if kind == "linear":
        Q = np.zeros((h, h))
    elif kind == "quadratic":
        p = np.zeros(h)
    elif kind == "hard":
        _, V = np.linalg.eigh(Q)
        p = V[:, :-1] @ (V[:, :-1].T @ p)
    elif kind == "equal":
        Q = np.eye(h) * rng.integers(-1, 2)
    unit = 10.0 ** (100 * (seed % 3 - 1))
    return Q * unit, p * unit


KINDS = ("plain", "linear", "quadratic", "hard", "equal")


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from(KINDS))
def test_bound_and_value_are_the_maximum(seed, h, kind):
    Q, p = drawn(seed, h, kind)
    peak = SpherePeak.of(Q, p)
    scale = np.abs(Q).sum() + np.abs(p).sum()
    np.testing.assert_allclose(np.linalg.norm(peak.directions, axis=1), 1.0, rtol=1e-14)
    best = peak.values.max()
    assert best <= peak.bound + 1e-15 * scale
    assert peak.bound <= best + 1e-12 * scale + 1e-140
    U = np.random.default_rng(seed).standard_normal((50, h))
    U /= np.linalg.norm(U, axis=1)[:, None]
    assert (values(Q, p, U) <= peak.bound).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_on_the_circle_it_is_that_of_a_grid(kind, seed):
    Q, p = drawn(seed, 2, kind)
    angles = np.linspace(0.0, 2.0 * np.pi, 200_001)
    found = values(Q, p, np.stack([np.cos(angles), np.sin(angles)], axis=1)).max()
    scale = np.abs(Q).sum() + np.abs(p).sum()
    bound = SpherePeak.of(Q, p).bound
    assert found - 1e-15 * scale <= bound <= found + 1e-8 * scale + 1e-140


def test_without_a_linear_part_it_is_the_largest_eigenvalue():
    Q, _ = drawn(7, 30, "quadratic")
    largest = np.linalg.eigvalsh(Q)[-1]
    assert largest * (1.0 - 1e-14) <= SpherePeak.of(Q, np.zeros(30)).bound
    assert SpherePeak.of(Q, np.zeros(30)).bound == pytest.approx(largest, rel=1e-12)


def test_in_the_hard_case_both_sides_are_maximisers():
    peak = SpherePeak.of(np.diag([3.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.5]))
    assert len(peak.directions) == 2
    np.testing.assert_allclose(peak.values, peak.bound, rtol=1e-13)
    np.testing.assert_allclose(peak.directions[0, 1:], peak.directions[1, 1:])


@pytest.mark.parametrize("kind", KINDS)
def test_peaks_are_orthogonal_and_worth_it(kind):
    Q, p = drawn(3, 6, kind)
    least = 0.1 * SpherePeak.of(Q, p).bound
    U = peaks(Q, p, least, 4)
    assert len(U) <= 4
    np.testing.assert_allclose(U @ U.T, np.eye(len(U)), atol=1e-12)
    if least > 0.0:
        assert len(U) >= 1 and (values(Q, p, U) > least).all()
        best = SpherePeak.of(Q, p).values.max()
        assert values(Q, p, U)[0] == pytest.approx(best, rel=1e-12)
