"""Bounds of the relaxation for every layer, and what is beside it, against programs written out."""

import itertools
import math
import warnings
from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from programs import COUNTS, LOSSES, Activations, targets
from relaxation_instances import rows_and_weights
from scipy.sparse import csr_array
from variants import with_long

import cvxnn
from cvxnn.certificates import DualProof
from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.layers.images import patch_layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SquaredLoss, WeightedLoss, as_loss
from cvxnn.losses.offset import best_offset
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.beside import Beside
from cvxnn.relaxation.memory import Memory
from cvxnn.solvers.relaxed import relaxation_prover

N = 7
# Model, patches of a sample, and whether there is an intercept.
CASES = {
    "relu": (cvxnn.ReLU(), 1, False),
    "intercept": (cvxnn.ReLU(), 1, True),
    "leaky": (cvxnn.ReLU(0.2), 1, False),
    "modulus": (cvxnn.ReLU(-1.0), 1, True),
    "sum": (cvxnn.Conv((1, 2), pooling="sum"), 3, False),
    "average": (cvxnn.Conv((1, 2), pooling="average", slope=0.3), 3, True),
    "free": (cvxnn.ReLU(skip="free"), 1, False),
    "free, leaky": (cvxnn.ReLU(0.2, skip="free"), 1, True),
    "penalised": (cvxnn.ReLU(skip="penalised"), 1, False),
    "penalised, modulus": (cvxnn.ReLU(-1.0, skip="penalised"), 1, True),
}
# Each kind of model first, with the losses in turn, and then the others.
FEW = ("penalised", "free, leaky", "relu", "average")
PAIRS = [*zip(FEW, (*LOSSES[:3], COUNTS[0]), strict=True)]
PAIRS += [
    (name, loss)
    for name, loss in zip(CASES, itertools.cycle((LOSSES[0], COUNTS[1], LOSSES[3])), strict=False)
    if name != "average"
]


def draw(name, loss, seed=3):
    """Patches of shape (N, K, d), data for the model, and targets."""
    rng = np.random.default_rng(seed)
    patches = rng.standard_normal((N, CASES[name][1], 2 if name in ("sum", "average") else 3))
    y = 2.0 * np.abs(patches[:, 0, 0]) - 1.0 + 0.5 * rng.standard_normal(N)
    K, d = patches.shape[1:]
    # An image of rows that are patches of their own.
    data = patches.reshape(N, K, d) if name in ("sum", "average") else patches[:, 0]
    return patches, data, targets(loss, y, 0.3)


def zero_proof(problem):
    return DualProof.of(np.zeros(len(problem.Y)), 0.0, "spectral")


def bounded(problem, neurons, *, intercept=False, most=200, **settings):
    prover = replace(relaxation_prover(problem, intercept=intercept), most=most, **settings)
    return prover.improve(neurons, zero_proof(problem), 1e-6, UNLIMITED)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@with_long(("name", "loss"), PAIRS)
def test_never_above_the_program_written_out_and_close(name, loss):
    model, _, intercept = CASES[name]
    patches, data, y = draw(name, loss)
    beta = 0.2 * cvxnn.largest_beta(data, y, model=model, loss=loss, intercept=intercept)
    program = Activations(
        patches / (patches.shape[1] if name == "average" else 1.0), model.slope,
        linear=data if getattr(model, "skip", None) else None, is_free=name.startswith("free"),
    )  # fmt: skip
    optimum = program.optimum(cp, loss, y, beta, intercept=intercept)
    problem = Problem.of(model.rows(data), y, beta, as_loss(loss))
    solution = cvxnn.solve(data, y, beta, model=model, loss=loss, intercept=intercept)
    neurons = model.neurons(solution.network)
    proof = bounded(problem, neurons, intercept=intercept)
    assert proof.kind == "relaxation"
    assert 0.8 * optimum <= proof.bound(problem) <= optimum * (1.0 + 1e-6)
    beside = relaxation_prover(problem, intercept=intercept).beside or Beside.nothing(problem)
    assert beside.objective(neurons) == pytest.approx(solution.objective, rel=1e-5)


