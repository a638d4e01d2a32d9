"""The data of section 4 of the seed paper, as far as it says what they are.

The paper prints the five points of its figure 3 and describes the rest, which it
drew at random. The descriptions are followed here, with a seed.
"""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.datasets import load_ring
from cvxnn.errors import InputError
from cvxnn.files import DAMAGE

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

# Labels of CIFAR-10, and how many images of each are used.
_AIRPLANE, _AUTOMOBILE = 0, 1
_N_TRAIN, _N_TEST = 60, 50
_PIXELS, _CELLS = 32, 10
# The luma of ITU-R BT.601: how bright red, green and blue look.
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_NPZ_KEYS = ("train_data", "train_label", "test_data", "test_label")


class DataUnavailable(RuntimeError):  # noqa: N818 - not an error of the study: it is skipped
    """The data of an experiment are not here and cannot be fetched; the message says why.

    Examples
    --------
    >>> import cvxnn.study
    >>> issubclass(cvxnn.study.DataUnavailable, RuntimeError)
    True
    """


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data of one experiment.

    Attributes
    ----------
    name : str
        As figures and tables call it, such as ``"line, n=50"``.
    X : ndarray, shape (n, d + 1)
        The features, and a column of ones, the bias.
    y : ndarray, shape (n,)
        Labels, -1.0 or 1.0.
    X_test, y_test : ndarray, optional
        More of the same, not trained on.
    source : str
        Where they come from, in a sentence.

    Examples
    --------
    >>> from cvxnn.study.paper_data import five_points
    >>> data = five_points()
    >>> data.X.shape, data.y.shape
    ((5, 2), (5,))
    """

    name: str
    X: FloatArray
    y: FloatArray
    X_test: FloatArray | None = None
    y_test: FloatArray | None = None
    source: str = ""

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.X)

    @property
    def d(self) -> int:
        """The number of features, without the column of ones."""
        return self.X.shape[1] - 1


def five_points() -> Dataset:
    """The data of figure 3, which the paper prints: n = 5, d = 1.

    Examples
    --------
    >>> five_points().X[:, 0]
    array([-1., -5.,  2.,  0.,  3.])
    """
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    source = "The data that the paper prints below its figure 3."
    return Dataset("5 points", _with_ones([[-1.0], [-5.0], [2.0], [0.0], [3.0]]), y, source=source)


def line(n: int, seed: int = 0) -> Dataset:
    """Distinct integers of ``[-n, n)`` with random labels: section 4.2, d = 1.

    Parameters
    ----------
    n : int
        Rows.
    seed : int
        Of ``numpy.random.RandomState``, whose stream does not change between
        versions of NumPy.

    Examples
    --------
    >>> data = line(50)
    >>> data.X[:3], data.y[:3]
    (array([[-24.,   1.],
           [ 36.,   1.],
           [-48.,   1.]]), array([-1., -1.,  1.]))
    """
    rng = np.random.RandomState(seed)
    x = rng.choice(np.arange(-n, n), size=(n, 1), replace=False)
    y = rng.choice([-1.0, 1.0], size=n)
    source = (
        f"{n} distinct integers from -{n} to {n - 1} with random labels, drawn with seed {seed}."
    )
    return Dataset(f"line, n={n}", _with_ones(x), y, source=source)


def ring(seed: int = 0) -> Dataset:
    """50 points of the plane, +1 between two circles: section 4.3, d = 2.

    Parameters
    ----------
    seed : int
        As in :func:`line`; 0 gives the data of :func:`cvxnn.load_ring`.

    Examples
    --------
    >>> import cvxnn
    >>> bool((ring().X == cvxnn.load_ring()[0]).all())
    True
    """
    if seed == 0:
        X, y = load_ring()
    else:
        X = _with_ones(5.0 * np.random.RandomState(seed).randn(50, 2))
        radius = np.linalg.norm(X[:, :2], axis=1)
        y = np.where((radius > 1.5) & (radius <= 5.0), 1.0, -1.0)
    source = (
        "50 points of the plane from a normal distribution, +1 where the distance from the origin "
        f"is above 1.5 and at most 5, drawn with seed {seed}."
    )
    return Dataset("ring", X, y, source=source)


def cifar(path: str | os.PathLike[str] | None = None, *, download: bool = True) -> Dataset:
    """Airplanes (-1) and automobiles (+1) of CIFAR-10 at 10 x 10 pixels: section 4.4.

    A feature is the mean luminance of a 3.2 x 3.2 pixel square of the image, in
    [-1, 1]; there are 100 of them and a column of ones.

    Parameters
    ----------
    path : str or path-like, optional
        An ``.npz`` file with ``train_data`` (n, 3072) and ``test_data`` (p, 3072)
        in [-1, 1], each row an image in the order channel, row, column, and
        ``train_label`` and ``test_label``, which are -1 and 1. If None, CIFAR-10
        is taken from the cache of pooch or downloaded (170 MB), and the first 60
        airplanes and 60 automobiles of its first training batch and the first
        50 and 50 of its test batch are used.
    download : bool
        False leaves it at the cache.

    Raises
    ------
    InputError
        If `path` is no such file.
    FileNotFoundError
        If there is no file at `path`.
    DataUnavailable
        If `path` is None, and CIFAR-10 is neither in the cache nor to be had.

    References
    ----------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if path is None:
        archive = _fetch(download)
        images, labels = _read_batch(archive, "cifar-10-batches-py/data_batch_1", _N_TRAIN)
        more, more_labels = _read_batch(archive, "cifar-10-batches-py/test_batch", _N_TEST)
        source = (
            "CIFAR-10: the first 60 airplanes and 60 automobiles of data_batch_1, and the first "
            "50 and 50 of test_batch"
        )
    else:
        images, labels, more, more_labels = _read_npz(path)
        source = f"{len(images)} images and {len(more)} test images of {Path(path).name}"
    return Dataset(
        "CIFAR-10",
        _with_ones(small_luminance(images)),
        labels,
        _with_ones(small_luminance(more)),
        more_labels,
        f"{source}: airplanes -1, automobiles +1, mean luminance of 10 x 10 squares.",
    )


