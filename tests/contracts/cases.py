"""The registry of contracts: a small problem of every kind of network, and what it is by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from networks.cases import penalty, values
from polynomials import Spectrahedron
from programs import (
    COUNTS,
    KINKED,
    LOSSES,
    Activations,
    Constrained,
    draw,
    draw_images,
    draw_rows,
    in_cvxpy,
    masks_of,
    patches_by_loops,
)
from ramped import Ramped
from solvers.gauge.linear_networks import Circular, Patches, local_search
from solvers.quantized.sign_networks import Pairs
from sub_networks import SubNetworks

import cvxnn
from cvxnn.losses import as_loss
from cvxnn.methods import METHODS
from cvxnn.models.base import Model

TOL = 1e-7
# Methods of a neuron a round, which take hundreds of rounds for many digits.
STEPWISE = ("frank_wolfe", "incremental")


@dataclass(frozen=True)
class Bilinear:
    """Networks without activation: their function, and the gauge that is left of the penalty."""

    rows: Patches | Circular

    def optimum(self, cp, loss, y, beta, *, intercept=False):
        matrix = self.rows.data.reshape(len(y), -1)
        t, b = cp.Variable(matrix.shape[1]), cp.Variable() if intercept else 0.0
        data = in_cvxpy(cp, loss, matrix @ t + b, y)
        program = cp.Problem(cp.Minimize(data + beta * self.rows.gauge_in_cvxpy(cp, t)))
        return float(program.solve(solver="CLARABEL"))

    def lowest(self, loss, y, beta):
        return local_search(self.rows, y, beta, loss, self.rows.most_filters)


@dataclass(frozen=True)
class Case:
    """A model, with the shape of a small problem of it and that of one that takes rounds."""

    name: str
    model: Model
    shape: tuple[int, ...]
    large: tuple[int, ...]
    losses: tuple[str, ...] = ("squared", "logistic")
    beta: float = 0.2

    @property
    def degree(self):
        """Of the neurons in X."""
        return 2 if isinstance(self.model, cvxnn.Quantized) else 1

    @property
    def methods(self):
        """Those that reach the optimum in the rounds of a default run."""
        return tuple(name for name in self.model.capabilities.methods if name not in STEPWISE)

    def data(self, loss="squared", shape=None):
        shape = self.shape if shape is None else shape
        match self.model:
            case cvxnn.Conv():
                return draw_images(loss, shape)
            case cvxnn.LinearConv():
                return draw(loss, *shape)
            case cvxnn.Polynomial(filter_size=size) if size is not None:
                return draw_images(loss, shape)
        return draw_rows(loss, *shape)

    def scaled(self, size):
        """The same for data times a number, where the activation is not homogeneous."""
        match self.model:
            case cvxnn.Polynomial(a=a, b=b, c=c) as model:
                return replace(self, model=model.replaced(a=a / size, b=b, c=c * size))
        return self

    def formula(self, X):
        """What networks of the model are on X, written out anew."""
        match self.model:
            case cvxnn.ReLU(features=None, monotonic_cst=None, shape=None, l1_ratio=0.0) as model:
                linear = None if model.skip is None else X
                free = model.skip == "free"
                return Activations(X[:, None], model.slope, linear=linear, is_free=free)
            case cvxnn.ReLU() as model:
                return Constrained.of(X, model)
            case cvxnn.Parallel(bias="free"):
                return Ramped(X[:, 0])
            case cvxnn.Parallel():
                return SubNetworks(X)
            case cvxnn.Gated(depth=3, gates=gates, second_gates=second):
                one, two = (masks_of(X, each) for each in (gates, second))
                both = one[:, :, None] * two[:, None]
                distinct = np.unique(both.reshape(len(X), -1), axis=1)
                return Activations(X[:, None], masks=distinct)
            case cvxnn.Gated(gates=gates, skip=skip, n_gates=n_gates):
                if gates is None:
                    gates = cvxnn.sample_patterns(X, n_gates, 0).directions
                return Activations(X[:, None], masks=masks_of(X, gates, skip is not None))
            case cvxnn.Polynomial(a=a, b=b, c=c) as model:
                size, patches = model.filter_size, X[:, None]
                if size is not None:
                    sides = size if isinstance(size, tuple) else (size,) * (X.ndim - 1)
                    patches = patches_by_loops(X, sides, model.stride, model.padding)
                return Spectrahedron(patches, (a, b, c))
            case cvxnn.Conv() as conv:
                size = conv.filter_size
                sides = size if isinstance(size, tuple) else (size,) * (X.ndim - 1)
                patches = patches_by_loops(X, sides, conv.stride, conv.padding)
                if conv.bias:
                    patches = np.concatenate([patches, np.ones((*patches.shape[:2], 1))], axis=2)
                if conv.pooling == "average":
                    patches = patches / patches.shape[1]
                return Activations(patches, conv.slope, conv.pooling == "max")
            case cvxnn.Quantized():
                return Pairs(X)
        return Bilinear(Circular(X) if X.ndim == 2 else Patches(X))

    def solve(self, loss="squared", X=None, y=None, **options):
        """The model on these data, or its own."""
        own_X, own_y = self.data(loss)
        options = {"tol": TOL, "method": self.methods[0]} | options
        beta = options.pop("beta", self.beta)
        X, y = own_X if X is None else X, own_y if y is None else y
        return cvxnn.solve(X, y, beta, model=self.model, loss=loss, **options)


# Those with a name.
KINKS = tuple(loss for loss in KINKED if isinstance(loss, str))
GATES = np.random.default_rng(1).standard_normal((9, 3))
Conv, ReLU, Gated = cvxnn.Conv, cvxnn.ReLU, cvxnn.Gated
CASES = {
    case.name: case
    for case in (
        Case("ReLU", ReLU(), (7, 3), (30, 3), (*LOSSES, *COUNTS, *KINKS)),
        Case("leaky", ReLU(0.2), (7, 3), (30, 3)),
        Case("modulus", ReLU(-1.0), (7, 3), (30, 3)),
        Case("linear neurons", ReLU(1.0), (7, 3), (30, 3)),
        Case("steep", ReLU(1.7), (7, 3), (30, 3)),
        Case(
            "penalised skip", ReLU(0.2, "penalised"), (6, 2), (20, 3),
            ("squared", *LOSSES[2:], "absolute", *COUNTS, "huber"),
        ),
        Case("modulus and skip", ReLU(-1.0, "penalised"), (6, 2), (20, 3)),
        # A line separates the labels of fewer rows.
        Case(
            "free skip", ReLU(0.2, "free"), (9, 2), (20, 3),
            (*LOSSES[2:], "absolute", *COUNTS, *LOSSES[:2]),
        ),
        Case("modulus and free skip", ReLU(-1.0, "free"), (9, 2), (20, 3), LOSSES[:2]),
        Case("features", ReLU(features=1), (7, 3), (30, 3)),
        Case(
            "groups", ReLU(features=[[0, 1], [2], [1, 2]]), (7, 3), (40, 3),
            (*LOSSES, *COUNTS, *KINKS),
        ),
        Case("monotone", ReLU(monotonic_cst=[1, -1, 0]), (7, 3), (20, 3), (*LOSSES, *COUNTS)),
        Case("l1 ratio", ReLU(l1_ratio=0.5), (6, 3), (20, 3)),
        Case(
            "convex and additive",
            ReLU(features=1, shape="convex", monotonic_cst=[0, 1, 0], l1_ratio=0.3),
            (7, 3), (30, 3),
        ),
        Case("gates", Gated(GATES), (9, 3), (60, 3), (*LOSSES, *COUNTS)),
        Case("gates and skip", Gated(GATES, skip="penalised"), (9, 3), (60, 3)),
        Case("drawn gates", Gated(n_gates=12), (9, 3), (60, 5)),
        Case(
            "deep gates", Gated(GATES[:4], depth=3, second_gates=GATES[4:7]), (9, 3), (60, 3),
            LOSSES[:2],
        ),
        Case("sub-networks", cvxnn.Parallel(), (4, 2), (12, 2)),
        Case("ramps", cvxnn.Parallel(bias="free"), (9, 1), (60, 1), (*LOSSES, *COUNTS)),
        Case("filters", Conv(2), (5, 5), (12, 4, 4), (*LOSSES, *COUNTS)),
        Case("steps", Conv((2, 1), stride=2, padding=1), (5, 4, 4), (20, 6, 6)),
        Case("leaky filters", Conv(2, slope=0.2), (5, 5), (12, 4, 4)),
        Case("moduli of filters", Conv(2, slope=-1.0), (5, 5), (12, 4, 4)),
        Case("averages and biases", Conv(2, pooling="average", bias=True), (4, 4), (10, 4, 4)),
        Case("maxima", Conv(2, pooling="max"), (5, 4), (20, 5, 5), LOSSES),
        Case(
            "maxima, biases and steps",
            Conv(2, pooling="max", bias=True, stride=2, padding=1), (5, 6), (20, 5, 5),
            ("squared",),
        ),
        Case("linear", cvxnn.LinearConv(), (8, 3, 2), (30, 8, 6), (*LOSSES, *COUNTS)),
        Case("circular", cvxnn.CircularConv(), (8, 4), (30, 20), LOSSES),
        Case("odd circle", cvxnn.CircularConv(), (8, 5), (30, 21)),
        Case(
            "polynomial", cvxnn.Polynomial(), (9, 3), (60, 6),
            (*LOSSES[:2], *KINKS, *LOSSES[2:], *COUNTS),
        ),
        Case(
            "quadratic filters",
            cvxnn.Polynomial(0.4, -0.2, 0.0, filter_size=2, stride=2, padding=1),
            (9, 4), (20, 4, 4),
        ),
        Case("signs", cvxnn.Quantized(), (8, 3), (60, 18), (*LOSSES, *COUNTS)),
    )
}  # fmt: skip
ALL = tuple(CASES.values())
# One of each kind of search.
FEW = [
    CASES[name]
    for name in (
        "ReLU", "leaky", "penalised skip", "free skip", "groups", "gates", "drawn gates", "filters",
        "ramps", "averages and biases", "maxima", "linear", "circular", "polynomial",
        "signs",
    )
]  # fmt: skip


# Of these, the ones whose searches are like those of others, and take seconds.
SLOW = ("leaky", "penalised skip", "free skip", "averages and biases")


def each(cases, long=()):
    """Parametrised by cases, some of them for long tests only."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=case.name, marks=pytest.mark.long if case.name in long else ())
            for case in cases
        ],
    )


