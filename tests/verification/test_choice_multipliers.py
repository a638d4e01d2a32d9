"""Choices of signs with multipliers: proven again by the checker, in files, and tampered with."""

from dataclasses import replace

import numpy as np
import pytest
from solvers.parallel.three_layers import drawn, problem_of
from variants import with_long

import cvxnn
from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED
from cvxnn.relaxation.parallel.prover import SubNetworkProver
from cvxnn.solvers.parallel.neurons import SubNetworks, as_sub_networks
from cvxnn.solvers.parallel.proofs import quick_proof
from cvxnn.verification.choice_multipliers import ChoiceMultipliers
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.sign_choices import largest_of_sub_networks
from cvxnn.verification.single import SingleMultipliers


@pytest.fixture(scope="module")
def proven():
    X, y = drawn(0, n=20, d=7)
    problem = problem_of(X, y, 0.3 * cvxnn.largest_beta(X, y))
    prover = SubNetworkProver(problem, as_sub_networks, block=8, largest=8, most=100, threads=1)
    first = quick_proof(X, problem.residual_at_zero)
    return X, prover.improve(SubNetworks.nothing(7), first, 1e-6, UNLIMITED)


def checked(X, v, evidence, level):
    return largest_of_sub_networks(X, v, level, evidence)


def test_the_checker_comes_to_the_bounds_of_the_relaxation(proven):
    X, proof = proven
    assert isinstance(proof.evidence, ChoiceMultipliers)
    bound, how = checked(X, proof.v, proof.evidence, proof.oracle_bound)
    assert bound == pytest.approx(proof.oracle_bound, rel=1e-6)
    assert how == ChoiceMultipliers.words


def test_files_keep_it(proven):
    X, proof = proven
    evidence = proof.evidence
    again = ChoiceMultipliers.read(evidence.arrays, evidence.numbers)
    for name, array in evidence.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    level = proof.oracle_bound
    assert checked(X, proof.v, again, level) == checked(X, proof.v, evidence, level)


def test_what_is_no_evidence_is_refused(proven):
    _, proof = proven
    arrays, numbers = proof.evidence.arrays, proof.evidence.numbers
    for name, damaged in (
        ("choices", arrays["choices"].astype(float)),
        ("places", arrays["places"].astype(float)),
        ("pp", arrays["pp"][:3]),
        ("pq", arrays["pq"].astype(np.float64)),
        ("exponents", arrays["exponents"].astype(np.int64)),
    ):
        with pytest.raises(ValueError, match=r"none|shape|multipliers"):
            ChoiceMultipliers.read({**arrays, name: damaged}, numbers)
    with pytest.raises(ValueError, match="units"):
        ChoiceMultipliers.read(arrays, {**numbers, "row_unit": 0.0})


def test_leaves_rows_and_columns_have_to_be_those_of_the_data(proven):
    X, proof = proven
    evidence, v = proof.evidence, proof.v
    fewer = replace(evidence, parts=evidence.parts[:3])
    with pytest.raises(InputError, match="two sets"):
        checked(X, v, fewer, 1.0)
    with pytest.raises(InputError, match="width"):
        checked(X[:, :5], v, evidence, 1.0)
    with pytest.raises(InputError, match="other rows"):
        evidence.bound(Pieces(X[1:], v[1:], np.zeros(len(X) - 1)), 1.0)
    one = replace(evidence.choices, signs=np.ones(2))
    with pytest.raises(InputError, match="leave some out"):
        checked(X, v, replace(evidence, choices=one), 1.0)
    places = np.zeros(20, dtype=np.int64)
    with pytest.raises(InputError, match="blocks"):
        checked(X, v, replace(evidence, blocks=replace(evidence.blocks, places=places)), 1.0)


def values_of(X, v, rng, count=2000):
    W, b = rng.standard_normal((count, 3, X.shape[1])), rng.standard_normal((count, 3))
    sizes = np.linalg.norm(W.reshape(count, -1), axis=1) * np.linalg.norm(b, axis=1)
    first = np.maximum(np.einsum("nd,kjd->knj", X, W), 0.0)
    return np.maximum(np.einsum("knj,kj->kn", first, b), 0.0) @ v / sizes


@with_long("seed", range(4))
def test_tampered_numbers_prove_less_and_never_too_much(proven, seed):
    X, proof = proven
    rng, evidence = np.random.default_rng(seed), proof.evidence
    factor = (0.0, 0.5, -1.0, 30.0)[seed]
    parts = tuple(
        SingleMultipliers.of(
            type(part.parts)(*(factor * array for array in part.doubled()))
        )
        for part in evidence.parts
    )  # fmt: skip
    coefficients = evidence.choices.coefficients * rng.choice([0.0, 1.0, -5.0], 20)
    choices = replace(evidence.choices, coefficients=coefficients)
    v = proof.v * rng.choice([1.0, 2.0], 20)
    for changed, point in (
        (replace(evidence, parts=parts), proof.v),
        (replace(evidence, choices=choices), proof.v),
        (evidence, v),
    ):
        bound, _ = checked(X, point, changed, proof.oracle_bound)
        assert np.abs(values_of(X, point, rng)).max() <= bound
    # They were the best.
    bound, _ = checked(X, proof.v, replace(evidence, parts=parts), proof.oracle_bound)
    assert bound > proof.oracle_bound * (1.0 + 1e-4)


def test_units_change_coefficients_and_what_multipliers_are_relative_to(proven):
    X, proof = proven
    scaled = proof.in_units(4.0, 0.5)
    bound, _ = checked(4.0 * X, scaled.v, scaled.evidence, scaled.oracle_bound)
    assert bound == pytest.approx(2.0 * proof.oracle_bound, rel=1e-6)
