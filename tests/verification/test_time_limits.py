"""Checks that end before they have proven what is claimed: what they say is true."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import cvxnn
from cvxnn import InputError
from cvxnn.training.solve import solve_quietly
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import Pieces, SignSplits
from cvxnn.verification.largest import largest_of_kinks
from cvxnn.verification.leaves import LEAF, LeavesEvidence
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.outputs.largest import largest_of_outputs, recorded_splits
from cvxnn.verification.outputs.tree import OutputsTree
from cvxnn.verification.parts import PartsEvidence
from cvxnn.verification.signs import SignTree
from cvxnn.verification.tree import Tree


class Counted:
    """A deadline after so many questions."""

    def __init__(self, questions):
        self._left, self.was_missed = iter(range(questions)), False

    @property
    def passed(self):
        return next(self._left, None) is None

    def share(self, parts):
        return self


@pytest.fixture(scope="module")
def pieces():
    rng = np.random.default_rng(0)
    return Pieces(rng.standard_normal((12, 3)), rng.standard_normal(12), np.zeros(12))


@pytest.mark.parametrize("kind", [Tree, SignTree])
def test_a_search_that_ends_early_has_a_bound(kind, pieces):
    """The longer it lasts the better, and never below the largest value."""
    function = pieces.reduced()
    u = np.random.default_rng(1).standard_normal((2000, 3))
    u /= np.linalg.norm(u, axis=1)[:, None]
    largest = (np.maximum(u @ function.rows.T, 0.0) @ function.weights).max()
    found = [
        kind(function, 1.05 * largest, Counted(questions)).searched(4000)[0]
        for questions in (0, 2, 6, 14, 100)
    ]
    assert found[0] == function.mass and found[-1] < found[0]
    assert min(found) >= largest
    assert all(later <= earlier for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("kind", [Tree, SignTree])
def test_splits_that_are_not_followed_to_the_end(kind, pieces):
    function = pieces.reduced()
    bound, splits = kind(function, 0.0).searched(200)
    assert kind(function, 0.0, Deadline(0.0)).followed(splits) == function.mass >= bound


def test_what_needs_no_time_is_left(pieces):
    bound, how = largest_of_kinks(pieces, 0.0, None, Deadline(0.0))
    assert how == "a spectral bound" and bound >= largest_of_kinks(pieces, 0.0, None)[0]
    splits = SignSplits(*[np.array([65535], dtype=np.uint16)] * 2)
    assert largest_of_kinks(pieces, 0.0, splits, Deadline(0.0)) == (bound, how)
    parts = PartsEvidence(np.arange(12) % 2, np.zeros(2), (None, None))
    early = parts.bound(pieces, 0.0, Deadline(0.0))
    assert np.isfinite(early) and early >= parts.bound(pieces, 0.0)


def test_searches_for_several_outputs_end_early(pieces):
    weights = np.random.default_rng(2).standard_normal((12, 2))
    pieces = Pieces(pieces.rows, weights, np.zeros((12, 2)))
    function = OutputsKinked.of(pieces)
    u = np.random.default_rng(1).standard_normal((2000, 3))
    u /= np.linalg.norm(u, axis=1)[:, None]
    largest = np.linalg.norm(np.maximum(u @ pieces.rows.T, 0.0) @ weights, axis=1).max()
    target = function.needed(1.01 * largest)
    found = [
        function.total(OutputsTree(function, target, Counted(questions)).searched(4000)[0])
        for questions in (0, 2, 6, 14, 100)
    ]
    assert (
        found[0] == function.total(function.mass) and found[-1] < found[0] and min(found) >= largest
    )
    assert all(later <= earlier for earlier, later in itertools.pairwise(found))
    splits = recorded_splits(pieces, 1.01 * largest)
    exact = largest_of_outputs(pieces, 1.01 * largest, splits)[0]
    assert largest <= exact < splits.bound(pieces, largest, Deadline(0.0))
    for evidence in (None, splits):
        over = Deadline(0.0)
        bound, how = largest_of_outputs(pieces, largest, evidence, over)
        assert how == "a spectral bound" and bound >= exact and over.was_missed


def test_shares_of_the_time():
    whole = Deadline(3600.0)
    assert not whole.share(2).passed and not whole.was_missed
    over = Deadline(0.0)
    assert over.share(2).passed and over.was_missed
    stopped = Deadline(None, lambda: True)
    assert stopped.share(3).passed and stopped.was_missed
    assert FOREVER.share(4) is FOREVER


@pytest.mark.long
def test_a_certificate_whose_search_does_not_end():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((60, 12)), rng.standard_normal(60)
    solution = solve_quietly(X, y, 0.3 * cvxnn.largest_beta(X, y))
    hard = replace(solution.certificate, evidence=None).sealed()
    report = hard.verify(X, y, network=solution.network, time_limit=0.2)
    assert "the time was up" in report.how and report.bound <= solution.objective
    claimed = replace(hard, dual_bound=solution.objective).sealed()
    report = claimed.verify(X, y, time_limit=0.2)
    assert not report.accepted and "The time was up before" in report.reason
    report = claimed.verify(X, y, time_limit=None, stopped=lambda: True)
    assert not report.accepted and "The time was up before" in report.reason
    for time_limit in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="time_limit must be None or positive"):
            hard.verify(X, y, time_limit=time_limit)


def test_a_crafted_tree_is_counted_before_it_is_listed(monkeypatch):
    """One that is deep or large takes no memory before it is refused."""
    zeros = [np.zeros((1, *shape)) for shape in [(2,)] * 2 + [(2, 2)] * 5]
    names = ("p", "q", "up", "uq", "pp", "pq", "qq")
    leaf = type("Leaf", (), dict(zip(names, zeros, strict=True)))
    evidence = LeavesEvidence.of(range(2), [LEAF, LEAF], [leaf] * 2, 1.0, 1.0)
    pieces = Pieces(np.eye(2), np.ones(2), np.zeros(2))
    assert evidence.both(pieces, 0.0, Deadline(0.0)) == (np.inf, np.inf)
    monkeypatch.setattr(cvxnn.verification.leaves, "leaves_of", None)
    for splits in ([0] * 10**5 + [LEAF] * 10**5, [0] * 10**5 + [LEAF] * 2):
        with pytest.raises(InputError):
            replace(evidence, splits=np.array(splits)).both(pieces, 0.0)


def test_evidence_that_misses_its_level_is_weighed_once(pieces, monkeypatch):
    evidence = SignSplits(*[np.array([65535], dtype=np.uint16)] * 2)
    calls, bound = [], SignSplits.bound
    monkeypatch.setattr(
        SignSplits, "bound", lambda self, *given: calls.append(1) or bound(self, *given)
    )
    parts = PartsEvidence(np.zeros(12, dtype=np.int64), np.zeros(1), (evidence,))
    assert np.isfinite(parts.bound(pieces, 0.0)) and len(calls) == 1
