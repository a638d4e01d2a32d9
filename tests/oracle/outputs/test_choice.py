"""Which oracle suits several outputs, and dual points of predictions that read several rows."""

import numpy as np
import pytest
import scipy.sparse
from oracle.outputs.norms import check_proposals, climbed, mass, norms

from cvxnn.layers import Layer
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.outputs.branch_and_bound import OutputsTree
from cvxnn.oracle.outputs.choice import OutputsClimbAndBound, OutputsLayerOracle, outputs_oracle_for
from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound
from cvxnn.oracle.outputs.weights import OutputWeights
from cvxnn.patterns.reduction import reduce_rows


def random_state() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("rank", "kind"), [(1, "rank two"), (2, "rank two"), (3, "tree")])
def test_kinds(rank, kind):
    rng = np.random.default_rng(rank)
    X = rng.standard_normal((12, rank)) @ rng.standard_normal((rank, 4))
    V = rng.standard_normal((12, 3))
    price = outputs_oracle_for(Layer(X), Effort()).price(V, tol=1e-5)
    assert price.kind == kind
    assert price.finished
    assert norms(X, V, climbed(X, V, rng.standard_normal((50, 4)))).max() <= price.bound
    check_proposals(X, V, price.proposals)


def test_beyond_the_rank_of_cones_the_ascent_still_proposes():
    rng = np.random.default_rng(0)
    X, V = rng.standard_normal((60, 12)), rng.standard_normal((60, 3))
    price = outputs_oracle_for(Layer(X), Effort(random_state=random_state(), most=7)).price(V, 1.0)
    assert price.bound == spectral_outputs_bound(X, V)
    assert 0 < len(price.proposals) <= 7
    check_proposals(X, V, price.proposals)
    assert price.values[0] <= price.bound


def test_an_ascent_before_the_tree():
    rng = np.random.default_rng(1)
    X, V = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    best = OutputsTree(X).price(V, tol=1e-6)
    oracle = OutputsClimbAndBound(X, OutputsTree(X), random_state(), most=5)
    price = oracle.price(V, 0.5 * best.bound, tol=1e-6, starts=best.directions[:1])
    assert price.finished
    assert price.bound == pytest.approx(best.bound, rel=2e-6)
    assert price.values[0] == pytest.approx(best.values[0], rel=1e-6)
    check_proposals(X, V, price.proposals)


def readouts(X):
    mixed = np.random.default_rng(0).standard_normal((4, len(X)))
    pairs = scipy.sparse.kron(scipy.sparse.eye_array(len(X) // 2), np.ones((1, 2)), format="csr")
    return {
        "identity": Layer(X),
        "leaky": Layer(X).with_slope(0.1),
        "modulus": Layer(X).with_slope(-1.0),
        "sums": Layer(X, pairs),
        "dense": Layer(X, mixed),
    }


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("which", ["identity", "leaky", "modulus", "sums", "dense"])
def test_predictions_that_read_several_rows(which, d):
    rng = np.random.default_rng(d)
    layer = readouts(rng.standard_normal((12, d)))[which]
    V = rng.standard_normal((layer.n_predictions, 3))
    price = outputs_oracle_for(layer, Effort(random_state=random_state())).price(V, tol=1e-6)
    directions = rng.standard_normal((2000, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = np.linalg.norm(V.T @ layer.activations(directions), axis=0)
    assert values.max() <= price.bound
    sums = layer.activations(price.directions).T @ V
    np.testing.assert_allclose((sums * price.outputs).sum(axis=1), price.values, rtol=1e-8)
    assert price.bound == pytest.approx(price.values[0], rel=3e-6)


def test_what_pulling_rounds_is_added():
    rng = np.random.default_rng(0)
    layer = readouts(rng.standard_normal((12, 2)))["dense"]
    V = rng.standard_normal((4, 3))
    inner = RankTwoOutputsOracle(layer.rows)
    bare = inner.price(np.column_stack([layer.pull(v) for v in V.T])).bound
    added = OutputsLayerOracle(layer, inner).price(V).bound - bare
    errors = np.array([layer.pull_error(v) for v in V.T])
    assert added == pytest.approx(np.linalg.norm(errors), rel=0.1)


def test_weights_of_hyperplanes():
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, (30, 3)).astype(float)
    V = rng.standard_normal((30, 2)) * np.array([1e-200, 1.0])
    reduction = reduce_rows(X)
    weights = OutputWeights.of(reduction, V)
    u = rng.standard_normal((50, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    products = u @ reduction.basis @ reduction.normals.T
    sums = (
        np.maximum(products, 0.0) @ weights.positive + np.maximum(-products, 0.0) @ weights.negative
    )
    exact = np.maximum(u @ X.T, 0.0) @ V
    np.testing.assert_allclose(weights.unit * sums, exact, rtol=1e-12, atol=1e-13 * mass(X, V))
    assert weights.error * weights.unit <= 1e-12 * mass(X, V)
