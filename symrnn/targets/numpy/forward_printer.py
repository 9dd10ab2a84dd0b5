"""The function that runs every step, as the body of a Python function: the forward pass, and the tangent like it.

Reads a `Compiled` routine; returns its lines. Everything runs in the order of the steps: the caller reverses sequences
that run in reverse. Leaves out: what the backward pass has too (`symrnn.targets.numpy.body`).
"""

from __future__ import annotations

from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.plan.program import BEFORE, LOOP, Kind
from symrnn.targets.numpy.body import DEPTH, BodyPrinter, before, indented, under
from symrnn.targets.numpy.ir import Array, Spot, buffer
from symrnn.targets.numpy.scope import ROWS, STEPS, Scope


class ForwardPrinter(BodyPrinter):
    """Prints the forward pass, or a tangent, whose variables come in pairs."""

    def body(self, output: str) -> list[str]:
        """The body of the function that runs every step; ``output`` is the state that the caller's array holds, if any."""
        scope = self.scope(LOOP, loop=True)
        loop = self.loop(scope, self._idle(scope))
        hoisted = self._hoisted()
        storage = [*self._buffers(), *self._states(output)]
        banner = self.banner("Every step", self.routine.loop.stages)
        end = [*self._filled(output), *self._returns()]
        return self.complete([*storage, *hoisted, *banner, *loop, "", *end])

    def _hoisted(self) -> list[str]:
        stages = self.routine.stages_of(BEFORE)
        if not stages:
            return []
        scope = self.scope(BEFORE, spans=True)
        lines = self.printer(BEFORE, scope).stages(self.stages(BEFORE))
        kept = [scope.whole(buffer(b.name)) for b in self.compiled.own_buffers if b.spans and b.taped]
        idle = under("if idle is not None:", [f"{name}[idle.ravel()] = 0" for name in kept]) if kept else []
        banner = self.banner("Hoisted out of the loop, all steps at a time", stages)
        return [*banner, *before(scope), *lines, *indented(idle)]

    def _buffers(self) -> list[str]:
        lines = []
        for name, local in self.names.buffers.items():
            shrinks = self.compiled.buffers[name].taped and not self.compiled.buffers[name].spans
            steps = f"{self.names.use(STEPS)}{' if taped else 1' if shrinks else ''}"
            made = self.names.new(f"{steps}, {self.names.use(ROWS)}", self.columns(name))
            lines += commented(f"{local} = {made}", " | ".join(self.names.hints(self.columns(name))), DEPTH)
        return lines

    def _states(self, output: str) -> list[str]:
        lines: list[str] = []
        for state, (states, at) in self.names.states.items():
            made = f'{states}, {at} = _states(state["{state}"], {self.names.use(STEPS)}, taped'
            if state == output:
                lines += under("if taped or idle is not None:", [f"{made} or idle is not None)"])
                given = f'{states}, {at} = None, [state["{state}"], *y]'
                lines += under("else:  # the output itself holds the state", [given])
            else:
                lines += [f"{made})"]
        return indented(lines)

    def _idle(self, scope: Scope) -> list[str]:
        """What rows beyond their length do: states keep their values, and zeros are saved."""
        lines = []
        for state, _ in self.routine.states:
            now, after = (scope.view(Spot(Array(kind, state), 0, 0)) for kind in (Kind.STATE, Kind.NEXT))
            lines.append(f"{after}[gone] = {now}[gone]")
        kept = [b for b in self.compiled.own_buffers if b.taped and not b.spans]
        return [*lines, *(f"{self.names.buffer(b.name)}[t if taped else 0][gone] = 0" for b in kept)]

    def _filled(self, output: str) -> list[str]:
        """The output of every step, if the states are not the output; rows beyond their length have none."""
        states = self.names.state(output) if output else ""
        filled = under(f"if {states} is not None:", [f"y[...] = {states}[1:]"]) if output else []
        return indented([*filled, *under("if idle is not None:", ["y[idle] = 0"])])

    def _returns(self) -> list[str]:
        states = self.names.states.items()
        final = [f'"{state}": {at}[{self.names.use(STEPS)}]' for state, (_, at) in states]
        kept = [f'"{state}": {array}' for state, (array, _) in states]
        taped = [f'"{b.name}": {self.names.buffer(b.name)}' for b in self.compiled.own_buffers if b.taped]
        return [
            *collection("final = {", final, "}", DEPTH),
            *collection("states = {", kept, "}", DEPTH),
            *collection("data = {", taped, "}", DEPTH),
            f"{INDENT}return final, states, data",
        ]
