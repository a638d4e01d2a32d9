"""Rows in segments, in one memory or in several, and sums over all of them."""
