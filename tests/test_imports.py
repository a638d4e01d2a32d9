"""What is not needed is not imported, each in a process of its own."""

import pytest
from processes import python

HEAVY = (
    "numba", "scipy", "sklearn", "torch", "clarabel", "cvxpy", "matplotlib", "pandas", "skops",
    "skrub", "dask", "distributed", "array_api_compat", "array_api_strict",
)  # fmt: skip
PLOT = "import cvxnn, cvxnn.plotting as p; p.plot_gap([cvxnn.Progress(0, 0.1, 2.0, 1.0, 1, 1)])"
SOLVE = "import numpy as np, cvxnn; cvxnn.solve(np.eye(3), np.ones(3), 0.1)"
READ = "import cvxnn.exchange.foreign as f; f.read_network(([[1.0]], [1.0]))"
TRAIN = """
import numpy as np, cvxnn
from cvxnn import ConvexReLURegressor, Global
X = np.random.default_rng(0).standard_normal((40, 9))
model = ConvexReLURegressor(beta=5.0, method=Global(polish=False)).fit(X, X[:, 0])
model.predict(X)"""
PROGRAMS = {
    "the package": ("import cvxnn", (*HEAVY, "rich", "typer", "numpy")),
    "help": (
        "from cvxnn.cli import app; app(['--help'], standalone_mode=False)",
        (*HEAVY, "numpy"),
    ),
    "help of fit": (
        "from cvxnn.cli import app; app(['fit', '--help'], standalone_mode=False)",
        (*HEAVY, "numpy"),
    ),
    "help of the study": (
        "from cvxnn.cli import app; app(['study', '--help'], standalone_mode=False)",
        ("torch", "matplotlib", "numba"),
    ),
    "rooms": (
        "import cvxnn.networks, cvxnn.baselines, cvxnn.plotting",
        ("safetensors", "torch", "matplotlib"),
    ),
    "a figure": (PLOT, ("matplotlib.pyplot", "torch")),
    "training": (TRAIN, ("torch", "array_api_compat", "dask", "cupy")),
    "a training in memory": (SOLVE, ("dask", "distributed", "torch", "pandas")),
    "networks of other libraries": (READ, ("torch", "sklearn")),
}


@pytest.mark.parametrize(("program", "absent"), PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_heavy_is_imported(program, absent):
    report = f"import sys; print([name for name in {absent!r} if name in sys.modules])"
    output, errors = python("-c", f"{program}; {report}")
    assert errors == "" and output.splitlines()[-1] == "[]"
