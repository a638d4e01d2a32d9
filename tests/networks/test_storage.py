"""Files of networks of every kind: what is saved comes back, and what is damaged is refused."""

import io
import json
import math
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks.cases import KINDS, each_case, each_kind
from variants import with_long

from cvxnn import load_network
from cvxnn.errors import InputError, ModelFileError
from cvxnn.networks import TwoLayerNetwork, storage

SUFFIXES = [".npz", ".safetensors"]
each_suffix = pytest.mark.parametrize("suffix", SUFFIXES)
each_of_few_kinds = with_long("case", KINDS, always=3, ids=lambda case: case.kind.__name__)


@pytest.fixture(autouse=True)
def _safetensors_where_needed(request):
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    if parameters.get("suffix") == ".safetensors":
        pytest.importorskip("safetensors")


def random_network():
    rng = np.random.default_rng(0)
    return TwoLayerNetwork(rng.standard_normal((3, 2)), rng.standard_normal(3))


@st.composite
def weights_and_metadata(draw):
    m, d = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    network = TwoLayerNetwork(
        draw(arrays(np.float64, (m, d), elements=finite)),
        draw(arrays(np.float64, m, elements=finite)),
        slope=draw(finite),
        skip_weights=draw(st.none() | arrays(np.float64, d, elements=finite)),
        skip_is_free=draw(st.booleans()),
    )
    leaves = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
    trees = st.recursive(
        leaves, lambda nodes: st.lists(nodes) | st.dictionaries(st.text(), nodes), max_leaves=6
    )
    return network, draw(st.dictionaries(st.text(), trees, max_size=3))


@each_suffix
@given(case=weights_and_metadata())
def test_file_returns_what_was_saved(suffix, case, tmp_path_factory):
    network, metadata = case
    path = tmp_path_factory.getbasetemp() / f"roundtrip{suffix}"
    network.save(path, metadata)
    restored, restored_metadata = TwoLayerNetwork.load_with_metadata(path)
    assert restored == network
    assert restored.hidden_weights.tobytes() == network.hidden_weights.tobytes()
    assert restored_metadata == metadata and load_network(path) == (network, metadata)


@each_kind
def test_a_file_of_another_kind_is_refused(case, tmp_path):
    path, name = tmp_path / "model.npz", type(case.network).__name__
    case.network.save(path)
    for kind in {other.kind for other in KINDS} - {case.kind}:
        says = f"model.npz holds a {name}, not a {kind.__name__}: {name}.load reads it"
        with pytest.raises(ModelFileError, match=says):
            kind.load(path)


def test_a_kind_that_is_not_known_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(npz_bytes(**forged({}, kind="MaxoutNetwork")))
    with pytest.raises(ModelFileError, match="holds a MaxoutNetwork, which this cvxnn does not"):
        load_network(path)


@each_suffix
def test_file_without_metadata_and_with_text_path(suffix, tmp_path):
    path = str(tmp_path / f"model{suffix.upper()}")
    random_network().save(path)
    assert TwoLayerNetwork.load_with_metadata(path) == (random_network(), {})
    assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_metadata_come_back_as_json_has_them(tmp_path):
    path = tmp_path / "model.npz"
    random_network().save(path, {"range": (1, 2), "bound": -math.inf, "by": {3: "c", "a": 1}})
    metadata = TwoLayerNetwork.load_with_metadata(path)[1]
    assert metadata == {"range": [1, 2], "bound": -math.inf, "by": {"3": "c", "a": 1}}


@each_case
def test_npz_is_readable_by_numpy_alone(case, tmp_path):
    path = tmp_path / "model.npz"
    case.network.save(path, {"beta": 0.5})
    with np.load(path, allow_pickle=False) as contents:
        assert set(contents) == {*case.arrays, "header"}
        for name, array in case.arrays.items():
            assert np.array_equal(contents[name], array)
        header = json.loads(contents["header"].item())
    assert header.pop("checksum")
    kind, settings = type(case.network).__name__, case.settings
    assert header == {"format": 2, "kind": kind, "settings": settings, "metadata": {"beta": 0.5}}


