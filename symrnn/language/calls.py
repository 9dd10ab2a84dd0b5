"""Writes definitions out where they are called, tree by tree, and keeps the places of all parts.

Reads located expressions; returns the same without calls of definitions, without names that have an index and without
``previous``. A call becomes a `Value`, one for all equal calls; an expression refers to it by a name that no author can write
(`reference`), until `symrnn.language.expansion` writes it out or names it. Texts are never substituted, so nothing is
captured: the free names of a body are those of the cell. Leaves out: passes of repeats (`symrnn.language.repetition`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symrnn.errors import CellError
from symrnn.language.definitions import Constants, Definition, Definitions
from symrnn.language.indexed import is_indexed, numbered, split
from symrnn.language.located import Located
from symrnn.language.origin import Origin, Passage, Place, passage_of, shown, within
from symrnn.language.parser import PREVIOUS
from symrnn.language.scanner import MAX_DEPTH, name_fault
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Constant, Expression, MatVec, Name, Number, integer, rebuild

MAX_PARTS = 50_000
"""Most parts of all equations, definitions and repeats written out."""

_VALUE, _PASS = "#", "%"
"""First letters of references, to the value of a call and to the value that a pass gives a name."""


def reference(number: int, *, to_pass: bool = False) -> str:
    """A name for a value that has none yet."""
    return f"{_PASS if to_pass else _VALUE}{number}"


def call_number(name: str) -> int | None:
    """The number of the call that ``name`` refers to, if it refers to one."""
    return int(name[1:]) if name.startswith(_VALUE) else None


def is_reference(name: str) -> bool:
    """Whether ``name`` is a reference."""
    return name.startswith((_VALUE, _PASS))


@dataclass(frozen=True)
class Value:
    """What a call gives.

    Attributes:
        definition: what is called.
        arguments: what it is given, written out.
        body: the expression, written out; other calls stand in it by reference.
        depth: how deep the body would be with those written out too.
    """

    definition: Definition
    arguments: tuple[Located, ...]
    body: Located
    depth: int


@dataclass(frozen=True)
class _Frame:
    """What names stand for in the text at hand: arguments in a body, counts of passes in an equation."""

    arguments: Mapping[str, Located] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    passage: int = 0
    caller: str = ""


class Expander:
    """Writes expressions out one after the other; equal calls among them share a value.

    Attributes:
        values: of all calls so far, by number.
        updated: what names that repeats update stand for at the moment; empty before their first value.
        read: those of them that were read.
        previous: the inputs whose value of the step before is read, with the place that reads it first.
        called: names of the definitions that were called.
    """

    def __init__(
        self, definitions: Definitions, constants: Constants, inputs: Sequence[str], updated: Sequence[str]
    ) -> None:
        self._definitions, self._constants, self._inputs = definitions, constants, inputs
        self._passages: list[Passage] = list(definitions.origin.passages)
        self._known: dict[tuple[object, ...], str | Number | Constant] = {}
        self._spent = 0
        self._moment = 0
        self.values: list[Value] = []
        self.updated: dict[str, str] = dict.fromkeys(updated, "")
        self.read: set[str] = set()
        self.previous: dict[str, Place] = {}
        self.called: dict[str, None] = {}

    @property
    def origin(self) -> Origin:
        """The origin that knows the places of all that was written out."""
        return replace(self._definitions.origin, passages=tuple(self._passages))

    def update(self, name: str, value: str) -> None:
        """From now on ``name`` stands for ``value``."""
        self.updated[name] = value
        self._moment += 1

    def write(self, expression: Located, numbers: Mapping[str, int]) -> Located:
        """``expression`` written out; ``numbers`` are those of the passes around it.

        Raises:
            CellError: it is too large or too deep written out, or a name does not stand for what it is used as.
        """
        written = self._write(expression, _Frame(numbers=numbers), 1)
        self._hold_depth(written)
        return written

    def error(self, message: str, place: Place) -> CellError:
        """An error at a place of the equations or of any text that was written out."""
        return self.origin.error(message, place)

    def _write(self, at: Located, frame: _Frame, depth: int) -> Located:
        place = within(frame.passage, at.place) if frame.passage else at.place
        self._spend(1, place)
        if depth > MAX_DEPTH:
            raise self.error(_too_deep(), place)
        match at.node:
            case Name(name):
                return self._name(name, place, frame)
            case Call(function, _) if function in self._definitions.by_name:
                return self._call(at, place, frame, depth)
            case Call(function, _) if function == PREVIOUS:
                return self._before(self._write(at.parts[0], frame, depth + 1), place)
            case MatVec(matrix, transposed, _):
                operand = self._write(at.parts[0], frame, depth + 1)
                node: Expression = MatVec(self._matrix(matrix, place, frame), transposed, operand.node)
                return Located(node, place, (operand,))
        parts = tuple(self._write(part, frame, depth + 1) for part in at.parts)
        return Located(rebuild(at.node, tuple(part.node for part in parts)), place, parts, at.remedy)

    def _spend(self, parts: int, place: Place) -> None:
        self._spent += parts
        if self._spent > MAX_PARTS:
            message = f"written out, the equations have more than {MAX_PARTS} parts; call and repeat less"
            raise self.error(message, place)

    def _name(self, name: str, place: Place, frame: _Frame) -> Located:
        if is_indexed(name):
            plain = self._without_index(name, place, frame)
            if plain in self._constants:
                return Located(Constant(plain, *self._constants[plain]), place)
            return Located(Name(plain), place)
        if name in frame.arguments:
            found = frame.arguments[name]
            self._spend(size(found), place)
            return found
        if name in frame.numbers:
            return Located(integer(frame.numbers[name]), place)
        return Located(Name(self._now(name, place)), place)

    def _now(self, name: str, place: Place) -> str:
        """What ``name`` stands for at the moment."""
        found = self.updated.get(name, name)
        if not found:
            raise self.error(
                f"`{name}` is read before it has a value; give it one in front of the repeat, as in `{name} = h`", place
            )
        self.read.add(name)
        return found

    def _matrix(self, name: str, place: Place, frame: _Frame) -> str:
        if is_indexed(name):
            return self._without_index(name, place, frame)
        if name not in frame.arguments:
            return self._now(name, place) if name in self.updated else name
        found = frame.arguments[name]
        if isinstance(found.node, Name) and not is_reference(found.node.name):
            return found.node.name
        raise self.error(
            f"`{frame.caller}` multiplies by `{name}`, so the name of a parameter stands for it, as in `F(W)`",
            found.place,
        )

    def _without_index(self, name: str, place: Place, frame: _Frame) -> str:
        """The parameter or constant that a name with an index stands for in this pass."""
        stem, terms = split(name)
        if stem in self.updated:
            message = f"`{stem}` is no parameter: the repeat updates it; its value in this pass is `{stem}`"
            raise self.error(message, place)
        numbers = []
        for term in terms:
            number = term.offset + (self._number(term.name, name, place, frame) if term.name else 0)
            if number < 0:
                raise self.error(f"`{term}` in `{name}` is {number} here; an index is not negative", place)
            numbers.append(number)
        given = frame.arguments.get(stem)
        if given is not None:
            if not isinstance(given.node, Name) or is_reference(given.node.name):
                message = f"`{frame.caller}` reads `{name}`, so the name of parameters stands for `{stem}`"
                raise self.error(message, given.place)
            stem = given.node.name
        found = numbered(stem, numbers)
        if fault := name_fault(found):
            raise self.error(f"`{name}`: {fault}", place)
        return found

    def _number(self, name: str, whole: str, place: Place, frame: _Frame) -> int:
        if name in frame.numbers:
            return frame.numbers[name]
        given = frame.arguments.get(name)
        if given is not None and isinstance(given.node, Number) and given.node.value.denominator == 1:
            return int(given.node.value)
        remedy = "a whole number, or the count of a repeat, stands for it where the definition is called"
        if given is None:
            remedy = "write `repeat " + name + " = 1..3:` around the equation"
        raise self.error(f"`{name}` in `{shown(whole, 30)}` counts no passes here; {remedy}", place)

    def _before(self, argument: Located, place: Place) -> Located:
        """The input of the step before: a state that `symrnn.language.expansion` adds."""
        node = argument.node
        if not isinstance(node, Name) or node.name not in self._inputs:
            listed = " or ".join(f"`{PREVIOUS}({name})`" for name in self._inputs)
            message = (
                f"`{PREVIOUS}` is of an input: write {listed}; a state without its prime is its value of the step before, "
                "and any other value needs a state of its own"
            )
            raise self.error(message, place)
        self.previous.setdefault(node.name, place)
        return Located(Name(state_before(node.name)), place)

    def _call(self, at: Located, place: Place, frame: _Frame, depth: int) -> Located:
        """The value of a call: one for all calls of a definition with equal arguments, as long as no name is updated."""
        assert isinstance(at.node, Call)
        definition = self._definitions.by_name[at.node.function]
        self.called[definition.name] = None
        arguments = tuple(self._write(part, frame, depth + 1) for part in at.parts)
        key = (self._moment, definition.name, *(argument.node for argument in arguments))
        if key not in self._known:
            given = dict(zip(definition.arguments, arguments, strict=True))
            passage = self._enter(definition, at, place)
            body = self._write(definition.body, _Frame(given, {}, passage, definition.head), depth + 1)
            self._known[key] = self._valued(definition, arguments, body, place)
        found = self._known[key]
        return Located(Name(found) if isinstance(found, str) else found, place)

    def _valued(
        self, definition: Definition, arguments: tuple[Located, ...], body: Located, place: Place
    ) -> str | Number | Constant:
        """The reference to a value, or the value itself where it is a name or a number."""
        if isinstance(body.node, Name):
            return body.node.name
        if isinstance(body.node, Number | Constant):
            return body.node
        key = (definition.name, body.node)
        if key not in self._known:
            deep = self._hold_depth(body, place)
            self._known[key] = reference(len(self.values))
            self.values.append(Value(definition, arguments, body, deep))
        return self._known[key]

    def _enter(self, definition: Definition, at: Located, place: Place) -> int:
        """A passage for the body of a definition, whose errors name the call."""
        text = self._passages[definition.passage - 1]
        around = passage_of(place)
        line = (self._passages[around - 1] if around else self._definitions.origin).at(place)[0]
        self._passages.append(replace(text, note=f"; in `{shown(to_text(at.node), 40)}` of line {line}"))
        return len(self._passages)

    def _hold_depth(self, written: Located, place: Place | None = None) -> int:
        """The depth of an expression with all calls written out."""
        deepest = 0
        waiting = [(written, 1)]
        while waiting:
            at, depth = waiting.pop()
            number = call_number(at.node.name) if isinstance(at.node, Name) else None
            deepest = max(deepest, depth if number is None else depth + self.values[number].depth)
            waiting += [(part, depth + 1) for part in at.parts]
        if deepest > MAX_DEPTH:
            raise self.error(_too_deep(), place or written.place)
        return deepest


def state_before(name: str) -> str:
    """The state that is the input ``name`` of the step before."""
    return f"{name}_{PREVIOUS}"


def size(root: Located) -> int:
    """The number of parts of an expression."""
    count = 0
    for _ in parts_of(root):
        count += 1
    return count


def parts_of(root: Located) -> Iterator[Located]:
    """Every part of an expression, from left to right, without recursion."""
    waiting = [root]
    while waiting:
        at = waiting.pop()
        yield at
        waiting.extend(reversed(at.parts))


def _too_deep() -> str:
    return f"written out, the equation is nested more than {MAX_DEPTH} deep; name a part of it"
