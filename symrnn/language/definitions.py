"""``[define]``: what an author writes once and calls by name, ``"F(v)" = "tanh(W @ v + b)"``.

Reads the heads and bodies of a cell file as text; returns `Definition` records, whose bodies are trees that know their places.
Leaves out: writing them into the equations that call them (`symrnn.language.calls`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symrnn.language.functions import FUNCTIONS
from symrnn.language.given import DEFINE_TABLE
from symrnn.language.indexed import is_indexed, split
from symrnn.language.located import Callees, Calls, Located, located
from symrnn.language.origin import NOWHERE, Origin, Passage, Rows, shown, within
from symrnn.language.parser import PREVIOUS, function_fault, parse_expression
from symrnn.language.scanner import MAX_TEXT, name_fault, scan_expression
from symrnn.language.tree import Call, MatVec, Name

MAX_DEFINITIONS = 100
"""Most definitions of a cell."""

_HEAD = re.compile(
    r"\s*(?P<name>[A-Za-z]\w*)\s*\(\s*(?P<arguments>[A-Za-z]\w*(?:\s*,\s*[A-Za-z]\w*)*)\s*\)\s*", re.ASCII
)

Constants = Mapping[str, tuple[Fraction, str]]


@dataclass(frozen=True)
class Definition:
    """``name(arguments) = body``.

    Attributes:
        key: its head as it stands in the table.
        name: what calls it.
        arguments: names that stand for what a call gives.
        body: an expression of these and of the names of the cell.
        passage: the number of its text among the passages of the origin.
    """

    key: str
    name: str
    arguments: tuple[str, ...]
    body: Located
    passage: int

    @property
    def head(self) -> str:
        """``F(v, w)``."""
        return f"{self.name}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class Definitions:
    """All definitions of a cell, by name, and the origin that knows the places of their texts."""

    origin: Origin
    by_name: Mapping[str, Definition] = field(default_factory=dict)

    @property
    def calls(self) -> Calls:
        """What an equation may call, with the names of the arguments."""
        return _calls({name: definition.arguments for name, definition in self.by_name.items()})


def read_definitions(
    define: Mapping[str, str], origin: Origin, constants: Constants, inputs: Sequence[str], functions: Callees
) -> Definitions:
    """The definitions of a cell.

    Args:
        define: bodies by head.
        origin: of the equations.
        constants: the value and text of each scalar hyper-parameter.
        inputs: the names of the inputs.
        functions: those of the cell's own.

    Raises:
        CellError: a head or a body is malformed, a name is taken, an argument is not used, or a definition calls itself.
    """
    if len(define) > MAX_DEFINITIONS:
        message = f"[define]: the cell has {len(define)} definitions; the most is {MAX_DEFINITIONS}"
        raise origin.entry_error(message, DEFINE_TABLE)
    length = sum(map(len, define.values()))
    if length > MAX_TEXT:
        raise origin.entry_error(f"[define]: the bodies have {length} characters; the most is {MAX_TEXT}", DEFINE_TABLE)
    heads = _read_heads(define, origin, constants, inputs, functions)
    passages = tuple(Passage(*_text_of(key, origin)) for key in define)
    origin = replace(origin, passages=passages)
    calls = _calls(dict(heads.values()))
    found = {}
    for passage, (key, body) in enumerate(define.items(), 1):
        name, arguments = heads[key]
        text = scan_expression(body, within(passage, (1, 1)), origin)
        free = {constant: value for constant, value in constants.items() if constant not in arguments}
        found[name] = Definition(
            key, name, arguments, parse_expression(text, origin, free, inputs, functions, calls), passage
        )
    definitions = Definitions(origin, found)
    for definition in found.values():
        _check_arguments(definition, origin)
        _check_calls(definition, definitions)
    return definitions


def names_in(expression: Located) -> Iterator[tuple[str, Located]]:
    """Every name that an expression reads, matrices and the parts of an index included, with where it stands."""
    for at in located(expression):
        if isinstance(at.node, Name | MatVec):
            name = at.node.name if isinstance(at.node, Name) else at.node.matrix
            stem, terms = split(name) if is_indexed(name) else (name, ())
            yield stem, at
            yield from ((term.name, at) for term in terms if term.name)


def _calls(arguments: Calls) -> Calls:
    return {**arguments, PREVIOUS: ("x",)}


def _text_of(key: str, origin: Origin) -> tuple[str, Rows]:
    """What messages call the body of a definition, and the places of its characters."""
    if (DEFINE_TABLE, key) in origin.strings:
        return origin.name, origin.strings[DEFINE_TABLE, key]
    place = origin.entries.get((DEFINE_TABLE, key)) or origin.entries.get((DEFINE_TABLE,)) or NOWHERE
    return (origin.name, ((place,),)) if place != NOWHERE else (f"{origin.name} [define] {shown(key)}", ())


def _read_heads(
    define: Mapping[str, str], origin: Origin, constants: Constants, inputs: Sequence[str], functions: Callees
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The name and arguments of each head, by the head."""
    heads: dict[str, tuple[str, tuple[str, ...]]] = {}
    for key in define:
        head = _HEAD.fullmatch(key)
        if head is None:
            message = f"[define] `{shown(key)}`: expected a name and its arguments, as in `F(v)` or `F(v, w)`"
            raise origin.entry_error(message, DEFINE_TABLE, key)
        name = head["name"]
        arguments = tuple(argument.strip() for argument in head["arguments"].split(","))
        fault = name_fault(name) or function_fault(name) or _taken(name, arguments, constants, inputs)
        if name in functions:
            fault = f"`{name}` is a function of the cell's own; give the definition another name"
        if name in (other for other, _ in heads.values()):
            fault = f"`{name}` is defined twice; give one of them another name"
        if fault:
            raise origin.entry_error(f"[define] {shown(key)}: {fault}", DEFINE_TABLE, key)
        heads[key] = (name, arguments)
    for key, (_, arguments) in heads.items():
        for argument in arguments:
            fault = name_fault(argument) or function_fault(argument)
            if argument in (name for name, _ in heads.values()):
                fault = f"the argument `{argument}` has the name of a definition; give it another name"
            if fault:
                raise origin.entry_error(f"[define] {shown(key)}: {fault}", DEFINE_TABLE, key)
    return heads


