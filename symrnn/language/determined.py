"""Sizes that no array tells: a kernel reads how many units there are from what it is given.

Reads the equations and the variables of a cell; raises an error at the equation of a value with an axis that no input, state or
parameter has. Leaves out: how sizes are inferred (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symrnn.language.axes import shape_axes
from symrnn.language.axis_faults import as_entry
from symrnn.language.located import Assignment
from symrnn.language.origin import Origin
from symrnn.language.system import ONE, Role, Variable
from symrnn.language.tree import names

_TELLING = (Role.INPUT, Role.STATE, Role.PARAMETER)
"""What a call is given. A state may be left out of a call, but not where it alone has a size."""


def check_determined(assignments: Iterable[Assignment], variables: Sequence[Variable], origin: Origin) -> None:
    """Refuse a size that only values have which equations assign.

    Raises:
        CellError: at the first equation whose value has such a size.
    """
    axes = {each.name: shape_axes(each.shape) for each in variables}
    told = {ONE, *(axis for each in variables if each.role in _TELLING for axis in axes[each.name])}
    vectors = {each.name: axes[each.name] for each in variables if each.role is Role.PARAMETER and _is_vector(each)}
    for each in assignments:
        wanted = axes[each.target]
        missing = [axis for axis in wanted if axis not in told]
        if missing:
            kind = "size" if len(wanted) == 1 else "axis" if len(missing) == 1 else "axes"
            of = " and ".join(f"`{axis}`" for axis in missing)
            read = {name: vectors[name] for name in names(each.expression.node) if name in vectors}
            raise origin.error(
                f"`{each.target}` has the {kind} {of}, but no input, state or parameter has {_it(missing)}, so no array tells "
                f"how many units there are; {_remedy(read, wanted, missing)}",
                each.place,
            )


def _is_vector(parameter: Variable) -> bool:
    return len(parameter.shape) == 1 and not parameter.matrix


def _it(missing: Sequence[str]) -> str:
    return "it" if len(missing) == 1 else "them"


def _remedy(read: Mapping[str, Sequence[str]], wanted: Sequence[str], missing: Sequence[str]) -> str:
    """What to write: the entry of a vector parameter that the equation reads, or that one is to stand there."""
    for name, axes in read.items():
        if {*axes} <= {ONE, *wanted}:
            entry = as_entry(axis for axis in wanted if axis in axes or axis in missing)
            return f"declare {_it(missing)} for a parameter that this equation reads, as in `{name} = {entry}` under [sizes]"
    return (
        f"let this equation read a parameter or an input that has {_it(missing)}, or declare another size under [sizes]"
    )
