"""The lines of stages: products, statements, and what a row beyond its length keeps.

Reads a phase and the names of its values; returns marked lines. Leaves out: loops, and what a function takes and returns
(`symrnn.targets.torch.forward_printer`, `symrnn.targets.torch.backward_printer`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symrnn.emit.python_text import INDENT, call, commented, remark
from symrnn.emit.source import Mark, block, marked
from symrnn.language.system import ONE
from symrnn.language.tree import Reduce, names
from symrnn.plan.program import Extent, Kind, Phase, Routine, Stage, Statement, Write
from symrnn.targets.torch.expression import TorchPrinter
from symrnn.targets.torch.forms import StackedForms, Stacks
from symrnn.targets.torch.names import Names

ROWS = {Extent.ONCE: (), Extent.STEP: ("B",), Extent.SEQUENCE: ("T", "B")}


@dataclass(frozen=True)
class Wording:
    """How a phase names values.

    Attributes:
        read: a stored value.
        local: a value of the stage.
        operand: operands side by side.
    """

    read: Callable[[str], str]
    local: Callable[[str], str]
    operand: Callable[[StackedForms], str]


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
        self, routine: Routine, phase: Phase, given: Names, stacks: Stacks, wording: Wording, depth: int = 1
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
        text = f"{self._wording.operand(product)} @ {product.weight}"
        if product.later:
            width = " + ".join(self._names.sizes[stage.size] for _ in sums)
            text += f" if {'t < T - 1' if self._phase.direction else 'T'} else x.new_zeros(B, {width})"
        if again:
            (total,) = sums
            return [f"{self._pad}{total} = {total} + ({text})"]
        if len(sums) == 1:
            return [f"{self._pad}{sums[0]} = {text}"]
        widths = self._names.widths([stage.size] * len(sums))
        return call(f"{', '.join(sums)} = ({text}).split(", [widths, "-1"], ")", self._depth)

    def _statement(
        self, statement: Statement, stage: Stage, printer: TorchPrinter, target: str, whole: bool
    ) -> list[str]:
        text = printer(statement.expression)
        if not whole:
            shape = f"({', '.join((*self._rows, self._names.sizes[stage.size]))}{'' if self._rows else ','})"
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
            if isinstance(statement.expression, Reduce):
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

    def _writes(self, stage: Stage, texts: Mapping[str, str], targets: Mapping[Write, str]) -> list[str]:
        """What others read of the stage; where a row is beyond its length, this is what the plan says instead."""
        pairs = [(targets[write], texts[write.value]) for write in stage.writes]
        moved = [(target, value) for target, value in pairs if target != value]
        plain = [f"{target} = {value}" for target, value in moved]
        if not self._phase.ragged or not pairs:
            return [self._pad + line for line in plain]
        gone = "gone" if self._phase.direction else "idle"
        kept = [(w, texts[w.idle] if w.idle else "0") for w in stage.writes]
        values = [f"torch.where({gone}, {idle}, {texts[w.value]})" for w, idle in kept]
        names_of = ", ".join(target for target, _ in pairs)
        lines = [f"{self._pad}{INDENT}gone = idle[t]"] if self._phase.direction else []
        lines += _assigned(names_of, values, self._depth + 1)
        found = block([f"{self._pad}if idle is not None:", *lines])
        if plain:
            found += block([f"{self._pad}else:", *(f"{self._pad}{INDENT}{line}" for line in plain)])
        return found


def _assigned(target: str, values: Sequence[str], depth: int) -> list[str]:
    """All values are read before any is written."""
    if len(values) == 1:
        return [f"{INDENT * depth}{target} = {values[0]}"]
    line = f"{INDENT * depth}{target} = {', '.join(values)}"
    return [line] if len(line) <= 120 else call(f"{target} = (", values, ")", depth)
