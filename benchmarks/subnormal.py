"""The cost of subnormal numbers: calls on tiny numbers beside the same calls on ordinary ones.

On many processors, an operation on a subnormal number takes a hundred times as long; an addition seldom does. So the
vector functions add a small number first, and a call on tiny numbers should take at most 1.5 times as long. Reads
cells; returns a `Slowed` record for each kind of call, and a table of them. A product in the equations themselves may
meet subnormal numbers. That depends on the cell, and shows here. Leaves out: whether results are right (the tests).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.workload import Array
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS, PUBLIC
from symrnn.pipeline import build

ROUNDS = 11
SHAPES = ((1, 64), (8, 32))
"""Rows and units; a single row takes a different path from several."""
STEPS = 40
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Slowed:
    """A call on tiny numbers beside the same call on ordinary ones.

    Attributes:
        cell: its name, or a function of the table.
        dtype: ``float32`` or ``float64``.
        call: ``infer`` or ``train``.
        shape: rows and units.
        tiny: which arrays hold subnormal numbers.
        ratio: the median time of calls on tiny numbers over that of calls on ordinary ones, taken in turns.
    """

    cell: str
    dtype: str
    call: str
    shape: tuple[int, int]
    tiny: tuple[str, ...]
    ratio: float


def functions() -> Iterator[Cell]:
    """A cell for each function of one operand that an author may write: the function alone."""
    for name, row in FUNCTIONS.items():
        if row.arity == 1 and name in PUBLIC:
            yield Cell.from_equations(f"h' = {name}(x)", name=f"only_{name}")


def measure(cell: Cell, *, rounds: int = ROUNDS) -> tuple[Slowed, ...]:
    """Every kind of call of ``cell``, on subnormal inputs, states, parameters and gradients.

    Raises:
        BuildError: no compiler is found.
    """
    kernels, found = build(cell, "c"), []
    for dtype in DTYPES:
        for shape in SHAPES:
            ordinary = _numbers(cell, kernels, shape, dtype)
            for tiny in (("x",), ("state",), ("params",), ("dy",), ("x", "state"), ("x", "state", "params", "dy")):
                given = {name: _tiny(group) if name in tiny else group for name, group in ordinary.items()}
                for call in (infer, train):
                    if call is infer and tiny == ("dy",):
                        continue
                    ratio = _ratio(_bound(call, kernels, ordinary), _bound(call, kernels, given), rounds)
                    found.append(Slowed(cell.name, dtype, call.__name__, shape, tiny, ratio))
    return tuple(found)


def table(rows: Sequence[Slowed]) -> str:
    """For each cell, precision and call, the slowest: its ratio and arrays."""
    head = f"{'cell':<22}{'dtype':<9}{'call':<7}{'times':>6}   rows, units and what is subnormal there"
    lines = [head]
    for key in dict.fromkeys((row.cell, row.dtype, row.call) for row in rows):
        worst = max((r for r in rows if (r.cell, r.dtype, r.call) == key), key=lambda row: row.ratio)
        where = f"B={worst.shape[0]} H={worst.shape[1]}: {' and '.join(worst.tiny)}"
        lines.append(f"{worst.cell:<22}{worst.dtype:<9}{worst.call:<7}{worst.ratio:>6.2f}   {where}")
    return "\n".join(lines) + "\n"


Arrays = Mapping[str, Array]
Given = Mapping[str, Arrays]
"""``params``, ``x``, ``state`` and ``dy``, each a group of arrays by name."""


def infer(kernels: ModuleType, given: Given) -> object:
    """The forward pass without a tape, on one thread."""
    return kernels.infer(given["params"], given["x"]["x"], given["state"], threads=1)


def train(kernels: ModuleType, given: Given) -> object:
    """The forward pass and every gradient, on one thread."""
    _, _, tape = kernels.forward(given["params"], given["x"]["x"], given["state"], threads=1)
    return kernels.backward(given["params"], tape, given["dy"]["dy"], threads=1)


def _bound(call: Callable[[ModuleType, Given], object], kernels: ModuleType, given: Given) -> Callable[[], object]:
    return lambda: call(kernels, given)


def _numbers(cell: Cell, kernels: ModuleType, shape: tuple[int, int], dtype: str) -> dict[str, dict[str, Array]]:
    rows, units = shape
    rng = np.random.default_rng(3)

    def numbers(*lengths: int) -> Any:
        return rng.uniform(0.1, 0.9, lengths).astype(dtype)

    params = dict(kernels.init_params(units, units, seed=1, dtype=dtype, **dict.fromkeys(cell.sizes[2:], units)))
    x = numbers(STEPS, rows, units)
    y, states = kernels.infer(params, x)
    state = {name: numbers(*value.shape) for name, value in states.items()}
    return {"params": params, "x": {"x": x}, "state": state, "dy": {"dy": numbers(*y.shape)}}


def _tiny(group: Arrays) -> dict[str, Array]:
    return {
        name: (value * float(np.finfo(value.dtype).smallest_normal)).astype(value.dtype)
        for name, value in group.items()
    }


def _ratio(ordinary: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    times: tuple[list[int], list[int]] = [], []
    for _ in range(rounds):
        for call, into in zip((ordinary, other), times, strict=True):
            start = time.thread_time_ns()
            call()
            into.append(time.thread_time_ns() - start)
    return statistics.median(times[1]) / statistics.median(times[0])
