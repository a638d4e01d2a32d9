"""The study from end to end."""

import base64
import csv
import errno
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

import cvxnn
from cvxnn.errors import InputError
from cvxnn.results import Status
from cvxnn.study import EXPERIMENTS, DataUnavailable, StudyError, reproduction, run_study, runner

# cvxnn/tests/data/optima.json: an independent solver.
OPTIMA = {
    "5 points": 0.000876940693, "line, n=50": 0.201946823, "line, n=100": 0.709269540,
    "ring": 0.004050586870,
}  # fmt: skip


class Page(HTMLParser):
    """Tags with attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def study(images, tmp_path_factory):
    """A quick run of the paper's experiments, with what it said of its progress."""
    said = []
    out = tmp_path_factory.mktemp("study") / "new" / "folder"
    result = run_study(
        EXPERIMENTS, out=out, quick=True, cifar=images,
        progress=lambda share, what: said.append((share, what)),
    )  # fmt: skip
    return result, said


@pytest.fixture(scope="module")
def page(study):
    return Page(study[0].report.read_text(encoding="utf-8"))


# By default one experiment is run: that of the ring, below.
whole = pytest.mark.long


def rows_of(result):
    return [row for experiment in result.experiments for row in experiment.rows]


@whole
def test_all_experiments_are_run(study):
    result, _ = study
    assert [experiment.name for experiment in result.experiments] == ["4.1", "4.2", "4.3", "4.4"]
    assert not result.skipped
    methods = [row.method for row in result.experiments[1].rows]
    assert methods == ["optimal", "sampled", "SGD", "L-BFGS"] * 2
    assert [row.n_neurons for row in result.experiments[0].rows[1:]] == [5, 10, 100]


@whole
def test_the_optima_are_those_of_an_independent_solver(study):
    found = {row.data: row for row in rows_of(study[0]) if row.method == "optimal"}
    assert found.keys() == OPTIMA.keys()
    for name, row in found.items():
        assert row.objective == pytest.approx(OPTIMA[name], rel=1e-6)
        assert row.lower_bound <= OPTIMA[name] * (1 + 1e-8) and row.gap <= 1e-6


@whole
def test_rows_are_the_objectives_of_the_networks(study):
    for experiment in study[0].experiments:
        for result in experiment.results:
            X, y = result.data.X, result.data.y
            rows = {(row.method, row.n_neurons): row for row in result.rows}
            for search in result.searches.values():
                row = rows[{"sgd": "SGD", "lbfgs": "L-BFGS"}[search.optimizer], search.width]
                finals = [network.objective(X, y, 1e-4) for network in search.networks]
                assert row.objective == pytest.approx(min(finals), rel=1e-12)
                if not search.n_diverged:
                    assert row.median == pytest.approx(np.median(finals), rel=1e-12)
                    assert row.worst == pytest.approx(max(finals), rel=1e-12)
                signs = np.where(search.best.forward(X) > 0, 1.0, -1.0)
                assert row.accuracy == np.mean(signs == y) and min(finals) >= result.lower_bound


@whole
def test_the_paper_solved_another_program(study):
    norms = study[0].norms
    explained = [row for row in norms if row.is_paper_data and row.beta == 1e-3]
    assert [row.paper_objective for row in explained] == [0.006, 8.09, 26.41]
    assert all(row.agrees for row in explained)
    assert all(row.squared_bound <= row.squared_value * (1 + 1e-6) for row in norms)
    ours = {row.data: row for row in norms if row.seed == 0}
    for name, row in ours.items():
        assert row.optimum == pytest.approx(OPTIMA[name], rel=1e-6)


@whole
def test_two_runs_write_the_same_tables_but_for_times(study, images, tmp_path):
    again = run_study(["4.3", "4.4"], out=tmp_path, quick=True, cifar=images)
    assert sum(path.suffix == ".csv" for path in study[0].files) == 5
    tables = [path for path in again.files if path.suffix == ".csv"]
    assert len(tables) == 2
    for path in tables:
        known = study[0].report.parent / "tables" / path.name
        assert without_times(path) == without_times(known)
    assert again.report == tmp_path / "report.html"


def without_times(path):
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines
    return [
        {name: value for name, value in line.items() if not name.endswith(" (s)")} for line in lines
    ]


@whole
def test_progress_goes_from_0_to_1(study):
    shares = [share for share, _ in study[1]]
    assert shares[0] == 0.0 and shares[-1] == 1.0 and shares == sorted(shares)
    assert {"ring: exact", "5 points: SGD, m = 10"} <= {what for _, what in study[1]}


@whole
def test_every_file_is_there_and_no_other(study):
    result, _ = study
    root = result.report.parent
    assert sorted(result.files) == sorted(path for path in root.rglob("*") if path.is_file())
    for path in result.files:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
            assert path.with_suffix(".svg").read_bytes().lstrip().startswith(b"<?xml")


@whole
def test_the_page_needs_no_other_file(study, page):
    text = study[0].report.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)", text) and not page.all("script")
    assert not page.all("link")
    images = page.all("img")
    figures = [path for path in study[0].files if path.suffix == ".svg"]
    embedded = {base64.b64decode(image["src"].partition(",")[2]) for image in images}
    assert embedded == {path.read_bytes() for path in figures}


@whole
def test_every_figure_has_a_caption_and_a_text_with_its_numbers(page):
    images = page.all("img")
    assert len(images) == len(page.all("figcaption")) >= 12
    assert all(len(image["alt"]) > 60 for image in images)
    assert len({image["alt"] for image in images}) == len(images)
    assert any("certified lower bound at 0.2019" in image["alt"] for image in images)


