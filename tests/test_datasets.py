"""The data that come with the library."""

import numpy as np

import cvxnn


def test_ring_is_the_draw_of_section_4_3():
    points = 5 * np.random.RandomState(0).randn(50, 2)
    radius = np.linalg.norm(points, axis=1)

    X, y = cvxnn.load_ring()

    assert np.array_equal(X, np.column_stack([points, np.ones(50)]))
    assert np.array_equal(y, np.where((radius > 1.5) & (radius <= 5), 1.0, -1.0))


def test_every_call_returns_arrays_of_its_own():
    X, y = cvxnn.load_ring()
    X[:], y[:] = 0.0, 0.0
    again, labels = cvxnn.load_ring()
    assert again.any() and labels.any()
    assert again.flags.c_contiguous and again.dtype == labels.dtype == np.float64
