"""The time of a training, and its messages in the words of the options."""

import contextlib
import signal
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("skops", reason="needs cvxnn[cli]")

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from cvxnn.cli import fitting
from cvxnn.cli.fitting import fit_in_time, spoken
from cvxnn.cli.options import FIT_LIMIT
from cvxnn.errors import InputError
from cvxnn.estimators import ConvexReLURegressor, ConvexReLURegressorCV
from cvxnn.estimators.remarks import remark_on_scores
from cvxnn.results import Status

X = np.linspace(-1.0, 1.0, 12)[:, None]


def fit(estimator, **options):
    pipeline = Pipeline([("columns", StandardScaler()), ("network", estimator)])
    return pipeline, fit_in_time(pipeline, X, np.abs(X[:, 0]), **options)


@pytest.fixture
def time_is_over(monkeypatch):
    """The clock as if the default time were over at the start; the interrupt comes by a signal."""

    @contextlib.contextmanager
    def over(seconds):
        assert seconds == FIT_LIMIT
        is_over = threading.Event()
        is_over.set()
        yield is_over

    monkeypatch.setattr(fitting, "interrupted_after", over)


@pytest.fixture
def pressed(monkeypatch):
    """An interrupt after the first round of a training."""

    @contextlib.contextmanager
    def pressing(*_, **__):
        yield lambda _: signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("cvxnn.estimators.base.live_progress", pressing)


def test_a_training_that_ends_by_itself():
    pipeline, ending = fit(ConvexReLURegressor(1e-3), limited=False)
    assert (ending.status, ending.message, ending.warnings) == (
        "OPTIMAL", Status.OPTIMAL.value, (),
    )  # fmt: skip
    assert pipeline.predict(X) == pytest.approx(np.abs(X[:, 0]), abs=0.05)


def test_the_default_time_says_what_to_raise(time_is_over, pressed):
    pipeline, ending = fit(ConvexReLURegressor(1e-3), limited=False)
    assert ending.status == "TIME_LIMIT" and ending.warnings == ()
    assert ending.message == (
        "The time of 60 s was over; the best network so far is taken. More --time-limit gives it "
        "more."
    )
    assert np.isfinite(pipeline.predict(X)).all()
    # Time that was given is up to the estimator: this was Ctrl-C.
    assert fit(ConvexReLURegressor(1e-3), limited=True)[1].status == "INTERRUPTED"


def test_no_network_in_time_is_a_sentence(time_is_over, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ConvexReLURegressor, "fit", stop)
    with pytest.raises(InputError, match=r"60 s were over before .* raise --time-limit"):
        fit(ConvexReLURegressor(1e-3), limited=False)


def test_time_that_was_given_says_what_to_raise():
    _, ending = fit(ConvexReLURegressorCV(time_limit=1e-9), limited=True)
    assert ending.status == "TIME_LIMIT" and ending.message.startswith("The --time-limit was")
    assert "time_limit" not in " ".join((ending.message, *ending.warnings))


def test_no_message_speaks_of_parameters():
    _, ending = fit(ConvexReLURegressor(1e3), limited=False)
    (empty,) = ending.warnings
    assert empty.startswith("The model is a constant: beta = 1000 is at or above the largest")
    assert empty.endswith("Take a smaller --beta, or --beta cv, which chooses one.")
    betas = np.array([4.0, 2.0, 1.0])
    for means in ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            remark_on_scores(betas, np.array(means), int(np.argmax(means)))
        (text,) = [str(warning.message) for warning in caught]
        assert (
            " --beta" in spoken(text) and "betas" not in spoken(text) and "cv" not in spoken(text)
        )