@whole
def test_the_page_has_our_numbers_beside_those_of_the_paper(page):
    for number in ("0.201947", "0.70927", "0.00405059", "8.09", "26.41", "45.87", "1004.62"):
        assert number in page.text
    assert "3 of 3 begin with the digits that it prints" in page.text
    assert "A quick run." in page.text


@whole
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [320, 400, 1400])
def test_the_page_does_not_scroll_sideways(study, tmp_path, width):
    """A copy that writes the width of its content into its title.

    No window is as narrow as a telephone; the page, which asks for no width of
    a window, is made as narrow instead.
    """
    text = study[0].report.read_text(encoding="utf-8")
    probe = f"document.body.style.width = '{width}px'; document.title = document.body.scrollWidth"
    copy = tmp_path / "copy.html"
    copy.write_text(f"{text}<script>onload = () => {{{probe}}}</script>", encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = ["chromium", *options, profile, "--dump-dom", copy.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"<title>{width}</title>" in dumped.stdout


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"dual_bound": 10.0, "objective": 10.0}, StudyError, r"5 points, SGD, m = .*, trial \d"),
        ({"status": Status.INTERRUPTED}, KeyboardInterrupt, None),
    ],
    ids=["a bound that is contradicted", "an interrupted solution"],
)
def test_a_solution_may_stop_the_study(tmp_path, monkeypatch, changes, error, sentence):
    def changed(*arguments, **options):
        return replace(cvxnn.solve(*arguments, **options), **changes)

    monkeypatch.setattr(runner, "solve_quietly", changed)
    with pytest.raises(error, match=sentence):
        run_study(["4.1"], out=tmp_path, quick=True)
    assert not list(tmp_path.iterdir())


def test_an_experiment_without_data_is_skipped_with_a_reason(tmp_path, monkeypatch):
    def unavailable(path, download):
        raise DataUnavailable("The images are <not> here.")

    monkeypatch.setattr(reproduction, "load_cifar", unavailable)
    result = run_study(["4.4"], out=tmp_path, quick=True)
    assert result.experiments == () and list(result.skipped) == ["4.4"]
    text = result.report.read_text(encoding="utf-8")
    assert "Section 4.4 was skipped." in text and "&lt;not&gt;" in text
    assert [path.name for path in result.files] == ["report.html"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"experiments": ["4.5"]}, "an experiment must be one of '4.1'"),
        ({"experiments": []}, "one at least"), ({"experiments": "4.1"}, "several names"),
        ({"random_state": -1}, "at least 0"), ({"random_state": 2**32}, "at most 4294967295"),
        ({"progress": 1}, "progress|callback"), ({"cifar": __file__}, "no .npz file"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_any_work(tmp_path, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        run_study(out=tmp_path / "out", quick=True, **arguments)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    found = reproduction.find_spec
    monkeypatch.setattr(
        reproduction, "find_spec", lambda name: None if name == "torch" else found(name)
    )
    with pytest.raises(InputError, match=r"needs PyTorch; .* pip install 'cvxnn\[study\]'"):
        run_study(["4.1"], out=tmp_path)


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(FileExistsError):
        run_study(["4.1"], out=path, quick=True)


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_a_file_in_the_place_of_a_folder_inside_is_an_error_before_any_work(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(NotADirectoryError):
        run_study(["4.1"], out=tmp_path, quick=True, progress=pytest.fail)


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduction.os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="Permission denied"):
        run_study(["4.1"], out=tmp_path, quick=True, progress=pytest.fail)


def failing_fsync(monkeypatch, count, act):
    """Let `act` run in the place of the `count`-th call of `os.fsync`."""
    calls, fsync = iter(range(1, 1000)), os.fsync

    def fsync_or_act(descriptor):
        if next(calls) == count:
            act()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_or_act)


def disk_is_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_files_of_the_last_run(tmp_path, monkeypatch):
    files = {tmp_path / "tables" / "a.csv": b"new", tmp_path / "report.html": b"new"}
    reproduction._write_together(dict.fromkeys(files, b"old"))
    failing_fsync(monkeypatch, len(files), disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        reproduction._write_together(files)
    assert [path.read_bytes() for path in files] == [b"old", b"old"]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(files)


def test_an_interrupt_while_files_are_written_comes_too_late(tmp_path, monkeypatch):
    def unavailable(path, download):
        raise DataUnavailable("None.")

    # Nothing to compute, and a page to write.
    monkeypatch.setattr(reproduction, "load_cifar", unavailable)
    failing_fsync(monkeypatch, 1, lambda: signal.raise_signal(signal.SIGINT))
    result = run_study(["4.4"], out=tmp_path, quick=True)
    assert [path.name for path in result.files] == ["report.html"]
    assert result.report.stat().st_size > 0


def test_one_experiment_by_itself(tmp_path):
    result = run_study(["4.3"], out=tmp_path, quick=True)
    (experiment,) = result.experiments
    found = {row.method: row for row in experiment.rows}
    assert found["optimal"].objective == pytest.approx(OPTIMA["ring"], rel=1e-6)
    assert all(row.objective >= found["optimal"].lower_bound for row in experiment.rows)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert sorted(result.files) == files and result.report in files
    text = Page(result.report.read_text(encoding="utf-8")).text
    assert "0.00405059" in text and "A quick run." in text


@pytest.mark.long
def test_another_seed_draws_other_data(tmp_path):
    first = run_study(["4.3"], out=tmp_path, quick=True, random_state=1)
    assert first.experiments[0].rows[0].objective != pytest.approx(OPTIMA["ring"], rel=1e-2)
    assert first.norms == () and "drawn with seed 1" in first.report.read_text(encoding="utf-8")
