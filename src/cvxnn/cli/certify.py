"""``cvxnn certify``: how far a saved network is from the best one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvxnn.cli.options import PROBLEM, RUN, JsonOption, Loss, ModelArgument, argument, option
from cvxnn.cli.reporting import end_code, say
from cvxnn.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from cvxnn.cli.problems import Problem
    from cvxnn.cli.tables import Features, Table
    from cvxnn.results import ImprovingNeuron, NetworkCertificate

# Terms of a neuron that are written out.
_SHOWN_TERMS = 8
# Attributes of a certificate that are in its JSON object as they are.
_REPORTED = (
    "objective", "dual_bound", "gap", "balanced_objective", "largest_value", "oracle_bound",
    "notes", "beta", "tol", "interrupted", "elapsed",
)  # fmt: skip


_Data = Annotated[
    Path,
    argument("Table with the model's features and the target, in any order.", "DATA.csv"),
]
_Target = Annotated[str | None, option("Column it predicts; the model's own.", PROBLEM, "COLUMN")]
_Beta = Annotated[
    float | None,
    option("Weight of the penalty on all squared weights; the model's own.", PROBLEM, "B"),
]
_Loss = Annotated[
    Loss | None,
    option(
        "Loss it was trained with: the model's own, or squared; the last two are for labels -1 "
        "and 1.", PROBLEM,
    ),
]  # fmt: skip
_Tol = Annotated[float, option("Relative gap that is optimal.", RUN, "GAP")]
_TimeLimit = Annotated[float, option("Time after which to stop the search.", RUN, "SECONDS")]
_ProofTime = Annotated[
    float | None, option("Time in it for the gap of many features (as the search).", RUN, "SECONDS")
]


def certify(
    model: ModelArgument,
    data: _Data,
    target: _Target = None,
    beta: _Beta = None,
    loss: _Loss = None,
    tol: _Tol = 1e-6,
    time_limit: _TimeLimit = 60.0,
    proof_time: _ProofTime = None,
    json: JsonOption = False,
) -> None:
    """Prove how far a saved network is from the best one on the table it was trained on.

    Exit codes: 0 the network is optimal, up to --tol; 1 it is not, or that could
    not be proven in the time; 2 a mistake in the options or the data; 130
    interrupted, 143 by SIGTERM. Both stop the search with the bound so far.

    A network that was not saved by 'cvxnn solve' names no columns: give --target
    and --beta, and all other columns are its features.
    """
    from cvxnn.progress import live_progress
    from cvxnn.validation import check_proof_time

    if proof_time is not None:
        check_proof_time(proof_time, "--proof-time")
    if model.suffix.lower() == ".skops":
        problem = _table_problem(model, data, target, beta, loss)
    else:
        problem = _network_problem(model, data, target, beta, loss or Loss.SQUARED)
    features = problem.features
    with live_progress(True) as callback:
        # Here and not above: it takes seconds, which the live view shows passing.
        from cvxnn.cli.fitting import speaking
        from cvxnn.training.certification import certify as compute

        with speaking():
            certificate = compute(
                problem.network, problem.X, problem.y, problem.beta, loss=problem.loss.value,
                tol=tol, time_limit=time_limit, callback=callback,
                proof_time="auto" if proof_time is None else proof_time,
            )  # fmt: skip
    if json:
        _show_json(certificate, problem, model)
    else:
        title = f"{model.name} on {data.name}: {features.describe()}, beta {problem.beta:g}"
        _show_table(certificate, problem, title)
    is_optimal = certificate.verdict.name == "OPTIMAL"
    raise typer.Exit(end_code(is_optimal, interrupted=certificate.interrupted))


def _table_problem(
    model: Path, data: Path, target: str | None, beta: float | None, loss: Loss | None
) -> Problem:
    """That of a model of 'cvxnn fit', whose target and loss are its own."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.certify_model import table_problem

    found = table_problem(model, data, beta)
    if target not in (None, found.features.target):
        raise InputError(f"{model} predicts {found.features.target!r}; leave --target out.")
    if loss not in (None, found.loss):
        raise InputError(f"{model} was trained with {found.loss}; leave --loss out.")
    return found


def _network_problem(
    model: Path, data: Path, target: str | None, beta: float | None, loss: Loss
) -> Problem:
    """That of a network on a table of numbers."""
    from cvxnn.cli.outputs import load_model
    from cvxnn.cli.problems import Problem, check_one_output
    from cvxnn.cli.tables import open_table

    network, metadata = load_model(model)
    check_one_output(network.n_outputs or 1, model, "certify")
    beta = _beta(metadata, model) if beta is None else beta
    table = open_table(data)
    features = network_features(metadata, network.n_features, model, target, table)
    for name in (*features.names, features.target):
        table.require(name)
    values = table.read([*features.names, features.target])
    return Problem(network, features, features.matrix(values[:, :-1]), values[:, -1], beta, loss)


def _beta(metadata: Mapping[str, Any], model: Path) -> float:
    beta = metadata.get("beta")
    if beta is None:
        raise InputError(f"{model} does not say what beta is; give it with --beta.")
    if isinstance(beta, bool) or not isinstance(beta, int | float):
        raise ModelFileError(f"{model} has a beta that is no number; give it with --beta.")
    return float(beta)


