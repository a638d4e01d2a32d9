"""A fit touches the threads of the BLAS only where no other thread can see it."""

import json
import os

import pytest
from processes import python

# Threads of the BLAS before, in and after a fit, with or without another thread of Python.
FIT = """
import json, sys, threading
from contextlib import contextmanager
import cvxnn
from threadpoolctl import ThreadpoolController
import numpy, scipy.linalg

def threads():
    blas = ThreadpoolController().select(user_api="blas").info()
    return sorted({library["num_threads"] for library in blas})

X, y = cvxnn.load_ring()
seen = []
fit = {
    "solve": lambda: cvxnn.solve(X[:9], y[:9], 0.1, callback=lambda _: seen.append(threads())),
    "cross-validation": lambda: cvxnn.ConvexReLURegressorCV([1.0], cv=2).fit(X[:9], y[:9]),
}[sys.argv[1]]

if sys.argv[1] != "solve":
    from cvxnn.estimators import cross_validation
    rough = cross_validation.rough_path

    def watched(*arguments):
        seen.append(threads())
        return rough(*arguments)

    cross_validation.rough_path = watched

before, done = threads(), threading.Event()
other = threading.Thread(target=done.wait)
if sys.argv[2] == "other":
    other.start()
fit()
done.set()
print(json.dumps([before, seen, threads()]))
"""


@pytest.mark.parametrize("fit", ["solve", "cross-validation"])
@pytest.mark.parametrize(("company", "inside"), [("other", [2]), ("alone", [1])])
def test_threads_of_the_blas(fit, company, inside):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the BLAS has one thread on one core")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    before, seen, after = json.loads(python("-c", FIT, fit, company, **threads)[0])
    assert before == after == [2] and seen and all(each == inside for each in seen)
