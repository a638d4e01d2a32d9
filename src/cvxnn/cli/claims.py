"""What ``cvxnn verify`` checks: a certificate, with its data and its network from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn.cli.array_files import read_arrays
from cvxnn.cli.network_tables import NetworkTable
from cvxnn.cli.outputs import check_model_file, load_any_model
from cvxnn.cli.reporting import say
from cvxnn.errors import InputError
from cvxnn.networks.storage import is_certificate, load_certificate
from cvxnn.verification import BoundCertificate
from cvxnn.verification.data import fingerprint_of

if TYPE_CHECKING:
    from cvxnn.array_types import Array, FloatArray
    from cvxnn.cli.table_models import TableModel
    from cvxnn.estimators.inputs import Samples
    from cvxnn.networks.base import Network


@dataclass(frozen=True)
class Claim:
    """A certificate, the network it is about, and the data as the network reads them.

    Without a network the objective is the one that the certificate claims.
    """

    certificate: BoundCertificate
    network: Any
    X: FloatArray
    y: FloatArray
    weights: FloatArray | None = None


def read_claim(model: Path, data: Path, targets: list[str]) -> Claim:
    """From a file of a network, a certificate or an estimator, and one of data.

    Raises
    ------
    InputError, ModelFileError, OSError
        If there is no certificate, or the data do not suit it.
    """
    return _reader(model, data)(model, data, targets)


def _reader(model: Path, data: Path) -> Callable[[Path, Path, list[str]], Claim]:
    if model.suffix.lower() == ".skops":
        return _of_table_model
    return _of_arrays if data.suffix.lower() == ".npz" else _of_table


def _of_arrays(model: Path, data: Path, targets: list[str]) -> Claim:
    """On arrays as they were given to the training."""
    if targets:
        raise InputError(f"{data} has its targets in the array y; leave --target out.")
    network, _ = _network(model)
    arrays = read_arrays(data, needed=("X", "y"), others=("sample_weight",))
    weights = arrays.get("sample_weight")
    return _as_read(Claim(load_certificate(model), network, arrays["X"], arrays["y"], weights))


def _of_table(model: Path, data: Path, targets: list[str]) -> Claim:
    """On a table of numbers."""
    network, metadata = _network(model)
    certificate = load_certificate(model)
    has_classes = certificate.loss.get("name") == "softmax"
    table = NetworkTable.read(
        network, metadata, model, data, targets,
        n_outputs=_n_outputs(network, certificate), has_classes=has_classes,
    )  # fmt: skip
    return _as_read(Claim(certificate, network, table.X, table.y))


def _network(model: Path) -> tuple[Network | None, dict[str, Any]]:
    """That in a file, with its metadata; None in one of a certificate alone."""
    check_model_file(model)
    return (None, {}) if is_certificate(model) else load_any_model(model)


def _n_outputs(network: Network | None, certificate: BoundCertificate) -> int:
    if network is not None:
        return network.n_outputs or 1
    return 1 if certificate.v.ndim == 1 else certificate.v.shape[1]


def _as_read(claim: Claim) -> Claim:
    """With a column of ones where a certificate alone is for X with one, as of `cvxnn.certify`."""
    X, y, weights = claim.X, claim.y, claim.weights
    if claim.network is not None or X.ndim != 2:
        return claim
    known = claim.certificate.fingerprint
    with_ones = np.column_stack([X, np.ones(len(X))])
    if fingerprint_of(X, y, weights) == known or fingerprint_of(with_ones, y, weights) != known:
        return claim
    say("the certificate is for a column of ones beside these, for the biases.")
    return replace(claim, X=with_ones)


def _of_table_model(model: Path, data: Path, targets: list[str]) -> Claim:
    """That of a file of 'cvxnn fit': its estimator encodes, centres and scales the table."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.certify_model import check_targets, table_problem
    from cvxnn.cli.table_models import load_table_model
    from cvxnn.exchange.foreign import read_network

    loaded = load_table_model(model)
    if loaded.certificate is None:
        raise InputError(
            f"{model} has no certificate: it has a network for each of several classes, or was "
            "saved by a version without certificates."
        )
    problem = table_problem(model, data, None)
    check_targets(targets, loaded.targets, model)
    read = read_network(problem.network)
    samples, y = _samples(loaded, problem.X, problem.y)
    certificate = BoundCertificate.from_bytes(loaded.certificate, f"The certificate in {model}")
    X = read.data(samples.X)
    return Claim(certificate, read.network, X, read.target(y, len(X)), samples.weights)


def _samples(model: TableModel, X: FloatArray, y: Array) -> tuple[Samples, Array]:
    """As the estimator has trained on them: in an order of their own, equal ones merged.

    With targets, or labels, in this order.
    """
    from cvxnn.cli.options import Task
    from cvxnn.estimators.inputs import Samples

    if model.task is not Task.CLASSIFICATION:
        samples = Samples.of(X, y, None)
        return samples, samples.y
    classes = model.estimator.classes_
    samples = Samples.of(X, np.searchsorted(classes, y).astype(np.float64), None)
    return samples, classes[samples.y.astype(np.intp)]
