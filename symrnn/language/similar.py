"""Parameters that may be mistakes: names that look misspelt, names of numbers such as ``pi``, a matrix that ties sizes.

A name that is never assigned is a new parameter, so a misspelt name is no error. Reads a cell; returns a sentence for
each parameter that looks like another name of the cell, or like a number, or that makes input and hidden state one size.

Many names differ in one letter on purpose (``W_xi`` and ``W_xf``, ``b_h`` and ``b_hh``). So a parameter is compared with
constants, states and assigned names; other parameters of its shape count only if they differ in case or underscores.
Leaves out: what the author meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from symrnn.language.axes import axes_of, has_axes
from symrnn.language.cell import Cell
from symrnn.language.spelling import bare, one_edit_apart
from symrnn.language.system import HIDDEN, INPUT, Role, Variable
from symrnn.language.text import to_text
from symrnn.language.tree import MatVec, is_next, walk

_OF_TIME = ("t", "prev", "next", "old", "new")
"""Endings with which papers say the time of a value: ``h_t`` is the state itself here, ``h`` or ``h'``."""


def doubts(cell: Cell) -> tuple[str, ...]:
    """A sentence for everything about a cell that may be a mistake: misspelt names, numbers, tied sizes, undeclared axes."""
    return (*lookalikes(cell), *numbers_meant(cell), *sizes_shared(cell), *axes_taken(cell))


def lookalikes(cell: Cell) -> tuple[str, ...]:
    r"""A sentence for every parameter that may be a misspelt name; none where all names are apart.

    >>> cell = Cell.from_equations("cand = tanh(W @ x)\nh' = cand * h + (1 - cnd) * cand")
    >>> lookalikes(cell)
    ('`cnd` is never assigned, so it is a new parameter, (hidden); if you mean `cand`, correct it',)
    """
    return tuple(
        f"`{parameter.name}` is never assigned, so it is a new parameter, ({', '.join(parameter.shape)}); "
        f"if you mean `{other}`, correct it"
        for parameter in cell.parameters
        for other in _similar(cell, parameter)
    )


NUMBERS = {
    "pi": "pi = 3.141592653589793",
    "tau": "tau = 6.283185307179586",
    "e": "e = 2.718281828459045",
    "eps": "eps = 1e-5",
    "epsilon": "epsilon = 1e-5",
    "dt": "dt = 0.1",
}
"""Names of numbers, in small letters, and what `[constants]` may say of them."""

INFINITE = ("inf", "infty", "infinity", "nan")
"""Names of numbers that are not finite; a cell cannot hold them."""


def numbers_meant(cell: Cell) -> tuple[str, ...]:
    r"""A sentence for every vector or scalar parameter that has the name of a number; none where its start is given.

    >>> numbers_meant(Cell.from_equations("h' = sin(pi * h) + W @ x"))
    ('`pi` is not a number here but a new parameter, (hidden); if you mean it, write `pi = 3.141592653589793` in [constants]',)
    """
    found = []
    for parameter in cell.parameters:
        word = parameter.name.lower() if len(parameter.name) > 1 else parameter.name
        if (
            len(parameter.shape) == 2
            or parameter.matrix
            or parameter.name in cell.init
            or word not in (*NUMBERS, *INFINITE)
        ):
            continue
        said = f"`{parameter.name}` is not a number here but a new parameter, ({', '.join(parameter.shape)}); "
        if word in INFINITE:
            found.append(f"{said}numbers are finite: write a large one, or what the equation is without it")
            continue
        entry = f"{parameter.name}{NUMBERS[word].removeprefix(word)}"
        found.append(f"{said}if you mean it, write `{entry}` in [constants]")
    return tuple(found)


def sizes_shared(cell: Cell) -> tuple[str, ...]:
    """A sentence on the matrix that makes ``input`` and ``hidden`` one number, if one does and has no entry in [sizes].

    >>> print(*sizes_shared(Cell.from_equations("h' = tanh(W @ x + W @ h)")))  # doctest: +NORMALIZE_WHITESPACE
    `W` in `W @ x` and `W @ h` makes `input` and `hidden` one number; if you mean two, give each product a matrix of its own,
    else write `W = ["hidden", "hidden"]` in [sizes]
    """
    matrix = cell.shared_matrix
    if not matrix:
        return ()
    nodes = (node for equation in cell.equations for node in walk(equation.expression))
    products = dict.fromkeys(to_text(node) for node in nodes if isinstance(node, MatVec) and node.matrix == matrix)
    *before, last = (f"`{product}`" for product in products)
    entry = ", ".join(f'"{size}"' for size in cell.by_name[matrix].shape)
    return (
        f"`{matrix}` in {', '.join(before)}{' and ' if before else ''}{last} makes `{INPUT}` and `{HIDDEN}` one number; "
        f"if you mean two, give each product a matrix of its own, else write `{matrix} = [{entry}]` in [sizes]",
    )


def axes_taken(cell: Cell) -> tuple[str, ...]:
    r"""A sentence for every matrix whose rows have several axes because what it gives meets them, and no entry says so.

    >>> sizes = {"S": ["value", "key"]}
    >>> print(*axes_taken(Cell.from_equations("S' = S + V @ x", sizes=sizes)))  # doctest: +NORMALIZE_WHITESPACE
    `V` has no entry in [sizes], so its rows have the axes value, key of what it meets; if you mean fewer, as in an outer
    product, write `V = ["value", "input"]` in [sizes]
    """
    found = []
    for parameter in cell.parameters:
        rows = parameter.shape[0]
        if len(parameter.shape) == 2 and has_axes(rows) and parameter.name not in cell.declared:
            entry = f'{parameter.name} = ["{axes_of(rows)[0]}", "{parameter.shape[1]}"]'
            found.append(
                f"`{parameter.name}` has no entry in [sizes], so its rows have the axes {', '.join(axes_of(rows))} of what it "
                f"meets; if you mean fewer, as in an outer product, write `{entry}` in [sizes]"
            )
    return tuple(found)


def _similar(cell: Cell, parameter: Variable) -> Iterator[str]:
    """The first name that ``parameter`` may be meant for, if any."""
    assigned = (equation.target for equation in cell.equations if not is_next(equation.target))
    matrix = len(parameter.shape) == 2 or parameter.matrix
    values = () if matrix else (*cell.constants, *cell.given[1:], *cell.states, *assigned)
    near = [name for name in values if one_edit_apart(parameter.name, name)]
    vectors = () if matrix else (*cell.given, *cell.states)
    near += [name for name in vectors if _spelt_otherwise(parameter.name, name)]
    near += [
        other.name
        for other in cell.of_role(Role.PARAMETER)
        if other.shape == parameter.shape and other.name < parameter.name and bare(other.name) == bare(parameter.name)
    ]
    yield from near[:1]


def _spelt_otherwise(name: str, value: str) -> bool:
    """Whether ``name`` is ``value`` with its time, or its only letter twice."""
    return name in (f"{value}_{ending}" for ending in _OF_TIME) or (len(value) == 1 and name == 2 * value)
