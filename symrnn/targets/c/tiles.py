"""The shape of the register tiles in libraries for this machine's processor: from a table, or measured once.

Reads the environment, the compiler and the processor; returns a `TileChoice`, which the cache keeps. No shape changes a result.
Libraries for named levels of an architecture have the runtime's own shape, and so does what anybody compiles by hand.
Leaves out: how shapes are measured (`symrnn.targets.c.tile_trial`), and what a shape means (`templates/c/symrnn.h`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from symrnn.build.cache import entry_key, library_in_cache
from symrnn.build.processor import Processor, processor
from symrnn.errors import BuildError
from symrnn.targets.c.flags import MARCH_NATIVE
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.tile_trial import TileShape, time_shapes, trial_sources
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags, preprocessed

VARIABLE = "SYMRNN_TILE"
"""Environment variable that names a shape, as ``6x2``, for libraries of this machine's processor."""

SHAPES = {
    16: (TileShape(6, 2), TileShape(3, 4)),
    32: (TileShape(6, 4), TileShape(5, 4), TileShape(3, 4)),
}
"""The shapes that the runtime has, beside its own for a target, by the vector registers of that target."""
TRIED = {16: SHAPES[16], 32: (TileShape(6, 4), TileShape(5, 4))}
"""Those worth a trial: the others leave half of 32 registers empty."""

CLEARLY = 0.95
"""The share of the time of the runtime's own shape at which another one replaces it. Trials of one shape differ by 2 %."""


@dataclass(frozen=True)
class TileChoice:
    """A shape, and where it comes from.

    Attributes:
        shape: rows and vectors of units.
        own: the shape that the runtime has for this target by itself.
        vector_bytes: bytes of a vector register; 0 if the target has none.
        why: where the shape comes from, for people.
    """

    shape: TileShape
    own: TileShape
    vector_bytes: int
    why: str

    @property
    def flags(self) -> tuple[str, ...]:
        """What the compiler is told; nothing if the runtime has this shape by itself."""
        return () if self.shape == self.own else self.shape.flags


@dataclass(frozen=True)
class _KnownShape:
    """Processors on which the shapes were measured in whole kernels, and the quickest shape with vectors of so many bytes."""

    name: str
    vendor: str
    family: int
    models: tuple[range, ...]
    vector_bytes: int
    shape: TileShape

    def holds(self, here: Processor, vector_bytes: int) -> bool:
        same = (here.vendor, here.family, vector_bytes) == (self.vendor, self.family, self.vector_bytes)
        return same and any(here.model in models for models in self.models)


_AMD = "AuthenticAMD"
_ZEN_3 = (range(0x00, 0x10), range(0x20, 0x30), range(0x40, 0x60))
_ZEN_5 = (range(0x00, 0x100),)
MEASURED = (
    _KnownShape("AMD Zen 3", _AMD, 25, _ZEN_3, 32, TileShape(6, 2)),
    _KnownShape("AMD Zen 5", _AMD, 26, _ZEN_5, 32, TileShape(6, 2)),
    _KnownShape("AMD Zen 5", _AMD, 26, _ZEN_5, 64, TileShape(6, 4)),
)
"""Results of `benchmarks/NOTES.md`. A family and its models: AMD's revision guides."""


def options_for(march: str | None) -> Options:
    """How a library is compiled: with the chosen shape if it is for this machine's processor.

    Args:
        march: as `chosen_march` takes it.

    Raises:
        BuildError: the processor or the shape is unknown; no compiler; or the cache cannot be used.
    """
    chosen = chosen_march(march)
    return Options(march=chosen, extra=chosen_tile().flags) if chosen == MARCH_NATIVE else Options(march=chosen)


def chosen_tile(compiler: Compiler | None = None) -> TileChoice:
    """The shape for this machine's processor: that of the environment, or of the cache, which is filled if need be.

    Args:
        compiler: the default is that of `find_compiler`.

    Raises:
        BuildError: the environment names a shape that the target does not have; no compiler; or the cache cannot be used.
    """
    compiler = compiler or find_compiler()
    if named := os.environ.get(VARIABLE, "").strip():
        return _named(named, compiler)
    sources = trial_sources()
    told = {**sources, "measured": repr((MEASURED, TRIED, CLEARLY))}
    key = entry_key(told, flags(compiler, Options()), compiler.command, compiler.version)

    def make(folder: Path) -> Path:
        file = folder / "made"
        file.write_text(_to_text(_found(compiler, sources)), encoding="utf-8")
        return file

    return _from_text(library_in_cache(key, "tile.json", make).read_text(encoding="utf-8"))


def _named(text: str, compiler: Compiler) -> TileChoice:
    own, registers, vector_bytes = _own(compiler, trial_sources())
    known = dict.fromkeys((own, *SHAPES[registers]))
    for shape in known:
        if text == str(shape):
            return TileChoice(shape, own, vector_bytes, f"the environment variable {VARIABLE} names it")
    raise BuildError(
        f"the environment variable {VARIABLE} is {text!r}: this processor's register tiles have one of the shapes "
        f"{', '.join(map(str, known))}; choose one of them, or unset it"
    )


def _found(compiler: Compiler, sources: Mapping[str, str]) -> TileChoice:
    """The shape of the table, or the one that a trial finds."""
    own, registers, vector_bytes = _own(compiler, sources)
    if not vector_bytes:
        return TileChoice(own, own, vector_bytes, "the runtime's own, since there are no vector registers")
    here = processor()
    for row in MEASURED:
        if row.holds(here, vector_bytes):
            return TileChoice(row.shape, own, vector_bytes, f"measured in whole kernels on {row.name}")
    shapes = (own, *(shape for shape in TRIED[registers] if shape != own))
    seconds = time_shapes(shapes, compiler, sources)
    times = ", ".join(f"{shape} {1e6 * time:.0f} µs" for shape, time in seconds.items())
    return TileChoice(quickest(own, seconds), own, vector_bytes, f"measured once on this machine: {times}")


def quickest(own: TileShape, seconds: Mapping[TileShape, float]) -> TileShape:
    """The shape that takes the least time; the runtime's own unless another one is clearly quicker."""
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < CLEARLY * seconds[own] else own


def _own(compiler: Compiler, sources: Mapping[str, str]) -> tuple[TileShape, int, int]:
    """What the runtime says of the target: its own shape, its vector registers, and the bytes of each."""
    words = "SYMRNN_TILE_ROWS SYMRNN_TILE_COLUMNS SYMRNN_REGISTERS SYMRNN_VECTOR_BYTES"
    text = preprocessed({**sources, "own.c": f'#include "symrnn.h"\ntile_of_target {words}\n'}, "own.c", compiler)
    found = re.search(r"^tile_of_target (\d+) (\d+) (\d+) (\d+)$", text, re.MULTILINE)
    if not found:
        raise BuildError(f"{' '.join(compiler.command)} -E does not replace macros; name another compiler in SYMRNN_CC")
    rows, columns, registers, vector_bytes = map(int, found.groups())
    return TileShape(rows, columns), registers, vector_bytes


def _to_text(choice: TileChoice) -> str:
    record = {"shape": str(choice.shape), "own": str(choice.own), "bytes": choice.vector_bytes, "why": choice.why}
    return json.dumps(record, ensure_ascii=False)


def _from_text(text: str) -> TileChoice:
    record = json.loads(text)
    shape, own = (TileShape(*map(int, record[key].split("x"))) for key in ("shape", "own"))
    return TileChoice(shape, own, int(record["bytes"]), str(record["why"]))
