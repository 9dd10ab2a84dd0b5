"""What all emitted functions share: their names, their loop, and the locals they bind first.

Reads a `Compiled` routine; returns lines. Leaves out: what is special to a function that runs every step forwards
(`symrnn.targets.numpy.forward_printer`) or backwards (`symrnn.targets.numpy.backward_printer`), and the lines of a phase
(`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symrnn.emit.python_names import size_names
from symrnn.emit.python_text import INDENT, remark
from symrnn.emit.source import Marked, block
from symrnn.language.axes import has_axes
from symrnn.language.cell import Cell
from symrnn.language.identifiers import Allocator
from symrnn.language.system import INPUT, ONE
from symrnn.plan.program import LAST, LOOP, Direction, Kind, Phase, Stage, Write
from symrnn.targets.numpy.compile import Compiled
from symrnn.targets.numpy.ir import StageNodes, buffer
from symrnn.targets.numpy.names import INPUTS, RESERVED, SIZE_OF_INPUT
from symrnn.targets.numpy.printer import Printer
from symrnn.targets.numpy.scope import DTYPE, ROWS, STEPS, Locals, Scope, bindings
from symrnn.targets.numpy.side_by_side import given_of
from symrnn.targets.numpy.weights import Weights

DEPTH = 1


def locals_of(compiled: Compiled, cell: Cell, values: Mapping[str, str], taken: Sequence[str] = ()) -> Locals:
    """The names of a function.

    Args:
        compiled: the routine that it runs.
        cell: whose sizes they are.
        values: for each output of the layer, the variable whose value the function returns, or whose gradient it is given.
        taken: names that others have.
    """
    allocator = Allocator((*RESERVED, *taken))
    letters = {**size_names(cell.sizes, allocator), ONE: ONE}
    inputs = SIZE_OF_INPUT if has_axes(cell.size("x")) else INPUTS
    later = frozenset(name for name in compiled.own if _is_later(compiled, name))
    return Locals(compiled, letters, allocator, later, given_of(compiled.routine, values, allocator), inputs)


def _is_later(compiled: Compiled, name: str) -> bool:
    """Whether a step reads the buffer's rows of the step after it."""
    stages = (*compiled.routine.stages_of(LOOP), *compiled.routine.stages_of(LAST))
    later = {form.operand for stage in stages for a in stage.accumulators for form in a.forms if form.later}
    return bool(later & set(compiled.columns[buffer(name)]))


class BodyPrinter:
    """Prints one function, with the weights that it shares with others."""

    def __init__(self, names: Locals, weights: Weights) -> None:
        self.names, self.weights = names, weights
        self.compiled, self.routine = names.compiled, names.compiled.routine

    def scope(self, phase: Phase, *, spans: bool = False, loop: bool = False) -> Scope:
        """The views of a phase."""
        return Scope(self.names, self.compiled.phases[phase.name], spans=spans, loop=loop)

    def printer(self, phase: Phase, scope: Scope, depth: int = DEPTH) -> Printer:
        """The printer of the nodes of a phase."""
        return Printer(self.names, self.compiled.phases[phase.name], scope, self.weights, depth)

    def stages(self, phase: Phase) -> tuple[StageNodes, ...]:
        """The stages of a phase."""
        return self.compiled.phases[phase.name].stages

    def banner(self, what: str, stages: Sequence[Stage]) -> list[str]:
        """A blank line and what the phase does, with the values that it reads and gives."""
        if not stages:
            return []
        made = {write.value for stage in stages for write in stage.writes}
        later = {form.operand for stage in stages for a in stage.accumulators for form in a.forms if form.later}
        operands = [f"{self.names.hint(v)} of the step after" if v in later else v for s in stages for v in s.operands]
        reads = [v for v in (*operands, *(v for s in stages for v in s.reads)) if v not in made]
        writes = [write.value for stage in stages for write in stage.writes if self.is_stored(write)]
        return ["", *remark(f"{what}: reads {self.listed(reads)}; gives {self.listed(writes)}.", DEPTH)]

    def is_stored(self, write: Write) -> bool:
        """Whether what is written outlives its step."""
        stored = {value for name in self.compiled.own for value in self.compiled.columns[buffer(name)]}
        return write.place.kind is not Kind.BUFFER or write.value in stored

    def listed(self, values: Sequence[str]) -> str:
        """Values as a banner names them."""
        return ", ".join(dict.fromkeys(self.names.hints(values)))

    def columns(self, name: str) -> tuple[str, ...]:
        """The values of a buffer."""
        return self.compiled.columns[buffer(name)]

    def complete(self, lines: list[str]) -> list[str]:
        """``lines`` after the sizes and weights that they use."""
        used = self.names.used
        head = []
        if dims := _DIMS.get(tuple(name for name in (STEPS, ROWS) if name in used)):
            head.append(dims)
        if DTYPE in used:
            head.append(f"{DTYPE} = x.dtype")
        sizes = [(size, letter) for size, letter in self.names.letters.items() if size not in (ONE, INPUT)]
        if read := [(size, letter) for size, letter in sizes if letter in used]:
            given = ", ".join(f'sizes["{size}"]' for size, _ in read)
            head.append(f"{', '.join(letter for _, letter in read)} = {given}")
        head += [f"{w.name} = weights.{w.name}  # {w.note}" for w in self.weights.found if w.name in used]
        head += [f"{name} = weights.{name}" for name in self.weights.once.values() if name in used]
        return tidy([*indented([*self.names.given.lines, *head]), *lines])

    def loop(self, scope: Scope, idle: list[str]) -> list[str]:
        """The locals bound before the loop over all steps, and the loop; ``idle`` says what finished rows do instead."""
        lines = self.printer(LOOP, scope, DEPTH + 1).stages(self.stages(LOOP))
        T = self.names.use(STEPS)
        steps = f"range({T} - 1, -1, -1)" if self.routine.direction is Direction.BACKWARD else f"range({T})"
        swaps = [f"{old}, {new} = {new}, {old}" for old, new in self.names.carries.values()]
        rest = under("if idle is not None:", ["gone = idle[t]", *idle]) if idle else []
        body = [*bindings(scope.step, DEPTH + 1), *lines, *indented(indented((*rest, *swaps)))]
        before = sorted(scope.before, key=lambda binding: binding.order)
        return [*indented(b.code for b in before), *block([f"{INDENT}for t in {steps}:", *body])]


_DIMS = {(STEPS, ROWS): "T, B = x.shape[:2]", (STEPS,): "T = len(x)", (ROWS,): "B = x.shape[1]"}
"""The line that binds the number of steps and of rows, if one of them is used."""


def before(scope: Scope) -> list[str]:
    """The lines that bind what a phase without a loop uses."""
    return indented(binding.code for binding in scope.before)


def under(head: str, lines: Iterable[str]) -> list[str]:
    """The block of ``head`` and ``lines``, these one level deeper."""
    return block([head, *indented(lines)])


def indented(lines: Iterable[str]) -> list[str]:
    """``lines`` one level deeper, with their marks."""
    return [_deeper(line) for line in lines]


def _deeper(line: str) -> str:
    if isinstance(line, Marked):
        return Marked(INDENT + line, line.mark)
    return INDENT + line if line else line


def tidy(lines: Sequence[str]) -> list[str]:
    """No blank line first, last, or after another."""
    found: list[str] = []
    for line in lines:
        if line or (found and found[-1]):
            found.append(line)
    return found[:-1] if found and not found[-1] else found
