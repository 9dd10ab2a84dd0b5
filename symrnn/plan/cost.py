"""What a plan costs: multiply-adds of its matrix products, work unit by unit and numbers on its tape.

Reads the records of a plan; returns `Count` values, which are polynomials in the sizes. Leaves out: time, which depends on
the machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from symrnn.language.tree import Binary, Call, Negate, Power, walk
from symrnn.plan.routine import Phase, Routine
from symrnn.plan.size import Count
from symrnn.plan.vocabulary import Extent, Product, Stage, Statement


def stage_cost(stage: Stage, routine: Routine) -> Count:
    """Multiply-adds of the linear forms of ``stage`` for one row."""
    forms = [form for accumulator in stage.accumulators for form in accumulator.forms]
    return Count.of(*((stage.size, routine.sizes[form.operand]) for form in forms))


def unit_work(statements: Iterable[Statement]) -> tuple[int, int]:
    """Arithmetic and calls of functions of ``statements`` for one unit of one row."""
    nodes = [node for statement in statements for node in walk(statement.expression)]
    arithmetic = [node for node in nodes if isinstance(node, (Binary, Negate, Power))]
    return len(arithmetic), len([node for node in nodes if isinstance(node, Call)])


def product_cost(product: Product, routine: Routine) -> Count:
    """Multiply-adds of a deferred ``product`` for one row."""
    right = routine.sizes[product.right]
    return Count.of(*((routine.sizes[left], right) for _, left in product.entries))


def routine_cost(routine: Routine) -> Count:
    """Multiply-adds of all matrix products of ``routine`` for one row of one step.

    Left out: what runs once per parameter set or per sequence.
    """
    total = Count()
    for phase in every_step(routine):
        for stage in phase.stages:
            total += stage_cost(stage, routine)
    for product in routine.products:
        total += product_cost(product, routine)
    return total


def every_step(routine: Routine) -> tuple[Phase, ...]:
    """The phases of ``routine`` whose work grows with the steps."""
    return tuple(phase for phase in routine.phases if phase.direction or phase.rows is Extent.SEQUENCE)


def tape_cost(forward: Routine) -> Count:
    """Numbers that the tape stores for one row of one step, states apart."""
    buffers = [buffer for buffer in forward.buffers if buffer.taped and buffer.extent is Extent.SEQUENCE]
    return sum((buffer.width for buffer in buffers), Count())


def state_cost(forward: Routine) -> Count:
    """Numbers of all states of one row."""
    return Count.of(*((forward.sizes[next_],) for _, next_ in forward.states))
