"""cvxnn study."""

import sys

import pytest


@pytest.fixture(autouse=True)
def packages():
    for name in ("torch", "matplotlib", "jinja2"):
        pytest.importorskip(name)


def test_an_experiment_that_is_skipped_is_warned_of(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    only = run("study", "4.4", "--quick", "--out", tmp_path)
    assert only.exit_code == 1 and only.stderr.startswith("warning: 4.4 was skipped. CIFAR-10 ")


@pytest.mark.long
def test_study_writes_a_report_beside_a_skipped_experiment(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    out = tmp_path / "study"
    both = run("study", "4.1", "4.4", "--quick", "--out", out)
    assert both.exit_code == 0 and "4.4 was skipped" in both.stderr
    for words in ("4.1  Five points, d = 1", "0.000876941", f"report {out / 'report.html'}"):
        assert words in both.stdout
    assert (out / "tables" / "experiment-4.1.csv").is_file()
    assert not (out / "tables" / "experiment-4.2.csv").exists()


def test_unknown_experiments_and_missing_files_are_mistakes_of_the_user(refused, tmp_path):
    assert "'4.5' is none of the parts: 4.1, 4.2," in refused("study", "4.5", "--out", tmp_path)
    missing = refused("study", "4.4", "--cifar", tmp_path / "missing.npz", "--out", tmp_path)
    assert missing.startswith("error: No such file")


def test_the_seed_reaches_the_study_and_an_interrupt_has_its_exit_code(run, tmp_path, monkeypatch):
    import cvxnn.study

    seeds = []

    def interrupted(*arguments, random_state, **options):
        seeds.append(random_state)
        raise KeyboardInterrupt

    monkeypatch.setattr(cvxnn.study, "run_study", interrupted)
    result = run("study", "4.1", "--quick", "--seed", 3, "--out", tmp_path)
    assert seeds == [3] and result.exit_code == 130 and "nothing was written" in result.stderr
