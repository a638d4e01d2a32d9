"""Settings of the search on the program of a gauge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that the search goes by, each with its reason.

    Attributes
    ----------
    steps : int
        Proximal steps of a round: enough to find the rank where the problem is easy.
    direct_rounds : int
        Rounds after which a problem counts as hard, and is approached along a path.
    path_factor : float
        From one beta of the path to the next: near enough for one solution to lead to the next.
    path_steps : int
        Proximal steps for each beta of the path, which need not be solved to the end.
    idle_rounds : int
        Rounds without any progress after which rounding is to blame.
    power_steps : int
        Of the power method: backtracking mends what it misses.
    doublings : int
        Of the curvature in one step, at most: 18 digits.
    newton_steps : int
        Of the trust-region method in one polish, at most; the next round goes on from there.
    newton_tolerance : float
        Length of the gradient in shares of beta times that of the weights: rounding.
    first_radius, largest_radius : float
        Of the trust region, in lengths of the weights: proximal steps have led close.
    """

    steps: int = 60
    direct_rounds: int = 2
    path_factor: float = 0.3
    path_steps: int = 20
    idle_rounds: int = 4
    power_steps: int = 20
    doublings: int = 60
    newton_steps: int = 100
    newton_tolerance: float = 1e-12
    first_radius: float = 0.1
    largest_radius: float = 10.0


SETTINGS = Settings()
