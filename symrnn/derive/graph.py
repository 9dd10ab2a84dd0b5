r"""The computation graph of a step or of its adjoint, as a lecturer would draw it.

Reads a normal `System` and the names that count as given (parameters; for an adjoint, the tape too); returns a `Graph`.
A sum of linear forms is one node, as in the figures of papers, and what is given stands inside the node that it enters.
Leaves out: where nodes stand and how they look (`symrnn.report`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from symrnn.language.fold import Fold
from symrnn.language.functions import FUNCTIONS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import HIDDEN, Equation, System
from symrnn.language.tree import (
    MATRICES,
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
    rebuild,
    walk,
)
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import Latex
from symrnn.language.vectors import VECTORS


class NodeKind(StrEnum):
    """What a node does."""

    SOURCE = "source"  # a value that the step is given
    SINK = "sink"  # a value that the step hands on
    MATRIX = "matrix"  # a sum of linear forms
    FUNCTION = "function"  # a function of the table
    PRODUCT = "product"  # of two values or more
    SUM = "sum"  # of two values or more
    OTHER = "other"  # arithmetic of one value with what is given; a quotient
    REDUCTION = "reduction"  # over the units


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        name: unique; its place among the nodes in text.
        kind: what it does.
        latex: the text inside it.
        labels: of the equations that it belongs to.
        says: the equation or value in LaTeX, shown when a reader points at it.
        value: the name that the system gives to it, where it has one.
        note: that name in LaTeX, where it is not in the node itself.
    """

    name: str
    kind: NodeKind
    latex: str
    labels: tuple[str, ...]
    says: str
    value: str = ""
    note: str = ""


@dataclass(frozen=True)
class Edge:
    """From one node to another; ``minus`` where the value is subtracted, ``direct`` on a path that no matrix crosses."""

    start: str
    end: str
    minus: bool = False
    direct: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of computation, and edges.

    Attributes:
        nodes: sources first, sinks last.
        edges: each pair of nodes once.
        lanes: for each value that is carried through directly, the nodes of its shortest direct path.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    lanes: tuple[tuple[str, ...], ...]


def graph(
    system: System,
    given: Collection[str],
    carried: Sequence[tuple[str, str]],
    notation: Notation,
    outputs: Sequence[str],
) -> Graph:
    """The graph of ``system``.

    Args:
        system: normal.
        given: names that are no nodes: parameters, and what an adjoint reads of the step.
        carried: (value before, value after) of every state, in the order in which the step runs.
        notation: how names are written.
        outputs: what the step hands on; equations that lead to none of them are left out.
    """
    wanted = _needed(system, outputs, given)
    build = _Build(notation, given)
    for name in (name for name in system.inputs if name in wanted and name not in given):
        build.source(name)
    for equation in system.equations:
        if equation.target in wanted and not isinstance(equation.expression, Outer):
            build.equation(equation)
    for name in outputs:
        build.sink(name, system.definition.get(name))
    return _marked(build, carried)


def _needed(system: System, outputs: Sequence[str], given: Collection[str]) -> set[str]:
    found = {name for name in outputs if name not in given}
    for equation in reversed(system.equations):
        if equation.target in found:
            found.update(name for name in names(equation.expression) if name not in given)
    return found


_HOLE = Name("·")
"""Stands for a node's one value where its text is written."""


