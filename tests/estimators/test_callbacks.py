"""Callbacks of scikit-learn, where it has them."""

import numpy as np
import pytest

import cvxnn
from cvxnn.results import Status

pytest.importorskip("sklearn.callback")


class Recorder:
    """Writes down what it is called with; wants to stop after so many rounds."""

    def __init__(self, rounds=np.inf):
        self.rounds, self.calls = rounds, []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.calls.append(f"end {context.task_name}")
        return context.task_name == "round" and self.calls.count("end round") >= self.rounds

    def teardown(self, estimator, context):
        self.calls.append("teardown")


@pytest.mark.parametrize(
    "model",
    [cvxnn.ConvexReLURegressor(0.1), cvxnn.ConvexReLURegressorCV([0.2, 0.1], cv=2)],
    ids=str,
)
def test_every_round_is_a_task(model):
    X, y = cvxnn.load_ring()
    recorder = Recorder()
    model.set_callbacks(recorder).fit(X, y)
    assert recorder.calls[:2] == ["setup", "begin fit"]
    assert recorder.calls[-2:] == ["end fit", "teardown"]
    assert recorder.calls.count("end round") == model.n_iter_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_callback_may_stop_the_fit():
    X, y = cvxnn.load_ring()
    recorder = Recorder(rounds=1)
    model = cvxnn.ConvexReLURegressor(1e-3).set_callbacks(recorder).fit(X, y)
    assert recorder.calls.count("end round") == 1 and recorder.calls[-1] == "teardown"
    assert model.status_ is Status.INTERRUPTED and model.dual_bound_ <= model.objective_


def test_the_progress_bar_of_scikit_learn():
    from sklearn.callback import ProgressBar

    X, y = cvxnn.load_ring()
    model = cvxnn.ConvexReLURegressor(0.1).set_callbacks(ProgressBar()).fit(X, y)
    assert model.status_ is Status.OPTIMAL
