"""Cone decomposition: a gated neuron as the difference of two ReLU neurons of its pattern.

With the sides ``S = 2 D - I`` of a pattern, ``K = {u : S X u >= 0}`` is the cone on
which ReLU has that pattern, and ``w = v - u`` with v and u in K turns ``D X w`` into
``(X v)_+ - (X u)_+``.
"""

from __future__ import annotations

import clarabel
import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers.rows import power_of_two
from cvxnn.networks import TwoLayerNetwork

# v and u.
Pair = tuple[FloatArray, FloatArray]

_EPS = float(np.finfo(float).eps)


def relu_network(
    X: FloatArray, gates: FloatArray, products: FloatArray, *, least: bool
) -> TwoLayerNetwork:
    """The ReLU network of all decompositions.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    gates, products : ndarray, shape (m, d)
        ``g_j`` and ``w_j = u_j a_j``.
    least : bool
        Whether the pairs are to be of minimum norm.

    Raises
    ------
    InputError
        If a row lies on the boundary of a gate.
    """
    rows = X[X.any(axis=1)]
    always = ~gates.any(axis=1)
    _check_interior(X, gates[~always])
    linear = products[always].sum(axis=0)
    pairs: list[Pair] = [(linear, -linear)]
    for gate, product in _merged(rows, gates[~always], products[~always]):
        cone = np.where(rows @ gate > 0.0, 1.0, -1.0)[:, None] * rows
        pairs.append(_decompose(cone, gate, product, least))
    neurons = np.array(pairs).reshape(-1, X.shape[1])
    signs = np.tile([1.0, -1.0], len(pairs))
    norms = np.array([_length(neuron) for neuron in neurons])
    kept = norms > 0.0
    roots = np.sqrt(norms[kept])
    return TwoLayerNetwork(neurons[kept] / roots[:, None], signs[kept] * roots)


def shared_relu_network(
    X: FloatArray, gates: FloatArray, hidden: FloatArray, output: FloatArray, *, least: bool
) -> TwoLayerNetwork:
    """The ReLU network of several outputs: the ``u_j`` one by one, each pair with ``a_j, -a_j``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    gates, hidden : ndarray, shape (m, d)
        ``g_j`` and ``u_j``.
    output : ndarray, shape (m, c)
        The ``a_j``.
    least : bool
        Whether the pairs are to be of minimum norm.

    Raises
    ------
    InputError
        If a row lies on the boundary of a gate.
    """
    rows = X[X.any(axis=1)]
    always = ~gates.any(axis=1)
    _check_interior(X, gates[~always])
    pairs: list[FloatArray] = []
    outputs: list[FloatArray] = []
    for gate, u, a in zip(gates, hidden, output, strict=True):
        sides = rows @ gate > 0.0
        if not (u.any() and a.any() and (sides.any() or not gate.any())):
            continue
        cone = np.where(sides, 1.0, -1.0)[:, None] * rows
        pairs += (u, -u) if not gate.any() else _decompose(cone, gate, u, least)
        outputs += a, -a
    neurons = np.array(pairs).reshape(-1, X.shape[1])
    kept = neurons.any(axis=1)
    signed = np.array(outputs).reshape(-1, output.shape[1])
    return TwoLayerNetwork(neurons[kept], signed[kept]).balance()


def _check_interior(X: FloatArray, gates: FloatArray) -> None:
    """Refuse gates on whose side a row is not known for certain in float64."""
    rounding = (X.shape[1] + 2) * _EPS * (np.abs(X) @ np.abs(gates).T)
    counted = np.abs(X).max(axis=1, keepdims=True) > 0.0
    undecided = np.argwhere((np.abs(X @ gates.T) <= rounding) & counted)
    if len(undecided):
        row, gate = undecided[0]
        raise InputError(
            f"Row {row} of X lies on the boundary of the gate {gates[gate]}, where no ReLU "
            "network has its pattern for certain; move the gate off the row."
        )


