"""The time of a training, and its messages in the words of the options."""

import ast
import contextlib
import signal
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skops", reason="needs cvxnn[cli]")

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

import cvxnn
from cvxnn.cli import app
from cvxnn.cli.fitting import SPOKEN, fitted, spoken
from cvxnn.estimators import ConvexReLURegressor, ConvexReLURegressorCV
from cvxnn.estimators.remarks import remark_on_scores
from cvxnn.estimators.time_limits import AUTOMATIC
from cvxnn.results import Status

X = np.linspace(-1.0, 1.0, 12)[:, None]


def fit(estimator):
    pipeline = Pipeline([("columns", StandardScaler()), ("network", estimator)])
    return pipeline, fitted(pipeline, X, np.abs(X[:, 0]))


@pytest.fixture
def pressed(monkeypatch):
    """An interrupt after the first round of a training."""

    @contextlib.contextmanager
    def pressing(*_, **__):
        yield lambda _: signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("cvxnn.estimators.base.live_progress", pressing)


def test_a_training_that_ends_by_itself():
    pipeline, ending = fit(ConvexReLURegressor(1e-3))
    assert (ending.status, ending.message, ending.warnings) == (
        "OPTIMAL", Status.OPTIMAL.value, (),
    )  # fmt: skip
    assert pipeline.predict(X) == pytest.approx(np.abs(X[:, 0]), abs=0.05)


def test_the_time_of_the_help_is_that_of_the_estimators():
    page = CliRunner().invoke(app, ["fit", "--help"], env={"COLUMNS": "200"}).output
    assert f"after {AUTOMATIC:g} at most" in page


def test_time_that_is_over_says_what_to_raise():
    for estimator in (ConvexReLURegressor, ConvexReLURegressorCV):
        _, ending = fit(estimator(time_limit=1e-9))
        assert ending.status == "TIME_LIMIT" and "A longer --time-limit" in ending.message
        assert "time_limit" not in " ".join((ending.message, *ending.warnings))


def test_an_interrupted_training_has_a_network(pressed):
    pipeline, ending = fit(ConvexReLURegressor(1e-3))
    assert ending.status == "INTERRUPTED" and np.isfinite(pipeline.predict(X)).all()


def test_no_message_speaks_of_parameters():
    _, ending = fit(ConvexReLURegressor(1e3))
    (empty,) = ending.warnings
    assert empty.startswith("The model is a constant: beta = 1000 is at or above the largest")
    assert empty.endswith("Take a smaller --beta, or --beta cv, which chooses one.")
    betas = np.array([4.0, 2.0, 1.0])
    for means in ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            remark_on_scores(betas, np.array(means), int(np.argmax(means)), from_largest=False)
        (text,) = [str(warning.message) for warning in caught]
        assert (
            " --beta" in spoken(text) and "betas" not in spoken(text) and "cv" not in spoken(text)
        )


PARTS = (".", "estimators", "models", "results", "training")


@cache
def texts():
    """Every text in the source of what trains a model; the values of an f-string as {}."""
    library, found = Path(cvxnn.__file__).parent, []
    paths = [path for part in PARTS for path in (library / part).glob("*.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "{}"
                         for part in node.values]  # fmt: skip
                found.append("".join(map(str, parts)))
    return found


@pytest.mark.parametrize("words", SPOKEN)
def test_each_message_that_is_put_in_other_words_is_one_of_the_library(words):
    assert any(words in text for text in texts())
