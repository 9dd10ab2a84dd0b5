"""Where the code of one phase finds its arrays: a local name for each view, bound before it is used.

Reads spots; returns names, and collects the lines that bind them: once before the phase, or in each step. Leaves out:
what is computed (`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symrnn.emit.python_text import span
from symrnn.language.names import Allocator
from symrnn.plan.program import Kind
from symrnn.targets.numpy.compile import Compiled, Phase
from symrnn.targets.numpy.ir import Spot
from symrnn.targets.numpy.names import identifier, in_code, joint, shape, total, unnumbered


class Locals:
    """The names of one function: sizes, arrays that live as long as it runs, and what it was given.

    Args:
        compiled: the function.
        sizes: the local of every size name.
        given: what names of values must avoid.
        steps: the expression of the number of steps of a buffer, by name; ``T`` where there is none.
    """

    def __init__(
        self, compiled: Compiled, sizes: dict[str, str], allocator: Allocator, steps: Mapping[str, str]
    ) -> None:
        self.compiled, self.sizes, self.allocator, self.steps = compiled, sizes, allocator, steps
        self.buffers = {name: allocator.fresh(f"{name}_all") for name in compiled.buffers}
        self.states: dict[str, tuple[str, str]] = {}
        for state, _ in compiled.function.states:
            stem = identifier(state)
            self.states[state] = (allocator.fresh(f"{stem}_states"), allocator.fresh(f"{stem}_at"))
        self.carries = {
            state: (allocator.fresh(f"carry_{state}"), allocator.fresh(f"carry_{state}_next"))
            for state, _ in compiled.function.states
            if f"{Kind.CARRY} {state}" in compiled.columns
        }

    def hint(self, value: str) -> str:
        """What ``value`` should be called; a number that another function's names have made needful goes."""
        return unnumbered(value, self.compiled.function.system.by_name)

    def widths(self, values: Sequence[str]) -> str:
        """The columns of ``values`` together."""
        return in_code(total([self.compiled.sizes[value] for value in values], self.sizes))


