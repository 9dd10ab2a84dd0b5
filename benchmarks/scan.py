"""Any cell as an array program: a scan of JAX, or a loop of PyTorch, as an expert of the library would write it.

Reads a `Cell` and sizes; returns Python text with two functions, ``_step`` and ``layer``, and the layout of the parameters
that they take. What depends on the input alone is computed for all steps before the loop; forms of one operand are one
product with stacked weights. Leaves out: gradients (the library's own), ragged rows, and how the text is run.

Names that the text adds begin with an underscore, which no name of a cell does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.dialects import JAX, Dialect
from benchmarks.hoisting import Hoisting, hoist, terms, width
from benchmarks.matrix_products import Depends, dependences
from benchmarks.workload import Array
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.language.system import ONE, Role
from symrnn.language.text import ATOM, POWER, strength
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
    VectorCall,
    names,
    transform,
    walk,
)


@dataclass(frozen=True)
class ArrayProgram:
    """The text, and the parameters that it takes: stacks of transposed matrices, and vectors under their own names.

    Attributes:
        text: a Python module.
        stacks: name of a stack to its matrices side by side; True for one that the equations transpose.
        vectors: the parameters that are not matrices.
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


def array_program(
    cell: Cell, sizes: Mapping[str, int], dialect: Dialect = JAX, *, shared_sums: bool = True
) -> ArrayProgram:
    """The program of ``cell``.

    Args:
        cell: any.
        sizes: a number for every size name.
        dialect: of which library.
        shared_sums: whether hoisted values are stacked as the products they are added to, and added at once; else every
            hoisted value is an array of its own.
    """
    return _Writer(cell, sizes, dialect, hoist(cell, sizes, shared_sums=shared_sums)).program()


Paired = Mapping[str, list[tuple[str, str, MatVec]]]
"""By operand: the name of a sum, the hoisted value, and the operand's form that is added to it."""


