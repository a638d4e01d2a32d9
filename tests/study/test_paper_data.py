"""The data of the study against what the paper prints and what can be computed by hand."""

import pickle
import sys
import tarfile

import numpy as np
import pytest
from problems import PROBLEMS
from sentences import refused

import cvxnn
from cvxnn.errors import InputError
from cvxnn.study import paper_data
from cvxnn.study.outcomes import DATA_SEED
from cvxnn.study.paper_data import DataUnavailable

REFERENCE = {problem.name: problem for problem in PROBLEMS}


def test_five_points_are_those_of_the_paper_and_of_its_seed():
    data = paper_data.five_points()
    assert data.X[:, 0].tolist() == [-1, -5, 2, 0, 3] and data.y.tolist() == [1, -1, 1, -1, 1]
    drawn = paper_data.line(5, DATA_SEED)
    assert np.array_equal(drawn.X, data.X) and np.array_equal(drawn.y, data.y)


@pytest.mark.parametrize("n", [50, 100])
def test_line_is_the_reference_problem(n):
    data, reference = paper_data.line(n), REFERENCE[f"d1_n{n}"]
    assert np.array_equal(data.X, reference.X) and np.array_equal(data.y, reference.y)
    assert (data.n, data.d) == (n, 1)


def test_line_has_distinct_integers_and_other_seeds_other_data():
    data, other = paper_data.line(20, 1), paper_data.line(20, 2)
    assert len(set(data.X[:, 0])) == 20 and set(data.X[:, 0]) <= set(range(-20, 20))
    assert set(data.y) == {-1.0, 1.0} and not np.array_equal(data.X, other.X)


def test_ring_follows_its_description_for_any_seed():
    assert np.array_equal(paper_data.ring().X, cvxnn.load_ring()[0])
    assert np.array_equal(paper_data.ring().y, cvxnn.load_ring()[1])
    data = paper_data.ring(7)
    radius = np.hypot(data.X[:, 0], data.X[:, 1])
    assert np.array_equal(data.y > 0, (radius > 1.5) & (radius <= 5))
    assert np.array_equal(data.X[:, 2], np.ones(50))


def test_luminance_weights_the_channels_of_an_image_in_this_order():
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        image = np.zeros((1, 3, 32, 32))
        image[:, channel] = 1.0
        values = paper_data.small_luminance(image.reshape(1, -1))
        np.testing.assert_allclose(values, weight, rtol=1e-12)


def test_luminance_averages_areas_row_by_row():
    image = np.zeros((32, 32))
    image[3, 7] = 1.0  # row 3 is shared by the squares 0 and 1, column 7 lies in square 2
    values = paper_data.small_luminance(np.tile(image.ravel(), 3)[np.newaxis]).reshape(10, 10)
    expected = np.zeros((10, 10))
    expected[0, 2], expected[1, 2] = 0.2 / 3.2**2, 0.8 / 3.2**2
    np.testing.assert_allclose(values, expected, atol=1e-15)


def test_luminance_keeps_the_mean():
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3072))
    grey = np.einsum("ncp,c->np", images.reshape(4, 3, 1024), [0.299, 0.587, 0.114])
    values = paper_data.small_luminance(images)
    np.testing.assert_allclose(values.mean(axis=1), grey.mean(axis=1), rtol=1e-12)


def test_images_are_read_from_a_file(images):
    data = paper_data.cifar(images)
    assert data.X.shape == (12, 101) and data.X_test.shape == (8, 101)
    assert data.y.tolist() == [-1, 1] * 6 and data.y_test.tolist() == [-1, 1] * 4
    assert (data.X[:, -1] == 1).all()
    assert (data.X[data.y > 0, :100].mean(axis=1) > data.X[data.y < 0, :100].mean(axis=1)).all()
    assert images.name in data.source