# Beside a penalised line a training is some ten of the others.
SLOWEST = ("penalised skip",)

# Of all, the ones whose searches are like one of the few.
LIKE_OTHERS = [case.name for case in ALL if case.name not in [few.name for few in FEW]]

# Of these, the ones that are the rows of another case with another slope, or another number.
SAME_ROWS = (
    "linear neurons", "steep", "modulus and free skip", "leaky filters", "moduli of filters",
    "odd circle",
)  # fmt: skip

each_case = each(ALL)
each_case_with_long = each(
    (case for case in ALL if case.name not in SAME_ROWS), (*LIKE_OTHERS, *SLOWEST)
)
# Of one family of searches each, where a test runs several times.
each_of_four = each(
    FEW, [case.name for case in FEW if case.name not in ("ReLU", "gates", "maxima", "circular")]
)
each_of_few = each(FEW, SLOWEST)


# Losses that searches treat alike; those of one kind have the same formulas but for numbers.
ALIKE = (LOSSES[:2], LOSSES[2:], COUNTS, ("absolute", "quantile"), ("hinge",))


def first_of_their_kind(losses):
    """The first loss of each kind."""
    chosen = [[loss for loss in losses if loss in alike][:1] for alike in ALIKE]
    return [loss for (*first,) in chosen for loss in first]


