"""Contracts of arguments: one sentence that names what was given and says what is possible."""

import re
from functools import partial

import numpy as np
import pytest
from contracts.cases import CASES, FEW, each_case, each_of_few, solved
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn import (
    CircularConv,
    Conv,
    Exact,
    Gated,
    Global,
    InputError,
    LinearConv,
    ReLU,
    Sampled,
    Status,
    TooManyPatternsError,
    enumerate_patterns,
)
from cvxnn.methods import METHODS


def assert_refused(call, says):
    refused(lambda: call(), says)


# ------------------------------------------------------------------ every model


DATA = [
    ({"X": 1.0}, "(X|images|patches) must be (of shape|2-D|3-D)"),
    ({"X": "nothing"}, "(X|images|patches) must be"),
    ({"y": [1.0]}, r"y has 1 entry but X has \d rows"),
    ({"y": ["a", "b"]}, "y must be numeric"),
    ({"beta": 0.0}, "beta must be a finite number above 0"),
    ({"beta": -1.0}, "beta must be a finite number above 0"),
    ({"beta": "much"}, "beta must be a finite number above 0"),
    ({"beta": 1e200}, r"beta = 1e\+200 is out of all proportion to X and y"),
    ({"beta": 1e-300}, "beta = 1e-300 is out of all proportion to X and y"),
    ({"loss": "cubic"}, "loss must be one of 'squared', 'huber', .*got 'cubic'"),
    ({"sample_weight": [1.0]}, "sample_weight must have shape"),
    ({"tol": 0.0}, "tol must be a finite number above 0"),
    ({"tol": 2.0}, "tol must be below 1"),
    ({"max_iter": 0}, "max_iter must be an integer of at least 1, got 0"),
    ({"time_limit": -1.0}, "time_limit must be None or"),
    ({"callback": 3}, "callback must be callable"),
    ({"random_state": -1}, "random_state must be"),
    ({"random_state": "zero"}, "random_state must be"),
    ({"model": "lenet"}, "model must be one of 'relu', 'gated', 'conv', .*got 'lenet'"),
    ({"model": ReLU}, "model must be one of"),
    (
        {"method": "magic"},
        f"method must be one of {', '.join(map(repr, METHODS))}, got 'magic'",
    ),
    ({"method": Global}, "method must be one of"),
]


@pytest.mark.parametrize(("changed", "says"), DATA, ids=str)
@each_of_few
def test_what_every_model_refuses(case, changed, says):
    X, y = case.data()
    options = {"X": X, "y": y, "beta": case.beta, "model": case.model, "method": case.methods[0]}
    assert_refused(lambda: cvxnn.solve(**(options | changed)), says)


@each_of_few
@pytest.mark.parametrize("number", [np.nan, np.inf, 1e200])
def test_numbers_beyond_float64_are_refused(case, number):
    X, y = case.data()
    name = {Conv: "images", LinearConv: "patches"}.get(type(case.model), "X")
    finite = "finite|no entry beyond"
    for data, where in (({"X": X}, name), ({"y": y}, "y")):
        (key,) = data
        bad = data[key].copy()
        bad.flat[1] = number
        assert_refused(lambda key=key, bad=bad: case.solve(**{key: bad}), f"{where} must.*{finite}")


@each_of_few
def test_labels_are_asked_for_by_the_losses_of_labels(case):
    X, _ = case.data()
    y = np.linspace(0.0, 1.0, len(X))
    for loss in ("logistic", "squared_hinge"):
        assert_refused(lambda loss=loss: case.solve(loss, X, y), "labels -1 and 1 only")


# ------------------------------------------------------------------ settings of each model

