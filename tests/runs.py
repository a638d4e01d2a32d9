"""Runs that may fall short."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning


def quietly(run: Any, *args: Any, **options: Any) -> Any:
    """What a call returns, without its warning that it fell short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return run(*args, **options)
