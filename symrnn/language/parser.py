"""From equations to trees, with Python's own parser and an allow-list of its nodes. Nothing is evaluated.

Reads the text of the equations; returns one `Assignment` per equation, whose tree knows the place of each node. A
linear form is re-associated on the way: ``A @ e`` is one factor, tighter than ``*`` and unary minus, and chains to the
right, where Python reads ``A @ B @ x`` and ``r * W @ h`` from the left. Leaves out: sizes and the roles of names
(`symrnn.language.compose`).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from fractions import Fraction

from symrnn.language.choices import COMPARISONS
from symrnn.language.decimals import number_fault
from symrnn.language.equation_names import assigns, names_of, of_step
from symrnn.language.exponents import Constants, exponent, is_fixed
from symrnn.language.functions import FUNCTIONS, PUBLIC
from symrnn.language.indexed import read_index
from symrnn.language.located import Assignment, Callees, Calls, Located
from symrnn.language.matrices import OPERATORS, Names, Operand, is_matrix, remedy, runs_of
from symrnn.language.origin import Origin, Place, nearest, shown
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.scanner import MAX_DEPTH, PRIME_LETTER, EquationText, scan
from symrnn.language.tree import (
    PRIME,
    Applied,
    Binary,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    Transpose,
    VectorCall,
    constants,
)
from symrnn.language.unknown import unknown_function
from symrnn.language.vectors import VECTORS

MAX_NODES = 5000
"""Most nodes of one equation's syntax tree."""

MAX_EXPONENT = 64
"""Largest magnitude of an exponent."""

_REFUSED = {
    ast.Attribute: "the only attribute is `.T`, of a matrix, as in `W.T @ v`",
    ast.Compare: "a comparison is the condition of `where`, as in `where(a < b, c, d)`, and stands nowhere else",
    ast.Tuple: (
        "an equation has one value on its right side; a matrix times vectors one after the other is `W @ x + U @ h`, a matrix "
        "for each part"
    ),
    ast.Starred: "`*` and `**` stand between two operands",
    ast.FloorDiv: "division is written `/`",
}

_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: COMPARISONS["<"],
    ast.LtE: COMPARISONS["<="],
    ast.Eq: COMPARISONS["=="],
    ast.Gt: COMPARISONS[">"],
    ast.GtE: COMPARISONS[">="],
    ast.NotEq: COMPARISONS["!="],
}


EYE = "eye"
"""The identity matrix, where parameters are prepared."""

PREVIOUS = "previous"
"""What is called for the input of the step before; a cell may use it as a name, and then cannot call it."""


def parse(
    text: str,
    origin: Origin,
    constants: Constants,
    inputs: Sequence[str] = ("x",),
    functions: Callees | None = None,
    calls: Calls | None = None,
) -> tuple[Assignment, ...]:
    """The equations of ``text`` in order.

    Args:
        text: equations, one per line.
        origin: where they came from, for errors.
        constants: the value and text of each scalar hyper-parameter.
        inputs: the names of what comes in each step.
        functions: those of the cell's own.
        calls: what may be called beside the functions; a call of it is a `Call`.

    Raises:
        CellError: with line and column, what was found and what was expected.
    """
    equations = scan(text, origin)
    step = of_step(equations, inputs)
    names, values = names_of([equation.text for equation in equations], step, constants)
    values |= {name for equation in equations for name in assigns(equation)}
    known = (names, values, functions or {}, calls or {}, step)
    return tuple(_Parser(equation, origin, constants, *known).assignment() for equation in equations)


def parse_expression(
    text: EquationText,
    origin: Origin,
    constants: Constants,
    inputs: Sequence[str],
    functions: Callees,
    calls: Calls,
) -> Located:
    """The tree of one expression (`scan_expression`); the arguments are those of `parse`.

    Raises:
        CellError: with line and column, what was found and what was expected.
    """
    names, values = names_of([text.text], frozenset(inputs), constants)
    return _Parser(text, origin, constants, names, values, functions, calls, frozenset(inputs)).alone()


