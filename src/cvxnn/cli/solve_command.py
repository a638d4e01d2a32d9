"""``cvxnn solve``, from a table of numbers to a network file, and ``cvxnn demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvxnn import __version__
from cvxnn.cli.options import (
    OUTPUT,
    PROBLEM,
    RUN,
    JsonOption,
    Method,
    MethodOption,
    argument,
    option,
)  # fmt: skip
from cvxnn.cli.reporting import exit_code, progress_lines
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from cvxnn.array_types import FloatArray
    from cvxnn.cli.tables import Features
    from cvxnn.results import Solution

_Data = Annotated[
    Path, argument("Table with a header; all columns but the target are features.", "DATA.csv")
]
_Target = Annotated[
    list[str], option("Column to predict; several times for several.", PROBLEM, "COLUMN")
]
_Beta = Annotated[float, option("Weight of the penalty on all squared weights.", PROBLEM, "B")]
_Bias = Annotated[bool, option("Append a column of ones, penalised like any other.", PROBLEM)]
_Standardize = Annotated[
    bool, option("Give every feature mean 0 and deviation 1, in predict too.", PROBLEM)
]
_NSamples = Annotated[int | None, option("Random directions of 'sampled' (500).", RUN, "N", min=1)]
_Seed = Annotated[int | None, option("Seed of those directions.", RUN, "N", min=0)]
_Tol = Annotated[float, option("Relative gap to reach.", RUN, "GAP")]
_MaxIter = Annotated[int | None, option("Rounds after which to stop.", RUN, "N", min=1)]
_TimeLimit = Annotated[float | None, option("Time after which to stop.", RUN, "SECONDS")]
_ProofTime = Annotated[
    float | None,
    option(
        "Time for the bound of many features, in that limit; by default as long as the search.",
        RUN, "SECONDS",
    ),
]  # fmt: skip
_Out = Annotated[Path | None, option("Save the network as .npz or .safetensors.", OUTPUT, "MODEL")]
_Quiet = Annotated[
    bool, option("No progress and no table, only problems.", OUTPUT, None, "--quiet", "-q")
]

# Of the demonstration.
_DEMO_BETA = 1e-4
# What of a solution is kept with its network.
_KEPT = ("beta", "method", "objective", "dual_bound", "gap", "status")


def solve(
    data: _Data,
    target: _Target,
    beta: _Beta,
    bias: _Bias = True,
    standardize: _Standardize = False,
    method: MethodOption = Method.GLOBAL,
    n_samples: _NSamples = None,
    seed: _Seed = None,
    tol: _Tol = 1e-6,
    max_iter: _MaxIter = None,
    time_limit: _TimeLimit = None,
    proof_time: _ProofTime = None,
    out: _Out = None,
    json: JsonOption = False,
    quiet: _Quiet = False,
) -> None:
    """Train a network on a table of numbers, to a certified global optimum.

    The objective is 1/2 ||f(X) - y||^2 + beta/2 ||weights||^2, in the units of the table.
    A network of several targets has an output for each, and they share its neurons.

    Ctrl-C or SIGTERM stops the run with the best network so far, which is saved and shown.
    """
    if n_samples is not None and method is not Method.SAMPLED:
        raise InputError("--n-samples is for --method sampled; the other methods draw no sample.")
    from cvxnn.cli.tables import open_table, read_training_data

    # The header, before seconds of imports.
    table = open_table(data)
    for name in target:
        table.require(name)
    from cvxnn.cli.outputs import check_model_name, check_writable
    from cvxnn.methods import Sampled, as_method
    from cvxnn.validation import check_positive, check_proof_time

    check_positive(beta, "--beta")
    if time_limit is not None:
        check_positive(time_limit, "--time-limit")
    if proof_time is not None:
        check_proof_time(proof_time, "--proof-time")
    if out is not None:
        check_model_name(out)
        check_writable(out)
    features, X, y = read_training_data(table, target, bias=bias, standardize=standardize)
    limits = {"tol": tol, "max_iter": max_iter, "time_limit": time_limit}
    chosen = as_method(method.value) if n_samples is None else Sampled(n_samples)
    if proof_time is not None:
        chosen = chosen.with_proof_time(proof_time)
    solution, advice = train(
        X, y, beta, show_progress=not quiet, method=chosen, random_state=seed, **limits
    )
    _deliver(solution, features, data, out, advice=advice, as_json=json, quiet=quiet)
    raise typer.Exit(exit_code(solution.status))


def _deliver(
    solution: Solution[Any], features: Features, data: Path, out: Path | None, **style: Any
) -> None:
    """Save the network, then show the solution - also where saving fails."""
    from cvxnn.cli.outputs import show_solution

    title = f"{data.name}: {features.describe()}"
    saved = None
    try:
        if out is not None:
            metadata = _metadata(features, solution)
            solution.network.save(out, metadata, solution.certificate)
            saved = out
    finally:
        # A disk that has become full shall not cost the user the result as well.
        show_solution(solution, title, model=saved, **style)


def _metadata(features: Features, solution: Solution[Any]) -> dict[str, Any]:
    from cvxnn.cli.outputs import strict, summary

    known = summary(solution)
    kept = {name: known[name] for name in _KEPT}
    return features.to_metadata() | strict(kept | {"cvxnn_version": __version__})


def demo(method: MethodOption = Method.GLOBAL, json: JsonOption = False) -> None:
    """Solve the ring data of the paper (50 points, beta 1e-4) and show the certificate."""
    from cvxnn.cli.outputs import show_solution
    from cvxnn.datasets import load_ring

    X, y = load_ring()
    # A fixed seed: two people who run the demo shall see the same.
    solution, advice = train(
        X, y, _DEMO_BETA, show_progress=True, method=method.value, random_state=0
    )
    title = f"ring: {len(X)} points in the plane and a bias -> label"
    show_solution(solution, title, advice=advice, as_json=json)
    raise typer.Exit(exit_code(solution.status))


def train(
    X: FloatArray, y: FloatArray, beta: float, *, show_progress: bool, **options: Any
) -> tuple[Solution[Any], str]:
    """Solve with a live view, and what would narrow the gap; None keeps the default of `solve`."""
    from cvxnn.progress import live_progress

    given = {name: value for name, value in options.items() if value is not None}
    with progress_lines(wanted=show_progress), live_progress(show_progress) as callback:
        # Here and not above: this takes seconds, which the live view shows passing.
        from cvxnn.cli.fitting import spoken
        from cvxnn.training.solve import solve_quietly

        # The caller shows the status and this, which say what the warning would.
        solution = solve_quietly(X, y, beta, callback=callback, **given)
    return solution, spoken(solution.advice)
