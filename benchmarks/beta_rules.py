"""Rules for a default beta, from what `default_beta.py` has measured, and their regrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from harness import FloatArray


@dataclass(frozen=True)
class Record:
    """A path on all training rows of a split, and on folds; a score for each beta.

    A score is a mean square in units of the variance of the target, or a mean logistic
    loss; `errors` are mean squares or shares of wrong classes on the test rows.
    """

    name: str
    split: int
    regression: bool
    n: int
    rank: int
    largest: float
    betas: list[float]
    neurons: list[int]
    train: list[float]
    errors: list[float]
    folds: list[list[float]]
    held_out: list[float]

    @property
    def chosen(self) -> float:
        """That of cross-validation."""
        return self.betas[int(np.mean(self.folds, axis=0).argmin())]

    def error(self, beta: float) -> float:
        """On the test rows, in the logarithm of beta between those of the path."""
        errors = np.sqrt(self.errors) if self.regression else np.array(self.errors)
        return float(np.interp(-np.log(beta), -np.log(self.betas), errors))

    def regret(self, beta: float) -> float:
        """In per cent of the error of cross-validation, or in points."""
        best = self.error(self.chosen)
        return 100.0 * (self.error(beta) - best) / (best if self.regression else 1.0)


Rule = Callable[[Record], float]


def crossing(
    record: Record, scores: Sequence[float], factor: float, powers: tuple[float, float, float]
) -> float:
    """The largest beta <= factor n^a rank^b score(beta)^c, between two of the path."""
    of_rows, of_rank, of_score = powers
    logs = np.log(record.betas)
    allowed = (
        np.log(factor) + of_rows * np.log(record.n) + of_rank * np.log(record.rank)
        + of_score * np.log(np.maximum(scores, 1e-12))
    )  # fmt: skip
    room = allowed - logs
    inside = np.flatnonzero(room >= 0.0)
    if not len(inside):
        return record.betas[-1]
    first = int(inside[0])
    if first == 0:
        return record.betas[0]
    part = room[first - 1] / (room[first - 1] - room[first])
    return float(np.exp(logs[first - 1] + part * (logs[first] - logs[first - 1])))


def softened(record: Record, scores: Sequence[float], width: float = 0.04) -> float:
    """Mean of the logarithms of all betas, heavy where the score is near the best."""
    logs = np.log(np.maximum(scores, 1e-12))
    weights = np.exp(-(logs - logs.min()) / width)
    return float(np.exp(weights @ np.log(record.betas) / weights.sum()))


def best_of(scores: Sequence[float], record: Record) -> float:
    return record.betas[int(np.argmin(scores))]


SHARED: dict[str, Rule] = {
    "the best on the test rows": lambda r: best_of(r.errors, r),
    "best on the fold of ordered rows": lambda r: best_of(r.held_out, r),
    "the same, softened": lambda r: softened(r, r.held_out),
}
REGRESSION: dict[str, Rule] = {
    **SHARED,
    "0.3": lambda r: 0.3,
    "1": lambda r: 1.0,
    "0.001 of the largest": lambda r: 1e-3 * r.largest,
    "0.0046 of the largest": lambda r: 4.6e-3 * r.largest,
    "1.8 rank^.75 train^.75": lambda r: crossing(r, r.train, 1.8, (0.0, 0.75, 0.75)),
    "1.8 rank^.75 held out^1.25": lambda r: crossing(r, r.held_out, 1.8, (0.0, 0.75, 1.25)),
    "2.8 rank^.75 held out^1.5": lambda r: crossing(r, r.held_out, 2.8, (0.0, 0.75, 1.5)),
    "0.4 n^.25 rank^.75 held out^1.25": lambda r: crossing(r, r.held_out, 0.4, (0.25, 0.75, 1.25)),
    "0.25 n^.25 rank^.75 held out": lambda r: crossing(r, r.held_out, 0.25, (0.25, 0.75, 1.0)),
}
CLASSIFICATION: dict[str, Rule] = {
    **SHARED,
    "1": lambda r: 1.0,
    "3": lambda r: 3.0,
    "12": lambda r: 12.0,
    "0.01 of the largest": lambda r: 1e-2 * r.largest,
    "0.03 of the largest": lambda r: 3e-2 * r.largest,
    "0.04 (n rank)^.5": lambda r: 0.04 * (r.n * r.rank) ** 0.5,
    "0.7 rank^.75": lambda r: 0.7 * r.rank**0.75,
    "rank^.5": lambda r: r.rank**0.5,
    "1.1 rank^.75 held out^.75": lambda r: crossing(r, r.held_out, 1.1, (0.0, 0.75, 0.75)),
}


def over_tables(records: Sequence[Record], rule: Rule) -> FloatArray:
    """Mean regret over the splits of each table."""
    regrets = defaultdict(list)
    for record in records:
        regrets[record.name].append(record.regret(rule(record)))
    return np.array([np.mean(each) for each in regrets.values()])


def rows(records: Sequence[Record]) -> Iterator[list[object]]:
    """A rule each: mean and its standard error, median, ninth decile and largest regret."""
    for name, rule in (REGRESSION if records[0].regression else CLASSIFICATION).items():
        v = over_tables(records, rule)
        spread = v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else np.nan
        yield [
            name, f"{v.mean():.2f} ± {spread:.2f}", f"{np.median(v):.2f}",
            f"{np.quantile(v, 0.9):.1f}", f"{v.max():.1f}",
        ]  # fmt: skip
