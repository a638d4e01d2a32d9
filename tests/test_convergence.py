"""Whoever asked for a run hears that it fell short, at their own line; nobody else is deafened."""

import inspect
import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from variants import with_long

import cvxnn
from cvxnn.training.run import Run

X, Y = cvxnn.load_ring()
LABELS = Y > 0
IMAGES = np.random.default_rng(0).standard_normal((12, 4, 4))
VALUES = IMAGES[:, 0, 0] * IMAGES[:, 1, 1]
BRIEF = {"max_iter": 1, "tol": 1e-12}
# With a short search for a bound at the end; estimators have it among their own settings.
SHORT = {"method": cvxnn.Global(proof_time=0.1)} | BRIEF
FIT = {"proof_time": 0.1} | BRIEF
FILTERS = {"model": cvxnn.Conv(2), "method": cvxnn.Sampled(20)} | BRIEF


def regressor():
    return cvxnn.ConvexReLURegressor(beta=1e-4, **FIT)


# Each on one line, which is the one to be named.
CALLS = {
    "solve": lambda: cvxnn.solve(X, Y, 1e-4, **SHORT),
    "filters": lambda: cvxnn.solve(IMAGES, VALUES, 1e-3, **FILTERS),
    "path": lambda: cvxnn.regularization_path(X, Y, [1e-4], **SHORT),
    "regressor": lambda: regressor().fit(X, Y),
    "classifier": lambda: cvxnn.ConvexReLUClassifier(1e-4, **FIT).fit(X, LABELS),
    "regressor CV": lambda: cvxnn.ConvexReLURegressorCV([1e-4], cv=2, **FIT).fit(X, Y),
    "classifier CV": lambda: cvxnn.ConvexReLUClassifierCV([1e-4], cv=2, **FIT).fit(X, LABELS),
    "regressor of images": lambda: cvxnn.ConvexReLURegressor(1e-3, **FILTERS).fit(IMAGES, VALUES),
    "pipeline": lambda: make_pipeline(StandardScaler(), regressor()).fit(X, Y),
    "grid": lambda: GridSearchCV(regressor(), {"beta": [1e-4]}, cv=2).fit(X, Y),
}


@with_long("name", CALLS, always=5)
def test_a_warning_names_the_line_of_the_caller(name):
    lines, first = inspect.getsourcelines(CALLS[name])
    with pytest.warns(ConvergenceWarning) as caught:
        CALLS[name]()
    for warning in caught:
        assert warning.filename == __file__ and first <= warning.lineno < first + len(lines)


def test_a_training_inside_certify_does_not_warn():
    """Warnings are errors here; the training cannot reach such a tolerance."""
    network = cvxnn.TwoLayerNetwork(np.ones((1, 3)), [1.0])
    assert cvxnn.certify(network, X, Y, 1e-2, tol=1e-15, time_limit=0.1).gap > 0.0


@pytest.mark.parametrize("work", [lambda: regressor().fit(X, Y), CALLS["regressor of images"]])
def test_warnings_are_heard_during_a_fit(work, monkeypatch):
    """In another thread, where filters that a fit had set would hold as well."""
    inside, heard = threading.Event(), threading.Event()

    def wait(run):
        inside.set()
        heard.wait(60)
        return execute(run)

    execute = Run.execute
    monkeypatch.setattr(Run, "execute", wait)
    with pytest.warns(ConvergenceWarning) as caught:
        fit = threading.Thread(target=work)
        fit.start()
        assert inside.wait(60)
        before = len(caught)
        warnings.warn("Of another library.", ConvergenceWarning, stacklevel=1)
        assert len(caught) == before + 1
        heard.set()
        fit.join()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fits_in_several_threads_leave_the_filters_alone():
    filters = list(warnings.filters)
    together = threading.Barrier(3)

    def fit():
        together.wait(60)
        regressor().fit(X, Y)

    threads = [threading.Thread(target=fit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == filters