IMAGES = np.ones((3, 4, 4))
SETTINGS = [
    (lambda: ReLU(np.nan), "slope must be a finite number"),
    (lambda: ReLU("leaky"), "slope must be a finite number"),
    (lambda: ReLU(skip="some"), "skip must be one of 'penalised', 'free', got 'some'"),
    (lambda: ReLU(features=0), "features must be an integer of at least 1, got 0"),
    (lambda: ReLU(features="one"), "features must be None, an integer, or a list of lists"),
    (lambda: ReLU(features=[0, 1]), "features must be None, an integer, or a list of lists"),
    (lambda: ReLU(features=[]), "features must be None, an integer, or a list of lists"),
    (lambda: ReLU(features=[[0], []]), "features must have a column in each of its groups"),
    (lambda: ReLU(features=[[-1]]), "A column of features must be an integer of at least 0"),
    (lambda: ReLU(0.1, features=1), "features must be left out for neurons of another slope"),
    (lambda: ReLU(skip="free", features=1), "features must be left out for .* a skip connection"),
    (lambda: ReLU(0.1, l1_ratio=0.5), "l1_ratio must be left out for neurons of another slope"),
    (lambda: ReLU(l1_ratio=1.5), "l1_ratio must be between 0 and 1, got 1.5"),
    (lambda: ReLU(shape="round"), "shape must be one of 'convex', 'concave', got 'round'"),
    (lambda: ReLU(monotonic_cst=[2]), "monotonic_cst must be None or 1-D with -1, 0 or 1"),
    (lambda: Gated([[np.nan, 1.0]]), "gates must be finite"),
    (lambda: Gated([1.0]), "gates must be 2-D"),
    (lambda: Gated(n_gates=0), "n_gates must be an integer of at least 1"),
    (lambda: Gated(skip="free"), "skip must be None or 'penalised', got 'free'"),
    (lambda: Conv(0), "filter_size must be an integer of at least 1"),
    (lambda: Conv((1, 2, 3)), "one or two of them in a tuple, got 3"),
    (lambda: Conv(stride=0), "stride must be an integer"),
    (lambda: Conv(padding=0.5), "padding must be an integer"),
    (lambda: Conv(pooling="median"), "pooling must be one of 'sum', 'average', 'max'"),
    (lambda: Conv(slope=np.nan), "slope must be a finite number"),
    (lambda: Conv(bias=1), "bias must be True or False"),
    (lambda: Conv(pooling="max", slope=0.1), 'slope must be 0 for pooling="max", got 0.1'),
    (lambda: Global(certify=1), "certify must be True or False"),
    (lambda: Sampled(0), "n_samples must be an integer"),
    (lambda: Sampled(scheme="grid"), "scheme must be one of"),
    (lambda: Sampled(patterns=[[True, False]]), "patterns must be a PatternSet or None, got list"),
    (lambda: Exact(patterns=3), "patterns must be a PatternSet or None, got int"),
]


@pytest.mark.parametrize(("make", "says"), SETTINGS)
def test_settings_are_checked_when_they_are_set(make, says):
    assert_refused(make, says)


def test_empty_patterns_are_refused():
    none = enumerate_patterns(np.eye(2)).select(np.array([], dtype=int))
    assert_refused(lambda: Exact(none), "patterns is empty")


@pytest.mark.parametrize(
    ("model", "X", "says"),
    [
        (ReLU(), np.ones(3), "X must be 2-D"),
        (ReLU(), np.zeros((0, 2)), "X must"),
        (ReLU(0.1, "free"), np.ones((2, 2, 2)), "X must be 2-D"),
        (ReLU(features=[[0, 2]]), np.eye(2), "features must be columns of X, 0 to 1, got 2"),
        (ReLU(features=3), np.ones((2, 100)), "features=3 of 99 columns is 156849 groups"),
        (
            Gated([[1.0]]),
            np.ones((3, 2)),
            "gates must have the 2 features of X, its column of ones included, got 1",
        ),
        (Conv(2), np.ones(3), "images must be of shape"),
        (Conv(5), IMAGES, "filter_size must be at most 4 x 4"),
        (LinearConv(), np.ones((3, 2)), r"patches must be 3-D, of shape \(n, K, h\)"),
        (LinearConv(), np.ones((3, 0, 2)), "none of them 0"),
        (CircularConv(), np.ones(3), "X must be 2-D"),
    ],
    ids=repr,
)
def test_shapes_of_the_data_are_checked(model, X, says):
    assert_refused(lambda: cvxnn.solve(X, np.ones(len(X)), 1.0, model=model), says)


