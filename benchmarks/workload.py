"""The arrays of a task: the same for every participant, from a seed.

Reads a `Task`; returns a `Workload` in float32. Weights are dense, uniform in ±1/√columns; so are vectors, around
the cell's initial values. Leaves out: layouts of other libraries (`benchmarks.participants`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.grid import Mode, Point, load_cell
from benchmarks.matrix_products import sizes_of
from symrnn.language.cell import Cell
from symrnn.language.system import INPUT

Array = np.ndarray[Any, np.dtype[Any]]

_SEED = 20260


@dataclass(frozen=True)
class Task:
    """A task for a participant.

    Attributes:
        cell: as `benchmarks.grid.load_cell` takes it.
        point: sizes.
        mode: inference or training.
        threads: the most that it may use.
    """

    cell: str
    point: Point
    mode: Mode
    threads: int


@dataclass(frozen=True)
class Workload:
    """Arrays of a task.

    Attributes:
        cell: the cell.
        sizes: a number for every size name.
        params: by name, as the equations read them.
        x: (T, B, I).
        dy: gradient of the output, (T, B, size of the output state).
        states: sizes of the states by name.
        lengths: (B,), or None where every row takes all steps.
    """

    cell: Cell
    sizes: Mapping[str, int]
    params: Mapping[str, Array]
    x: Array
    dy: Array
    states: Mapping[str, int]
    lengths: Array | None


@cache
def cell_of(name: str) -> Cell:
    """`benchmarks.grid.load_cell`, once per process."""
    return load_cell(name)


def draw(task: Task) -> Workload:
    """The arrays of ``task``: equal for equal cells and points."""
    return draw_for(cell_of(task.cell), task.point)


def draw_for(cell: Cell, point: Point) -> Workload:
    """The arrays of ``cell`` at ``point``."""
    sizes = sizes_of(cell, point.input_size, point.hidden)
    random = np.random.default_rng(_SEED)
    params = {v.name: _parameter(random, cell, v.name, tuple(sizes[s] for s in v.shape)) for v in cell.parameters}
    states = {name: sizes[cell.by_name[f"{name}'"].shape[0]] for name in cell.states}
    x = random.standard_normal((point.steps, point.batch, sizes[INPUT]), np.float32)
    dy = random.standard_normal((point.steps, point.batch, sizes[cell.size(cell.output)]), np.float32)
    lengths = random.integers(1, point.steps + 1, point.batch) if point.ragged else None
    return Workload(cell, sizes, params, x, dy, states, lengths)


def _parameter(random: np.random.Generator, cell: Cell, name: str, shape: tuple[int, ...]) -> Array:
    spread = 1 / np.sqrt(shape[1] if len(shape) == 2 else max(shape[0], 16))
    centre = _NAMED.get(cell.init.get(name, ""), cell.init.get(name, "0")) if len(shape) == 1 else "0"
    value = random.uniform(-spread, spread, shape) + float(centre)
    return value.astype(np.float32)


_NAMED = {"": "0", "uniform": "0", "zeros": "0", "ones": "1", "identity": "0", "orthogonal": "0"}
