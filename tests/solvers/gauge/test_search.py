"""The search of linear networks against closed forms, cvxpy and local search."""

import numpy as np
import pytest
from programs import LOSSES
from scipy.linalg import dft
from solvers.gauge.linear_networks import Circular, Patches, any_kind, drawn, problem_of, solved
from variants import with_long

from cvxnn.interrupts import Deadline
from cvxnn.losses import as_loss
from cvxnn.solvers.gauge.programs import CircularProgram, PatchProgram
from cvxnn.solvers.gauge.search import GaugeSearch

any_loss = pytest.mark.parametrize("loss", LOSSES)


@any_kind
@any_loss
@with_long("shape", [(12, 4, 3), (12, 1, 5)], ids=str)
@pytest.mark.parametrize("beta", [0.02, 0.7])
def test_the_neurons_attain_the_optimum_of_the_program(kind, loss, shape, beta):
    rows, y = drawn(kind, loss, *shape)
    search, chosen = solved(rows.program, y, beta, loss), as_loss(loss)
    assert search.gap <= 1e-6
    assert search.bound <= search.objective * (1.0 + 1e-14)
    proof = search.proof
    assert search.final_proofs(quick=False) == (proof, proof)
    assert (proof.kind, proof.V.shape) == ("gauge", (12, 1))
    exact = rows.dual_norm(rows.program.matrix.T @ proof.v)
    assert exact * (1.0 - 1e-14) <= proof.oracle_bound <= exact * (1.0 + 1e-9)
    assert search.bound == proof.bound(search.problem)
    neurons = search.neurons
    assert 1 <= len(neurons) == search.n_blocks <= rows.most_filters
    root = np.sqrt(neurons.sizes)[:, None]
    prediction = rows.function(neurons.directions * root, neurons.outputs * root)
    value = chosen.value(prediction, y) + beta * neurons.sizes.sum()
    assert search.objective == pytest.approx(value, rel=1e-12)
    t = rows.program.coefficients(neurons)
    value = chosen.value(rows.program.matrix @ t, y) + beta * rows.gauge(t)
    assert search.objective == pytest.approx(value, rel=1e-9)
    for part in (neurons.directions, neurons.outputs):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1.0, rtol=1e-14)


def test_one_patch_with_orthogonal_columns_is_a_soft_threshold():
    # K = 1: ||Z||_* = ||z||_2. With X'X = s^2 I and c = X'y the optimum is along c:
    # z = (||c|| - beta)_+ / s^2 * c / ||c||, value 1/2 ||y||^2 - (||c|| - beta)_+^2 / (2 s^2).
    rng = np.random.default_rng(2)
    X = 1.7 * np.linalg.qr(rng.standard_normal((9, 4)))[0]
    y = 3.0 * rng.standard_normal(9)
    c, beta = X.T @ y, 0.8
    excess = np.linalg.norm(c) - beta
    assert excess > 0.0
    search = solved(PatchProgram(X[:, None, :]), y, beta)
    assert search.objective == pytest.approx(0.5 * y @ y - excess**2 / (2 * 1.7**2), rel=1e-9)
    assert len(search.neurons) == 1
    np.testing.assert_allclose(search.neurons.sizes, excess / 1.7**2, rtol=1e-6)
    ray = search.neurons.directions[0] * search.neurons.outputs[0]
    np.testing.assert_allclose(ray, c / np.linalg.norm(c), rtol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 6, 7])
def test_the_identity_as_circular_data_is_a_soft_threshold(d):
    # X = I: 1/2 ||z - F'y||^2 + beta / sqrt(d) ||z||_1 separates over the frequencies.
    y = np.random.default_rng(d).standard_normal(d) * 3.0
    price = 0.6 / d**0.5
    sizes = np.abs(dft(d, scale="sqrtn") @ y)
    value = np.where(sizes > price, price * sizes - 0.5 * price**2, 0.5 * sizes**2).sum()
    assert solved(CircularProgram(np.eye(d)), y, 0.6).objective == pytest.approx(value, rel=1e-9)


# Equal rows x: the prediction is s ||x||^o for a size s, with ||.||^o the dual norm, and a
# soft threshold of the mean target.
@any_kind
@pytest.mark.parametrize(
    "data, y",
    [
        (np.zeros((3, 2, 2)), [1.0, 2.0, 3.0]),
        (np.ones((3, 2, 2)), [0.0, 0.0, 0.0]),
        (np.ones((1, 1, 1)), [2.0]),
        (np.ones((4, 3, 2)), [1.0, -1.0, 1.0, 5.0]),
    ],
    ids=["no data", "no targets", "one number", "equal rows"],
)
def test_degenerate_problems(kind, data, y):
    rows = kind(data if kind is Patches else data.reshape(len(data), -1))
    gain, n, mean = rows.dual_norm(data[0].ravel()), len(y), np.mean(y)
    fit = max(mean - 0.1 / (n * gain), 0.0) if gain else 0.0
    value = 0.5 * np.sum((np.asarray(y) - fit) ** 2) + (0.1 * fit / gain if fit else 0.0)
    assert solved(rows.program, y, 0.1).objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_circular_filters_are_real_and_even():
    rows, y = drawn(Circular, "squared", 12, 1, 7)
    (u,) = solved(rows.program, y, 0.5).neurons.directions
    assert u.dtype == np.float64
    np.testing.assert_allclose(u[1:], u[:0:-1], atol=1e-12)


def test_a_hard_problem_is_solved_along_a_path_of_beta():
    # A few labels that are all fitted: the smaller beta, the flatter the loss.
    rows, y = drawn(Patches, "squared_hinge", 20, 5, 4)
    search = GaugeSearch(problem_of(rows.program, y, 1e-3, "squared_hinge"), Deadline())
    for _ in range(2):
        search.step(1e-6)
    assert search.gap > 1e-6
    while search.gap > 1e-6:
        search.step(1e-6)
        assert not search.stalled
    t = rows.program.coefficients(search.neurons)
    value = as_loss("squared_hinge").value(rows.program.matrix @ t, y) + 1e-3 * rows.gauge(t)
    assert search.objective == pytest.approx(value, rel=1e-9)


@pytest.mark.long
def test_a_search_gets_no_worse_and_stalls_where_rounding_is_all_that_is_left():
    rows, y = drawn(Patches, "squared", 30, 8, 6)
    search = GaugeSearch(problem_of(rows.program, y, 1e-3, "squared"), Deadline())
    before, rounds = (search.objective, search.bound), 0
    while search.stalled < 3.0:
        idle = search.stalled
        search.step(0.0)
        after = search.objective, search.bound
        assert after[0] <= before[0]
        assert after[1] >= before[1]
        # Four rounds without progress are three of the loop above it.
        assert search.stalled == (idle + 0.75 if after == before else 0.0)
        before, rounds = after, rounds + 1
        assert rounds < 100
    assert search.gap <= 1e-8
    search.finish(0.0, quick=False)
    assert (search.objective, search.bound) == before
    assert not search.sharpen(0.0)
