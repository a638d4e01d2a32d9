"""
Choosing beta by a path, by folds or by a guess
===============================================

How much is fitted and how much is noise, is decided by one number: beta, the weight of the penalty.
A path of falling beta shows what it does, and folds choose it.

The data are the diabetes patients of scikit-learn, with four of the measurements.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import cvxnn
from cvxnn.plotting import plot_cv, plot_path

patients = load_diabetes(as_frame=True)
rows = patients.data[["bmi", "bp", "s5", "age"]].to_numpy()
X, y = scale(rows), scale(patients.target.to_numpy())
additive = cvxnn.ReLU(features=1)
with_ones = np.column_stack([X, np.ones(len(X))])

# %%
# From the largest beta on the best network has no neurons. Below it neurons come in, one after the
# other, and each solution starts from the one before. All are proven.

path = cvxnn.regularization_path(with_ones, y, 12, model=additive, intercept=True)
print(f"largest beta {path.betas[0]:.1f}, largest gap {path.gaps.max():.0e}")
figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
plot_path(path, ax=ax).set_title("The path: less penalty, more neurons", pad=24)

# %%
# Folds walk down the same path, in step, and stop where the mean score has not improved for a
# while.

model = cvxnn.ConvexReLURegressorCV(model=additive, time_limit=None).fit(X, y)
print(f"beta {model.beta_:.2f} of {len(model.betas_)}, {model.n_neurons_} neurons")
figure, ax = plt.subplots(figsize=(7.0, 3.8), layout="constrained")
plot_cv(model, ax=ax).set_title("Five folds: too little and too much of beta", pad=24)

# %%
# Without folds ``beta="auto"`` is a guess from one part of the rows that is held out:

guess = cvxnn.ConvexReLURegressor(model=additive, time_limit=None).fit(X, y)
print(f"guess {guess.beta_:.2f}, {guess.n_neurons_} neurons")