# ------------------------------------------------------------------ what does not go together


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pairs_of_model_and_method_that_do_not_exist_are_refused(case, method):
    accepted = case.model.capabilities.methods
    if method in accepted:
        return
    with pytest.raises(InputError) as error:
        case.solve(method=method)
    names = " or ".join(f"method={name!r}" for name in accepted)
    expected = f"{case.model.label} is trained by {names}, not by method={method!r}."
    assert str(error.value) == expected


def test_labels_that_a_line_separates_have_no_best_free_skip_connection():
    X, model = np.array([[-2.0], [-1.0], [0.0], [1.0]]), ReLU(skip="free")
    says = "y has labels that a linear function of X separates"
    for labels in ([-1.0, -1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0]):
        for intercept in (False, True):
            options = {"loss": "logistic", "model": model, "intercept": intercept}
            assert_refused(lambda y=labels, chosen=options: cvxnn.solve(X, y, 1.0, **chosen), says)


@each_of_few
def test_a_warm_start_is_a_network_of_the_model(case):
    # Neurons that see few columns are neurons of ReLU.
    others = [other for other in FEW if other is not case and other.name != "groups"]
    networks = [solved(other.name, "squared", other.methods[0]).network for other in others]
    for network in [*networks, "network"]:
        says = f"warm_start|{case.model.kind.__name__}"
        assert_refused(lambda network=network: case.solve(warm_start=network), says)
    if not case.model.capabilities.warm_start:
        own = solved(case.name, "squared", case.methods[0]).network
        assert_refused(lambda: case.solve(warm_start=own), "takes no warm_start")


@with_long(
    ("model", "other"),
    [
        (ReLU(), ReLU(0.2)), (ReLU(0.2), ReLU(-1.0)), (ReLU(), ReLU(skip="penalised")),
        (Conv((2, 3)), Conv((3, 2))), (Conv(2), Conv(2, stride=2)), (Conv(2), Conv(2, padding=1)),
        (Conv(2), Conv(2, pooling="average")), (Conv(2), Conv(2, slope=0.1)),
    ],
    ids=repr, always=4,
)  # fmt: skip
def test_a_warm_start_of_other_settings_is_refused(model, other):
    shape = (4, 4, 4) if isinstance(model, Conv) else (4, 2)
    X, y = np.random.default_rng(0).standard_normal(shape), np.ones(4)
    start = cvxnn.solve(X, y, 0.1, model=other, tol=1e-2).network
    says = "warm_start must be a network of .*, got"
    assert_refused(lambda: cvxnn.solve(X, y, 0.1, model=model, warm_start=start), says)


@pytest.mark.parametrize("size", [1e160, 1e300])
def test_a_warm_start_beyond_floats_is_refused(size):
    X = np.eye(3)
    start = cvxnn.TwoLayerNetwork(np.full((2, 3), size), np.full(2, size))
    says = "The penalty of warm_start is beyond float64"
    assert_refused(lambda: cvxnn.solve(X, np.ones(3), 0.1, warm_start=start), says)
    # What is large, but in the range of numbers, is a start like any other.
    large = cvxnn.TwoLayerNetwork(np.full((2, 3), 1e140), np.full(2, 1e140))
    assert cvxnn.solve(X, np.ones(3), 0.1, warm_start=large).status is cvxnn.Status.OPTIMAL


def test_a_warm_start_has_the_features_of_the_data():
    start = cvxnn.TwoLayerNetwork([[1.0]], [1.0])
    says = "warm_start must have the 3 features of X, got 1"
    assert_refused(lambda: CASES["ReLU"].solve(warm_start=start), says)


def test_patterns_of_other_data_are_refused():
    X, y = cvxnn.load_ring()
    for other in (X + 5.0, X[:, :2], np.eye(3)):
        for method in (
            Exact(enumerate_patterns(other)),
            Sampled(patterns=enumerate_patterns(other)),
        ):
            assert_refused(lambda m=method: cvxnn.solve(X, y, 0.1, method=m), "patterns")


