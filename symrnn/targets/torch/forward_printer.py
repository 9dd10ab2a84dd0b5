"""The function that runs every step in the order of time.

Reads the forward routine; returns the lines of ``_forward``. Leaves out: arguments and how they are read
(``templates/torch/run.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from symrnn.emit.python_text import INDENT, collection
from symrnn.emit.source import block
from symrnn.language.cell import Cell
from symrnn.plan.program import BEFORE, LOOP, ONCE, Extent, Kind, Phase, Place, Program, Stage, Write
from symrnn.plan.storage import output_places
from symrnn.targets.torch.forms import StackedForms, Stacks
from symrnn.targets.torch.names import TorchNames, X
from symrnn.targets.torch.printer import PhasePrinter, Wording
from symrnn.targets.torch.torch_prepared import given_lines

HEAD = "def _forward(p, n, x, state, idle, taped):"


def forward_lines(program: Program) -> list[str]:
    """The function, marked."""
    return _ForwardLines(program).lines()


class _ForwardLines:
    """Prints the function."""

    def __init__(self, program: Program) -> None:
        self._program, self._routine, self._cell = program, program.forward, program.cell
        self._names = TorchNames(program, program.forward)
        self._stacks = Stacks(self._names)
        self._outputs: dict[Place, str] = {}
        self._kept = [c.value for b in program.forward.buffers if b.is_left for c in b.columns]
        loop = self._routine.loop.stages
        self._produced = [
            w.value for s in loop for w in s.writes if w.place.kind is Kind.BUFFER and w.value in self._kept
        ]
        self._next = {w.place.array: w.value for s in loop for w in s.writes if w.place.kind is Kind.NEXT}

    def lines(self) -> list[str]:
        """The whole function."""
        once = self._phase(ONCE)
        before = self._phase(BEFORE)
        loop = self._loop()
        names = self._names
        states = ", ".join(names.now(state) for state in self._cell.states)
        given = ", ".join(f'state["{state}"]' for state in self._cell.states)
        lists = [names.over_time(state) for state in self._cell.states]
        lists += [names.whole(value) for value in self._produced]
        returned = self._returned()
        lines = [
            *input_lines(names, self._cell),
            f"{INDENT}T = len(x)",
            *size_lines(names),
            *given_lines(self._program, backward=False),
            *parameter_lines(names, self._read_parameters()),
            *self._stacks.lines(),
            *once,
            *before,
            f"{INDENT}{states} = {given}",
            f"{INDENT}y = []",
            *(f"{INDENT}{name} = [{names.now(s)}]" for s, name in zip(self._cell.states, lists, strict=False)),
            *(f"{INDENT}{name} = []" for name in lists[len(self._cell.states) :]),
            *loop,
            *returned,
        ]
        return block([HEAD, f'{INDENT}"""Every step in the order in which it runs."""', *lines])

    def _read_parameters(self) -> list[str]:
        reads = [name for stage in self._routine.plain_stages for name in stage.reads]
        return [v.name for v in self._cell.step_parameters if v.name in reads]

    def _phase(self, phase: Phase) -> list[str]:
        """A phase before the loop."""
        whole = phase is BEFORE
        found = next((each for each in self._routine.phases if each.name == phase.name), phase)
        written = {w.value for s in found.stages for w in s.writes} if whole else set()

        def name(value: str) -> str:
            place = self._routine.places.get(value)
            is_sequence = place is not None and (
                place.kind is Kind.INPUT or self._names.extents.get(value) is Extent.SEQUENCE
            )
            return self._names.whole(value) if value in written or (whole and is_sequence) else self._names.now(value)

        printer = PhasePrinter(
            self._routine, found, self._names, self._stacks, Wording(name, name, lambda p: operand(p, name))
        )
        return [
            line for stage in found.stages for line in printer.stage(stage, {w: name(w.value) for w in stage.writes})
        ]

    def _loop(self) -> list[str]:
        names = self._names
        phase = next(each for each in self._routine.phases if each.name == LOOP.name)
        wording = Wording(names.now, names.now, lambda p: operand(p, names.now))
        printer = PhasePrinter(self._routine, phase, names, self._stacks, wording, depth=2)
        body = [line for stage in phase.stages for line in printer.stage(stage, self._targets(stage))]
        found = [self._outputs[place] for place in output_places(self._cell.output_values).values()]
        y = found[0] if len(found) == 1 else f"torch.cat(({', '.join(found)}), -1)"
        states = self._cell.states
        ends = [f"{INDENT * 2}y.append({y})"]
        after = [f"{names.whole(value)}.append({_kept(names.now(value), 'idle[t]')})" for value in self._produced]
        after += [f"{names.over_time(state)}.append({names.now(self._next[state])})" for state in states]
        ends += block([f"{INDENT * 2}if taped:", *(f"{INDENT * 3}{line}" for line in after)])
        now, following = (", ".join(map(names.now, each)) for each in (states, [self._next[s] for s in states]))
        ends.append(f"{INDENT * 2}{now} = {following}")
        return block([f"{INDENT}for t in range(T):", *self._bound(phase), *body, *ends])

    def _targets(self, stage: Stage) -> dict[Write, str]:
        found = {}
        for write in stage.writes:
            if write.place.kind is Kind.OUTPUT:
                found[write] = self._outputs[write.place] = self._names.allocator.fresh(f"{write.place.array}_t")
            else:
                found[write] = self._names.now(write.value)
        return found

    def _bound(self, phase: Phase) -> list[str]:
        """What the loop reads of sequences."""
        written = {w.value for s in phase.stages for w in s.writes}
        reads = dict.fromkeys(name for s in phase.stages for name in (*s.reads, *s.operands))
        lines = []
        for value in reads:
            place = self._routine.places.get(value)
            if place is None or value in written:
                continue
            if place.kind is Kind.INPUT or self._names.extents.get(value) is Extent.SEQUENCE:
                lines.append(f"{INDENT * 2}{self._names.now(value)} = {self._names.whole(value)}[t]")
        return lines

    def _returned(self) -> list[str]:
        names = self._names
        output = " + ".join(names.sizes[self._cell.size(value)] for value in self._cell.output_values)
        final = [f'"{state}": {names.now(state)}' for state in self._cell.states]
        over = [f'"{state}": torch.stack({names.over_time(state)})' for state in self._cell.states]
        kept = [f'"{value}": {self._kept_text(value)}' for value in self._kept]
        return [
            f"{INDENT}y = _stacked(y, x, {output})",
            *collection("final = {", final, "}", 1),
            *block([f"{INDENT}if not taped:", f"{INDENT * 2}return y, final, {{}}, {{}}"]),
            *collection("states = {", over, "}", 1),
            *collection("tape = {", kept, "}", 1),
            f"{INDENT}return y, final, states, tape",
        ]

    def _kept_text(self, value: str) -> str:
        names = self._names
        if value not in self._produced:
            whole = names.extents[value] is Extent.SEQUENCE
            return _kept(names.whole(value), "idle") if whole else names.now(value)
        return f"_stacked({names.whole(value)}, x, {names.sizes[self._routine.sizes[value]]})"


def _kept(value: str, idle: str) -> str:
    """What the tape keeps: one where a row is beyond its length.

    What divides by it is dropped there, but a quotient by zero would be NaN in the derivatives of the backward pass.
    """
    return f"{value} if idle is None else torch.where({idle}, 1, {value})"


def operand(product: StackedForms, read: Callable[[str], str]) -> str:
    """Operands of one step, or of all, side by side."""
    texts = [read(value) for value in product.operands]
    return texts[0] if len(texts) == 1 else f"torch.cat(({', '.join(texts)}), -1)"


def input_lines(names: TorchNames, cell: Cell) -> list[str]:
    """The line that parts several inputs."""
    return names.parted(X, cell.given, [cell.size(name) for name in cell.given])


def size_lines(names: TorchNames) -> list[str]:
    """The locals for the sizes that were asked for."""
    return [f'{INDENT}{letter} = n["{size}"]' for size, letter in names.sizes.locals.items()]


def parameter_lines(names: TorchNames, parameters: list[str]) -> list[str]:
    """The locals for parameters that statements read."""
    return [f'{INDENT}{names.now(parameter)} = p["{parameter}"]' for parameter in parameters]
