"""How the study runs its methods."""

import pytest

from cvxnn.study import runner
from cvxnn.study.paper_data import five_points


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_a_timed_run_is_not_the_first_of_its_optimizer(optimizer, monkeypatch):
    """PyTorch puts off until the first step what takes seconds."""
    runs = []
    monkeypatch.setattr(runner, "local_search", lambda *_, **options: runs.append(options))
    runner.Runner(runner.QUICK, 0, n_steps=1, progress=None).descend(five_points(), 7, optimizer)
    first, timed = runs
    assert first["optimizer"] == timed["optimizer"] == optimizer
    assert (first["iterations"], timed["width"]) == (1, 7)
