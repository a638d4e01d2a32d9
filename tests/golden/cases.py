"""The golden cases: runs that end by their tolerance or their rounds, never by a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from descent_paths import problem as descent_problem
from descent_paths import random_start
from gated import draw as gated_problem
from golden import data, face
from harness import ring, smooth_target
from perceptrons import perceptron
from planted import planted
from problems import PROBLEMS
from programs import LOSSES

import cvxnn
from cvxnn import Conv, Exact, Gated, Global, HuberLoss, ReLU, Sampled

# On another processor, or with another BLAS, rounding sends the searches of some problems
# another way. What is left then is what the tolerance of a run, 1e-6, promises of its objective
# and bound; the strong convexity of the loss, of predictions, its square root.
WITHIN_TOL = {"objective": 1e-6, "dual_bound": 1e-6, "predictions": 1e-3, "size": 0.3}
# Runs that end by their rounds promise nothing.
AFTER_ROUNDS = {"objective": 0.1, "dual_bound": 0.1, "predictions": 0.1, "size": 0.3}


@dataclass(frozen=True)
class Case:
    """A run, whether it takes seconds, and other tolerances for other processors."""

    name: str
    run: Callable[[], face.Figures] = field(repr=False)
    is_long: bool = False
    elsewhere: dict[str, float] = field(default_factory=dict)


def methods(n_samples: int = 500) -> dict[str, Any]:
    return {"global": Global(), "exact": Exact(), "sampled": Sampled(n_samples)}


def target(y: data.FloatArray, loss: str) -> data.FloatArray:
    return data.signs(y) if loss in ("logistic", "squared_hinge") else y


def reference_problems() -> Iterator[Case]:
    for problem in PROBLEMS:
        rows = problem.X, problem.y, problem.beta
        elsewhere = WITHIN_TOL if problem.beta == 1e-4 else {}
        for name, method in methods().items():
            run = partial(face.solution, *rows, method=method)
            is_long = name != "global" and len(problem.y) == 100
            yield Case(f"reference, {problem.name}, {name}", run, is_long, elsewhere)


def losses() -> Iterator[Case]:
    X, y = data.small()
    yield Case("loss, HuberLoss(0.3)", partial(face.solution, X, y, 0.3, loss=HuberLoss(0.3)))
    for loss in LOSSES:
        for name, weights in (("plain", None), ("weighted", data.weights(len(X)))):
            for how, method in methods(60).items():
                run = partial(
                    face.solution, X, target(y, loss), 0.3,
                    loss=loss, method=method, sample_weight=weights,
                )  # fmt: skip
                yield Case(f"loss, {loss}, {name}, {how}", run)
        large, values = data.small(300, 3, seed=1)
        run = partial(face.solution, large, target(values, loss), 2.0, loss=loss)
        yield Case(f"loss, {loss}, 300 rows", run, elsewhere=WITHIN_TOL)


def sizes() -> Iterator[Case]:
    """The problems of `growth.py`, `smooth_targets.py` and `planted.py`."""
    for n in (200, 1_000, 10_000):
        run = partial(face.solution, *ring(n), n / 1000)
        yield Case(f"ring, n = {n}", run, True, WITHIN_TOL)
    # About 1e-2 and 1e-4 of the largest beta, then 0.1 and 0.02 of it.
    for n, beta in ((200, 0.7), (200, 0.007), (10_000, 40.0), (10_000, 0.4)):
        run = partial(face.solution, *data.line(n), beta)
        yield Case(f"line, n = {n}, beta = {beta}", run, n > 200, WITHIN_TOL)
    for d, n, largest in ((3, 1000, 700.0), (4, 2000, 1400.0), (5, 2000, 1400.0)):
        X, y = smooth_target(n, d, np.random.default_rng(3))
        for share in (0.1, 0.02):
            run = partial(face.solution, X, y, share * largest)
            yield Case(f"smooth, d = {d}, n = {n}, {share} of beta", run, True, WITHIN_TOL)
    X, y = planted()
    run = partial(face.solution, X, y, 1.0, max_iter=2)
    yield Case("planted, two rounds", run, True, AFTER_ROUNDS)
    run = partial(face.solution, X[:400], y[:400], 100.0, method=Sampled(50))
    yield Case("planted, sampled", run, True, WITHIN_TOL)


def options() -> Iterator[Case]:
    """What else `solve` takes."""
    X, y = data.small()
    cases: dict[str, dict[str, Any]] = {
        "two rounds": {"max_iter": 2},
        "two rounds of exact": {"max_iter": 2, "method": "exact"},
        "without certificate": {"method": Sampled(40)},
        "normal directions": {"method": Sampled(40, "gaussian")},
        "small tolerance": {"tol": 1e-11},
        "large tolerance": {"tol": 1e-2},
    }
    for name, chosen in cases.items():
        yield Case(f"options, {name}", partial(face.solution, X, y, 0.3, **chosen))
    yield Case("options, warm start", partial(face.from_start, X, y, 0.3, 1.0))
    yield Case("options, own patterns", partial(face.on_patterns, X, y, 0.3, 40))
    yield Case("options, program", partial(face.program, X, y, 0.3, 40))


def leaky() -> Iterator[Case]:
    X, y = data.small()
    for slope in (0.0, 0.1, -1.0, 2.0):
        for skip in (None, "penalised", "free"):
            for name, method in methods(60).items() if skip is None else [("global", Global())]:
                run = partial(face.solution, X, y, 0.3, model=ReLU(slope, skip), method=method)
                yield Case(f"leaky, slope {slope}, skip {skip}, {name}", run)
    for loss in LOSSES[1:]:
        for skip in (None, "penalised"):
            run = partial(
                face.solution, X, target(y, loss), 0.3,
                model=ReLU(0.1, skip), loss=loss, sample_weight=data.weights(len(X)),
            )  # fmt: skip
            yield Case(f"leaky, {loss}, skip {skip}", run)


def gated() -> Iterator[Case]:
    X, y = data.small(60, 4)
    for loss in LOSSES:
        for name, weights in (("plain", None), ("weighted", data.weights(len(X)))):
            run = partial(
                face.solution, X, target(y, loss), 0.5,
                model=Gated(n_gates=40), loss=loss, sample_weight=weights,
            )  # fmt: skip
            yield Case(f"gated, drawn gates, {loss}, {name}", run)
    gates = np.random.default_rng(2).standard_normal((25, 4))
    yield Case("gated, own gates", partial(face.solution, X, y, 0.5, model=Gated(gates)))
    run = partial(face.solution, X, y, 0.5, model=Gated(gates, skip="penalised"))
    yield Case("gated, own gates, skip penalised", run)
    yield Case("gated, as ReLU", partial(face.decomposed, X, y, 0.5, Gated(n_gates=30)))
    for n, d, n_gates in ((200, 10, 100), (500, 20, 200), (1000, 20, 500)):
        # About 0.1 and 0.01 of the largest beta.
        for loss, betas in (("squared", (0.1 * n, 0.01 * n)), ("logistic", (0.02 * n, 0.002 * n))):
            rows, values, directions = gated_problem(n, d, n_gates, loss)
            for beta in betas:
                run = partial(
                    face.solution, rows, values, beta, model=Gated(directions), loss=loss, tol=1e-8
                )
                name = f"gated, {n} x {d}, {n_gates} gates, {loss}, beta = {beta:g}"
                yield Case(name, run, is_long=n > 200)


def filters() -> Iterator[Case]:
    signals, rises = data.steep_signals()
    for pooling in ("sum", "average", "max"):
        chosen, model = methods(40), Conv(2, pooling=pooling)
        if pooling == "max":
            # No oracle is known for max pooling.
            del chosen["global"]
        for name, method in chosen.items():
            run = partial(face.solution, signals, rises, 0.2, model=model, method=method)
            yield Case(f"cnn, {pooling}, {name}", run)
        for loss in LOSSES[1:]:
            run = partial(
                face.solution, signals, target(rises, loss), 0.2,
                model=model, method=next(iter(chosen)), loss=loss,
                sample_weight=data.weights(len(signals)),
            )  # fmt: skip
            yield Case(f"cnn, {pooling}, {loss}, weighted", run)
    settings: dict[str, dict[str, Any]] = {
        "padding": {"padding": 1},
        "stride": {"stride": 2},
        "bias": {"bias": True},
        "slope": {"slope": 0.1},
        "all": {"padding": 1, "stride": 2, "bias": True, "slope": -1.0},
    }
    for name, options in settings.items():
        run = partial(face.solution, signals, rises, 0.2, model=Conv(2, **options))
        yield Case(f"cnn, {name}", run)
        if "slope" not in options:
            model = Conv(2, pooling="max", **options)
            run = partial(face.solution, signals, rises, 0.2, model=model, method="exact")
            yield Case(f"cnn, max, {name}", run)
    images, seen = data.colours()
    run = partial(face.solution, images, seen, 0.5, model=Conv((2, 1), pooling="average"))
    yield Case("cnn, two channels", run)


def images() -> Iterator[Case]:
    """The problem of `convolutional.py`."""
    pixels, y = data.digits()
    run = partial(face.solution, pixels[:30], y[:30], 10.0, model=Conv(2))
    yield Case("digits, 30 images, filters of 2 x 2", run)
    model = Conv(3, pooling="average", bias=True)
    run = partial(face.solution, pixels, y, 0.02, model=model, method=Sampled(100))
    yield Case("digits, sampled", run, True, WITHIN_TOL)


def linear_filters() -> Iterator[Case]:
    signals, rises = data.steep_signals()
    for loss in LOSSES:
        patches, y = cvxnn.image_patches(signals, 3), target(rises, loss)
        run = partial(face.solution, patches, y, 0.2, model="linear_conv", loss=loss)
        yield Case(f"linear cnn, {loss}", run)
        run = partial(face.solution, signals, y, 0.2, model="circular_conv", loss=loss)
        yield Case(f"circular cnn, {loss}", run)
    pixels, y = data.digits()
    patches = cvxnn.image_patches(pixels, 3)
    run = partial(face.solution, patches, y, 1.0, model="linear_conv")
    yield Case("linear cnn, digits", run, elsewhere=WITHIN_TOL)
    run = partial(face.solution, pixels.reshape(len(y), -1), y, 1.0, model="circular_conv")
    yield Case("circular cnn, digits", run, elsewhere=WITHIN_TOL)


def certificates() -> Iterator[Case]:
    X, y = data.small()
    beta = 0.3
    weights = data.weights_of_a_network(3, 10, seed=0)
    networks: dict[str, Callable[[], Any]] = {
        "good": partial(face.trained, X, y, beta, tol=1e-9),
        "nearly good": partial(face.trained, X, y, beta, max_iter=2),
        "bad": lambda: weights,
        "empty": lambda: cvxnn.TwoLayerNetwork(np.zeros((0, 3)), np.zeros(0)),
    }
    for name, network in networks.items():
        yield Case(f"certify, {name}", partial(face.certificate, network, X, y, beta))
    # Three weights a neuron and two columns: the third is its bias.
    run = partial(face.certificate, lambda: perceptron(*weights, 0.3), X[:, :2], y, beta)
    yield Case("certify, biases", run)
    for loss in LOSSES[1:]:
        run = partial(
            face.certificate, lambda: weights, X, target(y, loss), beta,
            loss=loss, sample_weight=data.weights(len(X)),
        )  # fmt: skip
        yield Case(f"certify, {loss}, weighted", run)


def paths() -> Iterator[Case]:
    X, y = data.small()
    for loss in ("squared", "logistic"):
        yield Case(f"path, {loss}", partial(face.path, X, target(y, loss), 6, loss=loss))
    yield Case("path, sampled", partial(face.path, X, y, 5, method=Sampled(40)))
    for problem in PROBLEMS:
        run = partial(face.largest_beta, problem.X, problem.y)
        yield Case(f"largest beta, {problem.name}", run)
    for loss in LOSSES:
        run = partial(
            face.largest_beta, X, target(y, loss), loss=loss, sample_weight=data.weights(len(X))
        )
        yield Case(f"largest beta, {loss}, weighted", run)


def estimators() -> Iterator[Case]:
    X, y = data.small()
    X = X[:, :2]
    labels = np.array(["low", "high"])[(y > 0.5).astype(int)]
    classes = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    signals, rises = data.steep_signals()
    regressor, classifier = cvxnn.ConvexReLURegressor, cvxnn.ConvexReLUClassifier
    # Networks that interpolate their fold have many optima, and as many scores.
    folds: dict[str, Any] = {"cv": 3, "tol": 1e-10}
    average, largest = Conv(2, pooling="average"), Conv(2, pooling="max")
    models: dict[str, tuple[Any, Any, Any]] = {
        "regressor": (regressor(0.3), X, y),
        "regressor, huber, no intercept": (regressor(0.3, loss="huber", hidden_bias=False), X, y),
        "classifier": (classifier(0.3), X, labels),
        "classifier, three classes": (
            classifier(0.3, loss="squared_hinge", class_weight="balanced"), X, classes
        ),
        "regressor, cross-validated": (
            cvxnn.ConvexReLURegressorCV([5.0, 1.0, 0.3], **folds), X, y
        ),
        "classifier, cross-validated": (
            cvxnn.ConvexReLUClassifierCV([2.0, 0.5, 0.1], **folds), X, labels
        ),
        "cnn regressor": (regressor(0.2, model=average), signals, rises),
        "cnn classifier": (classifier(0.2, model=average), signals, rises > 1.0),
        "cnn regressor, max": (regressor(0.2, model=largest, method="exact"), signals, rises),
    }  # fmt: skip
    for name, model in models.items():
        yield Case(name, partial(face.fitted, *model))


def landscapes() -> Iterator[Case]:
    for name in ("fig3_n5", "d1_n50", "d2_n50_beta1", "grid_with_duplicates_n25", "rank_deficient"):
        problem = next(problem for problem in PROBLEMS if problem.name == name)
        run = partial(face.optimal_set, problem.X, problem.y, problem.beta)
        yield Case(f"optimal set, {name}", run)
    for seed in range(4):
        X, y, beta = descent_problem(seed)
        run = partial(face.descent, random_start(X, seed), X, y, beta)
        yield Case(f"descent, start {seed}", run)


CASES: tuple[Case, ...] = (
    *reference_problems(),
    *losses(),
    *sizes(),
    *options(),
    *leaky(),
    *gated(),
    *filters(),
    *images(),
    *linear_filters(),
    *certificates(),
    *paths(),
    *estimators(),
    *landscapes(),
)
