"""What is prepared from parameters, as part of a plan: checked, and in plain text.

Reads a `Preparation`; returns nothing or raises, and returns text. Its equations are the plan: they run in order, once, on
whole tables of numbers. Leaves out: how they are derived (`symrnn.derive.preparation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symrnn.derive.preparation import Preparation
from symrnn.errors import PlanError
from symrnn.language.matrix_sizes import COLUMNS, ROWS
from symrnn.language.system import ONE, System, Variable
from symrnn.language.text import to_text
from symrnn.language.tree import Expression, Eye, MatVec, Name, Reduce, Transpose, names


def verify_prepared(preparation: Preparation, parameters: Sequence[Variable]) -> None:
    """Check that every equation reads what is there, at sizes that fit, and that the step's parameters come of it.

    Args:
        preparation: what is prepared, and its derivatives.
        parameters: what the step reads as parameters.

    Raises:
        PlanError: with the equation and the name.
    """
    forward = preparation.forward
    known = _verify(forward, set(forward.inputs))
    seeds = set(preparation.seeds.values())
    _verify(preparation.adjoint, known | seeds)
    _verify(preparation.tangent, known | {preparation.dots[n] for n in forward.inputs if n in preparation.dots})
    read = {variable.name: variable for variable in parameters}
    for name in forward.outputs:
        if name not in read:
            raise PlanError(f"prepare: {name} is computed, and no step reads it")
        wanted, found = read[name].shape, forward.by_name[name].shape
        if sorted(size for size in wanted if size != ONE) != sorted(size for size in found if size != ONE):
            raise PlanError(f"prepare: {name} has sizes {found}, and the step reads {wanted}")


def _verify(system: System, known: set[str]) -> set[str]:
    """Check the equations one after the other from the ``known`` names on; returns all names known after them."""
    for equation in system.equations:
        for name in names(equation.expression):
            if name not in known:
                raise PlanError(f"prepare ({equation.label}): reads {name}, which nothing before it assigns")
        if equation.target in known:
            raise PlanError(f"prepare ({equation.label}): {equation.target} is assigned twice")
        _verify_sizes(system, equation.label, equation.target, equation.expression)
        known = known | {equation.target}
    for name in system.outputs:
        if name not in known:
            raise PlanError(f"prepare: {name} is returned and never assigned")
    return known


def _verify_sizes(system: System, label: str, target: str, whole: Expression) -> None:
    """Check rows and columns of a right side against its target's."""

    def table(name: str) -> tuple[str, ...]:
        return system.by_name[name].shape

    wanted = table(target)
    match whole:
        case Eye():
            fits = wanted[0] == wanted[1]
        case Transpose(Name(name)):
            fits = wanted == table(name)[::-1]
        case Reduce(_, Name(name), axis):
            rows, columns = table(name)
            fits = wanted == (rows if axis == COLUMNS else ONE, columns if axis == ROWS else ONE)
        case MatVec(matrix, transposed, Name(name)):
            rows, columns = table(matrix)[::-1] if transposed else table(matrix)
            fits = wanted == (rows, table(name)[1]) and columns == table(name)[0]
        case _:
            pairs = (pair for name in names(whole) for pair in zip(table(name), wanted, strict=True))
            fits = all(size in (ONE, other) for size, other in pairs)
    if not fits:
        raise PlanError(
            f"prepare ({label}): {target} is {wanted[0]} x {wanted[1]}, and `{to_text(whole)}` does not fit"
        )


def prepared_text(preparation: Preparation, backward: bool) -> str:
    """The equations under their numbers with rows and columns; ``backward`` says whether there is a backward routine."""
    lines = ["prepare: once, when parameters are packed", *_lines(preparation.forward)]
    if backward and preparation.adjoint.equations:
        lines += ["prepare, backward: once, after the deferred products", *_lines(preparation.adjoint)]
    return "\n".join(lines) + "\n"


def _lines(system: System) -> Iterator[str]:
    rows = [
        (f"({e.label})", f"{e.target} = {to_text(e.expression)}", system.by_name[e.target].shape)
        for e in system.equations
    ]
    wide = [max(len(row[i]) for row in rows) for i in range(2)]
    for label, text, (height, width) in rows:
        yield f"  {label:{wide[0]}}  {text:{wide[1]}}  # {height} x {width}"
