"""Definitions, repeats and ``previous`` written out: what comes after sees equations as if their author had written them.

Reads parsed equations and definitions; returns equations without calls of definitions, without repeats, and with a state for
each input whose value of the step before is read. Each has a label with the number of the author's equation: ``2.3`` is
pass 3 of equation 2, ``2.3.1`` the first call in it that has a name. A call is written out where it stands; one that
stands in several places has one value, and a name. What only dropped passes would read is dropped too. A cell that uses
nothing of all this comes back as it is. Leaves out: how an author wrote it (`symrnn.language.written`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symrnn.language.calls import Expander, Value, call_number, is_reference, parts_of, size, state_before
from symrnn.language.definitions import Constants, Definitions, names_in
from symrnn.language.given import DEFINE_TABLE
from symrnn.language.identifiers import Allocator
from symrnn.language.located import Assignment, Located
from symrnn.language.origin import Origin
from symrnn.language.parser import MAX_NODES, PREVIOUS
from symrnn.language.repetition import Repetition, Unrolled, updated_names
from symrnn.language.scanner import MAX_NAME
from symrnn.language.shared_forms import share_forms
from symrnn.language.tree import PRIME, Call, MatVec, Name, is_next, rebuild

_ROOM = 5
"""Characters that are kept for the number of a name that is taken."""


@dataclass(frozen=True)
class Expansion:
    """Equations written out.

    Attributes:
        assignments: the equations, with labels.
        origin: what knows the places of all their parts.
        constants: those that say how often something is repeated.
        before: the states that are inputs of the step before, and these inputs.
        updated: names that repeats update: each stands for several values.
        is_new: whether the author wrote them in another form.
    """

    assignments: tuple[Assignment, ...]
    origin: Origin
    constants: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    updated: tuple[str, ...] = ()
    is_new: bool = False


def expand(
    given: Sequence[Assignment],
    definitions: Definitions,
    constants: Constants,
    inputs: Sequence[str],
    declared: Iterable[str] = (),
) -> Expansion:
    """The equations of a cell written out.

    Args:
        given: the author's equations.
        definitions: of the cell.
        constants: the value and text of each scalar hyper-parameter.
        inputs: the names of the inputs.
        declared: names that have a size of their own.

    Raises:
        CellError: something cannot be written out, is too large for it, or is never used.
    """
    labelled = tuple(replace(each, label=str(number)) for number, each in enumerate(given, 1))
    if not definitions.by_name and not any(each.heads or _is_called(PREVIOUS, each.expression) for each in given):
        return Expansion(labelled, definitions.origin)
    _check_names(labelled, definitions)
    expander = Expander(definitions, constants, inputs, updated_names(labelled))
    repetition = Repetition(labelled, expander, constants, inputs)
    repetition.run()
    for name, definition in definitions.by_name.items():
        if name not in expander.called:
            message = f"[define] {definition.head}: nothing calls it; call it or remove it"
            raise expander.origin.entry_error(message, DEFINE_TABLE, definition.key)
    taken = {*_names(labelled, definitions), *constants, *inputs, *map(state_before, expander.previous)}
    assignments = _Naming(repetition.steps, expander, taken, frozenset(declared)).run()
    states = []
    for number, (name, place) in enumerate(expander.previous.items(), len(given) + 1):
        _check_free(state_before(name), labelled, definitions, constants, inputs)
        states.append(Assignment(state_before(name) + PRIME, place, Located(Name(name), place), label=str(number)))
    before = {state_before(name): name for name in expander.previous}
    updated, bounds = updated_names(labelled), tuple(repetition.bounds)
    return Expansion((*assignments, *states), expander.origin, bounds, before, updated, is_new=True)


def _is_called(function: str, expression: Located) -> bool:
    return any(isinstance(at.node, Call) and at.node.function == function for at in parts_of(expression))


def _read(given: Iterable[Assignment], definitions: Definitions) -> Iterator[tuple[str, Located]]:
    """Every name in the equations and, but for the arguments, in the bodies of definitions, with where it stands."""
    for assignment in given:
        yield assignment.target, Located(Name(assignment.target), assignment.place)
        yield from names_in(assignment.expression)
    for definition in definitions.by_name.values():
        yield from ((name, at) for name, at in names_in(definition.body) if name not in definition.arguments)


def _names(given: Iterable[Assignment], definitions: Definitions) -> set[str]:
    return {name.removesuffix(PRIME) for name, _ in _read(given, definitions)}


def _check_names(given: Sequence[Assignment], definitions: Definitions) -> None:
    """Refuse a definition that has the name of a value."""
    for name, at in _read(given, definitions):
        definition = definitions.by_name.get(name.removesuffix(PRIME))
        if definition is not None:
            line = definitions.origin.at(at.place)[0]
            message = f"[define] {definition.head}: `{name}` is a name of the equations too, in line {line}; rename one of them"
            raise definitions.origin.entry_error(message, DEFINE_TABLE, definition.key)


def _check_free(
    state: str, given: Sequence[Assignment], definitions: Definitions, constants: Constants, inputs: Sequence[str]
) -> None:
    """Refuse an author's name that is that of a state which `previous` makes."""
    name = state.removesuffix(f"_{PREVIOUS}")
    message = f"`{state}` is the state that `{PREVIOUS}({name})` makes; use another name"
    for table, names in (("constants", constants), ("inputs", inputs)):
        if state in names:
            raise definitions.origin.entry_error(f"[{table}] {state}: {message}", table, state)
    for found, at in _read(given, definitions):
        if found.removesuffix(PRIME) == state:
            raise definitions.origin.error(message, at.place)


