"""Functions of a cell's own: ``[functions.<name>]`` of a cell file, a value and the derivative that it counts as having.

Reads the table; returns an `OwnFunction` for each name, whose value and derivatives are trees in its operands ``a`` and ``b``.
A call of one becomes a call of the table's `surrogate`, whose first argument is the value: nothing later knows that there are
such functions. Leaves out: equations (`symrnn.language.parser`, which calls `called`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.errors import CellError
from symrnn.language.choices import SURROGATES
from symrnn.language.exponents import Constants
from symrnn.language.given import described
from symrnn.language.located import Located, located
from symrnn.language.origin import Origin, Place, shown
from symrnn.language.parser import function_fault, parse
from symrnn.language.scanner import name_fault
from symrnn.language.tree import Call, MatVec, Name, Reduce, VectorCall, rebuild

TABLE, VALUE, DERIVATIVE = "functions", "value", "derivative"

OPERANDS = ("a", "b")
"""What value and derivatives call the operands."""

Entry = Mapping[str, str | Sequence[str]]
"""One function as a cell file has it: ``value``, a text, and ``derivative``, a text or a list of one for each operand."""


@dataclass(frozen=True)
class OwnFunction:
    """A function of a cell's own.

    Attributes:
        name: as equations call it.
        value: a tree in ``a``, or in ``a`` and ``b``.
        derivatives: by each operand, trees in the same names.
    """

    name: str
    value: Located
    derivatives: tuple[Located, ...]

    @property
    def arity(self) -> int:
        """The number of its operands."""
        return len(self.derivatives)

    @property
    def call(self) -> Call:
        """A call of it, of operands with the names that its formulas use."""
        operands = tuple(map(Name, OPERANDS[: self.arity]))
        trees = (self.value.node, *(each.node for each in self.derivatives))
        return Call(SURROGATES[self.arity], (*trees, *operands), self.name)

    def called(self, operands: Sequence[Located], place: Place) -> Located:
        """A call at ``place``."""
        by_name = dict(zip(OPERANDS, operands, strict=False))
        parts = [_at(tree, by_name, place) for tree in (self.value, *self.derivatives)]
        parts += operands
        return Located(Call(SURROGATES[self.arity], tuple(part.node for part in parts), self.name), place, tuple(parts))


def _at(tree: Located, operands: Mapping[str, Located], place: Place) -> Located:
    """``tree`` with operands in place of their names; what stands in no operand is at ``place``."""
    if isinstance(tree.node, Name):
        return operands[tree.node.name]
    parts = tuple(_at(part, operands, place) for part in tree.parts)
    node = rebuild(tree.node, tuple(part.node for part in parts)) if parts else tree.node
    return replace(tree, node=node, place=place, parts=parts)


def own_functions(given: object, constants: Constants, inputs: Sequence[str], place: Origin) -> dict[str, OwnFunction]:
    """The functions of a cell.

    Args:
        given: names to entries; None for no function.
        constants: of the cell.
        inputs: their names.
        place: for errors.

    Raises:
        CellError: a key or a type is wrong, a name is taken, or a formula is more than arithmetic and functions of the language
            on the operands and on constants; at the key.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        message = f"{TABLE}: expected a mapping of names to functions, found {described(given)}"
        raise place.entry_error(message, TABLE)
    for name in given:
        if not isinstance(name, str):
            message = f"[{TABLE}]: expected names, which are strings, found the key {described(name)}"
            raise place.entry_error(message, TABLE)
        fault = name_fault(name) or function_fault(name) or (f"`{name}` is an input" if name in inputs else "")
        if not fault and name in constants:
            fault = f"`{name}` is a constant; one of the two needs another name"
        if fault:
            raise place.entry_error(f"[{TABLE}]: {fault}", TABLE, name)
    return {name: _Reader(name, given, constants, place).function() for name in given}


class _Reader:
    """Reads one function."""

    def __init__(self, name: str, table: Mapping[str, object], constants: Constants, place: Origin) -> None:
        self._name, self._entry, self._place, self._names = name, table[name], place, tuple(table)
        self._constants = {key: value for key, value in constants.items() if key not in OPERANDS}

    def function(self) -> OwnFunction:
        value, derivatives = self._texts()
        return OwnFunction(
            self._name,
            self._tree(VALUE, value, len(derivatives)),
            tuple(self._tree(DERIVATIVE, text, len(derivatives)) for text in derivatives),
        )

    def _texts(self) -> tuple[str, tuple[str, ...]]:
        """The value and the derivatives."""
        entry = self._entry
        if not isinstance(entry, Mapping):
            raise self._error("", f"expected `{VALUE}` and `{DERIVATIVE}`, found {described(entry)}")
        for key in entry:
            if key not in (VALUE, DERIVATIVE):
                found = shown(str(key))
                raise self._error(str(key), f"a function has `{VALUE}` and `{DERIVATIVE}`, and nothing else", found)
        for key in (VALUE, DERIVATIVE):
            if key not in entry:
                raise self._error("", f"`{key}` is missing; a function has `{VALUE}` and `{DERIVATIVE}`")
        value, derivative = entry[VALUE], entry[DERIVATIVE]
        if type(value) is not str:
            raise self._error(VALUE, f"expected a formula, a string, found {described(value)}")
        each = tuple(derivative) if isinstance(derivative, list | tuple) else (derivative,)
        if not 1 <= len(each) <= len(OPERANDS) or any(type(text) is not str for text in each):
            message = "expected a formula, a string, or a list of two for a function of `a` and `b`, found "
            raise self._error(DERIVATIVE, message + described(derivative))
        return value, each

    def _tree(self, key: str, text: str, arity: int) -> Located:
        """A formula, which holds nothing but arithmetic and functions of its operands and of constants."""
        for name in self._names:
            if re.search(rf"\b{name}\s*\(", text):
                what = "calls itself" if name == self._name else f"calls `{name}`, which is the cell's own too"
                raise self._error(key, f"it {what}; write it with functions of the language")
        if not text.strip() or "\n" in text:
            raise self._error(key, f"expected a formula on one line, found {described(text)}")
        try:
            (assignment,) = parse(f"f = {text}", Origin(), self._constants)
        except CellError as error:
            raise self._error(key, error.message) from error
        tree = assignment.expression
        self._hold(key, [at.node for at in located(tree)], OPERANDS[:arity])
        return tree

    def _hold(self, key: str, read: Collection[object], operands: tuple[str, ...]) -> None:
        for node in read:
            if isinstance(node, MatVec | Reduce | VectorCall):
                what = "`@`" if isinstance(node, MatVec) else f"`{node.kind}`"
                raise self._error(key, f"{what} stands in equations; a function works unit by unit")
            if isinstance(node, Name) and node.name not in operands:
                known = " and ".join(f"`{operand}`" for operand in operands)
                message = f"`{node.name}` is not known here; a function reads {known} and the cell's constants"
                further = "; for a function of `a` and `b`, `derivative` is a list of two" * (node.name in OPERANDS)
                raise self._error(key, message + further)
        missing = [operand for operand in operands if Name(operand) not in read]
        if key == VALUE and missing:
            raise self._error(
                key, f"it does not read `{missing[0]}`; the value of a function depends on all that it is of"
            )

    def _error(self, key: str, message: str, shown_key: str = "") -> CellError:
        title = f"[{TABLE}.{self._name}]" + (f" {shown_key or key}" if key else "")
        return self._place.entry_error(f"{title}: {message}", TABLE, self._name, *([key] if key else []))
