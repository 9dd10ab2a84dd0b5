"""From equations to stages: linear forms become accumulators, statements are grouped by what they depend on.

Reads statements in order of evaluation; returns stages that do not yet write anything (`symrnn.plan.storage` adds
that). A stage ends where a form, a reduction or a vector function reads something computed in it, or where the number of
units changes. Values with several axes that no form makes have stages of their own, which run along the axes; there a
reduction over some axes is made as its operand is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from symrnn.language.axes import has_axes
from symrnn.language.identifiers import Allocator
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Call,
    Expression,
    MatVec,
    Name,
    Negate,
    Reduce,
    VectorCall,
    children,
    is_next,
    names,
    rebuild,
    walk,
)
from symrnn.plan.vocabulary import Accumulator, Form, Stage, Statement, over_axes, read_by_units

LATER = "[t+1]"
"""Suffix of an operand's name that is read from the loop's previous iteration."""

Term = tuple[bool, Expression]
"""A term of a sum: whether it is added (else subtracted), and what."""


def terms_of(node: Expression) -> list[Term]:
    """The terms of a sum in the author's order; any other node is one term."""
    match node:
        case Binary("+" | "-" as op, left, right):
            inner = terms_of(right)
            return terms_of(left) + [(sign if op == "+" else not sign, term) for sign, term in inner]
        case Negate(operand):
            return [(not sign, term) for sign, term in terms_of(operand)]
        case _:
            return [(True, node)]


def sum_of(terms: Sequence[Term]) -> Expression:
    """The sum of ``terms`` (at least one), in order."""
    sign, total = terms[0]
    if not sign:
        total = Negate(total)
    for sign, term in terms[1:]:
        total = Binary("+" if sign else "-", total, term)
    return total


def live(statements: Sequence[Statement], roots: Iterable[str]) -> list[Statement]:
    """The statements that ``roots`` depend on, in order."""
    wanted = set(roots)
    kept: list[Statement] = []
    for statement in reversed(statements):
        if statement.target in wanted:
            kept.append(statement)
            wanted.update(names(statement.expression))
    return kept[::-1]


def stages(
    statements: Sequence[Statement],
    prefix: str,
    sizes: MutableMapping[str, str],
    allocator: Allocator,
    keeps: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Stage, ...]:
    """Group ``statements`` into stages.

    Args:
        statements: in order of evaluation.
        prefix: of the stages' names: ``<prefix>_1``, ``<prefix>_2``, ….
        sizes: of every value; those of the accumulators join it.
        allocator: of the accumulators' names.
        keeps: for a target, the value that a row beyond its length stores instead; it must be computed before.
    """
    statements = _with_operands(statements, sizes, allocator)
    statements, copies = _again(
        statements, _levels(statements, sizes, keeps), sizes, allocator, frozenset(keeps.values())
    )
    lowered = {statement.target: _Lowering(statement, sizes, allocator) for statement in statements}
    groups: dict[tuple[int, bool, str], list[_Lowering]] = {}
    for target, level in _levels(statements, sizes, keeps, copies).items():
        part = lowered[target]
        size = over_axes(part.statement.expression) or sizes[target]
        groups.setdefault((level, has_axes(size) and not part.accumulators, size), []).append(part)
    result = []
    for number, ((_, along, size), parts) in enumerate(sorted(groups.items(), key=lambda item: item[0][:2]), 1):
        accumulators = tuple(accumulator for part in parts for accumulator in part.accumulators)
        own = tuple(part.statement for part in parts)
        result.append(Stage(f"{prefix}_{number}", size, accumulators, own, (), along))
    return tuple(result)


def reduced_apart(
    statements: Sequence[Statement], kept: Collection[str], sizes: MutableMapping[str, str], allocator: Allocator
) -> tuple[Statement, ...]:
    """``statements`` where what is ``kept`` in a row beyond its length is copied from a reduction over axes, and is none.

    A stage along axes has the size of what it reduces, and a kept value its own: a stage of that size stores it.
    """
    found: list[Statement] = []
    for statement in statements:
        if statement.target in kept and over_axes(statement.expression):
            name = allocator.fresh(f"{statement.target.removesuffix(PRIME)}_reduced")
            sizes[name] = sizes[statement.target]
            found.append(replace(statement, target=name))
            statement = replace(statement, expression=Name(name))
        found.append(statement)
    return tuple(found)


