"""Types of arrays by what is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
# In kernels, which are compiled for what they are given.
Array = NDArray[Any]