def _taken(name: str, arguments: tuple[str, ...], constants: Constants, inputs: Sequence[str]) -> str:
    if name in FUNCTIONS:  # an operator, whose calls have this name
        return f"`{name}` is a name that the language uses; give the definition another name"
    if name == PREVIOUS:
        return f"`{PREVIOUS}(x)` is the input of the step before; give the definition another name"
    if name in constants:
        return f"`{name}` is a constant from [constants]; give the definition another name"
    if name in inputs:
        return f"`{name}` is an input; give the definition another name"
    twice = [argument for at, argument in enumerate(arguments) if argument in arguments[:at]]
    return f"the argument `{twice[0]}` stands there twice" if twice else ""


def _check_arguments(definition: Definition, origin: Origin) -> None:
    read = {name for name, _ in names_in(definition.body)}
    for argument in definition.arguments:
        if argument not in read:
            message = f"[define] {definition.head}: the body never uses `{argument}`; use it or remove it"
            raise origin.entry_error(message, DEFINE_TABLE, definition.key)


def _check_calls(definition: Definition, definitions: Definitions) -> None:
    """Refuse a definition that calls itself, directly or through others."""
    seen: set[str] = set()

    def search(name: str, way: tuple[str, ...]) -> None:
        for at in located(definitions.by_name[name].body):
            called = at.node.function if isinstance(at.node, Call) else ""
            if called == definition.name:
                path = " → ".join((*way, called))
                message = f"`{definition.name}` calls itself ({path}); a definition is written out where it is called"
                raise definitions.origin.error(message, at.place)
            if called in definitions.by_name and called not in seen:
                seen.add(called)
                search(called, (*way, called))

    search(definition.name, (definition.name,))