def _with_operands(
    statements: Sequence[Statement], sizes: MutableMapping[str, str], allocator: Allocator
) -> Sequence[Statement]:
    """``statements`` with a copy of each operand that is reduced over axes and not computed along them among them.

    A reduction of all units of a value that is computed along its axes is one over these axes, so that none is stored for it.
    """
    along = {
        s.target
        for s in statements
        if has_axes(sizes[s.target]) and not _has_form(s.expression) and not over_axes(s.expression)
    }
    statements = [_over_all_axes(statement, along, sizes) for statement in statements]
    if not any(over_axes(statement.expression) for statement in statements):
        return statements
    found: list[Statement] = []
    for statement in statements:
        expression = statement.expression
        if isinstance(expression, Reduce) and expression.of and isinstance(expression.operand, Name):
            name = expression.operand.name
            if name not in along:
                copy = allocator.fresh(f"{name.removesuffix(PRIME)}_units")
                sizes[copy] = expression.of
                found.append(Statement(copy, Name(name), statement.label))
                statement = replace(statement, expression=rebuild(expression, (Name(copy),)))
        found.append(statement)
    return found


def _over_all_axes(statement: Statement, along: Collection[str], sizes: Mapping[str, str]) -> Statement:
    match statement.expression:  # an average is divided where all lines are there, and stays as it is
        case Reduce(kind, Name(name) as operand, axis="", of="") if name in along and not REDUCTIONS[kind].averages:
            return replace(statement, expression=Reduce(kind, operand, sizes[name], sizes[name]))
    return statement


def _again(
    statements: Sequence[Statement],
    level: Mapping[str, int],
    sizes: MutableMapping[str, str],
    allocator: Allocator,
    kept: frozenset[str],
) -> tuple[Sequence[Statement], frozenset[str]]:
    """``statements`` where stages along axes compute again, from one value in memory, what an earlier one computed.

    Values with several axes fill caches: to store one and to load it costs more than the arithmetic. What a row keeps beyond
    its length is not computed again, since it reads what the step replaces. Returns the targets that are computed again, too.
    """
    along = {s.target: s for s in statements if has_axes(sizes[s.target]) and not _has_form(s.expression)}
    cheap = {name: s for name, s in along.items() if name not in kept and _is_cheap(s, sizes, level)}
    found: list[Statement] = []
    known: dict[tuple[str, int], str] = {}
    for statement in statements:
        here = level[statement.target]
        again: dict[str, str] = {}
        for name in dict.fromkeys(read_by_units(statement.expression)) if statement.target in along else ():
            if name not in cheap or level[name] == here:
                continue
            if (name, here) not in known:
                copy = known[name, here] = allocator.fresh(f"{name.removesuffix(PRIME)}_again")
                sizes[copy] = sizes[name]
                found.append(replace(cheap[name], target=copy))
            again[name] = known[name, here]
        if again:
            statement = replace(statement, expression=_with_units(statement.expression, again))
        found.append(statement)
    return found if known else statements, frozenset(known.values())


def _is_cheap(statement: Statement, sizes: Mapping[str, str], level: Mapping[str, int]) -> bool:
    """Whether arithmetic makes a value of at most one other with its axes, and what it reads is in memory."""
    nodes = list(walk(statement.expression))
    if is_next(statement.target) or any(isinstance(node, Call | Reduce | VectorCall) for node in nodes):
        return False
    read = set(read_by_units(statement.expression))
    return len([name for name in read if has_axes(sizes[name])]) <= 1 and read.isdisjoint(level)


def _with_units(node: Expression, new: Mapping[str, str]) -> Expression:
    """``node`` with new names for values that it reads unit by unit."""
    if isinstance(node, Name):
        return Name(new.get(node.name, node.name))
    if isinstance(node, Broadcast | Reduce | VectorCall):
        return node
    return rebuild(node, tuple(_with_units(part, new) for part in children(node)))


def _has_form(node: Expression) -> bool:
    return any(isinstance(part, MatVec) for part in walk(node))


def _levels(
    statements: Sequence[Statement],
    sizes: Mapping[str, str],
    keeps: Mapping[str, str],
    copies: frozenset[str] = frozenset(),
) -> dict[str, int]:
    """For each target the number of stages that end before it is computed."""
    waits: dict[str, list[tuple[str, int]]] = {}
    level: dict[str, int] = {}
    apart: set[str] = set()  # reductions over axes, whose results are there when their stage has ended
    along: set[str] = set()  # values that stages along axes compute
    for statement in statements:
        target = statement.target
        ended = apart | along if _has_form(statement.expression) else apart
        waits[target] = [
            (name, int(wait or name in ended))
            for name, wait in _waits(statement.expression, sizes[target], sizes)
            if name in level
        ]
        if over_axes(statement.expression):
            apart.add(target)
        elif has_axes(sizes[target]) and not _has_form(statement.expression):
            along.add(target)
        if target in keeps:
            waits[target].append((keeps[target], 0))
        level[target] = max((level[name] + wait for name, wait in waits[target]), default=0)
    later = _later(statements, sizes, waits, level, along)
    while True:
        sunk = dict(level)
        _sink(statements, waits, sunk, copies, later)
        # An operand that another reduction holds back cannot follow: what would have gone with it stays too.
        parted = {t for t, stage in later.items() if sunk[t] == stage and any(sunk[n] != stage for n, _ in waits[t])}
        if not parted:
            return sunk
        later = {target: stage for target, stage in later.items() if target not in parted}


