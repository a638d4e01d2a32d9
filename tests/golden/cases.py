"""The golden cases: runs that end by their tolerance or their rounds, never by a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    run: Callable[[], dict[str, Any]] = field(repr=False)
    is_long: bool = False
    elsewhere: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, name, *rows, ends=None, **options):
        """Of `solve`; whether it is long is among the options, and other tolerances as `ends`."""
        is_long = options.pop("is_long", False)
        return cls(name, partial(face.solution, *rows, **options), is_long, ends or {})


def methods(n_samples=500):
    return {"global": Global(), "exact": Exact(), "sampled": Sampled(n_samples)}


def target(y, loss):
    return data.signs(y) if loss in ("logistic", "squared_hinge") else y


def reference_problems():
    for problem in PROBLEMS:
        rows = problem.X, problem.y, problem.beta
        ends = WITHIN_TOL if problem.beta == 1e-4 else {}
        for how, method in methods().items():
            is_long = how != "global" and len(problem.y) >= 50
            name = f"reference, {problem.name}, {how}"
            yield Case.of(name, *rows, method=method, is_long=is_long, ends=ends)


def losses():
    X, y = data.small()
    yield Case.of("loss, HuberLoss(0.3)", X, y, 0.3, loss=HuberLoss(0.3))
    for loss in LOSSES:
        for name, weights in (("plain", None), ("weighted", data.weights(len(X)))):
            for how, method in methods(60).items():
                # Weighted rows are treated alike by all methods.
                is_long = weights is not None and how != "global"
                options = {"loss": loss, "method": method, "sample_weight": weights}
                options["is_long"] = is_long
                yield Case.of(f"loss, {loss}, {name}, {how}", X, target(y, loss), 0.3, **options)
        large, values = data.small(300, 3, seed=1)
        rows = large, target(values, loss), 2.0
        yield Case.of(f"loss, {loss}, 300 rows", *rows, loss=loss, ends=WITHIN_TOL)


def sizes():
    """The problems of `growth.py`, `smooth_targets.py` and `planted.py`."""
    for n in (200, 1_000, 10_000):
        yield Case.of(f"ring, n = {n}", *ring(n), n / 1000, is_long=True, ends=WITHIN_TOL)
    # About 1e-2 and 1e-4 of the largest beta, then 0.1 and 0.02 of it.
    for n, beta in ((200, 0.7), (200, 0.007), (10_000, 40.0), (10_000, 0.4)):
        name = f"line, n = {n}, beta = {beta}"
        yield Case.of(name, *data.line(n), beta, is_long=n > 200, ends=WITHIN_TOL)
    for d, n, largest in ((3, 1000, 700.0), (4, 2000, 1400.0), (5, 2000, 1400.0)):
        X, y = smooth_target(n, d, np.random.default_rng(3))
        for share in (0.1, 0.02):
            name = f"smooth, d = {d}, n = {n}, {share} of beta"
            yield Case.of(name, X, y, share * largest, is_long=True, ends=WITHIN_TOL)
    X, y = planted()
    yield Case.of("planted, two rounds", X, y, 1.0, max_iter=2, is_long=True, ends=AFTER_ROUNDS)
    few = {"method": Sampled(50), "is_long": True, "ends": WITHIN_TOL}
    yield Case.of("planted, sampled", X[:400], y[:400], 100.0, **few)


def options():
    """What else `solve` takes."""
    X, y = data.small()
    cases = {
        "two rounds": {"max_iter": 2},
        "two rounds of exact": {"max_iter": 2, "method": "exact"},
        "without certificate": {"method": Sampled(40)},
        "normal directions": {"method": Sampled(40, "gaussian")},
        "small tolerance": {"tol": 1e-11},
        "large tolerance": {"tol": 1e-2},
    }
    for name, chosen in cases.items():
        yield Case.of(f"options, {name}", X, y, 0.3, is_long=name == "two rounds", **chosen)
    yield Case("options, warm start", partial(face.from_start, X, y, 0.3, 1.0))
    yield Case("options, own patterns", partial(face.on_patterns, X, y, 0.3, 40))
    yield Case("options, program", partial(face.program, X, y, 0.3, 40))


def leaky():
    X, y = data.small()
    for slope in (0.0, 0.1, -1.0, 2.0):
        for skip in (None, "penalised", "free"):
            for how, method in methods(60).items() if skip is None else [("global", Global())]:
                name = f"leaky, slope {slope}, skip {skip}, {how}"
                options = {"model": ReLU(slope, skip), "method": method}
                yield Case.of(name, X, y, 0.3, is_long=slope < 0.0 and skip is not None, **options)
    for loss in LOSSES[1:]:
        for skip in (None, "penalised"):
            options = {
                "model": ReLU(0.1, skip),
                "loss": loss,
                "sample_weight": data.weights(len(X)),
            }
            yield Case.of(f"leaky, {loss}, skip {skip}", X, target(y, loss), 0.3, **options)


def gated():
    X, y = data.small(60, 4)
    for loss in LOSSES:
        for how, weights in (("plain", None), ("weighted", data.weights(len(X)))):
            options = {"model": Gated(n_gates=40), "loss": loss, "sample_weight": weights}
            name = f"gated, drawn gates, {loss}, {how}"
            yield Case.of(name, X, target(y, loss), 0.5, **options)
    gates = np.random.default_rng(2).standard_normal((25, 4))
    yield Case.of("gated, own gates", X, y, 0.5, model=Gated(gates))
    yield Case.of(
        "gated, own gates, skip penalised", X, y, 0.5, model=Gated(gates, skip="penalised")
    )
    yield Case("gated, as ReLU", partial(face.decomposed, X, y, 0.5, Gated(n_gates=30)))
    for n, d, n_gates in ((200, 10, 100), (500, 20, 200), (1000, 20, 500)):
        # About 0.1 and 0.01 of the largest beta.
        for loss, betas in (("squared", (0.1 * n, 0.01 * n)), ("logistic", (0.02 * n, 0.002 * n))):
            rows, values, directions = gated_problem(n, d, n_gates, loss)
            options = {"model": Gated(directions), "loss": loss, "tol": 1e-8, "is_long": n > 200}
            for beta in betas:
                name = f"gated, {n} x {d}, {n_gates} gates, {loss}, beta = {beta:g}"
                yield Case.of(name, rows, values, beta, **options)


def filters():
    signals, rises = data.steep_signals()
    for pooling in ("sum", "average", "max"):
        chosen, model = methods(40), Conv(2, pooling=pooling)
        if pooling == "max":
            # No oracle is known for max pooling.
            del chosen["global"]
        for how, method in chosen.items():
            name = f"cnn, {pooling}, {how}"
            yield Case.of(name, signals, rises, 0.2, model=model, method=method)
        first = {"model": model, "method": next(iter(chosen))}
        for loss in LOSSES[1:]:
            options = first | {"loss": loss, "sample_weight": data.weights(len(signals))}
            rows = signals, target(rises, loss), 0.2
            yield Case.of(f"cnn, {pooling}, {loss}, weighted", *rows, **options)
    settings = {
        "padding": {"padding": 1},
        "stride": {"stride": 2},
        "bias": {"bias": True},
        "slope": {"slope": 0.1},
        "all": {"padding": 1, "stride": 2, "bias": True, "slope": -1.0},
    }
    for name, options in settings.items():
        yield Case.of(f"cnn, {name}", signals, rises, 0.2, model=Conv(2, **options))
        if "slope" not in options:
            model = Conv(2, pooling="max", **options)
            yield Case.of(f"cnn, max, {name}", signals, rises, 0.2, model=model, method="exact")
    yield Case.of("cnn, two channels", *data.colours(), 0.5, model=Conv((2, 1), pooling="average"))


def images():
    """The problem of `convolutional.py`."""
    pixels, y = data.digits()
    name = "digits, 30 images, filters of 2 x 2"
    yield Case.of(name, pixels[:30], y[:30], 10.0, model=Conv(2))
    model = Conv(3, pooling="average", bias=True)
    few = {"method": Sampled(100), "is_long": True, "ends": WITHIN_TOL}
    yield Case.of("digits, sampled", pixels, y, 0.02, model=model, **few)


def linear_filters():
    signals, rises = data.steep_signals()
    for loss in LOSSES:
        patches, y = cvxnn.image_patches(signals, 3), target(rises, loss)
        yield Case.of(f"linear cnn, {loss}", patches, y, 0.2, model="linear_conv", loss=loss)
        yield Case.of(f"circular cnn, {loss}", signals, y, 0.2, model="circular_conv", loss=loss)
    pixels, y = data.digits()
    options = {"model": "linear_conv", "ends": WITHIN_TOL}
    yield Case.of("linear cnn, digits", cvxnn.image_patches(pixels, 3), y, 1.0, **options)
    options = {"model": "circular_conv", "ends": WITHIN_TOL}
    yield Case.of("circular cnn, digits", pixels.reshape(len(y), -1), y, 1.0, **options)


def other_networks():
    """Polynomials, signs, three layers, and one neuron a round."""
    X, y = data.small()
    signals, rises = data.steep_signals()
    line = np.linspace(-1.0, 1.0, len(y))[:, None]
    models = {
        "polynomial": (X, y, cvxnn.Polynomial()),
        "polynomial, two outputs": (X, np.column_stack([y, y[::-1]]), cvxnn.Polynomial()),
        "polynomial, filters": (signals, rises, cvxnn.Polynomial(1.0, 0.0, 0.0, filter_size=2)),
        "quantised": (X, y, cvxnn.Quantized()),
        "ramps": (line, y, cvxnn.Parallel(bias="free")),
        "gated, three layers": (X, y, Gated(n_gates=10, depth=3, n_second_gates=4)),
    }
    for name, (rows, values, model) in models.items():
        yield Case.of(f"others, {name}", rows, values, 0.3, model=model, ends=WITHIN_TOL)
        if values.ndim == 1:
            options = {"loss": "logistic", "intercept": True, "ends": WITHIN_TOL}
            labels = rows, data.signs(values), 0.05
            yield Case.of(f"others, {name}, labels", *labels, model=model, **options)
    few = {"model": cvxnn.Parallel(), "tol": 1e-4, "ends": {**WITHIN_TOL, "dual_bound": 1e-4}}
    yield Case.of("others, sub-networks", X[:5, :2], y[:5], 0.3, **few)
    steps = {"incremental": cvxnn.Incremental(), "steps": cvxnn.FrankWolfe("open_loop")}
    for name, method in (*steps.items(), ("line search", cvxnn.FrankWolfe())):
        options = {"method": method, "max_iter": 60, "ends": AFTER_ROUNDS}
        yield Case.of(f"others, {name}", X, y, 0.3, **options)


def certificates():
    X, y = data.small()
    beta = 0.3
    weights = data.weights_of_a_network(3, 10, seed=0)
    networks = {
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


def paths():
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


def estimators():
    X, y = data.small()
    X = X[:, :2]
    labels = np.array(["low", "high"])[(y > 0.5).astype(int)]
    classes = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    signals, rises = data.steep_signals()
    # In the units of the data, without an intercept: what they have always trained.
    raw = {"scale_X": False, "fit_intercept": False}
    regressor = partial(cvxnn.ConvexReLURegressor, scale_y=False, **raw)
    classifier = partial(cvxnn.ConvexReLUClassifier, **raw)
    # Networks that interpolate their fold have many optima, and as many scores.
    folds = {"cv": 3, "tol": 1e-10, **raw}
    average, largest = Conv(2, pooling="average"), Conv(2, pooling="max")
    models = {
        "regressor": (regressor(0.3), X, y),
        "regressor, huber, no intercept": (regressor(0.3, loss="huber", hidden_bias=False), X, y),
        "classifier": (classifier(0.3), X, labels),
        "classifier, three classes": (
            classifier(0.3, loss="squared_hinge", class_weight="balanced"), X, classes
        ),
        "regressor, cross-validated": (
            cvxnn.ConvexReLURegressorCV([5.0, 0.3], scale_y=False, **folds), X, y
        ),
        "classifier, cross-validated": (
            cvxnn.ConvexReLUClassifierCV([2.0, 0.1], **folds), X, labels
        ),
        "cnn regressor": (regressor(0.2, model=average), signals, rises),
        "cnn classifier": (classifier(0.2, model=average), signals, rises > 1.0),
        "standardised regressor": (cvxnn.ConvexReLURegressor(), X, y),
        "standardised classifier": (cvxnn.ConvexReLUClassifier(0.3), X, labels),
        "cnn regressor, max": (regressor(0.2, model=largest, method="exact"), signals, rises),
    }  # fmt: skip
    ends = {
        # Optima of a fold are the same on its rows, and anything on those that it leaves out: which
        # of them is found is for the last digits to say.
        "regressor, cross-validated": {"scores": np.inf},
        "standardised regressor": AFTER_ROUNDS,
    }
    for name, model in models.items():
        yield Case(name, partial(face.fitted, *model), elsewhere=ends.get(name, {}))


def landscapes():
    for name in ("fig3_n5", "d1_n50", "d2_n50_beta1", "grid_with_duplicates_n25", "rank_deficient"):
        problem = next(problem for problem in PROBLEMS if problem.name == name)
        run = partial(face.optimal_set, problem.X, problem.y, problem.beta)
        yield Case(f"optimal set, {name}", run)
    for seed in range(4):
        X, y, beta = descent_problem(seed)
        run = partial(face.descent, random_start(X, seed), X, y, beta)
        yield Case(f"descent, start {seed}", run)


# Of a tenth of a second or more, and of the same functions as quicker ones.
SLOW = {
    "certify, nearly good", "standardised classifier", "path, logistic", "optimal set, d1_n50",
    "classifier, three classes", "loss, squared_hinge, 300 rows", "standardised regressor",
    "cnn regressor, max", "cnn, max, bias", "descent, start 0", "loss, huber, 300 rows",
    "optimal set, grid_with_duplicates_n25", "digits, 30 images, filters of 2 x 2",
    "classifier, cross-validated", "certify, squared_hinge, weighted",
    "leaky, squared_hinge, skip penalised", "loss, logistic, 300 rows",
    "loss, logistic, weighted, global", "reference, d2_n50, global",
    "leaky, huber, skip penalised",
    "path, sampled", "loss, squared, 300 rows", "loss, HuberLoss(0.3)",
    "leaky, squared_hinge, skip None", "loss, squared_hinge, weighted, global",
    "loss, huber, weighted, global", "leaky, logistic, skip penalised",
    "leaky, logistic, skip None", "loss, squared_hinge, plain, sampled",
    "loss, squared_hinge, plain, exact", "cnn, bias", "reference, d1_n100, global",
    "certify, logistic, weighted", "optimal set, d2_n50_beta1", "cnn classifier",
    "cnn, max, padding", "linear cnn, digits", "leaky, slope 2.0, skip penalised, global",
    "reference, d2_n50_beta1, global", "circular cnn, digits",
    "cnn, max, squared_hinge, weighted", "cnn, max, logistic, weighted", "others, steps",
    "cnn, sum, logistic, weighted", "cnn, sum, huber, weighted",
    "cnn, average, squared_hinge, weighted", "loss, logistic, plain, exact",
    "loss, logistic, plain, sampled", "loss, huber, plain, exact", "loss, huber, plain, sampled",
    "reference, grid_with_duplicates_n25, sampled", "reference, d5_n10, sampled",
    "reference, grid_3x3, sampled", "reference, d1_n50, global",
    "others, gated, three layers, labels", "leaky, slope -1.0, skip None, exact",
    "leaky, slope 2.0, skip None, global", "leaky, slope 2.0, skip None, exact",
    "leaky, slope 0.0, skip penalised, global",
}  # fmt: skip

CASES = tuple(
    replace(case, is_long=case.is_long or case.name in SLOW)
    for case in (
        *reference_problems(),
        *losses(),
        *sizes(),
        *options(),
        *leaky(),
        *gated(),
        *filters(),
        *images(),
        *linear_filters(),
        *other_networks(),
        *certificates(),
        *paths(),
        *estimators(),
        *landscapes(),
    )
)
