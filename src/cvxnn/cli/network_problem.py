"""The problem of a network in a file, on a table: what its certificate is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvxnn.cli.network_tables import NetworkTable
from cvxnn.cli.options import NetworkLoss
from cvxnn.cli.outputs import load_model
from cvxnn.cli.problems import Problem
from cvxnn.cli.reporting import say
from cvxnn.errors import InputError, ModelFileError
from cvxnn.networks.storage import read_file
from cvxnn.verification.certificate import BoundCertificate

# The numbers of losses that have one.
_PARAMETERS = {NetworkLoss.QUANTILE: "level", NetworkLoss.HUBER: "delta"}


def network_problem(
    model: Path, data: Path, targets: list[str], beta: float | None, loss: NetworkLoss | None
) -> Problem:
    """That of a network on a table of numbers.

    Where beta or the loss are not given, they are those of the training, as the file tells:
    its metadata, or the certificate that was saved with the network.

    Raises
    ------
    InputError, ModelFileError, OSError
        If the file has no beta either, or the table does not suit the network.
    """
    network, metadata = load_model(model)
    certificate = _certificate(model)
    beta = _beta(metadata, certificate, model) if beta is None else beta
    loss, parameters = _loss(certificate, model) if loss is None else (loss, {})
    table = NetworkTable.read(
        network, metadata, model, data, targets,
        n_outputs=network.n_outputs or 1, has_classes=loss is NetworkLoss.SOFTMAX,
    )  # fmt: skip
    return Problem(network, table.features, table.X, table.y, table.outputs, beta, loss, parameters)


def _certificate(model: Path) -> BoundCertificate | None:
    """The one that was saved with a network, if there is one."""
    proof = read_file(model).certificate
    if proof is None:
        return None
    return BoundCertificate.from_bytes(proof, f"The certificate in {model}")


def _beta(metadata: Mapping[str, Any], certificate: BoundCertificate | None, model: Path) -> float:
    beta = metadata.get("beta")
    if beta is None and certificate is not None:
        beta = certificate.beta
        say(f"beta is {beta:g}, as in the certificate of {model}.")
    if beta is None:
        raise InputError(f"{model} does not say what beta is; give it with --beta.")
    if isinstance(beta, bool) or not isinstance(beta, int | float):
        raise ModelFileError(f"{model} has a beta that is no number; give it with --beta.")
    return float(beta)


def _loss(
    certificate: BoundCertificate | None, model: Path
) -> tuple[NetworkLoss, dict[str, float]]:
    """The loss of the training with its numbers; the squared one where no certificate tells."""
    if certificate is None:
        return NetworkLoss.SQUARED, {}
    name = certificate.loss.get("name")
    if name not in set(NetworkLoss):
        raise InputError(
            f"{model} was trained with {name}, which is no loss of cvxnn: certify it in Python, "
            "or give another loss with --loss."
        )
    loss = NetworkLoss(name)
    numbers = [_PARAMETERS[loss]] if loss in _PARAMETERS else []
    return loss, {key: certificate.loss[key] for key in numbers if key in certificate.loss}
