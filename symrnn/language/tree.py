"""Expression trees: what a parsed right side is made of, before and after normalisation, given or derived.

Four things happen to a vector over units: elementwise arithmetic (`Number` to `Call`), linear forms (`MatVec`),
reductions over the units (`Reduce`), and functions of all units that give a vector again (`VectorCall`). A value that lacks
axes of what it meets is repeated along them (`Broadcast`). Derived systems add two: `Outer`, the gradient of a matrix, and
`SizeOf`, the number of units behind a mean. Matrices are values only where parameters are prepared
(`symrnn.language.prepared`): `Transpose`, `Eye`, and `Applied`, whose left side has no name yet. There is nothing else: no
indexing, no branching, no assignment.

    Expression = (
        Number | Constant | Name | Negate | Binary | Power | Call | MatVec | Reduce | VectorCall | Broadcast | Outer
        | SizeOf | Transpose | Eye | Applied
    )

Nodes are frozen and compare by value, so equal subtrees are equal keys. Source positions are not part of a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never


@dataclass(frozen=True)
class Number:
    """A literal. ``text`` is kept as the author wrote it; ``value`` is exact."""

    value: Fraction
    text: str


@dataclass(frozen=True)
class Constant:
    """A scalar hyper-parameter from ``[constants]``, emitted as a literal."""

    name: str
    value: Fraction
    text: str


@dataclass(frozen=True)
class Name:
    """A variable: an input, a state (``c``), its next value (``c'``), an intermediate or a parameter."""

    name: str


@dataclass(frozen=True)
class Negate:
    """Unary minus."""

    operand: Expression


@dataclass(frozen=True)
class Binary:
    """``left op right`` with ``op`` one of ``+ - * /``."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Power:
    """``base ** exponent`` with a numeric exponent, ``|exponent| <= 64``.

    ``written`` is the exponent as its author wrote it where constants stand in it (``h**p``), else None.
    """

    base: Expression
    exponent: Fraction
    written: Expression | None = None


@dataclass(frozen=True)
class Call:
    """A function of the table applied to its operands, unit by unit.

    ``written`` is the name of a function of the cell's own, else empty: its operands then follow its value and derivatives.
    """

    function: str
    arguments: tuple[Expression, ...]
    written: str = ""

    @property
    def shown(self) -> tuple[Expression, ...]:
        """The operands as their author wrote them."""
        return self.arguments[len(self.arguments) // 2 + 1 :] if self.written else self.arguments


@dataclass(frozen=True)
class MatVec:
    """A linear form: parameter ``matrix`` (or its transpose) times ``operand``; normalised: times a `Name`.

    Of a matrix that acts on the last axis of a value with several axes, here or elsewhere in the step, ``of`` is the size of
    the operand and ``shape`` the sizes of the matrix. The normal form has no such form: it is a sum of products there.
    """

    matrix: str
    transposed: bool
    operand: Expression
    of: str = ""
    shape: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reduce:
    """A reduction (``mean``) of ``operand`` over its units; has size 1. Normalised: of a `Name`.

    ``axis`` is the axis that it runs over: a size name, of a matrix also ``rows`` or ``columns``; empty for all units. Of a
    value of the step, ``of`` is then the size of the operand, and ``axis`` may be several axes, as a size has them.
    """

    kind: str
    operand: Expression
    axis: str = ""
    of: str = ""


@dataclass(frozen=True)
class VectorCall:
    """A vector function (``softmax``) of ``operand``: each unit of the result depends on all units. Normalised: of a `Name`.

    ``axis`` is the one of several axes that it runs over, and ``of`` is then the size of the operand.
    """

    kind: str
    operand: Expression
    axis: str = ""
    of: str = ""


@dataclass(frozen=True)
class Broadcast:
    """``operand``, of size ``of``, repeated along the axes of ``size`` that it lacks. Normalised: of a `Name`."""

    operand: Expression
    of: str
    size: str


@dataclass(frozen=True)
class Outer:
    """``left rightᵀ``: what one step and one batch row add to the gradient of a matrix."""

    left: Name
    right: Name


@dataclass(frozen=True)
class SizeOf:
    """The number of units of a size (``hidden``), as a scalar."""

    size: str


@dataclass(frozen=True)
class Transpose:
    """``operand.T``, a matrix as a value; only where parameters are prepared."""

    operand: Expression


@dataclass(frozen=True)
class Eye:
    """``eye``, the identity matrix of the size that it meets; only where parameters are prepared."""


@dataclass(frozen=True)
class Applied:
    """``left @ right`` where ``left`` is more than a parameter or its transpose; loading gives ``left`` a name."""

    left: Expression
    right: Expression


Expression = (
    Number
    | Constant
    | Name
    | Negate
    | Binary
    | Power
    | Call
    | MatVec
    | Reduce
    | VectorCall
    | Broadcast
    | Outer
    | SizeOf
    | Transpose
    | Eye
    | Applied
)

MATRICES = (Transpose, Eye, Applied)
"""The nodes that stand only where parameters are prepared."""

PRIME = "'"


def is_next(name: str) -> bool:
    """Whether ``name`` is the value of a state at the end of the step (``c'``)."""
    return name.endswith(PRIME)


def children(node: Expression) -> tuple[Expression, ...]:
    """The direct subexpressions of ``node``, left to right."""
    match node:
        case (
            Negate(operand)
            | MatVec(operand=operand)
            | Reduce(operand=operand)
            | VectorCall(operand=operand)
            | Broadcast(operand=operand)
            | Transpose(operand)
        ):
            return (operand,)
        case Binary(_, left, right) | Outer(left, right) | Applied(left, right):
            return (left, right)
        case Power(base):
            return (base,)
        case Call(arguments=arguments):
            return arguments
        case Number() | Constant() | Name() | SizeOf() | Eye():
            return ()
        case _:
            assert_never(node)


def rebuild(node: Expression, parts: tuple[Expression, ...]) -> Expression:
    """``node`` with its direct subexpressions replaced by ``parts`` (as many, same order)."""
    match node:
        case Negate():
            return Negate(parts[0])
        case MatVec(matrix, transposed, _):
            return MatVec(matrix, transposed, parts[0], node.of, node.shape)
        case Reduce(kind, _, axis, of):
            return Reduce(kind, parts[0], axis, of)
        case VectorCall(kind, _, axis, of):
            return VectorCall(kind, parts[0], axis, of)
        case Broadcast(_, of, size):
            return Broadcast(parts[0], of, size)
        case Transpose():
            return Transpose(parts[0])
        case Applied():
            return Applied(parts[0], parts[1])
        case Binary(op, _, _):
            return Binary(op, parts[0], parts[1])
        case Outer():
            left, right = parts
            assert isinstance(left, Name)
            assert isinstance(right, Name)
            return Outer(left, right)
        case Power(_, exponent, written):
            return Power(parts[0], exponent, written)
        case Call(function, _, written):
            return Call(function, parts, written)
        case Number() | Constant() | Name() | SizeOf() | Eye():
            return node
        case _:
            assert_never(node)


def transform(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """``change`` applied to every node from the leaves up; unchanged subtrees are shared with the original."""
    old = children(node)
    new = tuple(transform(part, change) for part in old)
    return change(node if new == old else rebuild(node, new))


def walk(node: Expression) -> Iterator[Expression]:
    """Every node of the tree, parents before children, left to right."""
    waiting = [node]  # nested generators would cost the tree's depth for every node
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(children(part)))


def names(node: Expression) -> tuple[str, ...]:
    """The variables that ``node`` reads, matrices of linear forms included, each once, in order of appearance."""
    found: dict[str, None] = {}
    for part in walk(node):
        if isinstance(part, Name):
            found[part.name] = None
        elif isinstance(part, MatVec):
            found[part.matrix] = None
    return tuple(found)


def constants(node: Expression) -> tuple[str, ...]:
    """The constants in ``node``, those of exponents included, each once, in order of appearance."""
    found: dict[str, None] = {}
    for part in walk(node):
        if isinstance(part, Constant):
            found[part.name] = None
        elif isinstance(part, Power) and part.written is not None:
            found |= dict.fromkeys(constants(part.written))
    return tuple(found)


def integer(value: int) -> Number:
    """The literal of a small whole number."""
    return Number(Fraction(value), str(value))


def opposite(number: Number) -> Number:
    """The literal of the opposite number."""
    text = number.text
    return Number(-number.value, text[1:] if text.startswith("-") else f"-{text}")
