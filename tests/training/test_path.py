"""The path over beta: where it starts, and what it certifies."""

import numpy as np
import pytest
from contracts.cases import CASES, FEW, SLOW, first_of_their_kind
from problems import PROBLEMS, each_with_long, problem_named

import cvxnn
from cvxnn import largest_beta, regularization_path
from cvxnn.errors import InputError
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.relaxation.admm import Admm
from cvxnn.relaxation.memory import Memory

# Where the largest beta is only bounded.
BOUNDED = {"drawn gates", "maxima"}


@pytest.mark.parametrize(
    ("case", "loss"),
    [
        pytest.param(
            case,
            loss,
            id=f"{case.name}-{loss}",
            marks=pytest.mark.long if case.name in SLOW or loss != case.losses[0] else (),
        )
        for case in FEW
        for loss in first_of_their_kind(case.losses)
        # A linear part is right in some rows exactly, where a loss with kinks has many slopes.
        if not (as_loss(loss).is_kinked and getattr(case.model, "skip", None))
    ],
)
def test_paths_of_every_model(case, loss):
    X, y = case.data(loss)
    weights = np.linspace(0.5, 2.0, len(y))
    options = {"model": case.model, "loss": loss, "sample_weight": weights}
    start = largest_beta(X, y, **options)
    betas = [1.001 * start, 0.98 * start, 0.5 * start, 0.05 * start]
    path = regularization_path(X, y, betas, method=case.methods[0], **options)
    assert (path.gaps <= 1e-6).all()
    assert path.n_neurons[0] == 0
    # What the start is: no network has more v'f for its penalty, and one comes close.
    assert {type(network) for network in path.networks} == {case.model.kind}
    nothing, *networks = path.networks
    v = -WeightedLoss(as_loss(loss), weights).gradient(nothing.forward(X), y)
    for network in networks:
        assert abs(v @ network.forward(X)) <= start * network.penalty() * (1.0 + 1e-6) + 1e-9
    if case.name not in BOUNDED:
        assert networks[0].penalty() > 0.0
        assert abs(v @ networks[0].forward(X)) >= 0.99 * start * networks[0].penalty()
    last = cvxnn.solve(X, y, betas[-1], method=case.methods[0], **options)
    assert path.objectives[-1] == pytest.approx(last.objective, rel=2e-6)


def test_labels_are_looked_at_before_the_work():
    X, y = [[-1.0], [2.0]], [-1.0, 1.0]
    for train in (largest_beta, regularization_path):
        with pytest.raises(InputError, match="a linear function of X separates"):
            train(X, y, model=cvxnn.ReLU(skip="free"), loss="logistic")
        with pytest.raises(InputError, match=r"labels -1 and 1 .* got 0"):
            train([[1.0], [2.0]], [0.0, 1.0], loss="logistic")


def test_a_path_refuses_a_method_that_the_model_has_not():
    with pytest.raises(
        InputError, match=r"CircularConv.* is trained by .* not by method='sampled'"
    ):
        regularization_path(np.eye(4), np.ones(4), 2, model="circular_conv", method="sampled")


@each_with_long(PROBLEMS)
def test_path_starts_where_the_zero_network_is_optimal(problem):
    start = largest_beta(problem.X, problem.y)
    cells = CellOracle(problem.X, enumerate_patterns(problem.X))
    assert start == pytest.approx(cells.price(problem.y[:, None]).bound, rel=1e-5, abs=1e-12)
    if start > 0.0:
        above = cvxnn.solve(problem.X, problem.y, 1.001 * start)
        below = cvxnn.solve(problem.X, problem.y, 0.98 * start)
        assert above.n_neurons == 0 < below.n_neurons


def test_every_point_is_certified():
    problem = problem_named("d2_n50")
    path = regularization_path(problem.X, problem.y, 3)
    assert path.betas[0] == pytest.approx(largest_beta(problem.X, problem.y))
    assert path.betas[-1] == pytest.approx(1e-3 * path.betas[0])
    assert (path.gaps <= 1e-6).all()
    assert (np.diff(path.objectives) < 0.0).all()
    assert (path.dual_bounds <= path.objectives).all()
    for beta, solution in zip(path.betas, path.solutions, strict=True):
        alone = cvxnn.solve(problem.X, problem.y, float(beta))
        assert solution.objective == pytest.approx(alone.objective, rel=2e-6)
        assert solution.n_neurons == path.n_neurons[list(path.betas).index(beta)]


def test_optimum_is_concave_in_beta():
    """It is a minimum over networks of functions that are linear in beta."""
    problem = problem_named("d5_n10")
    path = regularization_path(problem.X, problem.y, [0.1, 0.2, 0.3, 0.4], tol=1e-8)
    slopes = np.diff(path.objectives[::-1]) / 0.1
    assert (np.diff(slopes) <= 1e-6).all()


