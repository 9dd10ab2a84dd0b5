"""What a row of the function table is: `Function`, how a call of it is written, and how rows are made.

Holds records and no rows: these stand in `symrnn.language.functions`, in `symrnn.language.choices` (jumps and choices) and in
`symrnn.language.composed` (functions that are made of others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy

# The border with SymPy, whose expressions carry no useful static type.
Algebra = Any


@dataclass(frozen=True)
class Written:
    """How a call is written in LaTeX: ``operator left argument between argument right``.

    Attributes:
        operator: LaTeX; nothing where the fences say it all.
        left: the fence before the arguments.
        right: the fence behind them.
        between: what stands between two arguments.
        is_command: whether LaTeX has a command for the function; a power then stands behind that, as in tanh²(a).
    """

    operator: str
    left: str = "("
    right: str = ")"
    between: str = ", "
    is_command: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the fences are parentheses."""
        return self.left == "("


def command(name: str) -> Written:
    """A function that LaTeX has a command for."""
    return Written(name, is_command=True)


def word(name: str) -> Written:
    """A function that is written as a word."""
    return Written(rf"\operatorname{{{name}}}")


@dataclass(frozen=True)
class Function:
    """One row of the table.

    Attributes:
        name: as written in equations.
        arity: number of arguments.
        symbol: the SymPy class; ``symbol(a)`` stays unevaluated and differentiates by `partials`.
        partials: per argument, ``(output, *arguments) -> derivative``.
        meaning: the same function in SymPy's own terms, with the project's values at kinks.
        latex: how a call is written in LaTeX.
        analytic: whether the complex step is valid everywhere.
        smooth: whether central differences are valid everywhere.
        public: whether equations may call it by its name; the others are operators, or occur in derivatives alone.
        arithmetic: whether arithmetic and comparisons alone compute it: a few instructions, no loop and no polynomial.
        operator: how equations write it between its two arguments, where they do: ``<`` or ``**``.
        formula: the same function by others of the table, ``(*arguments) -> expression``, which normalisation puts in its
            place: no target spells it. None where targets do.
    """

    name: str
    arity: int
    symbol: Algebra
    partials: tuple[Callable[..., Algebra], ...]
    meaning: Callable[..., Algebra]
    latex: Written
    analytic: bool = True
    smooth: bool = True
    public: bool = True
    arithmetic: bool = False
    operator: str = ""
    formula: Callable[..., Algebra] | None = None

    @property
    def needs_argument(self) -> bool:
        """Whether a derivative reads an argument, beyond the output."""
        output, *used = symbols(self.arity + 1)
        return any(partial(output, *used).has(*used) for partial in self.partials)

    @property
    def in_equations(self) -> bool:
        """Whether equations may hold it, as a word or as an operator."""
        return self.public or bool(self.operator)

    @property
    def is_constant(self) -> bool:
        """Whether every derivative is zero: between its jumps, the value stays the same."""
        output, *used = symbols(self.arity + 1)
        return all(partial(output, *used) == 0 for partial in self.partials)


def symbols(count: int) -> tuple[Algebra, ...]:
    """So many SymPy symbols."""
    return tuple(sympy.Symbol(f"a{number}") for number in range(count))


def _symbol_class(name: str, partials: tuple[Callable[..., Algebra], ...]) -> Algebra:
    """A SymPy function class that never evaluates and whose derivatives are ``partials`` of its own application."""

    def fdiff(self: Algebra, argindex: int = 1) -> Algebra:
        return partials[argindex - 1](self, *self.args)

    return type(name, (sympy.Function,), {"fdiff": fdiff, "nargs": (len(partials),), "is_commutative": True})


def row(
    name: str, partials: tuple[Callable[..., Algebra], ...], meaning: Callable[..., Algebra], **rest: Any
) -> Function:
    """A row; ``rest`` are further attributes of `Function`."""
    return Function(name, len(partials), _symbol_class(name, partials), partials, meaning, **rest)


def zero(*_: Algebra) -> Algebra:
    """The derivative of a function that is constant between its jumps."""
    return sympy.Integer(0)
