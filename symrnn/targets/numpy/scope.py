"""Where the code of one phase finds its arrays: a local name for each view, bound before it is used.

Reads spots; returns names, and collects the lines that bind them: once before the phase, or in each step. Leaves out:
what is computed (`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from symrnn.emit.python_names import identifier, joint
from symrnn.emit.python_text import INDENT, span
from symrnn.language.identifiers import Allocator
from symrnn.language.system import INPUT
from symrnn.plan.program import Kind
from symrnn.plan.size import Count
from symrnn.targets.numpy.compile import Compiled, CompiledPhase
from symrnn.targets.numpy.ir import NEW_CARRY, SCRATCH, Array, Spot
from symrnn.targets.numpy.names import shape, width
from symrnn.targets.numpy.side_by_side import Given

STEPS, ROWS, DTYPE = "T", "B", "dtype"
"""Locals of every function: the steps, the rows of a step, the dtype that it runs in."""


class Locals:
    """The names of one function: sizes, arrays that live as long as it runs, and its arguments.

    Printers take names from here, so that `used` knows which of them the function has to bind.

    Args:
        compiled: the routine that the function runs.
        letters: the local of every size name.
        allocator: of further locals.
        later: the buffers with rows for one more step, after the last.
        given: inputs, outputs and their gradients.
        inputs: the size of the input in code.
    """

    def __init__(
        self,
        compiled: Compiled,
        letters: Mapping[str, str],
        allocator: Allocator,
        later: frozenset[str],
        given: Given,
        inputs: str,
    ) -> None:
        self._inputs = inputs
        self.compiled, self.letters, self.allocator, self._later = compiled, letters, allocator, later
        self.used: set[str] = set()
        self.given = given
        self.buffers = {name: allocator.fresh(f"{name}_all") for name in compiled.buffers}
        self.states: dict[str, tuple[str, str]] = {}
        for state, _ in compiled.routine.states:
            stem = identifier(state)
            self.states[state] = (allocator.fresh(f"{stem}_states"), allocator.fresh(f"{stem}_at"))
        self.carries = {
            state: (allocator.fresh(f"carry_{state}"), allocator.fresh(f"carry_{state}_next"))
            for state, _ in compiled.routine.states
            if Array(Kind.CARRY, state) in compiled.columns
        }

    def use(self, name: str) -> str:
        """``name``, which the function has to bind."""
        self.used.add(name)
        return name

    def buffer(self, name: str) -> str:
        """The local of a buffer."""
        return self.use(self.buffers[name])

    def state(self, name: str) -> str:
        """The local of a state over time."""
        return self.use(self.states[name][0])

    def state_at(self, name: str) -> str:
        """The local of the list of a state's rows before each step."""
        return self.use(self.states[name][1])

    def steps(self, name: str) -> str:
        """The number of steps of a buffer, in code."""
        return f"{self.use(STEPS)} + 1" if self.has_later(name) else self.use(STEPS)

    def has_later(self, name: str) -> bool:
        """Whether a buffer has rows for one more step, after the last."""
        return name in self._later

    def hint(self, value: str) -> str:
        """The preferred name of ``value``, without a number that only another function needs."""
        return identifier(self.compiled.stems.get(value, value))

    def hints(self, values: Sequence[str]) -> list[str]:
        """The same of several."""
        return [self.hint(value) for value in values]

    def size(self, name: str) -> str:
        """A size in code."""
        return self._inputs if name == INPUT else self.use(self.letters[name])

    def number(self, count: Count) -> str:
        """A number that depends on sizes, in code."""
        return count.spelt(self.size)

    def width(self, values: Sequence[str]) -> Count:
        """The columns of ``values`` together."""
        return width(self.compiled.sizes[value] for value in values)

    def new(self, rows: str, values: Sequence[str]) -> str:
        """A new array of ``values`` side by side, in code; ``rows`` come before its columns."""
        return f"np.empty(({rows}, {self.number(self.width(values))}), {self.use(DTYPE)})"


class Order(IntEnum):
    """The order in which locals are bound before a loop: arrays, their columns, lists with an entry for each step."""

    ARRAY = 0
    COLUMNS = 1
    STEPS = 2


