"""A C program that makes one call of a cell's kernels, and kernels that run it: for processors that Python is not on.

The program reads the arrays of the call from standard input and writes its results to standard output, one after the
other as C holds them. `DriverKernels` has the surface that the oracles ask of a module, and starts the program, under
an emulator if need be, for every call.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.check.kernels import Arrays
from symrnn.check.measure import Array
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.tree import PRIME
from symrnn.targets.c.interface import REALS

_HEAD = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "{name}.h"

#define CALL(call)          \\
    do {{                    \\
        const int s = (call); \\
        if (s)              \\
            exit(10 + s);   \\
    }} while (0)

static void *block(size_t count, size_t size)
{{
    void *p = malloc((count + 1) * size);
    if (!p)
        exit(2);
    return memset(p, 0x40, (count + 1) * size); /* numbers that no result may contain */
}}

static void *taken(size_t count, size_t size)
{{
    void *p = block(count, size);
    if (fread(p, size, count, stdin) != count)
        exit(3);
    return p;
}}

static void give(const void *p, size_t count, size_t size)
{{
    if (fwrite(p, size, count, stdout) != count)
        exit(4);
}}
"""

_PRECISION = """
static const {real} *halved_{p}({real} *numbers, size_t count)
{{
    for (size_t i = 0; i < count; ++i)
        numbers[i] /= 2;
    return numbers;
}}

static void run_{p}(const char *mode, {name}_dims dims, int with_state)
{{
    const size_t outputs = dims.steps * dims.rows * {output}, inputs = dims.steps * dims.rows * {input};
    const size_t states = dims.rows * ({states}), size = sizeof({real});
    {name}_{p}_params params;
    {name}_{p}_grads grads;
    size_t n;
{parameters}
    const {real} *const x = taken(inputs, size);
    {real} *const given = with_state ? taken(states, size) : NULL;
    {real} *const y = block(outputs, size), *const last = block(states, size);
    CALL({name}_{p}_packed_size(&dims, &n));
    {real} *const packed = block(n, size);
    CALL({name}_{p}_pack(&dims, &params, packed, NULL, 0, 1));
    if (!strcmp(mode, "infer")) {{
        CALL({name}_{p}_infer_workspace_size(&dims, 1, &n));
        CALL({name}_{p}_infer(&dims, packed, x, given, y, last, block(n, size), 0, 1, NULL));
        give(y, outputs, size);
        give(last, states, size);
        return;
    }}
    if (!strcmp(mode, "step")) {{
        CALL({name}_{p}_infer_workspace_size(&dims, 1, &n));
        CALL({name}_{p}_step(&dims, packed, x, given, y, block(n, size)));
        give(y, outputs, size);
        give(given, states, size);
        return;
    }}
    size_t numbers;
    CALL({name}_{p}_tape_size(&dims, &numbers));
    if (!strcmp(mode, "forward")) {{
        {real} *const tape = block(numbers, size);
        CALL({name}_{p}_forward_workspace_size(&dims, 1, &n));
        CALL({name}_{p}_forward(&dims, packed, x, given, y, last, tape, block(n, size), 0, 1, NULL));
        give(y, outputs, size);
        give(last, states, size);
        give(tape, numbers, size);
        return;
    }}
    const {real} *const tape = taken(numbers, size), *const dy = taken(outputs, size);
    {real} *const dx = block(inputs, size), *const first = block(states, size);
    CALL({name}_{p}_backward_workspace_size(&dims, 1, &n));
    /* Written the first time, added the second: twice the gradients. */
    for (size_t accumulate = 0; accumulate < 2; ++accumulate)
        CALL({name}_{p}_backward(&dims, packed, x, tape, dy, given, &grads, dx, first, block(n, size), accumulate, 0, 1,
                                 NULL));
{gradients}
    give(dx, inputs, size);
    give(first, states, size);
}}
"""

