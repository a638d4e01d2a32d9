"""A trained network with what it does with the columns of a table, and its files.

A file is a ``.skops`` of a dictionary: the pipeline of scikit-learn, and plain numbers and
texts. Reading one makes objects of the types that are listed here and of those of
scikit-learn and numpy that skops knows to be harmless, and of no others: no code of a file runs.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.cells import Cells
from cvxnn.cli.columns import Column, Kind, features
from cvxnn.cli.encoder import CATEGORIES
from cvxnn.cli.labels import among
from cvxnn.cli.model_checks import check_model
from cvxnn.cli.options import Task
from cvxnn.cli.reporting import counted
from cvxnn.errors import InputError, ModelFileError
from cvxnn.files import DAMAGE, atomic_write

SUFFIX = ".skops"
_FORMAT = 1
# What a file may hold besides what skops trusts: the estimators and their networks, parts of
# the encoder of scikit-learn, and those of skrub for dates and texts.
TRUSTED = (
    "cvxnn.estimators.classifier.ConvexReLUClassifier",
    "cvxnn.estimators.cross_validation.ConvexReLUClassifierCV",
    "cvxnn.estimators.cross_validation.ConvexReLURegressorCV",
    "cvxnn.estimators.regressor.ConvexReLURegressor",
    "cvxnn.estimators.scaling.Scaling",
    "cvxnn.models.relu.ReLU",
    "cvxnn.networks.two_layer.TwoLayerNetwork",
    "numpy.dtype",
    # A list of names, in scikit-learn before 1.7.
    "sklearn.compose._column_transformer._RemainderColsList",
    "skrub._datetime_encoder.DatetimeEncoder",
    "skrub._string_encoder.StringEncoder",
    "skrub._to_str.ToStr",
)
# Of a fitted estimator, what tells of its training: predictions need none of it.
_HISTORY = ("status_", "solution_", "solutions_")


@dataclass(frozen=True)
class TableModel:
    """A network for a column of a table.

    Attributes
    ----------
    pipeline : Pipeline
        Of the encoder of the columns and an estimator of this library.
    columns : tuple of Column
        All columns of the table it was trained on but the target.
    target, task, loss, style : str
        Of :class:`cvxnn.cli.targets.Target`.
    others : tuple of pairs of str
        Further targets of a network of several outputs, each with its style.
    figures : dict
        What is known of the training, by name: plain numbers and texts.
    certificate : bytes, optional
        Of a :class:`cvxnn.BoundCertificate` on the encoded rows, as the network reads them.
    """

    pipeline: Pipeline
    columns: tuple[Column, ...]
    target: str
    task: Task
    loss: str
    style: str
    figures: dict[str, Any] = field(default_factory=dict)
    certificate: bytes | None = None
    others: tuple[tuple[str, str], ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all targets."""
        return (self.target, *(name for name, _ in self.others))

    @property
    def n_networks(self) -> int:
        """One, or one for each of several classes."""
        return len(self._networks)

    @property
    def n_outputs(self) -> int:
        """Outputs of the largest of its networks."""
        return max(network.n_outputs or 1 for network in self._networks)

    @property
    def _networks(self) -> list[Any]:
        return getattr(self.estimator, "networks_", None) or [self.estimator.network_]

    @property
    def estimator(self) -> Any:
        """The fitted estimator, which reads the encoded columns."""
        return self.pipeline[-1]

    @property
    def trained_loss(self) -> str:
        """The loss of the networks: softmax, where several classes share the neurons of one."""
        shares_neurons = self.task is Task.CLASSIFICATION and self.n_outputs > 1
        return "softmax" if shares_neurons else self.loss

    @property
    def level(self) -> float:
        """Of the quantile that is predicted, where it is one."""
        return float(getattr(self.estimator, "quantile", 0.5))

    @property
    def used(self) -> list[Column]:
        """The columns that a table to predict must have."""
        return [column for column in self.columns if column.kind is not Kind.LEFT_OUT]

    @property
    def texts(self) -> list[str]:
        """The columns that are to be read as text, whatever is in them."""
        return [
            column.name
            for column in self.used
            # Decimal commas: points are between thousands, where pandas would see decimals.
            if column.kind is not Kind.NUMBER or column.style == "comma"
        ]

    def encoded(self, cells: Cells) -> tuple[FloatArray, list[str]]:
        """The features of a table, shape (n, d), and what there is to say of its cells."""
        frame, notes = features(cells, self.used)
        notes += self._unknown(frame)
        with warnings.catch_warnings():
            # Of unknown categories, which are among the notes with their names.
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(self.pipeline[0].transform(frame)), notes

    def predict(self, encoded: FloatArray) -> Array:
        """Values or labels for :meth:`encoded` rows, shape (n,), or (n, c) for c targets."""
        return np.asarray(self.estimator.predict(encoded))

    def probabilities(self, encoded: FloatArray) -> FloatArray:
        """Of every class, shape (n, n_classes); InputError where there are none."""
        if self.task is not Task.CLASSIFICATION or self.loss != "logistic":
            raise InputError(
                f"The model has no probabilities: they need classes and the logistic loss, and it "
                f"was trained for {self.task} with {self.loss}."
            )
        return np.asarray(self.estimator.predict_proba(encoded))

    @property
    def classes(self) -> list[str]:
        """The labels; none for numbers."""
        found = getattr(self.estimator, "classes_", np.zeros(0, dtype=str))
        return [str(label) for label in found.tolist()]

    def labels(self, cells: Cells, texts: Array) -> Array:
        """Classes of the target in a table, shape (n,), each written as the model writes it.

        One that is none of the model's is as it is in `texts`, shape (n,).
        """
        style, _ = cells.style(self.target, self.style)
        return among(texts, style, self.classes, self.style)

    def save(self, path: Path) -> None:
        """Write the model, complete or not at all; OSError if the file cannot be written."""
        content = skops.io.dumps(self._state(), compression=zipfile.ZIP_DEFLATED)
        others = set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED)
        if others:
            # A file that nobody could read would be no model.
            raise AssertionError(f"types of a model that are not listed: {sorted(others)}")
        with atomic_write(path) as file:
            file.write(content)

    def _state(self) -> dict[str, Any]:
        lean = copy(self.estimator)
        for name in _HISTORY:
            lean.__dict__.pop(name, None)
        pipeline = copy(self.pipeline)
        pipeline.steps = [*self.pipeline.steps[:-1], (self.pipeline.steps[-1][0], lean)]
        words = {name: str(getattr(self, name)) for name in ("target", "task", "loss", "style")}
        columns = [column.to_record() for column in self.columns]
        state = {
            "format": _FORMAT, "pipeline": pipeline, "columns": columns, "figures": self.figures,
        } | words  # fmt: skip
        if self.others:
            state["others"] = [list(pair) for pair in self.others]
        if self.certificate is not None:
            state["certificate"] = np.frombuffer(self.certificate, dtype=np.uint8)
        return state

    def _unknown(self, frame: Any) -> list[str]:
        """Of each column of categories, the cells with a word that is none of them."""
        one_hot = self.pipeline[0].named_transformers_.get(CATEGORIES)
        if one_hot is None:
            return []
        notes = []
        for name, values in zip(one_hot.feature_names_in_, one_hot.categories_, strict=True):
            cells = frame[name].dropna()
            new = cells[~cells.isin(list(values))]
            if len(new):
                notes.append(
                    f"column {name!r} has {counted(len(new), 'cell')} with a value that was not "
                    f"in the training data, as {str(new.iloc[0])!r}."
                )
        return notes


