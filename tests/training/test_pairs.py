"""Every pair of a model and a method trains or is refused in a sentence."""

from itertools import cycle

import numpy as np
import pytest
from runs import quietly

import cvxnn
from cvxnn.errors import InputError
from cvxnn.methods import METHODS
from cvxnn.models.base import known_models

# The variants of each model that its methods, losses or outputs depend on.
VARIANTS = {
    "relu": [
        {}, {"slope": 0.2}, {"skip": "penalised"}, {"skip": "free"}, {"features": 1},
        {"monotonic_cst": [1, 0]},
    ],
    "gated": [{"n_gates": 4}, {"n_gates": 4, "skip": "penalised"}],
    "conv": [{"filter_size": 2, "pooling": pooling} for pooling in ("sum", "average", "max")],
}  # fmt: skip
MODELS = [
    kind(**settings)
    for name, kind in known_models().items()
    for settings in VARIANTS.get(name, [{}])
]
PAIRS = [
    pytest.param(model, method, id=f"{model!r}-{method}") for model in MODELS for method in METHODS
]
LOSSES = ("squared", "logistic", "absolute", "poisson", "softmax")


def targets(loss, rng, n):
    match loss:
        case "logistic":
            return np.where(np.arange(n) % 2, 1.0, -1.0)
        case "poisson":
            return rng.integers(0, 4, n).astype(float)
        case "softmax":
            return np.eye(3)[np.arange(n) % 3]
    return rng.standard_normal(n)


def attempt(model, method, loss, *, intercept, n_outputs=1):
    """The solution of a tiny problem, or the sentence that refuses it."""
    rng = np.random.default_rng(0)
    n = 7
    X = rng.standard_normal((n, 2, 2) if isinstance(model, cvxnn.LinearConv) else (n, 2))
    y = targets(loss, rng, n)
    if n_outputs > 1 and y.ndim == 1:
        y = np.column_stack([y, y[::-1]])
    chosen = METHODS[method]().with_proof_time(0.0)
    options = {"model": model, "method": chosen, "loss": loss, "intercept": intercept}
    try:
        return quietly(cvxnn.solve, X, y, 0.5, max_iter=2, tol=1e-2, **options)
    except InputError as error:
        return str(error)


def assert_trains_or_refuses(outcome):
    if isinstance(outcome, str):
        assert outcome.endswith(".") and "\n" not in outcome and len(outcome) < 300, outcome
        return
    assert isinstance(outcome, cvxnn.Solution)
    assert outcome.dual_bound <= outcome.objective + outcome.objective_error
    assert np.isfinite(outcome.objective)


@pytest.mark.parametrize(("model", "method"), PAIRS)
def test_a_pair_trains_or_is_refused_in_a_sentence(model, method):
    """Also of several outputs and beside an intercept; what is said to be accepted trains."""
    accepted = model.capabilities.methods
    outcome = attempt(model, method, "squared", intercept=False)
    assert_trains_or_refuses(outcome)
    assert isinstance(outcome, str) == (method not in accepted)
    if method not in accepted:
        return
    outputs = attempt(model, method, "squared", intercept=False, n_outputs=2)
    assert_trains_or_refuses(outputs)
    assert isinstance(outputs, str) == (method not in model.capabilities.outputs)
    assert_trains_or_refuses(attempt(model, method, "squared", intercept=True))


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_all_that_is_beside_a_pair(model):
    """Every loss, with an intercept, several outputs, both or neither in turn."""
    beside = cycle(
        [(True, 1), (False, 2), (False, 1), (True, 2), (True, 1), (False, 2), (False, 1)]
    )
    for method in model.capabilities.methods:
        for loss, (intercept, n_outputs) in zip(LOSSES, beside, strict=False):
            outcome = attempt(model, method, loss, intercept=intercept, n_outputs=n_outputs)
            assert_trains_or_refuses(outcome)
