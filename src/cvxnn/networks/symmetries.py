"""What can be done to the neurons of a network without raising its objective."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.errors import InputError
from cvxnn.networks.pruning import columns_of, prune_scales
from cvxnn.networks.weights import DenseNetwork
from cvxnn.validation import as_real_array, check_count

# Unit directions closer than this are one: merging them moves the function by that share.
_SAME_RAY = 1e-10
# A row is on the hyperplane of a neuron when |x'u| is below this times sum_i |x_i u_i|.
_TIGHT = 1e-12
# Weights of a split may miss the sum 1 by this much, which is their rounding.
_ROUNDING = 1e-12


class NeuronSymmetries(DenseNetwork):
    """Rescaling, order, splitting, merging and pruning of neurons.

    Each returns another network and states its invariant. The first three keep
    the function everywhere; merging and pruning with data X keep its values on X.
    None raises the penalty ``1/2 sum_j (||u_j||^2 + ||a_j||^2)``, in which :meth:`norms` may be
    others than the Euclidean ones. All that is used of the
    activation is that it is positively homogeneous: linear on each side of 0, and 0 there.
    What the sign of a_j is for one output, its direction ``a_j / ||a_j||`` is for several.
    A skip connection is left as it is.

    References
    ----------
    Seed paper, section 3.3; Y. Wang, J. Lacotte and M. Pilanci, "The Hidden
    Convex Optimization Landscape of Two-Layer ReLU Neural Networks", ICLR 2022.
    """

    __slots__ = ()

    @abstractmethod
    def _renewed(self, hidden: FloatArray, output: FloatArray) -> Self:
        """The same network with other neurons."""

    @abstractmethod
    def _activate(self, rows: FloatArray) -> FloatArray:
        """The activations of rows, shape (n, m)."""

    def norms(self, vectors: FloatArray) -> FloatArray:
        """What the penalty takes for the lengths of hidden weights, shape (k,) for (k, d)."""
        return np.asarray(np.linalg.norm(vectors, axis=1))

    def balance(self) -> Self:
        """Return the same function with ``||u_j|| = ||a_j||`` for every neuron; O(md).

        The activation is positively homogeneous, so ``(c u_j, a_j / c)`` is the same
        neuron for every c > 0; of these the balanced one has the least penalty,
        ``||u_j|| ||a_j||``. Neurons with ``u_j = 0`` or ``a_j = 0`` are dropped.

        Raises
        ------
        InputError
            If a balanced weight exceeds the range of float64.

        References
        ----------
        The rescaling of Pilanci and Ergen (2020), which turns (2) into the
        equivalent (7) of the seed paper.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[4.0], [1.0]], [1.0, 0.0]).balance()
        >>> network.hidden_weights, network.output_weights
        (array([[2.]]), array([2.]))
        """
        largest = np.abs(self.hidden_weights).max(axis=1)
        lengths, units = _polar(self.output_weights)
        alive = (largest > 0.0) & (lengths > 0.0)
        largest, lengths, units = largest[alive], lengths[alive], units[alive]
        # Neither ||u_j||^2 nor ||u_j|| |a_j| is formed: both may leave the range of float64
        # where the balanced weights do not.
        direction = self.hidden_weights[alive] / largest[:, np.newaxis]
        norm = self.norms(direction)
        scale = np.sqrt(largest) * np.sqrt(lengths) * np.sqrt(norm)
        hidden = direction * (scale / norm)[:, np.newaxis]
        return self._renewed(hidden, _each(scale, units) * units)

    def permute(self, order: ArrayLike) -> Self:
        """Return the network with its neurons in another order; O(md).

        Function and penalty are the same.

        Parameters
        ----------
        order : array-like of int, shape (m,)
            A permutation of 0, ..., m - 1: neuron ``order[j]`` becomes neuron j.

        Raises
        ------
        InputError
            If `order` is no permutation of the neurons.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> TwoLayerNetwork([[1.0], [2.0]], [3.0, 4.0]).permute([1, 0]).output_weights
        array([4., 3.])
        """
        m = len(self.output_weights)
        wanted = as_real_array(order, "order")
        if wanted.shape != (m,) or not np.array_equal(np.sort(wanted), np.arange(m)):
            raise InputError(f"order must hold each of the neurons 0 to {m - 1} once.")
        index = wanted.astype(np.int64)
        return self._renewed(self.hidden_weights[index], self.output_weights[index])

    def split(self, neuron: int, weights: ArrayLike) -> Self:
        """Return the network with one neuron in parts; O((m + k) d).

        The parts ``(sqrt(t) u, sqrt(t) a)`` for t in `weights` take the place of
        ``(u, a)``. Function and penalty are the same.

        Parameters
        ----------
        neuron : int
            0, ..., m - 1.
        weights : array-like, shape (k,)
            The shares t >= 0 of the k >= 1 parts; their sum is 1.

        Raises
        ------
        InputError
            If there is no such neuron, or the shares are not as described.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> TwoLayerNetwork([[2.0]], [4.0]).split(0, [0.75, 0.25]).output_weights.round(3)
        array([3.464, 2.   ])
        """
        j = self._check_neuron(neuron, "neuron")
        shares = as_real_array(weights, "weights")
        if shares.ndim != 1 or len(shares) == 0 or not (shares >= 0.0).all():
            raise InputError("weights must be 1-D with at least one entry, none below 0.")
        if not abs(float(shares.sum()) - 1.0) <= _ROUNDING * len(shares):
            raise InputError(f"weights must have the sum 1, got {float(shares.sum()):.17g}.")
        roots = np.sqrt(shares)
        hidden, output = self.hidden_weights, self.output_weights
        return self._renewed(
            np.vstack([hidden[:j], roots[:, None] * hidden[j], hidden[j + 1 :]]),
            np.concatenate([output[:j], np.multiply.outer(roots, output[j]), output[j + 1 :]]),
        )

    def merge(self, i: int, j: int, X: ArrayLike | None = None) -> Self:
        """Return the network with two neurons as one, ``|a_i| u_i + |a_j| u_j`` balanced; O(md).

        Without X the two must be on one ray, and the function stays everywhere:
        the inverse of :meth:`split`. With X they must share a closed cell of its
        arrangement, where activations are linear, and the values on X stay. The penalty
        does not grow, by the triangle inequality. The sum is where the first of
        the two was; a neuron that is 0 adds nothing.

        Parameters
        ----------
        i, j : int
            Two neurons with output weights of one sign, or of one direction.
        X : array-like, shape (n, d), optional

        Raises
        ------
        InputError
            If there are no such neurons, or they cannot be merged.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
        >>> merged = network.merge(0, 1, X=[[1.0, 2.0], [-1.0, -1.0]])
        >>> merged.forward([[1.0, 2.0]]), network.penalty(), round(merged.penalty(), 6)
        (array([3.]), 2.0, 1.414214)
        """
        i, j = self._check_neuron(i, "i"), self._check_neuron(j, "j")
        if i == j:
            raise InputError(f"i and j must be two neurons, got {i} twice.")
        pair = self._renewed(self.hidden_weights[[i, j]], self.output_weights[[i, j]]).balance()
        labels = pair._labels(X)
        if len(labels) == 2 and labels[0] != labels[1]:
            where = "are on one ray" if X is None else "share a closed cell of X"
            raise InputError(
                f"neurons {i} and {j} cannot be merged: only neurons of one sign that {where} can."
            )
        merged = pair._summed(labels)
        at = np.arange(len(self.output_weights))
        before, after = at < min(i, j), (at > min(i, j)) & (at != max(i, j))
        hidden, output = self.hidden_weights, self.output_weights
        return self._renewed(
            np.vstack([hidden[before], merged.hidden_weights, hidden[after]]),
            np.concatenate([output[before], merged.output_weights, output[after]]),
        )

    def merge_all(self, X: ArrayLike | None = None) -> Self:
        """Return the balanced network in which no two neurons that were left can be merged.

        Function, values on X and penalty as for :meth:`merge`. Neurons are taken
        in order; each joins the first group whose members all share its ray (its
        closed cell, with X). O(m^2 d), with X O(m^2 n + m n d).

        Parameters
        ----------
        X : array-like, shape (n, d), optional

        Raises
        ------
        InputError
            If X is not as described.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[1.0], [2.0], [-1.0]], [1.0, 2.0, 1.0])
        >>> network.merge_all().hidden_weights.round(6)
        array([[ 2.236068],
               [-1.      ]])
        """
        balanced = self.balance()
        return balanced._summed(balanced._labels(X))

    def prune(self, X: ArrayLike) -> Self:
        """Return a balanced network with linearly independent activations on X.

        So at most rank(X's activations) <= n neurons; of c outputs what is independent are
        activations times output weights, n c at most. The values on X stay, and
        the penalty does not grow; away from X the function changes. Each step
        follows a null vector c of the activations of the neurons that are left,
        with ``sum_j c_j ||p_j|| >= 0`` for the products ``p_j = ||a_j|| u_j``:
        ``p_j <- (1 - t c_j) p_j`` until the first of them is 0. At a global
        optimum the penalty stays, and the result is a vertex of the optimal set.

        Parameters
        ----------
        X : array-like, shape (n, d)

        Raises
        ------
        InputError
            If X is not as described.

        Notes
        -----
        O(m n (n + d)).

        References
        ----------
        A. Mishkin and M. Pilanci, "Optimal Sets and Solution Paths of ReLU
        Networks", ICML 2023.

        Examples
        --------
        >>> from cvxnn import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[1.0], [3.0], [-1.0]], [1.0, -1.0, 2.0])
        >>> pruned = network.prune([[1.0], [2.0]])
        >>> pruned.n_neurons, pruned.forward([[1.0], [2.0]])
        (1, array([-2., -4.]))
        """
        rows = self._check_data(X)
        balanced = self.balance()
        columns = balanced._signed_activations(rows)
        seen = columns.any(axis=0)
        balanced = balanced._renewed(balanced.hidden_weights[seen], balanced.output_weights[seen])
        scales = np.ones(len(balanced.output_weights))
        # The last scales are those of independent activations.
        squares = _polar(balanced.output_weights)[0] ** 2
        for scales in prune_scales(columns[:, seen], squares):  # noqa: B007
            pass
        return balanced._scaled(scales)

    def _scaled(self, scales: FloatArray) -> Self:
        """Every product ``||a_j|| u_j`` times its scale >= 0; those with 0 are dropped."""
        kept = scales > 0.0
        roots, output = np.sqrt(scales[kept]), self.output_weights[kept]
        return self._renewed(
            roots[:, None] * self.hidden_weights[kept], _each(roots, output) * output
        )

    def _signed_activations(self, rows: FloatArray) -> FloatArray:
        """Columns ``s(X u_j) a_j'``, shape (n c, m): their sum is the output of the neurons."""
        return columns_of(self._activate(rows), self.output_weights)

    def _labels(self, X: ArrayLike | None) -> IntArray:
        """Which neurons of a balanced network are merged: the first of its group, for each."""
        if X is None:
            return _ray_labels(self.hidden_weights, self.output_weights)
        return _cell_labels(self._check_data(X), self.hidden_weights, self.output_weights)

    def _summed(self, labels: IntArray) -> Self:
        """The neurons of a balanced network with each group added up."""
        hidden, output = self.hidden_weights, self.output_weights
        lengths, units = _polar(output)
        products = lengths[:, None] * hidden
        groups = np.unique(labels)
        sums = np.array([products[labels == g].sum(axis=0) for g in groups])
        sums = sums.reshape(len(groups), hidden.shape[1])
        return self._renewed(sums, units[groups]).balance()

    def _check_neuron(self, value: object, name: str) -> int:
        m = len(self.output_weights)
        index = check_count(value, name, minimum=0)
        if m == 0:
            raise InputError(f"{name} must be a neuron, but the network has none.")
        if index >= m:
            raise InputError(f"{name} must be a neuron, 0 to {m - 1}, got {index}.")
        return index