_MAIN = """
int main(int count, char **words)
{{
    if (count != 8 + {number} || !{name}_cpu_supported())
        return 1;
    {name}_dims dims = {{0}};
    dims.steps = strtoul(words[3], NULL, 10);
    dims.rows = strtoul(words[4], NULL, 10);
    dims.reverse = words[5][0] == '1';
{sizes}
    if (words[6][0] == '1')
        dims.lengths = taken(dims.rows, sizeof(size_t));
    if (!strcmp(words[2], "float32"))
        run_f32(words[1], dims, words[7][0] == '1');
    else
        run_f64(words[1], dims, words[7][0] == '1');
    return 0;
}}
"""


def driver(cell: Cell) -> str:
    """The program, to be compiled with the cell's source.

    Its arguments: ``forward``, ``infer``, ``step`` or ``backward``; the dtype; steps; rows; whether rows run backwards,
    have lengths, have states (for ``backward``: gradients by the final states); and the sizes in the cell's order.
    """
    width = {size: f"dims.{size}" for size in cell.sizes} | {ONE: "1"}
    parts = [_HEAD.format(name=cell.name)]
    for p, real in REALS.items():
        counts = {v.name: " * ".join(width[size] for size in v.shape) for v in cell.parameters}
        read = [f"    params.{n} = taken({c}, size);\n    grads.{n} = block({c}, size);" for n, c in counts.items()]
        parts.append(
            _PRECISION.format(
                name=cell.name,
                p=p,
                real=real,
                output=width[cell.size(cell.output)],
                input=width[cell.size("x")],
                states=" + ".join(width[cell.size(state)] for state in cell.states),
                parameters="\n".join(read),
                gradients="\n".join(f"    give(halved_{p}(grads.{n}, {c}), {c}, size);" for n, c in counts.items()),
            )
        )
    sizes = [f"    dims.{size} = strtoul(words[{place}], NULL, 10);" for place, size in enumerate(cell.sizes, 8)]
    parts.append(_MAIN.format(name=cell.name, number=len(sizes), sizes="\n".join(sizes)))
    return "".join(parts)


@dataclass(frozen=True)
class DriverTape:
    """What a forward pass returned, and what it was given."""

    states: Arrays
    numbers: Array
    x: Array
    lengths: Array | None
    reverse: bool


@dataclass(frozen=True)
class DriverGradients:
    """Gradients by what they belong to."""

    params: Arrays
    x: Array
    state: Arrays


class DriverStream:
    """Steps with the state kept here."""

    def __init__(self, kernels: DriverKernels, packed: Arrays, batch: int) -> None:
        dtype = np.result_type(*packed.values())
        shapes = kernels.state_shapes(batch, kernels.sizes_of(packed, None))
        self._kernels, self._packed = kernels, packed
        self.state: Arrays = {name: np.zeros(shape, dtype) for name, shape in shapes.items()}

    def __call__(self, x_t: Array) -> Array:
        y, self.state = self._kernels.step(self._packed, x_t, self.state)
        return y


