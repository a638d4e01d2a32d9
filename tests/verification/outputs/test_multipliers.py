"""Bounds of several outputs from multipliers of pairs: true for any, and near for good ones."""

from types import SimpleNamespace

import numpy as np
import pytest
from oracle.outputs.norms import climbed, norms
from variants import with_long

from cvxnn.errors import InputError
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.multipliers import Blocks
from cvxnn.verification.outputs.evidence import PairsEvidence
from cvxnn.verification.outputs.largest import largest_of_outputs
from cvxnn.verification.outputs.multipliers import Pairs, pairs_bound
from cvxnn.verification.parts import EVIDENCE


def climbs(X, V):
    starts = np.vstack([np.random.default_rng(3).standard_normal((300, X.shape[1])), X, -X])
    starts = starts[np.abs(starts).max(axis=1) > 0.0]
    return float(norms(X, V, climbed(X, V, starts)).max())


def drawn(seed, count=2, b=4, d=3, c=2):
    """Rows in blocks, one place of them empty, and multipliers of no meaning."""
    rng = np.random.default_rng(seed)
    n = count * b - 1
    X, V, base = (rng.standard_normal(shape) for shape in [(n, d), (n, c), (n, c)])
    places = rng.permutation(count * b)[:n]
    parts = {name: rng.standard_normal((count, b, b)) for name in Pairs._fields}
    return Pieces(X, V, base), places, SimpleNamespace(**parts)


def of(places, given, size=1.0):
    parts = {name: size * getattr(given, name) for name in Pairs._fields}
    return PairsEvidence.of(places, SimpleNamespace(**parts), 1.0, 1.0)


@with_long("size", [0.0, 1.0, 1e-2, 1e3])
def test_any_multipliers_give_a_bound(size):
    for seed in range(6):
        pieces, places, given = drawn(seed, c=2 + seed % 2)
        evidence = of(places, given, size)
        # ``(t)_+ w + t b`` of two rows with positive parts only.
        both = np.vstack([pieces.rows, -pieces.rows])
        weights = np.vstack([pieces.weights + pieces.base, -pieces.base])
        assert evidence.bound(pieces, np.inf) >= climbs(both, weights) * (1.0 - 1e-12)
        plain = Pieces(pieces.rows, pieces.weights, np.zeros_like(pieces.weights))
        reached = climbs(plain.rows, plain.weights)
        assert evidence.bound(plain, np.inf) >= reached * (1.0 - 1e-12)


def test_without_multipliers_it_is_near_what_rows_alone_tell():
    none = Pairs(*(np.zeros((1, 1, 1)) for _ in range(3)))
    for v in ([3.0, 4.0], [0.0, -2.0]):
        bound = pairs_bound(np.array([[[0.6, 0.8]]]), np.array([[v]]), np.zeros((2, 2)), none)
        assert bound == pytest.approx(np.linalg.norm(v), rel=1e-7)
    none = Pairs(*(np.zeros((1, 3, 3)) for _ in range(3)))
    V = np.diag([3.0, -2.0, 1.0])
    bound = pairs_bound(np.eye(3)[None], V[None], np.zeros((3, 3)), none)
    assert 3.0 <= bound <= 3.0 * (1.0 + 1e-7)


def test_multipliers_that_prove_the_largest_value():
    """Two opposite rows are never on together: a multiplier of their product says so."""
    X, V = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[3.0, 0.0], [3.0, 0.0]])
    pieces, places = Pieces(X, V, np.zeros((2, 2))), np.arange(2)
    none = SimpleNamespace(**{name: np.zeros((1, 2, 2)) for name in Pairs._fields})
    assert of(places, none).bound(pieces, np.inf) >= 3.0
    loose = of(places, none).bound(pieces, np.inf)
    tight = min(
        of(places, SimpleNamespace(pp=t * pairs, pq=-t * np.eye(2)[None], qq=t * pairs)).bound(
            pieces, np.inf
        )
        for pairs in (np.zeros((1, 2, 2)), np.array([[[0.0, 1.0], [1.0, 0.0]]]))
        for t in (0.0, 0.5, 1.0, 2.0)
    )
    assert 3.0 <= tight <= loose


def test_units_are_powers_of_two_and_files_keep_them():
    pieces, places, given = drawn(9)
    evidence = of(places, given, 1e-2)
    bound = evidence.bound(pieces, np.inf)
    larger = Pieces(8.0 * pieces.rows, 0.5 * pieces.weights, 0.5 * pieces.base)
    scaled = evidence.in_units(8.0, 0.5)
    assert scaled.bound(larger, np.inf) == pytest.approx(4.0 * bound, rel=1e-12)
    stored = EVIDENCE[scaled.kind].read(scaled.arrays, scaled.numbers)
    assert stored.bound(larger, np.inf) == scaled.bound(larger, np.inf)
    assert largest_of_outputs(larger, np.inf, stored) == (
        stored.bound(larger, np.inf),
        stored.words,
    )


def test_damaged_evidence_is_refused():
    pieces, places, given = drawn(1)
    evidence = of(places, given)
    arrays, numbers = evidence.arrays, evidence.numbers
    for changes in ({"pp": arrays["pp"][:, :2]}, {"pq": arrays["pq"].astype(float)},
                    {"places": arrays["places"].astype(float)}):  # fmt: skip
        with pytest.raises(ValueError):
            PairsEvidence.read({**arrays, **changes}, numbers)
    with pytest.raises(ValueError, match="units that are none"):
        PairsEvidence.read(arrays, {**numbers, "row_unit": 0.0})
    wrong = PairsEvidence(Blocks(places[:-1], 2, 4), evidence.pairs)
    with pytest.raises(InputError, match="blocks of the certificate"):
        wrong.bound(pieces, np.inf)
    bad = PairsEvidence(evidence.blocks, evidence.pairs._replace(pp=np.inf * evidence.pairs.pp))
    assert bad.bound(pieces, np.inf) == np.inf
