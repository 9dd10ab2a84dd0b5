"""The NumPy module of a cell: the public surface over plain array code, stage by stage.

Reads a `Program`; returns the text of ``<cell>_numpy.py``, which needs NumPy and nothing else. Leaves out: expressions
(`symrnn.emit.numpy_expression`) and the lines of a stage (`symrnn.emit.numpy_stages`).
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.emit.numpy_expression import helpers
from symrnn.emit.numpy_stages import NumpyNames, Panel, StagePrinter
from symrnn.emit.render import render
from symrnn.language.functions import FUNCTIONS
from symrnn.language.names import Allocator
from symrnn.language.system import Role
from symrnn.language.tree import PRIME, Call, walk
from symrnn.plan.program import Buffer, Extent, Function, Kind, Place, Program

_LOCALS = [
    "np",
    "p",
    "v",
    "x",
    "y",
    "T",
    "B",
    "t",
    "rows",
    "idle",
    "later",
    "sums",
    "dtype",
    "state",
    "states",
    "tape",
    "taped",
    "first",
    "last",
    "reverse",
    "dy",
    "order",
    "step",
    "now",
    "after",
    "G",
    "grads",
    "params",
    "lengths",
    "final",
    "abs",
    "sum",
    "len",
    "range",
    "zip",
    "enumerate",
    "dict",
    "tuple",
    "list",
    "isinstance",
    "float",
    "int",
    "bool",
    "max",
    "min",
]


@dataclass(frozen=True)
class Part:
    """A buffer as an array: its name, the Python expression of its width, whether it shrinks without a tape."""

    name: str
    width: str
    shrinks: bool
    step: bool
    taped: bool


@dataclass(frozen=True)
class StateArray:
    """A state: its name, the Python expression of its size, and its part in a tangent."""

    name: str
    size: str


@dataclass(frozen=True)
class Gradient:
    """A line that adds to a parameter's gradient."""

    parameter: str
    text: str


@dataclass(frozen=True)
class Code:
    """One function: the bodies of its phases and the arrays it works on."""

    inputs: tuple[str, ...]
    states: tuple[StateArray, ...]
    parts: tuple[Part, ...]
    once: tuple[str, ...]
    before: tuple[str, ...]
    loop: tuple[str, ...]
    last: tuple[str, ...]
    after: tuple[str, ...]
    panels: tuple[Panel, ...]
    output_size: str
    gradients: tuple[str, ...] = ()
    has_dx: bool = False


@dataclass(frozen=True)
class Parameter:
    """A parameter: its shape in size names, and how it is initialised."""

    name: str
    shape: tuple[str, ...]
    init: str


@dataclass(frozen=True)
class Surface:
    """What both generated modules of a cell say about it."""

    name: str
    title: str
    reference: str
    equations: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    states: tuple[tuple[str, str], ...]
    output: str
    output_size: str
    extra_sizes: tuple[str, ...]
    input_is_hidden: bool
    analytic: bool
    input_size: str


def surface(program: Program) -> Surface:
    """The cell as its generated modules describe it."""
    cell = program.cell
    nodes = [part for equation in cell.equations for part in walk(equation.expression)]
    return Surface(
        name=cell.name,
        title=cell.title or cell.name,
        reference=cell.reference,
        equations=tuple(line for line in cell.text.strip().splitlines()),
        parameters=tuple(Parameter(v.name, v.shape, cell.init.get(v.name, "uniform")) for v in cell.parameters),
        states=tuple((state, cell.size(state)) for state in cell.states),
        output=cell.output,
        output_size=cell.size(cell.output),
        extra_sizes=cell.sizes[2:],
        input_is_hidden=cell.input_is_hidden,
        analytic=all(FUNCTIONS[node.function].analytic for node in nodes if isinstance(node, Call)),
        input_size=cell.size("x"),
    )


def numpy_module(program: Program) -> str:
    """The text of ``<cell>_numpy.py``."""
    nodes = [s.expression for f in program.functions for stage in f.stages for s in stage.statements]
    context = {
        "s": surface(program),
        "helpers": helpers(nodes),
        "forward": _Writer(program, program.forward).code(),
        "tangent": _Writer(program, program.tangent).code(),
        "tangent_of": {v.name: v.of for v in program.tangent.system.variables if v.of},
        "backward": _Writer(program, program.backward).code() if program.backward else False,
    }
    return render("python/numpy.py.jinja", context)


