"""Certificates with one random change each: what a check makes of them.

A change is one of a byte of the file, an entry of an array, a number, the data, the targets or
beta, or of a setting of the network beside it. Each certificate is checked twice:

    as it is    with its fingerprint: it must be refused, by a sentence
    sealed      with the fingerprint off, as if whoever changed it had sealed it again: the bound
                must not be above an objective that the problem has, as it is stated then

The objectives are those of a training on the stated problem; a bound above one is no bound, and
would be a wrong theorem. Where the network was changed, whoever did it claims its objective, too,
and what is accepted is held against a training of the kind that this network is of.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from harness import print_table
from tampering_others import (
    deep_objective,
    model_of,
    of_others,
    other_arrays,
    other_settings,
    stated_others,
)

import cvxnn
from cvxnn import BoundCertificate, HuberLoss, InputError, ModelFileError
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.relaxed import relaxation_prover
from cvxnn.training.certificate import bound_certificate
from cvxnn.training.solve import solve_quietly

# Rounding of objectives as a share of them, up to which a bound may be above.
_ROUNDING = 1e-9
_NUMBERS = ("beta", "level", "dual_bound", "objective")


@dataclass(frozen=True)
class Case:
    """A certificate, its network, and the data it is about."""

    name: str
    certificate: BoundCertificate
    network: Any
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Change:
    """A certificate, data or network that differ in one thing from those of a case."""

    what: str
    certificate: BoundCertificate | None
    X: np.ndarray
    y: np.ndarray
    network: Any = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, counts, faults = np.random.default_rng(arguments.seed), Counter(), []
    for index in range(arguments.count):
        case = case_of(NAMES[index % len(NAMES)])
        change = changed(case, rng)
        found, proven = is_refused(case, change), verdict_when_sealed(case, change)
        counts[change.what, found, proven] += 1
        if not found or proven == "wrong":
            faults.append((index, case.name, change.what, found, proven))
    print_table(["change", "found", "refused", "accepted", "wrong"], _rows(counts))
    for fault in faults:
        print("fault:", *fault)
    return int(bool(faults))


def _rows(counts: Counter[Any]) -> Iterator[list[object]]:
    for what in sorted({key[0] for key in counts}):
        rows = {key: number for key, number in counts.items() if key[0] == what}
        by = [
            sum(number for key, number in rows.items() if key[2] == verdict)
            for verdict in ("refused", "accepted", "wrong")
        ]
        yield [what, sum(number for key, number in rows.items() if key[1]), *by]


@cache
def case_of(name: str) -> Case:
    """A small problem with a certificate of one kind of proof or evidence."""
    if name == "multipliers":
        return relaxed_case()
    if name == "leaves":
        return leaves_case()
    rng = np.random.default_rng(1)
    n = 14
    line, plane, space = (
        np.column_stack([rng.standard_normal((n, d)), np.ones(n)]) for d in (1, 2, 4)
    )
    y = rng.standard_normal(n)
    labels, weights = np.sign(y), rng.uniform(0.5, 2.0, n)
    many = np.column_stack([rng.standard_normal((30, 2)), np.ones(30)])
    images = rng.standard_normal((8, 3, 3))
    X, targets, rows, options = {
        "rank two": (line, y, None, {}),
        "rank two, intercept": (line, y, None, {"loss": HuberLoss(0.5), "intercept": True}),
        "signs": (plane, labels, None, {"loss": "logistic"}),
        "signs, intercept": (space, labels, None, {"loss": "squared_hinge", "intercept": True}),
        "cones": (many, rng.standard_normal(30), None, {}),
        "weights": (plane, y, weights, {"loss": HuberLoss(0.7)}),
        "leaky": (plane, y, None, {"model": cvxnn.ReLU(slope=0.1, skip="penalised")}),
        "features": (plane, y, None, {"model": cvxnn.ReLU(features=1)}),
        "monotone": (plane, y, None, {"model": cvxnn.ReLU(monotonic_cst=[1, -1])}),
        "constraints": (
            plane,
            y,
            weights,
            {"model": cvxnn.ReLU(features=1, monotonic_cst=[1, 0], shape="convex", l1_ratio=0.5)},
        ),
        "gates": (plane, y, None, {"model": cvxnn.Gated(n_gates=20)}),
        "images": (images, y[:8], None, {"model": cvxnn.Conv(2)}),
        **_of_outputs(line, plane, images, weights, rng),
        **of_others(plane, y, weights),
    }[name]
    return _case(name, X, targets, rows, **options)


def _of_outputs(
    line: np.ndarray,
    plane: np.ndarray,
    images: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, tuple[Any, ...]]:
    """Problems of two and three outputs."""
    targets, classes = rng.standard_normal((len(line), 3)), np.arange(len(line)) % 3
    softmax: dict[str, Any] = {"loss": "softmax", "intercept": True}
    leaky: dict[str, Any] = {"model": cvxnn.ReLU(slope=-0.4), "loss": HuberLoss(0.6)}
    return {
        "outputs, rank two": (line, targets[:, :2], None, {"intercept": True}),
        "outputs, classes": (line, np.eye(3)[classes], weights, softmax),
        "outputs, cones": (plane, targets, None, {}),
        "outputs, leaky": (plane, targets[:, :2], weights, leaky),
        "outputs, softmax": (plane, np.eye(3)[classes], None, {"loss": "softmax"}),
        "outputs, images": (images, targets[:8, :2], None, {"model": cvxnn.Conv((2, 1))}),
    }


NAMES = (
    "rank two", "rank two, intercept", "signs", "signs, intercept", "cones", "weights", "leaky",
    "features", "monotone", "constraints", "gates", "images", "multipliers", "leaves",
    "outputs, rank two", "outputs, classes", "outputs, cones",
    "outputs, leaky", "outputs, softmax", "outputs, images",
    "polynomial", "polynomial, labels", "polynomial, filters", "quantized", "quantized, labels",
    "sub-networks", "ramps", "three gated layers", "frank_wolfe", "incremental",
)  # fmt: skip


def relaxed_case(seconds: float = 2.0) -> Case:
    """A certificate with multipliers, also where an oracle would have one by itself."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((24, 11)), rng.standard_normal(24)
    return relaxed(X, y, 0.3 * cvxnn.largest_beta(X, y), seconds)