@dataclass(frozen=True)
class Binding:
    """A statement that binds a local."""

    order: Order
    code: str


class Scope:
    """The views of one phase.

    Attributes:
        before: the locals bound before the phase, in the order of their first use.
        step: (name, expression) pairs that each step binds.
        is_loop: whether it runs for each step.

    Args:
        names: of the function.
        phase: whose values they are.
        spans: whether its arrays have the rows of all steps.
        loop: as `is_loop`.
    """

    def __init__(self, names: Locals, phase: CompiledPhase, *, spans: bool = False, loop: bool = False) -> None:
        self._names, self._phase, self._spans, self.is_loop = names, phase, spans, loop
        self._bound: dict[tuple[Spot, bool], str] = {}
        self._lists: dict[Spot, str] = {}
        self.before: list[Binding] = []
        self.step: list[tuple[str, str]] = []

    def rows(self) -> str:
        """The rows of its arrays, in code."""
        rows = self._names.use(ROWS)
        return f"{self._names.use(STEPS)} * {rows}" if self._spans else rows

    def columns(self, array: Array) -> tuple[str, ...]:
        """The values side by side in ``array``."""
        if array in self._phase.scratch:
            return self._phase.scratch[array].columns
        return self._names.compiled.columns[array]

    def is_whole(self, spot: Spot) -> bool:
        """Whether ``spot`` is a whole contiguous array, so that BLAS may write to it."""
        return self._has_all(spot) and spot.array.kind not in (Kind.NEXT, Kind.OUTPUT)

    def _has_all(self, spot: Spot) -> bool:
        return len(self.columns(spot.array)) == spot.last + 1 - spot.first

    def is_taped(self, spot: Spot, values: Sequence[str]) -> bool:
        """Whether the backward pass reads ``values``; False for temporaries in the place of a later value."""
        taped = spot.array.kind == Kind.BUFFER and self._names.compiled.buffers[spot.array.name].taped
        return taped and set(values) <= set(self.columns(spot.array))

    def view(self, spot: Spot, *, later: bool = False) -> str:
        """The local that holds ``spot``; ``later`` for that of the loop's previous iteration."""
        key = (spot, later)
        if key not in self._bound:
            self._bound[key] = self._bind(spot, later)
        return self._bound[key]

    def whole(self, array: Array) -> str:
        """The local of all columns of ``array``."""
        return self.view(Spot(array, 0, len(self.columns(array)) - 1))

    def _hint(self, spot: Spot) -> str:
        return joint(self._names.hints(self.columns(spot.array)[spot.first : spot.last + 1]))

    def _bind(self, spot: Spot, later: bool) -> str:
        match spot.array.kind:
            case kind if kind == SCRATCH:
                return self._bind_scratch(spot)
            case Kind.BUFFER:
                return self._bind_later(spot) if later else self._bind_buffer(spot)
            case kind if kind == NEW_CARRY:
                return self._names.carries[spot.array.name][1]
            case Kind.STATE | Kind.NEXT:
                return self._bind_state(spot)
            case Kind.INPUT | Kind.SEED | Kind.OUTPUT:
                return self._bind_given(spot)
            case Kind.CARRY:
                return self._names.carries[spot.array.name][0]
            case _:
                return self._empty(spot)

    def fresh(self, hint: str) -> str:
        """A free name."""
        return self._names.allocator.fresh(hint)

    def bind(self, order: Order, name: str, code: str) -> str:
        """Bind ``name`` before the phase; returns it."""
        self.before.append(Binding(order, f"{name} = {code}"))
        return name

    def _empty(self, spot: Spot) -> str:
        return self.empty(self.fresh(self._hint(spot)), self.columns(spot.array))

    def empty(self, name: str, values: Sequence[str]) -> str:
        """Make an array called ``name`` for ``values`` side by side; returns the name."""
        return self.bind(Order.ARRAY, name, self._names.new(self.rows(), values))

    def _index(self, spot: Spot, before: str) -> str:
        """The index of the columns behind that of the axes ``before``; empty for all of them."""
        if self._has_all(spot):
            return ""
        values = self.columns(spot.array)
        first, last = (self._names.number(self._names.width(values[:end])) for end in (spot.first, spot.last + 1))
        return f"[{before}, {span(first, last)}]"

    def _flat(self, spot: Spot, array: str) -> str:
        """All steps' rows of all columns below one another."""
        return f"{array}.reshape({self.rows()}, {self._names.number(self._names.width(self.columns(spot.array)))})"

    def _bind_scratch(self, spot: Spot) -> str:
        if self._has_all(spot):
            return self._empty(spot)
        array = self.whole(spot.array)
        return self.bind(Order.COLUMNS, self.fresh(self._hint(spot)), f"{array}{self._index(spot, ':')}")

    def _bind_buffer(self, spot: Spot) -> str:
        hint = self._hint(spot)
        if self.is_loop:
            name = self.fresh(hint)
            self.step.append((name, f"{self._over_steps(spot)}[t]"))
            return name
        if not self._has_all(spot):
            array, name = self.whole(spot.array), self.fresh(f"{hint}_rows")
            return self.bind(Order.COLUMNS, name, f"{array}{self._index(spot, ':')}")
        array = self._names.buffer(spot.array.name)
        if self._names.has_later(spot.array.name):
            array = f"{array}[:{self._names.use(STEPS)}]"
        return self.bind(Order.COLUMNS, self.fresh(f"{hint}_rows"), self._flat(spot, array))

    def _over_steps(self, spot: Spot) -> str:
        """The list of the views of every step."""
        if spot not in self._lists:
            array, steps = self._names.buffer(spot.array.name), self._names.steps(spot.array.name)
            name = self._lists[spot] = self.fresh(f"{self._hint(spot)}_at")
            self.bind(Order.STEPS, name, f"_steps({array}{self._index(spot, ':, :')}, {steps})")
        return self._lists[spot]

    def _bind_later(self, spot: Spot) -> str:
        if self.is_loop:
            name = self.fresh(f"{self._hint(spot)}_later")
            self.step.append((name, f"{self._over_steps(spot)}[t + 1]"))
            return name
        name, array = self.fresh(f"{self._hint(spot)}_first"), self._names.buffer(spot.array.name)
        return self.bind(Order.COLUMNS, name, f"{array}{self._index(spot, '0, :') or '[0]'}")

    def _bind_state(self, spot: Spot) -> str:
        state, after = spot.array.name, spot.array.kind == Kind.NEXT
        name = self.fresh(self._hint(spot) + ("" if self.is_loop else "_rows"))
        if self.is_loop:
            self.step.append((name, f"{self._names.state_at(state)}[{'t + 1' if after else 't'}]"))
            return name
        steps = "1:" if after else f":{self._names.use(STEPS)}"
        return self.bind(Order.COLUMNS, name, self._flat(spot, f"{self._names.state(state)}[{steps}]"))

    def _bind_given(self, spot: Spot) -> str:
        """An input, an output or the gradient of one, by the name of the function's argument or of its columns."""
        array = self._names.given.names[spot.array]
        name = self.fresh(f"{array}_t" if self.is_loop else f"{array}_rows")
        if self.is_loop:
            self.step.append((name, f"{array}[t]"))
            return name
        return self.bind(Order.COLUMNS, name, self._flat(spot, array))

    def shape(self, spot: Spot) -> str:
        """The shape as comments give it."""
        values = self.columns(spot.array)[spot.first : spot.last + 1]
        rows = f"{STEPS} {ROWS}" if self._spans else ROWS
        return shape(rows, self._names.width(values), letters=self._names.letters)


def bindings(pairs: Sequence[tuple[str, str]], depth: int, most: int = 100) -> list[str]:
    """Assignments, several to a line if they fit into ``most`` columns."""
    lines: list[str] = []
    part: list[tuple[str, str]] = []

    def line() -> str:
        return INDENT * depth + ", ".join(n for n, _ in part) + " = " + ", ".join(e for _, e in part)

    for pair in pairs:
        part.append(pair)
        if len(part) > 1 and len(line()) > most:
            part.pop()
            lines.append(line())
            part[:] = [pair]
    return [*lines, line()] if part else lines