def small_luminance(images: FloatArray) -> FloatArray:
    """The mean luminance of 10 x 10 squares of colour images of 32 x 32 pixels.

    Parameters
    ----------
    images : ndarray, shape (n, 3072)
        Each row an image in the order channel (red, green, blue), row, column.

    Returns
    -------
    ndarray, shape (n, 100)
        Row by row. A pixel on the border of squares counts in each with the
        share of its area that lies in it.

    Examples
    --------
    >>> np.ptp(small_luminance(np.full((1, 3072), 0.5))) < 1e-12
    np.True_
    """
    planes = images.reshape(-1, 3, _PIXELS, _PIXELS)
    grey = np.einsum("ncij,c->nij", planes, _LUMINANCE)
    averages = _area_averages(_PIXELS, _CELLS)
    return (averages @ grey @ averages.T).reshape(len(images), _CELLS**2)


def _area_averages(n_pixels: int, n_cells: int) -> FloatArray:
    """Matrix (n_cells, n_pixels) of means over cells whose borders may divide a pixel."""
    edges = np.linspace(0.0, n_pixels, n_cells + 1)
    pixels = np.arange(n_pixels)
    upper = np.minimum(edges[1:, np.newaxis], pixels + 1)
    lower = np.maximum(edges[:-1, np.newaxis], pixels)
    return np.maximum(upper - lower, 0.0) * (n_cells / n_pixels)


def _with_ones(features: Any) -> FloatArray:
    rows = np.asarray(features, dtype=np.float64)
    return np.column_stack([rows, np.ones(len(rows))])


def _read_npz(
    path: str | os.PathLike[str],
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    name = os.fspath(path)
    content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = [np.asarray(archive[key], dtype=np.float64) for key in _NPZ_KEYS]
    except DAMAGE as error:
        raise InputError(
            f"{name} is no .npz file with the arrays {', '.join(_NPZ_KEYS)}."
        ) from error
    for images, labels in (arrays[:2], arrays[2:]):
        _check_images(images, labels, name)
    return arrays[0], arrays[1].ravel(), arrays[2], arrays[3].ravel()


def _check_images(images: FloatArray, labels: FloatArray, name: str) -> None:
    if images.ndim != 2 or images.shape[1] != 3 * _PIXELS**2 or labels.size != len(images):
        raise InputError(
            f"{name} must hold images of shape (n, 3072) and one label for each, got shapes "
            f"{images.shape} and {labels.shape}."
        )
    if len(images) == 0 or not np.isin(labels, (-1.0, 1.0)).all():
        raise InputError(f"{name} must hold images whose labels are -1 and 1.")
    if not (np.abs(images) <= 1.0).all():
        raise InputError(f"{name} must hold images with values from -1 to 1.")


def _fetch(download: bool) -> str:
    """The path of the archive of CIFAR-10, downloaded if it is not in the cache."""
    try:
        import pooch
    except ImportError as error:
        raise DataUnavailable(
            "CIFAR-10 is downloaded with pooch; install it with: pip install 'cvxnn[study]'."
        ) from error
    folder, name = Path(pooch.os_cache("cvxnn")), CIFAR_URL.rpartition("/")[2]
    cached = folder / name
    # Of a file with another checksum pooch would download a new one.
    if not download and not (cached.is_file() and pooch.file_hash(cached) == CIFAR_SHA256):
        raise DataUnavailable("CIFAR-10 is not in the cache, and shall not be downloaded.")
    try:
        return str(pooch.retrieve(CIFAR_URL, f"sha256:{CIFAR_SHA256}", name, folder))
    # Errors of requests are an OSError, and so are those of a full disk.
    except OSError as error:
        raise DataUnavailable(
            f"CIFAR-10 could not be downloaded from {CIFAR_URL} to {folder}."
        ) from error
    except ValueError as error:
        raise DataUnavailable(f"What {CIFAR_URL} sent has not the checksum of CIFAR-10.") from error


def _read_batch(archive: str, member: str, count: int) -> tuple[FloatArray, FloatArray]:
    """The first `count` airplanes and automobiles of a batch, in its order, in [-1, 1]."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(member)
        if file is None:
            raise DataUnavailable(f"{archive} has no file {member}.")
        # The checksum says that these are the bytes which the authors pickled.
        batch = pickle.load(file, encoding="bytes")
    labels = np.asarray(batch[b"labels"])
    chosen = np.concatenate(
        [np.flatnonzero(labels == label)[:count] for label in (_AIRPLANE, _AUTOMOBILE)]
    )
    chosen.sort()
    images = np.asarray(batch[b"data"], dtype=np.float64)[chosen] / 127.5 - 1.0
    return images, np.where(labels[chosen] == _AUTOMOBILE, 1.0, -1.0)
