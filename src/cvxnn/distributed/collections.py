"""Dask collections as arguments: told by their type, and cut where segments end."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias, final

import numpy as np

from cvxnn.backends.namespaces import is_dask
from cvxnn.distributed.blocks import RawBlock
from cvxnn.distributed.cluster import Cluster, Future
from cvxnn.errors import InputError
from cvxnn.losses import Loss
from cvxnn.solvers.segments.segment import LENGTH

# An array or a data frame of dask, which has no static types.
Collection: TypeAlias = Any
# Bytes of the rows of a block, about: a larger chunk is cut, so that all workers have some. Of very
# many rows blocks are larger: each is a task of every round, and the scheduler does some hundred of
# them in a second.
_BLOCK, _MOST_BLOCKS = 1 << 25, 512


@final
@dataclass(frozen=True)
class Pieces:
    """Rows, targets and weights in blocks that end where segments do.

    Attributes
    ----------
    X, y : list of dask.delayed.Delayed
        Of each block.
    weights : list of dask.delayed.Delayed or None
    starts : list of int
        The first row of each block, and at last the number of rows.
    n_features : int
    """

    X: list[Any]
    y: list[Any]
    weights: list[Any] | None
    starts: list[int]
    n_features: int

    def read(self, workers: Cluster, loss: Loss) -> list[Future]:
        """A :class:`~cvxnn.distributed.blocks.RawBlock` of each block, on the workers."""
        from dask import delayed

        read = delayed(RawBlock.read, pure=False)
        weights = [None] * len(self.X) if self.weights is None else self.weights
        parts = zip(self.X, self.y, weights, self.starts[:-1], strict=True)
        return workers.computed([read(*part, loss) for part in parts])

    @classmethod
    def of(cls, X: Collection, y: Collection, sample_weight: Collection | None) -> Pieces:
        """The blocks of arguments of :func:`cvxnn.solve`; nothing but lengths is computed.

        Raises
        ------
        InputError
            If they are no rows of numbers, or not equally many; ImportError without dask.
        """
        rows = as_dask_array(X, "X")
        if rows.ndim != 2 or 0 in rows.shape:
            raise InputError(
                "X must have at least one row and one column, of shape (n, d), "
                f"got shape {rows.shape}."
            )
        n, d = rows.shape
        targets = beside_rows(y, "y", n)
        if targets.ndim not in (1, 2) or 0 in targets.shape:
            raise InputError(
                f"y must be of shape ({n},), or ({n}, c) for c outputs, got shape {targets.shape}."
            )
        weights = None if sample_weight is None else beside_rows(sample_weight, "sample_weight", n)
        if weights is not None and weights.ndim != 1:
            raise InputError(
                f"sample_weight must have shape ({n},), one for each row of X, got {weights.shape}."
            )
        ends = block_ends(rows.chunks[0], d)
        return cls(
            _cut(rows, ends), _cut(targets, ends),
            None if weights is None else _cut(weights, ends), [0, *ends], d,
        )  # fmt: skip


def require_dask() -> None:
    """ImportError, with what to install, without the packages that this takes."""
    if find_spec("dask") is None or find_spec("distributed") is None:
        raise ImportError("Rows in dask need dask and distributed: pip install 'cvxnn[dask]'.")


def block_ends(chunks: tuple[int, ...], n_features: int) -> list[int]:
    """Where blocks end: next to the ends of chunks, at whole segments, and none is large.

    So only rows at the ends of chunks move. Blocks are no more than chunks and some hundred.

    Examples
    --------
    >>> block_ends((5000, 5000, 100), 10)
    [4096, 8192, 10100]
    """
    n = sum(chunks)
    near = {round(end / LENGTH) * LENGTH for end in np.cumsum(chunks).tolist()}
    ends = [*sorted(end for end in near if 0 < end < n), n]
    most = max(_BLOCK // (8 * n_features * LENGTH), -(-n // (_MOST_BLOCKS * LENGTH)), 1) * LENGTH
    found, start = list[int](), 0
    for end in ends:
        found += [*range(start + most, end, most), end]
        start = end
    return found


def as_dask_array(value: Collection, name: str, *, of_numbers: bool = True) -> Any:
    """A dask array of known chunks, of real numbers unless they may be labels of any kind."""
    require_dask()
    import dask.array as da
    from dask.delayed import Delayed

    if isinstance(value, Delayed):
        raise InputError(
            f"{name} is delayed, of a shape that nobody knows: take dask.array.from_delayed."
        )
    if not is_dask(value):
        value = da.from_array(np.asarray(value), chunks=-1)
    if hasattr(value, "to_dask_array"):
        if of_numbers:
            _check_columns(value, name)
            value = _without_extensions(value)
        with warnings.catch_warnings():
            # Labels may be text, which becomes an array of objects.
            warnings.filterwarnings("ignore", message="Dask currently has limited support")
            # Lengths are counted below: partitions of files may be joined on the way.
            value = value.to_dask_array()
    if not isinstance(value, da.Array):
        raise InputError(
            f"{name} must be an array or a data frame of dask, got a {type(value).__name__}."
        )
    if hasattr(value._meta, "toarray"):
        raise InputError(
            f"{name} must be dense, got sparse chunks; convert them with "
            f"{name}.map_blocks(lambda chunk: chunk.toarray())."
        )
    if of_numbers and np.dtype(value.dtype).kind not in "biuf":
        raise InputError(f"{name} must be real numbers, got an array of {value.dtype}.")
    if any(np.isnan(size) for size in value.shape):
        # Lengths are found on a copy: the user's array stays as it is.
        value = da.Array(value.dask, value.name, value.chunks, value.dtype, value._meta)
        value = value.compute_chunk_sizes()
    return value


def beside_rows(value: Collection, name: str, n: int, *, of_numbers: bool = True) -> Any:
    """An array with an entry or a row for each of n rows of X."""
    array = as_dask_array(value, name, of_numbers=of_numbers)
    if array.ndim == 0:
        raise InputError(f"{name} must have shape ({n},), one for each row of X, got ().")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape[0] != n:
        raise InputError(f"{name} has {array.shape[0]} entries but X has {n} rows.")
    return array


def _check_columns(frame: Any, name: str) -> None:
    """InputError if a column of a data frame is none of real numbers; says which."""
    dtypes = dict(frame.dtypes) if hasattr(frame.dtypes, "items") else {name: frame.dtypes}
    for column, dtype in dtypes.items():
        if getattr(dtype, "kind", "O") not in "biuf":
            raise InputError(
                f"{name} must have columns of numbers, got {column!r} of type {dtype}; "
                "encode it as numbers before."
            )


def _without_extensions(frame: Any) -> Any:
    """A frame or series whose nullable numbers are floats; what is missing is NaN."""
    if not hasattr(frame.dtypes, "items"):
        return frame if isinstance(frame.dtypes, np.dtype) else frame.astype("float64")
    dtypes = dict(frame.dtypes)
    nullable = [column for column, dtype in dtypes.items() if not isinstance(dtype, np.dtype)]
    return frame.astype(dict.fromkeys(nullable, "float64")) if nullable else frame


def _cut(array: Any, ends: list[int]) -> list[Any]:
    """The blocks, each as one task."""
    starts = [0, *ends[:-1]]
    sizes = tuple(end - start for start, end in zip(starts, ends, strict=True))
    chunks = (sizes, *[-1] * (array.ndim - 1))
    return list(array.rechunk(dict(enumerate(chunks))).to_delayed().ravel())
