"""``cvxnn certify``: how far a saved network is from the best one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvxnn.cli.options import (
    PROBLEM,
    RUN,
    JsonOption,
    ModelArgument,
    NetworkLoss,
    QuantileOption,
    argument,
    check_quantile,
    option,
)
from cvxnn.cli.reporting import counted, end_code, progress_lines, say
from cvxnn.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from cvxnn.cli.problems import Problem
    from cvxnn.cli.tables import Features
    from cvxnn.results import ImprovingNeuron, NetworkCertificate

    _Reader = Callable[[Path, Path, list[str], float | None, NetworkLoss | None], Problem]

# Terms of a neuron that are written out.
_SHOWN_TERMS = 8
# Attributes of a certificate that are in its JSON object as they are.
_REPORTED = (
    "objective", "dual_bound", "gap", "balanced_objective", "largest_value", "oracle_bound",
    "beta", "tol", "interrupted", "elapsed",
)  # fmt: skip


_Data = Annotated[
    Path,
    argument(
        "Table with the model's features and its target or targets, in any order.", "DATA.csv"
    ),
]
_Target = Annotated[
    list[str] | None,
    option("Column it predicts, several times for several; the model's own.", PROBLEM, "COLUMN"),
]
_Beta = Annotated[
    float | None,
    option("Weight of the penalty on all squared weights; the model's own.", PROBLEM, "B"),
]
_Loss = Annotated[
    NetworkLoss | None,
    option(
        "Loss it was trained with: the model's own, or squared where its file tells none; or "
        "huber, absolute, quantile, poisson, gamma; logistic, hinge and squared_hinge are for "
        "labels -1 and 1, softmax is for an output for each class.", PROBLEM, "LOSS",
    ),
]  # fmt: skip
_Tol = Annotated[float, option("Relative gap that is optimal.", RUN, "GAP")]
_TimeLimit = Annotated[float, option("Time after which to stop the search.", RUN, "SECONDS")]
_ProofTime = Annotated[
    float | None,
    option(
        "Time for the bound of many features, in that limit; by default as long as the search.",
        RUN, "SECONDS",
    ),
]  # fmt: skip


def certify(
    model: ModelArgument,
    data: _Data,
    target: _Target = None,
    beta: _Beta = None,
    loss: _Loss = None,
    quantile: QuantileOption = None,
    tol: _Tol = 1e-6,
    time_limit: _TimeLimit = 60.0,
    proof_time: _ProofTime = None,
    json: JsonOption = False,
) -> None:
    """Prove how far a saved network is from the best one on the table it was trained on.

    Exit codes: 0 the network is optimal, up to --tol; 1 it is not, or that could
    not be proven in the time; 2 a mistake in the options or the data; 130
    interrupted, 143 by SIGTERM. Both stop the search with the bound so far.

    MODEL is of 'cvxnn fit' or 'cvxnn solve', or a network that was saved from Python.
    That one names no columns: give --target, and all others are its features; and
    --beta where it was saved without a certificate. One of several outputs has as
    many targets, or with the softmax loss one of classes, sorted as its outputs.
    """
    from cvxnn.progress import live_progress
    from cvxnn.validation import check_proof_time

    if proof_time is not None:
        check_proof_time(proof_time, "--proof-time")
    level = check_quantile(quantile, loss)
    problem = _read(model)(model, data, target or [], beta, loss)
    features = problem.features
    with progress_lines(), live_progress(True) as callback:
        # Here and not above: it takes seconds, which the live view shows passing.
        from cvxnn.cli.fitting import speaking
        from cvxnn.losses import LOSSES
        from cvxnn.training.certification import certify as compute

        if level is not None:
            problem = replace(problem, parameters={"level": level})
        with speaking():
            certificate = compute(
                problem.network, problem.X, problem.y, problem.beta,
                loss=LOSSES[problem.loss.value](**problem.parameters), tol=tol,
                time_limit=time_limit, callback=callback,
                proof_time="auto" if proof_time is None else proof_time,
            )  # fmt: skip
    if json:
        _show_json(certificate, problem, model)
    else:
        title = f"{model.name} on {data.name}: {features.describe()}, beta {problem.beta:g}"
        _show_table(certificate, problem, title)
    is_optimal = certificate.verdict.name == "OPTIMAL"
    raise typer.Exit(end_code(is_optimal, interrupted=certificate.interrupted))


def _read(model: Path) -> _Reader:
    """What reads the problem of a file of this name."""
    if model.suffix.lower() == ".skops":
        return _table_problem
    from cvxnn.cli.network_problem import network_problem

    return network_problem


def _table_problem(
    model: Path, data: Path, targets: list[str], beta: float | None, loss: NetworkLoss | None
) -> Problem:
    """That of a model of 'cvxnn fit', whose targets and loss are its own."""
    from cvxnn.cli.fit_command import check_packages

    check_packages()
    from cvxnn.cli.certify_model import check_targets, table_problem

    found = table_problem(model, data, beta)
    check_targets(targets, found.features.targets, model)
    if loss not in (None, found.loss):
        raise InputError(f"{model} was trained with {found.loss}; leave --loss out.")
    return found


def _show_json(certificate: NetworkCertificate, problem: Problem, model: Path) -> None:
    from cvxnn.cli.fitting import spoken
    from cvxnn.cli.outputs import write_json

    features = problem.features
    better, neuron = certificate.better_network, certificate.improving_neuron
    write_json(
        {"verdict": certificate.verdict.name, "message": certificate.verdict.value}
        | {name: getattr(certificate, name) for name in _REPORTED}
        | {
            "notes": [spoken(note) for note in certificate.notes],
            "best_objective": None if better is None else better.objective,
            "improving_neuron": None if neuron is None else _neuron_record(neuron),
            "n_neurons": certificate.network.n_neurons,
            "features": features.names,
            "bias": features.bias,
            "target": features.target if len(features.targets) == 1 else features.targets,
            "loss": problem.loss.value,
            "model": str(model),
        }
    )
    if certificate.verdict.name != "OPTIMAL":
        say(certificate.verdict.value, "warning")


def _neuron_record(neuron: ImprovingNeuron) -> dict[str, Any]:
    import numpy as np

    return {
        "hidden_weights": neuron.hidden_weights.tolist(),
        # A number, or one for each output.
        "output_weight": np.asarray(neuron.output_weight).tolist(),
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
        parts += ["", Padding(_neuron(certificate.improving_neuron, problem), (0, 2))]
    for text in map(spoken, certificate.notes):
        parts += ["", note(text)]
    draw_page(parts)


def _rows(certificate: NetworkCertificate, loss: NetworkLoss) -> list[tuple[str, str, str]]:
    from cvxnn.cli.outputs import certificate_rows
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


def _neuron(neuron: ImprovingNeuron, problem: Problem) -> Text:
    from rich.text import Text

    activation = f"relu({_formula(neuron, problem.features)})"
    if len(problem.outputs) == 1:
        sign = "-" if neuron.sign < 0.0 else "+"
        formula = f"{sign} {abs(neuron.output_weight):.4g} {activation}"
    else:
        formula = f"{activation} times {_shares(neuron, problem.outputs)}"
    return Text.assemble(
        f"One more neuron lowers the objective by {neuron.decrease:.4g}:\n    ", (formula, "bold")
    )


def _shares(neuron: ImprovingNeuron, outputs: Sequence[str]) -> str:
    """What it adds to each of several outputs, the largest first."""
    import numpy as np

    order = np.argsort(-np.abs(neuron.output_weight), kind="stable")
    shown = [f"{neuron.output_weight[k]:.4g} for {outputs[k]}" for k in order[:_SHOWN_TERMS]]
    others = len(order) - len(shown)
    return ", ".join([*shown, *([f"less for {others} others"] if others else [])])


def _formula(neuron: ImprovingNeuron, features: Features) -> str:
    """What is in its activation, from the columns as they are in the table."""
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
    return f"-{text[3:]}" if text.startswith(" - ") else text[3:]
