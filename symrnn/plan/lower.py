"""From equations to stages: linear forms become accumulators, statements are grouped by what they must wait for.

Reads statements in order of evaluation; returns stages that do not yet write anything (`symrnn.plan.storage`). A stage
ends where a form or a reduction reads something computed in it, or where the number of units changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence

from symrnn.language.names import Allocator
from symrnn.language.tree import PRIME, Binary, Expression, MatVec, Name, Negate, Reduce, children, names, rebuild, walk
from symrnn.plan.program import Accumulator, Form, Stage, Statement

LATER = "[t+1]"
"""Suffix of an operand's name that is read from the loop's previous iteration."""

Term = tuple[bool, Expression]
"""A term of a sum: whether it is added (else subtracted), and what."""


def terms_of(node: Expression) -> list[Term]:
    """The terms of a sum in the author's order; a node that is no sum is its own only term."""
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
    statements: Sequence[Statement], prefix: str, sizes: MutableMapping[str, str], allocator: Allocator
) -> tuple[Stage, ...]:
    """Group ``statements`` into stages named ``<prefix>_1``, ``<prefix>_2``, …; accumulators' sizes join ``sizes``."""
    lowered = {statement.target: _lower(statement, sizes, allocator) for statement in statements}
    level: dict[str, int] = {}
    for statement in statements:
        level[statement.target] = _level(statement, level, sizes)
    groups: dict[tuple[int, str], list[str]] = {}
    for statement in statements:
        groups.setdefault((level[statement.target], sizes[statement.target]), []).append(statement.target)
    result = []
    for number, key in enumerate(sorted(groups, key=lambda key: key[0]), 1):
        parts = [lowered[target] for target in groups[key]]
        accumulators = tuple(accumulator for _, found in parts for accumulator in found)
        result.append(Stage(f"{prefix}_{number}", key[1], accumulators, tuple(s for s, _ in parts), ()))
    return tuple(result)


def _level(statement: Statement, level: Mapping[str, int], sizes: Mapping[str, str]) -> int:
    """The earliest level at which everything that ``statement`` reads is there."""
    waits = {0}
    elementwise: dict[str, None] = {}
    for node in walk(statement.expression):
        if isinstance(node, MatVec | Reduce):
            waits.update(level[name] + 1 for name in names(node.operand) if name in level)
    _elementwise(statement.expression, elementwise)
    for name in elementwise:
        if name in level:
            waits.add(level[name] + (sizes[name] != sizes[statement.target]))
    return max(waits)


def _elementwise(node: Expression, found: dict[str, None]) -> None:
    """Collect the names that are read unit by unit, outside forms and reductions."""
    if isinstance(node, Name):
        found[node.name] = None
    elif not isinstance(node, MatVec | Reduce):
        for part in children(node):
            _elementwise(part, found)


def _lower(
    statement: Statement, sizes: MutableMapping[str, str], allocator: Allocator
) -> tuple[Statement, list[Accumulator]]:
    """``statement`` with its linear forms replaced by accumulators; forms that only occur as a sum share one."""
    found: list[Accumulator] = []
    stem = statement.target.removesuffix(PRIME)

    def accumulate(forms: list[MatVec]) -> Name:
        name = allocator.fresh(f"{stem}_sum")
        sizes[name] = sizes[statement.target]
        found.append(Accumulator(name, tuple(_form(form) for form in forms)))
        return Name(name)

    def visit(node: Expression) -> Expression:
        if isinstance(node, MatVec):
            return accumulate([node])
        if isinstance(node, Binary) and node.op in "+-":
            result: list[Term] = []
            groups: dict[bool, list[MatVec]] = {True: [], False: []}
            terms = terms_of(node)
            for sign, term in terms:
                if isinstance(term, MatVec):
                    groups[sign].append(term)
            done: set[bool] = set()
            for sign, term in terms:
                if not isinstance(term, MatVec):
                    result.append((sign, visit(term)))
                elif sign not in done:
                    done.add(sign)
                    result.append((sign, accumulate(groups[sign])))
            return sum_of(result)
        parts = children(node)
        return rebuild(node, tuple(visit(part) for part in parts)) if parts else node

    expression = statement.expression
    if any(isinstance(node, MatVec) for node in walk(expression)):
        expression = visit(expression)
    return Statement(statement.target, expression, statement.label), found


def _form(node: MatVec) -> Form:
    assert isinstance(node.operand, Name)
    name = node.operand.name
    return Form(node.matrix, node.transposed, name.removesuffix(LATER), name.endswith(LATER))
