"""Small problems, and their programs written out anew: in cvxpy, and as local searches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from problems import brute_force_cells
from scipy.optimize import minimize
from scipy.sparse import block_diag, csr_array
from scipy.special import xlogy

from cvxnn.array_types import FloatArray
from cvxnn.losses import QuantileLoss, as_loss

LOSSES = ("squared", "huber", "logistic", "squared_hinge")
# Of which the logarithm of targets is predicted.
COUNTS = ("poisson", "gamma")
KINKED = ("absolute", "quantile", QuantileLoss(0.9), "hinge")


# ------------------------------------------------------------------ data


def targets(loss, y, threshold=0.0):
    """Targets, the labels that they are on both sides of a threshold, counts or amounts."""
    if loss in COUNTS:
        return np.floor(np.exp(0.5 * y + 0.5)) if loss == "poisson" else np.exp(0.5 * y)
    return np.where(y > threshold, 1.0, -1.0) if as_loss(loss).has_labels else y


def draw_rows(loss, n, d, seed=0):
    """Rows and targets that no linear function fits."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = 2.0 * np.maximum(X[:, 0], 0.0) - X[:, -1] + 0.3 * rng.standard_normal(n)
    return X, targets(loss, y, 0.5)


def draw(loss, n, K, h, seed=0):
    """Patches and targets of a network of one filter with noise."""
    rng = np.random.default_rng(seed)
    patches = rng.standard_normal((n, K, h))
    truth = np.outer(rng.standard_normal(K), rng.standard_normal(h))
    y = np.einsum("nkh,kh->n", patches, truth) + 0.3 * rng.standard_normal(n)
    return patches, targets(loss, y)


