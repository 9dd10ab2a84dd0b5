"""Names that the cell's own part of every generated module defines; `symrnn/emit/surface.py` prints it."""

from collections.abc import Callable

import numpy as np

CELL: str
STATES: tuple[str, ...]
OUTPUT: str
FIXED: dict[str, int]
DTYPE: str
DTYPES: tuple[str, ...]
_SHAPES: dict[str, tuple[str, ...]]
_STATE_SIZES: dict[str, str]
_INIT: dict[str, str]
_MATRICES: dict[str, int]
_INITIALISERS: dict[str, Callable[..., np.ndarray]]
_DOMAINS: dict[str, tuple[str, float | None, float | None]]
_NO_GRADIENT: tuple[str, ...]
_INPUT_SIZE: str
_INPUTS: dict[str, str]
_OUTPUTS: dict[str, str]
_INPUT_IS_HIDDEN: bool
_LEFT_OUT: tuple[str, ...]