def leaves_case(seconds: float = 20.0) -> Case:
    """A certificate with multipliers for leaves, where the relaxation alone proves too little."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((14, 3)), np.ones(14)])
    y = np.sin(2.0 * X[:, 0]) + 0.5 * rng.standard_normal(14)
    return relaxed(X, y, 0.05 * cvxnn.largest_beta(X, y), seconds, leaves=2, most=1000)


def relaxed(X: np.ndarray, y: np.ndarray, beta: float, seconds: float, **settings: Any) -> Case:
    """The same for other data, and a prover with other settings."""
    solution = solve_quietly(X, y, beta)
    model = cvxnn.ReLU()
    problem = Problem.checked(model.rows(X), y, solution.beta, "squared", None, False)
    prover = relaxation_prover(problem)
    assert isinstance(prover, RelaxationProver) and solution.certificate is not None
    nothing = DualProof.of(y, np.inf, "none")
    neurons = model.neurons(solution.network)
    proof = replace(prover, **settings).improve(neurons, nothing, 1e-6, Deadline(seconds))
    certificate = bound_certificate(
        model, problem, proof, {}, bound=proof.bound(problem), objective=solution.objective,
        intercept=False, fingerprint=solution.certificate.fingerprint,
    )  # fmt: skip
    return Case(proof.evidence.kind, certificate, solution.network, X, y)


def _case(
    name: str, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, **options: Any
) -> Case:
    solution = solve_quietly(X, y, 0.3, sample_weight=weights, **options)
    certificate = solution.certificate.recorded(X, y, weights)
    return Case(name, certificate, solution.network, X, y, weights)


def changed(case: Case, rng: np.random.Generator) -> Change:
    """One random change of a case."""
    change: Callable[[Case, np.random.Generator], Change] = rng.choice(
        np.array([_byte, _array, _number, _setting, _data, _target, _network])
    )
    return change(case, rng)


def _byte(case: Case, rng: np.random.Generator) -> Change:
    content = bytearray(case.certificate.to_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    try:
        certificate = BoundCertificate.from_bytes(bytes(content))
    except ModelFileError:
        certificate = None
    return Change("byte", certificate, case.X, case.y)


def _array(case: Case, rng: np.random.Generator) -> Change:
    """Another number in v, the gates or the evidence."""
    certificate = case.certificate
    own = {} if certificate.evidence is None else certificate.evidence.arrays
    arrays = {
        "v": certificate.v,
        **certificate.arrays,
        **{f"evidence.{name}": array for name, array in own.items() if array.size},
    }
    name = str(rng.choice(list(arrays)))
    new = _with_another_entry(arrays[name], rng)
    if name == "v":
        return _other(case, "array", v=new)
    if name in certificate.arrays:
        return _other(case, "array", arrays={**certificate.arrays, name: new})
    parts = {**own, name.removeprefix("evidence."): new}
    try:
        evidence = type(certificate.evidence).read(parts, certificate.evidence.numbers)
    except (ValueError, KeyError):
        return Change("array", None, case.X, case.y)
    return _other(case, "array", evidence=evidence)


def _number(case: Case, rng: np.random.Generator) -> Change:
    name = str(rng.choice(_NUMBERS))
    value = float(_with_another_entry(np.array([getattr(case.certificate, name)]), rng)[0])
    return _other(case, "beta" if name == "beta" else "number", **{name: value})


def _setting(case: Case, rng: np.random.Generator) -> Change:
    """Another loss, slope, intercept, model or fingerprint, or no evidence."""
    certificate = case.certificate
    choices: list[dict[str, Any]] = [
        {"loss": {"name": "squared"}},
        {"loss": {"name": "huber", "delta": 2.0}},
        {"loss": {"name": "softmax"}},
        {"loss": {"name": "nothing"}},
        {"settings": {**certificate.settings, "slope": 0.3}},
        {"settings": {}},
        {"intercept": not certificate.intercept},
        {"model": "conv"},
        {"model": "circular_conv"},
        {"kind": "spectral "},
        {"fingerprint": "0" * 64},
    ]
    if certificate.evidence is not None:
        choices.append({"evidence": None})
    if "features" in certificate.settings:
        others = [
            {"features": None}, {"features": 1}, {"features": 2}, {"monotonic_cst": None},
            {"monotonic_cst": (1, 1)}, {"monotonic_cst": (-1, 0)}, {"monotonic_cst": (0, 0, 1)},
            {"shape": None}, {"shape": "convex"}, {"shape": "concave"}, {"shape": "round"},
            {"l1_ratio": 0.0}, {"l1_ratio": 0.45}, {"l1_ratio": 1.0}, {"l1_ratio": 2.0},
        ]  # fmt: skip
        choices += [{"settings": {**certificate.settings, **other}} for other in others]
    choices += other_settings(certificate)
    # Not what is there already.
    choices = [
        choice
        for choice in choices
        if any(getattr(certificate, name) != value for name, value in choice.items())
    ]
    return _other(case, "setting", **choices[int(rng.integers(len(choices)))])


def _data(case: Case, rng: np.random.Generator) -> Change:
    if rng.random() < 0.2:
        order = np.roll(np.arange(len(case.X)), 1)
        return Change("data", case.certificate, case.X[order], case.y)
    return Change("data", case.certificate, _with_another_entry(case.X, rng), case.y)


def _target(case: Case, rng: np.random.Generator) -> Change:
    y = case.y.copy()
    k = int(rng.integers(y.size))
    old = y.flat[[k]]
    y.flat[k] = -old[0] if rng.random() < 0.5 and old[0] else _with_another_entry(old, rng)[0]
    return Change("target", case.certificate, case.X, y)


def _network(case: Case, rng: np.random.Generator) -> Change:
    networks = other_networks(case)
    return Change(
        "network", case.certificate, case.X, case.y, networks[rng.integers(len(networks))]
    )


def other_networks(case: Case) -> list[Any]:
    """The network of a case with another setting each, or other arrays that are settings."""
    state = case.network.__getstate__()
    arrays, settings = state["arrays"], state["settings"]
    # Of one output only: classes do not see a number that is added to all.
    intercept = np.array(settings["intercept"])
    intercept.flat[0] += 1.0
    others: list[dict[str, Any]] = [{"intercept": intercept[()]}]
    others += other_arrays(case.network)
    if "slope" in settings:
        others.append({"slope": settings["slope"] + 0.5})
    if "pooling" in settings:
        others += [{"pooling": "average"}, {"pooling": "max"}, {"stride": 2}, {"padding": 1}]
        others.append({"biases": np.full(len(arrays["filters"]), 0.1)})
    if "gates" in arrays:
        others += [{"gates": -arrays["gates"]}, {"gates": arrays["gates"] + 0.5}]
    if "stride" in settings and "pooling" not in settings and case.network.is_convolutional:
        others += [{"stride": 2}, {"padding": 1}]
    # Networks of several outputs have no skip connection.
    if "skip_is_free" in settings and case.network.n_outputs is None:
        others += [{"l1_ratio": 0.25}, {"hidden_weights": -arrays["hidden_weights"]}]
        others.append({"output_weights": -arrays["output_weights"]})
        skip = np.full(arrays["hidden_weights"].shape[1], 0.1)
        others += [{"skip_weights": skip, "skip_is_free": is_free} for is_free in (False, True)]
    return [type(case.network)(**{**arrays, **settings, **other}) for other in others]


def _with_another_entry(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    k = int(rng.integers(array.size))
    old = array.flat[k]
    if array.dtype.kind in "ui":
        # Signs are numbers below 0, which not every bit may be set in.
        bits = old.view(f"u{array.itemsize}")
        values = [(bits ^ bits.dtype.type(1 << k)).view(array.dtype) for k in range(8)]
    else:
        values = [
            old * (1.0 + 10.0 ** -rng.integers(1, 8)), 2.0 * old + 1e-3, -old - 1e-3,
            old * 1e-3 - 1e-9, np.nan, np.inf, np.nextafter(old, array.dtype.type(np.inf)),
        ]  # fmt: skip
    new = array.copy()
    # Of a zero or an infinity some are the same.
    while np.array_equal(new, array, equal_nan=True):
        new.flat[k] = values[int(rng.integers(len(values)))]
    return new


def _other(case: Case, what: str, **fields: Any) -> Change:
    return Change(what, replace(case.certificate, **fields), case.X, case.y)


def is_refused(case: Case, change: Change) -> bool:
    """Whether a check with the fingerprint finds the change."""
    if change.certificate is None:
        return True
    try:
        network = case.network if change.network is None else change.network
        report = change.certificate.verify(change.X, change.y, case.weights, network=network)
    except InputError:
        return True
    return not report.accepted and report.reason != ""


def verdict_when_sealed(case: Case, change: Change) -> str:
    """``"refused"``, ``"accepted"``, or ``"wrong"`` where the bound is above an objective."""
    if change.certificate is None:
        return "refused"
    sealed, network = change.certificate.sealed(), change.network
    if network is not None:
        sealed = replace(sealed, objective=_objective(case, change)).sealed()
    try:
        report = sealed.verify(change.X, change.y, case.weights, network=network, fingerprint=False)
    except InputError:
        return "refused"
    if network is not None and report.accepted:
        own = min(_objectives_like(case, change), default=np.inf)
        if report.bound > own + _ROUNDING * abs(own):
            return "wrong"
    least = min(_objectives(case, change), default=np.inf)
    slack = _ROUNDING * abs(least) if np.isfinite(least) else 0.0
    if report.bound > least + slack:
        return "wrong"
    # What is accepted is what it claims, to the slack of a check.
    if report.accepted and sealed.dual_bound > least + 1e-6 * abs(least):
        return "wrong"
    return "accepted" if report.accepted else "refused"


def _objectives(case: Case, change: Change) -> list[float]:
    """Objectives of networks on the problem that a certificate states."""
    certificate = change.certificate
    stated = _stated(certificate)
    if stated is not None and certificate.settings.get("depth") == 3 and "gates" in _own(case):
        return deep_objective(
            certificate.arrays["gates"], change.X, change.y, case.weights, certificate.beta,
            stated[1], bool(certificate.intercept),
        )  # fmt: skip
    return [] if stated is None else _trained(case, change, *stated, change.certificate.intercept)


def _own(case: Case) -> dict[str, Any]:
    arrays: dict[str, Any] = case.network.__getstate__()["arrays"]
    return arrays


def _objectives_like(case: Case, change: Change) -> list[float]:
    """The same for networks of the kind that the changed one is of; its own is one of them."""
    state, (stated, loss) = change.network.__getstate__(), _stated(change.certificate)
    arrays, settings = state["arrays"], state["settings"]
    if "second_gates" in arrays:
        # Pairs of gates are those of its own neurons, and of the certificate.
        return [_objective(case, change)]
    kinds: dict[str, Callable[[], Any]] = {
        "TwoLayerNetwork": lambda: cvxnn.ReLU(
            settings["slope"],
            None if "skip_weights" not in arrays
            else "free" if settings["skip_is_free"] else "penalised",
            # What a network cannot say of itself: where its neurons have to be.
            stated.features, stated.monotonic_cst, stated.shape, settings["l1_ratio"],
        ),
        "GatedNetwork": lambda: cvxnn.Gated(gates=arrays["gates"]),
        "ConvolutionalNetwork": lambda: cvxnn.Conv(
            arrays["filters"].shape[1:-1], bias="biases" in arrays,
            **{name: value for name, value in settings.items() if name != "intercept"},
        ),
    }  # fmt: skip
    try:
        model = model_of(change.network) or kinds[type(change.network).__name__]()
    except InputError:
        # No model trains these.
        return [_objective(case, change)]
    found = _trained(case, change, model, loss, bool(np.any(settings["intercept"])))
    return [*found, _objective(case, change)]


def _objective(case: Case, change: Change) -> float:
    """Of the changed network, in plain float64."""
    certificate, network = change.certificate, change.network
    loss = as_loss(_stated(certificate)[1])
    losses = loss.values(network.forward(change.X), change.y)
    weights = np.ones(len(losses)) if case.weights is None else case.weights
    return (
        float(weights @ losses.reshape(len(losses), -1).sum(axis=1))
        + certificate.beta * network.penalty()
    )


def _trained(case: Case, change: Change, model: Any, loss: Any, intercept: bool) -> list[float]:
    try:
        solution = solve_quietly(
            change.X, change.y, change.certificate.beta, sample_weight=case.weights, model=model,
            loss=loss, intercept=intercept, time_limit=3.0,
        )  # fmt: skip
    except InputError:
        return []
    return [solution.objective + solution.objective_error]


def _stated(certificate: BoundCertificate) -> tuple[Any, Any] | None:
    """Model and loss, if they are ones that there are."""
    settings = dict(certificate.settings)
    kinds = {
        "relu": cvxnn.ReLU, "conv": cvxnn.Conv, "gated": cvxnn.Gated,
        "circular_conv": cvxnn.CircularConv,
    }  # fmt: skip
    try:
        if certificate.model == "gated":
            settings = {"gates": certificate.arrays["gates"]}
        model = stated_others(certificate) or kinds[certificate.model](**settings)
        name, numbers = certificate.loss["name"], certificate.loss.get("delta")
        loss = HuberLoss(numbers) if name == "huber" else name
        return model, loss
    except (InputError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    raise SystemExit(main())
