"""What the neurons of a network for a table see, and how it may change with its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sklearn.base import clone

from cvxnn.cli.columns import Column, Kind
from cvxnn.errors import InputError
from cvxnn.models.relu import ReLU

_WAYS = {"+1": 1, "1": 1, "-1": -1}


@dataclass(frozen=True)
class Constraints:
    """The options of ``cvxnn fit`` for that.

    Attributes
    ----------
    features : int, optional
        Of so many of the encoded columns each neuron is a function.
    monotone : mapping of str to int
        1 for columns of numbers with which the target must not fall, -1 for rising.
    shape : {None, "convex", "concave"}
    l1_ratio : float
    """

    features: int | None = None
    monotone: Mapping[str, int] = field(default_factory=dict)
    shape: str | None = None
    l1_ratio: float = 0.0

    @classmethod
    def read(
        cls, features: int | None, monotone: Sequence[str], shape: str | None, l1_ratio: float
    ) -> Self:
        """From what is written on the command line; InputError if it is none.

        Examples
        --------
        >>> Constraints.read(1, ["age=-1", "size=+1"], None, 0.0).monotone
        {'age': -1, 'size': 1}
        """
        ways: dict[str, int] = {}
        for text in monotone:
            name, _, way = text.rpartition("=")
            if not name or way not in _WAYS:
                raise InputError(f"--monotone must be COLUMN=+1 or COLUMN=-1, got {text!r}.")
            if ways.setdefault(name, _WAYS[way]) != _WAYS[way]:
                raise InputError(f"--monotone must say one thing of a column, got two of {name!r}.")
        if not 0.0 <= l1_ratio <= 1.0:
            raise InputError(f"--l1-ratio must be between 0 and 1, got {l1_ratio:g}.")
        return cls(features, ways, shape, l1_ratio)

    @property
    def is_asked_for(self) -> bool:
        """Whether there are any."""
        return self != type(self)()

    def check(self, n_targets: int, n_classes: int) -> None:
        """InputError if there is no such network for so many targets, or classes."""
        if n_targets > 1 and self.is_asked_for:
            raise InputError("--features, --monotone, --shape and --l1-ratio are for one target.")
        if n_classes > 2 and self.monotone:
            raise InputError(f"--monotone is for numbers and two classes, not for {n_classes}.")

    def parameters(self, columns: Sequence[Column], encoder: Any, frame: Any) -> dict[str, Any]:
        """Those of an estimator, for the columns of a table as an encoder writes them.

        Raises
        ------
        InputError
            If a column that is to be monotone is none of numbers.
        """
        if not self.is_asked_for:
            return {}
        model = ReLU(features=self.features, shape=self.shape, l1_ratio=self.l1_ratio)
        if not self.monotone:
            return {"model": model}
        numbers = {column.name for column in columns if column.kind is Kind.NUMBER}
        others = [name for name in self.monotone if name not in numbers]
        if others:
            raise InputError(
                f"--monotone must be for a column of numbers, and {others[0]!r} is none."
            )
        names = clone(encoder).fit(frame).get_feature_names_out()
        return {"model": model, "monotonic_cst": [self.monotone.get(name, 0) for name in names]}
