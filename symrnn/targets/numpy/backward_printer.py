"""The function that runs every step backwards, as the body of a Python function, and what it defers.

Reads a `Compiled` routine; returns its lines. Leaves out: what the forward pass has too (`symrnn.targets.numpy.body`)
and the parameters' gradients (`symrnn.targets.numpy.gradients`).
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.language.system import Variable
from symrnn.plan.program import AFTER, LAST, LOOP, Kind
from symrnn.targets.numpy.body import DEPTH, BodyPrinter, before, indented, under
from symrnn.targets.numpy.gradients import GradientPrinter
from symrnn.targets.numpy.ir import Array
from symrnn.targets.numpy.scope import ROWS, STEPS, Scope


class BackwardPrinter(BodyPrinter):
    """Prints the backward pass."""

    def body(self, parameters: Sequence[Variable], more: Sequence[str] = ()) -> list[str]:
        """The body of the function that runs every step backwards, and then what is deferred.

        Args:
            parameters: those whose gradients it returns.
            more: lines that read and change these gradients.
        """
        scope = self.scope(LOOP, loop=True)
        loop = self.loop(scope, self._loop_idle(scope))
        last, after = self.scope(LAST), self.scope(AFTER, spans=True)
        first = self.printer(LAST, last).stages(self.stages(LAST))
        deferred = self.printer(AFTER, after).stages(self.stages(AFTER))
        deferred += self._after_idle(after)
        spot = self.printer(AFTER, after).spot
        gradients = GradientPrinter(self.names, after, spot, parameters).lines()
        returned = self._returns(last, after)
        lines = [
            *self.banner("Every step, the last one first", self.routine.loop.stages),
            *loop,
            *self.banner("The first step: initial states", self.routine.stages_of(LAST)),
            *before(last),
            *first,
            *self.banner("Deferred: all steps at a time", self.routine.stages_of(AFTER)),
            *before(after),
            *deferred,
            "",
            *gradients,
            *more,
            *returned,
        ]
        return self.complete([*self._taped_buffers(), *self._taped_states(), *self._carries(), *lines])

    def _taped_buffers(self) -> list[str]:
        """The buffers of the tape that the body uses, and its own."""
        lines = []
        for name, local in self.names.buffers.items():
            if name not in self.compiled.own:
                lines += [f'{INDENT}{local} = tape["{name}"]'] if local in self.names.used else []
                continue
            made = self.names.new(f"{self.names.steps(name)}, {self.names.use(ROWS)}", self.columns(name))
            lines += commented(f"{local} = {made}", " | ".join(self.names.hints(self.columns(name))), DEPTH)
            if self.names.has_later(name):
                lines.append(f"{INDENT}{local}[{self.names.use(STEPS)}] = 0  # no step follows the last")
        return lines

    def _taped_states(self) -> list[str]:
        """The states over time that the body uses."""
        lines = []
        for state, (states, at) in self.names.states.items():
            if self.names.used & {states, at}:
                lines.append(f'{INDENT}{states} = tape["{state} states"]')
            if at in self.names.used:
                lines.append(f"{INDENT}{at} = list({states})")
        return lines

    def _carries(self) -> list[str]:
        """The values passed from step to step; they start as the gradients of the final states."""
        given = {state: f'dstate["{state}"]' for state in self.names.carries}
        carries = self.names.carries.items()
        return [f"{INDENT}{now}, {after} = {given[s]}, np.empty_like({given[s]})" for s, (now, after) in carries]

    def _loop_idle(self, scope: Scope) -> list[str]:
        """What rows beyond their length do: carries keep their values, and zeros are stored."""
        lines = []
        printer = self.printer(LOOP, scope)
        writes = [write for stage in self.routine.loop.stages for write in stage.writes]
        for write in writes:
            if write.place.kind is Kind.CARRY:
                held = scope.view(printer.spot([write.idle]))
                lines.append(f"{self.names.carries[write.place.array][1]}[gone] = {held}[gone]")
        written = {write.value for write in writes}
        own = [name for name in self.compiled.own if written & set(self.columns(name))]
        return [*lines, *(f"{self.names.buffer(name)}[t][gone] = 0" for name in own)]

    def _after_idle(self, scope: Scope) -> list[str]:
        writes = [write for stage in self.routine.stages_of(AFTER) for write in stage.writes]
        positions = self.compiled.phases[AFTER.name].positions
        names = [scope.whole(array) for array in sorted({positions[write.value][0] for write in writes})]
        if not names:
            return []
        return indented(under("if idle is not None:", [f"{name}[idle.ravel()] = 0" for name in names]))

    def _returns(self, last: Scope, after: Scope) -> list[str]:
        """What the function returns: gradients of parameters, of the input, of initial states."""
        inputs = [array for array in self.names.given.names if array.kind == Kind.INPUT]
        gradients = [Array(Kind.INPUT_GRADIENT, array.name) for array in inputs]
        given = [after.whole(array) for array in gradients if array in self.compiled.columns]
        width = self.names.number(self.names.width([array.name for array in inputs]))
        shape = "x.shape" if len(inputs) == 1 else f"{self.names.use(STEPS)}, {self.names.use(ROWS)}, {width}"
        if len(given) == 1:
            lines = [f"{INDENT}dx = {given[0]}.reshape({shape})"]
        elif given:
            lines = [f"{INDENT}dx = np.concatenate(({', '.join(given)}), axis=1).reshape({shape})"]
        else:
            lines = [
                f"{INDENT}dx = np.zeros_like(x)" if len(inputs) == 1 else f"{INDENT}dx = np.zeros(({shape}), x.dtype)"
            ]
        states = [f'"{s}": {last.whole(Array(Kind.STATE_GRADIENT, s))}' for s, _ in self.routine.states]
        return [*lines, *collection("dfirst = {", states, "}", DEPTH), f"{INDENT}return grads, dx, dfirst"]