class _Parser:
    """Turns the syntax tree of one equation into a tree of the language."""

    def __init__(
        self,
        equation: EquationText,
        origin: Origin,
        constants: Constants,
        names: Names,
        values: frozenset[str],
        functions: Callees,
        calls: Calls,
        step: frozenset[str],
    ) -> None:
        self._equation, self._origin, self._constants = equation, origin, constants
        self._names, self._values, self._functions, self._calls, self._step = names, values, functions, calls, step

    def assignment(self) -> Assignment:
        start = self._equation.place(1, 0)
        module = self._tree("an equation; expected `name = expression`")
        (body,) = module.body
        if not isinstance(body, ast.Assign) or not isinstance(body.targets[0], ast.Name):
            raise self._origin.error("expected one equation, `name = expression`", start)
        if len(body.targets) != 1:
            raise self._error(body.targets[1], "an equation has one `=`, and assigns one name")
        target = body.targets[0]
        name = self._spelled(target.id)
        if name.removesuffix(PRIME) in self._functions:
            raise self._error(target, f"`{name}` is a function of the cell's own; use another name")
        if fault := function_fault(name.removesuffix(PRIME)):  # before any equation that reads it
            raise self._error(target, fault)
        self._check_extent(body.value)
        heads, guard = self._equation.heads, self._equation.guard
        return Assignment(name, self._place(target), self._expression(body.value), heads, guard)

    def alone(self) -> Located:
        """The expression of a text that is nothing else."""
        module = self._tree("an expression")
        body = module.body[0] if len(module.body) == 1 else None
        if not isinstance(body, ast.Expr):
            raise self._origin.error("expected an expression", self._equation.place(1, 1))
        self._check_extent(body.value)
        return self._expression(body.value)

    def _tree(self, expected: str) -> ast.Module:
        start = self._equation.place(1, 0)
        try:
            return ast.parse(self._equation.text)
        except (SyntaxError, ValueError) as error:
            # The scanner has named the usual faults. For the rest, the equation is the best place to point at.
            raise self._origin.error(f"this is not {expected} ({error.args[0]})", start) from error
        except (RecursionError, MemoryError) as error:
            raise self._origin.error(f"the equation is nested more than {MAX_DEPTH} deep", start) from error

    def _check_extent(self, root: ast.expr) -> None:
        """Refuse a tree that is too deep or too large; without recursion."""
        pending: list[tuple[ast.AST, int]] = [(root, 1)]
        count = 0
        while pending:
            node, depth = pending.pop()
            count += 1
            if depth > MAX_DEPTH:
                raise self._error(root, f"the equation is nested more than {MAX_DEPTH} deep; name a part of it")
            if count > MAX_NODES:
                raise self._error(root, f"the equation has more than {MAX_NODES} parts; name some of them")
            pending += [(child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]

    def _expression(self, node: ast.expr) -> Located:
        place = self._place(node)
        match node:
            case ast.Name(id=name):
                return self._name(self._spelled(name), node)
            case ast.Constant():
                return Located(self._number(node), place)
            case ast.Subscript(value=ast.Name()):
                return Located(Name(self._indexed(node)), place)
            case ast.Attribute(value=value, attr="T"):
                inner = self._expression(value)
                return Located(Transpose(inner.node), place, (inner,))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._expression(operand)
                return Located(Negate(inner.node), place, (inner,))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._expression(operand)
            case ast.BinOp(op=ast.Mult() | ast.Div() | ast.MatMult()):
                return self._product(node)
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
                return self._raised(base, exponent, place)
            case ast.BinOp(op=ast.Add() | ast.Sub() as op, left=left, right=right):
                return self._binary(OPERATORS[type(op)], self._expression(left), self._expression(right), place)
            case ast.Call():
                return self._call(node)
            case _:
                kind = type(node.op) if isinstance(node, ast.BinOp) else type(node)
                reason = _REFUSED.get(kind, "expected names, numbers, functions and + - * / ** @")
                raise self._error(node, f"`{shown(self._segment(node), 30)}` is not part of the language: {reason}")

    def _binary(self, op: str, left: Located, right: Located, place: Place) -> Located:
        return Located(Binary(op, left.node, right.node), place, (left, right))

    def _product(self, node: ast.BinOp) -> Located:
        """A chain of ``*``, ``/`` and ``@``, re-associated: runs joined by ``@`` are factors."""
        (_, first), *others = runs_of(node)
        result = self._factor(first)
        for op, run in others:
            result = self._binary(op, result, self._factor(run), result.place)
        return result

    def _factor(self, run: list[Operand]) -> Located:
        """``A @ B @ e`` from the right; a minus in front of a matrix applies to its whole form."""
        result = self._expression(run[-1].node)
        for left in reversed(run[:-1]):
            minuses: list[Place] = []
            matrix = left.node
            while isinstance(matrix, ast.UnaryOp) and not left.whole:
                if isinstance(matrix.op, ast.USub):
                    minuses.append(self._place(matrix))
                matrix = matrix.operand
            result = self._form(matrix, result)
            for place in reversed(minuses):
                result = Located(Negate(result.node), place, (result,))
        return result

    def _form(self, node: ast.expr, operand: Located) -> Located:
        """``node @ operand``: of a parameter or its transpose, or of a matrix that is prepared from parameters."""
        if found := self._matrix(node):
            return Located(MatVec(*found, operand.node), self._place(node), (operand,))
        names = {self._spelled(part.id) for part in ast.walk(node) if isinstance(part, ast.Name)}
        fault = self._no_matrix(node, operand)
        if names & self._step or not is_matrix(node, self._names):
            raise self._error(node, fault)
        left = self._expression(node)
        return Located(Applied(left.node, operand.node), self._place(node), (left, operand), fault)

    def _matrix(self, node: ast.expr) -> tuple[str, bool] | None:
        """The parameter left of ``@`` and whether it is transposed; None where something else stands there."""
        match node:
            case ast.Name(id=name) if name == EYE:
                return None
            case ast.Name(id=name):
                name, transposed = self._spelled(name), False
            case ast.Attribute(value=ast.Name(id=name), attr="T"):
                name, transposed = self._spelled(name), True
            case ast.Subscript(value=ast.Name()):
                name, transposed = self._indexed(node), False
            case ast.Attribute(value=ast.Subscript(value=ast.Name()) as inner, attr="T"):
                name, transposed = self._indexed(inner), True
            case _:
                return None
        if name in self._constants:
            raise self._error(node, f"`{name}` is a constant; left of `@` stands a matrix; for a product write `*`")
        own = f"`{name}` is a function of the cell's own" if name in self._functions else ""
        if fault := own or function_fault(name):
            raise self._error(node, f"{fault}; left of `@` stands a matrix")
        return name, transposed

    def _no_matrix(self, node: ast.expr, operand: Located) -> str:
        found = shown(self._segment(node), 40)
        message = f"left of `@` stands a parameter, or its transpose as in `P.T`; found `{found}`"
        return f"{message}; {remedy(node, operand.node, self._names, lambda part: self._expression(part).node)}"

    def _name(self, name: str, node: ast.expr) -> Located:
        if name in PUBLIC or name.removesuffix(PRIME) in self._functions:
            raise self._error(node, f"`{name}` is a function: its argument follows in parentheses, as in `{name}(a)`")
        if name == EYE:
            return Located(Eye(), self._place(node))
        if fault := function_fault(name.removesuffix(PRIME)):
            raise self._error(node, fault)
        if name in self._constants:
            value, text = self._constants[name]
            return Located(Constant(name, value, text), self._place(node))
        return Located(Name(name), self._place(node))

    def _number(self, node: ast.Constant) -> Number:
        text = self._segment(node)
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self._error(node, f"`{shown(text, 30)}` is not a number; expected one such as 2, 0.5 or 1e-5")
        if fault := number_fault(text):
            raise self._error(node, fault)
        return Number(Fraction(text), text)

    def _raised(self, base: ast.expr, power: ast.expr, place: Place) -> Located:
        """A power: by a number where that is known now, else by a value of the step, and then of a positive base."""
        inner = self._expression(base)
        if is_fixed(power, self._constants):
            return Located(Power(inner.node, *self._power(power)), place, (inner,))
        above = self._expression(power)
        return Located(Call("power", (inner.node, above.node)), place, (inner, above))

    def _power(self, node: ast.expr) -> tuple[Fraction, Expression | None]:
        """The value of a fixed exponent, and what its author wrote where that holds a constant."""
        value, written = exponent(node, self._constants, self._number, self._error)
        if abs(value) > MAX_EXPONENT:
            found = shown(self._segment(node), 20) + (f" = {float(value):.6g}" if constants(written) else "")
            raise self._error(node, f"the exponent {found} is too large: at most {MAX_EXPONENT}")
        return value, written if constants(written) else None

    def _call(self, node: ast.Call) -> Located:
        if not isinstance(node.func, ast.Name):
            inner = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            remark = f", as in `{inner}(a)`" if inner in PUBLIC else ""
            raise self._error(node.func, f"a function is called by its name alone{remark}")
        name = self._spelled(node.func.id)
        if name in self._calls and not (name == PREVIOUS and name in self._values):
            return self._defined(name, node)
        own = self._functions.get(name)
        if name not in PUBLIC and own is None:
            known = node.func.id in self._values or name in self._constants
            near = [*self._functions, *(each for each in self._calls if each != PREVIOUS)]
            hint = "" if known else nearest(name, near)
            hint = hint or unknown_function(name, len(node.args), known=known)
            raise self._error(node.func, f"there is no function `{shown(name)}`{hint}")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self._error(node, f"`{name}` takes plain arguments, as in `{name}(a)`")
        plain = name in VECTORS or (name in REDUCTIONS and REDUCTIONS[name].rule is not None)
        if (name in REDUCTIONS or name in VECTORS) and self._has_axis(node, plain=plain):
            return self._over_axis(name, node)
        arity = own.arity if own else FUNCTIONS[name].arity if name in FUNCTIONS else 1
        if len(node.args) != arity:
            unit = (
                "; the larger of two, unit by unit, is `maximum(a, b)`" if name == "max" and len(node.args) == 2 else ""
            )
            raise self._error(node, f"`{name}` takes {arity} argument{'s'[: arity > 1]}, found {len(node.args)}{unit}")
        condition = (self._condition(node.args[0]),) if name == "where" else ()
        parts = (*condition, *(self._expression(argument) for argument in node.args[len(condition) :]))
        if own:
            return self._fitting(own.called(parts, self._place(node)), node)
        if name in REDUCTIONS:
            return Located(Reduce(name, parts[0].node), self._place(node), parts)
        if name in VECTORS:
            return Located(VectorCall(name, parts[0].node), self._place(node), parts)
        return Located(Call(name, tuple(part.node for part in parts)), self._place(node), parts)

    def _defined(self, name: str, node: ast.Call) -> Located:
        """A call of a definition, or of the input before."""
        arguments = self._calls[name]
        written = f"{name}({', '.join(arguments)})"
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self._error(node, f"`{written}` takes plain arguments, in their order")
        if len(node.args) != len(arguments):
            count = f"{len(arguments)} argument{'s'[: len(arguments) > 1]}"
            raise self._error(node, f"`{written}` takes {count}, found {len(node.args)}")
        parts = tuple(self._expression(argument) for argument in node.args)
        return Located(Call(name, tuple(part.node for part in parts)), self._place(node), parts)

    def _indexed(self, node: ast.Subscript) -> str:
        """A name with its index."""
        name = read_index(node)
        if not name:
            message = "an index is the name of a count of passes or a number, as in `R[k]`, `R[k + 1]` or `R[j, k]`"
            raise self._error(node, message)
        if fault := function_fault(name.partition("[")[0]):
            raise self._error(node, fault)
        return name

    def _fitting(self, whole: Located, node: ast.expr) -> Located:
        """A call of a function of the cell's own, whose operands are repeated, if that leaves it small enough."""
        pending, count = [(whole, 1)], 0
        while pending:
            at, depth = pending.pop()
            count += 1
            if count > MAX_NODES or depth > MAX_DEPTH:
                raise self._error(node, f"`{shown(self._segment(node), 30)}` is too large; name its arguments")
            pending += [(part, depth + 1) for part in at.parts]
        return whole

    def _condition(self, node: ast.expr) -> Located:
        """A comparison, the condition of `where`."""
        found = shown(self._segment(node), 30)
        if not isinstance(node, ast.Compare):
            message = f"the condition of `where` is a comparison, as in `where(a < b, c, d)`; found `{found}`"
            raise self._error(node, message)
        if len(node.ops) > 1:
            message = f"`{found}` compares more than two values; write one `where` inside the other"
            raise self._error(node, message)
        kind = _COMPARED[type(node.ops[0])]
        parts = (self._expression(node.left), self._expression(node.comparators[0]))
        return Located(Call(kind, tuple(part.node for part in parts)), self._place(node), parts)

    def _has_axis(self, node: ast.Call, *, plain: bool) -> bool:
        """Whether a second argument may be an axis: it is no value of the step, and a name if it is to be ``plain``."""
        if len(node.args) != 2:
            return False
        axis = node.args[1]
        if not isinstance(axis, ast.Name):
            return not plain
        return axis.id not in self._step and not (plain and self._spelled(axis.id) in self._constants)

    def _over_axis(self, name: str, node: ast.Call) -> Located:
        """``sum(W**2, input)``: over one axis of a matrix, or of a value with several axes."""
        operand, axis = node.args
        if not isinstance(axis, ast.Name) or self._spelled(axis.id) in self._constants:
            found = shown(self._segment(axis), 30)
            message = (
                f"`{name}` takes the name of an axis, as in `{name}(W**2, input)`, `rows` or `columns`; found `{found}`"
            )
            raise self._error(axis, message)
        inner = self._expression(operand)
        whole = VectorCall(name, inner.node, axis.id) if name in VECTORS else Reduce(name, inner.node, axis.id)
        return Located(whole, self._place(node), (inner,))

    def _spelled(self, name: str) -> str:
        return name.replace(PRIME_LETTER, PRIME)

    def _segment(self, node: ast.expr) -> str:
        text = ast.get_source_segment(self._equation.text, node) or ""
        return self._spelled(text)

    def _place(self, node: ast.expr) -> Place:
        return self._equation.place(node.lineno, node.col_offset)

    def _error(self, node: ast.expr, message: str) -> Exception:
        return self._origin.error(message, self._place(node))


def function_fault(name: str) -> str:
    """Why ``name`` cannot be used, if it is a function, a reduction or a vector function; else an empty string."""
    if name == EYE:
        return "`eye` is the identity matrix and cannot name anything else; use another name"
    taken = (name in FUNCTIONS and not FUNCTIONS[name].operator) or name in REDUCTIONS or name in VECTORS
    return f"`{name}` is a function of the language and cannot name anything else; use another name" if taken else ""
