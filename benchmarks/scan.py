"""Any cell as an array program: a scan of JAX, or a loop of PyTorch, as somebody who knows the library would write it.

Reads a `Cell` and sizes; returns Python text with two functions, ``_step`` and ``layer``, and the layout of the parameters
that they take. What depends on the input alone is computed for all steps before the loop; forms of one operand are one
product with stacked weights. Leaves out: gradients (the library's own), ragged rows, and how the text is run.

Names that the text adds begin with an underscore, which no name of a cell does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

import numpy as np

from benchmarks.dialects import JAX, Dialect
from benchmarks.problem import Array
from benchmarks.structure import Depends, dependences, depends
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.language.system import ONE, Role
from symrnn.language.text import ATOM, POWER, UNARY, strength
from symrnn.language.tree import (
    PRIME,
    Binary,
    Call,
    Constant,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    children,
    names,
    rebuild,
    transform,
    walk,
)

Term = tuple[str, Expression]
"""A sign, ``+`` or ``-``, and what it stands before."""


@dataclass(frozen=True)
class ArrayProgram:
    """The text, and the parameters that it takes: stacks of transposed matrices, and vectors under their own names.

    Attributes:
        text: a Python module.
        stacks: name of a stack to its matrices side by side; True for one that the equations transpose.
        vectors: the parameters that are no matrices.
    """

    text: str
    stacks: Mapping[str, tuple[tuple[str, bool], ...]]
    vectors: tuple[str, ...]

    def pack(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Parameters by the cell's names, in the program's layout: a vector times a stack is every form of it."""
        packed = {name: params[name] for name in self.vectors}
        for stack, members in self.stacks.items():
            parts = [params[matrix] if transposed else params[matrix].T for matrix, transposed in members]
            packed[stack] = np.ascontiguousarray(np.concatenate(parts, axis=1))
        return packed

    def unpack(self, packed: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        """Gradients in the program's layout, by the cell's names; those of a matrix that stands in several stacks add up."""
        found = {name: np.asarray(packed[name]) for name in self.vectors}
        for stack, members in self.stacks.items():
            widths = [shapes[matrix][transposed] for matrix, transposed in members]
            edges = np.cumsum([0, *widths])
            for (matrix, transposed), (start, stop) in zip(members, pairwise(edges), strict=True):
                part = np.asarray(packed[stack])[:, start:stop]
                found[matrix] = found.get(matrix, 0) + (part if transposed else part.T)
        return found


@dataclass
class _Plan:
    """What is computed where.

    Attributes:
        before: statements ahead of the loop: what depends on parameters and input.
        loop: statements of a step.
        hoisted: names of values over all steps that a step reads.
        sums: a hoisted value and a form whose sum shares an accumulator, by the accumulator's name.
    """

    before: list[tuple[str, Expression]] = field(default_factory=list)
    loop: list[tuple[str, Expression]] = field(default_factory=list)
    sums: dict[str, tuple[str, MatVec]] = field(default_factory=dict)


def array_program(cell: Cell, sizes: Mapping[str, int], dialect: Dialect = JAX, *, shared_sums: bool = True) -> ArrayProgram:
    """The program of ``cell``.

    Args:
        cell: any.
        sizes: a number for every size name.
        dialect: of which library.
        shared_sums: whether hoisted values are stacked as the products they are added to, and added at once; else every
            hoisted value is an array of its own.
    """
    plan = _Planner(cell, sizes, shared_sums).plan()
    return _Writer(cell, sizes, dialect, plan).program()


class _Planner:
    """Splits the normalised step into what can be computed for all steps at once, and the rest."""

    def __init__(self, cell: Cell, sizes: Mapping[str, int], shared_sums: bool) -> None:
        self._cell, self._sizes, self._shared = cell, sizes, shared_sums
        self._known = dependences(cell)
        self._plan = _Plan()

    def plan(self) -> _Plan:
        for equation in self._cell.normal.equations:
            if self._known[equation.target] is Depends.STATE or equation.target.endswith(PRIME):
                self._plan.loop.append((equation.target, self._lifted(equation.expression)))
            else:
                self._plan.before.append((equation.target, equation.expression))
        if self._shared:
            self._share()
        return self._plan

    def _lifted(self, node: Expression) -> Expression:
        """``node`` with what depends on the input alone named and computed before the loop."""
        if isinstance(node, Name) or not children(node):
            return node
        kind = depends(node, self._known)
        if kind is Depends.INPUT:
            return self._hoist(node)
        if _is_sum(node):
            return self._lifted_sum(list(_terms(node)))
        return rebuild(node, tuple(self._lifted(part) for part in children(node)))

    def _lifted_sum(self, terms: list[Term]) -> Expression:
        apart = [depends(term, self._known) is not Depends.STATE for _, term in terms]
        early = [term for term, is_early in zip(terms, apart, strict=True) if is_early]
        late = [(s, self._lifted(t)) for (s, t), is_early in zip(terms, apart, strict=True) if not is_early]
        if all(depends(term, self._known) is Depends.PARAMETERS for _, term in early):
            return _joined([*late, *early])
        return _joined([("+", self._hoist(_joined(early))), *late])

    def _hoist(self, node: Expression) -> Name:
        if isinstance(node, Name):
            return node
        name = f"_hoisted_{sum(target.startswith('_hoisted') for target, _ in self._plan.before) + 1}"
        self._plan.before.append((name, node))
        self._known[name] = Depends.INPUT
        return Name(name)

    def _share(self) -> None:
        """Pair each hoisted value with a form that it is added to."""
        counts = Counter(n for _, e in self._plan.loop for n in walk(e) if isinstance(n, MatVec))
        widths = {target: self._width(e) for target, e in self._plan.before if target.startswith("_hoisted")}
        for index, (target, expression) in enumerate(self._plan.loop):
            for node in [n for n in walk(expression) if _is_sum(n)]:
                terms = list(_terms(node))
                hoisted = next((t for s, t in terms if s == "+" and isinstance(t, Name) and t.name in widths), None)
                form = next((t for s, t in terms if s == "+" and isinstance(t, MatVec) and counts[t] == 1), None)
                if hoisted is None or form is None or widths[hoisted.name] != self._width(form):
                    continue
                name = f"_sum_{len(self._plan.sums) + 1}"
                self._plan.sums[name] = (hoisted.name, form)
                rest = [("+", Name(name)), *((s, t) for s, t in terms if t not in (hoisted, form))]
                expression = _replaced(expression, node, _joined(rest))
                counts[form] = 0
            self._plan.loop[index] = (target, expression)

    def _width(self, node: Expression) -> int:
        normal = self._cell.normal
        found = 1
        match node:
            case MatVec(matrix, transposed, _):
                return self._sizes[normal.by_name[matrix].shape[1 if transposed else 0]]
            case Reduce():
                return 1
            case Name(name):
                return self._sizes[normal.size(name)] if name in normal.by_name else 1
            case _:
                return max((self._width(part) for part in children(node)), default=found)


class _Writer:
    """Prints a plan."""

    def __init__(self, cell: Cell, sizes: Mapping[str, int], dialect: Dialect, plan: _Plan) -> None:
        self._cell, self._sizes, self._dialect, self._plan = cell, sizes, dialect, plan
        self._normal = cell.normal
        self._stacks: dict[str, tuple[tuple[str, bool], ...]] = {}
        self._forms: dict[MatVec, str] = {}

    def program(self) -> ArrayProgram:
        before = list(self._before())
        paired = self._paired_groups()
        grouped = list(self._grouped(paired))
        loop = list(self._loop(paired))
        over_time = self._over_time(paired)
        constant = self._constant()
        vectors = tuple(v.name for v in self._normal.of_role(Role.PARAMETER) if len(v.shape) == 1)
        states = tuple(self._cell.states)
        (given,) = self._normal.of_role(Role.INPUT)
        text = self._dialect.module(
            vectors=vectors,
            constant=constant,
            before=[*before, *grouped],
            over_time=over_time or (given.name,),
            loop=loop,
            states=states,
            following=tuple(_word(state + PRIME) for state in states),
            output=_word(self._cell.output + PRIME),
            given=given.name,
        )
        return ArrayProgram(text, self._stacks, vectors)

    def _before(self) -> Iterator[str]:
        (given,) = self._normal.of_role(Role.INPUT)
        sources = [(name, e) for name, e in self._plan.before]
        parameters = [v.name for v in self._normal.of_role(Role.PARAMETER) if len(v.shape) == 1]
        for name in (given.name, *parameters):
            yield from self._products(name, [e for _, e in sources])
        for name, expression in sources:
            if not self._is_grouped(name):
                yield f"{_word(name)} = {self._text(expression)}"
                yield from self._products(name, [e for _, e in sources])

    def _is_grouped(self, name: str) -> bool:
        return any(hoisted == name for hoisted, _ in self._plan.sums.values())

    def _products(self, operand: str, expressions: list[Expression], first: tuple[MatVec, ...] = ()) -> Iterator[str]:
        """The stacked product of everything that multiplies ``operand``, and its parts by name; ``first`` stand first."""
        found = dict.fromkeys(n for e in expressions for n in walk(e) if isinstance(n, MatVec) and n.operand == Name(operand))
        members = [*first, *(form for form in found if form not in first and form not in self._forms)]
        if not members:
            return
        stack = f"_of_{_word(operand)}" + ("_early" if f"_of_{_word(operand)}" in self._stacks else "")
        self._stacks[stack] = tuple((form.matrix, form.transposed) for form in members)
        yield f'{stack} = {_word(operand)} @ _p["{stack}"]'
        start = 0
        for form in members:
            stop = start + self._rows(form)
            if form not in first:
                name = f"_{form.matrix}{'_transposed' if form.transposed else ''}_{_word(operand)}"
                self._forms[form] = name
                yield f"{name} = {stack}[..., {start}:{stop}]"
            start = stop

    def _rows(self, form: MatVec) -> int:
        return self._sizes[self._normal.by_name[form.matrix].shape[1 if form.transposed else 0]]

    def _paired_groups(self) -> dict[str, list[tuple[str, str, MatVec]]]:
        """Accumulators by the operand of their forms: accumulator, hoisted value, form."""
        found: dict[str, list[tuple[str, str, MatVec]]] = {}
        for name, (hoisted, form) in self._plan.sums.items():
            assert isinstance(form.operand, Name)
            found.setdefault(form.operand.name, []).append((name, hoisted, form))
        return found

    def _grouped(self, paired: Mapping[str, list[tuple[str, str, MatVec]]]) -> Iterator[str]:
        """Hoisted values side by side, as the products they are added to; a plain product plus biases where it is one."""
        expressions = dict(self._plan.before)
        for operand, group in paired.items():
            parts = [expressions[hoisted] for _, hoisted, _ in group]
            plain = self._plain(parts)
            if plain is None:
                text = self._dialect.concatenate([self._text(part) for part in parts])
            else:
                text = plain
            yield f"_early_{_word(operand)} = {text}"

    def _plain(self, parts: list[Expression]) -> str | None:
        """``stack[a:b] + biases`` where the parts are neighbours in one stack, each plus a bias; else None."""
        biases, at, stacks = [], [], set()
        for part in parts:
            terms = list(_terms(part))
            forms = [t for s, t in terms if s == "+" and isinstance(t, MatVec)]
            rest = [(s, t) for s, t in terms if not isinstance(t, MatVec)]
            if len(forms) != 1 or len(rest) != len(terms) - 1 or any(not self._is_bias(t) for _, t in rest):
                return None
            stack, start = self._position(forms[0])
            stacks.add(stack)
            at.append((start, start + self._rows(forms[0])))
            biases.append(self._text(_joined(rest)) if rest else "")
        if len(stacks) != 1 or any(left[1] != right[0] for left, right in pairwise(at)):
            return None
        (stack,) = stacks
        product = f"{stack}[..., {at[0][0]}:{at[-1][1]}]"
        if not all(biases):
            return product if not any(biases) else None
        return f"{product} + {self._dialect.concatenate(biases)}"

    def _is_bias(self, term: Expression) -> bool:
        variable = self._normal.by_name.get(term.name) if isinstance(term, Name) else None
        return variable is not None and variable.role is Role.PARAMETER and variable.shape != (ONE,)

    def _position(self, form: MatVec) -> tuple[str, int]:
        for stack, members in self._stacks.items():
            if (form.matrix, form.transposed) in members and self._forms.get(form):
                before = members[: members.index((form.matrix, form.transposed))]
                return stack, sum(self._rows(MatVec(m, t, form.operand)) for m, t in before)
        raise GenerateError(f"array program: {form.matrix} stands in no stack (a fault of the benchmarks)")

    def _over_time(self, paired: Mapping[str, object]) -> tuple[str, ...]:
        """Arrays over all steps that a step reads."""
        known = {name for name, _ in self._plan.before}
        read = [n for _, e in self._plan.loop for n in names(e)]
        given = [v.name for v in self._normal.of_role(Role.INPUT)]
        early = [n for n in dict.fromkeys(read) if (n in known and self._varies(n)) or n in given]
        return (*(f"_early_{_word(operand)}" for operand in paired), *(_word(name) for name in early))

    def _varies(self, name: str) -> bool:
        return name.startswith("_hoisted") or dependences(self._cell)[name] is Depends.INPUT

    def _constant(self) -> tuple[str, ...]:
        """Values of parameters alone that a step reads."""
        known = {name for name, _ in self._plan.before}
        read = dict.fromkeys(n for _, e in self._plan.loop for n in names(e))
        return tuple(_word(name) for name in read if name in known and not self._varies(name))

    def _loop(self, paired: Mapping[str, list[tuple[str, str, MatVec]]]) -> Iterator[str]:
        expressions = [e for _, e in self._plan.loop]
        for state in self._cell.states:
            yield from self._step_products(state, expressions, paired)
        for name in self._over_time({}):
            yield from self._step_products(name, expressions, paired)
        for target, expression in self._plan.loop:
            text = self._text(expression)
            if target.endswith(PRIME) and self._sizes[self._normal.size(target)] != self._width_of(expression):
                text = self._dialect.broadcast(text, _word(target[:-1]))
            yield f"{_word(target)} = {text}"
            yield from self._step_products(target, expressions, paired)

    def _width_of(self, expression: Expression) -> int:
        """Units of a right side; sums of the plan count as what they are."""
        plain = transform(
            expression,
            lambda n: self._plan.sums[n.name][1] if isinstance(n, Name) and n.name in self._plan.sums else n,
        )
        sizes = {name: self._sizes[self._normal.size(name)] for name in names(plain) if len(self._shape(name)) == 1}
        return _width(plain, sizes, self._rows)

    def _shape(self, name: str) -> tuple[str, ...]:
        return self._normal.by_name[name].shape if name in self._normal.by_name else ("hidden", "hidden")

    def _step_products(
        self, operand: str, expressions: list[Expression], paired: Mapping[str, list[tuple[str, str, MatVec]]]
    ) -> Iterator[str]:
        group = paired.get(operand, [])
        first = tuple(form for _, _, form in group)
        yield from self._products(operand, expressions, first)
        if not group:
            return
        width = sum(self._rows(form) for form in first)
        stack = next(s for s, members in self._stacks.items() if members[: len(first)] == tuple((f.matrix, f.transposed) for f in first) and s.startswith(f"_of_{_word(operand)}"))
        all_of_it = width == sum(self._rows(MatVec(m, t, Name(operand))) for m, t in self._stacks[stack])
        yield f"_sums_{_word(operand)} = _early_{_word(operand)} + {stack}{'' if all_of_it else f'[..., :{width}]'}"
        start = 0
        for name, _, form in group:
            stop = start + self._rows(form)
            yield f"{name} = _sums_{_word(operand)}[..., {start}:{stop}]"
            start = stop

    def _text(self, node: Expression) -> str:
        match node:
            case Number(value, _) | Constant(_, value, _):
                return str(value.numerator) if value.denominator == 1 and abs(value) < 10**6 else repr(float(value))
            case Name(name):
                return _word(name)
            case MatVec():
                return self._forms[node]
            case Negate(operand):
                return f"-{self._wrapped(operand, ATOM)}"
            case Binary(op, left, right):
                level = strength(node)
                return f"{self._wrapped(left, level)} {op} {self._wrapped(right, level + (op in '-/'))}"
            case Power(base, exponent):
                number = str(exponent.numerator) if exponent.denominator == 1 else repr(float(exponent))
                return f"{self._wrapped(base, POWER + 1)} ** {f'({number})' if exponent < 0 else number}"
            case Call(function, arguments):
                return self._dialect.call(function, [self._text(argument) for argument in arguments])
            case Reduce(kind, operand):
                return self._dialect.reduce(kind, self._text(operand))
            case _:
                raise GenerateError(f"array program: {type(node).__name__} stands in no cell that an author writes")

    def _wrapped(self, node: Expression, least: int) -> str:
        atomic = isinstance(node, MatVec)
        return self._text(node) if atomic or strength(node) >= least else f"({self._text(node)})"


def _width(node: Expression, sizes: Mapping[str, int], rows: Callable[[MatVec], int]) -> int:
    match node:
        case MatVec():
            return rows(node)
        case Reduce():
            return 1
        case Name(name):
            return sizes.get(name, 0) or max(sizes.values(), default=1)
        case _:
            return max((_width(part, sizes, rows) for part in children(node)), default=1)


def _word(name: str) -> str:
    """The identifier of a value; a primed name gets an ending that no name of a cell has with this beginning."""
    return f"_{name[:-1]}_next" if name.endswith(PRIME) else name


def _is_sum(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in "+-"


def _terms(node: Expression, sign: str = "+") -> Iterator[Term]:
    """The terms of a sum, with their signs."""
    flipped = {"+": "-", "-": "+"}
    match node:
        case Binary("+", left, right):
            yield from _terms(left, sign)
            yield from _terms(right, sign)
        case Binary("-", left, right):
            yield from _terms(left, sign)
            yield from _terms(right, flipped[sign])
        case Negate(operand):
            yield from _terms(operand, flipped[sign])
        case _:
            yield sign, node


def _joined(terms: list[Term]) -> Expression:
    """The sum of terms, one with a plus first where there is one."""
    ordered = sorted(terms, key=lambda term: term[0] == "-")
    (sign, first), *others = ordered
    start = first if sign == "+" else Negate(first)
    return reduce(lambda total, term: Binary(term[0], total, term[1]), others, start)


def _replaced(node: Expression, old: Expression, new: Expression) -> Expression:
    return transform(node, lambda part: new if part == old else part)


assert UNARY < ATOM
