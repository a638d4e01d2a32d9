"""Devices: where arrays are, in which precision, and what is said where there is none."""

import numpy as np
import pytest
from namespaces import each_library, namespace, placed
from sentences import refused

from cvxnn.backends.devices import Device, is_out_of_memory
from cvxnn.backends.namespaces import in_float64, in_numpy, is_foreign, namespace_of
from cvxnn.backends.tiling import Tiling
from cvxnn.errors import InputError

HERE = Device("numpy", "cpu")


@each_library
def test_arrays_go_there_and_back(library):
    array = placed(library, [[1.0, 2.0]])
    device = Device.of(array)
    assert is_foreign(array) and device.library == library and device.has_float64
    assert namespace_of(array) is device.xp is namespace(library)
    there = device.placed(np.array([0.1]), "float32")
    assert there.dtype == device.xp.float32
    assert in_float64(there)[0] == np.float32(0.1)
    assert device.placed(there, "float64").dtype == device.xp.float64


@pytest.mark.parametrize("data", [[1.0], np.ones(2), np.float64(1.0), (1, 2), "ab"])
def test_what_numpy_takes_is_not_foreign(data):
    assert not is_foreign(data) and Device.of(data) == HERE


def test_a_tensor_that_wants_gradients_is_data_like_any_other():
    torch = pytest.importorskip("torch")
    tensor = torch.ones(2, requires_grad=True)
    assert in_float64(tensor).tolist() == [1.0, 1.0]
    assert not Device.of(tensor).placed(tensor, "float64").requires_grad


def test_tensors_that_numpy_does_not_take_as_they_are():
    torch = pytest.importorskip("torch")
    numbers = torch.tensor([1.0, -2.0])
    assert in_float64(numbers.bfloat16()).tolist() == [1.0, -2.0]
    assert in_float64(torch._neg_view(numbers)).tolist() == [-1.0, 2.0]
    for tensor in (numbers.to_sparse(), torch.empty(2, device="meta")):
        refused(lambda tensor=tensor: in_numpy(tensor), "cannot be read: give a dense one")


def test_a_device_by_its_name():
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    assert Device.named("cpu") == Device("torch", torch.device("cpu"))
    for name in ("cuda:99", "gpu", "abacus"):
        with pytest.raises(InputError, match=f"device='{name}' is none that PyTorch can use: "):
            Device.named(name)
    refused(
        lambda: Device.chosen(3, None), "device must be the name of a device of PyTorch, got 3."
    )


def test_precision_of_products_is_what_it_was_afterwards():
    torch = pytest.importorskip("torch")
    device = Device.of(torch.ones(1))
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    # The second way is that of newer releases, after which the getter of the first one raises.
    ways = (lambda: torch.set_float32_matmul_precision("high"), lambda: _set(matmul, "tf32"))
    try:
        for way in ways:
            way()
            with device.in_full_precision():
                assert matmul.fp32_precision == "ieee"
            assert matmul.fp32_precision == "tf32"
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision = before


def _set(matmul, precision):
    matmul.fp32_precision = precision


def test_a_library_that_is_missing_is_named():
    says = "arrays of abacus need the packages abacus and array-api-compat, as `pip"
    refused(lambda: namespace("abacus"), says)


@pytest.mark.parametrize(("n", "leaf", "entries", "width"), [
    (10, 4, 1000, 3), (10, 4, 24, 3), (12, 4, 15, 3), (10, 4, 6, 3), (3, 4, 100, 1), (8, 4, 1, 5),
])  # fmt: skip
def test_tiles_are_whole_leaves_or_parts_of_one(n, leaf, entries, width):
    tiling = Tiling(HERE, n, leaf)
    tiling.entries = entries
    tiles = list(tiling.done(lambda rows: rows, width))
    assert [tile.start for tile in tiles[1:]] == [tile.stop for tile in tiles[:-1]]
    assert tiles[0].start == 0 and tiles[-1].stop == n
    for tile in tiles:
        count = tile.stop - tile.start
        whole = tile.start % leaf == 0 and count % leaf == 0
        assert whole or tile.start // leaf == (tile.stop - 1) // leaf
        assert count * width <= max(entries, width)


def test_tiles_halve_where_memory_runs_out():
    class OutOfMemoryError(RuntimeError):
        pass

    def work(rows):
        if rows.stop - rows.start > 5:
            raise OutOfMemoryError("CUDA out of memory")
        return rows.stop - rows.start

    tiling = Tiling(HERE, 40, 4)
    found = list(tiling.done(work, 7))
    assert sum(found) == 40 and set(found) == {4}
    # It is remembered.
    assert tiling.entries < 6 * 7


def test_no_memory_at_all_is_said():
    def work(rows):
        raise MemoryError

    says = "the memory of the device cpu is too small for one row and 9 neurons"
    refused(lambda: list(Tiling(HERE, 40, 4).done(work, 9)), says)


def test_other_errors_are_not_swallowed():
    def work(rows):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Tiling(HERE, 40, 4).done(work, 9))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory"))
