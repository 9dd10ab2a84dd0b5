"""The function that runs every step, as the body of a Python function: the forward pass, and the tangent like it.

Reads a `Compiled` function; returns its lines. Everything runs in the order of the steps: the caller turns sequences
round that run in reverse. Leaves out: what the backward pass has too (`symrnn.targets.numpy.function`).
"""

from __future__ import annotations

from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.plan.program import Kind
from symrnn.targets.numpy.function import DEPTH, FunctionPrinter, indented
from symrnn.targets.numpy.ir import Spot
from symrnn.targets.numpy.scope import Scope


class ForwardPrinter(FunctionPrinter):
    """Prints the forward pass, or a tangent, whose variables come in pairs."""

    def body(self, output: str) -> list[str]:
        """The body of the function that runs every step; ``output`` is the state whose value it returns for each."""
        loop = self.scope("loop", "B", loop=True)
        body = self.loop(loop, self._forward_idle(loop))
        before = self._before()
        storage = [*self._forward_buffers(), *self._forward_states(output)]
        end = self._filled(output)
        returned = self._forward_returns()
        lines = [*storage, *before, *self.banner("Every step", self.function.loop.stages), *loop.before, *body]
        return self.complete([*lines, "", *end, *returned])

    def _before(self) -> list[str]:
        if not self.function.stages_of("before"):
            return []
        scope = self.scope("before", "T * B")
        lines = self.printer("before", scope).stages(self.stages("before"))
        kept = [scope.whole(b.name) for b in self.compiled.own_buffers if b.spans and b.taped]
        idle = [f"{INDENT}if idle is not None:"] if kept else []
        idle += [f"{INDENT * 2}{name}[idle.ravel()] = 0" for name in kept]
        banner = self.banner("Hoisted out of the loop, all steps at a time", self.function.stages_of("before"))
        return [*banner, *indented(scope.before), *lines, *idle]

    def _forward_buffers(self) -> list[str]:
        lines = []
        for name, local in self.names.buffers.items():
            buffer = self.compiled.buffers[name]
            steps = "T if taped else 1" if buffer.taped and not buffer.spans else "T"
            width = self.names.widths(self.compiled.columns[name])
            columns = " | ".join(self.names.hint(value) for value in self.compiled.columns[name])
            lines += commented(f"{INDENT}{local} = np.empty(({steps}, B, {width}), dtype)", columns)
        return lines

    def _forward_states(self, output: str) -> list[str]:
        lines = []
        for state, (states, at) in self.names.states.items():
            made = f'{states}, {at} = _states(state["{state}"], T, taped'
            if state == output:
                lines += [f"{INDENT}if taped or idle is not None:", f"{INDENT * 2}{made} or idle is not None)"]
                lines += [f"{INDENT}else:  # the output itself holds the state"]
                lines += [f'{INDENT * 2}{states}, {at} = None, [state["{state}"], *y]']
            else:
                lines += [f"{INDENT}{made})"]
        return lines

    def _forward_idle(self, scope: Scope) -> list[str]:
        lines = []
        for state, _ in self.function.states:
            now, after = (scope.view(Spot(f"{kind} {state}", 0, 0)) for kind in (Kind.STATE, Kind.NEXT))
            lines.append(f"{after}[gone] = {now}[gone]")
        kept = [b for b in self.compiled.own_buffers if b.taped and not b.spans]
        return [*lines, *(f"{self.names.buffers[b.name]}[t if taped else 0][gone] = 0" for b in kept)]

    def _filled(self, output: str) -> list[str]:
        """The output of every step, where the states are not it."""
        states = self.names.states[output][0]
        return [
            f"{INDENT}if {states} is not None:",
            f"{INDENT * 2}y[...] = {states}[1:]",
            f"{INDENT}if idle is not None:",
            f"{INDENT * 2}y[idle] = 0",
        ]

    def _forward_returns(self) -> list[str]:
        states = self.names.states.items()
        final = collection("final = {", [f'"{s}": {at}[T]' for s, (_, at) in states], "}", DEPTH)
        kept = [f'"{s}": {array}' for s, (array, _) in states]
        taped = [f'"{b.name}": {self.names.buffers[b.name]}' for b in self.compiled.own_buffers if b.taped]
        return [
            *final,
            *collection("states = {", kept, "}", DEPTH),
            *collection("data = {", taped, "}", DEPTH),
            f"{INDENT}return final, states, data",
        ]
