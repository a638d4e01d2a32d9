"""Figures of a run against the stored ones."""

import numpy as np

# Largest differences, relative to each number, of predictions to the largest; a dual bound may
# be higher by any amount.
TOLERANCES = {
    "objective": 1e-10,
    "dual_bound": 1e-9,
    "predictions": 1e-7,
    "size": 0.0,
    "values": 1e-10,
    "scores": 1e-10,
}


def differences(found, stored, tolerances=TOLERANCES):
    """What has changed, a sentence for each."""
    if set(found) != set(stored):
        return [f"figures are {sorted(found)}, were {sorted(stored)}"]
    return [
        f"{name} is {found[name]}, was {stored[name]}"
        for name in stored
        if not _agree(name, found[name], stored[name], tolerances)
    ]


def _agree(name, found, stored, tolerances):
    if name == "status":
        return bool(found == stored)
    new, old = np.asarray(found, dtype=float), np.asarray(stored, dtype=float)
    if new.shape != old.shape or np.isnan(new).any():
        return False
    new, old = new[new != old], old[new != old]  # bounds may be infinite
    sizes = np.abs(np.asarray(stored, dtype=float)).max(initial=0.0) + 0.0 * old
    if name != "predictions":
        sizes = np.abs(old)
    moved = old - new if name == "dual_bound" else np.abs(new - old)
    return bool((moved <= tolerances[name] * sizes).all())
