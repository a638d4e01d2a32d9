"""A slice of ``benchmarks/adversarial.py``, and proof that it would see faults."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import adversarial
import numpy as np
import pytest
from adversary import deviances, oracle
from adversary.calls import call, weights_of
from adversary.checks import check
from adversary.counts import draw_counts
from adversary.dual_point import dual_faults
from adversary.dyadic import Dyadic, root_between
from adversary.instances import KINDS, WITHOUT_INTERCEPT, Instance, draw, problem_of
from adversary.intercept import with_best_intercept
from adversary.problem import Weights, objective
from adversary.relaxed import relaxed_call
from variants import with_long

from cvxnn.losses import as_loss

# Instances (seed, index) that failed once, for what; the first is among the default tests,
# unless it takes seconds.
ONCE_FAILED = {
    "an objective evaluated with an error above tol": [
        (0, 368), (0, 713), (0, 1645), (1, 836), (2, 18),
    ],
    "a bound above linear networks": [(3, 785), (0, 1604), (0, 3134)],
    "a bound above the network itself": [(3, 159)],
    "a warning of scipy": [(0, 1433)],
    "divisions by zero, singular matrices, empty working sets": [
        (0, 784), (0, 850), (0, 1629), (0, 1651), (0, 1958), (0, 2982),
        (1, 83), (1, 294), (1, 583), (1, 774),
    ],
    "max pooling over one patch": [(0, 860), (0, 654), (0, 863), (0, 936)],
    "bounds beside an intercept of a dual point that a bad one was mixed into": [
        (0, 16), (0, 338),
    ],
    "an exact fit": [(0, 111)],
    "targets far from 0": [(0, 1467)],
    "a bound above a circular network": [(2, 5241)],
    "a root beyond the steps for it": [(2, 3587), (2, 4974)],
}  # fmt: skip
SECONDS = {(0, 3), (0, 368), (0, 1433)}
LIMIT = 2.0


def instances():
    firsts = {(0, k) for k in range(4)} | {first for first, *_ in ONCE_FAILED.values()}
    for each in (*((0, k) for k in range(4)), *chain(*ONCE_FAILED.values())):
        is_quick = each in firsts - SECONDS
        yield pytest.param(*each, marks=() if is_quick else pytest.mark.long)


@pytest.mark.parametrize(("seed", "index"), [*instances()])
def test_instance(seed, index):
    outcome = check(draw(seed, index), LIMIT)
    # How long it took depends on the machine.
    assert [failure for failure in outcome.failures if failure[0] != "slow"] == []
    assert outcome.status != "REFUSED" or not outcome.in_range, outcome.message


def plain(kind: str = "relu", tol: float = 1e-9) -> Instance:
    """Six rows that nothing is wrong with."""
    X = np.array([[1.0, 1.0], [2.0, 1.0], [-1.0, 1.0], [0.5, 1.0], [-3.0, 1.0], [4.0, 1.0]])
    y = np.array([1.0, -1.0, 0.5, 2.0, -1.0, 1.5])
    instance = Instance(0, 0, "plain", kind, X, y, None, 0.3, "global", "squared", 1.0, tol)
    if kind == "cnn_max":
        instance.method, instance.pooling = "exact", "max"
    if kind.startswith("skip"):
        instance.skip = kind.removeprefix("skip_")
    if kind == "gated":
        instance.gates = np.array([[1.0, 0.3], [-0.2, 1.0], [-1.0, -0.7], [0.4, -1.0]])
    return instance


# Each kind, and beside an intercept where it may have one.
CASES = [("relu", False), ("relu", True), ("gated", True), ("cnn_max", False)]
CASES += [(kind, False) for kind in KINDS if (kind, False) not in CASES]
CASES += [
    (kind, True) for kind in KINDS if kind not in WITHOUT_INTERCEPT and (kind, True) not in CASES
]
each_case = with_long(("kind", "intercept"), CASES, always=4)


@each_case
def test_a_plain_instance_passes(kind, intercept):
    outcome = check(replace(plain(kind), intercept=intercept), None)
    assert (outcome.status, outcome.failures) == ("OPTIMAL", [])


@each_case
def test_a_bound_that_is_too_high_is_seen(kind, intercept):
    def forged(instance: Instance, limit: float | None) -> object:
        result = call(instance, limit)
        return replace(result, dual_bound=result.dual_bound * (1.0 + 1e-6))

    plain_one = replace(plain(kind), intercept=intercept)
    kinds = {kind for kind, _ in check(plain_one, None, forged).failures}
    assert "bound" in kinds
    assert ("dual" in kinds) == (kind in ("relu", "leaky", "cnn", "cnn_max"))


def test_an_intercept_that_is_not_the_best_is_seen():
    def forged(instance: Instance, limit: float | None) -> object:
        result = call(instance, limit)
        network = result.network.with_intercept(result.network.intercept + 0.01)
        value = network.objective(instance.X, instance.y, instance.beta)
        return replace(result, network=network, objective=value, dual_bound=value * (1.0 - 1e-9))

    instance = replace(plain(tol=1e-8), intercept=True)
    kinds = {kind for kind, _ in check(instance, None, forged).failures}
    assert {"bound", "better", "dual"} <= kinds


def test_a_dual_point_that_does_not_vanish_on_the_constant_is_seen():
    instance = replace(plain(), intercept=True)
    problem, network = problem_of(instance), Weights(np.zeros((0, 2)), np.zeros(0))
    v = np.array([0.1, -0.1, 0.1, 0.1, -0.1, 0.1])
    faults = dual_faults(problem, network, 0.0, (v, 10.0), np.random.default_rng(0))
    assert "sum of the dual point" in " ".join(faults)


@pytest.mark.parametrize(
    "loss", ["squared", "huber", "squared_hinge", "logistic", "poisson", "gamma"]
)
def test_no_intercept_is_better_than_the_best(loss):
    instance = replace(plain(), intercept=True, loss=loss, delta=0.3)
    instance.weights = np.linspace(0.5, 3.0, 6)
    if loss in ("squared_hinge", "logistic"):
        instance.y = np.sign(instance.y)
    if loss in ("poisson", "gamma"):
        instance.y = np.round(np.exp(2.0 * instance.y)) + (loss == "gamma")
    problem = problem_of(instance)
    network = Weights(np.array([[0.3, -0.2]]), np.array([0.7]))
    best = with_best_intercept(problem, network)
    low, _ = objective(problem, best)
    for move in (-1e-3, 1e-3):
        moved = replace(best, intercept=Fraction(best.intercept) + Fraction(move))
        assert objective(problem, moved)[0] > low


def test_labels_of_one_kind_are_outside_the_range_beside_an_intercept():
    instance = plain()
    instance.loss, instance.y = "logistic", np.ones(6)
    assert instance.in_range()
    instance.intercept = True
    assert not instance.in_range()
    instance.y = np.array([1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
    assert instance.in_range()
    instance.weights = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    assert not instance.in_range()


def test_a_bound_above_the_optimum_is_seen_below_the_objective_of_the_network():
    """The network is not optimal, so only a better one, or the dual point, shows the fault."""

    def forged(instance: Instance, limit: float | None) -> object:
        result = call(instance, limit)
        network = type(result.network)(
            result.network.hidden_weights * 1.001, result.network.output_weights
        )
        value = network.objective(instance.X, instance.y, instance.beta)
        return replace(result, network=network, objective=value, dual_bound=value * (1.0 - 1e-9))

    kinds = {kind for kind, _ in check(plain(tol=1e-8), None, forged).failures}
    assert {"bound", "better", "dual"} <= kinds


def test_a_wrong_objective_and_a_large_gap_are_seen():
    def forged(instance: Instance, limit: float | None) -> object:
        result = call(instance, limit)
        return replace(result, objective=result.objective * (1 - 1e-9), dual_bound=0.9999)

    kinds = {kind for kind, _ in check(plain(), None, forged).failures}
    assert {"objective", "gap"} <= kinds


@pytest.mark.parametrize(
    ("fault", "kind"), [(ZeroDivisionError("x"), "exception"), (RuntimeWarning("x"), "warning")]
)
def test_exceptions_and_warnings_are_seen(fault, kind):
    def faulty(instance: Instance, limit: float | None) -> object:
        if not isinstance(fault, Warning):
            raise fault
        import warnings

        warnings.warn(fault, stacklevel=2)
        return call(instance, limit)

    assert [found for found, _ in check(plain(), None, faulty).failures] == [kind]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
@with_long("loss", ["squared", "logistic"])
def test_the_exact_objective_is_that_of_the_network(kind, loss):
    instance = plain(kind, tol=1e-6)
    if loss == "logistic":
        if kind == "skip_free":
            pytest.skip("for the squared loss only")
        instance.loss, instance.y = loss, np.sign(instance.y)
    result = call(instance, None)
    problem = problem_of(instance)
    low, high = objective(problem, weights_of(instance, result.network, problem.rows))
    assert low <= high
    assert float(low) == pytest.approx(result.objective, rel=1e-12)
    assert float(high - low) <= 1e-45


def test_objective_by_hand():
    instance = plain()
    instance.X, instance.y = np.array([[1.0], [-2.0]]), np.array([1.0, 1.0])
    network = Weights(np.array([[0.1]]), np.array([0.5]))
    tenth, half = Fraction(0.1), Fraction(1, 2)
    expected = (tenth / 2 - 1) ** 2 / 2 + half + Fraction(0.3) * (tenth**2 + half**2) / 2
    assert objective(problem_of(instance), network) == (expected, expected)


def test_dyadic_numbers_do_not_round():
    numbers = np.array([1e300, -5e-324, 0.1, 0.0])
    assert Dyadic.of(numbers).fractions() == [Fraction(x) for x in numbers]
    product = Dyadic.of(numbers[None]) @ Dyadic.of(numbers[:, None])
    assert product.fractions() == [sum(Fraction(x) ** 2 for x in numbers)]
    low, high = root_between(Fraction(2, 10**700))
    assert low**2 <= Fraction(2, 10**700) <= high**2
    assert (high - low) / low < Fraction(1, 10**50)


@pytest.mark.parametrize("slope", [0.0, -1.0])
def test_no_sampled_direction_beats_those_of_the_oracle(slope):
    rng = np.random.default_rng(1)
    rows, v = rng.standard_normal((7, 3)), rng.standard_normal(7)
    best = np.abs(oracle.values(rows, v, slope, oracle.directions(rows, v, slope, rng))).max()
    sampled = rng.standard_normal((100_000, 3))
    sampled /= np.linalg.norm(sampled, axis=1)[:, None]
    most = np.abs(oracle.values(rows, v, slope, sampled)).max()
    assert most <= best * (1.0 + 1e-12)
    assert most >= best * 0.99


def test_an_instance_is_drawn_from_two_integers():
    first, second = draw(5, 17), draw(5, 17)
    assert first.short() == second.short()
    assert first.short() != draw(5, 18).short()


@pytest.mark.long
def test_the_script_counts_and_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(adversarial, "_warm_up", lambda: None)
    out = tmp_path / "out.json"
    for option in ("--out", "--against"):
        arguments = ["adversarial.py", "--first", "4", "--count", "2", option, str(out)]
        monkeypatch.setattr("sys.argv", arguments)
        assert adversarial.main() == 0
    assert json.loads(out.read_text("utf-8"))["all"]["run"] == 2
    printed = capsys.readouterr().out
    assert "not any more" in printed
    assert printed.count("OPTIMAL") >= 5


@pytest.mark.long
def test_bounds_of_a_relaxation_are_checked_like_others():
    # That of index 6 has seventy rows and takes longest: `adversarial.py --relaxed` has it.
    indices = [*range(6), *range(7, 10)]
    outcomes = [check(draw(16, index), 1.0, relaxed_call) for index in indices]
    assert [outcome.failures for outcome in outcomes] == [[]] * 9
    assert any(0.0 < outcome.gap < 0.5 for outcome in outcomes)


@pytest.mark.long
def test_counts_and_amounts_are_drawn_and_hold():
    found = [check(draw_counts(1, index), 2.0) for index in range(12)]
    assert not [outcome.failures for outcome in found if outcome.failures]
    losses = {draw_counts(1, index).loss for index in range(12)}
    assert {"poisson", "gamma"} <= losses
    # Those beside a free linear part are as they were.
    free = next(k for k in range(200) if draw(1, k).kind == "skip_free")
    assert draw_counts(1, free).loss == "squared"


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_deviances_in_rational_numbers(name):
    loss = as_loss(name)
    for f, y in ((0.3, 2.0), (-4.0, 1e-9), (2.0, 1e5), (1.0, 1.0)):
        low, high = deviances.row_loss(name, Fraction(f), Fraction(y))
        assert low <= high <= low + Fraction(1, 10**40)
        assert float(low) == pytest.approx(loss.value(np.array([f]), np.array([y])), rel=1e-12)
    low, high = deviances.row_loss("poisson", Fraction(-3), Fraction(0))
    assert low <= high and float(low) == pytest.approx(np.exp(-3.0))
    assert deviances.row_loss(name, Fraction(0), Fraction(1)) == (0, 0)
