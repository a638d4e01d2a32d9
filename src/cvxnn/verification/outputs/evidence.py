"""Evidence for bounds with several outputs; none of it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array
from cvxnn.errors import InputError
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.outputs.tree import OutputsTree
from cvxnn.verification.tree import MOST_DIMENSIONS


@final
@dataclass(frozen=True, eq=False)
class OutputsSplits(Evidence):
    """The splits of an :class:`~cvxnn.verification.outputs.tree.OutputsTree`."""

    kind: ClassVar[str] = "cones of outputs"
    words: ClassVar[str] = "a tree of cones, its splits followed"
    is_of_outputs: ClassVar[bool] = True

    splits: Array

    def bound(self, pieces: Pieces, level: float) -> float:
        function = OutputsKinked.of(pieces)
        if not 1 <= function.rank <= MOST_DIMENSIONS:
            raise InputError("The certificate has splits of cones, but X has another rank.")
        tree = OutputsTree(function, function.needed(level))
        return function.total(tree.followed(self.splits))

    @property
    def arrays(self) -> dict[str, Array]:
        return {"splits": self.splits}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        splits = arrays["splits"]
        if splits.ndim != 1 or splits.dtype != np.uint8:
            raise ValueError("splits that are none")
        return cls(splits)
