"""What is not needed is not imported."""

import json

from processes import python

HEAVY = (
    "numba", "scipy", "sklearn", "torch", "clarabel", "cvxpy", "matplotlib", "pandas", "skops",
    "skrub", "dask", "distributed", "array_api_compat", "array_api_strict",
)  # fmt: skip
MISSING = """
import contextlib, io
from importlib import resources
table = str(resources.files("cvxnn") / "data" / "ring.csv")
for words in (["fit", table], ["solve", table, "--beta", "1"]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = app([*words, "--target", "lable"], standalone_mode=False)
    assert code == 2 and "no column 'lable'; did you mean 'label'?" in said.getvalue()"""
PLOT = "import cvxnn, cvxnn.plotting as p; p.plot_gap([cvxnn.Progress(0, 0.1, 2.0, 1.0, 1, 1)])"
SOLVE = "import numpy as np, cvxnn; cvxnn.solve(np.eye(3), np.ones(3), 0.1)"
READ = "import cvxnn.exchange.foreign as f; f.read_network(([[1.0]], [1.0]))"
TRAIN = """
import numpy as np, cvxnn
from cvxnn import ConvexReLURegressor, Global
X = np.random.default_rng(0).standard_normal((40, 9))
model = ConvexReLURegressor(beta=5.0, method=Global(polish=False)).fit(X, X[:, 0])
model.predict(X)"""
# One after the other, in one process: what is not there in the end was not there before.
STEPS = {
    "the package": ("import cvxnn", (*HEAVY, "rich", "typer", "numpy")),
    "help": (
        "from cvxnn.cli import app; app(['--help'], standalone_mode=False)",
        (*HEAVY, "numpy"),
    ),
    "help of fit": ("app(['fit', '--help'], standalone_mode=False)", (*HEAVY, "numpy")),
    "a column that is missing": (MISSING, HEAVY),
    "help of the study": (
        "app(['study', '--help'], standalone_mode=False)",
        ("torch", "matplotlib", "numba", "sklearn"),
    ),
    "networks of other libraries": (READ, ("torch", "sklearn")),
    "rooms": (
        "import cvxnn.networks, cvxnn.baselines, cvxnn.plotting",
        ("safetensors", "torch", "matplotlib"),
    ),
    "a training in memory": (SOLVE, ("dask", "distributed", "torch", "pandas")),
    "training": (TRAIN, ("torch", "array_api_compat", "dask", "cupy")),
    "a figure": (PLOT, ("matplotlib.pyplot", "torch")),
}


def test_nothing_heavy_is_imported():
    report = "print('there', json.dumps([name for name in {!r} if name in sys.modules]))"
    parts = [f"{program}\n{report.format(absent)}" for program, absent in STEPS.values()]
    output, errors = python("-c", "\n".join(["import json, sys", *parts]))
    lines = [line[6:] for line in output.splitlines() if line.startswith("there ")]
    assert errors == ""
    found = {step: json.loads(line) for step, line in zip(STEPS, lines, strict=True)}
    assert found == {step: [] for step in STEPS}
