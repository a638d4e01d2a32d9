"""Settings of the rough search on many rows and features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that :class:`~cvxnn.solvers.descent.tile_search.TileSearch` goes by.

    Attributes
    ----------
    ascent_rows : int
        Rows, drawn anew in every round, on which neurons are looked for: where to climb needs
        no more of them, and what is found is weighed on all rows.
    least_rank : int
        Rank that is high: from it on the search begins roughly and neurons start small and
        travel; exact methods end below it.
    wide : int
        Neurons that start together, in all directions.
    starts, ascent_steps : int
        Directions that climb, and their steps: neurons go on travelling with the others.
    few_starts, dense : int, float
        Starts of a path at its beginning, where neurons are few, and the share of them that
        leads to new neurons from which on there are more.
    peaks, peak_steps : int
        Ends of climbs on a part of the rows that climb on all of them to the largest beta.
    stirred_rows, rough_steps, rough_epochs : int
        For a score neurons move by steps on tiles where rows are so many, for few epochs, and
        by few steps of L-BFGS where they are fewer.
    margin : float
        Share of beta by which a neuron has to exceed it to be worth its place.
    most_new : int
        Neurons that a round adds.
    unsure : float
        Share of a threshold that a value on a part of the rows has to reach: it is a guess.
    same : float
        Directions with a cosine above this are one.
    one : float
        Neurons of several outputs with cosines above this in both layers are merged, to move as
        one: on digits a third of the neurons is left, and the objective is within 1 %.
    small : float
        Size of new neurons, in shares of what would fit the residual: the joint descent
        weighs them. By a Lasso most would be lost that are still travelling.
    epochs, rate : int, float
        Of steps on tiles of rows that come first where rows are many, and the first move of a
        weight for rows and predictions of size one.
    most_stirred : int
        Rows of these tiles; where there are more, so many are drawn: they lead near enough for a
        descent on all.
    steps, memory : int
        Of L-BFGS in a round, and the pairs that it keeps.
    stretch, enough : int, float
        A descent ends when so many steps gain less than this share of the objective.
    nothing : float
        Neurons below this share of the longest are dropped.
    sweeps, least_sweep : int, float
        Of coordinate descent on sizes at most, and the share of the penalty that one gains:
        brought to its end it would drop neurons that are still travelling.
    straight : float
        Share of the majorizing curvature that every row has when sizes are chosen.
    done : float
        The search is over when a round gains less than this share of the objective.
    """

    ascent_rows: int = 2_000
    least_rank: int = 8
    wide: int = 400
    starts: int = 200
    ascent_steps: int = 8
    few_starts: int = 50
    dense: float = 0.2
    peaks: int = 8
    peak_steps: int = 8
    stirred_rows: int = 4_000
    rough_steps: int = 50
    rough_epochs: int = 10
    margin: float = 0.01
    most_new: int = 100
    unsure: float = 0.8
    same: float = 0.999
    one: float = 0.95
    small: float = 0.3
    epochs: int = 40
    rate: float = 0.004
    most_stirred: int = 1 << 16
    steps: int = 200
    memory: int = 15
    stretch: int = 10
    enough: float = 1e-5
    nothing: float = 1e-5
    sweeps: int = 20
    least_sweep: float = 1e-7
    straight: float = 1e-2
    done: float = 1e-4


SETTINGS = Settings()
