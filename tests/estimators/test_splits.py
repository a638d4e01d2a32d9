"""Default folds of few rows: no fold too many, and no warning of another's words."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from variants import with_long

import cvxnn
from cvxnn.errors import InputError
from cvxnn.estimators.splits import splitter_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = np.abs(X[:, 0]) + X[:, 1] + 0.1 * RNG.standard_normal(60)


@pytest.mark.parametrize("n", range(4, 14))
def test_every_part_has_two_rows(n):
    splitter = splitter_of(None, Y[:n], is_classifier=False, seed=0)
    sizes = [len(test) for _, test in splitter.split(X[:n])]
    assert min(sizes) >= 2 and len(sizes) == min(5, n // 2)


@with_long("n", [5, 9, 4])
@pytest.mark.parametrize("kind", [cvxnn.ConvexReLURegressorCV, cvxnn.ConvexReLUClassifierCV])
def test_few_rows_have_a_model(n, kind):
    y = Y[:n] if kind is cvxnn.ConvexReLURegressorCV else Y[:n] > np.median(Y[:n])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UndefinedMetricWarning)
        # Scores of so few rows may well tell nothing of beta.
        warnings.filterwarnings("ignore", "All . values of beta|The best beta|The model is a")
        model = kind().fit(X[:n], y)
    assert np.isfinite(model.scores_path_).all() and len(model.predict(X)) == 60


@pytest.mark.parametrize("n", [2, 3])
def test_fewer_rows_than_two_folds_need_are_refused(n):
    words = f"needs 4 rows at least, got n_samples={n}: take the estimator without CV"
    with pytest.raises(InputError, match=words):
        cvxnn.ConvexReLURegressorCV().fit(X[:n], Y[:n])
    with pytest.raises(InputError, match=words):
        cvxnn.ConvexReLUClassifierCV().fit(X[:n], np.arange(n))


@pytest.mark.parametrize(("count", "n_folds"), [(1, 5), (2, 5), (3, 3), (4, 4), (5, 5), (9, 5)])
def test_classes_of_few_rows_are_in_every_part_where_that_is_not_too_few_parts(count, n_folds):
    y = np.where(np.arange(60) < count, 2, np.arange(60) % 2)
    splitter = splitter_of(None, y, is_classifier=True, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = [test for _, test in splitter.split(X, y)]
    assert len(parts) == n_folds
    assert count < 3 or all((y[part] == 2).any() for part in parts)
