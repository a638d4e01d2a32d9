"""Networks with the interface of scikit-learn, and the path over beta."""

from cvxnn.estimators.classifier import ConvexReLUClassifier
from cvxnn.estimators.cross_validation import ConvexReLUClassifierCV, ConvexReLURegressorCV
from cvxnn.estimators.regressor import ConvexReLURegressor
from cvxnn.training.path import RegularizationPath, largest_beta, regularization_path

__all__ = [
    "ConvexReLUClassifier",
    "ConvexReLUClassifierCV",
    "ConvexReLURegressor",
    "ConvexReLURegressorCV",
    "RegularizationPath",
    "largest_beta",
    "regularization_path",
]