def _merged(
    rows: FloatArray, gates: FloatArray, products: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """A gate and the sum of the ``w_j`` for every pattern that is open anywhere."""
    masks = gates @ rows.T > 0.0
    seen: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    for mask, gate, product in zip(masks, gates, products, strict=True):
        if mask.any():
            first, total = seen.get(mask.tobytes(), (gate, np.zeros_like(product)))
            seen[mask.tobytes()] = first, total + product
    return [(gate, total) for gate, total in seen.values() if total.any()]


def _decompose(cone: FloatArray, gate: FloatArray, w: FloatArray, least: bool) -> Pair:
    """v and u in the cone with ``v - u = w``: the shortest of the pairs at hand."""
    unit = _length(w)
    centre = _centre(cone, gate)
    pairs = _on_the_ray(cone, centre, w / unit)
    if least:
        pairs.append(_minimum_norm(cone, centre, w / unit))
    v, u = min(pairs, key=lambda pair: sum(map(np.linalg.norm, pair)))
    return unit * v, unit * u


def _centre(cone: FloatArray, gate: FloatArray) -> FloatArray:
    """The unit vector with the largest ``min_k a_k'u``, or the gate should that be better.

    The shortest g with ``a_k'g >= 1`` points there. It is the residual of the
    non-negative least squares ``min ||[A'; 1'] l - e||`` with e the last unit vector
    (Lawson and Hanson, chapter 23).
    """
    d = cone.shape[1]
    size = float(np.abs(cone).max())
    system = np.vstack([cone.T / size, np.ones(len(cone))])
    weights, _ = nnls(system, np.eye(d + 1)[d], maxiter=30 * (len(cone) + d))
    found = system[:d] @ weights
    candidates = [vector / _length(vector) for vector in (gate, found) if vector.any()]
    return max(candidates, key=lambda unit: float((cone @ unit).min()))


def _length(vector: FloatArray) -> float:
    """The norm of a vector, also where its squares vanish."""
    unit = power_of_two(vector)
    return unit * float(np.linalg.norm(vector / unit))


def _on_the_ray(cone: FloatArray, centre: FloatArray, w: FloatArray) -> list[Pair]:
    """``(w + t g, t g)`` and ``(t g, t g - w)`` with the least t each."""
    depths, along = cone @ centre, cone @ w
    forth, back = (max(float((-s * along / depths).max()), 0.0) for s in (1.0, -1.0))
    return [(w + forth * centre, forth * centre), (back * centre, back * centre - w)]


def _minimum_norm(cone: FloatArray, centre: FloatArray, w: FloatArray) -> Pair:
    """``min ||w + u|| + ||u||`` over u and w + u in the cone.

    As a conic program in (t_1, t_2, u); its rounding is undone on the ray.
    """
    d = len(w)
    lengths = np.linalg.norm(cone, axis=1)
    faces, heights = cone / lengths[:, None], -(cone @ w) / lengths
    blocks = [
        np.hstack([np.zeros((len(cone), 2)), -faces]),
        -np.eye(d + 2)[[0, *range(2, d + 2)]],
        -np.eye(d + 2)[[1, *range(2, d + 2)]],
    ]
    cones = [
        clarabel.NonnegativeConeT(len(cone)),
        clarabel.SecondOrderConeT(d + 1),
        clarabel.SecondOrderConeT(d + 1),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    result = clarabel.DefaultSolver(
        sparse.csc_matrix((d + 2, d + 2)),
        np.concatenate([[1.0, 1.0], np.zeros(d)]),
        sparse.csc_matrix(np.vstack(blocks)),
        np.concatenate([-np.maximum(heights, 0.0), [0.0], w, np.zeros(d + 1)]),
        cones,
        settings,
    ).solve()
    u = np.asarray(result.x)[2:]
    products = np.minimum(cone @ u, cone @ (w + u))
    outside = max(float((-products / (cone @ centre)).max()), 0.0)
    u = u + outside * centre
    return w + u, u
