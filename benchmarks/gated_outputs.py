"""Gated and linear networks of several outputs on the digits, and multinomial logistic regression.

Columns are standardised, with one of ones, and classes are trained by softmax. Seconds are those
of the process until a gap is proven, drawing of the gates apart. Errors are on a third of the rows
that is held out; logistic regression of scikit-learn has the C of its five folds.

python benchmarks/gated_outputs.py
"""

from __future__ import annotations

import time

import numpy as np
from harness import FloatArray, print_table
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import cvxnn

FRACTIONS, GAPS, N_GATES = (0.1, 0.01), (1e-2, 1e-4, 1e-6), 200


def split() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Rows and classes to train on, and those to test on."""
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)
    scaler = StandardScaler().fit(train)
    rows = [np.column_stack([scaler.transform(part), np.ones(len(part))]) for part in (train, test)]
    return rows[0], y_train, rows[1], y_test


def trained(name: str, model: cvxnn.Gated, fraction: float) -> list[object]:
    """One row of the table."""
    X, y, rows, labels = split()
    Y = np.eye(10)[y]
    beta = fraction * cvxnn.largest_beta(X, Y, model=model, loss="softmax")
    reached: dict[float, float] = {}
    start = time.process_time()

    def note(progress: cvxnn.Progress) -> None:
        gap = 1.0 - progress.dual_bound / progress.objective
        for wanted in GAPS:
            if gap <= wanted:
                reached.setdefault(wanted, time.process_time() - start)

    solution = cvxnn.solve(X, Y, beta, model=model, loss="softmax", callback=note)
    wrong = 100.0 * float(np.mean(solution.network(rows).argmax(axis=1) != labels))
    seconds = [f"{reached[gap]:.2f}" if gap in reached else "-" for gap in GAPS]
    objective = f"{solution.objective:.6g}"
    return [
        name, f"{fraction:g}", solution.n_neurons, objective, f"{solution.gap:.0e}", *seconds,
        f"{wrong:.1f}",
    ]  # fmt: skip


def main() -> None:
    X, y, rows, labels = split()
    models = {
        "linear": cvxnn.Gated(np.zeros((1, X.shape[1]))),
        f"{N_GATES} gates": cvxnn.Gated(cvxnn.sample_patterns(X, N_GATES, 0).directions),
    }
    # Kernels are compiled before the clock runs.
    trained("", models["linear"], 0.5)
    table = [
        trained(name, model, fraction) for name, model in models.items() for fraction in FRACTIONS
    ]
    start = time.process_time()
    other = LogisticRegressionCV(cv=5, max_iter=10_000).fit(X[:, :-1], y)
    seconds = time.process_time() - start
    wrong = 100.0 * (1.0 - other.score(rows[:, :-1], labels))
    table.append(["logistic regression", *["-"] * 4, *["-"] * 2, f"{seconds:.2f}", f"{wrong:.1f}"])
    header = ["model", "beta / max", "neurons", "objective", "gap"]
    print_table([*header, *(f"s to {gap:g}" for gap in GAPS), "% wrong"], table)


if __name__ == "__main__":
    main()
