"""
Shape functions of an additive network, proven to be the best
=============================================================

Where each neuron sees one feature, the network is a sum of functions of one feature each. Each can
be drawn, as in a generalised additive model, features that say nothing are not in it, and the
optimum is proven however many features there are.

The data are the tumours of scikit-learn's breast cancer table.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cvxnn
from cvxnn.plotting import plot_shapes

table = load_breast_cancer()
X, malignant = table.data, 1 - table.target
additive = cvxnn.ReLU(features=1)
model = cvxnn.ConvexReLUClassifier(beta=3.0, model=additive, time_limit=None).fit(X, malignant)
print(model.status_.name, f"gap {model.dual_gap_:.0e}, {model.n_neurons_} neurons")

# %%
# The status is a theorem: no additive ReLU network with this penalty has an objective that is lower
# by a larger share than the gap. The proof can be checked without the solver, from the data alone.

[report] = model.verify(X, malignant)
print("proof accepted:", report.accepted)

# %%
# Each function is drawn over the values in the table, those that vary most first. What is added up
# is the logarithm of the odds of a malignant tumour.

figure = plot_shapes(
    model, X, table.feature_names, figure=plt.figure(figsize=(9.0, 6.0), layout="constrained")
)
figure.suptitle("What each feature adds to the log-odds of a malignant tumour")
print(f"{len([ax for ax in figure.axes if ax.lines])} of {X.shape[1]} features are in the model")

# %%
# Is the model any good? Five folds, beside a logistic regression whose penalty is chosen by folds
# of its own.

logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
strengths = {"logisticregression__C": np.logspace(-2, 1, 4)}
logistic = GridSearchCV(logistic, strengths, scoring="neg_log_loss")
for name, each in {"additive network": model, "logistic regression": logistic}.items():
    found = cross_validate(each, X, malignant, cv=5, scoring=("accuracy", "neg_log_loss"))
    for kind in ("accuracy", "neg_log_loss"):
        scores = found[f"test_{kind}"]
        print(f"{name}: {kind} {scores.mean():.3f} +- {scores.std() / 5**0.5:.3f}")
