"""Largest norms of dual points of several outputs, against sampling, climbs and scipy."""

from itertools import pairwise

import numpy as np
import pytest
from oracle.outputs.norms import climbed, dual_points, mass, norms
from scipy.optimize import minimize_scalar
from variants import with_long

from cvxnn.errors import InputError
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound
from cvxnn.verification.cones import Cones
from cvxnn.verification.evidence import ConeSplits, Pieces
from cvxnn.verification.largest import largest_of_kinks
from cvxnn.verification.outputs.evidence import OutputsSplits
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.outputs.largest import largest_of_outputs, recorded_splits
from cvxnn.verification.outputs.plane import largest_norm_in_plane
from cvxnn.verification.outputs.spectral import spectral_norm_bound
from cvxnn.verification.outputs.tree import OutputsEstimates, OutputsTree


def kinked(X, V, base=None):
    return OutputsKinked.of(Pieces(X, V, np.zeros_like(V) if base is None else base))


def in_plane(X, V):
    function = OutputsKinked.of(Pieces(X, V, np.zeros_like(V)), merged=False)
    return function.total(largest_norm_in_plane(function))


def by_angles(X, V):
    """The largest norm on the circle: on all lines, and by scipy between them."""
    X = np.pad(X, ((0, 0), (0, 2 - X.shape[1])))
    ends = np.arctan2(X[:, 0], -X[:, 1])
    ends = np.sort(np.concatenate([ends, ends + np.pi, ends + 2.0 * np.pi]))

    def fall(angle):
        return -float(norms(X, V, np.array([[np.cos(angle), np.sin(angle)]]))[0])

    best = max(-fall(end) for end in ends)
    for low, high in pairwise(ends):
        # A sine of twice the angle has one crest or none on each third of an arc.
        for a, b in pairwise(np.linspace(low, high, 4)):
            found = minimize_scalar(fall, bounds=(a, b), method="bounded", options={"xatol": 1e-9})
            best = max(best, -float(found.fun))
    return best


def climbs(X, V, count=400):
    rng = np.random.default_rng(3)
    starts = np.vstack([rng.standard_normal((count, X.shape[1])), X, -X])
    starts = starts[np.abs(starts).max(axis=1) > 0.0]
    return float(norms(X, V, climbed(X, V, starts)).max())


@pytest.mark.long
def test_the_plane_is_exact():
    rng = np.random.default_rng(0)
    for k in range(12):
        n, c = int(rng.integers(1, 7)), int(rng.integers(2, 5))
        whole = rng.integers(-3, 4, (n, 2)).astype(float)
        X = [whole, rng.standard_normal((n, 2)), rng.standard_normal((n, 1))][k % 3]
        for V in dual_points(rng, n, c).values():
            bound, size = in_plane(X, V), mass(X, V)
            assert abs(bound - by_angles(X, V)) <= 1e-8 * size + 1e-300
            angles = rng.uniform(0.0, 2.0 * np.pi, 500)
            points = np.column_stack([np.cos(angles), np.sin(angles)])[:, : X.shape[1]]
            points = points[np.abs(points).max(axis=1) > 0.0]
            assert bound >= norms(X, V, points).max() * (1.0 - 1e-15)


def test_the_plane_at_far_timestamps_and_of_one_output_twice():
    rng = np.random.default_rng(1)
    X = np.column_stack([1.7e9 + rng.integers(0, 5, 9), np.ones(9)])
    v = rng.standard_normal(9)
    one = largest_of_kinks(Pieces(X, v, np.zeros(9)), np.inf, None)[0]
    for direction in ([1.0, 0.0], [3.0, 4.0]):
        V = v[:, None] * np.array(direction)
        two = in_plane(X, V)
        assert two == pytest.approx(one * np.linalg.norm(direction), rel=1e-13)


@with_long("kind", ["gaussian", "of all sizes", "rows of sum zero", "rank one"])
def test_trees_are_above_climbs_and_reach_their_target(kind):
    rng = np.random.default_rng(2)
    for d, n, c in [(3, 12, 2), (3, 30, 3), (4, 15, 2), (5, 8, 3)]:
        X, V = rng.standard_normal((n, d)), dual_points(rng, n, c)[kind]
        function, reached = kinked(X, V), climbs(X, V)
        target = function.needed(1.01 * reached)
        tree = OutputsTree(function, target)
        bound, splits = tree.searched(100_000)
        assert reached * (1.0 - 1e-14) <= function.total(bound) <= 1.01 * reached * (1.0 + 1e-12)
        assert OutputsTree(function, target).followed(splits) == bound
        # With fewer cones, or a target that is too low, what is proven is less, and true.
        for other in (0.9, 1.0):
            less = OutputsTree(function, function.needed(other * reached)).searched(60)[0]
            assert function.total(less) >= reached * (1.0 - 1e-14)
        assert function.total(spectral_norm_bound(function)) >= reached * (1.0 - 1e-14)


