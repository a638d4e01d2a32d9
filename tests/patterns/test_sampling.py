"""Sampled patterns against complete sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import SMALL_PROBLEMS, arrangement, each_with_long, with_bias

from cvxnn.errors import InputError
from cvxnn.patterns import sample_patterns

schemes = pytest.mark.parametrize("scheme", ["gaussian", "data"])


@schemes
@each_with_long(SMALL_PROBLEMS)
def test_every_sample_is_a_pattern(problem, scheme):
    patterns = sample_patterns(problem.X, 200, 0, scheme=scheme)
    found = {row.tobytes() for row in patterns.packed}
    assert len(found) == len(patterns) > 0
    assert found <= {row.tobytes() for row in arrangement(problem).packed}
    np.testing.assert_array_equal(patterns.masks, patterns.directions @ problem.X.T > 0)
    assert not patterns.is_complete


# Where more than r - 1 hyperplanes meet in a ray, as on a grid, some patterns are rare.
@each_with_long([p for p in SMALL_PROBLEMS if not p.name.startswith("grid")])
def test_the_data_scheme_finds_every_pattern_in_the_end(problem):
    complete = arrangement(problem)
    patterns = sample_patterns(problem.X, 40 * len(complete), 0, scheme="data")
    assert len(patterns) >= 0.99 * len(complete)


@schemes
@given(seed=st.integers(0, 2**32 - 1))
def test_a_seed_decides_the_draws(scheme, seed):
    X = np.random.default_rng(0).standard_normal((8, 3))
    first = sample_patterns(X, 20, seed, scheme=scheme)
    again = sample_patterns(X, 20, np.random.default_rng(seed), scheme=scheme)
    np.testing.assert_array_equal(first.packed, again.packed)
    np.testing.assert_array_equal(first.directions, again.directions)
    other = sample_patterns(X, 20, seed + 1, scheme=scheme)
    assert not np.array_equal(first.directions, other.directions)


def test_raw_data_with_a_bias_hide_half_of_their_patterns_from_gaussian_directions():
    X = with_bias(np.sort(np.random.default_rng(0).uniform(10.0, 500.0, 50))[:, None])
    gaussian = sample_patterns(X, 2000, 0, scheme="gaussian")
    data = sample_patterns(X, 2000, 0, scheme="data")
    assert len(gaussian) <= 60
    assert len(data) >= 98  # of 100


@schemes
def test_zero_data(scheme):
    patterns = sample_patterns(np.zeros((3, 2)), 10, 0, scheme=scheme)
    np.testing.assert_array_equal(patterns.masks, np.zeros((1, 3), dtype=bool))


@schemes
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 6)])
def test_few_rows_or_columns(scheme, shape):
    X = np.random.default_rng(2).standard_normal(shape)
    patterns = sample_patterns(X, 300, 0, scheme=scheme)
    assert len(patterns) == 2 ** min(shape)
    np.testing.assert_array_equal(patterns.masks, patterns.directions @ X.T > 0)


def test_refuses_bad_arguments():
    X = np.eye(2)
    with pytest.raises(InputError, match=r"scheme must be one of .*'data'"):
        sample_patterns(X, 10, scheme="uniform")
    for n_samples in (0, -3, 2.5):
        with pytest.raises(InputError, match="n_samples must be an integer of at least 1"):
            sample_patterns(X, n_samples)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="X must be 2-D"):
        sample_patterns(np.ones(3), 10)
    with pytest.raises(InputError, match="random_state"):
        sample_patterns(X, 10, "seed")  # type: ignore[arg-type]
