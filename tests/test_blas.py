"""A fit touches the threads of the BLAS only where no other thread can see it."""

import json
import os

import pytest
from processes import python

# Threads of the BLAS before, in and after fits, without and with another thread of Python.
FITS = """
import json, threading
import cvxnn
from cvxnn.estimators.walk import Walk
from threadpoolctl import ThreadpoolController
import numpy, scipy.linalg

def threads():
    blas = ThreadpoolController().select(user_api="blas").info()
    return sorted({library["num_threads"] for library in blas})

X, y = cvxnn.load_ring()
seen = []
advance = Walk._advance

def watched(*arguments):
    seen.append(threads())
    return advance(*arguments)

def of(fit):
    seen.clear()
    fit()
    return [*seen]

Walk._advance = watched
fits = [
    lambda: cvxnn.solve(X[:9], y[:9], 0.1, callback=lambda _: seen.append(threads())),
    lambda: cvxnn.ConvexReLURegressorCV([1.0], cv=2, verbose=1).fit(X[:9], y[:9]),
]
before, alone, done = threads(), [of(fit) for fit in fits], threading.Event()
threading.Thread(target=done.wait).start()
other = [of(fit) for fit in fits]
done.set()
print(json.dumps([before, alone, other, threads()]))
"""


@pytest.mark.long
def test_threads_of_the_blas():
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the BLAS has one thread on one core")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    output, _ = python("-c", FITS, **threads)
    before, alone, other, after = json.loads(output.splitlines()[-1])
    assert before == after == [2] and len(alone) == len(other) == 2
    for seen, inside in (*((seen, [1]) for seen in alone), *((seen, [2]) for seen in other)):
        assert seen and all(each == inside for each in seen)
