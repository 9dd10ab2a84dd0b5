"""Nodes as lines of Python: one array call a line, with a comment that gives its equations and shape.

Reads the stages of a phase and a `Scope`; returns lines. Leaves out: which names they use
(`symrnn.targets.numpy.scope`) and the function around them (`symrnn.targets.numpy.body`).
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.emit.python_expression import axes_texts, number, over_texts
from symrnn.emit.python_text import call, commented, remark
from symrnn.emit.source import Mark, marked
from symrnn.language.axes import axes_of, beyond
from symrnn.language.system import ONE
from symrnn.plan.size import Count
from symrnn.targets.numpy.compile import CompiledPhase
from symrnn.targets.numpy.functions import OVER, REPEAT, is_fold, is_vector_function, spelling
from symrnn.targets.numpy.ir import (
    ARITHMETIC,
    COPY,
    FILL,
    NEGATIVE,
    UFUNCS,
    Literal,
    Panel,
    Products,
    Spot,
    Stacked,
    StageNodes,
)
from symrnn.targets.numpy.names import noted
from symrnn.targets.numpy.scope import Locals, Scope
from symrnn.targets.numpy.storer import spot_of
from symrnn.targets.numpy.weights import Weights

IN_PLACE = {function: operator for operator, function in ARITHMETIC.items()}
COMMUTATIVE = ("add", "multiply")
MARK = "saved for the backward pass"
MINUS = "np.subtract(-0.0, "
"""Computes -a, the signs of zeros included. From NumPy 2.1 on, `np.negative` takes a column of one unit for contiguous
if it writes to a column too and rows are 16 bytes long in float32, or 64 in float64."""


class Printer:
    """Prints the nodes of one phase at ``depth``."""

    def __init__(self, names: Locals, phase: CompiledPhase, scope: Scope, weights: Weights, depth: int) -> None:
        self._names, self._phase, self._scope, self._weights, self._depth = names, phase, scope, weights, depth
        self._products: dict[Count, str] = {}
        self._stage = ""

    def stages(self, stages: Sequence[StageNodes]) -> list[str]:
        """The lines of ``stages``; if there are several, each has a banner."""
        lines: list[str] = []
        for stage in stages:
            self._stage = stage.name
            if len(stages) > 1:
                flow = f"reads {self._listed(stage.reads)}; gives {self._listed(stage.writes)}"
                lines += ["", *remark(f"{stage.name}: {flow}", self._depth)]
            for node in stage.nodes:
                lines += self._panels(node) if isinstance(node, Products) else self._stacked(node)
        return lines[1:] if lines[:1] == [""] else lines

    def spot(self, values: Sequence[str]) -> Spot:
        """Where ``values`` lie side by side."""
        found = spot_of([self._phase.alias.get(value, value) for value in values], self._phase.positions.get)
        assert found is not None, values
        return found

    def _listed(self, values: Sequence[str]) -> str:
        return ", ".join(dict.fromkeys(self._names.hints(values)))

    def _panels(self, node: Products) -> list[str]:
        lines: list[str] = []
        for panel in node.panels:
            lines += self._panel(panel, node.labels)
        return lines

    def _panel(self, panel: Panel, labels: tuple[str, ...]) -> list[str]:
        operand = self._scope.view(self.spot(panel.operands), later=panel.later)
        weight = self._weights.matrix(panel.blocks, repeated=self._scope.is_loop)
        matrix = f"{self._names.use(weight.name)}{'.T' if weight.turned else ''}"
        spot = self.spot(panel.targets)
        target = self._scope.view(spot)
        if not panel.adds:
            function = "np.dot" if self._scope.is_whole(spot) else "np.matmul"
            return self._line(f"{function}(", [operand, matrix, f"out={target}"], panel.targets, labels)
        width = self._names.width(panel.targets)
        if width not in self._products:
            self._products[width] = self._scope.fresh("product")
            self._scope.empty(self._products[width], panel.targets)
        product = self._products[width]
        first = self._line("np.dot(", [operand, matrix, f"out={product}"], panel.targets, labels)
        return [*first, *self._commented(f"{target} += {product}", panel.targets, labels)]

    def _stacked(self, node: Stacked) -> list[str]:
        spot = self.spot(node.targets)
        target = self._scope.view(spot)
        arguments = [self._argument(argument) for argument in node.arguments]
        if node.function in (FILL, COPY):
            return self._commented(f"{target}[...] = {arguments[0]}", node.targets, node.labels)
        if node.function == REPEAT:
            given = [arguments[0], *self._axes(node), f"out={target}"]
            return self._line(f"{REPEAT}(", given, node.targets, node.labels)
        if is_fold(node.function) and node.sizes != (ONE,):
            given = [node.function, arguments[0], *self._axes(node), f"out={target}"]
            return self._line(f"{OVER}(", given, node.targets, node.labels)
        if is_fold(node.function):
            options = ["axis=-1", "keepdims=True", f"out={target}"]
            return self._line(f"{node.function}(", [*arguments, *options], node.targets, node.labels)
        if is_vector_function(node.function):
            return self._line(f"{node.function}(", [*arguments, "axis=-1", f"out={target}"], node.targets, node.labels)
        if node.function in IN_PLACE:
            first, second = arguments
            if second == target and first != target and node.function in COMMUTATIVE:
                first, second = second, first
            if first == target:
                return self._commented(f"{target} {IN_PLACE[node.function]}= {second}", node.targets, node.labels)
        if node.function == NEGATIVE:
            return self._line(MINUS, [*arguments, f"out={target}"], node.targets, node.labels)
        callee = f"np.{node.function}" if node.function in UFUNCS else spelling(node.function)
        return self._line(f"{callee}(", [*arguments, f"out={target}"], node.targets, node.labels)

    def _axes(self, node: Stacked) -> list[str]:
        """The axes of what is repeated, each 1 where it lacks one, and of the result; or of what is reduced, and over which."""
        values, *told = node.arguments
        assert not isinstance(values, Literal)
        of, size = self._names.compiled.sizes[values[0]], node.sizes[0]
        axes = next((each.size for each in told if isinstance(each, Literal)), "")
        texts = {
            axis: self._names.number(Count.size(axis)) for axis in axes_of(size if node.function == REPEAT else of)
        }
        if node.function == REPEAT:
            return axes_texts(axes or of, size, texts)
        return over_texts(of, axes or beyond(size, of), texts)

    def _argument(self, argument: tuple[str, ...] | Literal) -> str:
        if isinstance(argument, Literal):
            return self._names.number(Count.size(argument.size)) if argument.size else number(argument.value)
        if all(value in self._names.compiled.vectors for value in argument):
            return self._names.use(self._weights.vector(argument))
        return self._scope.view(self.spot(argument))

    def _line(self, head: str, arguments: list[str], values: Sequence[str], labels: Sequence[str]) -> list[str]:
        lines = call(head, arguments, ")", self._depth)
        if len(lines) == 1:
            return self._commented(f"{head}{', '.join(arguments)})", values, labels)
        above = remark(self._note(values, labels), self._depth)
        return marked([*above, *lines], Mark(tuple(labels), self._stage))

    def _commented(self, code: str, values: Sequence[str], labels: Sequence[str]) -> list[str]:
        lines = commented(code, self._note(values, labels), self._depth)
        return marked(lines, Mark(tuple(labels), self._stage))

    def _note(self, values: Sequence[str], labels: Sequence[str]) -> str:
        """The equations of a line, the shape of what it computes, and whether that is saved."""
        spot = self.spot(values)
        note = noted(labels, self._scope.shape(spot))
        return f"{note}, {MARK}" if self._scope.is_taped(spot, values) else note