class Scope:
    """The views of one phase.

    Attributes:
        before: lines that stand before the phase.
        step: (name, expression) pairs that each step binds.
        is_loop: whether it runs for each step.

    Args:
        names: of the function.
        phase: whose values they are.
        rows: ``B`` for the rows of a step, ``T * B`` for those of all steps.
        loop: as `is_loop`.
    """

    def __init__(self, names: Locals, phase: Phase, rows: str, *, loop: bool) -> None:
        self._names, self._phase, self.rows, self.is_loop = names, phase, rows, loop
        self._bound: dict[tuple[str, int, int, bool], str] = {}
        self.before: list[str] = []
        self.step: list[tuple[str, str]] = []

    def columns(self, array: str) -> tuple[str, ...]:
        """The values side by side in ``array``."""
        if array in self._phase.scratch:
            return self._phase.scratch[array].columns
        return self._names.compiled.columns[array]

    def is_whole(self, spot: Spot) -> bool:
        """Whether ``spot`` is all of an array whose rows lie one after the other, so that BLAS may write to it."""
        kind = spot.array.split()[0]
        return len(self.columns(spot.array)) == spot.last + 1 - spot.first and kind != Kind.NEXT

    def is_taped(self, spot: Spot, values: Sequence[str]) -> bool:
        """Whether the backward pass reads ``values``, which are not temporaries on the way to what lies there."""
        buffer = self._names.compiled.buffers.get(spot.array)
        return buffer is not None and buffer.taped and set(values) <= set(self.columns(spot.array))

    def view(self, spot: Spot, *, later: bool = False) -> str:
        """The local that holds ``spot``; ``later`` for that of the loop's previous iteration."""
        key = (spot.array, spot.first, spot.last, later)
        if key not in self._bound:
            self._bound[key] = self._bind(spot, later)
        return self._bound[key]

    def whole(self, array: str) -> str:
        """The local of all columns of ``array``."""
        return self.view(Spot(array, 0, len(self.columns(array)) - 1))

    def _hint(self, spot: Spot) -> str:
        return joint([self._names.hint(value) for value in self.columns(spot.array)[spot.first : spot.last + 1]])

    def _bind(self, spot: Spot, later: bool) -> str:
        kind, _, of = spot.array.partition(" ")
        if spot.array in self._phase.scratch:
            return self._bind_scratch(spot)
        if spot.array in self._names.buffers:
            return self._bind_later(spot) if later else self._bind_buffer(spot)
        if spot.array.startswith("new carry"):
            return self._names.carries[spot.array.removeprefix("new carry ")][1]
        match kind:
            case Kind.STATE | Kind.NEXT:
                return self._bind_state(spot, of, kind == Kind.NEXT)
            case Kind.INPUT | Kind.SEED:
                return self._bind_given(spot)
            case Kind.CARRY:
                return self._names.carries[of][0]
            case _:
                return self._empty(spot)

    def fresh(self, hint: str) -> str:
        """A free name."""
        return self._names.allocator.fresh(hint)

    def _empty(self, spot: Spot) -> str:
        name = self.fresh(self._hint(spot))
        self.empty(name, self.columns(spot.array))
        return name

    def empty(self, name: str, values: Sequence[str]) -> None:
        """Make an array called ``name`` for ``values`` side by side."""
        width = self._names.widths(values)
        self.before += [f"{name} = np.empty(({self.rows}, {width}), dtype)"]

    def _slice(self, spot: Spot) -> str:
        """The columns as an index, empty for all of them."""
        values = self.columns(spot.array)
        if len(values) == spot.last + 1 - spot.first:
            return ""
        return span(self._names.widths(values[: spot.first]), self._names.widths(values[: spot.last + 1]))

    def _bind_scratch(self, spot: Spot) -> str:
        columns = self._slice(spot)
        if not columns:
            return self._empty(spot)
        array = self.whole(spot.array)
        name = self.fresh(self._hint(spot))
        self.before += [f"{name} = {array}[:, {columns}]"]
        return name

    def _bind_buffer(self, spot: Spot) -> str:
        array, columns, hint = self._names.buffers[spot.array], self._slice(spot), self._hint(spot)
        if self.is_loop:
            name = self.fresh(hint)
            self.step.append((name, f"{self._over_steps(spot)}[t]"))
            return name
        if columns:
            whole, name = self.whole(spot.array), self.fresh(f"{hint}_rows")
            self.before += [f"{name} = {whole}[:, {columns}]"]
            return name
        name = self.fresh(f"{hint}_rows")
        steps = "[:T]" if spot.array in self._names.steps else ""
        width = self._names.widths(self.columns(spot.array))
        self.before += [f"{name} = {array}{steps}.reshape(T * B, {width})"]
        return name

    def _over_steps(self, spot: Spot) -> str:
        """The list of the views of every step."""
        key = (f"{spot.array} at", spot.first, spot.last, False)
        if key not in self._bound:
            array, columns = self._names.buffers[spot.array], self._slice(spot)
            steps = self._names.steps.get(spot.array, "T")
            name = self._bound[key] = self.fresh(f"{self._hint(spot)}_at")
            self.before += [f"{name} = _steps({array}{f'[:, :, {columns}]' if columns else ''}, {steps})"]
        return self._bound[key]

    def _bind_later(self, spot: Spot) -> str:
        if self.is_loop:
            name = self.fresh(f"{self._hint(spot)}_later")
            self.step.append((name, f"{self._over_steps(spot)}[t + 1]"))
            return name
        columns = self._slice(spot)
        name = self.fresh(f"{self._hint(spot)}_first")
        array = self._names.buffers[spot.array]
        self.before += [f"{name} = {array}[0{f', :, {columns}' if columns else ''}]"]
        return name

    def _bind_state(self, spot: Spot, state: str, after: bool) -> str:
        states, at = self._names.states[state]
        name = self.fresh(self._hint(spot) + ("" if self.is_loop else "_rows"))
        if self.is_loop:
            self.step.append((name, f"{at}[t + 1]" if after else f"{at}[t]"))
        else:
            width = self._names.widths(self.columns(spot.array))
            self.before += [f"{name} = {states}[{'1:' if after else ':T'}].reshape(T * B, {width})"]
        return name

    def _bind_given(self, spot: Spot) -> str:
        """The input, or the gradient of the output, under the names by which the function is given them."""
        array = self.given(spot.array)
        stem = array.removesuffix("_")
        name = self.fresh(f"{stem}_t" if self.is_loop else f"{stem}_rows")
        if self.is_loop:
            self.step.append((name, f"{array}[t]"))
        else:
            width = self._names.widths(self.columns(spot.array))
            self.before += [f"{name} = {array}.reshape(T * B, {width})"]
        return name

    def given(self, array: str) -> str:
        """The parameter of the function that holds the input or the gradient of the output."""
        return "dy" if array.startswith(Kind.SEED) else array.partition(" ")[2]

    def shape(self, spot: Spot) -> str:
        """The shape as comments give it."""
        values = self.columns(spot.array)[spot.first : spot.last + 1]
        rows = self.rows.replace(" * ", " ")
        return shape(rows, [self._names.compiled.sizes[value] for value in values], self._names.sizes)


def bindings(pairs: Sequence[tuple[str, str]], depth: int, width: int = 100) -> list[str]:
    """Assignments, several to a line where they fit."""
    lines: list[str] = []
    part: list[tuple[str, str]] = []

    def line() -> str:
        return "    " * depth + ", ".join(n for n, _ in part) + " = " + ", ".join(e for _, e in part)

    for pair in pairs:
        part.append(pair)
        if len(part) > 1 and len(line()) > width:
            part.pop()
            lines.append(line())
            part[:] = [pair]
    return [*lines, line()] if part else lines
