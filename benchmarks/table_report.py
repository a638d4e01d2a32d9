"""Tables of what `tables.py` has measured."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from harness import print_table
from scipy.stats import rankdata
from table_methods import CROSS_VALIDATED, DEFAULT_MLP, METHODS, OURS, PLAIN, TUNED_MLP

# A set and a split of it.
Place = tuple[str, int]
Fits = dict[str, dict[Place, "Fit"]]


@dataclass(frozen=True)
class Fit:
    """One method on one split; `error` in standard deviations of the target, or a share."""

    set: str
    split: int
    method: str
    regression: bool
    rows: int
    features: int
    error: float
    seconds: float
    note: str

    @property
    def case(self) -> tuple[str, int, str]:
        return self.set, self.split, self.method


def by_method(fits: Sequence[Fit]) -> Fits:
    table: Fits = {method: {} for method in METHODS}
    for fit in fits:
        table[fit.method][fit.set, fit.split] = fit
    return {method: places for method, places in table.items() if places}


def over_sets(
    ours: dict[Place, Fit], theirs: dict[Place, Fit], compare: Callable[[Fit, Fit], float]
) -> list[float]:
    """Mean over the splits that both have, for each set."""
    values = defaultdict(list)
    for place in ours.keys() & theirs.keys():
        values[place[0]].append(compare(ours[place], theirs[place]))
    return [statistics.fmean(each) for each in values.values()]


def difference(ours: Fit, theirs: Fit) -> float:
    """In per cent of the other's error, or in points."""
    if not ours.regression:
        return 100.0 * (ours.error - theirs.error)
    return 100.0 * (ours.error / max(theirs.error, 1e-12) - 1.0)


def time_ratio(ours: Fit, theirs: Fit) -> float:
    return ours.seconds / theirs.seconds


def mean_and_error(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):.3g} ± {spread:.2g}"


def won_and_lost(values: Sequence[float]) -> str:
    return f"{sum(v < 0.0 for v in values)} : {sum(v > 0.0 for v in values)}" if values else ""


def mean_ranks(fits: Fits) -> dict[str, float]:
    """Over the splits on which all methods of the table have been fitted."""
    shared = set.intersection(*(set(places) for places in fits.values()))
    if not shared:
        return dict.fromkeys(fits, np.nan)
    errors = np.array([[places[place].error for place in shared] for places in fits.values()])
    return dict(zip(fits, rankdata(errors, axis=0).mean(axis=1), strict=True))


def set_rows(fits: Fits) -> Iterator[list[object]]:
    """A set each: its size, then error and seconds of every method."""
    places = sorted({place for method in fits.values() for place in method})
    for name in dict.fromkeys(name for name, _ in places):
        one = next(fit for method in fits.values() for (n, _), fit in method.items() if n == name)
        row: list[object] = [name, f"{one.rows} x {one.features}"]
        for method in fits.values():
            mine = [fit for (n, _), fit in method.items() if n == name]
            row.append(
                f"{statistics.fmean(fit.error for fit in mine):.4g}, "
                f"{statistics.median(fit.seconds for fit in mine):.2g} s" if mine else ""
            )  # fmt: skip
        yield row


def method_rows(fits: Fits) -> Iterator[list[object]]:
    """A method each: rank, time, and ours in pairs with it."""
    ranks = mean_ranks(fits)
    for method, places in fits.items():
        seconds = [fit.seconds for fit in places.values()]
        row: list[object] = [method, f"{ranks[method]:.2f}", f"{statistics.median(seconds):.2g}"]
        for ours in OURS:
            pairs = over_sets(fits.get(ours, {}), places, difference) if ours != method else []
            middle = f"{statistics.median(pairs):.2g}" if pairs else ""
            row += [mean_and_error(pairs), middle, won_and_lost(pairs)]
        yield row


def claims(fits: Fits) -> Iterator[str]:
    """Ours beside the MLP, the way it is used at once and the way it is tuned."""
    for ours in OURS:
        ratios = over_sets(fits.get(ours, {}), fits.get(DEFAULT_MLP, {}), time_ratio)
        if ratios:
            yield (
                f"{ours}: median time {statistics.median(ratios):.2g} times that of one "
                f"{DEFAULT_MLP}, over {len(ratios)} sets (largest {max(ratios):.2g})"
            )
        pairs = over_sets(fits.get(ours, {}), fits.get(TUNED_MLP, {}), difference)
        if pairs:
            yield (
                f"{ours}: error less that of {TUNED_MLP} {mean_and_error(pairs)}, "
                f"median {statistics.median(pairs):.2g}, sets {won_and_lost(pairs)}"
            )
    regret = over_sets(fits.get(PLAIN, {}), fits.get(CROSS_VALIDATED, {}), difference)
    if regret:
        yield f"{PLAIN} less {CROSS_VALIDATED}: {mean_and_error(regret)}"


def report(fits: Sequence[Fit]) -> None:
    """A table of sets and one of methods, for regression and for classification."""
    for regression, unit in ((True, "%"), (False, "points")):
        table = by_method([fit for fit in fits if fit.regression == regression])
        if not table:
            continue
        print(f"\n{'Regression' if regression else 'Classification'}: error, seconds of a fit\n")
        print_table(["set", "rows", *table], set_rows(table))
        header = ["method", "mean rank", "median s"]
        for ours in OURS:
            header += [f"{ours} less this, {unit}", "median", "sets better : worse"]
        print_table(header, method_rows(table))
        print("\n".join(claims(table)))
