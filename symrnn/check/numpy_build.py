"""Which NumPy runs here: its version, and the instruction sets that it chose for this processor.

Reads NumPy's public calls; returns a `NumPyBuild`. Its loops differ by instruction set, and so may its faults. Nobody
could repeat a report on another machine without this. Leaves out: the processor that C is compiled for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.introspect import opt_func_info


@dataclass(frozen=True)
class NumPyBuild:
    """A NumPy as it runs.

    Attributes:
        version: as ``2.4.6``.
        baseline: the instruction sets that every processor of this build must have.
        dispatched: further ones that this processor has and NumPy may use; ``NPY_DISABLE_CPU_FEATURES`` disables some.
        chosen: those that its loops use, the one with the most loops first.
    """

    version: str
    baseline: tuple[str, ...]
    dispatched: tuple[str, ...]
    chosen: tuple[str, ...]

    def __str__(self) -> str:
        chosen = ", ".join(self.chosen or self.baseline) or "none"
        return f"NumPy {self.version}, instruction sets in use: {chosen}"


def this_numpy() -> NumPyBuild:
    """The NumPy of this process."""
    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})
    loops: dict[str, int] = {}
    for signatures in opt_func_info().values():
        for targets in signatures.values():
            loops[targets["current"]] = loops.get(targets["current"], 0) + 1
    return NumPyBuild(
        np.__version__,
        tuple(extensions.get("baseline", ())),
        tuple(extensions.get("found", ())),
        tuple(sorted(loops, key=lambda name: (-loops[name], name))),
    )