def pairs(losses_of, chosen=ALL, *, few_only=False, firsts_only=False):
    """Cases and losses; those whose search is like that of another are long tests.

    These are cases that are like others, but for their first loss, and of the others the losses
    that are like another one. The first case keeps all losses. `few_only` makes all losses of
    cases that are like others long, and of those that take seconds. With `firsts_only` there are
    no losses but the first of each kind, of cases that are like others one alone, and all but one
    of each case are long.
    """

    def losses(case):
        found = list(losses_of(case))
        if not firsts_only:
            return found
        return found[:1] if case.name in LIKE_OTHERS else first_of_their_kind(found)

    def is_like_another(case, loss):
        found = losses(case)
        if loss == found[0]:
            return few_only and case.name in (*LIKE_OTHERS, *SLOW)
        if firsts_only:
            return True
        if case.name == FEW[0].name:
            return False
        return case.name in (*LIKE_OTHERS, *SLOW) or loss not in first_of_their_kind(found)

    return pytest.mark.parametrize(
        ("case", "loss"),
        [
            pytest.param(
                case,
                loss,
                id=f"{case.name}-{loss}",
                marks=pytest.mark.long if is_like_another(case, loss) else (),
            )
            for case in chosen
            for loss in losses(case)
        ],
    )


each_warm = each(
    (case for case in CASES.values() if case.model.capabilities.warm_start), (*LIKE_OTHERS, *SLOW)
)
each_sampled = each(
    (case for case in CASES.values() if "sampled" in case.methods), (*LIKE_OTHERS, *SLOW)
)
each_loss = pairs(lambda case: case.losses, few_only=True)
each_first_loss = pairs(lambda case: case.losses, few_only=True, firsts_only=True)


