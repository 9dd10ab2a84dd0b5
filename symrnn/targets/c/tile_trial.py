"""Times shapes of register tiles on this machine, in a fraction of a second: each runs the products of layers.

Reads shapes, a compiler and the runtime; returns seconds. All shapes run in turn, many times, and each one's least time counts:
other work on the machine only adds to a time. Leaves out: which shape is then taken (`symrnn.targets.c.tiles`).
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from symrnn.emit.templates import template_directory
from symrnn.errors import BuildError
from symrnn.targets.c.files import runtime_files
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.toolchain import Compiler, Options

SOURCE = "tile_trial.c"
"""The file of `templates/c/` that is timed; it includes the runtime."""

ROUNDS = 20
"""How often each shape runs. A round takes some milliseconds."""


@dataclass(frozen=True, order=True)
class TileShape:
    """The largest register tile.

    Attributes:
        rows: of values.
        columns: vectors of units.
    """

    rows: int
    columns: int

    def __str__(self) -> str:
        """As people write it: ``6x2``."""
        return f"{self.rows}x{self.columns}"

    @property
    def flags(self) -> tuple[str, ...]:
        """The compiler's flags that select it."""
        return f"-DSYMRNN_TILE_ROWS={self.rows}", f"-DSYMRNN_TILE_COLUMNS={self.columns}"


@cache
def trial_sources() -> Mapping[str, str]:
    """The texts that a trial is compiled from, by name."""
    text = template_directory().joinpath("c", SOURCE).read_text(encoding="utf-8")
    return {SOURCE: text, **{name: source.text for name, source in runtime_files().items()}}


def time_shapes(shapes: Sequence[TileShape], compiler: Compiler, sources: Mapping[str, str]) -> dict[TileShape, float]:
    """The least seconds that a trial takes with each of ``shapes``.

    Args:
        shapes: those of this processor.
        compiler: for its libraries, which the cache keeps.
        sources: from `trial_sources`.

    Raises:
        BuildError: a trial cannot be compiled or loaded; or the cache cannot be used.
    """
    with ThreadPoolExecutor() as pool:
        libraries = list(pool.map(partial(compile_trial, compiler, sources), shapes))
    trials = [load_trial(library).tile_trial for library in libraries]
    seconds = [float("inf")] * len(shapes)
    for _ in range(ROUNDS):
        for i, trial in enumerate(trials):
            start = time.perf_counter()
            trial()
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return dict(zip(shapes, seconds, strict=True))


def compile_trial(compiler: Compiler, sources: Mapping[str, str], shape: TileShape) -> Path:
    """The library of a trial with a shape."""
    return compile_library(sources, f"tile_{shape}", compiler=compiler, options=Options(extra=shape.flags))


def load_trial(library: Path) -> ctypes.CDLL:
    """A trial that is ready to run: ``tile_trial()`` runs it once.

    Raises:
        BuildError: it cannot be loaded.
    """
    try:
        trial = ctypes.CDLL(str(library))
    except OSError as error:
        raise BuildError(f"{library} cannot be loaded: {error}; does the compiler compile for this machine?") from error
    trial.tile_trial_begin()
    trial.tile_trial()
    return trial