def load_table_model(path: str | os.PathLike[str]) -> TableModel:
    """Read what :meth:`TableModel.save` wrote.

    Raises
    ------
    ModelFileError
        If it is another file, a damaged one, or one with types that are none of a model.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, "There is no such model file", str(path)) from None
    try:
        with warnings.catch_warnings():
            # Of another version of scikit-learn; what does not fit fails.
            warnings.simplefilter("ignore", UserWarning)
            state = skops.io.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelFileError(
            f"{path} holds types that are none of a model of cvxnn, and is not read. ({error})"
        ) from error
    except (*DAMAGE, ImportError) as error:
        raise _unreadable(path) from error
    return _model(state, path)


def _model(state: Any, path: Path) -> TableModel:
    if not isinstance(state, Mapping) or "pipeline" not in state:
        raise ModelFileError(f"{path} is not a model that 'cvxnn fit' wrote.")
    if state.get("format") != _FORMAT:
        raise ModelFileError(
            f"{path} has format {state.get('format')} of models, and this cvxnn reads {_FORMAT}."
        )
    try:
        columns = tuple(Column.from_record(record) for record in state["columns"])
        words = {name: state[name] for name in ("target", "loss", "style")}
        task, pipeline = Task(state["task"]), state["pipeline"]
        others = tuple((name, style) for name, style in state.get("others", ()))
        check_model(pipeline, columns, task, words, others)
        proof = state.get("certificate")
        return TableModel(
            pipeline, columns, task=task, figures=dict(state["figures"]),
            certificate=None if proof is None else np.asarray(proof, dtype=np.uint8).tobytes(),
            others=others, **words,
        )  # fmt: skip
    except DAMAGE as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> ModelFileError:
    return ModelFileError(
        f"{path} is damaged, or not a model that cvxnn wrote with these versions of scikit-learn "
        "and skrub."
    )
