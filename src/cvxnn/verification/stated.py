"""The problem that a certificate states, on data: what its dual point proves there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.data import floats
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.duals import Dual, SquaredDual
from cvxnn.verification.evidence import Evidence
from cvxnn.verification.kinds import CheckedModel
from cvxnn.verification.losses import DUALS, check_targets
from cvxnn.verification.models import CHECKED
from cvxnn.verification.objective import GivenNetwork
from cvxnn.verification.projection import Projection


class Statement(Protocol):
    """What of a certificate is read here; see :class:`~cvxnn.verification.BoundCertificate`."""

    @property
    def model(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def arrays(self) -> Mapping[str, Array]: ...
    @property
    def loss(self) -> Mapping[str, Any]: ...
    @property
    def beta(self) -> float: ...
    @property
    def intercept(self) -> bool: ...
    @property
    def v(self) -> FloatArray: ...
    @property
    def level(self) -> float: ...
    @property
    def evidence(self) -> Evidence | None: ...
    def balanced(self) -> FloatArray:
        """The dual point; beside an intercept with the sum 0 exactly, or 0."""


@final
@dataclass(frozen=True, eq=False)
class StatedProblem:
    """The rows of a weight above 0, as a certificate reads them."""

    model: CheckedModel
    data: FloatArray
    y: FloatArray
    weights: FloatArray

    @classmethod
    def of(
        cls, certificate: Statement, X: ArrayLike, y: ArrayLike, weights: ArrayLike | None
    ) -> StatedProblem:
        name = certificate.model
        if name not in CHECKED:
            raise InputError(f"A certificate of {name} cannot be checked independently yet.")
        model = CHECKED[name].read(certificate.settings, certificate.arrays)
        data, targets = floats(X, "X"), _targets(y, certificate.v)
        counts = np.ones(len(targets)) if weights is None else floats(weights, "sample_weight")
        if data.ndim < 2 or not len(data) == len(targets) == counts.size or counts.ndim != 1:
            raise InputError("X, y and sample_weight must have the same number of rows.")
        if (counts < 0.0).any():
            raise InputError("sample_weight must be at least 0.")
        alive = counts > 0.0
        if len(certificate.v) != int(alive.sum()):
            raise InputError(
                f"The certificate is for {len(certificate.v)} rows, and there are "
                f"{int(alive.sum())}."
            )
        if targets.ndim == 2 and not model.takes_outputs:
            raise InputError(
                f"A certificate of {name} with several outputs cannot be checked independently yet."
            )
        check_targets(certificate.loss.get("name"), targets)
        return cls(model.on(data[alive]), data[alive], targets[alive], counts[alive])

    def bound(self, certificate: Statement, deadline: Deadline) -> tuple[float, str]:
        """The lower bound that the dual point proves, and how."""
        v, beta = certificate.balanced(), float(certificate.beta)
        if not (np.isfinite(v).all() and 0.0 < beta < math.inf):
            return -math.inf, "nothing: the certificate has numbers that are none"
        with np.errstate(all="ignore"):
            claim = float(certificate.level), certificate.evidence
            largest, how = self.model.largest(self.data, v, claim, deadline)
        parameters = {k: p for k, p in certificate.loss.items() if k != "name"}
        dual = self._dual(certificate.loss["name"], v, parameters)
        if self.model.has_free_skip:
            largest += self._project(dual, v, has_constant=bool(certificate.intercept))
        return dual.lower_bound(largest, beta), how

    def _project(self, dual: Dual, v: FloatArray, *, has_constant: bool) -> float:
        """Move a dual point to where it vanishes on X; what its largest value gains by that."""
        if not isinstance(dual, SquaredDual):
            raise InputError(
                "A certificate beside a free skip connection, of another loss than the squared "
                "one, cannot be checked independently yet."
            )
        S = np.column_stack([self.data, np.ones(len(v))]) if has_constant else self.data
        projection = Projection.of(S, v, self.y, self.weights)
        dual.add(projection.square, projection.product)
        slope = abs(float(getattr(self.model, "slope", 0.0)))
        return projection.reach(self.data) * max(1.0, slope) * (1.0 + 1e-9)

    def _dual(self, name: str, v: FloatArray, parameters: dict[str, Any]) -> Dual:
        numbers = (isinstance(value, (int, float)) for value in parameters.values())
        if not (all(numbers) and all(0.0 < value < math.inf for value in parameters.values())):
            raise InputError("The loss of the certificate has parameters that are none.")
        y, weights = self.y, self.weights
        if y.ndim == 2 and not DUALS[name].joins_outputs:
            # A sum over outputs.
            count = v.size // len(v)
            v, y, weights = v.ravel(), y.ravel(), np.repeat(weights, count)
        try:
            return DUALS[name](v, y, weights, **parameters)
        except TypeError as error:
            raise InputError("The loss of the certificate has parameters that are none.") from error

    def objective(
        self, certificate: Statement, network: object
    ) -> tuple[tuple[float, float] | None, str]:
        """That of a network, from below and from above, or why it is none of this problem."""
        given = GivenNetwork.of(network)
        difference = given.difference(self.model, bool(certificate.intercept), self.y.shape[1:])
        if difference:
            return None, difference
        between = given.objective_between(
            self.data, self.y, self.weights, certificate.loss, float(certificate.beta)
        )
        if not np.isfinite(between).all():
            return None, "The network has an objective beyond the range of numbers."
        return between, ""


def _targets(y: ArrayLike, v: FloatArray) -> FloatArray:
    """In the shape of the dual point but for rows of the weight 0."""
    targets = floats(y, "y")
    if np.ndim(v) == 1:
        return targets.ravel()
    if targets.ndim != 2 or targets.shape[1] != v.shape[1]:
        raise InputError(f"y must have {v.shape[1]} columns, one for each output.")
    return targets
