"""
On a GPU
========

A search on many rows and features asks its rows for nothing but sums over them, which a GPU can
compute. Objective and bound come from the CPU, in double precision, so that a device changes how
fast a network is found and nothing of what is proven.

On a machine with a GPU it is one argument, or tensors that are there already::

    solution = cvxnn.solve(X, y, beta, device="cuda")
    solution = cvxnn.solve(X.cuda(), y.cuda(), beta)
"""

import json
import warnings
from pathlib import Path

import array_api_strict as strict
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import cvxnn

table = load_breast_cancer()
X = np.column_stack([scale(table.data), np.ones(569)])
y = 1.0 - 2.0 * table.target

# %%
# This page was built without a GPU. What can be shown is that the search runs on arrays of another
# library: ``array_api_strict``, which has the functions of the array API standard and no others.
# Beside it is the answer with numpy; both are cut short after three rounds, of which
# cvxnn warns, with the bound that there is then.

warnings.simplefilter("ignore", ConvergenceWarning)
settings = {"method": cvxnn.Global(polish=False, proof_time=1.0), "loss": "logistic", "max_iter": 3}
here = cvxnn.solve(X, y, 5.0, **settings)
there = cvxnn.solve(strict.asarray(X), strict.asarray(y), 5.0, **settings)
for name, solution in {"numpy": here, "array_api_strict": there}.items():
    print(f"{name}: objective {solution.objective:.4f}, bound {solution.dual_bound:.4f}")
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
