"""Tensors in and out of estimators, in a process of its own: SciPy reads its setting once."""

import pytest
from processes import python
from variants import with_long

SETTING = """
import warnings
import numpy as np, sklearn
from sklearn.metrics import accuracy_score
import cvxnn
from cvxnn.backends.namespaces import in_numpy, namespace
from cvxnn.solvers.devices.rows import DeviceRows

sklearn.set_config(array_api_dispatch=True)
xp = namespace({library!r})
rng = np.random.default_rng(0)
A = rng.standard_normal((90, 9)).astype(np.float32)
b = np.maximum(A @ rng.standard_normal((9, 2)), 0.0) @ [1.0, -1.0]
X, y = xp.asarray(A), xp.asarray(b.astype(np.float32))
used = []
kept = DeviceRows.__init__
DeviceRows.__init__ = lambda self, *given: (used.append(given[1].library), kept(self, *given))[1]


def like(found, wanted, rtol=1e-5):
    assert type(found) is type(X), type(found)
    np.testing.assert_allclose(in_numpy(found), wanted, rtol, atol=1e-5)
"""
REGRESSOR = """
model = cvxnn.ConvexReLURegressor(beta=2.0, method=cvxnn.Global(polish=False))
here = sklearn.clone(model).fit(A, b)
assert used == []
there = model.fit(X, y)
assert set(used) == {{ {library!r} }}
assert abs(there.objective_ - here.objective_) < 0.02 * here.objective_
assert isinstance(there.network_.hidden_weights, np.ndarray)
found = there.predict(X)
assert found.dtype == xp.float32
like(found, there.predict(A))
assert float(there.score(X, y)) > 0.5
"""
CLASSIFIER = """
labels = (b > 0).astype(int) + (b > 1)
model = cvxnn.ConvexReLUClassifier(beta=2.0).fit(X, xp.asarray(labels))
assert set(used) == {{ {library!r} }}
assert isinstance(model.classes_, np.ndarray)
like(model.predict(X), model.predict(A))
like(model.predict_proba(X), model.predict_proba(A))
like(model.decision_function(X), model.decision_function(A))
assert float(model.score(X, xp.asarray(labels))) > 0.7
words = np.array(["no", "yes"])[(b > 0).astype(int)]
text = cvxnn.ConvexReLUClassifier(beta=2.0).fit(X, words).predict(X)
assert isinstance(text, np.ndarray) and set(text) == {{"no", "yes"}}
"""
CV = """
from sklearn.model_selection import cross_val_score
model = cvxnn.ConvexReLURegressorCV(betas=[8.0, 2.0], cv=2).fit(X, y)
assert {library!r} in used
like(model.predict(X), model.predict(A))
scores = cross_val_score(cvxnn.ConvexReLURegressor(beta=2.0), X, y, cv=3)
assert min(scores) > 0.0
"""


CASES = [("array_api_strict", REGRESSOR), ("torch", REGRESSOR)]
# Each program with one of them: which library it is matters to none.
CASES += [("torch", CLASSIFIER), ("array_api_strict", CV)]
NAMES = {REGRESSOR: "regressor", CLASSIFIER: "classifier", CV: "cross-validation"}


@pytest.mark.long
@with_long("library,program", CASES, ids=lambda case: f"{NAMES[case[1]]}-{case[0]}")
def test_predictions_are_arrays_of_the_library_of_the_data(library, program):
    pytest.importorskip("array_api_compat")
    pytest.importorskip(library)
    _, errors = python("-c", (SETTING + program).format(library=library), SCIPY_ARRAY_API="1")
    assert errors == ""