class _Writer:
    """Prints a split step."""

    def __init__(self, cell: Cell, sizes: Mapping[str, int], dialect: Dialect, hoisting: Hoisting) -> None:
        self._cell, self._sizes, self._dialect, self._hoisting = cell, sizes, dialect, hoisting
        self._early = dict(hoisting.before)
        self._known = dependences(cell) | dict.fromkeys(hoisting.names, Depends.INPUT)
        self._vectors = tuple(v.name for v in cell.normal.of_role(Role.PARAMETER) if len(v.shape) == 1)
        (given,) = cell.normal.of_role(Role.INPUT)
        self._given = given.name
        self._stacks: dict[str, tuple[MatVec, ...]] = {}
        self._forms: dict[MatVec, str] = {}

    def program(self) -> ArrayProgram:
        paired: dict[str, list[tuple[str, str, MatVec]]] = {}
        for name, (hoisted, form) in self._hoisting.sums.items():
            paired.setdefault(_operand(form), []).append((name, hoisted, form))
        before = [*self._before(), *self._side_by_side(paired)]
        over_time = self._read_by_steps(Depends.INPUT)
        loop = list(self._loop(paired, over_time))
        text = self._dialect.module(
            vectors=self._vectors,
            constant=[_word(name) for name in self._read_by_steps(Depends.PARAMETERS)],
            before=before,
            over_time=[*map(_group, paired), *map(_word, over_time)] or [self._given],
            loop=loop,
            states=self._cell.states,
            following=[_word(state + PRIME) for state in self._cell.states],
            output=_word(self._cell.output_values[0]),
            given=self._given,
        )
        stacks = {name: tuple((f.matrix, f.transposed) for f in members) for name, members in self._stacks.items()}
        return ArrayProgram(text, stacks, self._vectors)

    def _before(self) -> Iterator[str]:
        """Statements ahead of the loop, except values that are joined side by side."""
        expressions = list(self._early.values())
        grouped = {hoisted for hoisted, _ in self._hoisting.sums.values()}
        for name in (self._given, *self._vectors):
            yield from self._products(name, expressions)
        for name, expression in self._early.items():
            if name not in grouped:
                yield f"{_word(name)} = {self._text(expression)}"
                yield from self._products(name, expressions)

    def _side_by_side(self, paired: Paired) -> Iterator[str]:
        """Hoisted values that are added to products of one operand, as one array."""
        for operand, group in paired.items():
            parts = [self._early[hoisted] for _, hoisted, _ in group]
            text = self._plain(parts) or self._dialect.concatenate([self._text(part) for part in parts])
            yield f"{_group(operand)} = {text}"

    def _plain(self, parts: Sequence[Expression]) -> str:
        """``stack[a:b] + biases`` where the parts are neighbours in one stack, all with a bias or none; else empty."""
        split = [self._form_and_bias(part) for part in parts]
        if any(form is None for form, _ in split) or len({bool(bias) for _, bias in split}) != 1:
            return ""
        forms = tuple(form for form, _ in split if form is not None)
        for stack, members in self._stacks.items():
            if forms[0] in members and members[members.index(forms[0]) :][: len(forms)] == forms:
                start = self._total(members[: members.index(forms[0])])
                product = f"{stack}[..., {start}:{start + self._total(forms)}]"
                biases = [bias for _, bias in split if bias]
                return f"{product} + {self._dialect.concatenate(biases)}" if biases else product
        return ""

    def _form_and_bias(self, part: Expression) -> tuple[MatVec | None, str]:
        """A sum of one form and at most one bias; None for anything else."""
        normal = self._cell.normal
        forms = [t for sign, t in terms(part) if sign == "+" and isinstance(t, MatVec)]
        biases = [t for sign, t in terms(part) if sign == "+" and isinstance(t, Name) and t.name in self._vectors]
        plain = len(forms) == 1 and len(biases) <= 1 and len(forms) + len(biases) == len(list(terms(part)))
        if not plain or any(normal.by_name[bias.name].shape == (ONE,) for bias in biases):
            return None, ""
        return forms[0], biases[0].name if biases else ""

    def _read_by_steps(self, kind: Depends) -> list[str]:
        """Values of a kind that are computed or given before the loop, and that steps read."""
        read = dict.fromkeys(name for _, expression in self._hoisting.loop for name in names(expression))
        return [n for n in read if (n in self._early or n == self._given) and self._known[n] is kind]

    def _loop(self, paired: Paired, over_time: Sequence[str]) -> Iterator[str]:
        """The statements of a step: each product as soon as its operand is known."""
        expressions = [expression for _, expression in self._hoisting.loop]
        for name in (*self._cell.states, *over_time):
            yield from self._step_products(name, expressions, paired)
        for target, expression in self._hoisting.loop:
            text = self._text(expression)
            if target.endswith(PRIME) and self._is_narrow(target, expression):
                text = self._dialect.broadcast(text, _word(target[:-1]))
            yield f"{_word(target)} = {text}"
            yield from self._step_products(target, expressions, paired)

    def _is_narrow(self, target: str, expression: Expression) -> bool:
        """Whether a right side of size 1 is broadcast to every unit of a state."""
        inside = {**self._early, **{name: form for name, (_, form) in self._hoisting.sums.items()}}
        whole = transform(expression, lambda n: inside[n.name] if isinstance(n, Name) and n.name in inside else n)
        return width(whole, self._cell, self._sizes) < self._sizes[self._cell.normal.size(target)]

    def _step_products(self, operand: str, expressions: Sequence[Expression], paired: Paired) -> Iterator[str]:
        """The product of an operand, and the sums that begin with it."""
        group = paired.get(operand, [])
        first = tuple(form for _, _, form in group)
        yield from self._products(operand, expressions, first)
        if not group:
            return
        (stack, members), total = list(self._stacks.items())[-1], self._total(first)
        part = "" if len(members) == len(first) else f"[..., :{total}]"
        sums, start = f"_sums_{_word(operand)}", 0
        yield f"{sums} = {_group(operand)} + {stack}{part}"
        for name, _, form in group:
            yield f"{name} = {sums}[..., {start}:{start + self._total([form])}]"
            start += self._total([form])

    def _products(
        self, operand: str, expressions: Sequence[Expression], first: tuple[MatVec, ...] = ()
    ) -> Iterator[str]:
        """The product of ``operand`` with all its matrices side by side, and its parts; ``first`` stand first, unnamed."""
        forms = dict.fromkeys(
            n for e in expressions for n in walk(e) if isinstance(n, MatVec) and _operand(n) == operand
        )
        members = (*first, *(form for form in forms if form not in first and form not in self._forms))
        if not members:
            return
        stack = f"_of_{_word(operand)}"
        stack += "_too" if stack in self._stacks else ""
        self._stacks[stack] = members
        yield f'{stack} = {_word(operand)} @ _p["{stack}"]'
        start = self._total(first)
        for form in members[len(first) :]:
            name = f"_{form.matrix}{'_transposed' if form.transposed else ''}_{_word(operand)}"
            self._forms[form] = name
            yield f"{name} = {stack}[..., {start}:{start + self._total([form])}]"
            start += self._total([form])

    def _total(self, forms: Sequence[MatVec]) -> int:
        return sum(width(form, self._cell, self._sizes) for form in forms)

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
            case VectorCall(kind, operand):
                return self._dialect.vector(kind, self._text(operand))
            case _:
                raise GenerateError(f"array program: {type(node).__name__} cannot occur in a cell file")

    def _wrapped(self, node: Expression, least: int) -> str:
        atomic = isinstance(node, MatVec)
        return self._text(node) if atomic or strength(node) >= least else f"({self._text(node)})"


def _operand(form: MatVec) -> str:
    """The name that a form of the normalised step multiplies."""
    assert isinstance(form.operand, Name)
    return form.operand.name


def _group(operand: str) -> str:
    """The array of hoisted values that are added to products of ``operand``."""
    return f"_early_{_word(operand)}"


def _word(name: str) -> str:
    """The identifier of a value; a primed name gets an ending that makes it unique."""
    return f"_{name[:-1]}_next" if name.endswith(PRIME) else name
