"""Writes repeats out: one equation for each pass, each with a value of its own.

Reads parsed equations; returns `Unrolled` records: the equations outside of repeats, and those of all passes in their order. A
name that a repeat updates stands for its last value; ``R[k]`` is the parameter ``R_2`` in pass 2. A start that is a state or
an input (``s = h``) is no equation: the first pass reads ``h``. Leaves out: names for the values of passes
(`symrnn.language.expansion`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from symrnn.language.calls import Expander, reference
from symrnn.language.definitions import Constants
from symrnn.language.located import Assignment, Located
from symrnn.language.origin import Place
from symrnn.language.parser import function_fault
from symrnn.language.repeats import Guard, Head
from symrnn.language.scanner import name_fault
from symrnn.language.tree import PRIME, Name, is_next

MAX_EQUATIONS = 1000
"""Most equations that repeats are written out as."""


@dataclass(frozen=True)
class Unrolled:
    """An equation written out.

    Attributes:
        target: what it assigns; in a pass, a reference.
        label: its number, with the numbers of the passes behind it (``2.3``).
        expression: the right side.
        given: the author's equation.
        numbers: of the passes; empty outside of repeats.
    """

    target: str
    label: str
    expression: Located
    given: Assignment
    numbers: tuple[int, ...]


def updated_names(assignments: Iterable[Assignment]) -> tuple[str, ...]:
    """The names that repeats assign, each once."""
    return tuple(dict.fromkeys(assignment.target for assignment in assignments if assignment.heads))


class Repetition:
    """Goes through the equations as they run.

    Attributes:
        steps: the equations written out.
        bounds: the constants that say how often something is repeated.
    """

    def __init__(
        self, assignments: Sequence[Assignment], expander: Expander, constants: Constants, inputs: Sequence[str]
    ) -> None:
        self._assignments, self._expander, self._constants = assignments, expander, constants
        self._states = [each.target[:-1] for each in assignments if is_next(each.target)]
        self._inputs = inputs
        self._starts: dict[str, Assignment] = {}
        self._done: dict[tuple[str, tuple[Head, ...], tuple[int, ...]], Assignment] = {}
        self.steps: list[Unrolled] = []
        self.bounds: dict[str, None] = {}

    def run(self) -> None:
        """Write all equations out.

        Raises:
            CellError: a repeat is malformed or too long, or an equation in it assigns what it cannot.
        """
        for assignment in self._assignments:
            self._check(assignment)
        self._count(self._assignments, 0)
        self._block(self._assignments, {}, ())
        self._check_passes()

    def _check(self, assignment: Assignment) -> None:
        """Refuse what is wrong with an equation in whatever pass."""
        target, place = assignment.target, assignment.place
        if not assignment.heads:
            return
        if is_next(target):
            message = f"`{target}` is the value at the end of the step: assign it once, below the repeat"
            raise self._expander.error(message, place)
        if target in self._states:
            message = (
                f"`{target}` is a state, and stays as it is in a step; begin with a copy, `s = {target}`, and update it"
            )
            raise self._expander.error(message, place)
        if target in self._inputs or target in self._constants:
            kind = "an input" if target in self._inputs else "a constant"
            message = f"`{target}` is {kind}; begin with a copy of it under another name, and update that"
            raise self._expander.error(message, place)
        counts: list[str] = []
        for head in assignment.heads:
            if head.index:
                self._check_index(head, counts)
                counts.append(head.index)
        guard = assignment.guard
        if guard is not None and guard.index not in counts:
            message = f"`{guard}`: the repeats around the equation count no `{guard.index}`"
            raise self._expander.error(message, guard.place)

    def _check_index(self, head: Head, around: Sequence[str]) -> None:
        name = head.index
        fault = name_fault(name) or function_fault(name)
        stems = {assignment.target.removesuffix(PRIME) for assignment in self._assignments}
        if not fault and (name in around or name in stems or name in self._inputs or name in self._constants):
            fault = f"`{name}` is taken; count the passes by another name"
        if fault:
            raise self._expander.error(fault, head.place)

    def _bound(self, text: str, place: Place) -> int:
        """A number of a pass."""
        if text.isdigit():
            return int(text)
        value = self._constants.get(text)
        if value is None or value[0].denominator != 1:
            message = (
                f"`{text}` is no whole number under [constants]; a repeat is as long as one says, as in `{text} = 6`"
            )
            raise self._expander.error(message, place)
        self.bounds[text] = None
        return int(value[0])

    def _range(self, head: Head) -> tuple[int, int]:
        first, last = self._bound(head.first, head.bounds), self._bound(head.last, head.bounds)
        if not 0 <= first <= last:
            message = f"`{head}` has no pass: the passes run from {first} to {last}, upwards and from 0 at least"
            raise self._expander.error(message, head.bounds)
        return first, last

    def _count(self, block: Sequence[Assignment], level: int) -> int:
        """How many equations a block is; nothing is written out for that."""
        total = 0
        for head, inner in _grouped(block, level):
            if head is None:
                total += len(inner)
                continue
            first, last = self._range(head)
            each = self._count(inner, level + 1)
            passes = last - first + 1
            if passes * each > MAX_EQUATIONS:
                message = f"`{head}` is {passes} passes of {each}, but a cell has at most {MAX_EQUATIONS} equations written out"
                raise self._expander.error(message, head.bounds)
            total += passes * each
        if level == 0 and total > MAX_EQUATIONS and any(assignment.heads for assignment in block):
            message = f"written out, the cell has {total} equations; the most is {MAX_EQUATIONS}"
            raise self._expander.error(message, block[0].place)
        return total

    def _block(self, block: Sequence[Assignment], numbers: Mapping[str, int], passes: tuple[int, ...]) -> None:
        for head, inner in _grouped(block, len(passes)):
            if head is None:
                for assignment in inner:
                    self._assign(assignment, numbers, passes)
                continue
            first, last = self._range(head)
            for number in range(first, last + 1):
                counted = {**numbers, head.index: number} if head.index else numbers
                self._block(inner, counted, (*passes, number))

    def _assign(self, assignment: Assignment, numbers: Mapping[str, int], passes: tuple[int, ...]) -> None:
        if assignment.guard is not None and not self._holds(assignment.guard, numbers):
            return
        target, label = assignment.target, ".".join(map(str, (assignment.label, *passes)))
        updated = target in self._expander.updated
        key = (target, assignment.heads, passes)
        if updated and (key in self._done or (not passes and self._expander.updated[target])):
            first = self._done.get(key) or next(each for each in self._assignments if each.target == target)
            line = self._expander.origin.at(first.place)[0]
            where = "in the same pass" if passes else "outside of the repeat that updates it"
            message = f"`{target}` is assigned a second time {where}, after line {line}; use another name"
            raise self._expander.error(message, assignment.place)
        self._done[key] = assignment
        expression = self._expander.write(assignment.expression, numbers)
        node = expression.node
        if updated and not passes and isinstance(node, Name) and node.name in (*self._states, *self._inputs):
            self._starts[target] = assignment
            self._expander.update(target, node.name)
            return
        name = reference(len(self.steps), to_pass=True) if passes else target
        if updated:
            if target in self._starts and target not in self._expander.read:
                raise self._never_used(target, self._starts[target].place)
            self._starts.pop(target, None)
            self._expander.update(target, name)
        self.steps.append(Unrolled(name, label, expression, assignment, passes))

    def _holds(self, guard: Guard, numbers: Mapping[str, int]) -> bool:
        bound = self._bound(guard.bound, guard.place) if guard.bound else 0
        return guard.holds(numbers[guard.index], bound)

    def _check_passes(self) -> None:
        """Refuse an equation that is for no pass."""
        found = {step.given.label for step in self.steps}
        for assignment in self._assignments:
            if assignment.guard is not None and assignment.label not in found:
                message = f"`{assignment.guard}` holds in no pass; the equation is never used"
                raise self._expander.error(message, assignment.guard.place)

    def _never_used(self, name: str, place: Place) -> Exception:
        return self._expander.error(f"`{name}` is assigned and never used; use it or remove it", place)


def _grouped(block: Sequence[Assignment], level: int) -> list[tuple[Head | None, list[Assignment]]]:
    """Runs of equations, each with the repeat around it at that level, if there is one."""
    runs = groupby(block, lambda each: each.heads[level] if len(each.heads) > level else None)
    return [(head, list(run)) for head, run in runs]
