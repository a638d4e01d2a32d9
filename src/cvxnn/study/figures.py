"""The figures of the experiments, each with a caption and a text that replaces it."""

from __future__ import annotations

from collections.abc import Iterator

from cvxnn import plotting
from cvxnn.networks import TwoLayerNetwork
from cvxnn.plotting.curves import sign_accuracy
from cvxnn.plotting.styles import new_figure
from cvxnn.study.drawing import INCHES, StudyFigure, finish, slug
from cvxnn.study.outcomes import DataResult, ExperimentResult


def draw_figures(experiment: ExperimentResult) -> tuple[StudyFigure, ...]:
    """The figures of an experiment.

    Parameters
    ----------
    experiment : ExperimentResult

    Returns
    -------
    tuple of StudyFigure
        The objectives of all trials; for one feature the function of the best
        network, for two its decision regions, with test data their accuracy.
    """
    figures: list[StudyFigure] = []
    for result in experiment.results:
        figures += _objectives(experiment.name, result)
        if result.data.d == 1:
            figures.append(_function(experiment.name, result))
        if result.data.d == 2:
            figures += _regions(experiment.name, result)
        if result.data.y_test is not None:
            figures.append(_test_accuracy(experiment.name, result))
    return tuple(figures)


def _objectives(experiment: str, result: DataResult) -> Iterator[StudyFigure]:
    """One for each width of gradient descent: curves of several would hide each other."""
    levels = {name: solution.objective for name, solution in result.solutions.items()}
    for width in dict.fromkeys(search.width for search in result.searches.values()):
        searches = {
            label: search for label, search in result.searches.items() if search.width == width
        }
        ax = new_figure(INCHES).add_subplot()
        plotting.plot_objective(searches, levels=levels, bound=result.lower_bound, ax=ax)
        ends = "; ".join(
            f"{label} ends between {search.objectives.min():.4g} and {search.objectives.max():.4g}"
            for label, search in searches.items()
        )
        lines = ", ".join(f"{name} at {value:.4g}" for name, value in levels.items())
        yield finish(
            ax,
            f"{experiment}-objective-{slug(result.data.name)}-m{width}",
            f"Objective (2) of every trial with m = {width} neurons on {result.data.name}. "
            "Horizontal: convex training, and the bound below which no network can be.",
            f"Curves of the objective over the iterations on a logarithmic axis: {ends}. "
            f"Horizontal lines: {lines}, the certified lower bound at {result.lower_bound:.4g}.",
        )


def _function(experiment: str, result: DataResult) -> StudyFigure:
    data, solution = result.data, result.solutions["optimal"]
    ax = new_figure(INCHES).add_subplot()
    plotting.plot_breakpoints(solution.network, data.X, data.y, ax=ax)
    return finish(
        ax,
        f"{experiment}-function-{slug(data.name)}",
        f"The optimal network on {data.name}: its function, the data, and where its "
        f"{solution.n_neurons} neurons switch.",
        f"A piecewise linear function of one feature through the labels of {data.n} points, "
        f"with a line at the breakpoint of each of {solution.n_neurons} neurons.",
    )


def _regions(experiment: str, result: DataResult) -> Iterator[StudyFigure]:
    data = result.data
    networks = {name: solution.network for name, solution in result.solutions.items()}
    networks |= {f"best {label}": search.best for label, search in result.searches.items()}
    for name, network in networks.items():
        ax = new_figure(INCHES).add_subplot()
        plotting.plot_decision_regions(network, data.X, data.y, ax=ax)
        wrong = _count_wrong(network, result)
        yield finish(
            ax,
            f"{experiment}-regions-{slug(name)}",
            f"Labels that the network predicts over the plane: {name}.",
            f"The plane of two features, divided by the sign of the network ({name}), with "
            f"{data.n} labelled points, {wrong} of them on the wrong side.",
        )


def _test_accuracy(experiment: str, result: DataResult) -> StudyFigure:
    data = result.data
    assert data.X_test is not None and data.y_test is not None
    levels = {
        name: sign_accuracy(data.y_test, solution.network.forward(data.X_test))
        for name, solution in result.solutions.items()
    }
    ax = new_figure(INCHES).add_subplot()
    plotting.plot_scores(result.searches, data.y_test, levels=levels, ax=ax)
    lines = ", ".join(f"{name} {100.0 * value:.0f} %" for name, value in levels.items())
    return finish(
        ax,
        f"{experiment}-test-accuracy",
        f"Accuracy on {len(data.y_test)} test images of every trial. Horizontal: convex training.",
        f"Curves of the test accuracy over the iterations. Horizontal lines: {lines}.",
    )


def _count_wrong(network: TwoLayerNetwork, result: DataResult) -> int:
    share = sign_accuracy(result.data.y, network.forward(result.data.X))
    return round((1.0 - share) * result.data.n)
