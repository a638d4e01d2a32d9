"""Figures of a run against the stored ones."""

from __future__ import annotations

from typing import Any

import numpy as np

# Largest differences, relative; a dual bound may be higher by any amount.
OBJECTIVE, BOUND, VALUE, PREDICTION = 1e-10, 1e-9, 1e-10, 1e-7


def differences(found: dict[str, Any], stored: dict[str, Any], **tolerances: float) -> list[str]:
    """What has changed, a sentence for each; `tolerances` replace those for all cases."""
    if set(found) != set(stored):
        return [f"figures are {sorted(found)}, were {sorted(stored)}"]
    return [
        f"{name} is {found[name]}, was {stored[name]}"
        for name in stored
        if not _agree(name, found[name], stored[name], tolerances)
    ]


def _agree(name: str, found: Any, stored: Any, tolerances: dict[str, float]) -> bool:
    if name in ("status", "size"):
        return bool(found == stored)
    new, old = np.asarray(found, dtype=float), np.asarray(stored, dtype=float)
    if new.shape != old.shape or np.isnan(new).any():
        return False
    same = new == old  # infinite bounds, too
    if name == "dual_bound":
        lost = np.where(same, 0.0, old - new)
        return bool((lost <= tolerances.get(name, BOUND) * np.abs(old)).all())
    if name == "predictions":
        tolerance, size = tolerances.get(name, PREDICTION), np.abs(old).max(initial=0.0)
    else:
        tolerance, size = (
            tolerances.get(name, {"objective": OBJECTIVE}.get(name, VALUE)),
            np.abs(old),
        )
    moved = np.where(same, 0.0, np.abs(new - old))
    return bool((moved <= tolerance * size).all())
