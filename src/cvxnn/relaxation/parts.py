"""Bounds for many rows: a sum over parts of them, each bounded by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof, Prover, spectral_proof
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline, deferred_interrupts, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem, Units
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.multiples import JoinedParts

ProverMaker: TypeAlias = Callable[[Problem[Layer]], Prover[Neurons]]

# Similar rows that are dealt out together, at least: to find fewer takes long.
_HAND = 32
# More than half of the smallest number.
_TINY = 1e-323


@final
@dataclass(frozen=True)
class PartsProver:
    """A :class:`~cvxnn.certificates.Prover` by a sum of bounds on parts of the rows.

    One network serves all parts, so that ``p*(all rows, beta) >= sum_k p*(part k, beta_k)``
    where ``sum_k beta_k <= beta``, for every loss that is a sum over the rows. The parts are
    alike, so that little is lost; each is proven by itself at its share of beta, from the best
    network of all; at last the shares are chosen anew, see
    :class:`~cvxnn.relaxation.multiples.JoinedParts`.

    Parameters
    ----------
    problem : Problem of Layer
        Whose loss is a sum over the rows.
    n_parts : int
        K, at most n.
    make : callable
        The prover of a part, from its problem; it is called in threads, or where a backend of
        joblib has its tasks.
    threads : int, optional
        Parts that are worked on at the same time; by default as many as there are cores.
    on_bound : callable, optional
        Called with the best proof at the end.

    Notes
    -----
    Tasks know nothing of each other: each is a call of :func:`bound_part`, which processes or other
    machines can take as well, by ``with joblib.parallel_config(...)``. Data of a part are copied
    when its time comes, so that only those worked on are in memory.
    """

    problem: Problem[Layer]
    n_parts: int
    make: ProverMaker
    threads: int | None = None
    on_bound: Callable[[DualProof], object] | None = None

    @property
    def least_seconds(self) -> float:
        """None: parts have shares of the time, and see for themselves."""
        return 0.0

    def improve(
        self, incumbent: Neurons, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and the sum over the parts.

        Each part has an equal share of the time that is left, those that are over early leave
        theirs to the others; one for which there is no time has its spectral bound. A deferred
        Ctrl-C ends it like the deadline.
        """
        if deadline.passed:
            return proof
        joined, units = self.joined(incumbent, tol, deadline)
        found = joined.best()
        bounds = found.bounds * units.rows * units.targets
        # Where entries of V leave the range of float64 below, and the numbers themselves.
        bounds = bounds + _TINY * units.rows * joined.problem.rows.lengths.sum()
        bounds = np.nextafter(bounds, np.inf)
        found = replace(found.in_units(units.rows, units.targets), bounds=bounds)
        best = max(proof, found, key=lambda one: one.bound(self.problem))
        if self.on_bound is not None:
            self.on_bound(best)
        return best

    def joined(
        self, incumbent: Neurons, tol: float, deadline: Deadline
    ) -> tuple[JoinedParts, Units]:
        """The proofs of all parts, of the problem in units."""
        problem, units = self.problem.in_units()
        parts = alike(problem.rows.rows, self.n_parts, len(problem.Y))
        neurons = units.reduced(incumbent)
        threads = min(self.threads or available_cores(), self.n_parts)

        def arguments() -> Iterator[tuple[Any, ...]]:
            """Those of each part, made when its time has come."""
            for k, part in enumerate(parts):
                # Rounds of parts that are left, of which this is the first.
                rounds = -(-(self.n_parts - k) // threads)
                seconds = deadline.remaining / rounds if deadline.limited else None
                yield problem.take(part), neurons, self.make, tol, seconds

        rows = max(map(len, parts))
        with deferred_interrupts(), suitable_threads(rows):
            # Not more of them at once than are worked on.
            pool = Parallel(n_jobs=threads, prefer="threads", pre_dispatch="n_jobs", batch_size=1)
            proofs = list(pool(delayed(bound_part)(*each) for each in arguments()))
        return JoinedParts(problem, parts, proofs), units


def bound_part(
    problem: Problem[Layer], neurons: Neurons, make: ProverMaker, tol: float, seconds: float | None
) -> DualProof:
    """What is proven of one part of the rows, by itself.

    Parameters
    ----------
    problem : Problem of Layer
        Of the part, beta being its share.
    neurons : Neurons
        To start from: the best known for all rows.
    make : callable
    tol : float
        Relative gap of the part at which there is no more to do.
    seconds : float, optional
        For the prover; with 0 of them the spectral bound is all.
    """
    prediction = problem.rows.forward(neurons.directions, neurons.signs * neurons.sizes)
    first = spectral_proof(problem.rows, problem.residual(prediction))
    deadline = Deadline(seconds)
    if deadline.passed or interrupt_pending():
        return first
    try:
        return make(problem).improve(neurons, first, tol, deadline)
    except InputError:
        # The rows of the part are out of all proportion to its share of beta.
        return first


def alike(rows: FloatArray, n_parts: int, n: int) -> list[NDArray[np.intp]]:
    """n predictions in parts that look alike.

    Similar rows are dealt out to different parts, which loses a quarter less than parts drawn
    at random; where rows are not those of the predictions, at random. Sizes differ by one at
    most, and the parts are the same in every call. O(n d^2 log n).

    Examples
    --------
    >>> X = np.repeat([[1.0, 0.0], [0.0, 1.0]], 40, axis=0)
    >>> [X[part].sum(axis=0).tolist() for part in alike(X, 2, 80)]
    [[20.0, 20.0], [20.0, 20.0]]
    """
    rng = np.random.default_rng(0)
    order = rng.permutation(n)
    if len(rows) == n:
        order = np.argsort(Blocks.of(rows, max(_HAND, n_parts)).places)
    hands = -(-n // n_parts)
    deals = np.concatenate([rng.permutation(n_parts) for _ in range(hands)])[:n]
    sizes = np.bincount(deals, minlength=n_parts)
    # In order, as a check of the sum takes them.
    found = np.split(order[np.argsort(deals, kind="stable")], np.cumsum(sizes)[:-1])
    return [np.sort(part) for part in found]
