"""A path from any network to a global optimum along which the objective never rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.landscape.checks import check_network
from cvxnn.landscape.stages import Stage, balancing, growth, pruning, scaling
from cvxnn.models.base import Model, check_landscape
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Solution
from cvxnn.validation import as_real_array, check_data, check_positive, check_targets

# The last stage may rise by this share of the objective: the rounding of a target that
# was polished. A target further from the optimum is refused.
_RISE = 1e-11


@dataclass(frozen=True)
class Segment:
    """Where a stage of a path lies.

    Attributes
    ----------
    label : str
        ``"balance"``, ``"prune"`` or ``"grow"``.
    start, end : float
        In [0, 1].
    """

    label: str
    start: float
    end: float


class DescentPath:
    """A continuous path of networks, called at t in [0, 1]; made by :func:`descent_path`.

    Attributes
    ----------
    segments : tuple of Segment
        The stages in order, each with an equal share of [0, 1]. A stage with nothing
        to do is left out.
    breakpoints : ndarray
        Where the path has a corner: ends of stages and moves of the pruning, from 0
        to 1.

    Examples
    --------
    >>> import cvxnn
    >>> X, y, beta = [[1.0], [2.0]], [1.0, 2.0], 0.5
    >>> network = cvxnn.TwoLayerNetwork([[3.0], [1.0], [0.0]], [-0.1, 0.2, 0.0])
    >>> target = cvxnn.solve(X, y, beta, tol=1e-10).network
    >>> path = cvxnn.descent_path(network, target, X, y, beta)
    >>> path
    DescentPath(balance 0..0.333, prune 0.333..0.667, grow 0.667..1)
    >>> values = [path(t).objective(X, y, beta) for t in path.breakpoints]
    >>> print(" ".join(f"{value:.3f}" for value in values))
    5.538 3.275 3.075 0.475
    """

    def __init__(self, start: TwoLayerNetwork, stages: list[Stage]) -> None:
        self._start, self._stages = start, stages
        corners = np.linspace(0.0, 1.0, len(stages) + 1)
        self.segments = tuple(
            Segment(stage.label, float(corners[i]), float(corners[i + 1]))
            for i, stage in enumerate(stages)
        )
        inner = [
            np.linspace(segment.start, segment.end, stage.n_moves + 1)[1:]
            for segment, stage in zip(self.segments, stages, strict=True)
        ]
        self.breakpoints = np.concatenate([[0.0], *inner])

    def __call__(self, t: float) -> TwoLayerNetwork:
        """The network at t; O(md).

        At 0 it is the network that the path starts from, with the neurons of 0 that
        were appended. Its number of neurons is the same for all t.

        Raises
        ------
        InputError
            If t is no number in [0, 1].
        """
        time = self._check_time(t)
        if time == 0.0:
            return self._start
        i = self._stage_index(time)
        segment = self.segments[i]
        fraction = (time - segment.start) / (segment.end - segment.start)
        return self._stages[i].network(min(max(fraction, 0.0), 1.0))

    def stage_at(self, t: float) -> str:
        """The label of the stage that t belongs to; a corner belongs to the stage it ends."""
        return self.segments[self._stage_index(self._check_time(t))].label

    def objectives(self, X: ArrayLike, y: ArrayLike, beta: float, times: ArrayLike) -> FloatArray:
        """Objective (2) at several times, shape (k,); O(k n m d).

        Parameters
        ----------
        X : array-like, shape (n, d)
        y : array-like, shape (n,), or (n, c) for c outputs
        beta : float
        times : array-like, shape (k,)

        Raises
        ------
        InputError
            If an argument is not as described.
        """
        data = check_data(X)
        target = check_targets(y, len(data))
        moments = as_real_array(times, "times")
        if moments.ndim != 1:
            raise InputError(f"times must be 1-D, got shape {moments.shape}.")
        return np.array([self(float(t)).objective(data, target, beta) for t in moments])

    def __repr__(self) -> str:
        parts = ", ".join(f"{s.label} {s.start:.3g}..{s.end:.3g}" for s in self.segments)
        return f"DescentPath({parts})"

    def _stage_index(self, time: float) -> int:
        ends = [segment.end for segment in self.segments]
        return min(int(np.searchsorted(ends, time)), len(ends) - 1)

    @staticmethod
    def _check_time(t: float) -> float:
        value = as_real_array(t, "t")
        if value.ndim != 0 or not 0.0 <= float(value) <= 1.0:
            raise InputError(f"t must be a number from 0 to 1, got {t!r}.")
        return float(value)


def descent_path(
    network: TwoLayerNetwork,
    target: TwoLayerNetwork | Solution[Any],
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    widen: bool = False,
    model: str | Model = "relu",
) -> DescentPath:
    """A continuous path from a network to a global optimum, on which objective (2) never rises.

    Three stages. *Balance*: every neuron is rescaled to ``||u_j|| = ||a_j||``. *Prune*:
    while the columns ``vec((X u_j)_+ a_j')`` are linearly dependent, the products
    ``||a_j|| u_j`` move along a null vector, on which f(X) stays and the penalty does not
    rise, until one of them is 0. *Grow*: the neurons that are left shrink linearly to 0
    while those of the target grow in places that are 0, and the intercept moves to that
    of the target. Both networks in one convex program: the objective is convex along this
    segment, and least at its end.

    So a network with enough neurons has no bad local minimum that it could not leave
    without climbing. Pruning leaves at most n c neurons of c outputs, so that n c more than
    the target has always suffice; for one output that is m >= 2 n at most.

    Parameters
    ----------
    network : TwoLayerNetwork
        Any; balanced or not, also with neurons that are 0; with an intercept or not.
    target : TwoLayerNetwork or Solution
        A global optimum; the path ends at ``target.prune(X)``, in the order of free
        places. From one optimum to another the objective stays. If one of the two has an
        intercept, the optimum has to be one among networks with intercepts.
    X : array-like, shape (n, d)
    y : array-like, shape (n,), or (n, c) for c outputs
    beta : float
        Regularisation, > 0.
    widen : bool, default False
        Whether a network with too few neurons gets more that are 0, so that the path
        exists; the objective does not change by them.
    model : str or Model, default "relu"
        Of which networks; plain ReLU is the only kind so far.

    Returns
    -------
    DescentPath

    Raises
    ------
    InputError
        If an argument is not as described, the network is too narrow (the message
        says which width would do), or the objective would fall below that of the
        target on the way and rise again, so that the target is no optimum. That it is
        one is not proven here: see :func:`cvxnn.certify`.

    Notes
    -----
    O(m (n c)^2) for the moves, and O(m^2) memory where m exceeds n c. Where the objective
    is flat, it is so up to the rounding of its sums.

    References
    ----------
    Y. Wang, J. Lacotte and M. Pilanci, "The Hidden Convex Optimization Landscape of
    Two-Layer ReLU Neural Networks", ICLR 2022; seed paper, introduction and 3.3;
    B. Haeffele and R. Vidal, "Global Optimality in Neural Network Training", CVPR
    2017, for the role of neurons that are 0.

    Examples
    --------
    >>> import cvxnn
    >>> X, y, beta = [[1.0], [2.0]], [1.0, 2.0], 0.5
    >>> network = cvxnn.TwoLayerNetwork([[-1.0]], [0.5])
    >>> target = cvxnn.solve(X, y, beta, tol=1e-10)
    >>> cvxnn.descent_path(network, target, X, y, beta, widen=True)(1.0).n_neurons
    1

    Two outputs and an intercept for each:

    >>> import numpy as np
    >>> Y = [[1.0, 0.0], [3.0, 1.0]]
    >>> target = cvxnn.solve(X, Y, beta, tol=1e-10, intercept=True)
    >>> network = cvxnn.TwoLayerNetwork([[-1.0]], [[0.5, 1.0]], intercept=[9.0, 0.0])
    >>> path = cvxnn.descent_path(network, target, X, Y, beta, widen=True)
    >>> path(0.0).intercept.tolist(), np.allclose(path(1.0)(X), target.network(X))
    ([9.0, 0.0], True)
    """
    check_landscape(model, "descent_path")
    data = check_data(X)
    response = check_targets(y, len(data))
    beta = check_positive(beta, "beta")
    goal = target.network if isinstance(target, Solution) else target
    goal = check_network(goal, "target", data, response).prune(data)
    start = check_network(network, "network", data, response)
    balance, is_needed = balancing(start)
    scales = pruning(balance.network(1.0), data)
    missing = int((scales[-1] > 0.0).sum()) + goal.n_neurons - start.n_neurons
    if missing > 0:
        if not widen:
            always = response.size + goal.n_neurons
            raise InputError(_width_sentence(start.n_neurons, missing, always))
        start = _widened(start, missing)
        balance, is_needed = balancing(start)
        scales = np.pad(scales, ((0, 0), (0, missing)))
    balanced = balance.network(1.0)
    stages: list[Stage] = [balance] if is_needed else []
    if len(scales) > 1:
        stages.append(scaling("prune", balanced, scales))
    grow = growth(balanced, scales[-1], goal)
    _check_descent(grow, data, response, beta)
    return DescentPath(start, [*stages, grow])


def _check_descent(grow: Stage, X: FloatArray, y: FloatArray, beta: float) -> None:
    """Refuse a target from which a part of the last segment differs downwards.

    Along the segment the objective is a parabola: it rises to its end if the slope
    there is positive, by ``slope^2 / (2 curvature)``, or from its start.
    """
    first, last = grow.network(0.0), grow.network(1.0)
    values = last.forward(X)
    change, left = (values - first.forward(X)).ravel(), (values - y).ravel()
    slope = float(change @ left) + beta * (last.penalty() - first.penalty())
    end, curvature = last.objective(X, y, beta), float(change @ change)
    if slope <= 0.0:
        return
    rise = slope - 0.5 * curvature if slope >= curvature else 0.5 * slope**2 / curvature
    if rise > _RISE * end:
        beside = ""
        if np.any(first.intercept) and not np.any(last.intercept):
            beside = ", with intercept=True as network has an intercept"
        raise InputError(
            f"target is no global optimum: on the way to its objective {end:.10g} the objective "
            f"falls below it by {rise:.1e}. Train it to a smaller tol{beside}, or take a network "
            "of OptimalSet."
        )


def _widened(network: TwoLayerNetwork, more: int) -> TwoLayerNetwork:
    hidden, output = network.hidden_weights, network.output_weights
    return TwoLayerNetwork(
        np.vstack([hidden, np.zeros((more, network.n_features))]),
        np.concatenate([output, np.zeros((more, *output.shape[1:]))]),
        intercept=network.intercept,
    )


def _width_sentence(m: int, missing: int, always: int) -> str:
    return (
        f"network has {m} neurons, too few for this path: {m + missing} would do (what pruning "
        f"leaves of it, and the neurons of the target), and {always} always do. Pass widen=True to "
        "append neurons that are 0, which changes neither its values nor its objective."
    )
