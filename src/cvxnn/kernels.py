"""The decorator of compiled functions: :func:`kernel`.

Kernels are compiled by numba at their first call, and kept in its cache. That takes
up to a minute, once after an installation, in which no time limit passes: see
:func:`cvxnn.clocks.clock`. Of several processes that need a kernel at the same time one compiles
it, and the others wait for that. Where the cache cannot be written, or is damaged, kernels are
compiled anew, and that is all.
"""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
from numba.core.caching import FunctionCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature

from cvxnn.clocks import note_compilation, stopped_clock
from cvxnn.files import DAMAGE, locked

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Nobody calls kernels from C: a second entry to each would take a tenth of the compilation.
_OPTIONS = {"nopython": True, "nogil": True, "no_cfunc_wrapper": True}
_INNER = {"no_cpython_wrapper": True}
_UNREADABLE = (*DAMAGE, pickle.UnpicklingError)

# Seconds that a process waits for another one to compile a kernel, which is stopped perhaps.
_PATIENCE = 120.0


@overload
def kernel(function: _Function) -> _Function: ...
@overload
def kernel(
    *, inner: bool = ..., fastmath: set[str] = ..., inline: str = ...
) -> Callable[[_Function], _Function]: ...
def kernel(
    function: Callable[..., Any] | None = None, *, inner: bool = False, **options: Any
) -> Any:
    """Compile a function with numba at its first call; it runs without the interpreter's lock.

    Parameters
    ----------
    function : callable
    inner : bool, default False
        Whether kernels alone call it: an entry from Python, which it does without, would take
        a part of the compilation.
    fastmath : set of str, optional
        What LLVM may assume of floating-point numbers, see :func:`numba.njit`.
    inline : {"never", "always"}, default "never"
        ``"always"`` for what one kernel calls, in one place: it is then compiled once, as a
        part of that, and not a second time by itself.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2.0 * x
    >>> double(21.0)
    42.0
    """
    if function is None:
        return lambda decorated: _compiled(decorated, inner, options)
    return _compiled(function, inner, options)


def _compiled(function: Callable[..., Any], inner: bool, options: dict[str, Any]) -> Any:
    if numba.config.DISABLE_JIT:
        return function
    if inner:
        compiled = _InnerKernel(function, targetoptions=_OPTIONS | _INNER | options)
    else:
        compiled = _Kernel(function, targetoptions=_OPTIONS | options)
    compiled.enable_caching()
    return compiled


class _Cache(FunctionCache):  # type: ignore[misc]
    """The cache of a kernel. It does not fail: what cannot be read is compiled anew."""

    def locked(self) -> AbstractContextManager[None]:
        """Of several processes one at a time looks for a kernel, compiles and saves it.

        It is also what keeps the index whole: numba reads it, and writes it with one more
        signature.
        """
        index = Path(self._cache_file._index_path)
        return locked(index.with_suffix(".lock"), _PATIENCE)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except _UNREADABLE:
            found = None
            self._forget()
        if found is None:
            note_compilation()
            _announce()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _complain(f" ({error})")

    def _forget(self) -> None:
        """Empty the index, so that what is compiled now can be saved."""
        try:
            self.flush()
        except OSError as error:
            _complain(f" ({error})")


class _Kernel(CPUDispatcher):  # type: ignore[misc]
    """A function of numba whose compilation stops the clock."""

    # Whether this process is compiling it for one signature: then it has the lock already.
    _has_lock = False

    def enable_caching(self) -> None:
        try:
            self._cache = _Cache(self.py_func)
        except RuntimeError:
            # What numba raises where there is no folder that it can write to.
            _complain("")

    def compile(self, sig: Any) -> Any:
        # A constant that one kernel passes to another has a type of its own, for which the other
        # would be compiled once more.
        arguments, result = normalize_signature(sig)
        if result is None:
            sig = tuple(numba.types.unliteral(each) for each in arguments)
        # The lock of this process before those of the cache: kernels are compiled within the
        # compilation of those that call them, and threads would wait for each other.
        with stopped_clock(), global_compiler_lock, self._alone():
            return super().compile(sig)

    def _alone(self) -> AbstractContextManager[None]:
        is_cached = isinstance(self._cache, _Cache)
        return self._with_lock() if is_cached and not self._has_lock else nullcontext()

    @contextmanager
    def _with_lock(self) -> Iterator[None]:
        self._has_lock = True
        try:
            with self._cache.locked():
                yield
        finally:
            self._has_lock = False


class _InnerKernel(_Kernel):
    """Compiled without an entry from Python, which would be address zero."""

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} is called by other kernels alone")


@cache
def _announce() -> None:
    """One line on a terminal, where somebody waits; once in a process."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(
            "cvxnn: compiling, once after an installation; this takes up to a minute.",
            file=sys.stderr,
        )


def _complain(reason: str) -> None:
    """A line in the log, which is stderr where nobody has set one up; once in a process."""
    if not _complaints:
        _complaints.append(reason)
        logging.getLogger("cvxnn").warning(
            "cvxnn cannot keep what it compiles%s: every process takes some seconds for it, "
            "unless NUMBA_CACHE_DIR is a folder that can be written.",
            reason,
        )


_complaints: list[str] = []