def draw_images(loss, shape, seed=0):
    """Images of few grey levels, so that patches repeat, and targets."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-1, 2, shape) + 0.3 * (rng.random(shape) > 0.7)
    y = images.reshape(len(images), -1).max(axis=1) + 0.5 * rng.standard_normal(len(images))
    return images, targets(loss, y, 1.0)


def patches_by_loops(images, sides, stride=1, padding=0):
    """Patches, shape (n, K, h), of images or signals, perhaps with channels last."""
    around = [(0, 0)] + [(padding, padding)] * len(sides)
    padded = np.pad(images, around + [(0, 0)] * (images.ndim - len(around)))
    starts = itertools.product(
        *(
            range(0, whole - side + 1, stride)
            for whole, side in zip(padded.shape[1:], sides, strict=False)
        )
    )
    windows = [
        (slice(None), *(slice(a, a + side) for a, side in zip(start, sides, strict=True)))
        for start in starts
    ]
    return np.stack([padded[window].reshape(len(images), -1) for window in windows], axis=1)


def masks_of(X, gates, skip=False):
    """The distinct patterns of gates as columns of 0 and 1, and one of ones for a skip."""
    masks = np.unique(X @ gates.T >= 0.0, axis=1).astype(float)
    return np.column_stack([masks, np.ones(len(X))]) if skip else masks


def max_winners(patches, directions):
    """The patch of each image with the largest product, or -1 below 0, shape (k, n)."""
    products = np.einsum("nkh,mh->mnk", patches, directions)
    return np.where(products.max(axis=2) > 0.0, products.argmax(axis=2), -1)


# ------------------------------------------------------------------ optima


def in_cvxpy(cp, loss, prediction, y, weights=1.0):
    """A loss, with weights of the rows, as an expression of cvxpy."""
    rows = {
        "squared": lambda: 0.5 * cp.square(prediction - y),
        "huber": lambda: 0.5 * cp.huber(prediction - y),
        "logistic": lambda: cp.logistic(-cp.multiply(y, prediction)),
        "squared_hinge": lambda: 0.5 * cp.square(cp.pos(1.0 - cp.multiply(y, prediction))),
        "poisson": lambda: cp.exp(prediction) - cp.multiply(y, prediction) + xlogy(y, y) - y,
        "gamma": lambda: cp.multiply(y, cp.exp(-prediction)) + prediction - np.log(y) - 1.0,
        "absolute": lambda: cp.abs(prediction - y),
        "quantile": lambda: level * cp.pos(y - prediction) + (1.0 - level) * cp.pos(prediction - y),
        "hinge": lambda: cp.pos(1.0 - cp.multiply(y, prediction)),
    }
    level = getattr(loss, "level", 0.5)
    return cp.sum(cp.multiply(weights, rows[loss if isinstance(loss, str) else "quantile"]()))


def search(objective, size, starts=15, *, jac=False):
    """The lowest objective that L-BFGS reaches from random starts, perhaps with gradients."""
    rng = np.random.default_rng(1)
    return min(
        float(minimize(objective, 0.7 * rng.standard_normal(size), jac=jac, method="L-BFGS-B").fun)
        for _ in range(starts)
    )


@dataclass(frozen=True)
class Activations:
    """``f = sum_j a_j pool_k phi(x_k'u_j) + S w`` on patches of shape (n, K, h).

    The activation has a slope below zero, or fixed masks of shape (n, G) in its place. It is
    linear in each of its cells. An average is a sum over patches that are K times smaller.
    """

    patches: FloatArray
    slope: float = 0.0
    takes_max: bool = False
    masks: FloatArray | None = None
    linear: FloatArray | None = None
    is_free: bool = False
    # Whether a number without a price is added.
    has_constant: bool = False
    # The cells of the program if not all of them, shape (C, n K).
    patterns: NDArray[np.bool_] | None = None

    @property
    def cells(self):
        """For each cell predictions, shape (n, h), and its inequalities, shape (r, h)."""
        n, n_patches, h = self.patches.shape
        rows = self.patches.reshape(-1, h)
        if self.masks is not None:
            return [(mask[:, None] * rows, np.zeros((0, h))) for mask in self.masks.T]
        if self.takes_max:
            directions = np.random.default_rng(0).standard_normal((60_000, h))
            winners = np.unique(max_winners(self.patches, directions), axis=0)
            return [self._cell_of_winners(winner) for winner in winners]
        masks = brute_force_cells(rows)[0] if self.patterns is None else self.patterns
        scales = np.where(masks, 1.0, self.slope).reshape(-1, n, n_patches)
        signs = np.where(masks, 1.0, -1.0)[..., None]
        pooled = np.einsum("cnk,nkh->cnh", scales, self.patches)
        return list(zip(pooled, signs * rows, strict=True))

    def _cell_of_winners(self, winner):
        chosen = self.patches[np.arange(len(winner)), winner]
        won = np.where((winner >= 0)[:, None], chosen, 0.0)
        above = np.concatenate([won[:, None] - self.patches, won[:, None]], axis=1)
        return won, above.reshape(-1, won.shape[1])

    def optimum(self, cp, loss, y, beta, weights=1.0, *, intercept=False, accuracy=1e-9):
        """Of the program on all cells, by Clarabel; with or without a free intercept."""
        options = {"intercept": intercept, "accuracy": accuracy}
        return self.solved(cp, loss, y, beta, weights, **options)[0]

    def solved(self, cp, loss, y, beta, weights=1.0, *, intercept=False, accuracy=1e-9):
        """The same, and the predictions there."""
        columns, inequalities = zip(*self.cells, strict=True)
        size = (len(columns), self.patches.shape[2])
        parts = cp.Variable(size), cp.Variable(size)
        penalty, constraints = self._priced(cp, parts)
        flat = [cp.vec(part, order="C") for part in parts]
        prediction = np.concatenate(columns, axis=1) @ (flat[0] - flat[1])
        cones = block_diag([csr_array(each) for each in inequalities], format="csr")
        if self.linear is not None:
            w = cp.Variable(self.linear.shape[1])
            prediction = prediction + self.linear @ w
            penalty = penalty + (0.0 if self.is_free else cp.norm(w))
        if intercept or self.has_constant:
            prediction = prediction + cp.Variable()
        objective = in_cvxpy(cp, loss, prediction, y, weights) + beta * penalty
        constraints += [cones @ part >= 0.0 for part in flat] if cones.shape[0] else []
        program = cp.Problem(cp.Minimize(objective), constraints)
        goals = {"tol_gap_rel": accuracy, "tol_gap_abs": accuracy}
        return float(program.solve(solver="CLARABEL", **goals)), prediction.value

    def _priced(self, cp, parts):
        """The penalty of the parts of either sign, and what else is asked of them."""
        return sum(cp.sum(cp.norm(part, axis=1)) for part in parts), []

    def lowest(self, loss, y, beta, m=5):
        """What :func:`search` finds on the weights of m neurons, or of one for each mask."""
        h, chosen = self.patches.shape[2], as_loss(loss)
        m = m if self.masks is None else self.masks.shape[1]
        # A linear part is a linear neuron, without a penalty where it is free.
        S = np.zeros((len(y), 0)) if self.linear is None else self.linear
        d = S.shape[1]
        penalised = np.ones(m * (h + 1) + d + 1)
        penalised[m * (h + 1) :] = not self.is_free

        def objective(weights):
            U, a, u, c = np.split(weights, np.cumsum([m * h, m, d]))
            U = U.reshape(m, h)
            products = self.patches @ U.T
            scales = self._scales(products)
            pooled = (scales * products).sum(axis=1)
            prediction = pooled @ a + c * (S @ u)
            value = chosen.value(prediction, y) + 0.5 * beta * float(penalised @ weights**2)
            pulled = chosen.gradient(prediction, y)
            through = scales * pulled[:, None, None] * a
            slopes = np.einsum("nkm,nkh->mh", through, self.patches).ravel()
            of_linear = c * (S.T @ pulled), pulled @ (S @ u)[:, None]
            slope = np.concatenate([slopes, pooled.T @ pulled, *of_linear])
            return value, slope + beta * penalised * weights

        return search(objective, len(penalised), jac=True)

    def _scales(self, products):
        if self.masks is not None:
            return self.masks[:, None]
        if self.takes_max:
            places = np.arange(products.shape[1])[:, None]
            return (places == products.argmax(axis=1)[:, None]) & (products > 0.0)
        return np.where(products > 0.0, 1.0, self.slope)


@dataclass(frozen=True)
class Grouped(Activations):
    """Neurons on rows, shape (n, 1, d), that see one group of columns each."""

    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def cells(self):
        rows, found = self.patches[:, 0], []
        for group in self.groups:
            inside = Activations(self.patches[:, :, list(group)]).cells
            for columns, inequalities in inside:
                whole = [np.zeros(rows.shape) for _ in range(2)]
                whole[0][:, list(group)], whole[1][:, list(group)] = columns, inequalities
                found.append(tuple(whole))
        return found

    def lowest(self, loss, y, beta, m=6):
        """What :func:`search` finds on the weights of m neurons, all groups in turn."""
        rows, chosen = self.patches[:, 0], as_loss(loss)
        masks = np.zeros((m, rows.shape[1]))
        for j, mask in enumerate(masks):
            mask[list(self.groups[j % len(self.groups)])] = 1.0

        def objective(weights):
            U, a = weights[:-m].reshape(m, -1) * masks, weights[-m:]
            active = np.maximum(rows @ U.T, 0.0)
            prediction = active @ a
            pulled = chosen.gradient(prediction, y)
            slopes = (((active > 0.0) * pulled[:, None] * a).T @ rows) * masks
            value = chosen.value(prediction, y) + 0.5 * beta * float(np.vdot(U, U) + a @ a)
            slope = np.concatenate([(slopes + beta * U).ravel(), active.T @ pulled + beta * a])
            return value, slope

        return search(objective, masks.size + m, jac=True)


@dataclass(frozen=True)
class Constrained(Grouped):
    """Those in cones, of some signs, or with a share of a 1-norm."""

    monotone: tuple[int, ...] = ()
    signs: tuple[int, ...] = (1, -1)
    l1_ratio: float = 0.0

    @classmethod
    def of(cls, X, model):
        """What networks of ``ReLU(...)`` are on X; a last column of ones is none by itself."""
        d = X.shape[1]
        has_ones = bool((X[:, -1] == 1.0).all())
        ones = (d - 1,) if has_ones else ()
        match model.features:
            case None:
                groups = (tuple(range(d)),)
            case int() as size:
                own = itertools.combinations(range(d - len(ones)), size)
                groups = tuple((*group, *ones) for group in own)
            case given:
                groups = tuple(tuple(sorted({*group, *ones})) for group in given)
        monotone = (*(model.monotonic_cst or ()), *(0,) * d)[:d]
        signs = {None: (1, -1), "convex": (1,), "concave": (-1,)}[model.shape]
        return cls(
            X[:, None], groups=groups, monotone=monotone, signs=signs, l1_ratio=model.l1_ratio
        )

    def _priced(self, cp, parts):
        penalty, constraints, r = 0.0, [], self.l1_ratio
        for sign, part in zip((1, -1), parts, strict=True):
            norms = (1.0 - r) * cp.norm(part, axis=1) + r * cp.norm(part, 1, axis=1)
            penalty = penalty + cp.sum(norms)
            constraints += [sign * m * part[:, j] >= 0.0 for j, m in enumerate(self.monotone) if m]
            if sign not in self.signs:
                constraints.append(part == 0.0)
        return penalty, constraints

    def lowest(self, loss, y, beta, m=6):
        """What :func:`search` finds: squares of weights where these have a sign."""
        rows, chosen = self.patches[:, 0], as_loss(loss)
        d = rows.shape[1]
        heads = np.array([self.signs[j % len(self.signs)] for j in range(m)], dtype=float)
        masks = np.zeros((m, d))
        for j, mask in enumerate(masks):
            mask[list(self.groups[j // len(self.signs) % len(self.groups)])] = 1.0
        slopes = heads[:, None] * np.array(self.monotone)

        def objective(weights):
            free = weights.reshape(m, d) * masks
            U = np.where(slopes == 0.0, free, slopes * free**2)
            active = np.maximum(rows @ U.T, 0.0)
            prediction, pulled = active @ heads, None
            pulled = chosen.gradient(prediction, y)
            norms = np.sqrt((U * U).sum(axis=1) + 1e-300)
            price = (1.0 - self.l1_ratio) * norms + self.l1_ratio * np.abs(U).sum(axis=1)
            value = chosen.value(prediction, y) + beta * float(price.sum())
            towards = ((active > 0.0) * pulled[:, None] * heads).T @ rows
            towards = towards + beta * (1.0 - self.l1_ratio) * U / norms[:, None]
            towards = (towards + beta * self.l1_ratio * np.sign(U)) * masks
            chain = np.where(slopes == 0.0, 1.0, 2.0 * slopes * free)
            return value, (towards * chain).ravel()

        return search(objective, m * d, jac=True)
