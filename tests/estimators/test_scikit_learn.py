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
OTHERS = [
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


# Others are of what the classifier has in common with a regressor: among the long tests.
CHECKS_OF_CLASSES = [
    check for _, check in estimator_checks_generator(CLASSIFIER) if "class" in name_of(check)
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([cvxnn.ConvexReLURegressor(**QUICK)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS_OF_CLASSES, ids=name_of)
def test_checks_of_scikit_learn_of_classes(check):
    check(clone(CLASSIFIER))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(OTHERS)
def test_checks_of_scikit_learn_with_other_settings(estimator, check):
    check(estimator)
