"""The convex program (5) on a set of blocks: objective, cones, recovery, dual.

A *block* is one ``v_i`` or ``w_i`` of the program: a pattern and an output sign.
With ``s_c`` the sign and ``D_c`` the pattern of block c the program reads

    minimise    l( sum_c s_c D_c X z_c , y ) + beta * sum_c ||z_c||
    subject to  (2 D_c - I) X z_c >= 0     for every block c.

``D_c`` lives as n bits; every product is a mask times ``X Z'``, taken in chunks. With
a readout R the first term is ``l( R sum_c s_c D_c X z_c , y )``, see :class:`Layer`. With an
intercept b it is ``l( sum_c s_c D_c X z_c + 1 b , y )``, for the best b: it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.errors import InputError
from cvxnn.layers import Layer, Readout
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.losses.offset import best_offset
from cvxnn.networks import TwoLayerNetwork
from cvxnn.patterns import PatternSet
from cvxnn.validation import check_flag

# Bytes of the (rows x blocks) products that exist at one time.
_CHUNK_BYTES = 1 << 25


@dataclass(frozen=True)
class KKTResiduals:
    """How far a point is from satisfying the optimality conditions, each >= 0.

    With ``g_c = s_c X'D_c v + G_c' rho_c`` an optimum has ``||g_c|| <= beta``,
    ``rho_c >= 0``, ``G_c z_c >= 0`` and no term left in the two sums below.

    Attributes
    ----------
    stationarity : float
        ``sum_c |beta ||z_c|| - z_c'g_c|`` divided by the objective. A sum, since
        the direction of a block that is almost zero says nothing.
    dual_infeasibility : float
        Violation of (11b, 11c) relative to beta: the largest
        ``||g_c|| / beta - 1`` over the blocks, or ``-rho ||x_i|| / beta``. With an intercept
        or ``|sum(v)| / sum(|v|)``, because then ``sum(v) = 0`` is asked for besides.
    cone_violation : float
        Largest ``-(2 D_c - I) X z_c`` over rows and blocks.
    complementarity : float
        ``sum |rho_c * G_c z_c|`` over rows and blocks, divided by the objective.

    Examples
    --------
    >>> import cvxnn, numpy as np
    >>> X = np.array([[1.0]])
    >>> program = cvxnn.ConvexProgram(X, [2.0], 0.5, cvxnn.PatternSet.from_directions(X, X))
    >>> program.kkt_residuals(np.array([[1.5], [0.0]]), multipliers=np.zeros((2, 1))).stationarity
    0.0
    """

    stationarity: float
    dual_infeasibility: float
    cone_violation: float
    complementarity: float

    @property
    def largest(self) -> float:
        """The worst of the four."""
        return max(
            self.stationarity, self.dual_infeasibility, self.cone_violation, self.complementarity
        )


class ConvexProgram:
    """Program (5) of the seed paper, on chosen blocks.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Data; a bias is a column of ones.
    y : ndarray, shape (n,)
        Targets.
    beta : float
        Weight of the group norm; the same beta as in objective (2).
    patterns : PatternSet
        The patterns that blocks refer to.
    block_patterns : ndarray of int, shape (C,), optional
        Pattern of each block. By default every pattern twice: first all
        ``v_i``, then all ``w_i``.
    block_signs : ndarray, shape (C,), optional
        +1 for a ``v_i``, -1 for a ``w_i``.
    loss : Loss, optional
        Squared loss by default.
    readout : sparse array or ndarray, shape (m, n), optional
        The R of ``l(R sum_c s_c D_c X z_c, y)`` for y of shape (m,), such as the sum
        over the patches of an image; the identity by default.
    intercept : bool, default False
        Whether a number b is added to all predictions, without a penalty. The methods that
        take blocks then take it beside them.
    model : str or Model, default "relu"
        Of which networks; plain ReLU is the only kind so far.

    Attributes
    ----------
    has_intercept : bool
        Whether there is one.

    Raises
    ------
    InputError
        If y has several columns, or there is no such program for the model.

    Notes
    -----
    Storage is ``X`` and the packed patterns; a product with ``A = [s_c D_c X]``
    costs O(n d C) time and a bounded buffer.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (5), (6), (11).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.patterns import PatternSet
    >>> X, y = np.array([[-1.0, 1.0], [2.0, 1.0]]), np.array([0.0, 1.0])
    >>> patterns = PatternSet.from_directions(X, np.array([[1.0, 0.0]]))
    >>> program = ConvexProgram(X, y, 0.1, patterns)
    >>> Z = np.array([[0.3, 0.4], [0.0, 0.0]])
    >>> round(program.objective(Z), 6)
    0.05
    >>> program.recover(Z)
    TwoLayerNetwork(n_neurons=1, n_features=2)
    >>> beside = ConvexProgram(X, y, 0.1, patterns, intercept=True)
    >>> b = beside.best_intercept(Z / 2.0)
    >>> round(b, 6), round(beside.objective(Z / 2.0, b), 6)
    (0.25, 0.0875)
    """

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        beta: float,
        patterns: PatternSet,
        block_patterns: NDArray[np.integer] | None = None,
        block_signs: FloatArray | None = None,
        loss: Loss | None = None,
        readout: Readout = None,
        *,
        intercept: bool = False,
        model: object = "relu",
    ) -> None:
        if not _is_plain(model):
            raise only_for_relu("ConvexProgram", model)
        if np.ndim(y) != 1:
            raise InputError(
                f"ConvexProgram is for one output, y of shape (n,), got shape {np.shape(y)}: of "
                "several its penalty is NP-hard to compute; solve trains such networks."
            )
        self.has_intercept = check_flag(intercept, "intercept")
        self.X = X
        self.layer = Layer(X, readout)
        self.y = y
        self.beta = beta
        self.patterns = patterns
        self.loss = SquaredLoss() if loss is None else loss
        if block_patterns is None:
            block_patterns = np.tile(np.arange(len(patterns)), 2)
            block_signs = np.repeat([1.0, -1.0], len(patterns))
        if block_signs is None or len(block_signs) != len(block_patterns):
            raise ValueError("block_signs needs one sign for each entry of block_patterns")
        self.block_patterns = block_patterns
        self.block_signs = block_signs

    @property
    def n_blocks(self) -> int:
        """Number of blocks C."""
        return len(self.block_patterns)

    def _chunks(self) -> Iterator[tuple[slice, BoolArray]]:
        step = max(1, _CHUNK_BYTES // (8 * len(self.X)))
        for start in range(0, self.n_blocks, step):
            part = slice(start, start + step)
            yield part, self.patterns.unpack(self.block_patterns[part])

    def prediction(self, Z: FloatArray, intercept: float = 0.0) -> FloatArray:
        """``R sum_c s_c D_c X z_c + b``, shape (n,), for blocks `Z` of shape (C, d).

        InputError if b is not 0 for a program without an intercept; elsewhere, too.
        """
        b = self._checked(intercept)
        total = np.zeros(len(self.X))
        for part, masks in self._chunks():
            signed = self.block_signs[part, None] * Z[part]
            total += np.einsum("cn,nc->n", masks, self.X @ signed.T)
        return self.layer.read(total) + b

    def correlations(self, v: FloatArray) -> FloatArray:
        """``s_c X' D_c R'v`` for every block, shape (C, d): the adjoint of the prediction."""
        v = self.layer.pull(v)
        out = np.empty((self.n_blocks, self.X.shape[1]))
        for part, masks in self._chunks():
            out[part] = self.block_signs[part, None] * ((masks * v) @ self.X)
        return out

    def best_intercept(self, Z: FloatArray) -> float:
        """The b of the least objective beside blocks `Z`, shape (C, d); 0 where there is none."""
        return best_offset(self.loss, self.prediction(Z), self.y) if self.has_intercept else 0.0

    def objective(self, Z: FloatArray, intercept: float = 0.0) -> float:
        """Value of (5) at `Z`, shape (C, d): ``l(prediction, y) + beta * sum_c ||z_c||``.

        Equal to objective (2) of :meth:`recover` when every ``z_c`` is in its cone.
        """
        norms = np.linalg.norm(Z, axis=1)
        prediction = self.prediction(Z, intercept)
        return self.loss.value(prediction, self.y) + self.beta * float(norms.sum())

    def slacks(self, Z: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """``(2 D_c - I) X z_c`` in chunks of blocks: pairs of a slice and a (k, n) array."""
        for part, masks in self._chunks():
            products = Z[part] @ self.X.T
            yield part, np.where(masks, products, -products)

    def cone_violation(self, Z: FloatArray) -> float:
        """Largest ``-(2 D_c - I) X z_c`` over rows and blocks; not positive inside the cones."""
        return max((float(-slack.min()) for _, slack in self.slacks(Z)), default=0.0)

    def recover(self, Z: FloatArray, intercept: float = 0.0) -> TwoLayerNetwork:
        """The network of Theorem 1, (6a) and (6b): one neuron for each non-zero block."""
        norms = np.linalg.norm(Z, axis=1)
        alive = norms > 0.0
        root = np.sqrt(norms[alive])
        return TwoLayerNetwork(
            Z[alive] / root[:, None],
            self.block_signs[alive] * root,
            intercept=self._checked(intercept),
        )

    def dual_objective(self, v: FloatArray) -> float:
        """Objective (11a) at `v`: ``-l*(-v)``, for squared loss ``v'y - 1/2 ||v||^2``.

        A lower bound where ``sum(v) = 0`` besides (11b, 11c), if there is an intercept.
        """
        return -self.loss.conjugate(v, self.y)

    def dual_norms(self, v: FloatArray, multipliers: FloatArray) -> FloatArray:
        """``||s_c X'D_c v + G_c' rho_c||`` for every block: (11b, 11c) ask for <= beta.

        In the notation of (11) the multipliers of one block, shape (n,), are
        ``a_i`` on the rows of S_i and ``b_i`` on the others, all >= 0.
        """
        return np.linalg.norm(self._cone_gradients(v, multipliers), axis=1)

    def _cone_gradients(self, v: FloatArray, multipliers: FloatArray) -> FloatArray:
        gradients = self.correlations(v)
        for part, masks in self._chunks():
            gradients[part] += np.where(masks, multipliers[part], -multipliers[part]) @ self.X
        return gradients

    def kkt_residuals(
        self,
        Z: FloatArray,
        multipliers: FloatArray,
        v: FloatArray | None = None,
        intercept: float = 0.0,
    ) -> KKTResiduals:
        """Residuals of the optimality conditions at blocks `Z` and cone multipliers.

        Parameters
        ----------
        Z : ndarray, shape (C, d)
        multipliers : ndarray, shape (C, n)
            Non-negative multipliers ``rho_c`` of the cone constraints.
        v : ndarray, shape (n,), optional
            Dual point; minus the gradient of the loss by default.
        intercept : float
            Beside the blocks.
        """
        if v is None:
            v = -self.loss.gradient(self.prediction(Z, intercept), self.y)
        gradients = self._cone_gradients(v, multipliers)
        aligned = np.einsum("cd,cd->c", Z, gradients)
        stationarity = np.abs(self.beta * np.linalg.norm(Z, axis=1) - aligned).sum()
        excess = np.linalg.norm(gradients, axis=1).max(initial=0.0) / self.beta - 1.0
        negative = float((-multipliers * np.linalg.norm(self.X, axis=1)).max(initial=0.0))
        products = sum(float(np.abs(multipliers[c] * slack).sum()) for c, slack in self.slacks(Z))
        # With y = 0 the optimum is 0 and only absolute residuals mean anything.
        scale = self.objective(Z, intercept) or 1.0
        moduli = float(np.abs(v).sum()) or 1.0
        unbalanced = abs(float(v.sum())) / moduli if self.has_intercept else 0.0
        return KKTResiduals(
            stationarity=float(stationarity) / scale,
            dual_infeasibility=max(float(excess), negative / self.beta, unbalanced, 0.0),
            cone_violation=max(self.cone_violation(Z), 0.0),
            complementarity=products / scale,
        )

    def _checked(self, intercept: float) -> float:
        if intercept != 0.0 and not self.has_intercept:
            raise InputError(
                f"intercept must be 0 for a program without one, got {intercept!r}: make it with "
                "intercept=True."
            )
        return float(intercept)


def only_for_relu(name: str, model: object) -> InputError:
    """What says that something is there for plain ReLU only, and what is for the others."""
    return InputError(
        f"{name} is for ReLU(), not for {getattr(model, 'label', repr(model))}: "
        "solve and regularization_path train it."
    )


def _is_plain(model: object) -> bool:
    """Whether it is "relu", or a model that says that it has such a program."""
    return bool(getattr(getattr(model, "capabilities", None), "landscape", model == "relu"))
