"""Settings of all tests."""

from hypothesis import settings

# The same examples in every run, and no deadlines: the first call of a kernel compiles it.
settings.register_profile("cvxnn", derandomize=True, deadline=None, max_examples=10)
settings.load_profile("cvxnn")