def write(path, **changes):
    arrays = {
        "train_data": np.zeros((2, 3072)), "train_label": np.array([[-1], [1]]),
        "test_data": np.zeros((1, 3072)), "test_label": np.array([[1]]),
    } | changes  # fmt: skip
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_label": None}, "no .npz file with the arrays"),
        ({"train_data": np.array(["text"] * 2)}, "no .npz file with the arrays"),
        ({"train_data": np.zeros((2, 3071))}, r"shape \(n, 3072\)"),
        ({"train_label": np.zeros((3, 1))}, "one label for each"),
        ({"train_label": np.array([[0], [1]])}, "labels are -1 and 1"),
        ({"train_data": np.full((2, 3072), 255.0)}, "values from -1 to 1"),
        ({"train_data": np.full((2, 3072), np.nan)}, "values from -1 to 1"),
    ],
)
def test_other_files_are_refused(tmp_path, changes, sentence):
    path = tmp_path / "images.npz"
    write(path, **changes)
    refused(lambda: paper_data.cifar(path), sentence)


def test_files_that_are_no_archive_are_refused(tmp_path):
    path = tmp_path / "images.npz"
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"text", b"PK\x03\x04 no archive", (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"no \.npz file"):
            paper_data.cifar(path)


@pytest.mark.parametrize(
    ("signature", "place", "byte"),
    [(b"PK\x01\x02", 6, 200), (b"PK\x01\x02", 10, 99), (b"PK\x03\x04", 80, 0xFF)],
)
def test_damaged_archives_are_refused(tmp_path, signature, place, byte):
    """A version of zip and a compression that do not exist, and a stream that is none."""
    path = tmp_path / "images.npz"
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3072))
    labels = np.array([[-1], [1]])
    np.savez_compressed(
        path, train_data=images, train_label=labels, test_data=images, test_label=labels
    )
    content = bytearray(path.read_bytes())
    content[content.index(signature) + place] = byte
    path.write_bytes(content)
    refused(lambda: paper_data.cifar(path), r"no \.npz file")


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        paper_data.cifar(tmp_path / "missing.npz")


# ------------------------------------------------------------------ CIFAR-10 itself


def batch(path, name, rng):
    """A batch as CIFAR-10 has them, of 400 images with all ten labels."""
    labels = rng.integers(0, 10, 400)
    content = {b"labels": labels.tolist(), b"data": rng.integers(0, 256, (400, 3072), np.uint8)}
    (path / name).write_bytes(pickle.dumps(content))
    return content


@pytest.fixture
def archive(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    batches = [batch(folder, name, rng) for name in ("data_batch_1", "test_batch")]
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, folder.name)
    return path, batches


def test_the_first_airplanes_and_automobiles_are_used(archive, monkeypatch):
    path, (train, _) = archive
    monkeypatch.setattr(paper_data, "_fetch", lambda download: str(path))
    monkeypatch.setattr(paper_data, "_N_TRAIN", 12)
    monkeypatch.setattr(paper_data, "_N_TEST", 5)
    data = paper_data.cifar()
    assert (data.y == 1).sum() == (data.y == -1).sum() == 12
    assert (data.y_test == 1).sum() == (data.y_test == -1).sum() == 5
    first = next(i for i, label in enumerate(train[b"labels"]) if label in (0, 1))
    pixels = train[b"data"][first : first + 1] / 127.5 - 1.0
    np.testing.assert_allclose(data.X[:1, :100], paper_data.small_luminance(pixels))
    assert data.y[0] == (1.0 if train[b"labels"][first] == 1 else -1.0)


def test_without_pooch_the_data_are_unavailable(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataUnavailable, match="pip install"):
        paper_data.cifar()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionError("no route"), "could not be downloaded"),
        (ValueError("hash of downloaded file does not match"), "not the checksum of CIFAR-10"),
    ],
)
def test_a_download_that_fails_is_a_sentence(monkeypatch, tmp_path, error, sentence):
    pooch = pytest.importorskip("pooch")

    def retrieve(*arguments):
        raise error

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataUnavailable, match=sentence):
        paper_data.cifar()


def test_nothing_is_downloaded_where_it_shall_not_be(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    monkeypatch.setattr(pooch, "retrieve", pytest.fail)
    with pytest.raises(DataUnavailable, match="shall not be downloaded"):
        paper_data.cifar(download=False)
    # The file of a download that broke off.
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"half")
    with pytest.raises(DataUnavailable, match="shall not be downloaded"):
        paper_data.cifar(download=False)
