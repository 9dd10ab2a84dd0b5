"""What is prepared from parameters, as Python functions over whole arrays: forward, adjoint and tangent.

Reads a program's preparation; returns the functions' lines. Each value is a table, rows × columns; a vector that comes in or
goes out has one axis there. A target says how its array library spells what is not arithmetic. Leaves out: when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from symrnn.emit.python_expression import PythonPrinter
from symrnn.emit.python_names import identifier
from symrnn.emit.python_text import INDENT, WIDTH, collection, commented, remark
from symrnn.emit.source import Mark, block, marked, within
from symrnn.language.identifiers import Allocator
from symrnn.language.matrix_sizes import COLUMNS, ROWS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, Equation, System
from symrnn.language.tree import Expression, Eye, MatVec, Name, Reduce, Transpose, names
from symrnn.plan.program import Program

FORWARD, BACKWARD, TANGENT = "_prepare", "_prepare_backward", "_prepare_tangent"
"""The functions."""


@dataclass(frozen=True)
class Spelling:
    """How an array library spells what is not arithmetic.

    Attributes:
        printer: prints elementwise expressions over names, given the texts of names and of sizes.
        reserved: names that are taken.
        sizes: the argument with the sizes by name.
        others: further arguments.
        transpose: of an array.
        total: a sum over axes that stay with one entry.
        identity: of so many rows.
        filled: a table of rows and columns of one number.
        broadcast: an array as a table of rows and columns.
        copy: an array of its own.
    """

    printer: Callable[[Mapping[str, str], Mapping[str, str]], PythonPrinter]
    reserved: Sequence[str]
    sizes: str
    others: Sequence[str]
    transpose: Callable[[str], str]
    total: Callable[[str, tuple[int, ...]], str]
    identity: Callable[[str], str]
    filled: Callable[[str, str, str], str]
    broadcast: Callable[[str, str, str], str]
    copy: Callable[[str], str]


def prepared_functions(program: Program, spelling: Spelling, tangent: bool) -> list[tuple[str, list[str]]]:
    """The functions by name, those that the program needs; none where it prepares nothing.

    Args:
        program: the cell's plan.
        spelling: of the array library.
        tangent: whether tangents are wanted.
    """
    if not program.preparation:
        return []
    functions = [(FORWARD, _forward(program, spelling, tangent))]
    if program.backward is not None:
        functions.append((BACKWARD, _backward(program, spelling)))
    if tangent:
        functions.append((TANGENT, _tangent(program, spelling)))
    return [(name, within(name, lines)) for name, lines in functions]


def expressions_of(program: Program) -> list[Expression]:
    """The expressions of all functions."""
    return [equation.expression for system in program.preparation.systems for equation in system.equations]


class _TableFunction:
    """One function: its names, and the lines of its equations."""

    def __init__(self, system: System, spelling: Spelling, taken: Iterable[str] = ()) -> None:
        self._system, self._spelling = system, spelling
        allocator = Allocator((*spelling.reserved, *taken))
        self.names = {v.name: allocator.fresh(identifier(v.name)) for v in system.variables}
        sizes = {size: f'{spelling.sizes}["{size}"]' for v in system.variables for size in v.shape} | {ONE: "1"}
        self._sizes = sizes
        self._printer = spelling.printer(self.names, sizes)

    def read(self, name: str, source: str) -> str:
        """A line that takes a table from an array of the caller."""
        rows, columns = self._system.by_name[name].shape
        turned = "[:, None]" if columns == ONE else "[None]" if rows == ONE else ""
        return f"{INDENT}{self.names[name]} = {source}{turned}"

    def flat(self, name: str) -> str:
        """A table as the caller has it."""
        return f"{self.names[name]}{'.reshape(-1)' if ONE in self._system.by_name[name].shape else ''}"

    def lines(self) -> list[str]:
        """The equations."""
        return [line for equation in self._system.equations for line in self._line(equation)]

    def _line(self, equation: Equation) -> list[str]:
        shape = self._system.by_name[equation.target].shape
        comment = f"({equation.label}): {shape[0]} x {shape[1]}"
        text = self._text(equation)
        if equation.target in self._system.outputs and isinstance(equation.expression, Name):
            text = self._spelling.copy(text)  # no two gradients are one array
        lines = _broken(f"{INDENT}{self.names[equation.target]} = ", text)
        lines = (
            commented(lines[0].removeprefix(INDENT), comment, 1) if len(lines) == 1 else [*remark(comment, 1), *lines]
        )
        return marked(lines, Mark((equation.label,), "prepare"))

    def _text(self, equation: Equation) -> str:
        spelling, shape = self._spelling, self._system.by_name[equation.target].shape
        rows, columns = (self._sizes[size] for size in shape)
        match equation.expression:
            case Eye():
                return spelling.identity(rows)
            case Transpose(Name(name)):
                return spelling.transpose(self.names[name])
            case Reduce(kind, Name(name), axis):
                return self._reduced(kind, name, axis)
            case MatVec(matrix, transposed, Name(name)):
                left = spelling.transpose(self.names[matrix]) if transposed else self.names[matrix]
                return f"{left} @ {self.names[name]}"
            case whole:
                text = self._printer(whole)
                read = [self._system.by_name[name].shape for name in names(whole)]
                if not read:
                    return spelling.filled(text, rows, columns)
                found = tuple(next((s[i] for s in read if s[i] != ONE), ONE) for i in (0, 1))
                return text if found == shape else spelling.broadcast(text, rows, columns)

    def _reduced(self, kind: str, name: str, axis: str) -> str:
        axes = {ROWS: (0,), COLUMNS: (1,), "": (0, 1)}[axis]
        text = self._spelling.total(self.names[name], axes)
        if not REDUCTIONS[kind].averages:
            return text
        counts = [self._sizes[self._system.by_name[name].shape[i]] for i in axes]
        return text + "".join(f" / {count}" for count in counts)


def _broken(head: str, text: str) -> list[str]:
    """``head`` and ``text`` on one line, or broken before its operators, the loosest first."""
    if len(head + text) <= WIDTH:
        return [head + text]
    pieces = [text]
    for operators in ((" + ", " - "), (" * ", " / ")):
        pieces = [
            part for piece in pieces for part in (_split(piece, operators) if len(piece) > WIDTH - 8 else [piece])
        ]
    return (
        [f"{head}(", *(f"{INDENT * 2}{piece}" for piece in pieces), f"{INDENT})"] if len(pieces) > 1 else [head + text]
    )


def _split(text: str, operators: Sequence[str]) -> list[str]:
    """``text`` in pieces that begin with one of the operators outside of parentheses."""
    pieces, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and place and text.startswith(tuple(operators), place):
            pieces.append(text[start:place])
            start = place + 1
    return [*pieces, text[start:]]


def _signature(name: str, arguments: Sequence[str], spelling: Spelling) -> str:
    return f"def {name}({', '.join((*arguments, *spelling.others))}):"


def kept(program: Program, tangent: bool) -> list[str]:
    """The values of the forward function that adjoint or tangent read."""
    preparation = program.preparation
    read = set(preparation.adjoint.inputs) if program.backward is not None else set()
    read |= set(preparation.tangent.inputs) if tangent else set()
    return [variable.name for variable in preparation.forward.variables if variable.name in read]


def _forward(program: Program, spelling: Spelling, tangent: bool) -> list[str]:
    system = program.preparation.forward
    function = _TableFunction(system, spelling, ["v"])
    made = [f'"{name}": {function.flat(name)}' for name in system.outputs]
    values = [f'"{name}": {function.names[name]}' for name in kept(program, tangent)]
    return block(
        [
            _signature(FORWARD, ["p", spelling.sizes], spelling),
            f'{INDENT}"""The parameters with what is prepared from them, once; and values for derivatives."""',
            *(function.read(name, f'p["{name}"]') for name in system.inputs),
            *function.lines(),
            *collection("v = {", values, "}", 1),
            *collection("return {", ["**p", *made], "}, v", 1),
        ]
    )


def _backward(program: Program, spelling: Spelling) -> list[str]:
    preparation = program.preparation
    function = _TableFunction(preparation.adjoint, spelling, ["v", "grads"])
    items = []
    step = [variable.name for variable in program.cell.step_trainable]
    for parameter in program.cell.trainable:
        terms = [f'grads["{parameter.name}"]'] if parameter.name in step else []
        if parameter.name in preparation.gradients:
            terms.append(function.flat(preparation.gradients[parameter.name]))
        items.append(f'"{parameter.name}": {" + ".join(terms)}')
    seeds = {seed: name for name, seed in preparation.seeds.items()}
    values = [name for name in preparation.adjoint.inputs if name not in seeds]
    return block(
        [
            _signature(BACKWARD, ["v", spelling.sizes, "grads"], spelling),
            f'{INDENT}"""Gradients of the parameters from those of what is prepared."""',
            *(f'{INDENT}{function.names[name]} = v["{name}"]' for name in values),
            *(function.read(seed, f'grads["{name}"]') for seed, name in seeds.items()),
            *function.lines(),
            *collection("return {", items, "}", 1),
        ]
    )


def _tangent(program: Program, spelling: Spelling) -> list[str]:
    preparation = program.preparation
    system = preparation.tangent
    function = _TableFunction(system, spelling, ["v"])
    dots = {preparation.dots[name]: name for name in preparation.forward.inputs if name in preparation.dots}
    values = [name for name in system.inputs if name not in dots]
    made = [f'"{name}": {function.flat(name)}' for name in system.outputs]
    return block(
        [
            _signature(TANGENT, ["p", "v", spelling.sizes], spelling),
            f'{INDENT}"""Tangents of what is prepared, beside those of the parameters."""',
            *(f'{INDENT}{function.names[name]} = v["{name}"]' for name in values),
            *(function.read(dot, f'p["{dot}"]') for dot in system.inputs if dot in dots),
            *function.lines(),
            *collection("return {", ["**p", *made], "}", 1),
        ]
    )
