"""Checks of dual points of several outputs, V of shape (n, c): lengths in the place of moduli."""
