"""The timers of a generated library that was compiled with them: seconds and calls of each region.

The runtime of the C kernels has timers around each stage and each other region; ``-DSYMRNN_PROFILE`` turns them on. Reads a
library; returns their readings. Leaves out: what a region computes (`benchmarks.profile`), and threads: the timers are for
one.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

FLAGS = ("-DSYMRNN_PROFILE", "-D_POSIX_C_SOURCE=199309L")
"""Arguments for the compiler; the second is for the clock, which C11 alone does not have."""

MOST = 64
"""Timers in a library."""


@dataclass(frozen=True)
class Timers:
    """The timers of a library.

    Attributes:
        library: loaded.
        cell: its name.
        precision: ``f32`` or ``f64``, of its entry points.
    """

    library: ctypes.CDLL
    cell: str
    precision: str

    def read(self) -> dict[str, tuple[float, int]]:
        """Seconds and calls of each region since the last reading, in the order in which they first ran."""
        names, seconds, calls = (ctypes.c_char_p * MOST)(), (ctypes.c_double * MOST)(), (ctypes.c_size_t * MOST)()
        entry = self.library[f"{self.cell}_{self.precision}_profile"]
        entry.restype = ctypes.c_size_t
        count = entry(ctypes.c_size_t(MOST), names, seconds, calls)
        return {(names[i] or b"").decode(): (seconds[i], calls[i]) for i in range(count)}
