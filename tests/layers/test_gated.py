"""Rows with gates: one gate for each pattern, parts, units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import gated
from cvxnn.layers.gated import GatedRows, open_gates


def draw(n=12, d=3, count=9, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((count, d))


def by_hand(X, gates):
    """Gates in their order, each the first with its pattern; the gate 0 is none of the others."""
    kept, seen = [], set()
    for gate in gates:
        kind = (not gate.any(), tuple(bool(x @ gate >= 0.0) for x in X))
        if kind not in seen:
            seen.add(kind)
            kept.append(gate)
    return np.array(kept)


@given(n=st.integers(1, 6), d=st.integers(1, 3), count=st.integers(1, 12), seed=st.integers(0, 999))
def test_the_first_gate_of_each_pattern_is_kept(n, d, count, seed):
    X, gates = draw(n, d, count, seed)
    gates = np.vstack([gates, np.zeros(d), gates, -gates, np.zeros(d)])
    rows = GatedRows.of(X, gates)
    assert np.array_equal(rows.gates, by_hand(X, gates))
    assert np.array_equal(rows.masks, open_gates(X, rows.gates).T)
    assert rows.n_gates == len(rows.gates)
    assert (rows.n_predictions, rows.n_features) == (n, d)


def test_a_gate_is_open_on_its_boundary_and_the_gate_zero_is_a_pattern_of_its_own():
    X = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert open_gates(X, np.array([[-1.0, 0.0]])).tolist() == [[False], [True]]
    rows = GatedRows.of(X, np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert rows.masks.all()
    assert rows.n_gates == 2


@given(seed=st.integers(0, 999))
def test_the_rows_that_are_taken_are_rows_of_their_own(seed):
    X, gates = draw(seed=seed)
    taken = np.array([1, 5, 6])
    part, alone = GatedRows.of(X, gates).take(taken), GatedRows.of(X[taken], gates)
    assert np.array_equal(part.X, alone.X)
    assert np.array_equal(part.gates, alone.gates)
    assert np.array_equal(part.masks, alone.masks)


@pytest.mark.parametrize("size", [1e-80, 1.0, 1e80])
def test_units_are_powers_of_two_and_lose_nothing(size):
    X, gates = draw()
    rows = GatedRows.of(size * X, gates)
    scaled = rows.in_units(rows.unit)
    assert np.array_equal(scaled.X * rows.unit, rows.X)
    assert np.frexp(rows.unit)[0] == 0.5
    assert 0.5 < np.abs(scaled.X).max() < 2.0
    assert np.array_equal(scaled.masks, rows.masks)
    assert np.allclose(scaled.lengths * rows.unit, rows.lengths, rtol=1e-15)
    assert GatedRows.of(np.zeros((2, 3)), gates).unit == 1.0


def test_no_prediction_is_above_its_bound():
    X, gates = draw()
    rows = GatedRows.of(X, gates)
    u = np.random.default_rng(1).standard_normal((1000, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    for mask in rows.masks:
        assert (np.abs(mask[:, None] * (X @ u.T)) <= rows.lengths[:, None] * (1 + 1e-12)).all()


def test_chunks_do_not_matter_and_the_deadline_is_looked_at(monkeypatch):
    X, gates = draw()
    whole = GatedRows.of(X, gates)
    monkeypatch.setattr(gated, "_CHUNK_BYTES", 2 * 8 * len(X))
    parts = GatedRows.of(X, gates)
    assert np.array_equal(whole.gates, parts.gates)
    assert np.array_equal(whole.masks, parts.masks)
    with pytest.raises(OutOfTimeError):
        GatedRows.of(X, gates, Deadline(0.0))
