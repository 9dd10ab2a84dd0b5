"""Statements of the plan as operations, one array call each; shared subexpressions are computed once.

Reads the stages of a phase; returns for each its operations and accumulators. Every operation has a target: the
statement's own value, or a temporary that is named by its role (``one_minus_z``). Leaves out: which operations become
one call (`symrnn.targets.numpy.stack`), and storage (`symrnn.targets.numpy.storer`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from fractions import Fraction

from symrnn.emit.python_names import identifier
from symrnn.errors import GenerateError
from symrnn.language.axes import axes_of, without
from symrnn.language.fold import Fold
from symrnn.language.identifiers import Allocator
from symrnn.language.system import ONE
from symrnn.language.tree import (
    MATRICES,
    PRIME,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    VectorCall,
    names,
)
from symrnn.plan.program import Accumulator, Place, Stage, Statement
from symrnn.targets.numpy.functions import REPEAT, reduction, vector_function
from symrnn.targets.numpy.ir import ARITHMETIC, COPY, FILL, NEGATIVE, Literal, Operand, Operation

LONGEST = 24
"""The longest name of a temporary; beyond it, the temporary is named after its statement."""

UNROLLED = 8
"""The largest whole exponent that is computed by multiplication."""


@dataclass(frozen=True)
class Lowered:
    """A stage as operations.

    Attributes:
        stage: of the plan.
        accumulators: those of the stage; one that is a statement's whole right side has that statement's name.
        operations: in order.
    """

    stage: Stage
    accumulators: tuple[Accumulator, ...]
    operations: tuple[Operation, ...]


Root = Operand | tuple[str, tuple[Operand, ...]]
"""The outermost function of an expression and its arguments; a number or a value where it has none."""


class Lowerer(Fold[Root], refuses=(Reduce, VectorCall, MatVec, Outer, *MATRICES)):
    """Lowers the stages of one routine; the value of an expression is its `Root`.

    Args:
        sizes: of every value; temporaries join it.
        writes: the places that each value is written to; values of one step alone have none.
        vectors: values of one row (parameters, and what is computed from them alone).
        allocator: of names of values.
        stems: for each name that the planner invented, its name if no other routine existed.
    """

    def __init__(
        self,
        sizes: MutableMapping[str, str],
        writes: Mapping[str, tuple[Place, ...]],
        vectors: Collection[str],
        allocator: Allocator,
        stems: Mapping[str, str],
    ) -> None:
        self._sizes, self._writes, self._vectors = sizes, writes, vectors
        self._allocator, self._stems = allocator, stems
        self.alias: dict[str, str] = {}
        """Second names of values."""
        self.labels: dict[str, str] = {}
        """The label of the equation of each value."""
        self.second: dict[str, Place] = {}
        """Copies of a value that is written to two places: name and place."""
        self._known: dict[tuple[str, tuple[Operand, ...]], str] = {}
        self._operations: list[Operation] = []
        self._statement = Statement("", Name(""))
        self._size = ONE

    def stage(self, stage: Stage) -> Lowered:
        """The operations of one stage; stages come in the order in which they run."""
        self._operations, self._known, self._size = [], {}, stage.size
        renamed: dict[str, str] = {}
        sums = {accumulator.name for accumulator in stage.accumulators}
        for statement in stage.statements:
            self._statement = statement
            self.labels[statement.target] = statement.label
            expression = statement.expression
            if isinstance(expression, Name) and expression.name in sums:
                renamed[expression.name] = statement.target
            elif not self._is_alias(stage, statement):
                self._assign(statement.target, expression)
            self._copies(statement.target)
        accumulators = tuple(Accumulator(renamed.get(a.name, a.name), a.forms) for a in stage.accumulators)
        for accumulator, old in zip(accumulators, stage.accumulators, strict=True):
            readers = [s for s in stage.statements if any(name == old.name for name in names(s.expression))]
            self.labels[accumulator.name] = readers[0].label if readers else ""
            self._sizes[accumulator.name] = stage.size
        return Lowered(stage, accumulators, tuple(self._operations))

    def resolve(self, name: str) -> str:
        """The value that ``name`` stands for."""
        while name in self.alias:
            name = self.alias[name]
        return name

    def _is_alias(self, stage: Stage, statement: Statement) -> bool:
        """Record the target as a second name, if its storage allows that."""
        expression = statement.expression
        if not isinstance(expression, Name):
            return False
        source = self.resolve(expression.name)
        if statement.target in self._writes or source in self._vectors or self._sizes[source] != stage.size:
            return False
        self.alias[statement.target] = source
        return True

    def _copies(self, target: str) -> None:
        """Write the value to its other places too."""
        for place in self._writes.get(target, ())[1:]:
            name = self._allocator.fresh(f"{target.removesuffix(PRIME)}_copy")
            self.second[name], self._sizes[name] = place, self._sizes[target]
            self._emit(COPY, (self.resolve(target),), name)

    def _assign(self, target: str, expression: Expression) -> None:
        match expression:
            case Name(name):
                self._emit(COPY, (self.resolve(name),), target)
            case Reduce():
                self._reduce(expression, target)
            case VectorCall(kind, Name(vector)):
                self._emit(vector_function(kind), (self._in_rows(vector),), target)
            case _:
                root = self(expression)
                if isinstance(root, Literal):
                    self._emit(FILL, (root,), target)
                elif isinstance(root, str):
                    self._emit(COPY, (root,), target)
                else:
                    self._emit(*root, target)

    def _operand(self, node: Expression) -> Operand:
        """A number, a value, or the temporary that holds ``node``."""
        root = self(node)
        return root if isinstance(root, str | Literal) else self._temporary(*root)

    def _refusal(self, node: Expression) -> Exception:
        if isinstance(node, Reduce | VectorCall):
            what = "reduction" if isinstance(node, Reduce) else "vector function"
            return GenerateError(f"NumPy: a {what} stands inside an expression; give it a statement of its own")
        return GenerateError(f"NumPy: {type(node).__name__} is not elementwise, so no operation computes it")

    def _of_number(self, node: Number) -> Root:
        return Literal(node.value)

    def _of_constant(self, node: Constant) -> Root:
        return Literal(node.value)

    def _of_size(self, node: SizeOf) -> Root:
        return Literal(size=node.size)

    def _of_name(self, node: Name) -> Root:
        return self.resolve(node.name)

    def _of_negate(self, node: Negate) -> Root:
        value = self._operand(node.operand)
        if isinstance(value, Literal) and not value.size:
            return Literal(-value.value)
        return NEGATIVE, (self._array(value),)

    def _of_binary(self, node: Binary) -> Root:
        first, second = self._operand(node.left), self._operand(node.right)
        if isinstance(first, Literal) and isinstance(second, Literal):
            if not first.size and not second.size and not (node.op == "/" and second.value == 0):
                return Literal(_folded(node.op, first.value, second.value))
            first = self._temporary(FILL, (first,))
        return ARITHMETIC[node.op], (first, second)

    def _of_power(self, node: Power) -> Root:
        return self._power(self._operand(node.base), node.exponent)

    def _of_call(self, node: Call) -> Root:
        found = tuple(self._operand(argument) for argument in node.arguments)
        if all(isinstance(argument, Literal) for argument in found):
            found = tuple(self._array(argument) for argument in found)
        return node.function, found

    def _of_broadcast(self, node: Broadcast) -> Root:
        value = self._array(self._operand(node.operand))
        # A value may be read along other axes than its own: then these are told.
        return REPEAT, (value, Literal(size=node.of)) if node.of != self._sizes[value] else (value,)

    def _power(self, base: Operand, exponent: Fraction) -> Root:
        base = self._array(base)
        if exponent == 1:
            return base
        if exponent == Fraction(1, 2):
            return "sqrt", (base,)
        if exponent.denominator != 1 or abs(exponent) > UNROLLED or exponent == 0:
            return "power", (base, Literal(exponent))
        if exponent < 0:
            return "reciprocal", (self._raised(base, -exponent),)
        half = self._raised(base, Fraction(int(exponent) // 2))
        if exponent % 2 == 0:
            return "square", (half,)
        return "multiply", (self._temporary("square", (half,)), base)

    def _raised(self, base: str, exponent: Fraction) -> str:
        """The value that holds a power."""
        root = self._power(base, exponent)
        return self._array(root) if isinstance(root, str | Literal) else self._temporary(*root)

    def _array(self, operand: Operand) -> str:
        """A value; that of a number is filled with it."""
        return operand if isinstance(operand, str) else self._temporary(FILL, (operand,))

    def _in_rows(self, name: str) -> str:
        """A value that a step reads as a whole, with all rows: one of parameters alone has none, and is copied to each."""
        value = self.resolve(name)
        if value not in self._vectors or self._statement.target in self._vectors:
            return value
        rows = self._allocator.fresh(f"{value}_rows")
        self._sizes[rows] = self._sizes[value]
        self._emit(COPY, (value,), rows)
        return rows

    def _reduce(self, node: Reduce, target: str) -> None:
        assert isinstance(node.operand, Name)
        vector = self._in_rows(node.operand.name)
        spelt = reduction(node.kind)
        # What is left may be read along another axis than it has here: then the one that it runs over is told.
        apart = bool(node.of) and without(node.of, axes_of(node.axis)) != self._sizes[target]
        given: tuple[Operand, ...] = (vector, Literal(size=node.axis)) if apart else (vector,)
        if not spelt.divides:
            self._emit(spelt.fold, given, target)
            return
        total = self._allocator.fresh(f"{self._stem(target)}_total")
        self._sizes[total] = self._sizes[target]
        self._emit(spelt.fold, given, total)
        self._emit("divide", (total, Literal(size=node.axis or self._sizes[vector])), target)

    def _emit(self, function: str, arguments: tuple[Operand, ...], target: str) -> None:
        label = self._statement.label
        self.labels.setdefault(target, label)
        self._operations.append(Operation(function, arguments, target, self._sizes[target], label))

    def _temporary(self, function: str, arguments: tuple[Operand, ...]) -> str:
        key = (function, arguments)
        if key not in self._known:
            scalar = all(isinstance(a, Literal) or self._sizes[a] == ONE for a in arguments)
            name = self._allocator.fresh(self._role(function, arguments))
            self._sizes[name] = ONE if scalar else self._size
            self._emit(function, arguments, name)
            self._known[key] = name
        return self._known[key]

    def _role(self, function: str, arguments: tuple[Operand, ...]) -> str:
        """A name that says what a temporary is, or that of its statement if that would be too long."""
        words = [
            self._stem(a) if isinstance(a, str) else _word(a) for a in arguments[: 1 if function == REPEAT else None]
        ]
        match function, words:
            case "square", [base]:
                role = f"{base}_squared"
            case _, [operand] if function == NEGATIVE:
                role = f"minus_{operand}"
            case _, [first, second] if function in _BETWEEN:
                role = f"{first}_{_BETWEEN[function]}_{second}"
            case _:
                role = "_".join([function, *words])
        fits = all(words) and len(role) <= LONGEST and not role[0].isdigit()
        return role if fits else f"{self._stem(self._statement.target)}_term"

    def _stem(self, name: str) -> str:
        return identifier(self._stems.get(name, name))


_BETWEEN = {"add": "plus", "subtract": "minus", "multiply": "times", "divide": "over"}
_WORDS = {Fraction(1): "one", Fraction(2): "two", Fraction(1, 2): "half"}


def _word(number: Literal) -> str:
    return number.size or _WORDS.get(number.value, "")


def _folded(op: str, first: Fraction, second: Fraction) -> Fraction:
    match op:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
        case _:
            return first / second
