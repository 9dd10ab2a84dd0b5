"""The function that runs every step backwards, as the body of a Python function, and what it defers.

Reads a `Compiled` function; returns its lines. Leaves out: what the forward pass has too (`symrnn.targets.numpy.function`)
and the parameters' gradients (`symrnn.targets.numpy.gradients`).
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.language.system import Variable
from symrnn.plan.program import Kind
from symrnn.targets.numpy.function import DEPTH, FunctionPrinter, indented, uses
from symrnn.targets.numpy.gradients import GradientPrinter
from symrnn.targets.numpy.scope import Scope


class BackwardPrinter(FunctionPrinter):
    """Prints the backward pass."""

    def body(self, parameters: Sequence[Variable]) -> list[str]:
        """The body of the function that runs every step backwards, and then what is deferred."""
        loop = self.scope("loop", "B", loop=True)
        body = self.loop(loop, self._backward_idle(loop))
        last, after = self.scope("last", "B"), self.scope("after", "T * B")
        first = self.printer("last", last).stages(self.stages("last"))
        deferred = self.printer("after", after).stages(self.stages("after"))
        deferred += self._after_idle(after)
        spot = self.printer("after", after).spot
        gradients = GradientPrinter(self.names, after, spot, parameters).lines()
        lines = self.banner("Every step, the last one first", self.function.loop.stages)
        lines += [*loop.before, *body, *self.banner("The first step: initial states", self.function.stages_of("last"))]
        lines += [
            *indented(last.before),
            *first,
            *self.banner("Deferred: all steps at a time", self.function.stages_of("after")),
        ]
        lines += [*indented(after.before), *deferred, "", *gradients, *self._returns(last, after)]
        return self.complete([*self._storage(lines), *lines])

    def _storage(self, body: list[str]) -> list[str]:
        """The arrays that ``body`` uses: those of the tape, and its own."""
        own = self.compiled.own
        lines = []
        for name, local in self.names.buffers.items():
            if name not in own and uses(body, local):
                lines.append(f'{INDENT}{local} = tape["{name}"]')
            if name not in own:
                continue
            steps = self.names.steps.get(name, "T")
            width = self.names.widths(self.compiled.columns[name])
            columns = " | ".join(self.names.hint(value) for value in self.compiled.columns[name])
            lines += commented(f"{INDENT}{local} = np.empty(({steps}, B, {width}), dtype)", columns)
            if name in self.names.steps:
                lines.append(f"{INDENT}{local}[T] = 0  # no step follows the last")
        for state, (states, at) in self.names.states.items():
            if uses(body, states) or uses(body, at):
                lines.append(f'{INDENT}{states} = tape["{state} states"]')
            if uses(body, at):
                lines.append(f"{INDENT}{at} = list({states})")
        for state, (carry, after) in self.names.carries.items():
            lines += [f'{INDENT}{carry}, {after} = dstate["{state}"], np.empty_like(dstate["{state}"])']
        return lines

    def _backward_idle(self, scope: Scope) -> list[str]:
        lines = []
        printer = self.printer("loop", scope)
        for stage in self.function.loop.stages:
            for write in stage.writes:
                if write.place.kind is Kind.CARRY:
                    held = scope.view(printer.spot([write.idle]))
                    lines.append(f"{self.names.carries[write.place.array][1]}[gone] = {held}[gone]")
        written = {write.value for stage in self.function.loop.stages for write in stage.writes}
        own = [name for name in self.compiled.own if written & set(self.compiled.columns[name])]
        return [*lines, *(f"{self.names.buffers[name]}[t][gone] = 0" for name in own)]

    def _after_idle(self, scope: Scope) -> list[str]:
        writes = [write for stage in self.function.stages_of("after") for write in stage.writes]
        positions = self.compiled.phases["after"].positions
        names = {array: scope.whole(array) for array in sorted({positions[w.value][0] for w in writes})}
        if not names:
            return []
        return [f"{INDENT}if idle is not None:", *(f"{INDENT * 2}{n}[idle.ravel()] = 0" for n in names.values())]

    def _returns(self, last: Scope, after: Scope) -> list[str]:
        """What the function returns: gradients of parameters, of the input, of initial states."""
        lines = []
        if f"{Kind.INPUT_GRADIENT} x" in self.compiled.columns:
            dx = after.whole(f"{Kind.INPUT_GRADIENT} x")
            lines.append(f"{INDENT}dx = {dx}.reshape(x.shape)")
        else:
            lines.append(f"{INDENT}dx = np.zeros_like(x)")
        states = [f'"{state}": {last.whole(f"{Kind.STATE_GRADIENT} {state}")}' for state, _ in self.function.states]
        return [*lines, *collection("dfirst = {", states, "}", DEPTH), f"{INDENT}return grads, dx, dfirst"]
