"""Networks of scikit-learn: of a few iterations, or with weights that are given."""

import numpy as np
from sklearn.neural_network import MLPRegressor


def mlp(kind=MLPRegressor, **options):
    """Not fitted; a fit falls short, but has weights then."""
    settings = {"hidden_layer_sizes": (6,), "solver": "lbfgs", "max_iter": 8, "random_state": 0}
    return kind(**(settings | options))


def perceptron(hidden, output, constant, **options):
    """A regressor whose last hidden weights are biases; its output has one, too."""
    model = MLPRegressor(hidden_layer_sizes=(len(output),), **options)
    model.coefs_ = [hidden[:, :-1].T.copy(), output[:, np.newaxis].copy()]
    model.intercepts_ = [hidden[:, -1].copy(), np.array([constant])]
    model.n_features_in_, model.n_outputs_, model.n_layers_ = hidden.shape[1] - 1, 1, 3
    model.out_activation_ = "identity"
    return model
