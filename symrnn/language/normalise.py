"""Normalisation: the same step with its parts named. Later packages then work on a graph of names.

Reads the author's equations and variables; returns a `System` in which

* a linear form applies to a name that is not a parameter;
* a reduction or a vector function applies to a name and is a whole right side;
* what is repeated along axes that it lacks is a name;
* a function call is a whole right side, so every derivative can be written in saved outputs;
* a matrix that acts on the last axis of a value with several axes is a value with axes of its own, and the form a sum of
  products;
* a linear form stands in a sum, possibly scaled by constants: a factor that contains one has a name of its own;
* a linear form or a reduction of size 1 in an equation of another size has a name;
* the argument of a function whose derivative reads it (`silu`) has a name if it contains a linear form;
* a function that is made of others is written by these (`Function.formula`);
* equal right sides that normalisation names are computed once.

Leaves out: anything about time, order of evaluation beyond the author's, or storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, product
from string import ascii_lowercase
from typing import assert_never

from symrnn.language.axes import acted_on, axes_of, matrix_axes, settled, size_of, without
from symrnn.language.functions import FUNCTIONS
from symrnn.language.identifiers import Allocator
from symrnn.language.symbolic import formula_of
from symrnn.language.system import ONE, Equation, Role, System, Variable
from symrnn.language.tree import (
    PRIME,
    Applied,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    Transpose,
    VectorCall,
    children,
    constants,
    is_next,
    names,
    rebuild,
    transform,
    walk,
)


def normalise(
    equations: tuple[Equation, ...], variables: tuple[Variable, ...], returned: tuple[str, ...] = ()
) -> System:
    """The normal form of a step.

    Args:
        equations: the author's, each with sizes that agree.
        variables: every variable that they read or assign, with its shape.
        returned: the outputs of the layer that are no states.
    """
    return _Normaliser(equations, variables).run(returned)


def expression_size(node: Expression, shape: dict[str, tuple[str, ...]]) -> str:
    """The size name of ``node``: that of its first operand that is not of size 1, else ``1``."""
    match node:
        case Number() | Constant() | SizeOf() | Reduce(axis=""):
            return ONE
        case Reduce(axis=axis, of=""):
            return axis  # of a matrix, where parameters are prepared
        case Reduce(axis=axis, of=of):
            return settled(without(of, axes_of(axis)))
        case Broadcast(size=size):
            return size
        case Eye():
            return ""
        case Name(name):
            return shape[name][0]
        case MatVec(_, transposed, _, of, form) if form:
            return acted_on(of, form, transposed)
        case MatVec(matrix) if len(shape[matrix]) == 1:
            return shape[matrix][0]  # as its author wrote it, where sizes are not written down; it is no scalar
        case MatVec(matrix, transposed, _):
            return shape[matrix][1 if transposed else 0]
        case VectorCall(operand=operand):
            return expression_size(operand, shape)
        case Negate() | Binary() | Power() | Call() | Outer() | Transpose() | Applied():
            sizes = [expression_size(part, shape) for part in children(node)]
            return next((size for size in sizes if size != ONE), ONE)
        case _:
            assert_never(node)


def _written_out(node: Expression) -> Expression:
    """A form of a matrix that acts on the last axis of values with several axes, as a sum of products.

    Where the matrix has an axis in its rows and in its columns, it is the one of the columns that the matrix sums over, and the
    one of the rows that its transpose does: the operand is read along that one.
    """
    if not (isinstance(node, MatVec) and node.shape):
        return node
    table = matrix_axes(node.shape)
    rows = axes_of(node.shape[0])
    columns = axes_of(table)[len(rows) :]
    inner = rows if node.transposed else columns
    axes = axes_of(node.of)
    kept = axes[: len(axes) - len(inner)]
    whole = size_of([*kept, *(axis for axis in rows if axis not in kept), *columns])
    factors = ((Name(node.matrix), table), (node.operand, size_of([*kept, *inner])))
    left, right = (part if of == whole else Broadcast(part, of, whole) for part, of in factors)
    return Reduce("sum", Binary("*", left, right), size_of(inner), whole)


def has_form(node: Expression) -> bool:
    """Whether ``node`` contains a linear form."""
    return any(isinstance(part, MatVec) for part in walk(node))


class _Normaliser:
    """Walks the author's equations in order and collects the equations of the normal form."""

    def __init__(self, equations: Sequence[Equation], variables: Sequence[Variable]) -> None:
        self._given = equations
        self._variables = list(variables)
        self._shape = {variable.name: variable.shape for variable in variables}
        self._parameters = {variable.name for variable in variables if variable.role is Role.PARAMETER}
        fixed = [name for equation in equations for name in constants(equation.expression)]
        self._allocator = Allocator([*(variable.name.removesuffix(PRIME) for variable in variables), *fixed])
        self._equations: list[Equation] = []
        self._known: dict[Expression, Name] = {}
        self._copies: dict[str, Name] = {}
        self._parts: list[Equation] = []
        self._target = ""

    def run(self, returned: tuple[str, ...]) -> System:
        """All equations in order; parts of an equation come before it."""
        for equation in self._given:
            self._parts = []
            self._target = equation.target
            whole = self._root(transform(equation.expression, _written_out))
            if isinstance(whole, Reduce) and self._shape[self._target] != (expression_size(whole, self._shape),):
                # A scalar that its target broadcasts: its cotangent is one number, so it has a name.
                whole = self._named(whole, _hint(whole, self._target))
            for letter, part in zip(_letters(), self._parts, strict=False):
                label = equation.label + letter
                self._equations.append(Equation(label, part.target, part.expression, equation.label))
            self._equations.append(Equation(equation.label, equation.target, whole, equation.label))
            # A target that broadcasts a scalar cannot stand for the scalar.
            same = self._shape[equation.target] == (expression_size(whole, self._shape),)
            if same and whole not in self._known and not isinstance(whole, Name | Number | Constant):
                self._known[whole] = Name(equation.target)
        assigned = {equation.target for equation in self._equations}
        inputs = tuple(v.name for v in self._variables if v.name not in assigned)
        outputs = tuple(v.name for v in self._variables if is_next(v.name))
        return System(inputs, (*outputs, *returned), tuple(self._equations), tuple(self._variables))

    def _named(self, node: Expression, hint: str) -> Name:
        """A name for ``node``, which is already normal as a whole right side."""
        if isinstance(node, Name):
            return node
        if node in self._known:
            return self._known[node]
        size = expression_size(node, self._shape)
        whole = node if size == ONE else transform(node, self._scalar_form)
        self._known[node] = self._assign(hint, (size,), whole)
        return self._known[node]

    def _assign(self, hint: str, shape: tuple[str, ...], expression: Expression) -> Name:
        """A new variable, assigned in front of the equation at hand."""
        name = self._allocator.fresh(hint)
        self._variables.append(Variable(name, Role.INTERMEDIATE, shape))
        self._shape[name] = shape
        self._parts.append(Equation("", name, expression))
        return Name(name)

    def _scalar_form(self, node: Expression) -> Expression:
        """A linear form of size 1 by name, for an expression of another size."""
        if isinstance(node, MatVec) and expression_size(node, self._shape) == ONE:
            return self._named(node, _hint(node, self._target))
        return node

    def _root(self, node: Expression) -> Expression:
        """``node`` as a whole right side: calls, reductions and vector functions may stay."""
        match node:
            case Call(function, arguments) if FUNCTIONS[function].formula is not None:
                return self._root(self._composed(function, arguments))
            case Call(function, arguments, written):
                if written:
                    arguments = self._of_names(node)
                return Call(function, tuple(self._argument(function, argument) for argument in arguments), written)
            case Reduce(operand=operand) | VectorCall(operand=operand):
                inner = self._inside(operand)
                return rebuild(node, (self._named(inner, _hint(inner, self._target)),))
            case _:
                return self._inside(node)

    def _composed(self, function: str, arguments: tuple[Expression, ...]) -> Expression:
        """A call by the formula of its function; an argument that occurs in it more than once has a name."""
        whole, given = formula_of(function)
        found: dict[Expression, Expression] = {}
        for place, argument in zip(given, arguments, strict=True):
            often = sum(part == place for part in walk(whole)) > 1 and bool(names(argument))
            found[place] = self._named(self._inside(argument), f"{_plain(self._target)}_pre") if often else argument
        return transform(whole, lambda part: found.get(part, part))

    def _of_names(self, node: Call) -> tuple[Expression, ...]:
        """The arguments of a call of a function of the cell's own, whose value and derivatives repeat its operands: by name."""
        found: dict[Expression, Expression] = {}
        for operand in node.shown:
            if names(operand):
                found[operand] = self._named(self._inside(operand), f"{_plain(self._target)}_pre")
        return tuple(transform(argument, lambda part: found.get(part, part)) for argument in node.arguments)

    def _argument(self, function: str, node: Expression) -> Expression:
        inner = self._inside(node)
        if FUNCTIONS[function].needs_argument and has_form(inner):
            return self._named(inner, _plain(self._target) + "_pre")
        return inner

    def _inside(self, node: Expression) -> Expression:
        """``node`` within an expression: calls, reductions, vector functions and operands get names, forms stay in sums."""
        match node:
            case Call(function, arguments) if FUNCTIONS[function].formula is not None:
                return self._inside(self._composed(function, arguments))
            case Call() | Reduce() | VectorCall():
                whole = self._root(node)
                return self._named(whole, _hint(whole, self._target))
            case Broadcast(Negate(operand), of, size):
                return Negate(self._inside(Broadcast(operand, of, size)))  # no name for what costs nothing
            case Broadcast(operand, of, size):
                inner = self._inside(operand)
                return Broadcast(self._named(inner, _hint(inner, self._target)), of, size)
            case MatVec(matrix, transposed, operand):
                form = MatVec(matrix, transposed, self._operand(operand))
                return form if self._shape[self._target] == (ONE,) else self._scalar_form(form)
            case Binary("*" | "/", left, right):
                parts = (self._inside(left), self._inside(right))
                scalars = [not names(part) for part in parts]
                if not any(scalars) or (node.op == "/" and not scalars[1]):
                    parts = self._factor(parts[0]), self._factor(parts[1])
                return rebuild(node, parts)
            case Power(base, exponent):
                inner = self._inside(base)
                return rebuild(node, (inner if exponent == 1 else self._factor(inner),))
            case _:
                old = children(node)
                return rebuild(node, tuple(self._inside(part) for part in old)) if old else node

    def _factor(self, node: Expression) -> Expression:
        """A factor that contains a linear form, by name: its cotangent must be one value per form."""
        return self._named(node, _hint(node, self._target)) if has_form(node) else node

    def _operand(self, node: Expression) -> Name:
        """The operand of a linear form, by a name that is computed for each row."""
        inner = self._inside(node)
        if isinstance(inner, Name) and inner.name in self._parameters:
            # `W @ p`: the copy is a value of the step, so that one rule makes its gradient and its panel.
            if inner.name not in self._copies:
                self._copies[inner.name] = self._assign(inner.name + "_row", self._shape[inner.name], inner)
            return self._copies[inner.name]
        return self._named(inner, _hint(inner, self._target))


def _letters() -> Iterator[str]:
    """``a``, ``b``, … ``z``, ``aa``, ``ab``, …, without end."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))


def _plain(name: str) -> str:
    """A name without its prime, as an identifier."""
    return name.removesuffix(PRIME)


def _hint(node: Expression, target: str) -> str:
    """A name by role: the function or the operands of ``node``, else a part of its target."""
    match node:
        case Call(function, (Name(name),)) | Reduce(function, Name(name)) | VectorCall(function, Name(name)):
            return f"{function}_{_plain(name)}"
        case Call(function, _, written):
            return f"{written or function}_{_plain(target)}"
        case MatVec(matrix, transposed, Name(name)):
            return f"{matrix}{'_T' if transposed else ''}_{_plain(name)}"
        case Binary("*", Name(left), Name(right)):
            return f"{_plain(left)}_{_plain(right)}"
        case _:
            return f"{_plain(target)}_part"
