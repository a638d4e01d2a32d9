"""Bounds for neurons in cones and with a 1-norm: against dense directions and conic programs."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from programs import Constrained
from sentences import refused
from variants import with_long

from cvxnn import ReLU, TwoLayerNetwork
from cvxnn.verification import BoundCertificate
from cvxnn.verification.costs import Costs, half_of_norms
from cvxnn.verification.data import fingerprint_of
from cvxnn.verification.deadline import FOREVER
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.groups import largest_of_parts

SETTINGS = {
    "rising": {"monotonic_cst": (1, 1, 1)},
    "mixed": {"monotonic_cst": (-1, 0, 1)},
    "convex": {"shape": "convex"},
    "concave, falling": {"shape": "concave", "monotonic_cst": (-1, 0, 0)},
    "a third": {"l1_ratio": 1.0 / 3.0},
    "all of it": {"l1_ratio": 1.0},
    "all": {"monotonic_cst": (1, 0, -1), "shape": "convex", "l1_ratio": 0.5},
}
each_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def directions(X):
    """Of unit length, some on the axes; in the plane also on the lines of rows."""
    d = X.shape[1]
    if d == 2:
        angles = np.linspace(0.0, 2.0 * np.pi, 40_001)
        lines = np.column_stack([-X[:, 1], X[:, 0]]) / np.linalg.norm(X, axis=1)[:, None]
        circle = np.column_stack([np.cos(angles), np.sin(angles)])
        return np.vstack([circle, lines, -lines, np.eye(2), -np.eye(2)])
    return dense(d)


@cache
def dense(d):
    points = np.random.default_rng(3).standard_normal((100_000, d))
    points[np.random.default_rng(4).random(points.shape) < 0.2] = 0.0
    points = points[points.any(axis=1)]
    return points / np.linalg.norm(points, axis=1)[:, None]


def sampled(X, v, costs):
    """The largest ``s v'(X u)_+ / N(u)`` of dense directions in the cone of each sign."""
    U, r = directions(X), costs.l1_ratio
    norms = (1.0 - r) * np.linalg.norm(U, axis=1) + r * np.abs(U).sum(axis=1)
    values, best = v @ np.maximum(X @ U.T, 0.0) / norms, 0.0
    for sign in costs.signs:
        inside = (sign * np.array(costs.monotone or (0,) * X.shape[1]) * U >= 0.0).all(axis=1)
        best = max(best, float((sign * values[inside]).max()))
    return best


@with_long("d", [2, 3])
@each_setting
def test_the_bound_is_next_to_the_largest_of_dense_directions(settings, d):
    rng = np.random.default_rng(d)
    costs = Costs.read(settings)
    costs = replace(costs, monotone=costs.monotone[:d])
    for n in (1, 4, 9) if d == 2 else (5,):
        X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
        largest = sampled(X, v, costs)
        level = largest * (1.0 + (1e-7 if d == 2 else 0.02))
        bound, _ = costs.largest(X, v, (tuple(range(d)),), level, FOREVER)
        assert largest <= bound <= max(level, 1e-12) * (1.0 + 1e-7)
        # What is said to hold matters for how close it is, and no more.
        for other in (0.3 * level, 3.0 * level, np.inf, 0.0, -1.0, np.nan):
            assert costs.largest(X, v, (tuple(range(d)),), other, FOREVER)[0] >= largest


@each_setting
def test_bounds_without_a_search_are_above_the_function_itself(settings):
    rng = np.random.default_rng(5)
    costs, groups = replace(Costs.read(settings)), ((0, 1, 2),)
    for n in (1, 9):
        X, v = rng.standard_normal((n, 3)), rng.standard_normal(n)
        largest = sampled(X, v, costs)
        for price in (0.0, 0.2 * largest):
            for part in costs._parts(X, v, groups, price):
                U = directions(X)
                U = U[(part.cone * U >= 0.0).all(axis=1)]
                values = part.v @ np.maximum(X @ U.T, 0.0) - price * np.abs(U).sum(axis=1)
                found = part._bound_at_once()
                assert max(values.max(), 0.0) <= found
                assert found <= np.abs(v) @ np.linalg.norm(X, axis=1) * (1.0 + 1e-9)


