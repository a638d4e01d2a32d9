"""Three layers beside two: whether depth helps, with proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.baselines.trials import import_torch
from cvxnn.plotting.styles import BLACK, BLUE, GREEN, VERMILLION, new_figure
from cvxnn.results import relative_gap
from cvxnn.study.drawing import INCHES, StudyFigure, finish
from cvxnn.study.outcomes import check_bound
from cvxnn.study.pages.page import Page
from cvxnn.study.pages.result import PageResult, PageTable
from cvxnn.study.pages.starts import Objective, descend
from cvxnn.study.runner import Runner
from cvxnn.training.depth import DepthGain, depth_gain
from cvxnn.training.path import largest_beta

if TYPE_CHECKING:
    from torch import Tensor

# Of the largest beta, from which on the best network has no neurons.
_SHARES = (0.3, 0.1, 0.03, 0.01)
_TOL = 1e-4
# Seconds for each proof.
_SECONDS, _QUICK_SECONDS = 20.0, 3.0
# Sub-networks of those that gradients train, and hidden units in each.
_SUBNETWORKS, _UNITS = 8, 4

_TITLE = "Three layers"
_INTRODUCTION = (
    "Sub-networks ((X W_k)_+ b_k)_+ a_k side by side, of any number and width, with the penalty "
    "beta/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3), against networks sum_j (X u_j)_+ a_j of two "
    "layers with beta/2 sum_j (||u_j||^2 + a_j^2); the loss of both is half the squared error. A "
    "function of two layers costs the same in both, so that three layers are never behind; the "
    "question is where they are ahead (Ergen and Pilanci 2021).",
)
_CERTIFICATE = (
    "The lower bound holds for three layers with sub-networks of any number and width. It is "
    "proven over a tree of choices of signs, each a problem of two layers, and takes a time that "
    "grows exponentially with the rows in the worst case: these data are small."
)


@dataclass(frozen=True, eq=False)
class _Data:
    """Rows with a name, and where they come from."""

    name: str
    X: FloatArray
    y: FloatArray
    source: str


@dataclass(frozen=True, eq=False)
class _Case:
    """What depth gains at a beta, and where gradients end."""

    data: _Data
    share: float
    gain: DepthGain
    ends: FloatArray

    def __post_init__(self) -> None:
        """StudyError if a network is below the bound."""
        for objective in (self.gain.objective, *self.ends):
            check_bound(float(objective), self.gain.dual_bound, f"{self.data.name}, three layers")

    @property
    def record(self) -> Mapping[str, Any]:
        gain = self.gain
        low, high = gain.ratio
        return {
            "data": self.data.name,
            "beta / largest": self.share,
            "two layers": gain.two.objective,
            "three layers": gain.objective,
            "lower bound": gain.dual_bound,
            "gap": relative_gap(gain.objective, gain.dual_bound),
            "ratio, at least": low,
            "ratio, at most": high,
            "depth helps": {True: "yes", False: "no", None: "not known"}[gain.helps],
            "best of L-BFGS": float(self.ends.min()),
            "median": float(np.median(self.ends)),
            "time (s)": gain.elapsed,
        }


def run(runner: Runner) -> PageResult:
    """The page."""
    every = (_tent(), _gaussian(runner.random_state), _pyramid(runner.random_state))
    cases = [_case(runner, data, share) for data in every for share in _SHARES]
    columns = ("data", "beta / largest", "two layers", "three layers", "gap", "depth helps")
    table = PageTable(
        "gains", "Optima of two and of three layers", tuple(case.record for case in cases), columns
    )
    return PageResult(
        name="deep",
        title=_TITLE,
        introduction=(*_INTRODUCTION, *(data.source for data in every)),
        tables=(table,),
        findings=tuple(_sentence([case for case in cases if case.data is data]) for data in every),
        certificate=_CERTIFICATE,
        n_checked=sum(1 + len(case.ends) for case in cases),
        figures=(_ratios(every, cases), _functions(cases[2])),
    )


def _tent() -> _Data:
    x = np.linspace(-1.5, 1.5, 13)
    y = np.maximum(1.0 - np.abs(x), 0.0)
    return _Data("tent", np.column_stack([x, np.ones(13)]), y, "A tent on 13 points of the line.")


def _gaussian(seed: int) -> _Data:
    rng = np.random.default_rng(seed)
    source = f"Six rows of two normal features with normal targets, drawn with seed {seed}."
    return _Data("noise", rng.standard_normal((6, 2)), rng.standard_normal(6), source)


def _pyramid(seed: int) -> _Data:
    rng = np.random.default_rng(seed)
    side = np.linspace(-1.0, 1.0, 4)
    points = np.array([(p, q) for p in side for q in side])
    y = np.maximum(1.0 - np.abs(points).sum(axis=1), 0.0) + 0.05 * rng.standard_normal(16)
    X = np.column_stack([points, np.ones(16)])
    source = f"A pyramid on a grid of 4 x 4 points of the plane with noise of .05, seed {seed}."
    return _Data("pyramid", X, y, source)


def _case(runner: Runner, data: _Data, share: float) -> _Case:
    beta = share * largest_beta(data.X, data.y)
    seconds = _QUICK_SECONDS if runner.is_quick else _SECONDS
    with runner.step(f"{data.name}: three layers"):
        gain = depth_gain(data.X, data.y, beta, tol=_TOL, time_limit=seconds)
    with runner.step(f"{data.name}: L-BFGS, three layers"):
        d = data.X.shape[1]
        starts = np.random.default_rng(runner.random_state).standard_normal(
            (runner.settings.n_trials, _SUBNETWORKS * (_UNITS * (d + 1) + 1))
        )
        objective = _objective(data.X, data.y, beta)
        ends = descend(objective, 0.5 * starts, runner.settings.iterations["lbfgs"])
    return _Case(data, share, gain, ends)


def _objective(X: FloatArray, y: FloatArray, beta: float) -> Objective:
    torch = import_torch()
    rows, targets, d = torch.tensor(X), torch.tensor(y), X.shape[1]

    def value(weights: Tensor) -> Tensor:
        table = weights.view(_SUBNETWORKS, -1)
        W = table[:, : _UNITS * d].reshape(_SUBNETWORKS, _UNITS, d)
        b, a = table[:, _UNITS * d : -1], table[:, -1]
        hidden = torch.einsum("nd,kmd->nkm", rows, W).relu()
        error = torch.einsum("nkm,km->nk", hidden, b).relu() @ a - targets
        cubes = (
            W.square().sum(dim=(1, 2)) ** 1.5 + b.square().sum(dim=1) ** 1.5 + a.abs() ** 3
        ).sum()
        return 0.5 * error.square().sum() + beta / 3.0 * cubes

    return value


def _sentence(cases: list[_Case]) -> str:
    *parts, last = [f"{_range(case.gain)} at {case.share:g}" for case in cases]
    return (
        f"On the {cases[0].data.name} the optimum of three layers over that of two is proven to be "
        f"{', '.join(parts)} and {last} of the largest beta."
    )


def _range(gain: DepthGain) -> str:
    """The ratio of the optima in words, to three digits."""
    if gain.helps is False:
        return "1"
    low, high = (f"{bound:.3f}" for bound in gain.ratio)
    return high if low == high else f"between {low} and {high}"


def _ratios(every: tuple[_Data, ...], cases: list[_Case]) -> StudyFigure:
    ax = new_figure(INCHES).add_subplot()
    for data, color, marker in zip(every, (BLUE, VERMILLION, GREEN), "osv", strict=True):
        chosen = [case for case in cases if case.data is data]
        low, high = np.array([case.gain.ratio for case in chosen]).T
        shares = [case.share for case in chosen]
        ax.fill_between(shares, low, high, color=color, alpha=0.25, linewidth=0.0)
        ax.plot(shares, high, color=color, marker=marker, label=data.name)
    ax.axhline(1.0, color=BLACK, linestyle=":", linewidth=1.0)
    ax.set_xscale("log")
    ax.set_xlabel("beta, of the largest")
    ax.set_ylabel("optimum of three layers over that of two")
    texts = "; ".join(
        f"{case.data.name} at {case.share:g}: {case.gain.ratio[0]:.3f} to {case.gain.ratio[1]:.3f}"
        for case in cases
    )
    return finish(
        ax,
        "deep-ratios",
        "The optimum of three layers over that of two: lines are of the best networks that were "
        "found, and the optimum itself is in the shaded range below its line.",
        f"Three lines over beta on a logarithmic axis, at most 1. {texts}.",
    )


def _functions(case: _Case) -> StudyFigure:
    data, gain = case.data, case.gain
    x = np.linspace(data.X[:, 0].min() - 0.3, data.X[:, 0].max() + 0.3, 400)
    rows = np.column_stack([x, np.ones(400)])
    ax = new_figure(INCHES).add_subplot()
    ax.plot(data.X[:, 0], data.y, "o", color=BLACK, label="data", markersize=4.0)
    ax.plot(x, gain.two.network.forward(rows), color=VERMILLION, label="two layers")
    ax.plot(x, gain.network.forward(rows), color=BLUE, label="three layers")
    ax.set_xlabel("x")
    ax.set_ylabel("f(x)")
    return finish(
        ax,
        "deep-tent",
        f"The best functions of two and three layers: {data.name}, {case.share:g} of the largest "
        "beta.",
        f"A tent of {len(data.y)} points and two piecewise linear functions: that of two layers "
        "has "
        f"the objective {gain.two.objective:.4g}, that of three {gain.objective:.4g}.",
    )


PAGE = Page(_TITLE, 24, run)
