"""Bounds by trees of signs with multipliers: of any numbers, and of trees that are none."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from verification.brute_force import by_cells

from cvxnn.errors import InputError
from cvxnn.verification.blocked import BlockedPieces
from cvxnn.verification.evidence import Pieces, RelaxationEvidence
from cvxnn.verification.leaves import LEAF, LeavesEvidence, _inside, leaf_bound, leaves_of
from cvxnn.verification.multipliers import Blocks, Multipliers


def random_multipliers(rng, count, b, d, scale=1.0):
    shapes = [(count, b)] * 2 + [(count, d, b)] * 2 + [(count, b, b)] * 3
    return Multipliers(*(scale * rng.standard_normal(shape) for shape in shapes))


def random_splits(rng, n_places, depth):
    """Of one tree."""
    if depth == 0 or rng.random() < 0.2:
        return [LEAF]
    halves = [random_splits(rng, n_places, depth - 1) for _ in range(2)]
    return [int(rng.integers(n_places)), *halves[0], *halves[1]]


def random_evidence(rng, n, d, count, depth=3):
    size = -(-n // count)
    splits = [*random_splits(rng, count * size, depth), *random_splits(rng, count * size, depth)]
    scale = 10.0 ** rng.integers(-4, 2)
    given = [random_multipliers(rng, count, size, d, scale) for _ in range(splits.count(LEAF))]
    places = rng.permutation(count * size)[:n]
    return LeavesEvidence.of(places, splits, given, 1.0, 1.0)


@pytest.mark.long
def test_any_multipliers_of_any_tree_give_a_bound():
    rng = np.random.default_rng(0)
    for _ in range(5):
        n, d = int(rng.integers(2, 6)), int(rng.integers(1, 4))
        X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
        X[rng.random(n) < 0.1] = 0.0
        evidence = random_evidence(rng, n, d, int(rng.integers(1, 3)))
        pieces = Pieces(X, v, np.zeros(n))
        above, below = evidence.both(pieces, 0.0)
        assert above >= by_cells(X, v, 1.0) and below >= by_cells(X, v, -1.0)
        assert evidence.bound(pieces, 0.0) == max(above, below)


def test_a_leaf_is_above_every_neuron_of_it():
    rng = np.random.default_rng(1)
    for _ in range(15):
        n, d = int(rng.integers(1, 7)), int(rng.integers(1, 5))
        X, v, base = rng.standard_normal((n, d)), rng.standard_normal(n), rng.standard_normal(n)
        blocks = Blocks(np.arange(n), 1, n)
        blocked = BlockedPieces.of(Pieces(X, v, base), blocks, d)
        given = random_multipliers(rng, 1, n, d, 10.0 ** rng.integers(-3, 1))
        U = rng.standard_normal((500, d))
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        # The signs of some rows at a neuron.
        signs = (np.sign(X @ U[0]) * (rng.random(n) < 0.5)).astype(np.int8)[None]
        inside = ((U @ X.T) * signs >= 0.0).all(axis=1)
        values = np.maximum(U @ X.T, 0.0) @ v + U @ (base @ X)
        for sign in (1.0, -1.0):
            bound = blocked.total(leaf_bound(blocked, sign, given, signs))
            assert bound >= (sign * values[inside]).max()


def test_what_is_fixed_is_free_in_rational_numbers():
    """The form of multipliers of a leaf is not negative at neurons of the leaf, exactly."""
    rng = np.random.default_rng(3)
    exactly, checked = np.vectorize(Fraction, otypes=[object]), 0
    for _ in range(60):
        n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        X = exactly(np.ldexp(rng.integers(-64, 65, (n, d)).astype(float), -6))
        signs = rng.integers(-1, 2, n).astype(np.int8)
        L = Multipliers(*map(exactly, _inside(random_multipliers(rng, 1, n, d), signs[None])))
        for point in product(range(-2, 3), repeat=d):
            u = np.array([Fraction(k, 4) for k in point], dtype=object)
            t = X @ u
            if u @ u > 1 or (signs * t < 0).any():
                continue
            p, q = np.maximum(t, 0), np.maximum(-t, 0)
            heads = L.p[0] @ p + L.q[0] @ q + u @ L.up[0] @ p + u @ L.uq[0] @ q
            pairs = p @ L.pp[0] @ p + 2 * (p @ L.pq[0] @ q) + q @ L.qq[0] @ q
            assert 2 * heads + pairs >= 0
            checked += 1
    assert checked > 500


def test_without_splits_it_is_the_relaxation():
    rng = np.random.default_rng(4)
    X, v = rng.standard_normal((6, 3)), rng.standard_normal(6)
    given = [random_multipliers(rng, 2, 3, 3) for _ in range(2)]
    leaves = LeavesEvidence.of(np.arange(6), [LEAF, LEAF], given, 1.0, 1.0)
    by_sign = dict(zip((1.0, -1.0), given, strict=True))
    plain = RelaxationEvidence.of(np.arange(6), by_sign, 1.0, 1.0)
    pieces = Pieces(X, v, np.zeros(6))
    assert leaves.both(pieces, 0.0) == pytest.approx(plain.both(pieces, 0.0), rel=1e-5)


def test_the_leaves_of_a_tree_cover_everything():
    rng = np.random.default_rng(5)
    for _ in range(50):
        splits = random_splits(rng, 4, 4)
        trees = leaves_of([*splits, LEAF], 4)
        assert len(trees[0]) == splits.count(LEAF) and not trees[1][0].any()
        for signs in product((-1, 1), repeat=4):
            assert any((leaf * signs >= 0).all() for leaf in trees[0])


@pytest.mark.parametrize(
    "splits",
    [
        [], [LEAF], [LEAF] * 3, [0, LEAF, LEAF], [0, LEAF, LEAF, LEAF, LEAF], [0, 1, LEAF, LEAF],
        [4, LEAF, LEAF, LEAF], [-2, LEAF, LEAF, LEAF],
    ],
)  # fmt: skip
def test_splits_of_no_trees_are_refused(splits):
    with pytest.raises(InputError, match="none of a tree"):
        leaves_of(splits, 4)


@pytest.mark.long
def test_a_leaf_that_is_left_out_or_in_the_place_of_another():
    rng = np.random.default_rng(6)
    X, v = rng.standard_normal((4, 3)), rng.standard_normal(4)
    pieces, exact = Pieces(X, v, np.zeros(4)), by_cells(X, v, 1.0)
    given = [random_multipliers(rng, 1, 4, 3) for _ in range(4)]
    evidence = LeavesEvidence.of(
        rng.permutation(4), [1, LEAF, 2, LEAF, LEAF, LEAF], given, 1.0, 1.0
    )
    assert evidence.both(pieces, 0.0)[0] >= exact
    with pytest.raises(InputError, match="for each leaf"):
        replace(evidence, leaves=evidence.leaves[1:]).both(pieces, 0.0)
    for k in range(len(evidence.splits)):
        with pytest.raises(InputError):
            replace(evidence, splits=np.delete(evidence.splits, k)).both(pieces, 0.0)
        for place in range(4):
            other = evidence.splits.copy()
            other[k] = place
            try:
                assert replace(evidence, splits=other).both(pieces, 0.0)[0] >= exact
            except InputError:
                assert evidence.splits[k] == LEAF
    turned = replace(evidence, leaves=evidence.leaves[::-1])
    assert turned.both(pieces, 0.0)[0] >= exact


@pytest.mark.long
def test_files_and_units():
    rng = np.random.default_rng(7)
    X, v = rng.standard_normal((7, 3)), rng.standard_normal(7)
    pieces = Pieces(X, v, np.zeros(7))
    evidence = random_evidence(rng, 7, 3, 2)
    again = LeavesEvidence.read(evidence.arrays, evidence.numbers)
    assert again.both(pieces, 0.0) == evidence.both(pieces, 0.0)
    scaled = evidence.in_units(8.0, 0.25).bound(Pieces(8.0 * X, 0.25 * v, 0.0 * v), 0.0)
    assert scaled == pytest.approx(2.0 * evidence.bound(pieces, 0.0), rel=1e-14)
    with pytest.raises(InputError, match="another width"):
        evidence.bound(Pieces(X[:, :2], v, 0.0 * v), 0.0)
    with pytest.raises(InputError, match="not those of the rows"):
        evidence.bound(Pieces(X[:5], v[:5], 0.0 * v[:5]), 0.0)
    arrays = evidence.arrays
    damaged = {
        "p": arrays["p"].astype(np.float64), "uq": arrays["uq"][1:], "places": arrays["p"],
        "splits": arrays["splits"][None], "pp_qq": arrays["pp_qq"].astype(np.float64),
    }  # fmt: skip
    for name, array in damaged.items():
        with pytest.raises(ValueError, match=r"none|shape|leaf"):
            LeavesEvidence.read({**arrays, name: array}, evidence.numbers)
    with pytest.raises(ValueError, match="each leaf"):
        none = {name: a if a.ndim == 1 else a[:0] for name, a in arrays.items()}
        LeavesEvidence.read(none, evidence.numbers)
    with pytest.raises(ValueError, match="units"):
        LeavesEvidence.read(arrays, {**evidence.numbers, "row_unit": np.nan})
    assert all(map(np.array_equal, again.arrays.values(), arrays.values()))
    L, *shape = arrays["pq"].shape[:3]
    stored = sum(array.nbytes for name, array in arrays.items() if name not in ("places", "splits"))
    assert stored == L * evidence.bytes_each(*shape, 3)
    broken = {**arrays, "p": np.full_like(arrays["p"], np.nan)}
    assert LeavesEvidence.read(broken, evidence.numbers).bound(pieces, 0.0) == np.inf