def network_features(
    metadata: Mapping[str, Any],
    n_features: int,
    model: Path,
    target: str | None,
    table: Table,
) -> Features:
    """The columns that the model names, or else all but the target."""
    from dataclasses import replace

    from cvxnn.cli.tables import Features

    if "feature_names" in metadata:
        features = Features.from_metadata(metadata, n_features, str(model))
        if target in features.names:
            raise InputError(
                f"The column {target!r} is a feature of {model}; give another one with --target."
            )
        return features if target is None else replace(features, targets=(target,))
    if target is None:
        raise InputError(f"{model} does not say what it predicts; give the column with --target.")
    table.require(target)
    names = tuple(name for name in table.columns if name != target)
    has_bias = len(names) == n_features - 1
    if not has_bias and len(names) != n_features:
        raise InputError(
            f"{model} names no columns, and its network reads {n_features} features where the "
            f"table has {len(names)} besides {target!r}."
        )
    with_bias = " and a column of ones" if has_bias else ""
    say(f"{model} names no columns: it is given all but {target!r}, in their order{with_bias}.")
    return Features(names, (target,), has_bias)


def _show_json(certificate: NetworkCertificate, problem: Problem, model: Path) -> None:
    from cvxnn.cli.outputs import write_json

    features = problem.features
    better, neuron = certificate.better_network, certificate.improving_neuron
    write_json(
        {"verdict": certificate.verdict.name, "message": certificate.verdict.value}
        | {name: getattr(certificate, name) for name in _REPORTED}
        | {
            "best_objective": None if better is None else better.objective,
            "improving_neuron": None if neuron is None else _neuron_record(neuron),
            "n_neurons": certificate.network.n_neurons,
            "features": features.names,
            "bias": features.bias,
            "target": features.target,
            "loss": problem.loss.value,
            "model": str(model),
        }
    )
    if certificate.verdict.name != "OPTIMAL":
        say(certificate.verdict.value, "warning")


def _neuron_record(neuron: ImprovingNeuron) -> dict[str, Any]:
    return {
        "hidden_weights": neuron.hidden_weights.tolist(),
        "output_weight": neuron.output_weight,
        "value": neuron.value,
        "decrease": neuron.decrease,
    }


def _show_table(certificate: NetworkCertificate, problem: Problem, title: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from cvxnn.cli.fitting import spoken
    from cvxnn.cli.outputs import draw_page, figures, note

    parts: list[RenderableType] = [
        Text(title, style="bold"),
        "",
        figures(_rows(certificate, problem.loss)),
        "",
        Padding(_verdict(certificate), (0, 2)),
    ]
    if certificate.improving_neuron is not None:
        parts += ["", Padding(_neuron(certificate.improving_neuron, problem.features), (0, 2))]
    for text in map(spoken, certificate.notes):
        parts += ["", note(text)]
    draw_page(parts)


def _rows(certificate: NetworkCertificate, loss: Loss) -> list[tuple[str, str, str]]:
    from cvxnn.cli.outputs import certificate_rows, counted
    from cvxnn.progress import format_number

    better = certificate.better_network
    rows = certificate_rows(certificate, loss.value)
    rows.append(("neurons", str(certificate.network.n_neurons), "of the network"))
    if better is not None:
        what = f"objective of a network with {counted(better.n_neurons, 'neuron')}"
        rows.append(("best found", format_number(better.objective), what))
    return [*rows, ("time", f"{certificate.elapsed:.2f} s", "")]


def _verdict(certificate: NetworkCertificate) -> Text:
    from rich.text import Text

    verdict = certificate.verdict
    colour = "green" if verdict.name == "OPTIMAL" else "yellow"
    ending = " The search was interrupted." if certificate.interrupted else ""
    return Text.assemble((verdict.name, f"bold {colour}"), "  ", verdict.value, ending)


def _neuron(neuron: ImprovingNeuron, features: Features) -> Text:
    from rich.text import Text

    return Text.assemble(
        f"One more neuron lowers the objective by {neuron.decrease:.4g}:\n    ",
        (_formula(neuron, features), "bold"),
    )


def _formula(neuron: ImprovingNeuron, features: Features) -> str:
    """What the neuron adds to the prediction, from the columns as they are in the table."""
    import numpy as np

    count = len(features.names)
    weights = neuron.hidden_weights[:count]
    constant = float(neuron.hidden_weights[count]) if features.bias else 0.0
    shown = np.sort(np.argsort(-np.abs(weights), kind="stable")[:_SHOWN_TERMS])
    if features.mean is not None and features.scale is not None:
        weights = weights / features.scale
        constant -= float(weights @ features.mean)
    terms = [(float(weights[k]), f" {features.names[k]}") for k in shown]
    text = "".join(
        f" {'-' if weight < 0.0 else '+'} {abs(weight):.4g}{name}"
        for weight, name in [*terms, (constant, "")]
        if weight != 0.0
    )
    if count > len(shown):
        text += f" + {count - len(shown)} smaller"
    text = f"-{text[3:]}" if text.startswith(" - ") else text[3:]
    return f"{'-' if neuron.sign < 0.0 else '+'} {abs(neuron.output_weight):.4g} relu({text})"
