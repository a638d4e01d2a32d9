"""Parallel networks of three layers: the joint dual over sign choices, and the search beyond."""
