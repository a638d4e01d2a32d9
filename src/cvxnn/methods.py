"""How the optimum is looked for: which blocks are in the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss
from cvxnn.patterns import PatternSet
from cvxnn.patterns.sampling import SCHEMES
from cvxnn.settings import Settings
from cvxnn.validation import check_choice, check_count, check_flag, check_proof_time

# Seconds for a bound at the end, at least, where nobody has said how long.
LEAST_PROOF = 2.0
# Share of them that exact oracles leave for a relaxation.
_RELAXED_SHARE = 0.5
# Of Frank and Wolfe's method.
STEPS = ("line_search", "open_loop")


class Arrangement(Protocol):
    """Cells of directions in which predictions are linear, to be listed or drawn from.

    Both raise OutOfTimeError if the deadline passes before the end.
    """

    def enumerate(self, deadline: Deadline) -> PatternSet:
        """All cells; TooManyPatternsError if they do not fit into memory."""

    def sample(
        self, n_samples: int, scheme: str, random_state: np.random.Generator, deadline: Deadline
    ) -> PatternSet:
        """The cells of random directions."""


class Method(Settings, ABC):
    """Which blocks are in the program, and so what is proven of its optimum.

    Examples
    --------
    >>> from cvxnn import Exact, Sampled
    >>> Exact().covers_all, Sampled(n_samples=100).covers_all
    (True, False)
    """

    name: ClassVar[str]
    # Patterns that were chosen by hand; None where the method finds its own.
    patterns: PatternSet | None = None
    # Whether an exact oracle may be asked.
    certify: bool = True
    # Whether neurons come to rest to the last digits.
    polish: bool = True

    @property
    @abstractmethod
    def covers_all(self) -> bool:
        """Whether the program has the optimum of all networks."""

    @abstractmethod
    def list_patterns(
        self, arrangement: Arrangement, random_state: np.random.Generator, deadline: Deadline
    ) -> PatternSet | None:
        """The patterns of the program; None where none are listed.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end.
        TooManyPatternsError
            If they do not fit into memory.
        """

    def uncertified(self) -> Self:
        """The same without asking an exact oracle, where it asks one."""
        return self

    @property
    def may_prove_longer(self) -> bool:
        """Whether more seconds for proofs may give a closer bound."""
        return False

    def proof_seconds(self, searched: float, proved: float = 0.0) -> float:
        """How long to look for a better bound at the end.

        Parameters
        ----------
        searched : float
            Seconds that the search took.
        proved : float
            Seconds beside these that exact oracles took, without an end.
        """
        return 0.0

    def with_proof_time(self, seconds: float | str) -> Self:
        """The same with so long for that bound, where it looks for one."""
        return self

    def check_problem(self, loss: Loss, *, intercept: bool) -> None:
        """InputError if it does not train with a loss, or beside an intercept; says what does."""


class Proving(Method):
    """A method over all networks, whose bound may be looked for when its search has ended.

    Attributes
    ----------
    proof_time : "auto" or float
        Seconds for that.
    """

    proof_time: float | str

    def proof_seconds(self, searched: float, proved: float = 0.0) -> float:
        """As long as the search took, 2 at least, unless the user has said otherwise.

        What exact oracles took is part of it, but for a half that is left in any case.
        """
        if not isinstance(self.proof_time, str):
            return float(self.proof_time)
        if not (self.certify and self.polish):
            return 0.0
        seconds = max(searched, LEAST_PROOF)
        return max(seconds - proved, _RELAXED_SHARE * seconds)

    @property
    def may_prove_longer(self) -> bool:
        """Unless nobody wants a proof."""
        return (self.certify and self.polish) or self.proof_seconds(0.0) > 0.0

    def with_proof_time(self, seconds: float | str) -> Self:
        """With another `proof_time`."""
        return self.replaced(proof_time=seconds)

    @property
    def covers_all(self) -> bool:
        """True."""
        return True

    def list_patterns(
        self, arrangement: Arrangement, random_state: np.random.Generator, deadline: Deadline
    ) -> None:
        """None: neurons are not bound to patterns."""

    def uncertified(self) -> Self:
        """With ``certify=False``."""
        return self.replaced(certify=False)


@dataclass(frozen=True)
class Global(Proving):
    """The optimum over all networks: neurons are generated until a proof shows none is missing.

    Parameters
    ----------
    certify : bool, default True
        False spares the exact oracle, as long as it would have to search: the end is
        STATIONARY then, with the bound that is known anyway.
    polish : bool, default True
        False ends the search, STATIONARY too, where neurons have come to rest up to the
        precision of a score, some per mille of the objective: neither Newton steps nor an
        exact oracle follow. In rank two, where it takes no time, the optimum stays exact.
        Rows in dask are searched as if it were False.
    proof_time : "auto" or float
        Seconds, within the time limit, for a bound by a relaxation at the end, where no exact
        oracle has come to one: it says how far from optimal the network is at most, at any
        rank. "auto" is as long as the search has taken, 2 at least; none where `certify` or
        `polish` is False. Of a time limit a search leaves as many for it, two thirds at most.
        Where an exact oracle may not end - in rank 7 and beyond, with more than 64 distinct
        rows - it has a quarter as long before the relaxation: who wants a proof to its end
        gives it more time.

    Raises
    ------
    InputError
        If a setting is not as described.

    Examples
    --------
    >>> Global()
    Global(certify=True, polish=True, proof_time='auto')
    """

    certify: bool = True
    polish: bool = True
    proof_time: float | str = "auto"
    name: ClassVar[str] = "global"

    def __post_init__(self) -> None:
        check_flag(self.certify, "certify")
        check_flag(self.polish, "polish")
        check_proof_time(self.proof_time)


@dataclass(frozen=True)
class Exact(Method):
    """The same optimum from the program on all patterns, which must fit into memory.

    Parameters
    ----------
    patterns : PatternSet, optional
        Patterns to use instead of enumerating them; of the rows that neurons read, which are
        X for plain ReLU without weights of rows.

    Raises
    ------
    InputError
        If a setting is not as described.

    Examples
    --------
    >>> from cvxnn import enumerate_patterns, solve
    >>> X, y = [[-1.0, 1.0], [2.0, 1.0]], [0.0, 1.0]
    >>> patterns = enumerate_patterns(X)
    >>> len(patterns), solve(X, y, 0.1, method=Exact(patterns)).n_patterns
    (4, 4)
    """

    patterns: PatternSet | None = None
    name: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        _check_patterns(self.patterns)

    @property
    def covers_all(self) -> bool:
        """Whether nobody has chosen the patterns."""
        return self.patterns is None

    def list_patterns(
        self, arrangement: Arrangement, random_state: np.random.Generator, deadline: Deadline
    ) -> PatternSet:
        """All of them."""
        return self.patterns if self.patterns is not None else arrangement.enumerate(deadline)


@dataclass(frozen=True)
class Sampled(Method):
    """The optimum of the program on the patterns of random directions.

    Parameters
    ----------
    n_samples : int, default 500
        Directions to draw.
    scheme : {"data", "gaussian"}
        How they are drawn, see :func:`cvxnn.sample_patterns`.
    patterns : PatternSet, optional
        Patterns to use instead of sampling them; of the rows that neurons read, which are
        X for plain ReLU without weights of rows.

    Raises
    ------
    InputError
        If a setting is not as described.

    Examples
    --------
    >>> Sampled(100)
    Sampled(n_samples=100, scheme='data', patterns=None)
    """

    n_samples: int = 500
    scheme: str = "data"
    patterns: PatternSet | None = None
    name: ClassVar[str] = "sampled"

    def __post_init__(self) -> None:
        check_count(self.n_samples, "n_samples")
        check_choice(self.scheme, "scheme", SCHEMES)
        _check_patterns(self.patterns)

    @property
    def covers_all(self) -> bool:
        """False."""
        return False

    def list_patterns(
        self, arrangement: Arrangement, random_state: np.random.Generator, deadline: Deadline
    ) -> PatternSet:
        """Those of the directions that were drawn."""
        if self.patterns is not None:
            return self.patterns
        return arrangement.sample(self.n_samples, self.scheme, random_state, deadline)


@dataclass(frozen=True)
class FrankWolfe(Proving):
    """Steps towards one neuron after the other: a conditional gradient, by Frank and Wolfe.

    The problem is ``min l(f) + beta t`` over predictions f and sizes t with
    ``gauge(f) <= t <= T``, where T is what the best objective so far leaves for t. A step goes
    from ``(f, t)`` towards ``(T s phi(u), T)``, of the neuron that an oracle says is the best at
    the residual, or towards 0 where none helps.

    Parameters
    ----------
    step : {"line_search", "open_loop"}
        How far: to the lowest objective on the way, or a share ``2 / (k + 2)`` in round k.
    certify : bool, default True
        False spares exact oracles, as long as they would have to search.
    proof_time : "auto" or float, default 0.0
        As for :class:`Global`. Such a gap is more often that of the network than of the bound.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    The objective is within ``O(L (T R)^2 / k)`` of the optimum after k rounds, for a loss of
    curvature L and activations of length R, and no faster as a rule: most runs end with
    ITERATION_LIMIT and the gap that is proven. The gap of the method itself, ``t beta - v'f + T
    max(M - beta, 0)`` at the residual v, is in `method_bound` of :class:`cvxnn.Progress`, with
    an upper bound of an oracle for M; that of the other methods, at the same v, is never below it.
    It has no intercept, and no loss with kinks or of counts.

    References
    ----------
    M. Frank and P. Wolfe, Naval Research Logistics Quarterly 3 (1956), 95-110. F. Bach, Breaking
    the curse of dimensionality with convex neural networks, JMLR 18 (2017), 1-53. M. Jaggi,
    Revisiting Frank-Wolfe, ICML 2013.

    Examples
    --------
    >>> from cvxnn import solve
    >>> X, y = [[-1.0, 1.0], [2.0, 1.0]], [0.0, 1.0]
    >>> solution = solve(X, y, 0.1, method="frank_wolfe", max_iter=100)
    >>> solution.gap < 0.05, solution.n_iter <= 100
    (True, True)
    """

    step: str = "line_search"
    certify: bool = True
    proof_time: float | str = 0.0
    name: ClassVar[str] = "frank_wolfe"

    def __post_init__(self) -> None:
        check_choice(self.step, "step", STEPS)
        check_flag(self.certify, "certify")
        check_proof_time(self.proof_time)

    def check_problem(self, loss: Loss, *, intercept: bool) -> None:
        """InputError for an intercept, kinks and logarithmic links."""
        what = ""
        if intercept:
            what = "no intercept: a column of ones in X gives neurons a bias"
        elif loss.is_kinked:
            what = "no loss with kinks, on which its gradient says nothing of the step"
        elif loss.has_log_link:
            what = "no loss of counts or amounts, whose curvature has no bound"
        if what:
            raise InputError(
                f"method='frank_wolfe' takes {what}; method='global' and "
                "method='incremental' are for that."
            )


@dataclass(frozen=True)
class Incremental(Proving):
    """One neuron after the other, and the best weights of all of them after each.

    The next neuron is the best at the residual: exactly, where rows are of rank two or of few
    patterns; else the best of what an ascent finds, from the linear classifier that separates
    residuals above 0 from those below, each weighted with its modulus, and from random
    directions. Neurons stay where they are: they get other weights, and may be dropped. The end
    is where no neuron has ``|v'phi(u)| > beta``, by the bound of an oracle.

    Parameters
    ----------
    n_starts : int, default 16
        Random directions beside the classifier, of either sign.
    certify : bool, default True
        False spares exact oracles, as long as they would have to search.
    proof_time : "auto" or float
        As for :class:`Global`.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    A fully corrective conditional gradient. A round costs a Lasso of O(n k^2) for k neurons
    beside the oracle. :class:`Global` moves the neurons, too, and needs fewer of both.

    References
    ----------
    Y. Bengio, N. Le Roux, P. Vincent, O. Delalleau and P. Marcotte, Convex neural networks,
    NIPS 2005.

    Examples
    --------
    >>> from cvxnn import solve
    >>> X, y = [[-1.0, 1.0], [2.0, 1.0]], [0.0, 1.0]
    >>> solve(X, y, 0.1, method="incremental").status.name
    'OPTIMAL'
    """

    n_starts: int = 16
    certify: bool = True
    proof_time: float | str = "auto"
    name: ClassVar[str] = "incremental"

    def __post_init__(self) -> None:
        check_count(self.n_starts, "n_starts")
        check_flag(self.certify, "certify")
        check_proof_time(self.proof_time)


METHODS: dict[str, type[Method]] = {
    kind.name: kind for kind in (Global, Exact, Sampled, FrankWolfe, Incremental)
}


def as_method(method: object) -> Method:
    """A method from its name, with its defaults, or as it is; InputError if it is neither.

    Examples
    --------
    >>> as_method("sampled")
    Sampled(n_samples=500, scheme='data', patterns=None)
    """
    if isinstance(method, Method):
        return method
    return METHODS[check_choice(method, "method", tuple(METHODS))]()


def _check_patterns(patterns: object) -> None:
    if patterns is None:
        return
    if not isinstance(patterns, PatternSet):
        raise InputError(f"patterns must be a PatternSet or None, got {type(patterns).__name__}.")
    if len(patterns) == 0:
        raise InputError("patterns is empty; it needs one pattern at least.")
