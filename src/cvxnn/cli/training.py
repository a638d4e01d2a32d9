"""From a table to a trained model, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.cli.cells import Cells
from cvxnn.cli.columns import Wishes, features, planned
from cvxnn.cli.constraints import Constraints
from cvxnn.cli.encoder import encoder
from cvxnn.cli.fitting import Ending, fitted
from cvxnn.cli.linear import linear_predictions
from cvxnn.cli.options import Task
from cvxnn.cli.outputs import strict
from cvxnn.cli.reporting import counted
from cvxnn.cli.scores import explained_by, of_classes, of_numbers
from cvxnn.cli.sources import Source
from cvxnn.cli.table_models import TableModel
from cvxnn.cli.tables import check_different, require
from cvxnn.cli.targets import Target, read_numbers, read_target
from cvxnn.clocks import clock
from cvxnn.errors import InputError
from cvxnn.estimators import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
)

# Rows, and of a class its members, without which there are no five folds.
_FEWEST = 10
_FOLDS = 5
_ESTIMATORS: dict[tuple[Task, bool], Any] = {
    (Task.REGRESSION, True): ConvexReLURegressorCV,
    (Task.REGRESSION, False): ConvexReLURegressor,
    (Task.CLASSIFICATION, True): ConvexReLUClassifierCV,
    (Task.CLASSIFICATION, False): ConvexReLUClassifier,
}


@dataclass(frozen=True)
class Settings:
    """What the user wants; see the options of ``cvxnn fit``."""

    targets: Sequence[str]
    task: Task | None = None
    loss: str | None = None
    quantile: float | None = None
    beta: str | float = "cv"
    wishes: Wishes = field(default_factory=Wishes)
    constraints: Constraints = field(default_factory=Constraints)
    holdout: float | None = None
    seed: int = 0
    time_limit: float | None = None
    proof_time: float | None = None
    show_progress: bool = False


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes
    ----------
    model : TableModel
    source : str
        The table it was trained on.
    ending : Ending
        How the training ended.
    notes : tuple of str
        What there is to say of the data.
    """

    model: TableModel
    source: str
    ending: Ending
    notes: tuple[str, ...]


def train(source: Source, settings: Settings) -> Fitted:
    """Read a table and train a model on it.

    Raises
    ------
    InputError
        If the table or the settings do not allow it.
    KeyboardInterrupt
        If Ctrl-C was pressed before there was a model.
    """
    cells = _cells(source, settings)
    target, others = _read_targets(cells, settings)
    cells = cells.rows(target.known)
    columns = planned(cells, settings.targets, settings.wishes)
    frame, _ = features(cells, columns)
    learnt, held_out = _split(target, settings)
    _check_rows(target, learnt, settings, source.name)
    n_classes = len(np.unique(target.values)) if target.task is Task.CLASSIFICATION else 0
    settings.constraints.check(len(settings.targets), n_classes)
    encode, learning = encoder(columns), frame.iloc[learnt]
    constraints = settings.constraints.parameters(columns, encode, learning)
    estimator = _estimator(target, settings, constraints)
    pipeline = Pipeline([("columns", encode), ("network", estimator)])
    model = TableModel(
        pipeline, tuple(columns), target.name, target.task, target.loss, target.style,
        others=tuple((other.name, other.style) for other in others),
    )  # fmt: skip
    begin = clock()
    ending = fitted(pipeline, learning, target.values[learnt])
    elapsed = clock() - begin
    score = _scores(model, cells, target, learnt, held_out) if len(held_out) else None
    if score is not None:
        # With it 'cvxnn verify' finds the rows of the training again.
        score["seed"] = settings.seed
    model.figures.update(_figures(model, settings, len(learnt), elapsed) | {"holdout": score})
    model = replace(model, certificate=_certificate(model.estimator))
    return Fitted(model, source.name, ending, target.notes)


def _cells(source: Source, settings: Settings) -> Cells:
    """The cells of a table that has all columns of the settings."""
    targets = settings.targets
    named = [*settings.wishes.named(), *settings.constraints.monotone]
    cells = Cells.read(source, text=settings.wishes.category, targets=targets)
    for name in (*targets, *named):
        require(name, tuple(cells.frame), source.name)
    for name in targets:
        if name in named:
            raise InputError(f"The target {name!r} is none of the columns to learn from.")
    check_different(targets)
    return cells


def _read_targets(cells: Cells, settings: Settings) -> tuple[Target, list[Target]]:
    """The target with all values and notes, of shape (n,) or (n, c), and those beside it."""
    if len(settings.targets) == 1:
        return read_target(cells, settings.targets[0], settings.task, settings.loss), []
    targets, values, known = read_numbers(cells, settings.targets, settings.task, settings.loss)
    notes = tuple(note for target in targets for note in target.notes)
    first, *others = targets
    return replace(first, values=values, known=known, notes=notes), others


