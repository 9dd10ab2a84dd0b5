"""A linear form that its author wrote once and that has one value wherever it was written out is computed once.

``W @ x`` in a definition that every pass of a repeat calls is such a form. Reads equations written out; returns them with a
name for each such form, which is an equation of its own. Leaves out: forms that an author wrote twice, which are the planner's
matter, and functions and reductions, which normalisation shares (`symrnn.language.normalise`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from symrnn.language.located import Assignment, Located, located
from symrnn.language.origin import Origin
from symrnn.language.text import to_text
from symrnn.language.tree import PRIME, Expression, MatVec, Name, rebuild


def share_forms(
    assignments: Sequence[Assignment], origin: Origin, fresh: Callable[[str], str]
) -> tuple[Assignment, ...]:
    """``assignments`` with an equation for each form that was written once and stands in several of them.

    Args:
        assignments: with labels; each name is assigned before it is read.
        origin: what knows the places of all their parts.
        fresh: gives a new name that resembles another.
    """
    places = ((at.node, origin.text_at(at.place), origin.at(at.place)) for at in _forms(assignments))
    shared = {form for (form, _, _), count in Counter(places).items() if count > 1}
    names: dict[Expression, str] = {}
    done: list[Assignment] = []
    for assignment in assignments:
        number = sum(_is_part(each.label, assignment.label) for each in done)
        for at in _outermost(assignment.expression, shared):
            form = at.node
            if form in names:
                continue
            assert isinstance(form, MatVec)
            number += 1
            # Within the form nothing is replaced: a form in a form is named only if it stands elsewhere too.
            names[form] = fresh(_hint(form))
            done.append(Assignment(names[form], at.place, at, label=f"{assignment.label}.{number}"))
        done.append(replace(assignment, expression=_named(assignment.expression, names)))
    return tuple(done)


def _forms(assignments: Sequence[Assignment]) -> Iterator[Located]:
    return (at for each in assignments for at in located(each.expression) if isinstance(at.node, MatVec))


def _outermost(at: Located, shared: set[Expression]) -> Iterator[Located]:
    """The forms of an expression that are shared, but for those within others."""
    if isinstance(at.node, MatVec) and at.node in shared:
        yield at
        return
    for part in at.parts:
        yield from _outermost(part, shared)


def _named(at: Located, names: dict[Expression, str]) -> Located:
    if isinstance(at.node, MatVec) and at.node in names:
        return Located(Name(names[at.node]), at.place)
    parts = tuple(_named(part, names) for part in at.parts)
    return Located(rebuild(at.node, tuple(part.node for part in parts)), at.place, parts, at.remedy)


def _hint(form: MatVec) -> str:
    """A name by role, as normalisation gives them."""
    operand = to_text(form.operand).removesuffix(PRIME) if isinstance(form.operand, Name) else "form"
    return f"{form.matrix}{'_T' if form.transposed else ''}_{operand}"


def _is_part(label: str, whole: str) -> bool:
    """Whether ``label`` is that of a call or a form in the equation ``whole``."""
    return label.startswith(f"{whole}.") and label.count(".") == whole.count(".") + 1
