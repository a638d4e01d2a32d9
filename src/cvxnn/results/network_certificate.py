"""What is proven of a network that something else has trained."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.results.solution import Certificate, Solution
from cvxnn.results.status import Status, by_name
from cvxnn.summaries import counted, of_quality, summary
from cvxnn.verification.certificate import BoundCertificate


class Verdict(Enum):
    """What :func:`cvxnn.certify` found; each value is the sentence a user reads.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> network = cvxnn.TwoLayerNetwork([[0.0, 0.0, 1.0]], [1.0])  # 1 everywhere
    >>> cvxnn.certify(network, X, y, beta=1.0).verdict.value
    'The network is not optimal: a better one is known.'
    """

    OPTIMAL = Status.OPTIMAL.value
    IMPROVABLE = "The network is not optimal: a better one is known."
    UNDECIDED = (
        "No better network was found, but the lower bound does not prove that there is none; "
        "the gap that is proven is reported."
    )

    __reduce_ex__ = by_name


@dataclass(frozen=True, eq=False)
class ImprovingNeuron:
    """A neuron that lowers the objective of a network when it is added to it.

    Attributes
    ----------
    direction : ndarray, shape (d,)
        Its unit direction u.
    output : float, or ndarray of shape (c,) for several outputs
        1 or -1, the sign s of its output weight; of several its unit output weights a.
    value : float
        ``s r'(Xu)_+`` at the residual r of the network, minus the gradient of the
        loss, of several outputs ``a'R'(Xu)_+``; above beta.
    size : float
        The c > 0 that is best for the neuron ``c s (Xu)_+``. For the squared loss
        that is ``(value - beta) / ||(Xu)_+||^2``.
    decrease : float
        By how much the objective falls then, for the squared loss
        ``(value - beta)^2 / (2 ||(Xu)_+||^2)``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import ImprovingNeuron
    >>> neuron = ImprovingNeuron(np.array([1.0]), -1.0, value=3.0, size=4.0, decrease=4.0)
    >>> neuron.hidden_weights, neuron.output_weight
    (array([2.]), -2.0)
    >>> shared = ImprovingNeuron(np.array([1.0]), np.array([0.6, -0.8]), 3.0, 4.0, 4.0)
    >>> shared.output_weight
    array([ 1.2, -1.6])
    """

    direction: FloatArray
    output: float | FloatArray
    value: float
    size: float
    decrease: float

    @property
    def hidden_weights(self) -> FloatArray:
        """``sqrt(c) u``, shape (d,): balanced with :attr:`output_weight`."""
        return float(np.sqrt(self.size)) * self.direction

    # Any: a float or a vector, which the number of outputs tells.
    @property
    def output_weight(self) -> Any:
        """``s sqrt(c)``, a float; of several outputs ``sqrt(c) a``, an ndarray of shape (c,)."""
        return self.output * float(np.sqrt(self.size))

    @property
    def sign(self) -> float:
        """Of one output: the s, 1 or -1; of several there is none, but `output`."""
        if np.ndim(self.output):
            raise InputError("A neuron of several outputs has no sign; take its output.")
        return float(self.output)

    def added_to(self, network: TwoLayerNetwork) -> TwoLayerNetwork:
        """The network with this neuron as its last; InputError if it has other outputs."""
        plain = check_plain(network, "network", intercept=True, n_outputs=None)
        if plain.output_weights.shape[1:] != np.shape(self.output):
            raise InputError(
                f"network must have the outputs of the neuron, {np.size(self.output)}, "
                f"got {network!r}."
            )
        return TwoLayerNetwork(
            np.vstack([plain.hidden_weights, self.hidden_weights]),
            np.concatenate([plain.output_weights, np.asarray(self.output_weight)[np.newaxis]]),
            intercept=plain.intercept,
        )


@dataclass(frozen=True, eq=False)
class NetworkCertificate(Certificate):
    """How far a given network is from the best one; what :func:`cvxnn.certify` returns.

    A better network is one whose objective is lower by more than ``tol`` times
    the objective: below that the network is optimal as far as anyone asked.

    Attributes
    ----------
    objective, dual_bound : float
        The objective of the network, and a lower bound on that of every network of any width.
    gap : float
        How far the objective is from the best one at most, relative to it.
    oracle_bound : float
        An upper bound on what one more neuron is worth at the residual of the network, to be
        compared with `beta` and `largest_value`, not with the objective: see :class:`Certificate`.
    objective_error, objective_floor : float
        Of the rounding of the objective, as of :class:`Certificate`.
    verdict : Verdict
        Optimal within `tol`, improvable, or undecided.
    network : TwoLayerNetwork
        The network as it was read; its objective is the one reported.
    has_ones : bool
        Whether a column of ones was appended to X for the biases of the
        network: the last weight of every neuron is then on it.
    balanced_objective : float
        The objective after :meth:`TwoLayerNetwork.balance`, the least that
        rescaling the neurons, which does not change the function, can reach.
    largest_value : float
        The largest ``|r'(Xu)_+|``, of several outputs ``||R'(Xu)_+||``, above beta that was
        found at the residual r of the network (see `oracle_bound`), over ``||u|| = 1``; 0 where
        none was. A lower bound of the maximum, of which `oracle_bound` is an upper bound.
    improving_neuron : ImprovingNeuron, optional
        Of the neurons that were found, the one that lowers the objective most;
        None where none makes the network a better one.
    better_network : Solution, optional
        A better network that the search for a bound came across; on the same
        columns as `network`.
    notes : tuple of str
        Where the conventions of the network differ from those of objective
        (2), and what was done about it, in sentences.
    beta, tol : float
        The arguments of the call.
    interrupted : bool
        Whether Ctrl-C ended the search.
    elapsed : float
        Seconds.
    certificate : BoundCertificate, optional
        What it takes to recompute `dual_bound` from the data alone, for X as the network reads
        it: with the column of ones where there is one.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> network = cvxnn.TwoLayerNetwork([[0.0, 0.0, 1.0]], [1.0])  # 1 everywhere
    >>> certificate = cvxnn.certify(network, X, y, beta=1.0)
    >>> print(certificate.verdict.name, certificate.objective, f"{certificate.dual_bound:.4f}")
    IMPROVABLE 57.0 9.7259
    >>> better = certificate.improving_neuron.added_to(network)
    >>> better.objective(X, y, 1.0) < certificate.objective
    True
    >>> print(certificate)  # doctest: +ELLIPSIS
    IMPROVABLE: The network is not optimal: a better one is known.
      objective    57
      lower bound  9.7259..., which no network of its kind is below
      gap          8.3e-01 (tol 1.0e-06)
      best found   9.7259..., of a network of ... neurons
      one more     a neuron that lowers the objective by ...
      neurons      1, as they were read
      run          beta 1, ... s
      A network without neurons has a lower objective, 25: look whether X, y, the loss and beta are
      those of the training, in its units.
    """

    verdict: Verdict
    network: TwoLayerNetwork
    has_ones: bool
    balanced_objective: float = field(repr=False)
    largest_value: float = field(repr=False)
    improving_neuron: ImprovingNeuron | None = field(repr=False)
    better_network: Solution[TwoLayerNetwork] | None = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    beta: float
    tol: float
    interrupted: bool
    elapsed: float
    certificate: BoundCertificate | None = field(default=None, repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network that was read and its certificate to one file, complete or not at all.

        Parameters
        ----------
        path : str or path
            Ends in ``.npz`` or ``.safetensors``. ``cvxnn verify`` reads it, `cvxnn.load_network`
            and `cvxnn.load_certificate` do.

        Raises
        ------
        InputError
            If the name ends in something else.
        OSError
            If the file cannot be written.
        """
        self.network.save(path, certificate=self.certificate)

    def __str__(self) -> str:
        rows = of_quality(self.objective, self.dual_bound, self.gap, self.tol)
        better, neuron = self.better_network, self.improving_neuron
        if better is not None:
            size = counted(better.n_neurons, "neuron")
            rows.append(("best found", f"{better.objective:.9g}, of a network of {size}"))
        if neuron is not None:
            rows.append(
                ("one more", f"a neuron that lowers the objective by {neuron.decrease:.4g}")
            )
        ending = ", interrupted" if self.interrupted else ""
        rows.append(("neurons", f"{self.network.n_neurons}, as they were read"))
        rows.append(("run", f"beta {self.beta:g}, {self.elapsed:.2f} s{ending}"))
        return summary(f"{self.verdict.name}: {self.verdict.value}", rows, self.notes)