def nasty(seed):
    """A small problem of any kind: integers, parallel rows and zeros among the rows."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 8)), int(rng.integers(1, 4))
    X, _ = rows_and_weights(rng, n, d)
    name = str(rng.choice((*LOSSES, *COUNTS)))
    loss, y = as_loss(name), rng.standard_normal(n) * float(rng.choice([1.0, 1e-3, 1e5]))
    if name in COUNTS:
        y = targets(name, np.clip(3.0 * y, -9.0, 9.0))
    if loss.has_labels:
        y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    if rng.random() < 0.4:
        loss = WeightedLoss(loss, np.exp2(rng.integers(-20, 20, n).astype(float)))
    layer = Layer(X)
    match rng.integers(4):
        case 0:
            layer = layer.with_slope(float(rng.choice([-1.0, 0.1, 1.0, -3.0, 7.5])))
        case 1:
            shared = rng.integers(-2, 3, (n, n)) * rng.choice([1.0, 1.0 / 3.0, 1e-9])
            layer = Layer(X, csr_array(shared))
    size = max(
        float(np.abs(layer.pull(Problem.of(layer, y, 1.0, loss).residual_at_zero)).max()), 1e-9
    )
    beta = float(rng.choice([1e-3, 0.1, 1.0])) * size * (float(np.abs(X).max()) or 1.0)
    return rng, Problem.of(layer, y, beta, loss)


def network(rng, problem):
    """Neurons of about the size that fits."""
    layer = problem.rows
    rays = rng.standard_normal((3, layer.n_features)) / max(float(layer.lengths.max()), 1e-9)
    return Neurons.of(rays * rng.choice([1.0, 1e-6]), rng.choice([1.0, -1.0], (3, 1)))


def exact_bounds(layer, v):
    """What ``v'phi(u)`` comes to for either sign, by the cells of the rows."""
    rows = layer.rows
    return CellOracle(rows, enumerate_patterns(rows)).price(layer.pull(v)[:, None]).bounds


@pytest.mark.long
@with_long("part", range(3))
def test_nothing_is_claimed_that_is_not_so(part):
    """The bounds of v are not below those of the cells, and v vanishes on what is free."""
    for seed in range(12 * part, 12 * part + 12):
        rng, problem = nasty(seed)
        intercept, most = bool(rng.random() < 0.4), int(rng.integers(1, 60))
        proof = bounded(problem, network(rng, problem), intercept=intercept, most=most)
        exact = exact_bounds(problem.rows, proof.v)
        assert (proof.bounds >= exact * (1.0 - 1e-12)).all(), seed
        assert not intercept or math.fsum(proof.v) == 0.0 or proof.slack > 0.0, seed
        # No better than without neurons, and the best constant.
        constants = best_offset(problem.loss, 0.0 * problem.y, problem.y) if intercept else 0.0
        nothing = problem.value(np.full_like(problem.y, constants))
        assert proof.bound(problem) <= nothing * (1.0 + 1e-12), seed


@pytest.mark.long
@pytest.mark.parametrize("skip", ["free", "penalised"])
def test_never_above_the_optimum_beside_a_line_of_nasty_rows(skip):
    checked = 0
    for seed in range(16):
        _, plain = nasty(seed)
        X = plain.rows.rows[: len(plain.y)]
        if plain.rows.readout is not None or not X.any():
            continue
        model, inner = cvxnn.ReLU(skip=skip), plain.loss
        weights = inner.weights if isinstance(inner, WeightedLoss) else None
        intercept, loss = bool(seed % 2), inner if weights is None else inner.loss
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                solution = cvxnn.solve(
                    X, plain.y, plain.beta, model=model, loss=loss, sample_weight=weights,
                    intercept=intercept, max_iter=12,
                )  # fmt: skip
            except InputError:
                continue
        problem, units = plain.on(model.rows(X)).in_units(intercept=intercept)
        neurons = units.reduced(model.neurons(solution.network))
        proof = bounded(problem, neurons, intercept=intercept, most=30)
        bound = proof.bound(problem) * units.objective
        assert bound <= solution.objective + solution.objective_error, seed
        checked += proof.kind == "relaxation"
    assert checked >= 3


@pytest.mark.long
def test_weights_of_rows_beside_an_intercept():
    X, y = np.random.default_rng(0).standard_normal((2, 12, 3))
    y, weights = np.abs(y[:, 0]), np.exp2(np.arange(12.0) / 4.0 - 2.0)
    beta = 0.2 * cvxnn.largest_beta(X, y, sample_weight=weights, intercept=True)
    solution = cvxnn.solve(X, y, beta, sample_weight=weights, intercept=True)
    problem = Problem.of(Layer(X), y, beta, WeightedLoss(SquaredLoss(), weights))
    neurons = cvxnn.ReLU().neurons(solution.network)
    bound = bounded(problem, neurons, intercept=True).bound(problem)
    assert 0.95 * solution.objective <= bound <= solution.objective + solution.objective_error


