"""The estimators as scikit-learn knows them: its own checks, and its tools around them."""

import contextlib
from unittest import SkipTest

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import cvxnn

# Sampled patterns and few rounds: the data of the checks have up to ten features, and
# no check shall wait for a proof.
QUICK = {"method": cvxnn.Sampled(8), "max_iter": 4}
# Beside an intercept the weights 1000 and 1e-4 of one check take a minute.
CLASSIFIER = cvxnn.ConvexReLUClassifier(fit_intercept=False, **QUICK)
REGRESSOR = cvxnn.ConvexReLURegressor(fit_intercept=False, **QUICK)
# benchmarks/sklearn_checks.py has them for more, with default parameters.
ALL = [cvxnn.ConvexReLURegressor(**QUICK), CLASSIFIER]
OTHERS = {
    "regressor CV": cvxnn.ConvexReLURegressorCV(
        betas=[3.0, 1.0], cv=2, fit_intercept=False, **QUICK
    ),
    "classifier CV": cvxnn.ConvexReLUClassifierCV(betas=[10.0, 3.0], cv=2, **QUICK),
    # Tables of the checks are signals: filters of two features, one with zeros around it.
    "filters": cvxnn.ConvexReLURegressor(
        loss="huber", model=cvxnn.Conv(2, padding=1, pooling="average"), **QUICK
    ),
}


def name_of(check):
    return check.func.__name__


def first_of_each_name(estimator):
    """Checks without those that only have other arguments."""
    return {name_of(check): check for _, check in [*estimator_checks_generator(estimator)][::-1]}


# Others of the classifier are of what it has in common with a regressor.
CHECKS = [(REGRESSOR, check) for check in first_of_each_name(REGRESSOR).values()]
CHECKS += [
    (CLASSIFIER, check) for name, check in first_of_each_name(CLASSIFIER).items() if "class" in name
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "check"),
    CHECKS,
    ids=[f"{type(estimator).__name__}-{name_of(check)}" for estimator, check in CHECKS],
)
def test_checks_of_scikit_learn(estimator, check):
    check(clone(estimator))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_others_pass_each_check_once(name):
    for check in first_of_each_name(OTHERS[name]).values():
        with contextlib.suppress(SkipTest):
            check(clone(OTHERS[name]))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ALL)
def test_all_checks_of_scikit_learn(estimator, check):
    check(estimator)
