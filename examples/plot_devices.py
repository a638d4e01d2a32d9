"""
On a GPU: another machine, the same proof
=========================================

A search on many rows and features asks its rows for nothing but sums over them, which a GPU can
compute. Objective and bound come from the CPU, in double precision, so that a device changes how
fast a network is found and nothing of what is proven.

On a machine with a GPU it is one argument, or tensors that are there already::

    solution = cvxnn.solve(X, y, beta, device="cuda")
    solution = cvxnn.solve(X.cuda(), y.cuda(), beta)
"""

import json
from pathlib import Path

import array_api_strict as strict
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

import cvxnn

wine = load_wine()
X = np.column_stack([scale(wine.data), np.ones(len(wine.data))])
y = np.where(wine.target == 0, 1.0, -1.0)

# %%
# This page was built without a GPU. What can be shown is that the search runs on arrays of another
# library: ``array_api_strict``, which has the functions of the array API standard and no others.
# Beside it is the answer with numpy. Is a wine of the first cultivar or not, given what the
# chemists measured? Both searches end with a proof within the tolerance ``tol``.

beta = 0.1 * cvxnn.largest_beta(X, y, loss="logistic")
settings = {
    "loss": "logistic",
    "tol": 0.01,
    "method": cvxnn.Global(polish=False, proof_time=60.0),
}
here = cvxnn.solve(X, y, beta, **settings)
there = cvxnn.solve(strict.asarray(X), strict.asarray(y), beta, **settings)
for name, solution in {"numpy": here, "array_api_strict": there}.items():
    print(
        f"{name}: {solution.status.name}, objective {solution.objective:.4f}, "
        f"gap {100 * solution.gap:.1f} %"
    )
print(f"they differ by {abs(there.objective / here.objective - 1.0):.0e} of the objective")

# %%
# Predictions are arrays of the library that the rows are of, where these are:

print(type(there.network(strict.asarray(X))).__module__)

# %%
# How much a GPU brings is measured by ``benchmarks/gpu.py``, whose record is shown here as soon as
# there is one.

record = Path("../benchmarks/records/gpu.json")
if record.exists():
    measured = json.loads(record.read_text("utf-8"))
    print(f"{measured['script']}, {measured['date']}, commit {measured['commit'][:8]}")
    for table in measured["tables"]:
        print("", table["title"], *map(" | ".join, [table["columns"], *table["rows"]]), sep="\n")
else:
    print("There are no figures yet: benchmarks/gpu.py has not been run on a GPU.")
