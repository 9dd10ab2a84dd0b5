"""The generator behind a stream, as the body of a Python function: one step each time it is resumed.

Reads the compiled forward routine; returns its lines. Storage is made and every view is bound once, so a step
consists of array calls alone. Leaves out: what a caller sees of it (`templates/numpy/calls.py`).
"""

from __future__ import annotations

from symrnn.emit.python_text import INDENT
from symrnn.emit.source import block
from symrnn.plan.program import BEFORE, LOOP, Kind
from symrnn.targets.numpy.body import BodyPrinter, before
from symrnn.targets.numpy.compile import CompiledPhase
from symrnn.targets.numpy.ir import SCRATCH, Array, Spot
from symrnn.targets.numpy.printer import Printer
from symrnn.targets.numpy.scope import Locals, Order, Scope


class StreamScope(Scope):
    """The views of a phase of a single step: arrays over time have the rows of one step.

    ``shared`` holds the locals of stored values, which the phases of a step share.
    """

    def __init__(self, names: Locals, phase: CompiledPhase, shared: dict[Spot, str], *, loop: bool) -> None:
        super().__init__(names, phase, loop=loop)
        self._shared = shared

    def is_taped(self, spot: Spot, values: object) -> bool:
        """Nothing is."""
        return False

    def _bind(self, spot: Spot, later: bool) -> str:
        if spot.array.kind == SCRATCH:
            return super()._bind(spot, later)
        if spot not in self._shared:
            self._shared[spot] = self._bind_stored(spot)
        return self._shared[spot]

    def _bind_stored(self, spot: Spot) -> str:
        name = spot.array.name
        match spot.array.kind:
            case Kind.BUFFER:
                return self._bind_scratch(spot)
            case Kind.INPUT | Kind.OUTPUT:
                array = self._names.given.names[spot.array]
                return self.bind(Order.COLUMNS, self.fresh(f"{array}_t"), f"{array}[0]")
            case Kind.NEXT:
                return self.bind(Order.ARRAY, self.fresh(self._hint(spot)), f'np.empty_like(state["{name}"])')
            case _:
                return self.bind(Order.ARRAY, self.fresh(self._hint(spot)), f'state["{name}"]')


class StreamPrinter(BodyPrinter):
    """Prints the generator."""

    def body(self) -> list[str]:
        """The body; it reads ``x`` (1, B, inputs), keeps ``state`` in place, and fills ``y`` unless a state is the output."""
        shared: dict[Spot, str] = {}
        bound, lines = [], []
        for phase in (BEFORE, LOOP):
            scope = StreamScope(self.names, self.compiled.phases[phase.name], shared, loop=phase is LOOP)
            printer = Printer(self.names, self.compiled.phases[phase.name], scope, self.weights, 2)
            lines += printer.stages(self.stages(phase))
            if phase is LOOP:
                for state, _ in self.routine.states:
                    now, after = (scope.view(Spot(Array(kind, state), 0, 0)) for kind in (Kind.STATE, Kind.NEXT))
                    lines.append(f"{INDENT * 2}{now}[...] = {after}")
            bound += before(scope)
        return self.complete([*bound, *block([f"{INDENT}while True:", *lines, f"{INDENT * 2}yield"])])
