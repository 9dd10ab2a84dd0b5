"""Fuse: the loop computes hoisted values itself, with their linear forms in the sums that it adds up anyway.

Reads the stages before and in the loop, and which values were taken out of the loop's sums; returns `Fused`. A stage of
the fused loop has the very statements of the loop's stage: only where a hoisted value comes from differs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from symrnn.language.tree import Binary, Expression, Name, Negate, children, integer, names
from symrnn.plan.lower import Term, sum_of, terms_of
from symrnn.plan.routine import Absorbed, Fused, FusedStage
from symrnn.plan.vocabulary import Accumulator, Form, Stage, Statement

NOTHING = Negate(integer(0))
"""The rest of a sum when all its forms have moved: minus zero. Adding it changes no number.

Adding zero would change one: -0 + 0 is 0.
"""


def fuse(before: Sequence[Stage], loop: Sequence[Stage], hoisted: Collection[str]) -> Fused | None:
    """The fused form of the two phases; None where no sum of the loop was hoisted.

    The accumulators of its loop may be in another order than those of ``loop``.

    Args:
        before: the stages before the loop, without writes or with them.
        loop: the stages of the loop.
        hoisted: values of ``before`` that were taken out of a sum of the loop.
    """
    # A stage along axes has no accumulators that could take the forms on.
    apart = {name for stage in loop if stage.along for name in stage.reads}
    hoisted = [name for name in hoisted if name not in apart]
    if not hoisted:
        return None
    homes = {s.target: (s, stage) for stage in before for s in stage.statements if s.target in hoisted}
    left = (_without(stage, hoisted) for stage in before)
    return Fused(
        tuple(stage for stage in left if stage.statements),
        tuple(_fused(stage, tuple(_absorbed(stage, homes))) for stage in loop),
    )


def _fused(stage: Stage, absorbed: tuple[Absorbed, ...]) -> FusedStage:
    """``stage`` and what it absorbs, its accumulators in the order in which fewer products compute all sums.

    One product computes what an operand feeds side by side. The accumulators of the absorbed values come after those of the
    stage, so those that share an operand with them may come last.
    """
    given = FusedStage(stage, absorbed)
    own, behind = (
        given.whole.accumulators[: len(stage.accumulators)],
        given.whole.accumulators[len(stage.accumulators) :],
    )
    shared = {form.operand for accumulator in behind for form in accumulator.forms}
    ordered = sorted(
        zip(stage.accumulators, own, strict=True),
        key=lambda pair: any(form.operand in shared for form in pair[1].forms),
    )
    moved = FusedStage(replace(stage, accumulators=tuple(plain for plain, _ in ordered)), absorbed)
    return min(given, moved, key=lambda each: _products(each.loop) + _products(each.whole))


def _products(stage: Stage) -> int:
    """How many products compute the sums of ``stage``: one for each run of neighbours that an operand feeds."""
    count, before = 0, set[tuple[str, bool]]()
    for accumulator in stage.accumulators:
        fed = {(form.operand, form.later) for form in accumulator.forms}
        count += len(fed - before)
        before = fed
    return count


def _absorbed(stage: Stage, homes: dict[str, tuple[Statement, Stage]]) -> list[Absorbed]:
    return [
        _absorb(homes[name], reader, stage)
        for reader in stage.statements
        for name in names(reader.expression)
        if name in homes
    ]


def _without(stage: Stage, hoisted: Collection[str]) -> Stage:
    """``stage`` without the statements of ``hoisted`` values; it is renamed if it had any."""
    statements = tuple(s for s in stage.statements if s.target not in hoisted)
    if statements == stage.statements:
        return stage
    read = {name for statement in statements for name in names(statement.expression)}
    return replace(
        stage,
        name=f"fused_{stage.name}",
        accumulators=tuple(a for a in stage.accumulators if a.name in read),
        statements=statements,
        writes=tuple(write for write in stage.writes if write.value not in hoisted),
    )


def _absorb(home: tuple[Statement, Stage], reader: Statement, stage: Stage) -> Absorbed:
    """The value of the ``home`` statement for the ``reader`` of it in ``stage``."""
    statement, earlier = home
    own = {a.name: a for a in earlier.accumulators if a.name in names(statement.expression)}
    open_to = _accumulators_beside(statement.target, reader.expression, stage)
    joined: list[tuple[str, tuple[Form, ...]]] = []
    rest: list[Term] = []
    for sign, term in terms_of(statement.expression):
        if isinstance(term, Name) and term.name in own and sign in open_to:
            joined.append((open_to[sign], own.pop(term.name).forms))
        else:
            rest.append((sign, term))
    kept: tuple[Accumulator, ...] = tuple(own.values())
    return Absorbed(replace(statement, expression=sum_of(rest) if rest else NOTHING), tuple(joined), kept)


def _accumulators_beside(value: str, node: Expression, stage: Stage) -> dict[bool, str]:
    """The accumulators in the sum of ``node`` that has the term ``value``, by their sign relative to that of ``value``."""
    terms = terms_of(node)
    sums = isinstance(node, Binary | Negate) and len(terms) > 1
    for sign, term in terms if sums else ():
        if term == Name(value):
            known = {a.name for a in stage.accumulators}
            return {its == sign: t.name for its, t in terms if isinstance(t, Name) and t.name in known}
    for part in [term for _, term in terms] if sums else children(node):
        if found := _accumulators_beside(value, part, stage):
            return found
    return {}
