r"""A step as its author wrote it, in LaTeX: definitions, calls, repeats with their passes, and the input of the step before.

Reads the `Authored` rows of a cell and the notation of its equations written out; returns lines. A name that a repeat updates
is assigned with an arrow: ``s \leftarrow s + f(s)``. Leaves out: the equations written out.
"""

from __future__ import annotations

from dataclasses import replace

from symrnn.language.functions import FUNCTIONS
from symrnn.language.indexed import is_indexed, split
from symrnn.language.parser import PREVIOUS
from symrnn.language.repeats import EVEN, ODD, Guard, Head
from symrnn.language.system import HIDDEN, ONE, System
from symrnn.language.tree import PRIME, Call, Name, Power, names
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import Latex, parentheses, raised
from symrnn.language.typeset.lines import Line
from symrnn.language.typeset.symbols import BEFORE, NOW, spell
from symrnn.language.written import Authored

_RELATIONS = {"<=": r"\leq", ">=": r"\geq"}


class _CallNotation(Notation):
    """The printer of equations that call definitions."""

    def _call(self, node: Call, exponent: Latex | None = None) -> Latex:
        if node.function in FUNCTIONS:
            return super()._call(node, exponent)
        if node.function == PREVIOUS and isinstance(node.arguments[0], Name):
            return spell(node.arguments[0].name, BEFORE)
        arguments = [self(argument) for argument in node.arguments]
        word = len(node.function) > 1 and node.function.isalpha()
        name = Latex(rf"\operatorname{{{node.function}}}") if word else spell(node.function)
        return self._joined(name, parentheses(Latex(", ".join(arguments), *arguments)), "")

    def _of_power(self, node: Power) -> Latex:
        base = node.base
        if isinstance(base, Call) and base.function not in FUNCTIONS:
            return raised(parentheses(self(base)), self._exponent(node))
        return super()._of_power(node)


def written_rows(rows: tuple[Authored, ...], system: System, notation: Notation) -> tuple[Line, ...]:
    """The rows of a cell as lines.

    Args:
        rows: of the cell.
        system: its equations written out.
        notation: how they are written.
    """
    assigned = {row.left.name for row in rows if isinstance(row.left, Name)}
    return tuple(_row(row, _for(row, assigned, system, notation)) for row in rows)


def _for(row: Authored, assigned: set[str], system: System, notation: Notation) -> _CallNotation:
    """How the names of a row are written, and their shapes as far as signs depend on them."""
    own = row.left.arguments if isinstance(row.left, Call) else ()
    arguments = {argument.name for argument in own if isinstance(argument, Name)}
    counts = {head.index for head in row.heads}
    found, shapes = dict(notation.names), dict(notation.shapes)
    for name in (*names(row.left), *names(row.right)):
        stem = name.removesuffix(PRIME)
        if name in arguments or name in counts:
            found[name], shapes[name] = spell(name), (ONE,) if name in counts else (HIDDEN, HIDDEN)
            continue
        if name in system.by_name:
            continue
        if is_indexed(name):
            base, terms = split(name)
            found[name] = spell(base, ",".join(map(str, terms)))
        else:
            found[name] = spell(stem, NOW if stem in assigned else "")
        shapes[name] = (HIDDEN, HIDDEN)
    return _CallNotation(found, shapes, notation.parts)


def _row(row: Authored, notation: _CallNotation) -> Line:
    line = Line(notation(row.left), notation(row.right), row.label)
    if not row.heads:
        return line
    said = [_passes(head) for head in row.heads] + ([_guarded(row.guard)] if row.guard else [])
    together = r";\ ".join(said)
    right = rf"{line.right} \quad ({together})"
    return replace(line, right=right, relation=r"\leftarrow")


def _passes(head: Head) -> str:
    """The passes of a repeat."""
    first, last = _bound(head.first), _bound(head.last)
    if not head.index:
        return rf"{last} \text{{ times}}"
    return rf"{spell(head.index)} = {first}, \dots, {last}"


def _guarded(guard: Guard) -> str:
    if guard.relation in (ODD, EVEN):
        return rf"{spell(guard.index)} \text{{ {guard.relation}}}"
    return f"{spell(guard.index)} {_RELATIONS.get(guard.relation, guard.relation)} {_bound(guard.bound)}"


def _bound(text: str) -> str:
    return text if text.isdigit() else spell(text)
