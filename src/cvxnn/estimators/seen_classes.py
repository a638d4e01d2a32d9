"""Classes of which there are rows: those of others have no best intercept but infinity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from cvxnn.array_types import BoolArray
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.training import CERTAIN, Training
from cvxnn.models.base import Model
from cvxnn.networks.base import Network
from cvxnn.results import Solution


@dataclass(frozen=True)
class SeenClasses:
    """Which outputs of a network of classes are trained; the others say no, for certain.

    Attributes
    ----------
    model : Model
    columns : ndarray of bool, shape (c,), or None where all outputs are trained
    """

    model: Model
    columns: BoolArray | None

    @classmethod
    def of(cls, training: Training, samples: Samples) -> Self:
        """Of samples of a network, with labels or without."""
        columns = None
        if samples.n_outputs > 1 and training.loss.has_labels and training.intercept:
            seen = np.asarray((samples.y > 0.0).any(axis=0))
            # One class alone needs no training.
            columns = None if seen.all() or seen.sum() == 1 else seen
        return cls(training.model, columns)

    def narrowed(self, samples: Samples) -> Samples:
        """The samples without the columns of classes that have no rows."""
        if self.columns is None:
            return samples
        return replace(samples, y=np.ascontiguousarray(samples.y[:, self.columns]))

    def starts(self, networks: Sequence[Network]) -> Sequence[Network]:
        """Networks of all classes without the outputs of others."""
        if self.columns is None:
            return networks
        return [
            self._turned(network, np.eye(len(self.columns))[self.columns]) for network in networks
        ]

    def network(self, network: Network) -> Network:
        """A network of the classes that have rows as one of all."""
        if self.columns is None:
            return network
        wide = self._turned(network, np.eye(len(self.columns))[:, self.columns])
        return wide.with_intercept(np.where(self.columns, wide.intercept, -CERTAIN))

    def solution(self, solution: Solution[Any]) -> Solution[Any]:
        """The same of a solution."""
        return replace(solution, network=self.network(solution.network))

    def _turned(self, network: Network, matrix: Any) -> Network:
        """The network whose outputs are a matrix times those of the network."""
        neurons = self.model.neurons(network)
        turned = replace(
            neurons, outputs=neurons.outputs @ matrix.T, intercept=matrix @ neurons.intercept
        )
        return self.model.network(turned, (turned.directions.shape[1],))