def test_one_side_of_a_function_in_the_plane():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 20):
        rows, weights = rng.standard_normal((n, 2)), rng.standard_normal(n) - 0.5
        U = directions(rows)
        part = Pieces(rows, weights, np.zeros(n), is_one_sided=True)
        largest = max(float((np.maximum(U @ rows.T, 0.0) @ weights).max()), 0.0)
        bound, _ = largest_of_parts([part], largest, FOREVER)
        assert largest * (1.0 - 1e-12) <= bound <= largest * (1.0 + 1e-6) + 1e-9


@pytest.mark.long
def test_prices_of_any_size_of_data_lose_few_digits():
    rng = np.random.default_rng(1)
    X, v = np.column_stack([rng.standard_normal(400), np.ones(400)]), rng.standard_normal(400)
    costs = Costs((1, 0))
    bound, how = costs.largest(X, v, ((0, 1),), np.inf, FOREVER)
    assert how == "rows of each group sorted by angle"
    largest = sampled(X, v, costs)
    assert largest <= bound <= largest * (1.0 + 1e-6)
    for unit in (1e-9, 1e9):
        scaled, _ = costs.largest(unit * X, v, ((0, 1),), np.inf, FOREVER)
        assert scaled == pytest.approx(unit * bound, rel=1e-9)


def test_penalties_are_between_their_bounds():
    rng = np.random.default_rng(2)
    hidden, output = rng.standard_normal((20, 30)), rng.standard_normal(20)
    for ratio in (0.3, 1.0):
        network = TwoLayerNetwork(hidden, output, l1_ratio=ratio)
        low, high = half_of_norms(hidden, output, ratio)
        assert low < network.penalty() < high < low * (1.0 + 1e-12)


# ------------------------------------------------------------------ certificates


def stated(model, X, y, beta):
    """The certificate of what Clarabel finds on all cells, and the optimum."""
    cp = pytest.importorskip("cvxpy")
    formula = Constrained.of(X, model)
    optimum, prediction = formula.solved(cp, "squared", y, beta)
    v = y - prediction
    settings = {k: v for k, v in model.get_params().items()}
    draft = BoundCertificate(
        "relu", settings, {}, {"name": "squared"}, beta, False, v, beta * (1.0 + 1e-6), 0.0,
        optimum * (1.0 + 1e-6), "test", None, fingerprint_of(X, y, None),
    )  # fmt: skip
    return draft, optimum


def problem(seed=0, n=7):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    return X, 2.0 * np.abs(X[:, 0]) - X[:, 1] + 0.3 * rng.standard_normal(n)


@with_long("features", [None, 1])
@each_setting
def test_the_dual_point_of_a_conic_program_proves_its_optimum(settings, features):
    X, y = problem()
    model = ReLU(**settings, features=features)
    draft, optimum = stated(model, X, y, 0.2)
    bound = draft.verify(X, y, fingerprint=False).bound
    assert optimum * (1.0 - 1e-5) <= bound <= optimum * (1.0 + 1e-8)
    certificate = replace(draft, dual_bound=bound).sealed()
    report = certificate.verify(X, y)
    assert report.accepted, report.reason
    # It comes back from its file.
    again = BoundCertificate.from_bytes(certificate.to_bytes())
    assert again.verify(X, y).accepted and again.recorded(X, y) is again


@with_long(
    "changed",
    [
        {"monotonic_cst": None},
        {"monotonic_cst": (0, -1)},
        {"shape": None},
        {"shape": "concave"},
        {"l1_ratio": 0.0},
        {"l1_ratio": 0.4},
        {"features": None},
    ],
    ids=str,
    always=3,
)
def test_a_certificate_of_larger_classes_proves_less(changed):
    X, y = problem(3)
    model = ReLU(monotonic_cst=[1, -1], shape="convex", l1_ratio=0.5, features=1)
    draft, _ = stated(model, X, y, 0.1)
    certificate = replace(draft, dual_bound=draft.verify(X, y, fingerprint=False).bound)
    assert certificate.sealed().verify(X, y).accepted
    other = replace(certificate, settings={**certificate.settings, **changed})
    assert not other.verify(X, y).accepted
    report = other.sealed().verify(X, y)
    assert not report.accepted and "proves" in report.reason