def _later(
    statements: Sequence[Statement],
    sizes: Mapping[str, str],
    waits: Mapping[str, list[tuple[str, int]]],
    level: Mapping[str, int],
    along: Collection[str],
) -> dict[str, int]:
    """For a reduction over axes that would have a stage to itself, the next stage along the same axes that it can join."""
    found: dict[str, int] = {}
    for statement in statements:
        target, size = statement.target, over_axes(statement.expression)
        operands = {name for name, _ in waits[target]}
        others = [s.target for s in statements if s.target in along and s.target not in operands]
        there = [level[name] for name in others if sizes[name] == size and waits[name]]
        ends = [level[reader] - wait for reader, read in waits.items() for name, wait in read if name == target]
        after = [each for each in there if level[target] < each <= min(ends, default=each)]
        if size and after and level[target] not in there:
            found[target] = min(after)
    return found


def _sink(
    statements: Sequence[Statement],
    waits: Mapping[str, list[tuple[str, int]]],
    level: dict[str, int],
    copies: frozenset[str],
    later: Mapping[str, int],
) -> None:
    """Move arithmetic on inputs of the step into the first stage that reads it, so that the result need not be stored.

    Forms, reductions and vector functions stay as early as they can be, where other work hides them, but for those that join
    a ``later`` stage if what they reduce can. ``copies`` move into the stage that they are for, whatever they read.
    """
    given: set[str] = set()
    for statement in statements:
        plain = not any(isinstance(node, MatVec | Reduce | VectorCall) for node in walk(statement.expression))
        if statement.target in copies or (plain and all(name in given for name, _ in waits[statement.target])):
            given.add(statement.target)
    for target, stage in later.items():
        if all(name in given for name, _ in waits[target]):
            level[target] = stage
    for target in reversed(level):
        readers = [
            (level[reader] - wait, wait) for reader, read in waits.items() for name, wait in read if name == target
        ]
        if target in given and readers and min(readers)[1] == 0:
            level[target] = min(readers)[0]


def _waits(node: Expression, size: str, sizes: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """What ``node`` reads in a stage of ``size``: each name with 1 where its stage must have ended, else 0."""
    match node:
        case Reduce(operand=Name(name), of=of) if of:
            yield name, 0
        case (
            MatVec(operand=operand) | Reduce(operand=operand) | VectorCall(operand=operand) | Broadcast(operand=operand)
        ):
            yield from ((name, 1) for name in names(operand))
        case Name(name):
            yield name, int(sizes.get(name, size) != size)
        case _:
            for part in children(node):
                yield from _waits(part, size, sizes)


class _Lowering:
    """A statement with its linear forms replaced by accumulators; forms that only occur as a sum share one.

    Attributes:
        accumulators: in order of appearance.
        statement: what is left.
    """

    def __init__(self, statement: Statement, sizes: MutableMapping[str, str], allocator: Allocator) -> None:
        self._size, self._stem = sizes[statement.target], statement.target.removesuffix(PRIME)
        self._sizes, self._allocator = sizes, allocator
        self.accumulators: list[Accumulator] = []
        expression = statement.expression
        if any(isinstance(node, MatVec) for node in walk(expression)):
            expression = self._visit(expression)
        self.statement = Statement(statement.target, expression, statement.label)

    def _visit(self, node: Expression) -> Expression:
        if isinstance(node, MatVec):
            return self._accumulate([node])
        if isinstance(node, Binary) and node.op in "+-":
            return self._sum(terms_of(node))
        parts = children(node)
        return rebuild(node, tuple(self._visit(part) for part in parts)) if parts else node

    def _sum(self, terms: Sequence[Term]) -> Expression:
        """One accumulator for the forms that are added and one for those subtracted, each where its first form stood."""
        result: list[Term] = []
        done: set[bool] = set()
        for sign, term in terms:
            if not isinstance(term, MatVec):
                result.append((sign, self._visit(term)))
            elif sign not in done:
                done.add(sign)
                alike = [other for its, other in terms if its == sign and isinstance(other, MatVec)]
                result.append((sign, self._accumulate(alike)))
        return sum_of(result)

    def _accumulate(self, forms: Iterable[MatVec]) -> Name:
        name = self._allocator.fresh(f"{self._stem}_sum")
        self._sizes[name] = self._size
        self.accumulators.append(Accumulator(name, tuple(_form(form) for form in forms)))
        return Name(name)


def _form(node: MatVec) -> Form:
    assert isinstance(node.operand, Name)
    name = node.operand.name
    return Form(node.matrix, node.transposed, name.removesuffix(LATER), name.endswith(LATER))