def _certificate(estimator: Any) -> bytes | None:
    """Of its network, where it has one; there may be one for each class."""
    solution = getattr(estimator, "solution_", None)
    certificate = None if solution is None else solution.certificate
    return None if certificate is None else certificate.to_bytes()


def _split(target: Target, settings: Settings) -> tuple[IntArray, IntArray]:
    """Rows to train on, and rows held out, both in their order."""
    rows = np.arange(len(target.values))
    if settings.holdout is None:
        return rows, rows[:0]
    n_held = round(settings.holdout * len(rows))
    if not 0 < n_held < len(rows):
        raise InputError(f"--holdout {settings.holdout:g} of {len(rows)} rows leaves none.")
    return held_out_rows(target.values, target.task, n_held, settings.seed)


def held_out_rows(values: Array, task: Task, n_held: int, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to train on, and so many that are held out, both in their order: always the same."""
    groups = None
    if task is Task.CLASSIFICATION:
        labels, counts = np.unique(values, return_counts=True)
        # Where a class cannot be in both parts, chance decides.
        groups = values if counts.min() > 1 and n_held >= len(labels) else None
    parts = train_test_split(
        np.arange(len(values)), test_size=n_held, random_state=seed, stratify=groups
    )
    learnt, held_out = (np.sort(part) for part in parts)
    return learnt, held_out


def _check_rows(target: Target, learnt: IntArray, settings: Settings, source: str) -> None:
    values = target.values[learnt]
    is_classes = target.task is Task.CLASSIFICATION
    if is_classes and len(np.unique(values)) < 2:
        raise InputError(f"{source}: the rows to train on are all of one class.")
    if settings.beta != "cv":
        return
    if len(learnt) < _FEWEST:
        rows = counted(len(learnt), "row")
        raise InputError(
            f"{source} has {rows} to train on, too few for cross-validation: give --beta auto or a "
            "number."
        )
    if is_classes and np.unique(values, return_counts=True)[1].max() < _FOLDS:
        raise InputError(
            f"{source} has no class with {_FOLDS} rows, too few for cross-validation: give --beta "
            "auto or a number."
        )


def _estimator(target: Target, settings: Settings, constraints: dict[str, Any]) -> Any:
    by_cv = settings.beta == "cv"
    wanted: dict[str, Any] = {
        "loss": target.loss,
        "quantile": settings.quantile,
        "random_state": settings.seed,
        "verbose": int(settings.show_progress),
        "time_limit": settings.time_limit,
        "proof_time": settings.proof_time,
        "beta": None if by_cv else settings.beta,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return _ESTIMATORS[target.task, by_cv](**given, **constraints)


def _scores(
    model: TableModel, cells: Cells, target: Target, learnt: IntArray, held_out: IntArray
) -> dict[str, Any]:
    """On the rows held out, with what a linear model scores that learns from the same rows."""
    encoded, _ = model.encoded(cells.rows(held_out))
    columns, _ = model.encoded(cells.rows(learnt))
    values, known = target.values[held_out], target.values[learnt]
    figures = {"n_rows": len(values), **_scores_of(model, values, model.predict(encoded), encoded)}
    if explained_by(model.loss) == "d2":
        # Its predictions may be below 0, and have no deviance.
        return figures
    linear = _scores_of(model, values, linear_predictions(columns, known, encoded, model.task))
    return figures | {"linear": linear["accuracy" if model.classes else "r2"]}


def _scores_of(
    model: TableModel, values: Array, predictions: Array, encoded: FloatArray | None = None
) -> dict[str, Any]:
    """Of each target its errors, in its units, and the mean of the shares that are explained."""
    if model.task is Task.CLASSIFICATION:
        shares = None
        if model.loss == "logistic" and encoded is not None:
            shares = model.probabilities(encoded)
        return dict(of_classes(values, predictions, shares, model.classes))
    columns = zip(np.atleast_2d(values.T), np.atleast_2d(predictions.T), strict=True)
    found = [of_numbers(y, f, model.loss, model.level) for y, f in columns]
    if not model.others:
        return dict(found[0])
    name = explained_by(model.loss)
    parts = [one.pop(name) for one in found]
    errors = {
        key: dict(zip(model.targets, (one[key] for one in found), strict=True)) for key in found[0]
    }
    known = [part for part in parts if part is not None]
    return errors | {name: float(np.mean(known)) if len(known) == len(parts) else None}


def _figures(model: TableModel, settings: Settings, n_rows: int, elapsed: float) -> dict[str, Any]:
    estimator = model.estimator
    chosen = getattr(estimator, "beta_", settings.beta)
    known = {
        "beta": float(chosen),
        "beta_by": settings.beta if isinstance(settings.beta, str) else "given",
        "cv_score": getattr(estimator, "best_score_", None),
        "n_rows": n_rows,
        "n_features": int(estimator.n_features_in_),
        "n_neurons": int(estimator.n_neurons_),
        "objective": estimator.objective_,
        "dual_bound": estimator.dual_bound_,
        "gap": estimator.dual_gap_,
        "elapsed": elapsed,
    }
    return strict(known)