@pytest.mark.parametrize(
    ("settings", "hidden", "output", "says"),
    [
        ({"monotonic_cst": (1, 0)}, [[1.0, 1.0, 0.0]], [1.0], ""),
        ({"monotonic_cst": (1, 0)}, [[-1.0, 1.0, 0.0]], [-1.0], ""),
        ({"monotonic_cst": (1, 0)}, [[-1e-300, 1.0, 0.0]], [1.0], "does not rise with column 0"),
        ({"monotonic_cst": (0, -1)}, [[1.0, 1.0, 0.0]], [1.0], "does not fall with column 1"),
        ({"shape": "convex"}, [[1.0, 1.0, 0.0]], [-1.0], "the other one"),
        ({"shape": "concave"}, [[1.0, 1.0, 0.0]], [-1.0], ""),
        ({"l1_ratio": 0.5}, [[1.0, 1.0, 0.0]], [1.0], "an l1 ratio of 0, and"),
        ({"shape": "convex", "features": 1}, [[1.0, 1.0, 0.0]], [1.0], "sees the columns 0, 1"),
        # What does nothing may look anywhere.
        ({"monotonic_cst": (1, 0)}, [[-1.0, 1.0, 0.0]], [0.0], ""),
    ],
    ids=str,
)
def test_networks_of_other_classes_are_named(settings, hidden, output, says):
    X, y = problem()
    draft = BoundCertificate(
        "relu", ReLU(**settings).get_params(), {}, {"name": "squared"}, 0.1, False, y, 1.0, 0.0,
        1e9, "test", None, "",
    )  # fmt: skip
    network = TwoLayerNetwork(hidden, output)
    report = draft.sealed().verify(X, y, network=network, fingerprint=False)
    assert (says in report.reason) if says else report.accepted


def test_the_objective_of_a_network_has_its_norm():
    X, y = problem()
    network = TwoLayerNetwork([[1.0, -2.0, 0.0]], [1.0], l1_ratio=0.5)
    draft = BoundCertificate(
        "relu", ReLU(l1_ratio=0.5).get_params(), {}, {"name": "squared"}, 0.1, False, y, 1.0, 0.0,
        network.objective(X, y, 0.1), "test", None, "",
    )  # fmt: skip
    report = draft.sealed().verify(X, y, network=network, fingerprint=False)
    assert report.accepted and report.objective == pytest.approx(draft.objective, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"monotonic_cst": (1,)}, "1 monotone columns, and X has 3"),
        ({"monotonic_cst": (1, 0, 2)}, "monotone columns that are none"),
        ({"monotonic_cst": (1, 0, True)}, "monotone columns that are none"),
        ({"monotonic_cst": "101"}, "monotone columns that are none"),
        ({"shape": "round"}, "a shape that is none"),
        ({"shape": ["convex"]}, "a shape that is none"),
        ({"l1_ratio": -0.1}, "l1 ratio"),
        ({"l1_ratio": float("nan")}, "l1 ratio"),
        ({"l1_ratio": "0.5"}, "l1 ratio"),
        ({"l1_ratio": 0.5, "slope": 0.1}, "beside a slope or a skip"),
        ({"shape": "convex", "skip": "free"}, "beside a slope or a skip"),
    ],
    ids=str,
)
def test_settings_that_are_none_are_refused(settings, says):
    X, y = problem()
    settings = {**ReLU().get_params(), **settings}
    draft = BoundCertificate(
        "relu", settings, {}, {"name": "squared"}, 0.1, False, y, 1.0, 0.0, 1e9, "test", None, ""
    )
    refused(lambda: draft.sealed().verify(X, y, fingerprint=False), says)
