"""How the optimum is looked for: which blocks are in the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.patterns import PatternSet
from cvxnn.patterns.sampling import SCHEMES
from cvxnn.settings import Settings
from cvxnn.validation import check_choice, check_count, check_flag, check_proof_time

# Seconds for a bound at the end, at least, where nobody has said how long.
LEAST_PROOF = 2.0
# Share of them that exact oracles leave for a relaxation.
_RELAXED_SHARE = 0.5


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
    """Which blocks are in the program, and so what is proven of its optimum."""

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


@dataclass(frozen=True)
class Global(Method):
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


METHODS: dict[str, type[Method]] = {kind.name: kind for kind in (Global, Exact, Sampled)}


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
