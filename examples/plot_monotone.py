"""
Predictions that must not fall, and do not
==========================================

Prices do not fall with the size of a flat, and risks do not fall with blood pressure: where that is
known, a model that says otherwise has learnt noise, and nobody will trust it. ``monotonic_cst``
makes it impossible, and the optimum is proven as without it.

The data are real, the diabetes patients of scikit-learn; that the illness gets worse with age, body
mass, blood pressure and triglycerides (``s5``) is assumed here.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, cross_val_score

import cvxnn

patients = load_diabetes(as_frame=True, scaled=False)
names = ["age", "bmi", "bp", "s5"]
X, y = patients.data[names], patients.target

# %%
# Neurons that see one feature each, so that the model can be drawn, with little regularisation:
# once free, and once with features along which predictions must not fall.

additive = cvxnn.ReLU(features=1)
rising = {"age": 1, "bmi": 1, "bp": 1, "s5": 1}
free = cvxnn.ConvexReLURegressor(beta=1.0, model=additive, time_limit=None)
monotone = cvxnn.ConvexReLURegressor(
    beta=1.0, model=additive, monotonic_cst=rising, time_limit=None
)
models = {"free": free.fit(X, y), "monotone": monotone.fit(X, y)}
for name, model in models.items():
    print(f"{name}: {model.status_.name}, objective {model.objective_:.2f}")

# %%
# The second objective is higher: networks that may do less fit less. Each feature is varied here
# while the others stay at their medians.

middle = X.median()
labels = {
    "age": "age (years)", "bmi": "body mass index (kg/m\N{SUPERSCRIPT TWO})",
    "bp": "blood pressure (mmHg)", "s5": "log of triglycerides",
}  # fmt: skip
figure, axes = plt.subplots(1, 4, figsize=(10.0, 3.2), sharey=True, layout="constrained")
for ax, feature in zip(axes, names, strict=True):
    grid = np.linspace(X[feature].min(), X[feature].max(), 200)
    rows = middle.to_frame().T.loc[[0] * 200].assign(**{feature: grid})
    ax.plot(grid, free.predict(rows), color="#d55e00", linestyle="--", label="free")
    ax.plot(grid, monotone.predict(rows), color="#0072b2", linewidth=2.5, label="monotone")
    ax.plot(X[feature], np.full(len(X), 0.02), "|", color="0.6", transform=ax.get_xaxis_transform())
    ax.set_xlabel(labels[feature])
axes[0].set_ylabel("score of the progression")
axes[0].legend()
figure.suptitle("What the free network and the monotone one say of each feature")

# %%
# A test of it: patients drawn at random, also far from the data, who get older.

rng = np.random.default_rng(0)
spread = X.max() - X.min()
patient = pd.DataFrame(rng.uniform(-0.5, 1.5, (20_000, 4)), columns=names) * spread + X.min()
older = patient.assign(age=patient["age"] + spread["age"] * rng.uniform(0.0, 0.5, 20_000))
for name, model in models.items():
    falls = model.predict(older) < model.predict(patient) - 1e-9
    print(f"{name}: falls for {100 * falls.mean():.1f} % of them")

# %%
# What does it cost, or gain, on patients who are held out?

folds = KFold(5, shuffle=True, random_state=0)
for name, model in models.items():
    scores = cross_val_score(model, X, y, cv=folds)
    print(f"{name}: R2 {scores.mean():.3f} +- {scores.std() / np.sqrt(5):.3f}")

# %%
# The optimum is one of all networks whose neurons are each monotone. There are monotone functions
# that need others, S-shaped ones among them: see the user guide.
