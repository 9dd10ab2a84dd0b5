"""The lines of stages: products, statements, and what a row beyond its length keeps.

Reads a phase and the names of its values; returns marked lines. Leaves out: loops, and what a function takes and returns
(`symrnn.targets.torch.forward_printer`, `symrnn.targets.torch.backward_printer`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symrnn.emit.python_text import INDENT, call, collection, commented, remark
from symrnn.emit.source import Mark, block, marked
from symrnn.language.system import ONE
from symrnn.language.tree import Broadcast, Reduce, names, walk
from symrnn.plan.program import Extent, Kind, Phase, Routine, Stage, Statement, Write
from symrnn.plan.vocabulary import over_axes
from symrnn.targets.torch.expression import TorchPrinter
from symrnn.targets.torch.forms import StackedForms, Stacks
from symrnn.targets.torch.names import TorchNames

ROWS = {Extent.ONCE: (), Extent.STEP: ("x.shape[1]",), Extent.SEQUENCE: ("T", "x.shape[1]")}


@dataclass(frozen=True)
class Wording:
    """How a phase names values.

    Attributes:
        read: a stored value.
        local: a value of the stage.
        operand: operands side by side.
        masked: whether what a row beyond its length writes to a sequence is zero at once.
    """

    read: Callable[[str], str]
    local: Callable[[str], str]
    operand: Callable[[StackedForms], str]
    masked: bool = False


class PhasePrinter:
    """Prints the stages of one phase.

    Args:
        routine: that the phase belongs to.
        phase: the phase.
        given: names in the function.
        stacks: weights of the function.
        wording: how values are named.
        depth: of the lines.
    """

    def __init__(
        self, routine: Routine, phase: Phase, given: TorchNames, stacks: Stacks, wording: Wording, depth: int = 1
    ) -> None:
        self._routine, self._phase, self._names, self._stacks = routine, phase, given, stacks
        self._wording, self._depth, self._pad = wording, depth, INDENT * depth
        self._rows = ROWS[phase.rows]

    def stage(self, stage: Stage, targets: Mapping[Write, str]) -> list[str]:
        """The lines of a stage; ``targets`` names the variable of each write."""
        products = self._stacks.products(stage)
        texts = {name: self._wording.read(name) for name in stage.reads}
        texts |= {name: self._wording.local(name) for name in stage.local}
        lines = remark(stage.name, self._depth)
        summed: set[str] = set()
        for product in products:
            lines += self._product(product, stage, texts, again=not summed.isdisjoint(product.accumulators))
            summed.update(product.accumulators)
        whole = self._whole_values(stage)
        printer = TorchPrinter(texts, self._names.sizes)
        for statement in stage.statements:
            lines += self._statement(statement, stage, printer, texts[statement.target], statement.target in whole)
        return lines + self._writes(stage, texts, targets)

    def _product(self, product: StackedForms, stage: Stage, texts: Mapping[str, str], *, again: bool) -> list[str]:
        """One product and its parts. A later product of the same sum adds to it."""
        sums = [texts[name] for name in product.accumulators]
        operand = self._wording.operand(product)
        text = f"_of_later({operand}, {product.weight}, x)" if product.later else f"{operand} @ {product.weight}"
        if again:
            (total,) = sums
            return [f"{self._pad}{total} = {total} + {text}"]
        if len(sums) == 1:
            return [f"{self._pad}{sums[0]} = {text}"]
        widths = self._names.widths([stage.size] * len(sums))
        text = text if product.later else f"({text})"
        return call(f"{', '.join(sums)} = {text}.split(", [widths, "-1"], ")", self._depth)

    def _statement(
        self, statement: Statement, stage: Stage, printer: TorchPrinter, target: str, whole: bool
    ) -> list[str]:
        text = printer(statement.expression)
        if not whole:
            units = self._names.sizes[self._routine.sizes[statement.target]]
            shape = f"({', '.join((*self._rows, units))}{'' if self._rows else ','})"
            tensor = bool(names(statement.expression))
            text = f"torch.broadcast_to({text}, {shape})" if tensor else f"x.new_full({shape}, {text})"
        label = f"({statement.label})" if statement.label else ""
        lines = commented(f"{target} = {text}", label, self._depth)
        return marked(lines, Mark((statement.label,) if statement.label else (), stage.name))

    def _whole_values(self, stage: Stage) -> set[str]:
        """The values that have all rows and units of the stage without being broadcast."""
        whole = {a.name for a in stage.accumulators}
        whole |= {v for v in stage.reads if self._has_rows(v) and self._routine.sizes[v] == stage.size}
        for statement in stage.statements:
            read = names(statement.expression)
            if over_axes(statement.expression):
                is_whole = any(name in whole for name in read)
            elif any(self._has_rows(name) for name in _repeated(statement)):
                is_whole = True
            elif isinstance(statement.expression, Reduce):
                is_whole = stage.size == ONE and any(name in whole or self._has_rows(name) for name in read)
            else:
                is_whole = any(name in whole for name in read)
            if is_whole:
                whole.add(statement.target)
        return whole

    def _has_rows(self, value: str) -> bool:
        """Whether a stored value has a row for each row of the phase."""
        place = self._routine.places.get(value)
        if not self._rows:
            return True
        if place is None or place.kind is Kind.PARAMETER:
            return False
        return place.kind is not Kind.BUFFER or self._names.extents[value] is not Extent.ONCE

    def _masks(self, write: Write) -> bool:
        """Whether a row beyond its length writes something else.

        Values of one step are left as they come: nothing reads those of such a row in the end, and zeros among them could
        make a quotient NaN, whose derivative PyTorch would add up.
        """
        if write.place.kind is not Kind.BUFFER:
            return True
        return self._phase.ragged and self._wording.masked and self._names.extents[write.value] is Extent.SEQUENCE

    def _writes(self, stage: Stage, texts: Mapping[str, str], targets: Mapping[Write, str]) -> list[str]:
        """What others read of the stage; where a row is beyond its length, this is what the plan says instead."""
        masked = [write for write in stage.writes if self._masks(write)]
        moved = [f"{targets[w]} = {texts[w.value]}" for w in masked if targets[w] != texts[w.value]]
        if not self._phase.ragged or not masked:
            return [self._pad + line for line in moved]
        gone = "gone" if self._phase.direction else "idle"
        kept = [Kept(targets[w], gone, texts[w.idle] if w.idle else "0", texts[w.value]) for w in masked]
        lines = [f"{self._pad}{INDENT}gone = idle[t]"] if self._phase.direction else []
        found = block([f"{self._pad}if idle is not None:", *lines, *_assigned(kept, self._depth + 1)])
        if moved:
            found += block([f"{self._pad}else:", *(f"{self._pad}{INDENT}{line}" for line in moved)])
        return found


def _repeated(statement: Statement) -> list[str]:
    """The values that a statement repeats along axes."""
    nodes = (node for node in walk(statement.expression) if isinstance(node, Broadcast))
    return [name for node in nodes for name in names(node)]


@dataclass(frozen=True)
class Kept:
    """``target = torch.where(gone, idle, value)``: what a row beyond its length writes, and what others write."""

    target: str
    gone: str
    idle: str
    value: str

    @property
    def text(self) -> str:
        """The right side."""
        return f"torch.where({self.gone}, {self.idle}, {self.value})"


def _assigned(kept: Sequence[Kept], depth: int) -> list[str]:
    """One a line, a variable being written after the others have read it; those that read one another at once."""
    lines: list[str] = []
    left = list(kept)
    while left:
        read = {each.target: [o for o in left if o is not each and each.target in (o.idle, o.value)] for each in left}
        free = next((each for each in left if not read[each.target]), None)
        if free is None:
            targets = ", ".join(each.target for each in left)
            return lines + collection(f"{targets} = (", [each.text for each in left], ")", depth)
        lines.append(f"{INDENT * depth}{free.target} = {free.text}")
        left.remove(free)
    return lines
