"""Norms behind gates, gauges and relaxations, against numpy and brute force."""

import numpy as np
import pytest
from verification.brute_force import by_cells

from cvxnn.errors import InputError
from cvxnn.verification.eigenvalues import largest_eigenvalue, spectral_norm
from cvxnn.verification.evidence import Pieces, RelaxationEvidence
from cvxnn.verification.gates import largest_of_gates
from cvxnn.verification.gauges import largest_of_circles, largest_of_patches
from cvxnn.verification.multipliers import Blocks, Multipliers, relaxation_bound
from cvxnn.verification.single import SingleMultipliers


def test_eigenvalues_and_singular_values():
    rng = np.random.default_rng(0)
    for n, d in [(1, 1), (5, 3), (3, 7), (30, 30)]:
        A = rng.standard_normal((n, d))
        norm = float(np.linalg.norm(A, 2))
        assert norm * (1.0 - 1e-14) <= spectral_norm(A) <= norm * (1.0 + 1e-12)
        S = A @ A.T - 2.0 * np.eye(n)
        top = max(float(np.linalg.eigvalsh(S)[-1]), 0.0)
        assert top * (1.0 - 1e-14) <= largest_eigenvalue(S) <= top + 1e-11
    assert largest_eigenvalue(np.zeros((3, 3))) == 0.0


def test_gates():
    rng = np.random.default_rng(1)
    X, gates, v = (rng.standard_normal(shape) for shape in [(9, 3), (20, 3), 9])
    X[0], gates[0] = 0.0, 0.0
    expected = max(float(np.linalg.norm(((X @ g >= 0.0) * v) @ X)) for g in gates)
    assert expected <= largest_of_gates(X, gates, v) <= expected * (1.0 + 1e-12)


def test_a_row_on_the_boundary_of_a_gate_may_be_on_either_side():
    X, gates = np.array([[0.1, 0.3], [1.0, 0.0]]), np.array([[3.0, -1.0]])
    bound = largest_of_gates(X, gates, np.array([2.0, -1.0]))
    for mask in ([True, True], [False, True]):
        assert bound >= np.linalg.norm((mask * np.array([2.0, -1.0])) @ X)


def test_gauges_are_above_networks_and_attained():
    rng = np.random.default_rng(2)
    patches, v = rng.standard_normal((6, 4, 3)), rng.standard_normal(6)
    expected = float(np.linalg.norm(np.tensordot(v, patches, 1), 2))
    assert expected <= largest_of_patches(patches, v) <= expected * (1.0 + 1e-11)
    for d in (1, 2, 5, 8):
        X = rng.standard_normal((6, d))
        expected = float(np.abs(np.fft.fft(v @ X)).max())
        assert expected <= largest_of_circles(X, v) <= expected * (1.0 + 1e-11)


def random_multipliers(rng, count, b, d):
    shapes = [(count, b)] * 2 + [(count, d, b)] * 2 + [(count, b, b)] * 3
    return Multipliers(*(rng.standard_normal(shape) for shape in shapes))


@pytest.mark.long
def test_any_multipliers_give_a_bound():
    rng = np.random.default_rng(3)
    for _ in range(12):
        X, v = rng.standard_normal((6, 3)), rng.standard_normal(6)
        exact = by_cells(X, v, 1.0)
        for count, b in [(1, 6), (2, 3)]:
            given = random_multipliers(rng, count, b, 3)
            scaled = Multipliers(*(10.0 ** rng.integers(-6, 2) * part for part in given))
            rows, weights = X.reshape(count, b, 3), v.reshape(count, b)
            assert relaxation_bound(rows, weights, np.zeros(3), scaled) >= exact
    broken = given._replace(p=np.full((2, 3), np.nan))
    assert relaxation_bound(rows, weights, np.zeros(3), broken) == np.inf


def test_multipliers_of_another_shape_are_refused():
    rng = np.random.default_rng(4)
    given = random_multipliers(rng, 2, 3, 3)
    evidence = RelaxationEvidence.of(np.arange(6), {1.0: given, -1.0: given}, 1.0, 1.0)
    X, v = rng.standard_normal((6, 3)), rng.standard_normal(6)
    assert evidence.bound(Pieces(X, v, 0.0 * v), 0.0) >= by_cells(X, v, 1.0)
    again = RelaxationEvidence.read(evidence.arrays, evidence.numbers)
    assert again.bound(Pieces(X, v, 0.0 * v), 0.0) == evidence.bound(Pieces(X, v, 0.0 * v), 0.0)
    with pytest.raises(InputError, match="not those of the rows"):
        evidence.bound(Pieces(X[:5], v[:5], 0.0 * v[:5]), 0.0)
    with pytest.raises(InputError, match="3 columns, and X has 2; is the column of ones missing"):
        evidence.bound(Pieces(X[:, :2], v, 0.0 * v), 0.0)
    for places in ([0, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 6]):
        with pytest.raises(InputError, match="not those of the rows"):
            Blocks(np.array(places), 2, 3).check(6)


def test_multipliers_of_rows_of_many_sizes_are_kept():
    """Rows whose weights leave the range of float32 have multipliers that do."""
    rng = np.random.default_rng(6)
    given = random_multipliers(rng, 1, 6, 3)
    sizes = np.array([[1.0, 1e-40, 1e60, 1e-90, 1e120, 0.0]])
    pairs = sizes[:, :, None] * sizes[:, None, :]
    heads = [part * sizes for part in given[:2]] + [part * sizes[:, None] for part in given[2:4]]
    spread = Multipliers(*heads, *(part * pairs for part in given[4:]))
    # Of products alone, none of which is one of sizes of rows.
    lone = spread._replace(pp=np.diag(sizes[0])[None], pq=0.0 * pairs, qq=0.0 * pairs)
    for one in (given, spread, lone):
        single = SingleMultipliers.of(one)
        again = SingleMultipliers.read(single.arrays, 1, 6, 3)
        for part, kept in zip(one, again.doubled(), strict=True):
            np.testing.assert_allclose(kept, part, rtol=1e-7, atol=0.0)
    broken = {**single.arrays, "exponents": single.exponents[:1]}
    with pytest.raises(ValueError, match="another shape"):
        SingleMultipliers.read(broken, 1, 6, 3)


def test_units_of_evidence_are_powers_of_two():
    rng = np.random.default_rng(5)
    given = random_multipliers(rng, 1, 6, 3)
    evidence = RelaxationEvidence.of(np.arange(6), {1.0: given, -1.0: given}, 0.5, 4.0)
    X, v = rng.standard_normal((6, 3)), rng.standard_normal(6)
    bound = evidence.bound(Pieces(X, v, 0.0 * v), 0.0)
    scaled = evidence.in_units(8.0, 0.25).bound(Pieces(8.0 * X, 0.25 * v, 0.0 * v), 0.0)
    assert scaled == pytest.approx(2.0 * bound, rel=1e-14)
