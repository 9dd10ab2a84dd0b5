"""What to write when something other than a parameter stands left of ``@``.

Reads the syntax tree of the left operand and the vector it is applied to; returns a remedy for the error. A product of
matrices applies them one after the other, a sum adds their results, a number multiplies the result. A vector times a
matrix can scale rows or columns, so the remedy shows both. Some matrices have no such form (an elementwise product of
two, a function of one); the remedy says so. Leaves out: whether the rewritten equation is right otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from symrnn.language.origin import shown
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.scanner import PRIME_LETTER
from symrnn.language.text import POWER, PRODUCT, strength, to_text
from symrnn.language.tree import Binary, Expression, MatVec, Name, Negate, integer

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
"""The elementwise operators by their nodes."""

_LONG = 80


class Operand(NamedTuple):
    """An operand of a chain of ``*``, ``/`` and ``@``, and whether parentheses make it one."""

    node: ast.expr
    whole: bool


def chain(node: ast.BinOp) -> tuple[list[Operand], list[ast.operator]]:
    """The operands and operators of ``node`` outside of parentheses, from the left."""
    operands: list[Operand] = []
    operators: list[ast.operator] = []
    current: ast.expr = node
    whole = False
    while not whole and isinstance(current, ast.BinOp) and isinstance(current.op, ast.Mult | ast.Div | ast.MatMult):
        right, left = current.right, current.left
        # A syntax tree has no parentheses, but places of its nodes: an operation begins and ends where its
        # operands do, unless these stand in parentheses.
        ends = (right.end_lineno, right.end_col_offset) != (current.end_lineno, current.end_col_offset)
        operands.append(Operand(right, ends))
        operators.append(current.op)
        whole = (left.lineno, left.col_offset) != (current.lineno, current.col_offset)
        current = left
    operands.append(Operand(current, whole))
    return operands[::-1], operators[::-1]


def runs_of(node: ast.BinOp) -> list[tuple[str, list[Operand]]]:
    """A chain as factors, each with the operator in front of it: operands joined by ``@`` are one factor."""
    operands, operators = chain(node)
    runs = [("*", [operands[0]])]
    for operator, operand in zip(operators, operands[1:], strict=True):
        if isinstance(operator, ast.MatMult):
            runs[-1][1].append(operand)
        else:
            runs.append((OPERATORS[type(operator)], [operand]))
    return runs


class OperandKind(Enum):
    """What a part of the left operand is."""

    SCALAR = "a number"
    VECTOR = "a vector"
    MATRIX = "a matrix"
    EITHER = "a parameter, which may be a vector or a matrix"
    OTHER = "a matrix that the language cannot write"


@dataclass(frozen=True)
class Names:
    """What is known about a cell's names before its sizes are inferred.

    Attributes:
        vectors: the input, states and assigned names.
        matrices: parameters that stand left of ``@`` somewhere.
        constants: of ``[constants]``.
    """

    vectors: Collection[str] = ()
    matrices: Collection[str] = ()
    constants: Collection[str] = ()

    def kind(self, name: str) -> OperandKind:
        """What ``name`` is; a parameter whose name begins with a capital is taken for a matrix, as papers have it."""
        if name in self.constants:
            return OperandKind.SCALAR
        if name in self.vectors or name.endswith(PRIME_LETTER):
            return OperandKind.VECTOR
        return OperandKind.MATRIX if name in self.matrices or name[0].isupper() else OperandKind.EITHER


def remedy(node: ast.expr, operand: Expression, names: Names, read: Callable[[ast.expr], Expression]) -> str:
    """What to write in place of ``node @ operand``.

    Args:
        node: what stands left of ``@``; not a parameter.
        operand: the vector.
        names: of the cell.
        read: the expression of a syntax tree, for parts of ``node`` that are vectors or numbers.
    """
    return _Remedy(names, read).of(node, operand)


def is_matrix(node: ast.expr, names: Names) -> bool:
    """Whether ``node``, left of ``@``, may be a matrix: neither a vector nor a number."""
    kind = _Remedy(names, lambda part: Name(""))._kind(node)
    return kind not in (OperandKind.VECTOR, OperandKind.SCALAR)


class _Remedy:
    def __init__(self, names: Names, read: Callable[[ast.expr], Expression]) -> None:
        self._names, self._read = names, read
        self._rows = True
        self._scaled: dict[str, OperandKind] = {}

    def of(self, node: ast.expr, operand: Expression) -> str:
        match self._kind(node):
            case OperandKind.VECTOR:
                return of_vectors(self._read(_bare(node)), operand, self._names)
            case OperandKind.SCALAR:
                return "for a product with a number write `*`"
        rows = self._form(node, operand)
        if rows is None:
            return "the language has no form for this matrix; make it a parameter of its own"
        if not self._scaled:
            return f"write `{rows}`"
        self._rows = False
        columns = self._form(node, operand)
        unsure = [text for text, kind in self._scaled.items() if kind is OperandKind.EITHER]
        condition = f"if `{shown(unsure[0], 30)}` is a vector, " if unsure else ""
        return f"{condition}write `{rows}` where it scales the rows of the matrix, `{columns}` where its columns"

    def _form(self, node: ast.expr, operand: Expression) -> str | None:
        form = self._applied(node, operand, transposed=False)
        if form is None:
            return None
        text = _text(form)
        if len(text) > _LONG:
            short = self._applied(node, Name("…"), transposed=False)
            text = _text(form if short is None else short)
        return shown(text, _LONG)

    def _applied(self, node: ast.expr, operand: Expression, *, transposed: bool) -> Expression | None:
        """``node``, or its transpose, applied to ``operand``, with a parameter alone left of each ``@``."""
        match node:
            case ast.Name(id=name) if self._names.kind(name) in (OperandKind.MATRIX, OperandKind.EITHER):
                return MatVec(name, transposed, operand)
            case ast.Attribute(value=inner, attr="T"):
                return self._applied(inner, operand, transposed=not transposed)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
                form = self._applied(inner, operand, transposed=transposed)
                return Negate(form) if form is not None and isinstance(sign, ast.USub) else form
            case ast.BinOp(op=ast.Add() | ast.Sub() as kind, left=left, right=right):
                first = self._applied(left, operand, transposed=transposed)
                second = self._applied(right, operand, transposed=transposed)
                if first is None or second is None:
                    return None
                return Binary(OPERATORS[type(kind)], first, second)
            case ast.BinOp(op=ast.Mult() | ast.Div() | ast.MatMult()):
                return self._product(node, operand, transposed=transposed)
            case _:
                return None

    def _product(self, node: ast.BinOp, operand: Expression, *, transposed: bool) -> Expression | None:
        """A chain with one factor that is a matrix; the others scale it, its rows or its columns."""
        runs = runs_of(node)
        kinds = [self._kind(run[-1].node) for _, run in runs]
        sure = [place for place, kind in enumerate(kinds) if kind is OperandKind.MATRIX]
        matrices = sure or [place for place, kind in enumerate(kinds) if kind is OperandKind.EITHER]
        if len(matrices) != 1 or OperandKind.OTHER in kinds or runs[matrices[0]][0] == "/":
            return None
        factors: list[tuple[str, Expression | None]] = []
        for place, ((op, run), kind) in enumerate(zip(runs, kinds, strict=True)):
            if place in matrices:
                factors.append(("*", None))  # which is applied when its operand is known
                continue
            value = self._applied_run(run[:-1], self._read(run[-1].node), transposed=False)
            if value is None:
                return None
            if kind is not OperandKind.SCALAR:
                self._scaled[to_text(value)] = kind
            if kind is OperandKind.SCALAR or self._rows is not transposed:
                factors.append((op, value))
            else:
                operand = Binary("*", value, operand) if op == "*" else Binary("/", operand, value)
        form = self._applied_run(runs[matrices[0]][1], operand, transposed=transposed)
        return None if form is None else _folded([(op, value or form) for op, value in factors])

    def _applied_run(self, run: Sequence[Operand], operand: Expression, *, transposed: bool) -> Expression | None:
        """``A @ B`` applied to ``operand``, from the right; the transpose of the product from the left."""
        form: Expression | None = operand
        for matrix in run if transposed else reversed(run):
            form = None if form is None else self._applied(matrix.node, form, transposed=transposed)
        return form

    def _kind(self, node: ast.expr) -> OperandKind:
        match node:
            case ast.Constant():
                return OperandKind.SCALAR
            case ast.Name(id=name):
                return self._names.kind(name)
            case ast.Attribute(value=inner, attr="T"):
                return OperandKind.VECTOR if self._kind(inner) is OperandKind.VECTOR else OperandKind.MATRIX
            case ast.UnaryOp(operand=inner):
                return self._kind(inner)
            case ast.Call(func=ast.Name(id=name)) if name in REDUCTIONS:
                return OperandKind.SCALAR
            case ast.Call(args=arguments):
                kinds = {self._kind(argument) for argument in arguments}
                return OperandKind.OTHER if kinds & {OperandKind.MATRIX, OperandKind.OTHER} else _joined(kinds)
            case ast.BinOp(op=ast.MatMult(), right=right):
                return self._kind(right)
            case ast.BinOp(op=ast.Pow(), left=base):
                return (
                    OperandKind.OTHER
                    if self._kind(base) in (OperandKind.MATRIX, OperandKind.OTHER)
                    else self._kind(base)
                )
            case ast.BinOp(op=kind, left=left, right=right):
                kinds = {self._kind(left), self._kind(right)}
                adds = isinstance(kind, ast.Add | ast.Sub)
                mixed = adds and OperandKind.MATRIX in kinds and kinds & {OperandKind.SCALAR, OperandKind.VECTOR}
                return OperandKind.OTHER if mixed or OperandKind.OTHER in kinds else _joined(kinds)
            case _:
                return OperandKind.OTHER


def of_vectors(left: Expression, right: Expression, names: Names) -> str:
    """What to write where a vector stands left of ``@``: in other notations it is a row, and the matrix stands to its right."""
    if isinstance(right, Name) and names.kind(right.name) is OperandKind.MATRIX:
        return f"the matrix stands on the left: write `{right.name} @ {_grouped(left)}`"
    inner = shown(f"sum({to_text(Binary('*', left, right))})", _LONG)
    return f"for elementwise products write `*`, for an inner product `{inner}`"


def _text(node: Expression) -> str:
    """``node`` with parentheses around every form that is part of a product: more than the language needs."""
    match node:
        case Negate(operand):
            return f"-{_grouped(operand)}"
        case MatVec(matrix, transposed, operand):
            return f"{matrix}{'.T' if transposed else ''} @ {_grouped(operand)}"
        case Binary("+" | "-" as op, left, right):
            return f"{_text(left)} {op} {_text(right) if isinstance(right, MatVec) else _grouped(right)}"
        case Binary(op, left, right):
            return f"{_text(left) if strength(left) >= PRODUCT else _grouped(left)} {op} {_grouped(right)}"
        case _:
            return to_text(node)


def _grouped(node: Expression) -> str:
    return f"({_text(node)})" if strength(node) < POWER else to_text(node)


def _joined(kinds: Collection[OperandKind]) -> OperandKind:
    """What elementwise arithmetic makes of operands."""
    return next(
        (kind for kind in (OperandKind.MATRIX, OperandKind.VECTOR, OperandKind.EITHER) if kind in kinds),
        OperandKind.SCALAR,
    )


def _folded(factors: list[tuple[str, Expression]]) -> Expression:
    """A chain of factors from the left; one that begins with a division divides 1."""
    op, first = factors[0]
    result = first if op == "*" else Binary("/", integer(1), first)
    for op, factor in factors[1:]:
        result = Binary(op, result, factor)
    return result


def _bare(node: ast.expr) -> ast.expr:
    """A vector that is written as a row, as itself."""
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else node
