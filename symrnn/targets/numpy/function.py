"""What the bodies of all emitted functions have in common: their names, their loop, the locals at their head.

Reads a `Compiled` function; returns lines. Leaves out: what is special to a function that runs every step forwards
(`symrnn.targets.numpy.forward`) or backwards (`symrnn.targets.numpy.backward`), and the lines of a phase
(`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symrnn.emit.python_text import INDENT, bare, remark
from symrnn.emit.source import Marked
from symrnn.language.names import Allocator
from symrnn.language.system import INPUT, ONE
from symrnn.plan.program import Direction, Kind, Write
from symrnn.plan.program import Stage as PlannedStage
from symrnn.targets.numpy.compile import Compiled
from symrnn.targets.numpy.ir import Stage
from symrnn.targets.numpy.names import RESERVED, size_names
from symrnn.targets.numpy.printer import Printer
from symrnn.targets.numpy.scope import Locals, Scope, bindings
from symrnn.targets.numpy.weights import Weights

DEPTH = 1


def locals_of(compiled: Compiled, sizes: Sequence[str], taken: Sequence[str] = ()) -> Locals:
    """The names of a function; ``taken`` are those that others have."""
    allocator = Allocator((*RESERVED, *taken))
    letters = {**size_names(sizes, allocator), ONE: ONE}
    steps = {name: "T + 1" for name in compiled.own if _is_later(compiled, name)}
    return Locals(compiled, letters, allocator, steps)


def _is_later(compiled: Compiled, buffer: str) -> bool:
    """Whether a step reads the buffer's rows of the step after it."""
    stages = (*compiled.function.loop.stages, *compiled.function.stages_of("last"))
    later = {form.operand for stage in stages for a in stage.accumulators for form in a.forms if form.later}
    return bool(later & set(compiled.columns[buffer]))


class FunctionPrinter:
    """Prints one function, with the weights that it shares with others."""

    def __init__(self, names: Locals, weights: Weights) -> None:
        self.names, self.weights = names, weights
        self.compiled, self.function = names.compiled, names.compiled.function

    def scope(self, phase: str, rows: str, *, loop: bool = False) -> Scope:
        """The views of a phase."""
        return Scope(self.names, self.compiled.phases[phase], rows, loop=loop)

    def printer(self, phase: str, scope: Scope, depth: int = DEPTH) -> Printer:
        """What prints the nodes of a phase."""
        return Printer(self.names, self.compiled.phases[phase], scope, self.weights, depth)

    def stages(self, phase: str) -> tuple[Stage, ...]:
        """The stages of a phase."""
        return self.compiled.phases[phase].stages

    def banner(self, what: str, stages: Sequence[PlannedStage]) -> list[str]:
        """A blank line and what the phase does, with the values that come in and go out."""
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
        stored = {value for name in self.compiled.own for value in self.compiled.columns[name]}
        return write.place.kind is not Kind.BUFFER or write.value in stored

    def listed(self, values: Sequence[str]) -> str:
        """Values as a banner names them."""
        return ", ".join(dict.fromkeys(self.names.hint(value) for value in values))

    def complete(self, lines: list[str]) -> list[str]:
        """``lines`` after the sizes and weights that they use."""
        weights = [f"{w.name} = weights.{w.name}  # {w.shape}" for w in self.weights.found]
        weights += [f"{name} = weights.{name}" for name in self.weights.once.values()]
        head = [line for line in weights if uses([*lines], line.split(" = ")[0])]
        sizes = [(s, n) for s, n in self.names.sizes.items() if s not in (ONE, INPUT) and uses(lines, n)]
        if sizes:
            head.insert(0, ", ".join(n for _, n in sizes) + " = " + ", ".join(f'sizes["{s}"]' for s, _ in sizes))
        dims = [name for name in ("T", "B") if uses(lines, name)]
        shapes = {("T", "B"): "T, B = x.shape[:2]", ("T",): "T = len(x)", ("B",): "B = x.shape[1]"}
        if uses(lines, "dtype"):
            head.insert(0, "dtype = x.dtype")
        if dims:
            head.insert(0, shapes[tuple(dims)])
        return tidy([*indented(head), *lines])

    def loop(self, scope: Scope, idle: list[str]) -> list[str]:
        """The loop over all steps; ``idle`` says what rows beyond their length do instead."""
        backward = self.function.direction is Direction.BACKWARD
        lines = self.printer("loop", scope, DEPTH + 1).stages(self.stages("loop"))
        steps = "range(T - 1, -1, -1)" if backward else "range(T)"
        swaps = [f"{old}, {new} = {new}, {old}" for old, new in self.names.carries.values()]
        rest = ["if idle is not None:", f"{INDENT}gone = idle[t]", *(INDENT + line for line in idle)] if idle else []
        body = [f"{INDENT}for t in {steps}:", *bindings(scope.step, DEPTH + 1), *lines]
        scope.before[:] = indented(sorted(scope.before, key=_kind))
        return [*body, *(INDENT * 2 + line for line in (*rest, *swaps))]


def _kind(line: str) -> int:
    """Arrays come first, then their columns, then the lists of every step's."""
    return 0 if "np.empty" in line else 2 if "_steps(" in line else 1


def uses(lines: Sequence[str], name: str) -> bool:
    """Whether the code of ``lines`` reads or sets ``name``."""
    return re.search(rf"(?<![\w.\"]){re.escape(name)}(?![\w\"])", bare(lines)) is not None


def indented(lines: Sequence[str]) -> list[str]:
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