def test_over_estimators_are_above_the_function_inside_their_cones():
    rng = np.random.default_rng(3)
    for _ in range(20):
        d, n, c = int(rng.integers(2, 6)), int(rng.integers(6, 20)), int(rng.integers(2, 5))
        X, V, base = (rng.standard_normal(shape) for shape in [(n, d), (n, c), (n, c)])
        function = kinked(X, V, base)
        cones = Cones.orthants(np.ones(function.rank))
        for _ in range(3):
            estimates = OutputsEstimates(function, cones)
            every = np.ones(len(cones), dtype=bool)
            share = rng.uniform(size=(len(cones), function.rank))
            c_j, value = estimates.at(share, every)
            np.testing.assert_allclose(value, (share * c_j).sum(axis=1))
            # At other points of the cones, which the c were not made at.
            t = rng.uniform(size=(len(cones), 50, function.rank)) ** 3
            points = t @ cones.generators
            sums = np.maximum(points @ function.rows.T, 0.0) @ function.weights
            lengths = np.linalg.norm(sums + points @ function.base, axis=2)
            over = (t * (c_j + estimates._errors)[:, None]).sum(axis=2)
            assert (lengths <= over * (1.0 + 1e-14)).all()
            cones = cones.halved(estimates.splits(every))[0]
            cones = cones.take(rng.random(len(cones)) < 60.0 / len(cones))


def test_rows_that_are_the_same_or_negatives_are_merged():
    """Of weights that nearly cancel, as those of rows with conflicting targets do."""
    rng = np.random.default_rng(7)
    X, V, small = (rng.standard_normal(shape) for shape in [(6, 3), (6, 2), (6, 2)])
    weights = np.vstack([V, 1e-5 * small - V, 1e-5 * V])
    both = Pieces(np.vstack([X, X, -X]), weights, np.zeros((18, 2)))
    function = OutputsKinked.of(both)
    assert len(function.rows) == 6 and function.error <= 1e-13
    reached = climbs(both.rows, both.weights)
    bound, _ = largest_of_outputs(both, 1.01 * reached, None)
    assert reached * (1.0 - 1e-9) <= bound <= 1.01 * reached * (1.0 + 1e-7)
    # As different rows they take many more cones.
    apart = OutputsKinked.of(both, merged=False)
    least = OutputsTree(apart, apart.needed(1.01 * reached)).searched(2000)[0]
    assert apart.total(least) > 1.1 * reached


def test_leaky_pieces_and_their_splits():
    rng = np.random.default_rng(4)
    X, V, slope = rng.standard_normal((14, 3)), rng.standard_normal((14, 2)), -0.7
    pieces = Pieces(X, (1.0 - slope) * V, slope * V, 2)
    both, weights = np.vstack([X, -X]), np.vstack([V, -slope * V])
    reached = climbs(both, weights)
    bound, how = largest_of_outputs(pieces, 1.0001 * reached, None)
    assert reached * (1.0 - 1e-13) <= bound <= 1.0001 * reached * (1.0 + 1e-7)
    assert how == "a tree of cones, searched"
    evidence = recorded_splits(pieces, 1.0001 * reached)
    again, how = largest_of_outputs(pieces, 1.0001 * reached, evidence)
    assert again == bound and how == "a tree of cones, its splits followed"
    stored = OutputsSplits.read(evidence.arrays, evidence.numbers)
    assert stored.bound(pieces, 1.0001 * reached * (1.0 + 3e-8)) == bound
    # What is claimed may be wrong: then the bound is another.
    assert largest_of_outputs(pieces, 0.5 * reached, evidence)[0] >= reached * (1.0 - 1e-13)


def test_a_spectral_bound_of_parallel_rows_and_of_moduli_is_near():
    rng = np.random.default_rng(5)
    x, V = rng.standard_normal(12), rng.standard_normal((6, 3))
    X = np.outer(rng.uniform(0.5, 2.0, 6), x)
    # All rows together are on or off: the spectral bound is the norm where V is of rank one.
    V = np.outer(rng.uniform(0.5, 2.0, 6), V[0])
    function = kinked(X, V)
    assert function.total(spectral_norm_bound(function)) == pytest.approx(climbs(X, V), rel=1e-9)
    # ``|t| = 2 (t)_+ - t``: with the base that is half of the weights the linear part is gone.
    rows = np.eye(12)
    moduli = kinked(rows, 2.0 * np.eye(12)[:, :3], -np.eye(12)[:, :3])
    assert moduli.total(spectral_norm_bound(moduli)) == pytest.approx(1.0, rel=1e-9)


def test_evidence_of_another_kind_is_refused():
    rng = np.random.default_rng(6)
    X, V = rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    one, several = (Pieces(X, part, np.zeros_like(part)) for part in (V[:, 0], V))
    splits = np.full(8, 255, dtype=np.uint8)
    with pytest.raises(InputError, match="evidence for one output"):
        largest_of_outputs(several, 1.0, ConeSplits(splits, splits))
    with pytest.raises(InputError, match="evidence for several outputs"):
        largest_of_kinks(one, 1.0, OutputsSplits(splits))
    with pytest.raises(InputError, match="none of a tree"):
        largest_of_outputs(several, 1.0, OutputsSplits(splits[:5]))
    with pytest.raises(ValueError, match="splits that are none"):
        OutputsSplits.read({"splits": splits.astype(float)}, {})


def test_an_eigenvalue_proves_as_much_as_that_of_a_search_whatever_the_signs_of_rows():
    rng = np.random.default_rng(0)
    X, V = rng.standard_normal((200, 30)), rng.standard_normal((200, 3)) ** 3
    level = spectral_outputs_bound(X, V)
    bound, how = largest_of_outputs(Pieces(X, V, np.zeros_like(V)), level, None)
    assert bound <= level * (1.0 + 1e-7) and how == "a spectral bound"
