"""The generator behind a stream, as the body of a Python function: one step whenever it is resumed.

Reads the compiled forward function; returns its lines. Storage is made and every view is bound once, so that a step is
nothing but its array calls. Leaves out: what a caller sees of it (`templates/numpy/module.py.jinja`).
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.emit.python_text import INDENT
from symrnn.plan.program import Kind
from symrnn.targets.numpy.compile import Phase
from symrnn.targets.numpy.function import FunctionPrinter, indented
from symrnn.targets.numpy.ir import Spot
from symrnn.targets.numpy.printer import Printer
from symrnn.targets.numpy.scope import Locals, Scope

Shared = dict[tuple[str, int, int], str]
"""The locals of stored values, which the phases of a step have in common."""


class StreamScope(Scope):
    """The views of a phase where one step is all there is: what is stored over steps elsewhere has its rows alone."""

    def __init__(self, names: Locals, phase: Phase, shared: Shared, *, loop: bool) -> None:
        super().__init__(names, phase, "B", loop=loop)
        self._shared = shared

    def is_taped(self, spot: Spot, values: Sequence[str]) -> bool:
        """Nothing is."""
        return False

    def _bind(self, spot: Spot, later: bool) -> str:
        if spot.array in self._phase.scratch:
            return super()._bind(spot, later)
        key = (spot.array, spot.first, spot.last)
        if key not in self._shared:
            self._shared[key] = self._bind_stored(spot)
        return self._shared[key]

    def _bind_stored(self, spot: Spot) -> str:
        kind, _, state = spot.array.partition(" ")
        if spot.array in self._names.buffers:
            return self._bind_scratch(spot)
        if kind == Kind.INPUT:
            name = self.fresh(f"{state}_t")
            self.before.append(f"{name} = {state}[0]")
            return name
        name = self.fresh(self._hint(spot))
        made = f'np.empty_like(state["{state}"])' if kind == Kind.NEXT else f'state["{state}"]'
        self.before.append(f"{name} = {made}")
        return name


class StreamPrinter(FunctionPrinter):
    """Prints the generator."""

    def body(self) -> list[str]:
        """The body; it reads ``x`` (1, B, inputs) and keeps ``state`` in place."""
        shared: Shared = {}
        before, lines = [], []
        for phase in ("before", "loop"):
            scope = StreamScope(self.names, self.compiled.phases[phase], shared, loop=phase == "loop")
            printer = Printer(self.names, self.compiled.phases[phase], scope, self.weights, 2)
            lines += printer.stages(self.stages(phase))
            if phase == "loop":
                for state, _ in self.function.states:
                    now, after = (scope.view(Spot(f"{kind} {state}", 0, 0)) for kind in (Kind.STATE, Kind.NEXT))
                    lines.append(f"{INDENT * 2}{now}[...] = {after}")
            before += scope.before
        return self.complete([*indented(before), f"{INDENT}while True:", *lines, f"{INDENT * 2}yield"])
