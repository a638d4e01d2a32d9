"""The pages beside the paper's experiments."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from variants import with_long

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from cvxnn.cli.study_command import Section
from cvxnn.study import PAGES, SECTIONS, StudyError, run_study
from cvxnn.study.pages.rows import Compared
from cvxnn.study.pages.starts import descend
from cvxnn.training.solve import solve_quietly


@with_long("name", sorted(PAGES, key=lambda name: name != "polynomial"))
def test_a_page_says_what_is_proven_and_writes_its_files(name, tmp_path):
    said = []
    study = run_study(
        [name], out=tmp_path, quick=True, progress=lambda share, what: said.append(share)
    )
    (page,) = study.pages
    assert page.name == name and not study.experiments and not study.norms
    # Every step is counted, and the report is the last.
    assert said == sorted(said) and said[-1] == 1.0
    assert max(share for share in said if share < 1.0) >= 1.0 - 1.5 / (PAGES[name].n_steps + 1)
    text = study.report.read_text(encoding="utf-8")
    for words in (page.title, "What is proven.", "Networks and methods beside"):
        assert words in text
    assert "the experiments of section 4" not in text
    assert len(page.figures) >= 1 and len(page.findings) >= 2
    assert page.n_checked >= len(page.tables[0].records)
    for table in page.tables:
        path = tmp_path / "tables" / f"{name}-{table.name}.csv"
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == len(table.records) and set(table.summary) <= set(lines[0])
    for figure in page.figures:
        assert len(figure.alt) > 60
        assert (tmp_path / "figures" / f"{figure.name}.svg").read_bytes() == figure.svg


def test_the_command_line_has_all_parts_in_their_order():
    assert [section.value for section in Section] == list(SECTIONS)


def test_gradients_find_the_minimum_of_a_square():
    import torch

    target = torch.tensor([1.0, -2.0], dtype=torch.float64)
    ends = descend(lambda w: (w - target).square().sum() + 3.0, np.zeros((2, 2)), 50)
    assert ends == pytest.approx([3.0, 3.0], abs=1e-12)


def test_an_end_below_the_bound_is_an_error():
    solution = solve_quietly([[1.0], [2.0]], [1.0, 1.0], 0.1)
    ends = np.array([solution.objective, 2.0 * solution.objective])
    compared = Compared("two rows", 0.1, solution, ends)
    assert compared.n_checked == 3 and compared.record["best of L-BFGS"] == solution.objective
    assert "1 of 2 starts" in compared.sentence
    with pytest.raises(StudyError, match="two rows, trial 0 is below"):
        replace(compared, ends=0.9 * ends)