class DriverKernels:
    """Kernels behind the program.

    Args:
        cell: whose program it is.
        command: what starts it.
        size: the whole number that is its ``size_t``.
    """

    def __init__(self, cell: Cell, command: Sequence[str], size: str = "uint64") -> None:
        self._cell, self._command, self._size = cell, tuple(command), np.dtype(size)

    def param_shapes(self, input_size: int, hidden_size: int, **sizes: int) -> dict[str, tuple[int, ...]]:
        numbers = {INPUT: input_size, HIDDEN: hidden_size, ONE: 1, **sizes}
        return {v.name: tuple(numbers[size] for size in v.shape) for v in self._cell.parameters}

    def pack(self, params: Arrays) -> Arrays:
        return params

    def sizes_of(self, params: Arrays, x: Array | None) -> dict[str, int]:
        """A number for each size, from parameters and input."""
        found = dict.fromkeys(self._cell.sizes, 1)
        for variable in self._cell.parameters:
            found |= zip(variable.shape, params[variable.name].shape, strict=True)
        if x is not None:
            found[self._cell.size("x")] = x.shape[2]
        return {size: found[size] for size in self._cell.sizes}

    def state_shapes(self, batch: int, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        numbers = {**sizes, ONE: 1}
        by_name = self._cell.by_name
        return {name: (batch, numbers[by_name[name + PRIME].shape[0]]) for name in self._cell.states}

    def forward(
        self, params: Arrays, x: Array, state: Any = None, lengths: Any = None, reverse: bool = False
    ) -> tuple[Array, Arrays, DriverTape]:
        steps, batch = x.shape[:2]
        y, final, numbers = self._outputs("forward", params, x, state, lengths, reverse)
        states, start = {}, 0
        for name, shape in self.state_shapes(batch, self.sizes_of(params, x)).items():
            count = (steps + 1) * math.prod(shape)
            states[name] = numbers[start : start + count].reshape(steps + 1, *shape)
            start += -(-count // 16) * 16
        return y, final, DriverTape(states, numbers, x, lengths, reverse)

    def infer(
        self, params: Arrays, x: Array, state: Any = None, lengths: Any = None, reverse: bool = False
    ) -> tuple[Array, Arrays]:
        return self._outputs("infer", params, x, state, lengths, reverse)[:2]

    def step(self, params: Arrays, x_t: Array, state: Any = None) -> tuple[Array, Arrays]:
        shapes = self.state_shapes(x_t.shape[0], self.sizes_of(params, x_t[np.newaxis]))
        state = state or {name: np.zeros(shape) for name, shape in shapes.items()}
        y, final, _ = self._outputs("step", params, x_t[np.newaxis], state, None, reverse=False)
        return y[0], final

    def stream(self, packed: Arrays, batch: int = 1) -> DriverStream:
        return DriverStream(self, packed, batch)

    def backward(self, params: Arrays, tape: DriverTape, dy: Array, dstate: Any = None) -> DriverGradients:
        x = tape.x
        found = self._call("backward", params, x, dstate, tape.lengths, tape.reverse, (tape.numbers, dy))
        by_parameter = {v.name: _next(found, params[v.name].shape) for v in self._cell.parameters}
        dx = _next(found, x.shape)
        shapes = self.state_shapes(x.shape[1], self.sizes_of(params, x))
        return DriverGradients(by_parameter, dx, {name: _next(found, shape) for name, shape in shapes.items()})

    def _outputs(
        self, mode: str, params: Arrays, x: Array, state: Any, lengths: Any, reverse: bool
    ) -> tuple[Array, Arrays, Array]:
        """Outputs, final states, and the numbers that follow them."""
        found = self._call(mode, params, x, state, lengths, reverse, ())
        sizes = self.sizes_of(params, x)
        shapes = self.state_shapes(x.shape[1], sizes)
        y = _next(found, (*x.shape[:2], shapes[self._cell.output][1]))
        final = {name: _next(found, shape) for name, shape in shapes.items()}
        return y, final, found[0]

    def _call(
        self, mode: str, params: Arrays, x: Array, state: Any, lengths: Any, reverse: bool, more: Sequence[Array]
    ) -> list[Array]:
        """All numbers that the program returns, in a list of one array."""
        flags = [str(int(flag)) for flag in (reverse, lengths is not None, state is not None)]
        sizes = [str(number) for number in self.sizes_of(params, x).values()]
        words = [mode, str(x.dtype), *map(str, x.shape[:2]), *flags, *sizes]
        states = [] if state is None else [state[name] for name in self._cell.states]
        arrays = [*(params[v.name] for v in self._cell.parameters), x, *states, *more]
        sent = b"" if lengths is None else np.asarray(lengths, self._size).tobytes()
        sent += b"".join(np.ascontiguousarray(array, x.dtype).tobytes() for array in arrays)
        done = subprocess.run([*self._command, *words], input=sent, capture_output=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr.decode()}"
        return [np.frombuffer(done.stdout, x.dtype)]


def _next(found: list[Array], shape: Sequence[int]) -> Array:
    """The next array of what the program returned."""
    count = math.prod(shape)
    assert found[0].size >= count, f"the program returned {found[0].size} numbers where {shape} were expected"
    array, found[0] = found[0][:count].reshape(shape), found[0][count:]
    return array