@each_case
def test_safetensors_is_readable_by_safetensors_alone(case, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = tmp_path / "model.safetensors"
    case.network.save(path, {"beta": 0.5})
    with safetensors.safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == set(case.arrays)
        for name, array in case.arrays.items():
            assert np.array_equal(file.get_tensor(name), array)
        assert json.loads(file.metadata()["header"])["metadata"] == {"beta": 0.5}


@pytest.mark.parametrize("name", ["model", "model.pkl", "model.npz.gz", ".npz"])
def test_other_suffixes_are_refused(name, tmp_path):
    for call in (random_network().save, TwoLayerNetwork.load, load_network):
        with pytest.raises(InputError, match=r"path must end in \.npz or \.safetensors"):
            call(tmp_path / name)
    assert os.listdir(tmp_path) == []


def circular():
    metadata = {}
    metadata["self"] = metadata
    return metadata


@pytest.mark.parametrize(
    "metadata", [[1, 2], "text", {"a": object()}, {"a": np.ones(2)}, {(1, 2): 3}, circular()]
)
def test_metadata_that_json_cannot_hold(metadata, tmp_path):
    with pytest.raises(InputError, match="metadata must be"):
        random_network().save(tmp_path / "model.npz", metadata)
    assert os.listdir(tmp_path) == []


@each_suffix
def test_missing_file_and_missing_folder(suffix, tmp_path):
    path = tmp_path / "nowhere" / f"model{suffix}"
    with pytest.raises(FileNotFoundError, match="no such model file") as caught:
        load_network(path)
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError, match="folder does not exist"):
        random_network().save(path)


def outcome(path, content, network=None):
    """ "equal" or "refused" for a changed file; any other exception is a failure."""
    path.write_bytes(content)
    try:
        restored, metadata = load_network(path)
    except ModelFileError as error:
        assert str(path) in str(error) and str(error).endswith(".")
        return "refused"
    assert (restored, metadata) == (network, {"note": "kept"})
    return "equal"


@pytest.fixture
def saved(suffix, case, tmp_path):
    path = tmp_path / f"model{suffix}"
    case.network.save(path, {"note": "kept"})
    return path, path.read_bytes()


@each_suffix
@each_kind
def test_truncated_files(case, saved):
    path, content = saved
    outcomes = {outcome(path, content[:length]) for length in range(0, len(content), 29)}
    assert outcomes == {"refused"} and outcome(path, content, case.network) == "equal"


@each_suffix
@each_of_few_kinds
def test_flipped_bits(case, saved):
    path, content = saved
    outcomes = []
    for position in range(0, len(content), 13):
        changed = bytearray(content)
        changed[position] ^= (0x01, 0x08, 0x80, 0xFF)[(position + len(case.name)) % 4]
        outcomes.append(outcome(path, bytes(changed), case.network))
    # Few bytes are of no consequence: dates and the like.
    assert outcomes.count("refused") > 0.8 * len(outcomes)


@each_suffix
@each_of_few_kinds
def test_bytes_inserted_removed_and_appended(case, saved):
    path, content = saved
    for position in range(0, len(content), 41):
        outcome(path, content[:position] + b"\x00" + content[position:], case.network)
        outcome(path, content[:position] + content[position + 3 :], case.network)
    assert outcome(path, content + b"trailing" * 10000) == "refused"


@each_suffix
@given(content=st.binary(max_size=200))
def test_foreign_bytes(suffix, content, tmp_path_factory):
    assert outcome(tmp_path_factory.getbasetemp() / f"foreign{suffix}", content) == "refused"


def test_formats_under_the_wrong_suffix(tmp_path):
    pytest.importorskip("safetensors")
    npz, tensors = tmp_path / "model.npz", tmp_path / "model.safetensors"
    random_network().save(npz)
    random_network().save(tensors)
    first, second = npz.read_bytes(), tensors.read_bytes()
    assert outcome(npz, second) == outcome(tensors, first) == "refused"


def npz_bytes(compressed=False, **contents):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **contents)
    return buffer.getvalue()


def forged(arrays, **header):
    """The arrays of an .npz file with a checksum that is right, whatever they hold."""
    contents = {name: np.asarray(array) for name, array in arrays.items()}
    kind, settings = header.pop("kind", "TwoLayerNetwork"), header.pop("settings", {})
    text = storage.NetworkFile("", kind, contents, settings, {}).header()
    return {**contents, "header": np.array(json.dumps({**json.loads(text), **header}))}


def neurons(hidden, output, **others):
    return {"hidden_weights": hidden, "output_weights": output, **others}