@with_long("name", ["intercept", "leaky", "penalised"])
def test_units_of_the_data(name):
    model, _, intercept = CASES[name]
    _, X, y = draw(name, "squared")
    bounds = []
    for rows, targets_unit in ((1.0, 1.0), (2.0**60, 2.0**-50), (2.0**-70, 2.0**40)):
        problem = Problem.of(
            model.rows(rows * X), targets_unit * y, 0.3 * rows * targets_unit, SquaredLoss()
        )
        proof = bounded(problem, Neurons.none(3), intercept=intercept, most=60)
        bounds.append(proof.bound(problem) / targets_unit**2)
    assert bounds == pytest.approx([bounds[0]] * 3, rel=1e-6)


@with_long(
    "name, loss",
    [("penalised", "squared"), ("modulus", "squared_hinge"), ("free", "squared")],
    ids=str,
)
def test_any_beta_and_any_network(name, loss):
    model, _, intercept = CASES[name]
    _, X, y = draw(name, loss)
    huge = Neurons.of(1e40 * np.eye(3), np.ones((3, 1)))
    small = Neurons.of(np.eye(3), np.ones((3, 1)))
    for beta, neurons in itertools.product((1e-140, 1e-12, 1e140), (huge, small, Neurons.none(3))):
        whole = Problem.of(model.rows(X), y, beta, as_loss(loss))
        problem, _ = whole.in_units(intercept=intercept)
        bound = bounded(problem, neurons, intercept=intercept, most=30).bound(problem)
        assert 0.0 <= bound <= problem.value(0.0 * problem.y) * (1.0 + 1e-12)


def test_what_has_no_relaxation():
    X, y = np.eye(3), np.arange(3.0)
    dense = Problem.of(Layer(X, np.ones((3, 3))), y, 0.1, SquaredLoss())
    beside = dense.on(SkipLayer(dense.rows, X, is_free=False))
    maxima = dense.on(cvxnn.Conv((1, 2), pooling="max").rows(X.reshape(3, 1, 3)))
    # Several outputs have one, but not beside a linear part.
    several = Problem(SkipLayer(Layer(X), X, is_free=False), np.eye(3), 0.1, SquaredLoss())
    assert [relaxation_prover(p) for p in (dense, beside, maxima, several)] == [None] * 4


def test_a_free_line_that_has_no_best_is_refused():
    X = np.array([[1.0, 1.0], [2.0, 1.0], [-1.0, 1.0]])
    rows = SkipLayer(Layer(X), X, is_free=True)
    problem = Problem.of(rows, np.array([1.0, 1.0, -1.0]), 0.1, as_loss("logistic"))
    with pytest.raises(InputError, match="separates"):
        relaxation_prover(problem)


def test_the_rounding_of_the_pulled_dual_point_is_charged(monkeypatch):
    """By more than what it can be, to be seen in the bounds."""
    patches = np.random.default_rng(0).standard_normal((6, 4, 2))
    layer = patch_layer(patches, average=True, has_bias=False)
    problem = Problem.of(layer, np.arange(6.0), 0.2, SquaredLoss())
    plain = bounded(problem, Neurons.none(2), most=20)
    monkeypatch.setattr(Layer, "pull_error", lambda self, v: 0.5)
    charged = bounded(problem, Neurons.none(2), most=20)
    scale = problem.in_units()[1]
    difference = charged.bounds - plain.bounds
    np.testing.assert_allclose(difference, 0.5 * scale.rows * scale.targets, rtol=1e-9)


@pytest.mark.long
def test_a_path_goes_on_with_what_is_known():
    X = np.random.default_rng(1).standard_normal((24, 3))
    y = np.abs(X[:, 0]) + 0.3 * X[:, 1]
    largest = cvxnn.largest_beta(X, y, intercept=True)
    gaps = {}
    for memory in (None, Memory()):
        for share in (0.4, 0.3):
            beta = share * largest
            network = cvxnn.solve(X, y, beta, intercept=True).network
            problem = Problem.of(Layer(X), y, beta, SquaredLoss())
            proof = bounded(
                problem, cvxnn.ReLU().neurons(network), intercept=True,
                most=40, block=6, memory=memory,
            )  # fmt: skip
            optimum = network.objective(X, y, beta)
            gaps[memory is None, share] = 1.0 - proof.bound(problem) / optimum
            assert proof.bound(problem) <= optimum * (1.0 + 1e-9)
    assert gaps[False, 0.3] < 0.9 * gaps[True, 0.3]
    # Of other rows nothing is known.
    fewer = Problem.of(Layer(X[:12]), y[:12], 0.3 * largest, SquaredLoss())
    first, later = (
        bounded(fewer, Neurons.none(3), most=40, memory=known) for known in (None, memory)
    )
    assert first.bound(fewer) == later.bound(fewer)
