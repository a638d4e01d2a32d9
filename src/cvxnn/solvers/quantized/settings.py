"""The numbers that the search for quantised networks goes by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Each with its reason.

    Attributes
    ----------
    few : int
        Features up to which a tree over signs takes less than a Lasso: every round has one.
    usual : int
        Features up to which it takes seconds as a rule, so that no relaxation comes before.
    walks, most_walks : int
        From random signs; so many more where the first find nothing.
    inner : int
        Residuals whose pairs join in a round.
    most_new : int
        Pairs that join at once.
    spare : int
        Pairs of size zero that stay, beside a multiple of the rest: they may come back.
    margin : float
        Share of tol by which a pair has to be above beta to be worth a round.
    draws : int
        Of the relaxation, from which walks start.
    steps : int
        Of L-BFGS on the relaxation in a round.
    closed : float
        Relative gap between the relaxation and what is proven by it at which it is at rest.
    quick_nodes : int
        Of a tree for a proof in some seconds.
    idle : float
        What a round without progress counts.
    """

    few: int = 16
    usual: int = 32
    walks: int = 4
    most_walks: int = 32
    inner: int = 5
    most_new: int = 30
    spare: int = 60
    margin: float = 0.03
    draws: int = 20
    steps: int = 150
    closed: float = 1e-5
    quick_nodes: int = 10_000_000
    idle: float = 0.5


SETTINGS = Settings()
