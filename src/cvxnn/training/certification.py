"""How far a trained network is from the best one: :func:`certify`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.errors import InputError
from cvxnn.exchange.foreign import detached, read_network
from cvxnn.interrupts import deferred_interrupts, forget_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import check_plain
from cvxnn.problems import Problem
from cvxnn.results import NetworkCertificate
from cvxnn.training.certification_run import CertificationRun
from cvxnn.training.run import Callback, Limits
from cvxnn.validation import check_proof_time, check_random_state
from cvxnn.verification.data import fingerprint_of


def certify(
    network: Any,
    X: ArrayLike,
    y: ArrayLike,
    beta: float | None = None,
    *,
    loss: str | Loss | None = None,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    time_limit: float | None = 60.0,
    proof_time: float | str = "auto",
    random_state: int | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> NetworkCertificate:
    """Prove how far a two-layer ReLU network is from the best one, however it was trained.

    The objective is (2) of the seed paper::

        1/2 ||f(X) - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean), or the same with another convex loss in place
    of the square. Every bias is penalised: a hidden bias is a weight on a column of
    ones, an output bias b is one more neuron on it, which costs ``beta |b|``; but the
    `intercept` of a network of this library costs nothing, as in training. Where
    that is not how the network was trained, `notes` of the result say so.

    Networks of c outputs have ``||F(X) - Y||^2`` and ``||a_j||^2`` there, and the loss of
    several classes is that of their softmax; an output bias b costs ``beta ||b||``.

    Parameters
    ----------
    network : object
        A :class:`TwoLayerNetwork`; a pair ``(hidden_weights, output_weights)``
        of shapes (m, d) and (m,), (1, m) or (m, c); a module of torch
        that computes Linear, ReLU, Linear, with or without biases: a
        ``Sequential``, or one whose `forward` torch.fx can trace. Dropout and
        BatchNorm1d may be in it in evaluation mode, BatchNorm1d folded into the
        layer beside it, and Flatten, Identity and a Sigmoid, Softmax or LogSoftmax at the
        end. Or a fitted ``MLPRegressor`` or ``MLPClassifier`` of ``sklearn.neural_network``
        with one hidden layer of ReLU, a fitted :class:`ConvexReLURegressor` or
        :class:`ConvexReLUClassifier` of one network, also with ``CV``; or a fitted
        ``Pipeline`` of scikit-learn that ends in a network. Its weights
        are taken to float64, in which everything is computed.
    X : array-like, shape (n, d)
        Data as the network itself takes them: the column of ones for its biases is
        appended here, and the steps of a pipeline transform them. Tensors of torch
        are taken as well, also where they require gradients; images of any shape
        where the network begins with Flatten.
    y : array-like, shape (n,), or (n, c) for c outputs
        Targets. For a classifier the labels that it was fitted on, which its
        ``classes_`` turn into -1 and 1, or into a column for each of several; 0 and 1 for a
        torch network that ends in Sigmoid; -1 and 1 for others where the loss is for labels.
        For a network of c outputs with the softmax loss the numbers of the classes, 0 to
        c - 1, shape (n,), or probabilities of all of them, shape (n, c).
    beta : float, optional
        Regularisation, > 0; by default that of a fitted estimator of this library, others do not
        know theirs. Of a network of PyTorch it is ``n w / 2`` for `MSELoss` and the weight
        decay w of SGD. Other losses and optimisers are in the table of :doc:`/guide/numbers`.
    loss : str or Loss, optional
        As for :func:`cvxnn.solve`. By default that of the network, where it is known:
        ``"logistic"`` for an `MLPClassifier` of two classes and for a Sigmoid at the end,
        ``"softmax"`` for one of several classes and for a Softmax or LogSoftmax at the end,
        before which its values are taken, that of an estimator of this library;
        ``"squared"`` for all others.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0, as for :func:`cvxnn.solve`.
    tol : float, default 1e-6
        Relative gap ``(objective + objective_error - dual_bound) / objective`` below which the
        network counts as optimal; in ]0, 1[.
    time_limit : float or None, default 60.0
        Seconds after which the search for a better bound stops, None for never.
        Unlike training, the question has an honest answer at any time, and a
        complete one may take time exponential in d: a call without a limit
        might not return. A minute is what small problems, and large ones with
        few features, need at most.
    proof_time : "auto" or float, default "auto"
        Seconds in it for the relaxation that bounds what no oracle can; "auto" is as long as
        the search has taken, 2 at least.
    random_state : int, numpy Generator or None, default 0
        Source of the directions and the working set that the search starts from.
    callback : callable, optional
        Called with a :class:`Progress` after every round of the search. These
        are of the network that is trained for its bound, not of the one given.

    Returns
    -------
    NetworkCertificate
        With objective, lower bound, gap, verdict and, if there is one, the best
        improving neuron; also when the time is up or Ctrl-C is pressed: then
        with the bound so far.

    Raises
    ------
    InputError
        If an argument is not as described; one sentence says what was found. One network
        for each of several classes is certified one by one.

    Notes
    -----
    A module with a `forward` of the user's is traced and run once, on random rows.

    A balanced network is optimal if and only if no neuron has
    ``|r'(Xu)_+| > beta`` at its residual r, minus the gradient of the loss, and its
    own neurons attain beta; of several outputs if none has ``||R'(Xu)_+|| > beta``.
    Two dual points are tried: the residual, which suffices
    for an optimal network, and, where its bound is too low, the one that training a
    network of our own leads to, because the optimal value is the same number
    whichever dual point proves it. Where no oracle ends - of features there are more than
    five or so - a relaxation with products of pairs of rows is solved from the network of our
    own (``cvxnn.relaxation.prover``), beyond 5000 rows in parts
    (``cvxnn.relaxation.parts``).

    What other objectives correspond to, of n rows: ``torch.nn.MSELoss()`` with
    ``weight_decay=w`` of ``torch.optim.SGD`` is 2 / n times (2) with ``beta = n w / 2``, but for
    an output bias b, which it lets cost ``beta b^2 / 2``. `MLPRegressor` and `MLPClassifier` with
    ``alpha`` are 1 / n times the one here with ``beta = alpha``, but without a penalty on their
    biases. Adam adds the decay to the gradient as SGD does; AdamW minimises none of these
    objectives. All of it is in a table: :doc:`/guide/numbers`.

    References
    ----------
    Seed paper, (2), (8) and (11); M. Pilanci and T. Ergen, ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import certify
    >>> from cvxnn.training import solve
    >>> X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.0])
    >>> certificate = certify(([[1.0]], [0.5]), X, y, beta=1.0)
    >>> print(certificate.verdict.name, f"{certificate.objective:.4f}")
    IMPROVABLE 1.2500
    >>> certificate = certify(solve(X, y, beta=1.0).network, X, y, beta=1.0)
    >>> print(certificate.verdict.name, f"{certificate.objective:.4f}")
    OPTIMAL 0.9000
    """
    read = read_network(network)
    check_plain(read.network, "network", intercept=True, n_outputs=None)
    beta = _own_beta(network) if beta is None else beta
    loss = read.loss if loss is None else loss
    read = read.labelled_for(loss)
    data = read.data(X)
    target, weights = read.target(y, len(data)), detached(sample_weight, "sample_weight")
    problem = Problem.checked(Layer(data), target, beta, loss, weights, read.has_intercept)
    # Training might refuse beta too, but only after the residual has been priced.
    problem.in_units()
    limits = Limits(tol, 1, time_limit, callback)
    check_proof_time(proof_time)
    run = CertificationRun(read, problem, limits, check_random_state(random_state), proof_time)
    with deferred_interrupts():
        run.execute()
        certificate = run.certificate(fingerprint_of(data, target, weights))
        forget_interrupt()
    return certificate


def _own_beta(network: Any) -> float:
    """That of a fitted estimator, which may be the last step of a pipeline."""
    last = network[-1] if hasattr(network, "named_steps") else network
    found = getattr(last, "beta_", None)
    if found is None:
        raise InputError(
            "beta must be given, as this network does not know its own; which it is for the losses "
            "and optimisers of PyTorch and scikit-learn is in a table of docs/guide/numbers.md, "
            "under 'Which beta it is'."
        )
    return float(found)
