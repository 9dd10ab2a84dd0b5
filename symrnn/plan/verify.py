"""The verifier: a plan in which something is read before it is written, or at another size, never reaches an emitter.

Reads statements or a `Function`; returns what is known afterwards, or raises `PlanError` naming stage and value.
"""

from __future__ import annotations

from collections.abc import Iterable

from symrnn.errors import PlanError
from symrnn.language.system import ONE
from symrnn.language.tree import names
from symrnn.plan.program import Extent, Function, Kind, Place, Stage, Statement, reductions


def verify_order(statements: Iterable[Statement], known: set[str]) -> set[str]:
    """Check that each statement reads only ``known`` names and earlier targets; returns all that is known after them.

    Raises:
        PlanError: a name is read before it is assigned, or assigned twice.
    """
    known = set(known)
    for statement in statements:
        for name in names(statement.expression):
            if name not in known:
                raise PlanError(f"statement of {statement.target}: reads {name}, which nothing before it assigns")
        if statement.target in known:
            raise PlanError(f"statement of {statement.target}: the name is assigned twice")
        known.add(statement.target)
    return known


def verify(function: Function, source: Function | None = None) -> None:
    """Check the stages of ``function``, phase by phase, against its places and buffers.

    Args:
        function: what to check.
        source: the function whose taped buffers it reads, for a backward function.

    Raises:
        PlanError: with the stage and the value.
    """
    readable = {name for name, place in function.places.items() if place.kind not in (Kind.BUFFER, Kind.NEXT)}
    if source is not None:
        taped = {b.name for b in source.buffers if b.taped or b.extent is Extent.ONCE}
        readable |= {n for n, p in function.places.items() if p.kind is Kind.BUFFER and p.array in taped}
        readable |= {n for n, p in function.places.items() if p.kind is Kind.NEXT}
    for phase, stages in function.phases:
        for stage in stages:
            _verify_stage(function, stage, readable, phase)
            readable |= {write.value for write in stage.writes}
    for product in function.products:
        for name in (product.right, *(left for _, left in product.entries)):
            _verify_deferred(function, name, readable)
    for item in function.sums:
        _verify_deferred(function, item.value, readable)
    columns = [column.value for buffer in function.buffers for column in buffer.columns]
    if len(columns) != len(set(columns)):
        raise PlanError(f"{function.name}: a value has two columns")


def _verify_stage(function: Function, stage: Stage, readable: set[str], phase: str) -> None:
    def fail(text: str) -> PlanError:
        return PlanError(f"{function.name}, stage {stage.name}: {text}")

    written = {write.value for write in stage.writes}
    for name in (*stage.reads, *reductions(stage)):
        if name not in readable:
            raise fail(f"{name} is read before it is stored")
    for accumulator in stage.accumulators:
        for form in accumulator.forms:
            if form.operand in written and not form.later:
                raise fail(f"{form.operand} is computed in the stage whose form reads it")
            if not form.later and form.operand not in readable:
                raise fail(f"the operand {form.operand} is read before it is stored")
            if form.later and phase not in ("loop", "last"):
                raise fail(f"{form.operand} of another step is read outside the loop")
    local = {accumulator.name for accumulator in stage.accumulators} | set(stage.reads)
    for statement in stage.statements:
        for name in names(statement.expression):
            if name not in local:
                raise fail(f"{statement.target} reads {name} before it is computed")
            if stage.size != ONE and function.sizes.get(name, stage.size) not in (stage.size, ONE):
                raise fail(f"{name} has {function.sizes[name]} units in a stage of {stage.size}")
        local.add(statement.target)
    for write in stage.writes:
        if write.value not in local:
            raise fail(f"{write.value} is stored but not computed")


def _verify_deferred(function: Function, name: str, readable: set[str]) -> None:
    place = function.places.get(name, Place(Kind.CARRY, ""))
    spans = {b.name for b in function.buffers if b.extent is Extent.SEQUENCE}
    foreign = place.kind is Kind.BUFFER and place.array not in {b.name for b in function.buffers}
    if (
        name not in readable
        or place.kind is Kind.CARRY
        or (place.kind is Kind.BUFFER and place.array not in spans and not foreign)
    ):
        raise PlanError(f"{function.name}: a deferred gradient reads {name}, which is not stored for every step")
