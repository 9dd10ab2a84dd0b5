"""Names that the target's own part of every generated module defines, for the parts that all targets share."""

from collections.abc import Mapping

import numpy as np

class _Snapshot:
    arrays: Mapping[str, np.ndarray]
    block: np.ndarray | None

    def __init__(self, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> None: ...