class _Writer:
    def __init__(self, program: Program, function: Function) -> None:
        self._program, self._function = program, function
        self._buffers: dict[str, Buffer] = (
            {} if function is program.tangent else {b.name: b for b in program.forward.buffers}
        )
        self._buffers |= {b.name: b for b in function.buffers}
        sizes = {size: f'p["size {size}"]' for size in program.cell.sizes}
        stems = [*self._buffers, *(v.name for v in function.system.variables if v.role is Role.INPUT)]
        arrays = [f"{stem}{suffix}" for stem in stems for suffix in ("", "_t", "_rows")]
        for state, _ in function.states:
            arrays += [f"{state}{suffix}" for suffix in ("_states", "_now_t", "_next_t", "_now_rows", "_next_rows")]
            arrays += [f"carry_{state}", f"gradient_{state}"]
        allocator = Allocator((*_LOCALS, *arrays))
        values: dict[str, str] = {}
        for name in (*function.sizes, *(local for stage in function.stages for local in stage.local)):
            if name not in values:
                stem = name.removesuffix(PRIME)
                values[name] = allocator.fresh(f"{stem}_next" if stem != name else stem)
        self._names = NumpyNames(values, {**sizes, "1": "1"})
        self._printer = StagePrinter(function, self._buffers, self._names)

    def code(self) -> Code:
        function, printer = self._function, self._printer
        by_name = function.system.by_name
        inputs = tuple(v.name for v in function.system.variables if v.role is Role.INPUT)
        size = self._program.cell.by_name
        states = tuple(
            StateArray(
                state, self._names.sizes[function.sizes[state] if state in function.sizes else size[state].shape[0]]
            )
            for state, _ in function.states
        )
        once = printer.phase(function.once, "", masked=False)
        before = printer.phase(function.before, "_rows")
        loop = printer.phase(function.loop, "_t")
        last = printer.phase(function.last, "_t", masked=False)
        after = printer.phase(function.after, "_rows")
        has_dx = any(w.place == Place(Kind.GRADIENT, "x") for stage in function.after for w in stage.writes)
        assert not by_name or inputs or function.name == "backward"
        return Code(
            inputs, states, self._parts(), once, before, loop, last, after, tuple(printer.panels),
            self._names.sizes[self._program.cell.size(self._program.cell.output)],
            self._gradients(), has_dx,
        )  # fmt: skip

    def _parts(self) -> tuple[Part, ...]:
        return tuple(
            Part(
                buffer.name,
                self._printer.total([column.size for column in buffer.columns]),
                buffer.taped and not buffer.spans,
                buffer.extent is Extent.STEP,
                buffer.taped,
            )
            for buffer in self._function.buffers
            if buffer.extent is not Extent.ONCE
        )

    def _gradients(self) -> tuple[str, ...]:
        """Lines that fill ``grads`` from what the loop stored: one matrix product per stacked group."""
        lines: list[str] = []
        seen: set[str] = set()
        for product in self._function.products:
            right = self._printer.view(product.right, self._function.places[product.right], "_rows")
            for run in self._adjacent(product.entries):
                lefts = [left for _, left in run]
                lines.append(f"G = {self._stack(lefts)}.T @ {right}")
                sizes: list[str] = []
                for parameter, left in run:
                    size = self._function.sizes[left]
                    part = f"G[{self._printer.total(sizes)}:{self._printer.total([*sizes, size])}]"
                    sizes.append(size)
                    lines.append(self._add(parameter, part, seen))
        for item in self._function.sums:
            view = self._printer.view(item.value, self._function.places[item.value], "_rows")
            lines.append(self._add(item.parameter, f"{view}.sum(axis=0)", seen))
        return tuple(lines)

    def _add(self, parameter: str, text: str, seen: set[str]) -> str:
        known = parameter in seen
        seen.add(parameter)
        return f'grads["{parameter}"] = ' + (f'grads["{parameter}"] + {text}' if known else text)

    def _adjacent(self, entries: tuple[tuple[str, str], ...]) -> list[list[tuple[str, str]]]:
        """Entries as runs whose left values are neighbouring columns of one buffer."""
        runs: list[list[tuple[str, str]]] = []
        for entry in entries:
            if runs and self._follows(runs[-1][-1][1], entry[1]):
                runs[-1].append(entry)
            else:
                runs.append([entry])
        return runs

    def _follows(self, left: str, right: str) -> bool:
        places = self._function.places
        if places[left].kind is not Kind.BUFFER or places[left] != places[right]:
            return False
        columns = [column.value for column in self._buffers[places[left].array].columns]
        return columns[columns.index(left) + 1 : columns.index(left) + 2] == [right]

    def _stack(self, lefts: list[str]) -> str:
        place = self._function.places[lefts[0]]
        if len(lefts) == 1:
            return self._printer.view(lefts[0], place, "_rows")
        start = self._printer.columns(lefts[0], place.array).split(":")[0]
        end = self._printer.columns(lefts[-1], place.array).split(":")[1]
        return f"{place.array}_rows[:, {start}:{end}]"
