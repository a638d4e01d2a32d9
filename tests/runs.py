"""Runs that may fall short, and solutions without a run."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from cvxnn.results import Solution, Status


def quietly(run, *args, **options):
    """What a call returns, without its warning that it fell short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return run(*args, **options)


def made_solution(network, objective, dual_bound, **changed):
    """What a run might have returned."""
    others = {
        "status": Status.STATIONARY, "method": "exact", "beta": 0.1, "tol": 1e-6, "n_patterns": 4,
        "program_gap": 0.5, "elapsed": 0.0, "history": (),
    }  # fmt: skip
    return Solution(network, objective, dual_bound, **(others | changed))
