"""Kernels compile where no cache can be written, or it is damaged, and say so once."""

import logging
import pickle
import sys
import time

import numpy as np
import pytest
from numba import float64
from numba.core.caching import IndexDataCacheFile
from processes import python, start

from cvxnn import kernels
from cvxnn.clocks import clock
from cvxnn.kernels import kernel


def total(values):
    result = 0.0
    for value in values:
        result += value
    return result


@pytest.fixture
def log(caplog, monkeypatch):
    """What was logged; each test is a process of its own as far as `once` goes."""
    monkeypatch.setattr(kernels, "_complaints", [])
    caplog.set_level(logging.WARNING, "cvxnn")
    return caplog


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_kernel_is_kept(folder, log):
    assert kernel(total)(np.arange(4.0)) == 6.0
    again = kernel(total)
    assert again(np.arange(4.0)) == 6.0 and sum(again.stats.cache_hits.values()) == 1
    assert not log.messages


def test_an_inner_kernel_is_called_by_kernels_alone(folder, log):
    inner = kernel(total, inner=True)

    @kernel
    def outer(values):
        return 2.0 * inner(values)

    for _ in range(2):
        assert outer(np.arange(4.0)) == 12.0
        with pytest.raises(TypeError, match="total is called by other kernels alone"):
            inner(np.arange(4.0))
    again = kernel(total, inner=True)
    again.compile((float64[::1],))
    assert sum(again.stats.cache_hits.values()) == 1
    assert not log.messages


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04nothing", pickle.dumps(("0", "of another"))])
def test_a_damaged_cache_is_written_anew(folder, log, ending, content):
    kernel(total)(np.arange(4.0))
    (damaged,) = folder.rglob(f"*.{ending}")
    damaged.write_bytes(content)
    assert kernel(total)(np.arange(4.0)) == 6.0
    mended = kernel(total)
    assert mended(np.arange(4.0)) == 6.0 and sum(mended.stats.cache_hits.values()) == 1
    assert not log.messages


TWICE = """
import numpy as np
from cvxnn.kernels import kernel

@kernel
def double(values):
    return 2.0 * values

double(np.ones(3))
print(sum(double.stats.cache_hits.values()))
"""


@pytest.mark.long
def test_of_two_processes_one_compiles(tmp_path):
    pytest.importorskip("fcntl", reason="where there are no locks, both do")
    program = tmp_path / "twice.py"
    program.write_text(TWICE)
    both = [start(program, env={"NUMBA_CACHE_DIR": str(tmp_path)}) for _ in range(2)]
    assert sorted(process.communicate()[0] for process in both) == ["0\n", "1\n"]


def test_a_full_disk_is_reported_once(folder, log, monkeypatch):
    def fail(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", fail)
    for _ in range(2):
        assert kernel(total)(np.arange(4.0)) == 6.0
    assert len(log.messages) == 1 and "No space left on device" in log.messages[0]


def test_nowhere_to_write(log, monkeypatch):
    class Nowhere:
        @staticmethod
        def from_function(function, file):
            return None

    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [Nowhere])
    for _ in range(2):
        assert kernel(total)(np.arange(4.0)) == 6.0
    assert len(log.messages) == 1 and "NUMBA_CACHE_DIR" in log.messages[0]


def test_compiling_stops_the_clock(folder):
    compiled, start, begun = kernel(total), clock(), time.perf_counter()
    compiled.compile("float64(float64[:])")
    assert clock() - start < 0.5 * (time.perf_counter() - begun)


IN_A_CONTAINER = """
import numba.core.caching as caching

class Nowhere:
    def from_function(function, file):
        return None

caching.CacheImpl._locator_classes = [Nowhere]
import cvxnn

print(round(cvxnn.largest_beta([[1.0], [2.0]], [1.0, 1.0]), 6))
"""


@pytest.mark.long
def test_a_process_without_a_cache_says_so_in_one_line():
    output, errors = python("-W", "error", "-c", IN_A_CONTAINER)
    assert output == "3.0\n" and errors.startswith("cvxnn cannot keep what it compiles")
    assert errors.count("\n") == 1


def test_a_terminal_is_told_once_what_takes_long(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    kernels._announce.cache_clear()
    kernel(total)(np.arange(4.0))
    kernel(total)(np.arange(4))
    assert capsys.readouterr().err.count("compiling") == 1
