"""The parts of ``adversarial.py``: nasty data, exact arithmetic, an independent search, checks.

Nothing here but `calls`, `relaxed` and `dual_point` knows the library under test.
"""
