"""Settings of the search over all directions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that :class:`~cvxnn.solvers.global_search.GlobalSearch` goes by.

    Attributes
    ----------
    many_rows : int
        From it on a round climbs from the neurons that are there, too: their peaks have moved
        a little, over many kinks, and a climb costs less than Newton's method. The search
        starts on a part of the rows.
    part : int
        One in so many rows is in the part, and one in so many of that in the one before.
    coarse, coarse_rounds : float, int
        Excess over beta up to which neurons are looked for on a part, and rounds at most: the
        next part needs no more.
    done : float
        A part has done its work, too, when no more than this share of its neurons is new.
    at_rest : float
        Without a polish the search is over when a round gains less than this share.
    columns_reach : float
        Gap that weighing peaks reaches without Newton's method.
    search_share : float
        Of the time; the rest is for the certificate.
    quick_rank : int
        Up to it the exact oracle is quick: it takes over when the ascent finds few.
    unsure_share : float
        Of the time, for an exact oracle that may not end.
    few, rare : int, float
        Neurons that are few, and their share of all on many rows, where it takes over earlier.
    most_excess : float
        Objective over penalty, at most: beyond it the residual is hardly stationary.
    last_tolerance, nearly : float
        Tolerance of a certificate that is made when time is up, unless the gap is within this
        factor of its goal: then a tight one may reach it.
    least_proof : float
        Seconds that it may take, however short the search was.
    most_exact : int
        Neurons of the exact oracle that one round takes up; all of them on many rows, where
        they are cheap to weigh and dear to find.
    corrected_entries : int
        Up to so many entries the dual point is corrected on the faces of the neurons.
    rounding : float
        A relative correction beyond it mends more than rounding: the faces were misread.
    sharp_work : int
        Products in the Gram matrix of a Newton step up to which the last digits are worth it.
    as_good : float
        Relative difference of objectives that is rounding. The residual, on which the
        certificate rests, errs by the root of what the objective errs by.
    starts, most_starts : int
        Random starts of an ascent: at first, and when neurons become rare.
    ascent_work : int
        Rows times starts of one ascent: beyond it there are fewer starts.
    most_new, wide_most_new : int
        Neurons of each sign that one round may add, in low and in high rank.
    dear_rows : int
        In high rank an ascent from each start on more rows takes seconds: neurons are looked
        for on a part of them then.
    far : float
        While a proposal exceeds beta by this factor, neurons have far to go.
    descent_steps, wide_descent_steps, least_descent_steps : int
        Of a local descent, at most: neurons have to come near to rest for Newton's method,
        and in high rank each has to travel; and at least, however many rows there are.
    descent_work : int
        Rows times neurons times steps of one descent: a second or so.
    wide_gain, share_of_round : float
        Local descent in high rank ends when 50 steps gain less than this share of the
        objective, or than that share of what the round before gained: new neurons gain more.
    few_steps, many_steps : int
        Newton steps of a round while there are many new neurons, and to converge.
    enough : float
        Relative gain below which the few steps end.
    newton_variables, wide_newton_variables : int
        Of the model with kinks: beyond it a step costs more than it brings.
    small : float
        Size of proposals in high rank, where they travel instead of being weighed first, in
        shares of what would fit the residual.
    wide : int
        Neurons that start together in high rank: one of each sign would be no start.
    """

    many_rows: int = 4_000
    part: int = 4
    coarse: float = 0.01
    coarse_rounds: int = 20
    done: float = 1.0 / 16.0
    at_rest: float = 1e-4
    columns_reach: float = 1e-5
    search_share: float = 0.85
    quick_rank: int = 4
    unsure_share: float = 0.5
    few: int = 8
    rare: float = 0.25
    most_excess: float = 10.0
    last_tolerance: float = 1e-3
    nearly: float = 10.0
    least_proof: float = 1.0
    most_exact: int = 60
    corrected_entries: int = 600_000
    rounding: float = 1e-6
    sharp_work: int = 1 << 33
    as_good: float = 1e-13
    starts: int = 200
    most_starts: int = 1_000
    ascent_work: int = 1 << 25
    most_new: int = 60
    wide_most_new: int = 150
    dear_rows: int = 10_000
    far: float = 1.2
    descent_steps: int = 200
    wide_descent_steps: int = 1_000
    least_descent_steps: int = 20
    descent_work: int = 1 << 29
    wide_gain: float = 1e-3
    share_of_round: float = 0.25
    few_steps: int = 4
    many_steps: int = 12
    enough: float = 1e-9
    newton_variables: int = 2_000
    wide_newton_variables: int = 700
    small: float = 0.1
    wide: int = 400


SETTINGS = Settings()
