"""Activations of degree two: optimal in polynomial time, whatever the rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import scale

from cvxnn import plotting
from cvxnn.array_types import FloatArray
from cvxnn.baselines.trials import import_torch
from cvxnn.models.polynomial import Polynomial
from cvxnn.plotting.styles import new_figure
from cvxnn.study.drawing import INCHES, StudyFigure, finish
from cvxnn.study.pages.page import Page
from cvxnn.study.pages.result import PageResult, PageTable
from cvxnn.study.pages.rows import SUMMARY, Compared
from cvxnn.study.pages.starts import Objective, descend
from cvxnn.study.paper_data import Dataset, ring
from cvxnn.study.runner import Runner, train_once
from cvxnn.training.path import largest_beta

if TYPE_CHECKING:
    from torch import Tensor

_MODEL = Polynomial()
# Of the largest beta, from which on the best network has no neurons.
_SHARES = (0.1, 0.01)
# A table of numbers whose activation patterns nobody could list.
_ROWS, _FEATURES = 300, 10
_WIDTH = 30

_TITLE = "Polynomial activations"
_INTRODUCTION = (
    "Networks f(x) = sum_j alpha_j s(x'u_j) with s(t) = a t^2 + b t + c, unit vectors u_j and the "
    "penalty beta sum_j |alpha_j| (Bartan and Pilanci 2021). Whether a neuron would lower the "
    "objective is a trust-region problem, which is solved exactly in any dimension: so the optimum "
    "is proven for data of any rank, where networks of ReLU are not.",
)
_CERTIFICATE = (
    "The lower bound holds for networks of any width with this activation and unit weights; it "
    "says nothing of networks with another activation, or with a penalty on the lengths of u_j."
)


def run(runner: Runner) -> PageResult:
    """The page."""
    seed = runner.random_state
    data = [ring(seed), friedman(seed)]
    results = [_compare(runner, each, share) for each in data for share in _SHARES]
    records = tuple(each.record for each in results)
    caption = "The optimum, its bound, and where gradients end"
    table = PageTable("optima", caption, records, SUMMARY)
    return PageResult(
        name="polynomial",
        title=_TITLE,
        introduction=(*_INTRODUCTION, *(each.source for each in data)),
        tables=(table,),
        findings=tuple(each.sentence for each in results),
        certificate=_CERTIFICATE,
        n_checked=sum(each.n_checked for each in results),
        figures=(_regions(data[0], results[1]),),
    )


def friedman(seed: int) -> Dataset:
    """The function of Friedman (1991) of five of ten features, with noise."""
    X, y = make_friedman1(_ROWS, _FEATURES, noise=1.0, random_state=seed)
    source = (
        f"friedman1: {_ROWS} rows of {_FEATURES} features, of which five matter, with noise of "
        f"size 1, drawn with seed {seed}; standardised."
    )
    return Dataset(
        "friedman1", np.column_stack([scale(X), np.ones(len(X))]), scale(y), source=source
    )


def _compare(runner: Runner, data: Dataset, share: float) -> Compared:
    beta = share * largest_beta(data.X, data.y, model=_MODEL)
    with runner.step(f"{data.name}: polynomial"):
        solution = train_once(data.X, data.y, beta, model=_MODEL)
    with runner.step(f"{data.name}: L-BFGS, m = {_WIDTH}"):
        d = data.X.shape[1]
        starts = np.random.default_rng(runner.random_state).standard_normal(
            (runner.settings.n_trials, _WIDTH * (d + 2))
        )
        objective = _objective(data.X, data.y, beta)
        ends = descend(objective, starts / np.sqrt(d), runner.settings.iterations["lbfgs"])
    return Compared(data.name, beta, solution, ends)


def _objective(X: FloatArray, y: FloatArray, beta: float) -> Objective:
    """The objective of weights, hidden ones divided by their lengths.

    Output weights are products p q with the penalty ``(p^2 + q^2) / 2``: its least value is
    their modulus, whose kink would stop the line search.
    """
    torch = import_torch()
    rows, targets = torch.tensor(X), torch.tensor(y)

    def value(weights: Tensor) -> Tensor:
        table = weights.view(_WIDTH, -1)
        hidden, factors = table[:, :-2], table[:, -2:]
        t = rows @ (hidden / hidden.norm(dim=1, keepdim=True)).T
        error = (_MODEL.a * t**2 + _MODEL.b * t + _MODEL.c) @ factors.prod(dim=1) - targets
        return 0.5 * error.square().sum() + 0.5 * beta * factors.square().sum()

    return value


def _regions(data: Dataset, result: Compared) -> StudyFigure:
    ax = new_figure(INCHES).add_subplot()
    plotting.plot_decision_regions(result.solution.network, data.X, data.y, ax=ax)
    return finish(
        ax,
        "polynomial-regions",
        f"Labels that the optimal polynomial network predicts, beta = {result.beta:.3g}.",
        f"The plane of two features, divided by the sign of a function of degree two with "
        f"{result.solution.n_neurons} neurons, with {data.n} labelled points.",
    )


PAGE = Page(_TITLE, 8, run)