# ------------------------------------------------------------------ too much to list


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize(
    ("model", "X", "says"),
    [
        (ReLU(), draw(10_000, 8), "method='sampled'"),
        (ReLU(), draw(1100, 1100), r"10\^331 patterns"),
        (ReLU(0.1), draw(10_000, 8), "method='sampled'"),
        (Conv(4), draw(12, 5, 5), "method='sampled'"),
        (Conv(4, pooling="max"), draw(12, 8, 8), "more than 30000 patterns on these images"),
        (Conv(4, pooling="max"), np.zeros((100, 60, 60)), "too many to list their cells"),
    ],
    ids=["ReLU", "beyond every float", "leaky", "filters", "maxima", "many images"],
)
def test_too_many_patterns_are_said_before_any_work(model, X, says):
    with pytest.raises(TooManyPatternsError, match=says) as error:
        cvxnn.solve(X, np.ones(len(X)), 1.0, model=model, method="exact")
    assert "\n" not in str(error.value)


def test_a_walk_that_finds_too_many_patterns_ends(monkeypatch):
    case = CASES["maxima"]
    assert case.solve(method="exact").n_patterns > 10
    monkeypatch.setattr("cvxnn.patterns.max_pooling_walk._MOST_CELLS", 10)
    monkeypatch.setattr("cvxnn.patterns.max_pooling_walk._N_PROBES", 2)
    with pytest.raises(TooManyPatternsError, match="use method='global' or method='sampled'"):
        case.solve(method="exact")


def test_given_patterns_are_used():
    X, _ = CASES["ReLU"].data()
    complete = enumerate_patterns(X)
    solution = CASES["ReLU"].solve(method=Exact(complete))
    assert solution.status is Status.OPTIMAL
    restricted = CASES["ReLU"].solve(method=Sampled(patterns=complete.select(np.arange(5))))
    assert restricted.n_patterns == 5 and restricted.objective > solution.objective * (1.0 + 1e-3)


def test_given_patterns_that_are_no_patterns_of_the_model():
    X, y = CASES["ReLU"].data()
    for options in ({"model": ReLU(0.1)}, {"sample_weight": np.arange(len(y))}):
        call = partial(cvxnn.solve, X, y, 0.1, method=Exact(enumerate_patterns(X)), **options)
        assert_refused(call, "patterns must be those of the rows that neurons read")
    images, y = CASES["maxima"].data()
    patterns = enumerate_patterns(cvxnn.image_patches(images, 2).reshape(len(y), -1))
    assert_refused(
        lambda: CASES["maxima"].solve(method=Exact(patterns)), "max pooling, which lists"
    )
    estimator = cvxnn.ConvexReLURegressor(method=Exact(enumerate_patterns(X)))
    assert_refused(lambda: estimator.fit(X, X[:, 0]), "method must list its own patterns here")


# ---------------------------------------------------------- what is there for a model


@each_case
def test_the_capabilities_are_those_of_the_functions(case):
    X, y = case.data()
    network, model = solved(case.name, "squared", case.methods[0]).network, case.model
    landscape = [
        partial(cvxnn.OptimalSet, X, y, case.beta, model=model),
        partial(cvxnn.descent_path, network, network, X, y, case.beta, model=model, widen=True),
        lambda: cvxnn.ConvexProgram(X, y, case.beta, enumerate_patterns(np.eye(2)), model=model),
    ]
    for call in landscape:
        if model.capabilities.landscape:
            call()
        else:
            assert_refused(call, re.escape(f"is for ReLU(), not for {model.label}"))
    call = partial(cvxnn.certify, network, X, y, case.beta)
    if model.capabilities.certify:
        assert call().verdict is cvxnn.Verdict.OPTIMAL
    elif getattr(network, "is_plain", False):
        # Held against all networks of ReLU, which it is one of.
        solution = solved(case.name, "squared", case.methods[0])
        assert call().dual_bound <= solution.dual_bound * (1.0 + 1e-9)
    else:
        assert_refused(call, "network must be a")
