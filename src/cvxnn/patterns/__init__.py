"""Activation patterns of a data matrix: counting, enumeration, sampling."""

from cvxnn.patterns.enumeration import count_patterns_bound, enumerate_patterns
from cvxnn.patterns.pattern_set import PatternSet
from cvxnn.patterns.sampling import sample_patterns

__all__ = ["PatternSet", "count_patterns_bound", "enumerate_patterns", "sample_patterns"]
