"""Oracles for several outputs: the largest ``||V'phi(u)||`` over the unit ball, for V (n, c)."""