class _Build(Fold[str], refuses=(Number, Constant, Outer, SizeOf, *MATRICES)):
    """Nodes and edges, equation by equation. The value of an expression that reads something is the node that holds it."""

    def __init__(self, notation: Notation, given: Collection[str]) -> None:
        self.nodes: list[Node] = []
        self.edges: dict[tuple[str, str], Edge] = {}
        self.of: dict[str, str] = {}
        self._given = set(given)
        self._notation = notation
        self._holed = Notation(
            {**notation.names, _HOLE.name: Latex(r"\cdot")}, {**notation.shapes, _HOLE.name: (HIDDEN,)}, notation.parts
        )
        self._label: tuple[str, ...] = ()
        self._says = ""

    def source(self, name: str) -> None:
        """A value that the system is given."""
        text = self._notation.name(name)
        self.of[name] = self._add(NodeKind.SOURCE, text, (), says=text, value=name)

    def equation(self, equation: Equation) -> None:
        """The nodes of one equation; the last of them holds its value."""
        self._label = (equation.label,)
        self._says = self._notation.equation(equation.target, equation.expression)
        if not self._reads(equation.expression):
            self._given.add(equation.target)
            return
        found = self(equation.expression)
        self.of[equation.target] = found
        index = int(found)
        if not self.nodes[index].value:
            note = "" if equation.target in self._notation.parts else self._notation.names[equation.target]
            self.nodes[index] = replace(self.nodes[index], value=equation.target, note=note)

    def sink(self, name: str, equation: Equation | None) -> None:
        """A value that the system hands on."""
        if name not in self.of:
            return
        text = self._notation.names[name]
        labels = (equation.label,) if equation else ()
        self._join([self.of[name]], self._add(NodeKind.SINK, text, labels, says=text, value=name))

    def _add(self, kind: NodeKind, latex: str, labels: tuple[str, ...], *, says: str, value: str = "") -> str:
        name = str(len(self.nodes))
        self.nodes.append(Node(name, kind, latex, labels, says, value))
        return name

    def _node(self, kind: NodeKind, latex: str, starts: Sequence[str], minus: Collection[int] = ()) -> str:
        name = self._add(kind, latex, self._label, says=self._says)
        self._join(starts, name, minus)
        return name

    def _join(self, starts: Sequence[str], end: str, minus: Collection[int] = ()) -> None:
        for index, start in enumerate(starts):
            self.edges.setdefault((start, end), Edge(start, end, index in minus))

    def _reads(self, node: Expression) -> bool:
        """Whether anything that is not given enters ``node``."""
        return not self._given.issuperset(names(node))

    def _is_fixed(self, node: Expression) -> bool:
        return all(part.name in self._given for part in walk(node) if isinstance(part, Name))

    def _refusal(self, node: Expression) -> Exception:
        return AssertionError(f"{type(node).__name__} computes nothing in a step")

    def _of_name(self, node: Name) -> str:
        return self.of[node.name]

    def _of_negate(self, node: Negate) -> str:
        return self._node(NodeKind.OTHER, "-", [self(node.operand)])

    def _of_binary(self, node: Binary) -> str:
        if node.op == "*":
            return self._product(node)
        return self._quotient(node.left, node.right) if node.op == "/" else self._sum(node)

    def _of_form(self, node: MatVec) -> str:
        return self._sum(node)

    def _of_power(self, node: Power) -> str:
        return self._node(NodeKind.OTHER, self._holed(rebuild(node, (_HOLE,))), [self(node.base)])

    def _of_call(self, node: Call) -> str:
        return self._call(node)

    def _of_reduction(self, node: Reduce) -> str:
        return self._node(NodeKind.REDUCTION, REDUCTIONS[node.kind].latex, [self(node.operand)])

    def _of_vector(self, node: VectorCall) -> str:
        row = VECTORS[node.kind]
        # Of a diagonal and more: among its paths is one from each unit to the same unit alone, as through a function.
        return self._node(NodeKind.FUNCTION if row.weights else NodeKind.REDUCTION, row.latex, [self(node.operand)])

    def _of_broadcast(self, node: Broadcast) -> str:
        return self(node.operand)

    def _call(self, node: Call) -> str:
        function, arguments = node.function, node.arguments
        moving = [argument for argument in node.shown if not self._is_fixed(argument)]
        written = FUNCTIONS[function].latex
        text: str
        if node.written:
            text = self._holed(rebuild(node, tuple(_HOLE for _ in arguments)))
        elif len(arguments) == 1:
            text = written.operator if written.is_plain else self._holed(Call(function, (_HOLE,)))
        elif len(moving) == 1:
            text = self._holed(Call(function, tuple(a if self._is_fixed(a) else _HOLE for a in arguments)))
        else:
            text = self._holed(Call(function, (_HOLE,) * len(arguments)))
        return self._node(NodeKind.FUNCTION, text, [self(argument) for argument in moving])

    def _sum(self, node: Expression) -> str:
        """A sum: its linear forms, with what is given, in one node; that node and the other summands in another."""
        terms = list(_summands(node))
        forms = [(minus, term) for minus, term in terms if isinstance(term, MatVec) and not self._is_fixed(term)]
        fixed = [(minus, term) for minus, term in terms if self._is_fixed(term)]
        moving = [(minus, term) for minus, term in terms if not isinstance(term, MatVec) and not self._is_fixed(term)]
        values = []
        if forms:
            whole = _summed([*forms, *fixed])
            linear = [term for _, term in forms if isinstance(term, MatVec)]
            matrices = _shortened([self._notation.matrix(term.matrix, term.transposed) for term in linear])
            starts = [self(term.operand) for term in linear]
            self._says, held = self._notation(whole), self._says
            values.append((False, self._node(NodeKind.MATRIX, matrices, list(dict.fromkeys(starts)))))
            self._says = held
            fixed = []
        values += [(minus, self(term)) for minus, term in moving]
        if len(values) == 1:
            return self._one_summand(*values[0], fixed)
        text = "+" if not fixed else "+" + self._notation(_summed(fixed))
        minus = {index for index, (negative, _) in enumerate(values) if negative}
        if minus and len(values) == 2 and minus == {1} and not fixed:
            text = "-"
        return self._node(NodeKind.SUM, text, [value for _, value in values], minus)

    def _one_summand(self, minus: bool, value: str, fixed: Sequence[tuple[bool, Expression]]) -> str:
        """A sum of one value and what is given."""
        if fixed and minus:
            return self._node(NodeKind.OTHER, self._holed(_summed([*fixed, (True, _HOLE)])), [value])
        if fixed:
            signs = ("-" if negative else "+" for negative, _ in fixed)
            text = " ".join(self._notation.behind(sign, term) for sign, (_, term) in zip(signs, fixed, strict=True))
            return self._node(NodeKind.OTHER, text, [value])
        return self._node(NodeKind.OTHER, "-", [value]) if minus else value

    def _product(self, node: Expression) -> str:
        factors = list(_factors(node))
        fixed = [factor for factor in factors if self._is_fixed(factor)]
        moving = [self(factor) for factor in factors if not self._is_fixed(factor)]
        given = _multiplied(fixed) if fixed else None
        if len(moving) == 1:
            assert given is not None
            return self._node(NodeKind.OTHER, self._notation.times(given), moving)
        text = r"\odot" if given is None else self._notation.times(given) + r" \, \odot"
        return self._node(NodeKind.PRODUCT, text, moving)

    def _quotient(self, above: Expression, below: Expression) -> str:
        if self._is_fixed(below):
            text = self._holed(Binary("/", _HOLE, below))
            return self._node(NodeKind.OTHER, text, [self(above)])
        if self._is_fixed(above):
            return self._node(NodeKind.OTHER, self._holed(Binary("/", above, _HOLE)), [self(below)])
        return self._node(NodeKind.OTHER, "/", [self(above), self(below)])


