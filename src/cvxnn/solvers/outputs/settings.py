"""Settings of the search for networks of several outputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that :class:`~cvxnn.solvers.outputs.search.OutputsSearch` goes by.

    Attributes
    ----------
    starts : int
        Random starts of an ascent.
    unsure : float
        Share of the threshold from which on what a part of the rows says is looked into.
    most_new : int
        Neurons that a round adds.
    small : float
        Size of a new neuron, in shares of what would fit the dual point.
    coarse_steps, steps, long_steps : int
        Of L-BFGS in a round: at first, and near the end, where rows are many or few.
    coarse, near, enough : float
        The same for the share of the objective that a stretch of steps has to gain: else it
        ends.
    coarse_rounds : int
        Rounds that are coarse, at most.
    many_rows, many_angles : int
        Hyperplanes beyond which a move of a neuron crosses many kinks; in rank two, where there
        is one angle.
    slow, exchanges : float, int
        Relative gain of moves below which that many rounds only exchange neurons.
    gain : float
        Relative gain of a round that is one.
    done : float
        The same below which a search ends that brings nothing to rest.
    nothing : float
        Neurons below this share of the longest are dropped.
    same : float
        Output weights with a cosine above this are one, where neurons share a cell.
    as_good : float
        Relative difference of objectives that is rounding.
    search_share : float
        Of the time; the rest is for the proof.
    most_excess : float
        Objective over penalty, at most: beyond it the dual point is hardly stationary.
    most_exact : int
        Neurons of the exact oracle that one round takes up.
    """

    starts: int = 200
    unsure: float = 0.7
    most_new: int = 50
    small: float = 0.1
    coarse_steps: int = 100
    steps: int = 200
    long_steps: int = 1500
    coarse: float = 1e-4
    near: float = 1e-9
    enough: float = 1e-10
    coarse_rounds: int = 8
    many_rows: int = 2_000
    many_angles: int = 300
    slow: float = 1e-6
    exchanges: int = 15
    gain: float = 1e-12
    done: float = 1e-3
    nothing: float = 1e-7
    same: float = 0.9999
    as_good: float = 1e-14
    search_share: float = 0.9
    most_excess: float = 1e6
    most_exact: int = 20


SETTINGS = Settings()
