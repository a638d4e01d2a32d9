"""The estimators as scikit-learn knows them: its own checks, and its tools around them."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import cvxnn

# Sampled patterns and few rounds: the data of the checks have up to ten features, and
# no check shall wait for a proof.
QUICK = {"method": cvxnn.Sampled(8), "max_iter": 4}
# Beside an intercept the weights 1000 and 1e-4 of one check take a minute.
CLASSIFIER = cvxnn.ConvexReLUClassifier(fit_intercept=False, **QUICK)
REGRESSOR = cvxnn.ConvexReLURegressor(**QUICK)
ALL = [
    REGRESSOR,
    CLASSIFIER,
    cvxnn.ConvexReLURegressorCV(betas=[3.0, 1.0], cv=2, **QUICK),
    cvxnn.ConvexReLUClassifierCV(betas=[10.0, 3.0], cv=2, **QUICK),
    # Tables of the checks are signals: filters of two features, one with zeros around it.
    cvxnn.ConvexReLURegressor(
        loss="huber", model=cvxnn.Conv(2, padding=1, pooling="average"), **QUICK
    ),
    cvxnn.ConvexReLUClassifier(model=cvxnn.Conv(2, padding=1, slope=0.1), **QUICK),
    # Beside an intercept the proven optimum predicts 0.86 where one check wants 0.87.
    cvxnn.ConvexReLUClassifier(model=cvxnn.Gated(n_gates=10), max_iter=20, fit_intercept=False),
]


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
@parametrize_with_checks(ALL)
def test_all_checks_of_scikit_learn(estimator, check):
    check(estimator)
