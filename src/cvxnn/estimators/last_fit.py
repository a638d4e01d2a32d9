"""The networks of the last fit, for one that goes on from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cvxnn.errors import InputError
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.scaling import Scaling
from cvxnn.estimators.training import Training
from cvxnn.networks.base import Network


@dataclass(frozen=True)
class LastFit:
    """What the last fit has left.

    Attributes
    ----------
    networks : list of Network
    scaling : Scaling
        In whose units they are.
    shape : tuple of int
        Of its samples.
    has_ones : bool
        Whether a column of ones was appended to them.
    """

    networks: list[Network]
    scaling: Scaling
    shape: tuple[int, ...]
    has_ones: bool

    def check(self, training: Training, problems: Sequence[Samples], now: LastFit) -> None:
        """Raise InputError if networks for these problems cannot begin with those.

        Parameters
        ----------
        training : Training
        problems : sequence of Samples
            Of each network, as it reads them.
        now : LastFit
            What is known of this fit, which has no networks yet.
        """
        if len(self.networks) != len(problems):
            raise InputError(
                f"With warm_start=True y must need as many networks as in the last fit, "
                f"{len(self.networks)}, got {len(problems)}."
            )
        outputs = [network.n_outputs or 1 for network in self.networks]
        wanted = [samples.n_outputs for samples in problems]
        if outputs != wanted:
            raise InputError(
                f"With warm_start=True y must have {outputs[0]} columns or classes, as in the "
                f"last fit, got {wanted[0]}."
            )
        is_table = training.model.takes_ones
        if is_table and self.shape != now.shape:
            raise InputError(
                f"With warm_start=True X must have {self.shape[0]} features, as in the last fit, "
                f"got {now.shape[0]}."
            )
        if is_table and self.has_ones != now.has_ones:
            raise InputError(
                f"With warm_start=True hidden_bias must be that of the last fit, {self.has_ones}."
            )
        for network, samples in zip(self.networks, problems, strict=True):
            rows, shape = training.problem(samples).rows, samples.X.shape[1:]
            try:
                training.model.check_warm_start(network, rows, shape)
            except InputError as error:
                raise InputError(
                    "With warm_start=True model, hidden_bias and samples must be like those of "
                    f"the last fit: its networks are none of {training.model.label} on samples of "
                    f"shape {now.shape}."
                ) from error

    def starts(
        self, training: Training, problems: Sequence[Samples], beta: float, scaling: Scaling
    ) -> list[list[Network]] | None:
        """For each problem its network, if that is better than none; None in other units.

        A search that goes on from a network of other data ends worse than one from nothing.
        """
        if not self.scaling.equals(scaling):
            return None
        pairs = zip(self.networks, problems, strict=True)
        return [
            [network] if training.helps(network, samples, beta) else []
            for network, samples in pairs
        ]