def _shortened(matrices: Sequence[str]) -> str:
    """The matrices of a sum of linear forms; of many, the first and the last."""
    each = [*dict.fromkeys(matrices)]
    return ", ".join(each if len(each) < 3 else [each[0], r"\dots", each[-1]])


def _summands(node: Expression, minus: bool = False) -> Iterator[tuple[bool, Expression]]:
    match node:
        case Binary("+", left, right):
            yield from _summands(left, minus)
            yield from _summands(right, minus)
        case Binary("-", left, right):
            yield from _summands(left, minus)
            yield from _summands(right, not minus)
        case Negate(operand):
            yield from _summands(operand, not minus)
        case _:
            yield minus, node


def _summed(terms: Sequence[tuple[bool, Expression]]) -> Expression:
    (minus, first), *rest = terms
    whole: Expression = Negate(first) if minus else first
    for negative, term in rest:
        whole = Binary("-" if negative else "+", whole, term)
    return whole


def _factors(node: Expression) -> Iterator[Expression]:
    if isinstance(node, Binary) and node.op == "*":
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node


def _multiplied(factors: Sequence[Expression]) -> Expression:
    whole, *rest = factors
    for factor in rest:
        whole = Binary("*", whole, factor)
    return whole


def _marked(build: _Build, carried: Sequence[tuple[str, str]]) -> Graph:
    """The graph, with the edges of direct paths marked."""
    open_ways = _Ways(build)
    direct: set[tuple[str, str]] = set()
    lanes = []
    for before, behind in carried:
        if before in build.of and behind in open_ways.sinks:
            start, end = build.of[before], open_ways.sinks[behind]
            between = open_ways.from_(start) & open_ways.to(end) if end in open_ways.from_(start) else set()
            direct.update(key for key in build.edges if between.issuperset(key))
            if between:
                lanes.append(open_ways.shortest(start, end))
    edges = tuple(replace(edge, direct=key in direct) for key, edge in build.edges.items())
    return Graph(tuple(build.nodes), edges, tuple(lanes))


class _Ways:
    """Ways through a graph that no matrix and no reduction crosses."""

    def __init__(self, build: _Build) -> None:
        self.sinks = {node.value: node.name for node in build.nodes if node.kind is NodeKind.SINK}
        crossed = {node.name for node in build.nodes if node.kind in (NodeKind.MATRIX, NodeKind.REDUCTION)}
        self._edges = [key for key in build.edges if crossed.isdisjoint(key)]

    def from_(self, start: str) -> set[str]:
        """What can be reached from ``start``."""
        found = {start}
        for before, after in self._edges:  # nodes are made in the order of computation, and edges with their ends
            if before in found:
                found.add(after)
        return found

    def to(self, end: str) -> set[str]:
        """What ``end`` can be reached from; nothing where nothing leads there."""
        found = {end}
        for before, after in reversed(self._edges):
            if after in found:
                found.add(before)
        return found

    def shortest(self, start: str, end: str) -> tuple[str, ...]:
        """The nodes of a way with the fewest of them, the first such one."""
        best: dict[str, tuple[str, ...]] = {start: (start,)}
        for before, after in self._edges:
            if before in best and (after not in best or len(best[before]) + 1 < len(best[after])):
                best[after] = (*best[before], after)
        return best[end]