# A run that is cut short looks for its bound for two seconds, unless it is told otherwise.
SHORT = {name: method().with_proof_time(0.1) for name, method in METHODS.items()}


def method_of(case):
    """The first method of a case with a short proof, or few samples, where proofs take long."""
    takes_maxima = getattr(case.model, "pooling", None) == "max"
    return cvxnn.Sampled(50) if takes_maxima else SHORT[case.methods[0]]


@cache
def solved(name, loss, method):
    """The solution of the small problem of a case; solved once."""
    return CASES[name].solve(loss, method=method)


@cache
def lowest(name, loss):
    """The lowest objective that a local search finds on it; looked for once."""
    case = CASES[name]
    X, y = case.data(loss)
    return case.formula(X).lowest(loss, y, case.beta)


def objective(network, X, y, beta, loss):
    """Of a network from its weights, by loops in rational arithmetic."""
    return loss.value(values(network, X).astype(float), y) + beta * float(penalty(network))


def assert_consistent(solution, X, y, loss="squared"):
    """What holds of every solution, however its run ended."""
    expected = objective(solution.network, X, y, solution.beta, as_loss(loss))
    assert solution.objective == pytest.approx(expected, rel=1e-12)
    assert 0.0 <= solution.objective_error <= 1e-8 * solution.objective
    assert solution.dual_bound <= solution.objective + solution.objective_error
    gap = (solution.objective + solution.objective_error - solution.dual_bound) / expected
    assert solution.gap == pytest.approx(gap, rel=1e-9, abs=1e-12)
    assert solution.n_neurons == solution.network.n_neurons
    assert solution.n_iter <= len(solution.history)
    # Bounds of a relaxation come after the last round, and have its number.
    rounds = [*range(solution.n_iter)]
    rounds += rounds[-1:] * (len(solution.history) - len(rounds))
    assert [entry.iteration for entry in solution.history] == rounds
    if solution.status is cvxnn.Status.OPTIMAL:
        assert solution.gap <= solution.tol
