"""Names that the target's own part of every generated module defines, for the parts that all targets share."""

from collections.abc import Mapping
from typing import Any

import numpy as np

class _Snapshot:
    arrays: Mapping[str, np.ndarray]
    block: np.ndarray | None

    def __init__(self, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int], panels: dict[Any, Any]) -> None: ...
    @property
    def given(self) -> Mapping[str, np.ndarray]: ...
