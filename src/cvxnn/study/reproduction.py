"""The function :func:`run_study`: experiments, files, report."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from cvxnn.errors import InputError
from cvxnn.files import atomic_write
from cvxnn.interrupts import deferred_interrupts, forget_interrupt
from cvxnn.study.drawing import StudyFigure
from cvxnn.study.experiments import EXPERIMENTS, compare_norms
from cvxnn.study.figures import draw_figures
from cvxnn.study.outcomes import ExperimentResult, StudyResult
from cvxnn.study.pages.registry import PAGES
from cvxnn.study.paper_data import Dataset, DataUnavailable
from cvxnn.study.paper_data import cifar as load_cifar
from cvxnn.study.report import norms_record, record, render_report, to_csv
from cvxnn.study.runner import FULL, QUICK, Progress, Runner
from cvxnn.validation import check_callback, check_choice, check_count

_PACKAGES = {"torch": "PyTorch", "matplotlib": "Matplotlib", "jinja2": "Jinja"}
# The sections whose objectives the paper prints.
_WITH_OBJECTIVES = {"4.1", "4.2"}
# What can be run, in the order of the report.
SECTIONS = (*EXPERIMENTS, *PAGES)
# Seeds of numpy.random.RandomState.
_LARGEST_SEED = 2**32 - 1


def run_study(
    experiments: Iterable[str] = SECTIONS,
    *,
    out: str | os.PathLike[str],
    quick: bool = False,
    cifar: str | os.PathLike[str] | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
) -> StudyResult:
    """Run the experiments of section 4 of the seed paper, and more, and write a report.

    In the experiments every method minimises objective (2), ``1/2 ||f(X) - y||^2 + beta/2 sum_j
    (||u_j||^2 + a_j^2)``, a sum over the rows, with beta = 1e-4: convex training,
    which proves a lower bound, and gradient methods from random weights.

    Parameters
    ----------
    experiments : iterable of str
        Of ``"4.1"`` (five points), ``"4.2"`` (50 and 100 points of the line),
        ``"4.3"`` (the ring), ``"4.4"`` (images of CIFAR-10) and the pages about other networks
        and methods, see ``SECTIONS``; all by default.
    out : str or path-like
        Folder for ``report.html``, ``tables/*.csv`` and ``figures/*``; it is
        made if missing, and files of these names in it are replaced.
    quick : bool
        Far fewer steps and trials, and no download: to see whether all works.
    cifar : str or path-like, optional
        An ``.npz`` file with the images of 4.4, see
        :doc:`/guide/study`; None downloads them (170 MB, once).
    random_state : int
        Seed of the data that are drawn, of the sampled patterns and of the
        initial weights.
    progress : callable, optional
        Called with the fraction that is done, from 0 to 1, and what runs now.

    Returns
    -------
    StudyResult
        Also where 4.4 was skipped because its images are not to be had.

    Raises
    ------
    InputError
        If an argument is not as described, or a package is missing.
    OSError
        If `cifar` cannot be read or `out` cannot be written; where the disk is
        full, the files that were in `out` are still there and no new ones.
    StudyError
        If an objective is below a certified lower bound; nothing is written.
    KeyboardInterrupt
        If Ctrl-C is pressed; nothing is written then. While the files are
        being written it is too late, and the study ends as if it had not been.

    Notes
    -----
    Some minutes on two cores; `quick` less than one. Two runs with the same
    seed, on the same machine, write the same tables except for the columns
    whose name ends in ``(s)``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = run_study(["4.1"], out=folder, quick=True)
    ...     study.report.name, len(study.experiments[0].rows)
    ('report.html', 4)
    """
    start = time.perf_counter()
    names = _check_experiments(experiments)
    random_state = _check_seed(random_state)
    check_callback(progress)
    _check_packages()
    folder = _make_folder(out)
    data, skipped = _load_images(names, cifar, download=not quick)
    names = [name for name in names if name not in skipped]
    compares = not _WITH_OBJECTIVES.isdisjoint(names)
    n_steps = sum((EXPERIMENTS | PAGES)[name].n_steps for name in names) + compares + 1
    runner = Runner(QUICK if quick else FULL, random_state, n_steps, progress)
    done = tuple(
        ExperimentResult(name, EXPERIMENTS[name].title, EXPERIMENTS[name].run(runner, data))
        for name in names
        if name in EXPERIMENTS
    )
    pages = tuple(PAGES[name].run(runner) for name in names if name in PAGES)
    norms = compare_norms(runner) if compares else ()
    with runner.step("figures and report"):
        elapsed = time.perf_counter() - start
        study = StudyResult(done, pages, norms, skipped, quick, random_state, elapsed)
        return replace(study, files=_write(study, folder))


def _check_experiments(experiments: Iterable[str]) -> list[str]:
    """The names without repetitions, in the order of the report."""
    if isinstance(experiments, str):
        raise InputError(f"experiments must be several names, got the text {experiments!r}.")
    chosen = {check_choice(name, "an experiment", SECTIONS) for name in experiments}
    if not chosen:
        raise InputError("experiments must name one at least.")
    return [name for name in SECTIONS if name in chosen]


def _check_seed(random_state: object) -> int:
    seed = check_count(random_state, "random_state", minimum=0)
    if seed > _LARGEST_SEED:
        raise InputError(f"random_state must be at most {_LARGEST_SEED}, got {seed}.")
    return seed


def _check_packages() -> None:
    missing = [name for package, name in _PACKAGES.items() if find_spec(package) is None]
    if missing:
        raise InputError(
            f"The study needs {' and '.join(missing)}; "
            "install what it needs with: pip install 'cvxnn[study]'."
        )


def _make_folder(out: str | os.PathLike[str]) -> Path:
    """The folder for the files; what forbids to write there is an error before any work."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / "tables", folder / "figures"):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    return folder


def _load_images(
    names: Sequence[str], path: str | os.PathLike[str] | None, *, download: bool
) -> tuple[Dataset | None, dict[str, str]]:
    """The images of 4.4 if it is among the experiments, or why it is skipped."""
    if "4.4" not in names:
        return None, {}
    try:
        return load_cifar(path, download=download), {}
    except DataUnavailable as reason:
        sentence = f"{reason} Give the images as an .npz file (--cifar) to run this experiment."
        return None, {"4.4": sentence}


def _write(study: StudyResult, folder: Path) -> tuple[Path, ...]:
    """All files, the report last."""
    contents: dict[str, bytes] = {}
    figures = {experiment.name: draw_figures(experiment) for experiment in study.experiments}
    for experiment in study.experiments:
        records = [record(row) for row in experiment.rows]
        contents[f"tables/experiment-{experiment.name}.csv"] = to_csv(records)
        contents |= _figure_files(figures[experiment.name])
    for page in study.pages:
        for table in page.tables:
            contents[f"tables/{page.name}-{table.name}.csv"] = to_csv(table.records)
        contents |= _figure_files(page.figures)
    if study.norms:
        records = [norms_record(row) for row in study.norms]
        contents["tables/squared-norms.csv"] = to_csv(records)
    contents["report.html"] = render_report(study, figures).encode()
    files = {folder / name: content for name, content in contents.items()}
    with deferred_interrupts():
        _write_together(files)
        forget_interrupt()
    return tuple(files)


def _figure_files(figures: Iterable[StudyFigure]) -> dict[str, bytes]:
    """The contents by the names of the files."""
    files: dict[str, bytes] = {}
    for figure in figures:
        files |= {f"figures/{figure.name}.png": figure.png}
        files |= {f"figures/{figure.name}.svg": figure.svg}
    return files


def _write_together(files: dict[Path, bytes]) -> None:
    """All files or, if one cannot be written, none; the last one takes its place last."""
    with ExitStack() as replacements:
        for path, content in reversed(files.items()):
            path.parent.mkdir(exist_ok=True)
            file = replacements.enter_context(atomic_write(path))
            file.write(content)
            # A disk that is full says so here, before any file has been replaced.
            file.flush()
            os.fsync(file.fileno())
