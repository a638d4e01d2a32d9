"""Evidence by choices of signs: found again by the checker, and refused where it is none."""

from dataclasses import replace

import numpy as np
import pytest
from solvers.parallel.three_layers import drawn, solved

import cvxnn
from cvxnn.errors import InputError
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.sign_choices import SignChoices, covers, largest_of_sub_networks


@pytest.fixture(scope="module")
def certified():
    X, y = drawn(0, n=5)
    search = solved(X, y, 0.03 * cvxnn.largest_beta(X, y))
    return X, search.proof


def test_the_checker_comes_to_the_bounds_of_the_search(certified):
    X, proof = certified
    bound, how = largest_of_sub_networks(X, proof.v, proof.oracle_bound, proof.evidence)
    assert bound == pytest.approx(proof.oracle_bound, rel=1e-9)
    assert how == SignChoices.words


def test_without_evidence_nothing_is_assumed(certified):
    X, proof = certified
    bound, _ = largest_of_sub_networks(X, proof.v, proof.oracle_bound, None)
    assert bound >= proof.oracle_bound


def test_choices_that_leave_some_out_are_refused(certified):
    X, proof = certified
    given = proof.evidence
    partial = replace(
        given, signs=given.signs[1:], choices=given.choices[1:], coefficients=given.coefficients[1:]
    )
    with pytest.raises(InputError, match="leave some out"):
        largest_of_sub_networks(X, proof.v, proof.oracle_bound, partial)
    with pytest.raises(InputError, match="other rows"):
        given.bound(Pieces(X[1:], proof.v[1:], np.zeros(len(X) - 1)), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_any_coefficients_prove_a_true_bound(certified, seed):
    X, proof = certified
    rng = np.random.default_rng(seed)
    changed = replace(
        proof.evidence, coefficients=rng.standard_normal(proof.evidence.coefficients.shape)
    )
    bound, _ = largest_of_sub_networks(X, proof.v, 1.0, changed)
    W, b = rng.standard_normal((2000, 3, 2)), rng.standard_normal((2000, 3))
    sizes = np.linalg.norm(W.reshape(2000, -1), axis=1) * np.linalg.norm(b, axis=1)
    first = np.maximum(np.einsum("nd,kjd->knj", X, W), 0.0)
    values = np.maximum(np.einsum("knj,kj->kn", first, b), 0.0) @ proof.v / sizes
    assert np.abs(values).max() <= bound


def test_files_keep_it(certified):
    _, proof = certified
    evidence = proof.evidence
    again = SignChoices.read(evidence.arrays, evidence.numbers)
    for name, array in evidence.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    for name, damaged in (
        ("choices", evidence.choices.astype(float)),
        ("coefficients", np.full_like(evidence.coefficients, np.nan)),
        ("signs", 2.0 * evidence.signs),
    ):
        with pytest.raises(ValueError, match="none"):
            SignChoices.read({**evidence.arrays, name: damaged}, {})


def test_units_change_coefficients_only(certified):
    _, proof = certified
    scaled = proof.in_units(4.0, 0.5)
    np.testing.assert_array_equal(scaled.evidence.coefficients, 0.5 * proof.evidence.coefficients)
    assert scaled.evidence.choices is proof.evidence.choices


def test_overlaps_are_no_cover():
    assert covers(np.zeros((1, 3), dtype=np.int8))
    assert not covers(np.zeros((2, 3), dtype=np.int8))
    assert not covers(np.zeros((0, 3), dtype=np.int8))


def test_mixtures_prove_a_mixture():
    X, y = drawn(0, n=5)
    beta = 0.03 * cvxnn.largest_beta(X, y)
    one, other = solved(X, y, beta).proof, solved(X, y[::-1].copy(), beta).proof
    share = 0.3
    v = share * one.v + (1.0 - share) * other.v
    mixture = one.evidence.mixed(other.evidence, share)
    for sign in (1.0, -1.0):
        assert covers(mixture.choices[mixture.signs == sign])
    bound, _ = largest_of_sub_networks(X, v, 1.0, mixture)
    most = share * one.oracle_bound + (1.0 - share) * other.oracle_bound
    assert bound <= most * (1.0 + 1e-12)
    assert one.evidence.mixed(None, share) is None
