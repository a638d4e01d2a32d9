"""Settings of the methods that move neurons across the rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The numbers that Newton's method and local descent go by, each with its reason.

    Attributes
    ----------
    near : int
        Hyperplanes next to each neuron whose kinks are in the model: few lie within a step.
    halvings, most_damping : int, float
        A step that does not lower the objective is halved so often, then damped more.
    rounding : float
        Gain, relative to the objective, that rounding can pretend.
    model_iterations : int
        Of the interior-point method for a model, at most; some 10 are needed.
    to_boundary : float
        Share of the way to the boundary that its steps may go.
    chunk_work : int
        Products (rows x neurons x r) that one kernel call forms, for interrupts between them.
    many_flips : float
        A column of the Gram matrix is formed anew when more than this share of its rows has
        changed sides: updates cost more then.
    refresh : int
        Updates after which rounding is cleared away.
    noise : float
        What a step on the faces leaves in an entry that is 0, as a share of the largest.
    memory : int
        Pairs that L-BFGS keeps.
    stretch : int
        Steps over which its progress is judged: one alone may gain little.
    """

    near: int = 20
    halvings: int = 3
    most_damping: float = 1e4
    rounding: float = 1e-15
    model_iterations: int = 50
    to_boundary: float = 0.995
    chunk_work: int = 1 << 24
    many_flips: float = 1.0 / 16.0
    refresh: int = 100
    noise: float = 1e-14
    memory: int = 30
    stretch: int = 50


SETTINGS = Settings()