@pytest.mark.long
def test_warm_starts_on_three_features():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((100, 3)), np.ones(100)])
    y = np.sin(2.0 * X[:, 0]) + 0.1 * rng.standard_normal(100)
    seen: list[float] = []
    path = regularization_path(X, y, 3, callback=lambda solution: seen.append(solution.beta))
    assert seen == path.betas.tolist()
    assert (path.gaps <= 1e-6).all()


@pytest.mark.parametrize("betas", [0, [], [1.0, -1.0], [[1.0]], [np.nan], "abc"], ids=str)
def test_bad_betas_are_named(betas):
    with pytest.raises(InputError, match="betas"):
        regularization_path([[1.0]], [1.0], betas)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(CASES))
def test_targets_of_zero_have_no_largest_beta(name):
    case = CASES[name]
    X, y = case.data()
    assert largest_beta(X, 0.0 * y, model=case.model) == 0.0 < largest_beta(X, y, model=case.model)
    path = regularization_path(X, 0.0 * y, 2, model=case.model, method=case.methods[0])
    assert path.n_neurons.tolist() == [0, 0]


@pytest.mark.parametrize("case", FEW, ids=lambda case: case.name)
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_samples_beside_an_intercept_have_no_largest_beta(case, value):
    """Every neuron is a constant, as the intercept is; not the rounding of a sum."""
    X, y = case.data()
    weights = np.ones(len(y))
    weights[-1] = 0.0
    equal = np.full_like(X, value)
    assert largest_beta(equal, y, model=case.model, intercept=True) == 0.0
    # A row of no weight may be another.
    equal[-1] = 1.0
    options = {"intercept": True, "sample_weight": weights}
    assert largest_beta(equal, y, model=case.model, **options) == 0.0
    path = regularization_path(equal, y, 1, model=case.model, method=case.methods[0], **options)
    assert path.n_neurons.tolist() == [0]


def test_an_activation_of_zero_has_no_largest_beta():
    X, y = np.zeros((5, 2)), np.arange(5.0)
    assert largest_beta(X, y, model=cvxnn.Polynomial(1.0, 1.0, 0.0)) == 0.0


@pytest.mark.parametrize("option", [{"method": "magic"}, {"tol": -1.0}, {"callback": 3}], ids=str)
def test_a_path_refuses_arguments_before_any_work(option, monkeypatch):
    monkeypatch.setattr("cvxnn.training.path.largest_beta", None)
    with pytest.raises(InputError, match=f"^{next(iter(option))} must be"):
        regularization_path([[1.0]], [1.0], 2, **option)


def test_a_path_names_itself_where_it_is_given_what_it_does_not_take():
    with pytest.raises(TypeError, match=r"^regularization_path\(\) got .* 'max_iters'"):
        regularization_path([[1.0]], [1.0], 2, max_iters=3)  # type: ignore[call-arg]


@pytest.mark.long
def test_relaxations_go_on_from_one_another(monkeypatch):
    """More rows than a search over signs takes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((520, 12))
    y = np.maximum(X[:, 0] + 0.5 * X[:, 1], 0.0) + 0.3 * rng.standard_normal(520)
    betas = largest_beta(X, y) * np.array([0.5, 0.45, 0.4])
    iterations = []
    step = Admm.step

    def counted(admm):
        iterations[-1] += 1
        step(admm)

    def path():
        iterations.append(0)
        return regularization_path(X, y, betas, tol=0.05, method=cvxnn.Global(proof_time=60.0))

    monkeypatch.setattr(Admm, "step", counted)
    found = path()
    monkeypatch.setattr(Memory, "start", lambda memory, scale: None)
    anew = path()
    assert 0 < iterations[0] <= 0.8 * iterations[1]
    assert (found.gaps <= 0.05).all() and (anew.gaps <= 0.05).all()
    for beta, bound in zip(betas, found.dual_bounds, strict=True):
        network = cvxnn.solve(X, y, beta, method=cvxnn.Sampled(50), random_state=1)
        assert bound <= network.objective


def test_a_time_limit_is_one_for_the_largest_beta_too():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 6)), rng.standard_normal(100)
    sharp, limited = largest_beta(X, y), largest_beta(X, y, time_limit=1e-6)
    assert sharp <= limited < np.inf
    betas = regularization_path(X, y, 1, time_limit=1e-6, method=cvxnn.Sampled(5)).betas
    assert betas[0] >= sharp * (1.0 - 1e-6)
    with pytest.raises(InputError, match="time_limit"):
        largest_beta(X, y, time_limit=0.0)
