"""``cvxnn fit``: from a table of any kind to a model file."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvxnn.cli.options import (
    OUTPUT,
    PROBLEM,
    RUN,
    JsonOption,
    Loss,
    QuantileOption,
    Shape,
    Task,
    argument,
    check_quantile,
    option,
    others,
)
from cvxnn.cli.reporting import interruption, progress_lines, say
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from cvxnn.cli.sources import Source
    from cvxnn.cli.training import Fitted, Settings

COLUMNS, NETWORK = "Columns", "Network"

_Data = Annotated[Path, argument("Table with a header, also .gz; - is stdin.", "DATA.csv")]
_Target = Annotated[
    list[str], option("Column to predict; several times for several of numbers.", PROBLEM, "COLUMN")
]
_Task = Annotated[
    Task | None,
    option(
        "classification or regression: the first where the target is no number or has two values.",
        PROBLEM,
        "TASK",
    ),
]
_Loss = Annotated[
    Loss | None,
    option(
        f"squared for numbers, logistic for classes; or {others(Loss, 'squared', 'logistic')}.",
        PROBLEM,
        "LOSS",
    ),
]
_Beta = Annotated[
    str,
    option("Weight of the penalty: 'cv' tries many on parts of the data, 'auto' is a rule of "
           "thumb, or a number.", PROBLEM, "cv|auto|B"),
]  # fmt: skip
_Drop = Annotated[list[str] | None, option("Leave a column out; several times.", COLUMNS, "COLUMN")]
_Keep = Annotated[
    list[str] | None, option("Use a column also if it looks like an id.", COLUMNS, "COLUMN")
]
_Category = Annotated[
    list[str] | None, option("Numbers of this column are names of things.", COLUMNS, "COLUMN")
]
_Features = Annotated[
    int | None,
    option("Columns that a neuron sees: 1 is a sum of functions of one column each, 2 has pairs.",
           NETWORK, "N", min=1),
]  # fmt: skip
_Monotone = Annotated[
    list[str] | None,
    option("The prediction does not fall (+1) or rise (-1) with a column of numbers; several "
           "times.", NETWORK, "COLUMN=+1"),
]  # fmt: skip
_Shape = Annotated[
    Shape | None,
    option("convex or concave: a prediction that is such a function.", NETWORK, "SHAPE"),
]
_L1Ratio = Annotated[
    float,
    option("Share of a 1-norm in the penalty, 0 to 1: more of it leaves columns out.", NETWORK,
           "R"),
]  # fmt: skip
_Holdout = Annotated[
    float | None,
    option("Share of the rows to score on, not to train on.", RUN, "SHARE"),
]
_Seed = Annotated[
    int,
    option("Seed of the random numbers, which choose the rows held out and the folds, and begin "
           "searches.", RUN, "N", min=0),
]  # fmt: skip
_TimeLimit = Annotated[float | None, option(
    "Time to search, and to prove that no network is better. By default training ends where it "
    "gains little, after 60 at most.", RUN, "SECONDS")]  # fmt: skip
_ProofTime = Annotated[float | None, option(
    "Time for a proof of how far from optimal the model is; by default a tenth of the training.",
    RUN, "SECONDS")]  # fmt: skip
_Out = Annotated[Path | None, option("Save the model as .skops.", OUTPUT, "MODEL")]
_Quiet = Annotated[
    bool, option("No progress and no table, only problems.", OUTPUT, None, "--quiet", "-q")
]


def fit(
    data: _Data,
    target: _Target,
    task: _Task = None,
    loss: _Loss = None,
    quantile: QuantileOption = None,
    beta: _Beta = "cv",
    drop: _Drop = None,
    keep: _Keep = None,
    category: _Category = None,
    features: _Features = None,
    monotone: _Monotone = None,
    shape: _Shape = None,
    l1_ratio: _L1Ratio = 0.0,
    holdout: _Holdout = None,
    seed: _Seed = 0,
    time_limit: _TimeLimit = None,
    proof_time: _ProofTime = None,
    out: _Out = None,
    json: JsonOption = False,
    quiet: _Quiet = False,
) -> None:
    """Learn to predict a column of a table from the others, or several of numbers.

    Columns may hold numbers, categories, dates and texts, and cells may be missing.

    Ctrl-C or SIGTERM stops with the best model so far, which is saved.
    """
    check_packages()
    source = _read(data, (*target, *(drop or ()), *(keep or ()), *(category or ())))
    if out is not None:
        _check_name(out)
    with progress_lines(wanted=not quiet):
        from cvxnn.cli.columns import Wishes
        from cvxnn.cli.constraints import Constraints
        from cvxnn.cli.training import Settings
        from cvxnn.validation import check_positive, check_proof_time

        if proof_time is not None:
            check_proof_time(proof_time, "--proof-time")
        wishes = Wishes(drop or (), keep or (), category or ())
        settings = Settings(
            targets=tuple(target),
            task=task,
            loss=None if loss is None else loss.value,
            quantile=check_quantile(quantile, loss),
            beta=_beta(beta),
            wishes=wishes,
            constraints=Constraints.read(
                features, monotone or (), None if shape is None else shape.value, l1_ratio
            ),
            holdout=_share(holdout),
            seed=seed,
            time_limit=None if time_limit is None else check_positive(time_limit, "--time-limit"),
            proof_time=proof_time,
            show_progress=not quiet,
        )
        fitted = _train(source, settings)
    _deliver(fitted, out, as_json=json, quiet=quiet)
    if fitted.ending.status == "INTERRUPTED":
        raise typer.Exit(int(interruption()))


def check_packages() -> None:
    """Raise InputError if a package of the extra ``cli`` is not installed."""
    missing = [name for name in ("pandas", "skops", "skrub") if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(
            f"Tables of any kind need {', '.join(missing)}, which {verb} not installed: "
            "pip install 'cvxnn[cli]'."
        )


def _read(data: Path, named: Iterable[str]) -> Source:
    """The text of a table, with these columns: asked before seconds of imports, and of reading."""
    from cvxnn.cli.sources import Source
    from cvxnn.cli.tables import Table

    source = Source.read(data)
    table = Table(source, unnamed=True)
    for name in named:
        table.require(name)
    return source


def _train(source: Source, settings: Settings) -> Fitted:
    from cvxnn.cli.training import train

    fitted = train(source, settings)
    for note in fitted.notes:
        say(note)
    for warning in fitted.ending.warnings:
        say(warning, "warning")
    return fitted


def _deliver(fitted: Fitted, out: Path | None, **style: bool) -> None:
    """Save the model, then show what is known of it - also where saving fails."""
    from cvxnn.cli.fit_report import show_fitted

    saved = None
    try:
        if out is not None:
            fitted.model.save(out)
            saved = out
    finally:
        show_fitted(fitted, saved, is_kept=out is not None, **style)


def _check_name(out: Path) -> None:
    from cvxnn.cli.outputs import check_writable
    from cvxnn.networks.storage import SUFFIXES

    suffix = out.suffix.lower()
    if suffix in SUFFIXES:
        raise InputError(
            f"A {suffix} file holds a network and no columns: 'cvxnn solve' trains one on a table "
            "of numbers. 'cvxnn fit' saves its model as .skops."
        )
    if suffix != ".skops":
        raise InputError(f"A model file ends in .skops, got {str(out)!r}.")
    check_writable(out)


def _beta(text: str) -> str | float:
    if text in ("cv", "auto"):
        return text
    from cvxnn.validation import check_positive

    try:
        number = float(text)
    except ValueError:
        raise InputError(f"--beta must be cv, auto or a number, got {text!r}.") from None
    return check_positive(number, "--beta")


def _share(holdout: float | None) -> float | None:
    if holdout is not None and not 0.0 < holdout < 1.0:
        raise InputError(f"--holdout must be between 0 and 1, got {holdout:g}.")
    return holdout
