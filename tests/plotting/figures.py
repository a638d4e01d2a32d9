"""What the figures show, and one of every kind."""

import numpy as np
from runs import made_solution

from cvxnn import plotting
from cvxnn.baselines import LocalSearch
from cvxnn.estimators import ConvexReLURegressorCV, RegularizationPath
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Progress

NETWORK = TwoLayerNetwork([[1.0, -1.0], [-2.0, 1.0], [0.0, 1.0]], [2.0, -1.0, 0.5])
LINE = np.array([[-2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
# Active where the first feature is above 1, and where the second is below -1.
PLANE_NETWORK = TwoLayerNetwork([[1.0, 0.0, -1.0], [0.0, -2.0, -2.0]], [1.0, -1.0])
PLANE = np.array([[2.0, 0.0, 1.0], [-2.0, 2.0, 1.0], [0.0, -3.0, 1.0], [3.0, 1.0, 1.0]])


def make_search(optimizer="sgd", n_trials=3):
    """A search of 5 records whose losses are known; monitored at two rows."""
    factors = np.arange(1.0, n_trials + 1.0)
    losses = np.outer(factors, [16.0, 8.0, 4.0, 2.0, 1.0])
    monitored = np.ones((n_trials, 5, 2))
    monitored[:, 3:, 1] = -1.0
    settings = {"optimizer": optimizer, "width": 1, "beta": 1.0, "step_size": 0.1, "momentum": 0.9}
    seconds = np.outer(factors, np.linspace(0.0, 2.0, 5))
    networks = (TwoLayerNetwork([[1.0]], [1.0]),) * n_trials
    return LocalSearch(
        **settings, iterations=np.arange(0, 50, 10), losses=losses, seconds=seconds,
        networks=networks, objectives=losses[:, -1].copy(), monitored=monitored, elapsed=2.0,
    )  # fmt: skip


def solution(beta, bound, n_neurons):
    network = TwoLayerNetwork(np.ones((n_neurons, 1)), np.ones(n_neurons))
    return made_solution(network, 2.0 * beta, bound, beta=beta)


PATH = RegularizationPath(
    np.array([1.0, 0.1, 0.01]),
    (solution(1.0, 1.5, 0), solution(0.1, -np.inf, 3), solution(0.01, 0.01, 70)),
)


def scored(scores):
    """A model with these scores, a row for each beta."""
    model = ConvexReLURegressorCV()
    model.scores_path_ = np.array(scores)
    model.betas_ = np.geomspace(1.0, 0.01, len(scores))
    model.beta_ = float(model.betas_[1])
    return model


FIGURES = {
    "objective": lambda ax: plotting.plot_objective(
        {"SGD": make_search(), "Adam": make_search("adam"), "L-BFGS": make_search("lbfgs")},
        levels={"optimal": 0.5, "sampled": 0.6},
        bound=0.49,
        ax=ax,
    ),
    "scores": lambda ax: plotting.plot_scores(
        make_search(), [1.0, -1.0], levels={"optimal": 0.9}, ax=ax
    ),
    "gap": lambda ax: plotting.plot_gap([Progress(0, 0.1, 2.0, 1.0, 1, 1)], tol=1e-6, ax=ax),
    "line": lambda ax: plotting.plot_breakpoints(NETWORK, LINE, [0.0, 1.0, 2.0], ax=ax),
    "plane": lambda ax: plotting.plot_breakpoints(
        PLANE_NETWORK, PLANE, [1.0, -1.0, 1.0, 1.0], ax=ax
    ),
    "regions": lambda ax: plotting.plot_decision_regions(PLANE_NETWORK, PLANE, np.ones(4), ax=ax),
    "path": lambda ax: plotting.plot_path(PATH, ax=ax),
    "cv": lambda ax: plotting.plot_cv(scored([[0.0, 0.2], [0.5, 0.9]]), ax=ax),
}
