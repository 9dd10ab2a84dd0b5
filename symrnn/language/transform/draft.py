"""A cell taken apart to be made anew: equations as trees, and the tables of its file.

Reads a `Cell`; returns a `Draft`. A transformation changes that, and `finished` makes a cell of it through the
language, so that sizes, places, the normal form and every rule hold as for a cell that somebody wrote. Leaves out: what
is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.errors import CellError
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.decimals import Number
from symrnn.language.functions import FUNCTIONS
from symrnn.language.identifiers import Allocator
from symrnn.language.mask import Mask
from symrnn.language.own import DERIVATIVE, VALUE, Entry, OwnFunction
from symrnn.language.parameters import KIND, StartEntry
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.size_tables import InputEntry, SizeEntry
from symrnn.language.starts import INITIALISERS
from symrnn.language.system import HIDDEN, INPUT, Variable
from symrnn.language.text import to_text
from symrnn.language.transform.recipe import joined_name
from symrnn.language.tree import Binary, Call, Expression, Name, Negate, Power, VectorCall, constants, transform

KEEP_UNITS = (Negate, Binary, Power, Call, VectorCall)
"""The kinds of nodes whose units are those of their operands; matrices and reductions are not among them."""

Assigned = tuple[str, Expression]
"""A target and its right side."""


@dataclass(frozen=True)
class Draft:
    """What a cell is made of; tables as those of a cell file.

    Attributes:
        equations: targets and right sides, in order.
        sizes: ``[sizes]``.
        constants: ``[constants]``.
        init: ``[init]``.
        domain: ``[domain]``.
        fixed: the parameters without gradient.
        functions: ``[functions.…]``.
        inputs: ``[inputs]``.
        returned: what the layer returns.
        masks: the inputs that are masks.
        same_parameters: whether the parameters are those of the cell that was transformed; layouts are kept then.
    """

    equations: tuple[Assigned, ...]
    sizes: Mapping[str, SizeEntry]
    constants: Mapping[str, Number]
    init: Mapping[str, StartEntry]
    domain: Mapping[str, str]
    fixed: tuple[str, ...]
    functions: Mapping[str, Entry]
    inputs: Mapping[str, InputEntry]
    returned: tuple[str, ...]
    masks: Mapping[str, Mask]
    same_parameters: bool = True


@dataclass(frozen=True)
class Transformation:
    """A transformation of one cell, for people and for commands.

    Attributes:
        name: of the transformation.
        title: what the title of the cell says of it.
        reference: where it was published.
        recipe: as the command line has it, arguments included; empty where it cannot be written there.
    """

    name: str
    title: str
    reference: str
    recipe: str = ""


def draft(cell: Cell) -> Draft:
    """``cell`` taken apart."""
    used = {name for equation in cell.equations for name in constants(equation.expression)}  # others count repeats
    return Draft(
        equations=tuple((equation.target, equation.expression) for equation in cell.equations),
        sizes={name: entry(shape) for name, shape in cell.declared.items()},
        constants={name: text for name, text in cell.constants.items() if name in used},
        init={name: _start(text) for name, text in cell.init.items()},
        domain=cell.domain,
        fixed=cell.fixed,
        functions={name: _formulas(function) for name, function in cell.functions.items()},
        inputs={name: input_entry(cell.by_name[name]) for name in cell.given[1:]},
        returned=cell.returned,
        masks=cell.masks,
    )


def entry(shape: Sequence[str]) -> SizeEntry:
    """A shape as ``[sizes]`` has it."""
    axes = shape_axes(shape)
    return axes if len(axes) > 1 else axes[0]


def input_entry(variable: Variable) -> InputEntry:
    """An input as ``[inputs]`` has it."""
    size = variable.shape[0]
    return entry((size,)) if variable.gradient else mask_entry(size)


def mask_entry(size: str) -> InputEntry:
    """An input that nothing is differentiated by, as ``[inputs]`` has it."""
    return {"size": entry((size,)), "gradient": False}


def _start(text: str) -> StartEntry:
    """A start as ``[init]`` has it."""
    word, *numbers = text.split()
    return {KIND: word, **dict(zip(INITIALISERS[word].options, numbers, strict=True))} if numbers else word


def _formulas(function: OwnFunction) -> Entry:
    """A function of the cell's own as its table has it."""
    derivatives = [to_text(each.node) for each in function.derivatives]
    return {VALUE: to_text(function.value.node), DERIVATIVE: derivatives}


def free_names(cell: Cell) -> Allocator:
    """Hands out names that ``cell`` does not have."""
    stems = [variable.name for variable in cell.variables]
    return Allocator([*stems, *cell.constants, *cell.functions, *cell.sizes, INPUT, HIDDEN, *FUNCTIONS, *REDUCTIONS])


def renamed(node: Expression, names: Mapping[str, Expression]) -> Expression:
    """``node`` with other expressions in place of names."""
    return transform(node, lambda part: names.get(part.name, part) if isinstance(part, Name) else part)


def refused(change: str, cell: Cell, message: str) -> CellError:
    """The error for a cell that cannot be transformed."""
    return CellError(f"{change} of `{cell.name}`: {message}", source=cell.source)


def finished(made: Draft, cell: Cell, change: Transformation) -> Cell:
    """The cell that ``made`` describes, as ``cell`` with ``change``.

    Raises:
        CellError: the language does not accept it.
    """
    text = "".join(f"{target} = {to_text(right)}\n" for target, right in made.equations)
    recipe = f"{cell.source}+{change.recipe}" if change.recipe else change.name
    before = (cell.base.name, *cell.changes) if cell.base and cell.name == cell.recipe_name else (cell.name,)
    try:
        found = Cell.from_equations(
            text,
            name=joined_name((*before, change.name)),
            title=f"{cell.title or cell.name}, {change.title}",
            reference="; ".join(filter(None, (cell.reference, change.reference))),
            family=cell.family,
            parent=cell.name if change.recipe else "",
            difference=change.title,
            departures=cell.departures,
            sizes=made.sizes,
            constants=made.constants,
            init=made.init,
            domain=made.domain,
            fixed=made.fixed,
            functions=made.functions,
            output=made.returned,
            inputs=made.inputs,
            layouts=cell.layouts if made.same_parameters else None,
            source=recipe,
        )
    except CellError as error:
        raise refused(change.name, cell, f"{error.message}; the equations were\n{text.rstrip()}") from error
    found = replace(found, masks=made.masks)
    return replace(found, base=cell.base or cell, changes=(*cell.changes, change.recipe)) if change.recipe else found
