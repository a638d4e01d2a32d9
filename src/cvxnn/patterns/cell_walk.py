"""Kernels that walk all cells of a central arrangement (numba)."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import Array
from cvxnn.kernels import kernel
from cvxnn.patterns.cone_kernels import dot


@kernel(inner=True)
def _key(index: int) -> np.uint64:
    """A fixed pseudo-random 64-bit word for a row (splitmix64)."""
    z = np.uint64(index + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel(inner=True)
def _grow(table: Array, hashes: Array, count: int) -> Array:
    """A hash table of twice the size, with the first `count` cells in it."""
    bigger = np.full(2 * len(table), -1)
    mask = np.uint64(len(bigger) - 1)
    for cell in range(count):
        slot = hashes[cell] & mask
        while bigger[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        bigger[slot] = cell
    return bigger


@kernel(inner=True)
def _enlarge(rows: Array) -> Array:
    """The same rows in an array of twice the length."""
    out = np.zeros((2 * rows.shape[0], rows.shape[1]), dtype=rows.dtype)
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            out[i, j] = rows[i, j]
    return out


@kernel(inner=True)
def _find(table: Array, hashes: Array, cells: Array, word: Array, code: np.uint64) -> np.uint64:
    """The slot that holds `word`, or the free slot where it belongs."""
    mask = np.uint64(len(table) - 1)
    slot = code & mask
    while table[slot] >= 0:
        cell = table[slot]
        if hashes[cell] == code:
            same = True
            for w in range(cells.shape[1]):
                if cells[cell, w] != word[w]:
                    same = False
                    break
            if same:
                return slot
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel(inline="always")
def _restrict(rows: Array, labels: Array, chosen: int, out: Array) -> None:
    """Rows projected off the chosen one; rows of its class become zero."""
    p, r = rows.shape
    q = rows[chosen]
    square = dot(q, q)
    for j in range(p):
        share = dot(rows[j], q) / square
        for i in range(r):
            out[j, i] = 0.0 if labels[j] == chosen else rows[j, i] - share * q[i]


@kernel(inline="always")
def _classes(
    rows: Array, parent: Array, vanished: int, tol: float, labels: Array, signs: Array
) -> None:
    """Parallel classes of restricted rows: label (first row of the class) and sign.

    Rows of the class `vanished`, and rows that had vanished before, get -1.
    """
    p, r = rows.shape
    norms = np.empty(p)
    for j in range(p):
        labels[j], signs[j] = -1, 1.0
        norms[j] = np.sqrt(dot(rows[j], rows[j]))
    for j in range(p):
        if parent[j] < 0 or parent[j] == vanished:
            continue
        labels[j] = j
        for k in range(j):
            if labels[k] != k:
                continue
            sign = 1.0 if dot(rows[j], rows[k]) >= 0 else -1.0
            distance = 0.0
            for i in range(r):
                distance += (rows[j, i] / norms[j] - sign * rows[k, i] / norms[k]) ** 2
            if np.sqrt(distance) <= tol + 1e-14 / min(norms[j], norms[k]):
                labels[j] = k
                signs[j] = sign
                break


@kernel(inline="always")
def _plane(chosen: Array, r: int) -> Array:
    """Orthonormal basis (2, r) of the complement of the r - 2 chosen normals."""
    basis = np.zeros((r, r))
    depth = chosen.shape[0]
    for filled in range(r):
        v = basis[filled]
        if filled < depth:
            for i in range(r):
                v[i] = chosen[filled, i]
        else:
            # The unit vector that is farthest from what is spanned already.
            best, farthest = -1.0, 0
            for e in range(r):
                left = 1.0
                for b in range(filled):
                    left -= basis[b, e] ** 2
                if left > best:
                    best, farthest = left, e
            v[farthest] = 1.0
        for _ in range(2):
            for b in range(filled):
                share = dot(v, basis[b])
                for i in range(r):
                    v[i] -= share * basis[b, i]
        norm = np.sqrt(dot(v, v))
        for i in range(r):
            v[i] /= norm
    return basis[depth:]


@kernel(inline="always")
def _order(values: Array, count: int) -> Array:
    """The order of the first `count` values, by merging; that of numpy takes long to compile."""
    order, other, width = np.arange(count), np.empty(count, dtype=np.int64), 1
    while width < count:
        for begin in range(0, count, 2 * width):
            middle = min(begin + width, count)
            end = min(middle + width, count)
            i, j = begin, middle
            for k in range(begin, end):
                if i < middle and (j == end or values[order[i]] <= values[order[j]]):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    return order


@kernel(inline="always")
def _lines_of_plane(
    rows: Array, labels: Array, plane: Array, tol: float
) -> tuple[Array, Array, Array]:
    """Where rows vanish on the circle of a plane: rows sorted by angle, angles, group starts.

    Angles lie in an interval of length pi that starts after the widest gap, so
    that a group of equal lines is never cut in two.
    """
    p = rows.shape[0]
    angles, slack, index = np.empty(p), np.empty(p), np.empty(p, dtype=np.int64)
    m = 0
    for j in range(p):
        if labels[j] < 0:
            continue
        a = dot(rows[j], plane[0])
        b = dot(rows[j], plane[1])
        angle = np.arctan2(-a, b)
        if angle < 0:
            angle += np.pi
        if angle >= np.pi:
            angle -= np.pi
        angles[m] = angle
        slack[m] = tol + 1e-14 / np.sqrt(a * a + b * b)
        index[m] = j
        m += 1
    order = _order(angles, m)
    widest, cut = -1.0, 0
    for i in range(m):
        before = angles[order[i - 1]] - (np.pi if i == 0 else 0.0)
        if angles[order[i]] - before > widest:
            widest, cut = angles[order[i]] - before, i
    line_rows, line_angles = np.empty(m, dtype=np.int64), np.empty(m)
    starts = np.empty(m + 1, dtype=np.int64)
    groups, previous = 0, 0.0
    for i in range(m):
        k = order[(cut + i) % m]
        line_rows[i] = index[k]
        line_angles[i] = angles[k] + (np.pi if cut + i >= m else 0.0)
        if i == 0 or line_angles[i] - line_angles[i - 1] > max(slack[k], previous):
            starts[groups] = i
            groups += 1
        previous = slack[k]
    starts[groups] = m
    return line_rows, line_angles, starts[: groups + 1]


@kernel
def walk_flats(
    coordinates: Array, first: int, tol: float, table: Array, hashes: Array, cells: Array,
    centres: Array, count: int,
) -> tuple[Array, Array, Array, Array, int]:  # fmt: skip
    """Insert every cell that touches hyperplane `first` (all cells when r = 2).

    Goes down through restrictions ``H_k1``, ``H_k1 & H_k2``, ... to planes. In a
    plane the lines are sorted by angle; each arc between two lines, with every
    choice of sides for the hyperplanes that contain the plane, is a face of one
    cell. A flat in general position is visited once, for increasing rows; one
    where more hyperplanes meet is visited from each of them, because each sees
    only the cells at its own side.
    """
    p, r = coordinates.shape
    depth = r - 2
    rows_at, normals = np.empty((depth + 1, p, r)), np.zeros((depth, r))
    labels_at, signs_at = np.full((depth + 1, p), -1), np.ones((depth + 1, p))
    chosen, simple = np.full(depth + 1, -1), np.ones(depth + 1, dtype=np.bool_)
    # Entry by entry, here and below: an assignment of arrays takes long to compile.
    for j in range(p):
        labels_at[0, j] = j
        for i in range(r):
            rows_at[0, j, i] = coordinates[j, i]
    level = 0
    while level >= 0:
        if level == depth:
            plane = _plane(normals, r)
            line_rows, angles, starts = _lines_of_plane(coordinates, labels_at[level], plane, tol)
            table, hashes, cells, centres, count = _insert_arcs(
                coordinates, plane, line_rows, angles, starts,
                labels_at, signs_at, chosen, depth,
                table, hashes, cells, centres, count,
            )  # fmt: skip
            level -= 1
            continue
        # Next class of this level that a sorted walk does not skip.
        k = chosen[level] + 1
        if level == 0:
            k = first if chosen[0] < 0 else p
        found = False
        while k < p and not found:
            if labels_at[level, k] == k:
                members = 0
                for j in range(p):
                    if labels_at[level, j] == k:
                        members += 1
                prefix = True if level == 0 else simple[level - 1]
                single = prefix and members == 1
                if not (single and level > 0 and k < chosen[level - 1]):
                    simple[level] = single
                    found = True
                    break
            k += 1
        if not found:
            chosen[level] = -1
            level -= 1
            continue
        chosen[level] = k
        for i in range(r):
            normals[level, i] = rows_at[level, k, i]
        _restrict(rows_at[level], labels_at[level], k, rows_at[level + 1])
        if level + 1 < depth:
            _classes(
                rows_at[level + 1], labels_at[level], k, tol,
                labels_at[level + 1], signs_at[level + 1],
            )  # fmt: skip
        else:
            # The plane below groups its lines by angle; it only needs to know
            # which rows are left.
            for j in range(p):
                gone = labels_at[level, j] < 0 or labels_at[level, j] == k
                labels_at[level + 1, j] = -1 if gone else j
        chosen[level + 1] = -1
        level += 1
    return table, hashes, cells, centres, count


@kernel(inline="always")
def _insert_arcs(
    coordinates: Array, plane: Array, line_rows: Array, angles: Array, starts: Array,
    labels_at: Array, signs_at: Array, chosen: Array, depth: int,
    table: Array, hashes: Array, cells: Array, centres: Array, count: int,
) -> tuple[Array, Array, Array, Array, int]:  # fmt: skip
    """Insert the cells around one plane: both halves of each arc, all sides of the flat."""
    p, r = coordinates.shape
    words = cells.shape[1]
    groups = len(starts) - 1
    centre = np.empty(r)
    word, every = np.zeros(words, dtype=np.uint64), np.zeros(words, dtype=np.uint64)
    code = every_code = np.uint64(0)
    for j in range(p):
        every[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        every_code ^= _key(j)
    for g in range(groups):
        left = angles[starts[g + 1] - 1]
        right = angles[starts[g + 1]] if g + 1 < groups else angles[0] + np.pi
        middle = 0.5 * (left + right)
        for i in range(r):
            centre[i] = np.cos(middle) * plane[0, i] + np.sin(middle) * plane[1, i]
        if g == 0:
            for i in range(len(line_rows)):
                j = line_rows[i]
                if dot(coordinates[j], centre) > 0:
                    word[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
                    code ^= _key(j)
        else:
            for i in range(starts[g], starts[g + 1]):
                j = line_rows[i]
                word[j >> 6] ^= np.uint64(1) << np.uint64(j & 63)
                code ^= _key(j)
        for sides in range(1 << depth):
            for level in range(depth):
                for j in range(p):
                    if labels_at[level, j] == chosen[level]:
                        on_j = (signs_at[level, j] > 0) == (((sides >> level) & 1) == 1)
                        bit = np.uint64(1) << np.uint64(j & 63)
                        if ((word[j >> 6] & bit) != 0) != on_j:
                            word[j >> 6] ^= bit
                            code ^= _key(j)
            for half in range(2):
                if 4 * (count + 1) > 3 * len(table):
                    table = _grow(table, hashes, count)
                if count == len(cells):
                    cells = _enlarge(cells)
                    centres = _enlarge(centres)
                    longer = np.zeros(2 * count, dtype=np.uint64)
                    for known in range(count):
                        longer[known] = hashes[known]
                    hashes = longer
                slot = _find(table, hashes, cells, word, code)
                if table[slot] < 0:
                    table[slot] = count
                    hashes[count] = code
                    for w in range(words):
                        cells[count, w] = word[w]
                    count += 1
                cell = table[slot]
                for i in range(r):
                    centres[cell, i] += centre[i] if half == 0 else -centre[i]
                # The opposite cell: all signs change (twice, so back again).
                for w in range(words):
                    word[w] ^= every[w]
                code ^= every_code
    return table, hashes, cells, centres, count


@kernel
def index_cells(words: Array, p: int) -> tuple[Array, Array]:
    """Hash table over distinct cells (rows of `words`), and their hashes."""
    m = words.shape[0]
    hashes = np.zeros(m, dtype=np.uint64)
    for cell in range(m):
        code = np.uint64(0)
        for j in range(p):
            if (words[cell, j >> 6] >> np.uint64(j & 63)) & np.uint64(1):
                code ^= _key(j)
        hashes[cell] = code
    size = 64
    while 3 * size < 4 * (m + 1):
        size *= 2
    return _grow(np.full(size, -1), hashes, m), hashes


@kernel
def flippable_rows(
    words: Array, p: int, table: Array, hashes: Array, begin: int, end: int
) -> tuple[Array, Array]:
    """For some cells the rows whose flip gives another cell of the set, and that cell.

    Parameters
    ----------
    words : ndarray of uint64, shape (M, ceil(p / 64))
        Distinct sign vectors as bits.
    p : int
        Number of hyperplanes.
    table, hashes : ndarray
        From :func:`index_cells`.
    begin, end : int
        The cells to look at.

    Returns
    -------
    counts : ndarray of int64, shape (end - begin,)
        Flippable rows of each cell.
    found : ndarray of int64, shape (counts.sum(), 2)
        Row and neighbouring cell, cell after cell.
    """
    counts = np.zeros(end - begin, dtype=np.int64)
    found = np.empty((max(16, 8 * (end - begin)), 2), dtype=np.int64)
    total = 0
    word = np.zeros(words.shape[1], dtype=np.uint64)
    for cell in range(begin, end):
        for w in range(words.shape[1]):
            word[w] = words[cell, w]
        before = total
        for j in range(p):
            bit = np.uint64(1) << np.uint64(j & 63)
            word[j >> 6] ^= bit
            slot = _find(table, hashes, words, word, hashes[cell] ^ _key(j))
            word[j >> 6] ^= bit
            if table[slot] >= 0:
                if total == len(found):
                    found = _enlarge(found)
                found[total, 0] = j
                found[total, 1] = table[slot]
                total += 1
        counts[cell - begin] = total - before
    return counts, found[:total]
