"""How the columns of a table become the rows of X, and what a model file says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.cli.csv_table import Table
from cvxnn.cli.outputs import counted
from cvxnn.errors import InputError, ModelFileError


@dataclass(frozen=True)
class Features:
    """The columns that a network reads.

    Attributes
    ----------
    names : tuple of str
        Feature columns, in the order of the hidden weights.
    target : str
        The column that the network predicts.
    bias : bool
        Whether a column of ones follows the features.
    mean, scale : ndarray of shape (len(names),), or None
        What is subtracted from a feature, and what it is then divided by.
    """

    names: tuple[str, ...]
    target: str
    bias: bool
    mean: FloatArray | None = None
    scale: FloatArray | None = None

    def matrix(self, values: FloatArray) -> FloatArray:
        """X for the feature columns `values`, of shape (n, len(names))."""
        if self.mean is not None and self.scale is not None:
            values = (values - self.mean) / self.scale
        return np.column_stack([values, np.ones(len(values))]) if self.bias else values

    def describe(self) -> str:
        """How many features there are, in words."""
        features = counted(len(self.names), "feature")
        return f"{features} and a bias" if self.bias else features

    def to_metadata(self) -> dict[str, Any]:
        """The part of a model's metadata that :meth:`from_metadata` reads."""
        return {
            "feature_names": list(self.names),
            "target": self.target,
            "bias": self.bias,
            "mean": None if self.mean is None else self.mean.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], n_features: int, source: str) -> Features:
        """Read back :meth:`to_metadata`; `ModelFileError` if it does not fit the network."""
        try:
            features = cls(
                names=tuple(str(name) for name in metadata["feature_names"]),
                target=str(metadata["target"]),
                bias=bool(metadata["bias"]),
                mean=_optional_vector(metadata["mean"]),
                scale=_optional_vector(metadata["scale"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{source} does not say which columns the network reads; "
                "only models saved by 'cvxnn fit' do."
            ) from error
        sizes = {len(features.names)}
        sizes.update(len(part) for part in (features.mean, features.scale) if part is not None)
        if sizes != {n_features - features.bias} or (features.mean is None) != (
            features.scale is None
        ):
            raise ModelFileError(f"{source} names other features than its network has.")
        return features


def standardization(values: FloatArray, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of every column; the deviation of a constant column is 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = values.mean(axis=0), values.std(axis=0)
    bad = ~(np.isfinite(mean) & np.isfinite(scale))
    if bad.any():
        name = names[int(np.argmax(bad))]
        raise InputError(f"Column {name!r} has numbers too large to standardize.")
    # Not scale == 0: rounding leaves a constant column a deviation of 1e-17.
    return mean, np.where(np.ptp(values, axis=0) == 0.0, 1.0, scale)


def read_training_data(
    table: Table, target: str, *, bias: bool, standardize: bool
) -> tuple[Features, FloatArray, FloatArray]:
    """Read a table whose columns are all features but one: features, X and y."""
    table.require(target)
    names = tuple(name for name in table.columns if name != target)
    if not names:
        raise InputError(f"{table.source} has no column besides the target {target!r}.")
    values = table.read([*names, target])
    inputs, y = values[:, :-1], values[:, -1].copy()
    mean, scale = standardization(inputs, names) if standardize else (None, None)
    features = Features(names, target, bias, mean, scale)
    return features, np.ascontiguousarray(features.matrix(inputs)), y


def _optional_vector(entries: Any) -> FloatArray | None:
    if entries is None:
        return None
    vector = np.asarray(entries, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError("not a vector")
    return vector
