"""Draws of signs whose mean is a given matrix: the rounding of the semidefinite program."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray

# ``arcsinh 1 = log(1 + sqrt 2)``.
GAMMA = float(np.arcsinh(1.0))


def krivine_draws(
    left: FloatArray, right: FloatArray, count: int, random_state: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Vectors of signs with ``E[u_i v_j] = (2 gamma / pi) left_i'right_j``, gamma = arcsinh 1.

    Parameters
    ----------
    left, right : ndarray, shape (d, r)
        Unit vectors.
    count : int
    random_state : numpy.random.Generator

    Returns
    -------
    u, v : ndarray, shape (count, d)

    Notes
    -----
    A network of m draws with output weights ``rho pi / (2 gamma m)`` each has the mean
    ``x'Z x``, ``Z_ij = rho left_i'right_j``: its distance from there falls as ``1 / sqrt(m)``, and
    its penalty is ``pi / (2 gamma) = 1.78`` times rho, whatever m. The signs are those of normal
    vectors of covariance ``sinh(gamma left_i'left_j)``, ``sin(gamma left_i'right_j)`` and
    ``sinh(gamma right_i'right_j)``, which has a unit diagonal, and Grothendieck's identity
    ``E sign(g) sign(h) = (2 / pi) arcsin E g h`` does the rest.

    References
    ----------
    J.-L. Krivine, Constantes de Grothendieck et fonctions de type positif sur les spheres, Adv.
    Math. 31 (1979); B. Bartan and M. Pilanci, ICML 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> u, v = krivine_draws(np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]]), 100_000, rng)
    >>> round(float((u * v).mean()), 2), round(2.0 * GAMMA / np.pi * 0.6, 2)
    (0.34, 0.34)
    """
    d = len(left)
    covariance = np.empty((2 * d, 2 * d))
    covariance[:d, :d] = np.sinh(GAMMA * (left @ left.T))
    covariance[d:, d:] = np.sinh(GAMMA * (right @ right.T))
    covariance[:d, d:] = np.sin(GAMMA * (left @ right.T))
    covariance[d:, :d] = covariance[:d, d:].T
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = random_state.standard_normal((count, 2 * d)) @ root.T
    signs = np.where(normal >= 0.0, 1.0, -1.0)
    return signs[:, :d], signs[:, d:]