class _Naming:
    """Gives names to the values of passes and of calls, and drops what nothing reads."""

    def __init__(
        self, steps: Sequence[Unrolled], expander: Expander, taken: Iterable[str], declared: frozenset[str]
    ) -> None:
        self._steps, self._expander, self._declared = steps, expander, declared
        self._allocator = Allocator(taken)
        self._values: dict[int, str] = {}
        self._passes: dict[str, str] = {}
        self._counts: Counter[int] = Counter()
        self._done: list[Assignment] = []

    def run(self) -> tuple[Assignment, ...]:
        live = self._live()
        for step in live:
            target = step.target
            if is_reference(target):
                self._passes[target] = self._fresh(step.given.target, "".join(f"_{number}" for number in step.numbers))
            self._emit(step, self._passes.get(target, target))
        return share_forms(self._done, self._expander.origin, self._fresh)

    def _live(self) -> list[Unrolled]:
        """The steps that something reads, and how often each call stands in them."""
        read: set[str] = set()
        live: list[Unrolled] = []
        for step in reversed(self._steps):
            if not is_reference(step.target) or step.target in read:
                live.append(step)
                self._see(step.expression, read)
        found = {step.given.label for step in live}
        for step in self._steps:
            if step.given.label not in found:
                message = f"`{step.given.target}` is assigned and never used; use it or remove it"
                raise self._expander.error(message, step.given.place)
        return live[::-1]

    def _see(self, expression: Located, read: set[str]) -> None:
        waiting = [expression]
        while waiting:
            for at in parts_of(waiting.pop()):
                name = _name_of(at)
                read.add(name)
                if (number := call_number(name)) is not None:
                    self._counts[number] += 1
                    if self._counts[number] == 1:
                        waiting.append(self._expander.values[number].body)

    def _emit(self, step: Unrolled, target: str) -> None:
        """The equation of a step, behind those of the calls in it that have names."""
        number = call_number(_name_of(step.expression))
        expression, count = step.expression, 0
        may_name = not is_next(target) and target not in self._declared
        if number is not None and number not in self._values and may_name:
            # The author's own name serves for the value too.
            expression = self._expander.values[number].body
            count = self._name_calls(expression, step, count)
            self._values[number] = target
        else:
            count = self._name_calls(expression, step, count)
        self._add(Assignment(target, step.given.place, self._resolved(expression), label=step.label))

    def _name_calls(self, expression: Located, step: Unrolled, count: int) -> int:
        """An equation for each call in an expression that has a name and none yet; how many there are now."""
        for at in parts_of(expression):
            number = call_number(_name_of(at))
            if number is None or number in self._values:
                continue
            value = self._expander.values[number]
            count = self._name_calls(value.body, step, count)
            if self._counts[number] > 1:
                count += 1
                self._values[number] = self._fresh(self._hint(value, step))
                label = f"{step.label}.{count}"
                self._add(Assignment(self._values[number], at.place, self._resolved(value.body), label=label))
        return count

    def _hint(self, value: Value, step: Unrolled) -> str:
        """A name by role: what is called and its arguments, or the name that is assigned."""
        arguments = [self._resolved(argument).node for argument in value.arguments]
        plain = [node.name.removesuffix(PRIME) for node in arguments if isinstance(node, Name)]
        target = self._passes.get(step.target, step.target).removesuffix(PRIME)
        parts = plain if len(plain) == len(arguments) else [target]
        return "_".join([value.definition.name, *parts])

    def _fresh(self, stem: str, numbers: str = "") -> str:
        """A new name that is not too long; the allocator adds a number where it is taken."""
        return self._allocator.fresh(stem[: MAX_NAME - _ROOM - len(numbers)] + numbers)

    def _add(self, assignment: Assignment) -> None:
        if size(assignment.expression) > MAX_NODES:
            message = f"written out, the equation has more than {MAX_NODES} parts; name some of them"
            raise self._expander.error(message, assignment.place)
        self._done.append(assignment)

    def _resolved(self, at: Located) -> Located:
        """An expression with names, and with the calls written out that have none."""
        name = _name_of(at)
        if (number := call_number(name)) is not None:
            if number not in self._values:
                return self._resolved(self._expander.values[number].body)
            return Located(Name(self._values[number]), at.place)
        name = self._passes.get(name, name)
        if isinstance(at.node, Name):
            return Located(Name(name), at.place)
        parts = tuple(self._resolved(part) for part in at.parts)
        node = rebuild(at.node, tuple(part.node for part in parts))
        return Located(replace(node, matrix=name) if isinstance(node, MatVec) else node, at.place, parts, at.remedy)


def _name_of(at: Located) -> str:
    """The name that a part is, or the matrix of a linear form; empty for any other part."""
    if isinstance(at.node, MatVec):
        return at.node.matrix
    return at.node.name if isinstance(at.node, Name) else ""