def _polar(output: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths of output weights, shape (m,), and their directions: signs for one output."""
    if output.ndim == 1:
        return np.abs(output), np.sign(output)
    # Relative to the largest entry, whose square might leave the range of float64.
    largest = np.abs(output).max(axis=1)
    relative = output / np.where(largest > 0.0, largest, 1.0)[:, None]
    norms = np.linalg.norm(relative, axis=1)
    return largest * norms, relative / np.where(norms > 0.0, norms, 1.0)[:, None]


def _each(factors: FloatArray, output: FloatArray) -> FloatArray:
    """Factors of neurons, shaped so that they multiply output weights."""
    return factors if output.ndim == 1 else factors[:, None]


def _alike(units: FloatArray, heads: IntArray, j: int) -> IntArray:
    """Those of `heads` whose output weights have the direction of j's."""
    if units.ndim == 1:
        return heads[units[heads] == units[j]]
    return heads[np.linalg.norm(units[heads] - units[j], axis=1) <= _SAME_RAY]


def _ray_labels(hidden: FloatArray, output: FloatArray) -> IntArray:
    units, outputs = hidden / np.linalg.norm(hidden, axis=1, keepdims=True), _polar(output)[1]
    labels = np.arange(len(output))
    for j in range(len(output)):
        heads = np.flatnonzero(labels[:j] == np.arange(j))
        heads = _alike(outputs, heads, j)
        near = heads[np.linalg.norm(units[heads] - units[j], axis=1) <= _SAME_RAY]
        labels[j] = near[0] if len(near) else j
    return labels


def _cell_labels(rows: FloatArray, hidden: FloatArray, output: FloatArray) -> IntArray:
    products = hidden @ rows.T
    tight = np.abs(products) <= _TIGHT * (np.abs(hidden) @ np.abs(rows).T)
    sides, outputs = np.where(tight, 0, np.sign(products)).astype(np.int8), _polar(output)[1]
    labels = np.arange(len(output))
    for j in range(len(output)):
        heads = np.flatnonzero(labels[:j] == np.arange(j))
        heads = _alike(outputs, heads, j)
        near = heads[~(sides[heads] * sides[j] < 0).any(axis=1)]
        if len(near):
            labels[j] = near[0]
            # The group lies on the side of whichever member is off the hyperplane.
            sides[near[0]] = np.where(sides[near[0]] == 0, sides[j], sides[near[0]])
    return labels
