"""atomic_write: the file is there complete, or as it was. locked: one process at a time."""

import errno
import os
import stat
import time

import pytest
from processes import start

from cvxnn import files
from cvxnn.files import atomic_write, locked


def test_file_has_the_bytes_at_the_end_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"one")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"two")
    assert path.read_bytes() == b"onetwo" and os.listdir(tmp_path) == ["out.bin"]


def write(path):
    with atomic_write(path) as file:
        file.write(b"new")


def test_path_may_be_text_and_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("out.bin")
    assert (tmp_path / "out.bin").read_bytes() == b"new"


@pytest.mark.parametrize(
    "interruption",
    [RuntimeError("x"), KeyboardInterrupt(), SystemExit(1), OSError("without errno")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("existing", [True, False])
def test_interruption_passes_and_leaves_the_folder_as_it_was(tmp_path, interruption, existing):
    path = tmp_path / "out.bin"
    if existing:
        path.write_bytes(b"old")
    with pytest.raises(type(interruption)) as caught, atomic_write(path) as file:
        file.write(b"half")
        raise interruption
    assert caught.value is interruption
    assert os.listdir(tmp_path) == (["out.bin"] if existing else [])
    assert not existing or path.read_bytes() == b"old"


def test_failing_write_names_the_path_and_keeps_the_errno(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on file sizes are Unix")
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with (
            pytest.raises(OSError, match="Cannot write the file") as caught,
            atomic_write(path) as file,
        ):
            file.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG and caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.bin"]


def test_failing_fsync_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "out.bin"
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(path) as file:
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC and str(path) in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_errors_about_other_files_pass_unchanged(tmp_path):
    other = tmp_path / "other.bin"
    with pytest.raises(FileNotFoundError) as caught, atomic_write(tmp_path / "out.bin"):
        other.read_bytes()
    assert caught.value.filename == str(other)


def refused(path, error, says):
    """The error before anything is written."""
    with pytest.raises(error, match=says) as caught, atomic_write(path):
        pytest.fail("the block must not run")
    return caught.value


def test_missing_folder(tmp_path):
    path = tmp_path / "nowhere" / "out.bin"
    error = refused(path, FileNotFoundError, "its folder does not exist")
    assert error.errno == errno.ENOENT and str(path) in str(error)


def test_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    # Not by chmod: a test that runs as root may write anywhere.
    def denied(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "open", denied, raising=False)
    error = refused(tmp_path / "out.bin", PermissionError, "Permission denied")
    assert error.errno == errno.EACCES and error.filename == str(tmp_path / "out.bin")


def test_folder_as_path(tmp_path):
    refused(tmp_path, IsADirectoryError, "is a folder")
    assert tmp_path.is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_special_file_is_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    refused(path, OSError, "not a regular file")
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Unix permissions")
def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "out.bin")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.bin").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_symbolic_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.bin", tmp_path / "link.bin"
    link.symlink_to(target)
    write(link)
    assert link.is_symlink() and target.read_bytes() == b"new"


def test_longest_file_name(tmp_path):
    path = tmp_path / ("a" * 255)
    write(path)
    assert path.read_bytes() == b"new"


DAY = 86400.0


def left_behind(folder, age, name=".cvxnn-0123456789abcdef.tmp"):
    """A file of some age in seconds."""
    path = folder / name
    path.write_bytes(b"half a model")
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    old = left_behind(tmp_path, 1.01 * DAY)
    write(tmp_path / "out.bin")
    assert not old.exists() and (tmp_path / "out.bin").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (0.99 * DAY, ".cvxnn-0123456789abcdef.tmp"), (9.0 * DAY, ".cvxnn-notes.tmp"),
        (9.0 * DAY, ".cvxnn-0123456789abcdef.tmp.bak"), (9.0 * DAY, "cvxnn-0123456789abcdef.tmp"),
    ],
)  # fmt: skip
def test_other_files_stay(tmp_path, age, name):
    other = left_behind(tmp_path, age, name)
    write(tmp_path / "out.bin")
    assert other.exists()


def test_links_and_folders_of_that_name_stay(tmp_path):
    inside = left_behind(tmp_path, 9.0 * DAY, "precious")
    link = tmp_path / ".cvxnn-0123456789abcdef.tmp"
    link.symlink_to(inside)
    os.utime(link, (0.0, 0.0), follow_symlinks=False)
    folder = tmp_path / ".cvxnn-0123456789abcde0.tmp"
    folder.mkdir()
    os.utime(folder, (0.0, 0.0))
    write(tmp_path / "out.bin")
    assert link.is_symlink() and inside.exists() and folder.is_dir()


def test_files_of_another_user_stay(tmp_path):
    old = left_behind(tmp_path, 9.0 * DAY)
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(old, 12345, -1)
    write(tmp_path / "out.bin")
    assert old.exists()


def test_what_cannot_be_removed_stops_nobody(tmp_path, monkeypatch):
    old = left_behind(tmp_path, 9.0 * DAY)

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(files.os, "unlink", refuse)
    write(tmp_path / "out.bin")
    monkeypatch.undo()
    assert old.exists() and (tmp_path / "out.bin").read_bytes() == b"new"


HOLDER = """
import sys
from cvxnn.files import locked

with locked(sys.argv[1], 60.0):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_waited_for_as_long_as_the_patience_lasts(tmp_path):
    pytest.importorskip("fcntl", reason="these locks are Unix")
    path = tmp_path / "work.lock"
    with start("-c", HOLDER, path, stdin=-1) as holder:
        assert holder.stdout.readline() == "mine\n"
        begun = time.monotonic()
        with locked(path, 0.1):
            assert time.monotonic() - begun >= 0.1
        # A process that is killed has no lock any more.
        holder.kill()
        with locked(path, 60.0):
            assert time.monotonic() - begun < 60.0


def test_where_there_is_no_lock_the_work_is_done_without(tmp_path, monkeypatch):
    with locked(tmp_path / "missing" / "work.lock", 60.0):
        pass
    monkeypatch.setattr(files, "fcntl", None)
    with locked(tmp_path / "work.lock", 60.0):
        pass
    assert not any(tmp_path.iterdir())
