"""All global optima of a training problem as one object: :class:`OptimalSet`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.landscape.checks import check_criterion, check_network
from cvxnn.landscape.functions import violation
from cvxnn.landscape.neurons import OptimalNeurons
from cvxnn.landscape.optimum import Optimum
from cvxnn.landscape.planar import planar_optimum
from cvxnn.landscape.polytope import Polytope
from cvxnn.landscape.rays import RowsOnRays
from cvxnn.landscape.smallest import SmallestNetwork, fewest_exactly, fewest_greedily
from cvxnn.landscape.starts import starts
from cvxnn.models.base import Model, check_landscape
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Solution
from cvxnn.validation import (
    as_real_array,
    check_count,
    check_data,
    check_finite,
    check_flag,
    check_positive,
    check_random_state,
    check_targets,
)

# Up to this many directions the smallest network is searched for exactly.
_EXACT_DIRECTIONS = 24


class OptimalSet:
    """Every global optimum of objective (2), up to order and splitting of neurons.

    The squared loss is strictly convex, so all optima have the same values
    ``f(X)`` and the same residual ``r = y - f(X)``. A neuron of an optimum has
    ``s r'(X u)_+ = beta ||u||`` with s the sign of its output weight, the largest
    value there is. In each closed cell of the arrangement of X at most one unit
    direction attains it for each sign: the projection of ``s X'D r`` on the cone
    of the cell. With the k directions ``u_j, s_j`` so found, the optima are::

        W = { w >= 0 :  sum_j w_j s_j (X u_j)_+ = f(X) },

    a polytope: the network with neurons ``sqrt(w_j) u_j, s_j sqrt(w_j)`` for each
    of its points w, in any order, with any of its neurons split. No other network
    of any width is optimal.

    Beside an intercept b, which costs nothing, the sum of r is 0, and W asks for ``sum_j
    w_j s_j (X u_j)_+ + 1 b = f(X)`` with any b, which is a function of w. So the optimum is
    unique where the activations and a column of ones are linearly independent.

    Of c outputs a neuron has ``||R'(X u)_+|| = beta ||u||`` and the output weight ``a =
    R'(X u)_+ / beta``, and W has ``(X u_j)_+ a_j'`` for ``s_j (X u_j)_+``. Where X has rank two
    there is one such direction inside a cell at most, or the two at its ends, and all of them are
    found.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Data, with all of its activation patterns listed (see
        :func:`cvxnn.enumerate_patterns`): about ``n^rank(X)``. Of several outputs of rank
        two at most.
    y : array-like, shape (n,), or (n, c) for c outputs
        Targets.
    beta : float
        Regularisation, > 0.
    solution : Solution or TwoLayerNetwork, optional
        A network that is optimal, or nearly; it is polished. By default, and where
        it is too far from the optimum for that, ``solve(X, y, beta)`` with a small
        tolerance.
    model : str or Model, default "relu"
        Of which networks; plain ReLU is the only kind so far.
    intercept : bool, default False
        Whether the networks have an intercept, without a penalty.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
        The unit vectors u_j; read-only, as all arrays here.
    outputs : ndarray, shape (k, c)
        The a_j; c = 1 for one output.
    activations : ndarray, shape (n, k), or (n, c, k) for c outputs
        ``s_j (X u_j)_+``: what a unit of w_j adds to f(X), but for the intercept.
    has_intercept : bool
        Whether the networks have one.
    residual : ndarray, shape (n,) or (n, c)
        r, shared by all optima.
    objective : float
        The optimal value of (2).
    excess : float
        Proven over all cells: ``|r'(X u)_+| <= beta (1 + excess)`` on the unit
        ball. Rounding: about 1e-11, more where beta is small beside the targets; a
        set with more than 1e-6 is refused.
    tolerance : float
        The directions were taken for optimal because they have at least
        ``beta (1 - tolerance)``: 1e-9, or up to 1e-6 where rounding leaves the
        residual less accurate. Then some of them may fall short by a smaller share.
    margin : float
        The directions that were left out have ``|r'(X u)_+| <= beta (1 - margin)``;
        at most 1e-3 is reported. A margin near `tolerance` means that a tiny change
        of the data would change the set.

    Raises
    ------
    InputError
        If an argument is not as described, or the optimum cannot be polished; of several
        outputs if X has a larger rank than two, or a whole arc of directions is optimal.
    TooManyPatternsError
        If the patterns of X cannot be listed.

    Notes
    -----
    Rows on one ray from the origin are taken as one, beside an intercept equal rows, which
    changes the objective by a constant. The network is polished by Newton's method on the
    faces of its cells until the price of every cell is at most beta up to rounding. With M
    cells of rank r the pricing costs O(M n r), beside an intercept an n x n matrix more, and
    the dimension k linear programs of the size of Lasso on k columns.

    References
    ----------
    Seed paper, section 3.3; Y. Wang, J. Lacotte and M. Pilanci, ICLR 2022; A.
    Mishkin and M. Pilanci, "Optimal Sets and Solution Paths of ReLU Networks",
    ICML 2023; S. Kim, A. Mishkin and M. Pilanci, ICLR 2025.

    Examples
    --------
    Four points of a circle with the same target: two neurons suffice, on either
    diagonal, and any mixture of the two optima is one.

    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> optima = OptimalSet(X, np.ones(4), beta=0.1)
    >>> optima
    OptimalSet(n_directions=4, dimension=1, function_dimension=1)
    >>> [network.n_neurons for network in optima.vertices()]
    [2, 2]
    >>> member = optima.sample(random_state=0)[0]
    >>> member.n_neurons, optima.contains(member.permute([2, 0, 3, 1]).split(0, [0.3, 0.7]))
    (4, True)

    With an intercept no neuron is needed:

    >>> OptimalSet(X, np.ones(4), beta=0.1, intercept=True).minimal_network()
    TwoLayerNetwork(n_neurons=0, n_features=2, intercept=1.0)
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        beta: float,
        solution: Solution[Any] | TwoLayerNetwork | None = None,
        *,
        model: str | Model = "relu",
        intercept: bool = False,
    ) -> None:
        check_landscape(model, "OptimalSet")
        self._X = check_data(X)
        self._y = check_targets(y, len(self._X))
        self._beta = check_positive(beta, "beta")
        self.has_intercept = check_flag(intercept, "intercept")
        given = solution.network if isinstance(solution, Solution) else solution
        if given is not None:
            self._check(given, "solution")
        rays = (RowsOnRays.beside_intercept if intercept else RowsOnRays.of)(self._X, self._y)
        polished = Optimum.of if self._y.ndim == 1 else planar_optimum
        optimum = polished(rays, self._beta, starts(rays, self._beta, given))
        self.residual = _read_only(rays.residual(optimum.residual))
        self._fit = self._y - self.residual
        beside = (self._X, self._fit) if intercept else None
        self._neurons = OptimalNeurons.of(optimum.directions, optimum.heads, beside)
        self.directions = _read_only(optimum.directions)
        self.outputs = _read_only(self._neurons.outputs)
        self.activations = _read_only(self._neurons.activations(self._X))
        self.excess, self.tolerance, self.margin = (
            optimum.excess,
            optimum.tolerance,
            optimum.margin,
        )
        self._polytope = Polytope(optimum.activations, optimum.weights)
        left = self.residual.ravel()
        fit = 0.5 * float(left @ left)
        self.objective = fit + self._beta * float(optimum.weights.sum())
        self._total = float(optimum.weights.sum())

    def __repr__(self) -> str:
        several = "" if self._y.ndim == 1 else f", n_outputs={self._y.shape[1]}"
        beside = several + (", intercept=True" if self.has_intercept else "")
        return (
            f"OptimalSet(n_directions={self.n_directions}, dimension={self.dimension}, "
            f"function_dimension={self.function_dimension}{beside})"
        )

    @property
    def n_directions(self) -> int:
        """The number k of directions that an optimal neuron can have."""
        return len(self.outputs)

    @property
    def signs(self) -> FloatArray:
        """The s_j, shape (k,), of one output; InputError for several, which have `outputs`."""
        if self._y.ndim == 2:
            raise InputError("signs are those of one output: outputs has the output weights.")
        return self.outputs[:, 0]

    @property
    def dimension(self) -> int:
        """Dimension of the polytope W of weights; 0 if it is a point."""
        return self._polytope.dimension

    @property
    def is_unique(self) -> bool:
        """Whether all optima are one network, up to order and splitting of its neurons."""
        return self.dimension == 0

    @cached_property
    def function_dimension(self) -> int:
        """Dimension of the set of functions on R^d that optimal networks compute.

        At most :attr:`dimension`, and smaller where different networks are the
        same function: ``(x'u)_+ - (-x'u)_+ = x'u`` is linear, so that neurons on
        three lines can be traded for their opposites without a trace.
        """
        moves = self._polytope.moves / self._polytope.lengths[:, None]
        return self._neurons.function_dimension(moves)

    @property
    def has_unique_function(self) -> bool:
        """Whether all optima are the same function on R^d."""
        return self.function_dimension == 0

    def network(self, weights: ArrayLike) -> TwoLayerNetwork:
        """The balanced network with given weights w on the directions; zeros are left out.

        Its intercept, where there are any, is the best one for these weights.

        Parameters
        ----------
        weights : array-like, shape (k,)
            None negative. In W if the network is to be optimal; not checked.

        Raises
        ------
        InputError
            If the weights are not as described.
        """
        w = as_real_array(weights, "weights")
        check_finite(w, "weights")
        if w.shape != (self.n_directions,) or (w < 0.0).any():
            raise InputError(
                f"weights must be of shape ({self.n_directions},), one for each direction, "
                "with no entry below 0."
            )
        return self._neurons.network(w)

    def violation(self, network: TwoLayerNetwork) -> float:
        """How far a network is from the set, relative to the size of an optimum; O(m k d).

        The largest of three: the root of the penalty that balancing its neurons
        would save; the part of the products ``u_j a_j'`` off the nearest that an optimal
        network can have; the distance of the remaining output from the optimal one, relative
        to what neurons fit of it. At most about 1e-10 for members, also split, merged and in
        another order.

        Raises
        ------
        InputError
            If `network` is no TwoLayerNetwork on d features.
        """
        self._check(network, "network")
        of_neurons = self._fit - self._neurons.level if self._total > 0.0 else self._y
        sizes = self._total, float(np.linalg.norm(of_neurons))
        neurons, fit = (self.directions, self.outputs), self._fit - network.intercept
        return violation(network, neurons, self.activations, fit, sizes)

    def contains(self, network: TwoLayerNetwork, tol: float = 1e-6) -> bool:
        """Whether a network is optimal: whether its :meth:`violation` is at most `tol`.

        Sharper than a bound on the objective, which near the optimum changes with
        the square of the distance: an objective within 1e-6 of the optimum allows
        weights that are wrong by 1e-3.

        Raises
        ------
        InputError
            If an argument is not as described.
        """
        return self.violation(network) <= check_positive(tol, "tol")

    def weight_ranges(self) -> FloatArray:
        """The least and the largest weight of every direction on W, shape (k, 2).

        From 2 k linear programs. A direction whose range starts above 0 is in
        every optimal network; one whose range is 0 is in none.
        """
        k = self.n_directions
        lowest = [self._polytope.maximise(-row)[j] for j, row in enumerate(np.eye(k))]
        return np.column_stack([np.reshape(lowest, k), np.diag(self._polytope.extremes)])

    def vertices(self, max_vertices: int = 1000) -> list[TwoLayerNetwork]:
        """All minimal optimal networks: those with linearly independent activations.

        Minimal means that no optimal network uses a part of their directions only. Beside
        an intercept it is activations and a column of ones that are independent.

        Parameters
        ----------
        max_vertices : int, default 1000
            Refuse if McMullen's bound on the number of vertices is above it.

        Raises
        ------
        InputError
            If the bound is above `max_vertices`.
        """
        most = check_count(max_vertices, "max_vertices")
        return [self.network(w) for w in self._polytope.vertices(most)]

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.Generator | None = None
    ) -> list[TwoLayerNetwork]:
        """Optimal networks spread over the set, by hit and run.

        From a point inside W, steps to a uniform point of a random chord; their
        stationary distribution is uniform on W. 8 (dimension + 1) steps for each
        sample, each O(k dimension).

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, numpy Generator or None, default None

        Returns
        -------
        list of TwoLayerNetwork
            All equal if the set is a point.

        Raises
        ------
        InputError
            If an argument is not as described.
        """
        count = check_count(n_samples, "n_samples")
        rng = check_random_state(random_state)
        return [self.network(w) for w in self._polytope.sample(count, rng)]

    def central_network(self) -> TwoLayerNetwork:
        """An optimum inside the set: a neuron on every direction that any optimum uses."""
        return self.network(self._polytope.centre)

    def minimal_network(self) -> TwoLayerNetwork:
        """A vertex of the set: activations independent, so at most n neurons.

        Of c outputs n c; one less for each beside an intercept, whose ones are among them.

        No optimal network has a part of its neurons only; another may still be
        smaller, see :meth:`smallest_network`.
        """
        return self.network(self._polytope.maximise(np.zeros(self.n_directions)))

    def smallest_network(self, max_directions: int = _EXACT_DIRECTIONS) -> SmallestNetwork:
        """An optimal network with as few neurons as can be.

        Parameters
        ----------
        max_directions : int, default 24
            Up to this many directions the number is minimised exactly, by
            mixed-integer programming (its time grows exponentially at worst, so it
            stops after 20 000 nodes with a bound); above, a greedy search by linear
            programs.

        Returns
        -------
        SmallestNetwork
            With `method` and a proven `lower_bound`.

        Raises
        ------
        InputError
            If `max_directions` is no count.

        Notes
        -----
        Every optimum has the same penalty, so there is no smallest norm to ask for:
        the number of neurons is what differs. Minimising it is a cardinality problem
        over the polytope: a second for 24 directions, a minute for 36. Some versions of
        HiGHS write a line of their own to stdout when a candidate misses a tolerance.
        """
        most = check_count(max_directions, "max_directions", minimum=0)
        exact = self.n_directions <= most or self.is_unique
        found = (fewest_exactly if exact else fewest_greedily)(self._polytope)
        method = "mixed-integer" if exact else "greedy"
        return SmallestNetwork(self.network(found.weights), found.lower_bound, method)

    def optimise(self, c: ArrayLike, X: ArrayLike | None = None) -> TwoLayerNetwork:
        """The optimal network that is best by a linear criterion; one linear program.

        Parameters
        ----------
        c : array-like, shape (q,) or (k,); with X of several outputs as many columns
            With X: maximise ``sum_i c_i f(x_i)`` over its q rows, for instance with
            the labels of a validation set as c; of several outputs the sum over all of
            them. Without: maximise ``sum_j c_j w_j`` over the weights of the k directions.
        X : array-like, shape (q, d), optional

        Returns
        -------
        TwoLayerNetwork
            A vertex of the set.

        Raises
        ------
        InputError
            If an argument is not as described.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> optima = OptimalSet(X, np.ones(4), beta=0.1)
        >>> corner = np.array([[1.0, 1.0]])
        >>> best, worst = (optima.optimise([c], corner)(corner)[0] for c in (1.0, -1.0))
        >>> print(f"{best:.6f} {abs(worst):.6f}")
        1.858579 0.000000
        """
        if X is None:
            values = as_real_array(c, "c")
            if values.shape != (self.n_directions,):
                raise InputError(
                    f"c must be of shape ({self.n_directions},), one entry for each direction, "
                    f"got shape {values.shape}."
                )
            check_finite(values, "c")
        else:
            rows = self._check_rows(X)
            shape = (len(rows), *self._y.shape[1:])
            values = check_criterion(c, shape) @ self._neurons.contributions(rows)
        return self.network(self._polytope.maximise(values))

    def prediction_range(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The least and the largest prediction of all optimal networks, row by row.

        Parameters
        ----------
        X : array-like, shape (q, d)

        Returns
        -------
        lowest, highest : ndarray, shape (q,), or (q, c) for c outputs
            Equal, up to rounding, on the data of the problem. No single network need
            attain them at two rows at once.

        Raises
        ------
        InputError
            If X is not as described.

        Notes
        -----
        Two linear programs for each row where the optima differ.
        """
        rows = self._check_rows(X)
        values = self._neurons.contributions(rows)
        lowest = values @ self._polytope.centre
        highest = lowest.copy()
        for i in np.flatnonzero(self._polytope.variation(values).any(axis=1)):
            lowest[i] = values[i] @ self._polytope.maximise(-values[i])
            highest[i] = values[i] @ self._polytope.maximise(values[i])
        shape, level = (len(rows), *self._y.shape[1:]), self._neurons.level
        return level + lowest.reshape(shape), level + highest.reshape(shape)

    def _check(self, network: object, name: str) -> TwoLayerNetwork:
        return check_network(network, name, self._X, self._y, intercept=self.has_intercept)

    def _check_rows(self, X: ArrayLike) -> FloatArray:
        rows = check_data(X)
        if rows.shape[1] != self._X.shape[1]:
            raise InputError(
                f"X must have {self._X.shape[1]} columns, as the data of the set has, "
                f"got {rows.shape[1]}."
            )
        return rows


def _read_only(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array