ONE = neurons([[1.0]], [1.0])
# As the first format had it.
FIRST = {
    **{name: np.array(array) for name, array in ONE.items()},
    "header": np.array('{"format": "cvxnn-network", "version": 1, "metadata": {}, "checksum": ""}'),
}


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (FIRST, r"has format 1 of networks, and this cvxnn reads format 2\."),
        (forged(ONE, format=3), "has format 3 of networks"),
        (forged(ONE, format=None), "not a network that cvxnn wrote"),
        (forged(ONE, format="other"), "not a network that cvxnn wrote"),
        (forged(ONE, metadata=[1]), "is damaged"),
        (forged(ONE, checksum="0"), "is damaged"),
        (forged(ONE, settings=[1]), "is damaged"),
        (forged(ONE, kind=["TwoLayerNetwork"]), "is damaged"),
        (forged(ONE, kind="two words"), "is damaged"),
        (forged(ONE) | {"header": np.array("[1]")}, "not a network"),
        (forged(ONE) | {"header": np.array("{")}, "is damaged"),
        (forged(ONE) | {"header": np.array("[" * 100_000)}, "is damaged"),
        (forged(ONE) | {"header": np.array(["{}", "{}"])}, "is damaged"),
        (forged(ONE) | {"header": np.array(3.5)}, "is damaged"),
        (forged(neurons(np.array([[1.0]], dtype=np.float32), [1.0])), "not float64"),
        (forged(neurons([[1.0]], [1])), "not float64"),
        (forged(neurons([[1.0]], [1.0], more=[True])), "not float64"),
        (forged(neurons([[1.0]], [[1.0]])), "output_weights must be 1-D"),
        (forged(neurons([1.0], [1.0])), "hidden_weights must be 2-D"),
        (forged(neurons([[np.nan]], [1.0])), "hidden_weights must be finite"),
        (forged(neurons([[1.0]], [np.inf])), "output_weights must be finite"),
        (forged(neurons([[1.0]], [1.0], skip_weights=[1.0, 2.0])), "skip_weights must be None or"),
        (forged(ONE, settings={"slope": "steep"}), "holds no TwoLayerNetwork: slope must be"),
        ({"weights": np.ones(3)}, "is damaged"),
        *(
            (content, "does not hold the arrays and settings of a TwoLayerNetwork")
            for content in (
                forged({"hidden_weights": [[1.0]]}), forged(neurons([[1.0]], [1.0], more=[1.0])),
                forged(ONE, settings={"more": 1.0}), forged(ONE, settings={"self": 1.0}),
                forged(ONE, settings={"hidden_weights": [[1.0]]}),
            )
        ),
    ],
)  # fmt: skip
def test_forged_files(contents, says, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(npz_bytes(**contents))
    for load in (TwoLayerNetwork.load, load_network):
        with pytest.raises(ModelFileError, match=says) as caught:
            load(path)
        assert str(path) in str(caught.value)


@each_kind
def test_forged_files_of_every_kind(case, tmp_path):
    path, kind = tmp_path / "model.npz", type(case.network).__name__
    for name, array in case.arrays.items():
        missing = {other: a for other, a in case.arrays.items() if other != name}
        for held in (missing, {**case.arrays, name: np.nan * array}, {**missing, "x": array}):
            if name in ("biases", "skip_weights") and held is missing:
                continue
            path.write_bytes(npz_bytes(**forged(held, kind=kind, settings=case.settings)))
            with pytest.raises(ModelFileError, match=kind) as caught:
                load_network(path)
            assert str(path) in str(caught.value)


@pytest.mark.parametrize("description", ["{'descr': '<f8'", "(" * 10, "{}", "[1, 2", "1 +", "\\x"])
def test_forged_array_headers(description, tmp_path):
    header = description.encode().ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    buffer = io.BytesIO(npz_bytes(header=np.array("{}"), output_weights=np.ones(1)))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("hidden_weights.npy", member)
    assert outcome(tmp_path / "model.npz", buffer.getvalue()) == "refused"


@pytest.mark.parametrize("order", ["<f8", ">f8"])
def test_forged_files_that_are_right_are_read(order, tmp_path):
    path = tmp_path / "model.npz"
    hidden, output = np.array([[1.0]], dtype=order), np.array([2.0], dtype=order)
    path.write_bytes(npz_bytes(**forged(neurons(hidden, output))))
    assert load_network(path) == (TwoLayerNetwork([[1.0]], [2.0]), {})


def test_compressed_files_are_refused_before_they_unpack(tmp_path):
    content = npz_bytes(compressed=True, **forged(neurons(np.zeros((10**4, 10)), np.zeros(10**4))))
    assert outcome(tmp_path / "model.npz", content) == "refused"


def test_members_that_share_their_bytes_are_refused(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(npz_bytes(**forged(neurons(np.zeros((1000, 10)), np.zeros(1000)))))
    TwoLayerNetwork.load(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", b"")
        archive.filelist.extend([archive.getinfo("hidden_weights.npy")] * 1000)
    assert outcome(path, path.read_bytes()) == "refused"


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    contents = forged(ONE) | {"hidden_weights": np.array([[Trap()]], dtype=object)}
    assert outcome(tmp_path / "model.npz", npz_bytes(**contents)) == "refused"
    assert outcome(tmp_path / "model.npz", pickle.dumps(Trap())) == "refused"
    assert not (tmp_path / "sprung").exists()


def test_without_safetensors_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    for module in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "model.safetensors"
    with pytest.raises(ImportError, match="pip install safetensors"):
        random_network().save(path)
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(ImportError, match="pip install safetensors"):
        load_network(path)
    random_network().save(tmp_path / "model.npz")
    assert TwoLayerNetwork.load(tmp_path / "model.npz") == random_network()
