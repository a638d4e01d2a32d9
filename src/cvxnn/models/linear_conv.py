"""Linear convolutional networks with output weights for every patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers.images import check_patches
from cvxnn.models.bilinear import BilinearModel, BilinearNetwork
from cvxnn.solvers.gauge.programs import PatchProgram


class LinearCNN(BilinearNetwork):
    """``f = sum_j sum_k X^(k) u_j w_jk``: filters without activation, weights for every patch.

    Parameters
    ----------
    filters : array-like, shape (m, h)
        Row j is ``u_j``.
    output_weights : array-like, shape (m, K)
        Row j is ``w_j``: a weight for each patch.
    intercept : float, default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes.

    Notes
    -----
    Source: seed paper, section 3.2.3.

    Examples
    --------
    >>> network = LinearCNN([[1.0, -1.0]], [[2.0, 3.0]])
    >>> network
    LinearCNN(n_neurons=1, filter_size=2, n_patches=2)
    >>> network.forward([[[5.0, 4.0], [1.0, 0.0]]])
    array([5.])
    >>> network.objective([[[5.0, 4.0], [1.0, 0.0]]], [5.0], beta=2.0)
    15.0
    """

    __slots__ = ()

    @property
    def coefficients(self) -> FloatArray:
        """``Z' = sum_j w_j u_j'``, shape (K, h): what multiplies the patches; O(m K h)."""
        return self.output_weights.T @ self.filters

    def _moduli(self) -> FloatArray:
        return np.abs(self.output_weights).T @ np.abs(self.filters)

    def rows(self, data: ArrayLike) -> PatchProgram:
        patches = check_patches(data)
        expected = (self.output_weights.shape[1], self.filters.shape[1])
        if patches.shape[1:] != expected:
            raise InputError(
                f"patches must be of shape (n, {expected[0]}, {expected[1]}) for this network, "
                f"got {patches.shape}."
            )
        return PatchProgram(patches)

    @property
    def _shown(self) -> dict[str, Any]:
        sizes = {
            "filter_size": self.filters.shape[1],
            "n_patches": self.output_weights.shape[1],
        }
        return {"n_neurons": self.n_neurons, **sizes}


@dataclass(frozen=True)
class LinearConv(BilinearModel):
    """``f = sum_j sum_k X^(k) u_j w_jk``: filters without activation, weights for every patch.

    The data are patches of shape (n, K, h), ``X^(k) = patches[:, k]``, see
    :func:`image_patches`. The penalty is ``1/2 sum_j (||u_j||^2 + ||w_j||^2)``, and the
    optimum that of program (20)::

        min_Z l(sum_k X^(k) z_k, y) + beta ||Z||_*,

    with at most min(h, K) filters.

    Notes
    -----
    Accelerated proximal gradient with thresholded singular values finds the rank,
    Newton's method on filters and weights the digits; O(n K h) a step and
    O(K h min(K, h)) for its SVD. A round has 60 proximal steps and at most 100 of Newton's
    method. Where that does not suffice, beta falls step by step; fewer rows than coefficients
    and a beta of 1e-5 of the largest and less remain slow, except for the logistic loss. The
    bound is that of the dual point ``v = -t grad l`` with t such that
    ``||[X^(1)'v ... X^(K)'v]||_2 <= beta``, where the SVD is checked and not trusted. Filters
    are singular vectors times roots of singular values.

    References
    ----------
    Seed paper, section 3.2.3, program (20); M. Pilanci and T. Ergen, ICML 2020;
    T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> from cvxnn import solve
    >>> patches = np.eye(4).reshape(4, 2, 2)
    >>> solution = solve(patches, [3.0, 0.0, 0.0, 1.0], beta=1.0, model=LinearConv())
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.n_neurons)
    OPTIMAL 3.0000 1
    """

    kind: ClassVar[type[LinearCNN]] = LinearCNN
    proof_advice: ClassVar[str] = "fewer patches"

    @property
    def data_axes(self) -> tuple[int, ...]:
        """3: patches of shape (n, K, h)."""
        return (3,)

    def rows(self, data: ArrayLike) -> PatchProgram:
        """The patches."""
        return PatchProgram(check_patches(data))
