"""scikit-learn's own checks of estimators, on ours with their default parameters.

The tests run the same checks with few sampled patterns and few rounds. Nothing here ends by a
clock but the proofs, after a minute: the default `time_limit` of data with many features is none.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from unittest import SkipTest

from harness import print_table
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator

import cvxnn

ESTIMATORS: dict[str, Callable[[], BaseEstimator]] = {
    "ConvexReLURegressor": cvxnn.ConvexReLURegressor,
    "ConvexReLUClassifier": cvxnn.ConvexReLUClassifier,
    "ConvexReLURegressorCV": cvxnn.ConvexReLURegressorCV,
    "ConvexReLUClassifierCV": cvxnn.ConvexReLUClassifierCV,
    "ConvexReLURegressor, conv": lambda: cvxnn.ConvexReLURegressor(model=cvxnn.Conv(1)),
    "ConvexReLUClassifier, conv": lambda: cvxnn.ConvexReLUClassifier(model=cvxnn.Conv(1)),
}


def failures(estimator: BaseEstimator, verbose: bool) -> Iterator[str | None]:
    """For every check None, or its name where it fails; nothing where it does not apply here."""
    for instance, check in estimator_checks_generator(estimator):
        name = getattr(check, "func", check).__name__
        start = time.perf_counter()
        try:
            check(instance)
        except SkipTest:
            continue
        except AssertionError as error:
            print(f"<!-- {type(estimator).__name__}: {name} failed: {error} -->", flush=True)
            yield name
        else:
            yield None
        seconds = time.perf_counter() - start
        if verbose and seconds > 1.0:
            print(f"<!-- {name}: {seconds:.1f} s -->", flush=True)


def row(name: str, verbose: bool) -> list[object]:
    start = time.perf_counter()
    outcomes = list(failures(ESTIMATORS[name](), verbose))
    failed = [outcome for outcome in outcomes if outcome is not None]
    return [name, len(outcomes), len(failed), f"{time.perf_counter() - start:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--estimators", nargs="*", choices=ESTIMATORS, default=ESTIMATORS)
    parser.add_argument("--verbose", action="store_true", help="checks that take a second")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    print_table(
        ["estimator", "checks", "failed", "seconds"],
        (row(name, arguments.verbose) for name in arguments.estimators),
    )


if __name__ == "__main__":
    main()
