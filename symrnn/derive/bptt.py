r"""Backpropagation through time: how steps pass adjoints on, and what is summed over steps.

Reads a cell and the adjoint of its normal form; returns `Recurrences`. Nothing here is differentiated: the adjoint of
one step (``b1``, ``b2``, …) is chained and its contributions are summed. Leaves out: how a kernel runs the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.derive.notation import ARROW
from symrnn.language.cell import Cell
from symrnn.language.system import Role, System
from symrnn.language.text import to_text
from symrnn.language.tree import PRIME, Binary, Expression
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.lines import Line
from symrnn.language.typeset.symbols import spell


@dataclass(frozen=True)
class Carried:
    """One state's adjoint between steps.

    Attributes:
        state: without prime.
        arrives: the adjoint system's input, the adjoint of the state's next value from outside the step.
        returned: the adjoint system's output for the state, what the step before receives; empty where it receives nothing.
        is_output: whether the loss reads the state at every step.
        contribution: the right side of the equation that gives ``returned``; None where there is none.
        label: of that equation.
    """

    state: str
    arrives: str
    returned: str
    is_output: bool
    contribution: Expression | None = None
    label: str = ""


@dataclass(frozen=True)
class Accumulated:
    """One parameter's gradient: the sum over steps of ``contribution``, the right side of equation ``label``."""

    parameter: str
    contribution: Expression
    label: str


@dataclass(frozen=True)
class Read:
    """An output of the layer that is no state: the loss alone reads it from outside the step.

    Attributes:
        output: the variable.
        arrives: the adjoint system's input, its adjoint from outside the step.
    """

    output: str
    arrives: str


@dataclass(frozen=True)
class Recurrence:
    """One line of backpropagation through time in plain text, ``left = right``.

    Attributes:
        of: the state whose adjoint it hands from step to step, or the parameter whose gradient it sums.
        left: the name of what it computes.
        right: in words and formulas.
    """

    of: str
    left: str
    right: str

    def __str__(self) -> str:
        """``left = right``."""
        return f"{self.left} = {self.right}"


@dataclass(frozen=True)
class Recurrences:
    """Backpropagation through time for one cell.

    Attributes:
        carried: in the order of the states.
        gradients: in the order of the parameters; one that reaches no output is left out, its gradient is zero, and so is one
            that is fixed, which has none.
        read: the outputs that are no states, in order.
    """

    carried: tuple[Carried, ...]
    gradients: tuple[Accumulated, ...]
    read: tuple[Read, ...] = ()

    def starts(self, final: Notation) -> tuple[Line, ...]:
        """What the last step receives, in LaTeX; ``final`` is the notation of step T."""
        return (*(_start(each, final) for each in self.carried), *(_read(each, final, "T") for each in self.read))

    def chain(self, notation: Notation, later: Notation) -> tuple[Line, ...]:
        """The recurrences in LaTeX: what every step receives from the step after it.

        Args:
            notation: of step t.
            later: of step t + 1, whose adjoint is read.
        """
        handed = (_handed(each, notation, later) for each in self.carried)
        return (*handed, *(_read(each, notation, "t") for each in self.read))

    def sums(self, notation: Notation) -> tuple[Line, ...]:
        """The gradients of the parameters in LaTeX."""
        return tuple(
            Line(
                rf"\partial L / \partial {notation.name(each.parameter)}",
                rf"\textstyle\sum_{{t=1}}^{{T}} {_bracketed(notation(each.contribution), each.contribution)}",
                f"{each.label}",
            )
            for each in self.gradients
        )

    def handed(self) -> tuple[Recurrence, ...]:
        """What every step is handed, in plain text."""
        return tuple(
            Recurrence(
                each.state, each.arrives, (f"dloss_t/d{each.state}_t + " if each.is_output else "") + _later(each)
            )
            for each in self.carried
        ) + tuple(Recurrence(each.output, each.arrives, f"dloss_t/d{each.output}_t") for each in self.read)

    def summed(self) -> tuple[Recurrence, ...]:
        """The gradients of the parameters, in plain text."""
        return tuple(
            Recurrence(
                each.parameter,
                f"dL/d{each.parameter}",
                f"sum over t of {_bracketed(to_text(each.contribution), each.contribution)}",
            )
            for each in self.gradients
        )

    def text(self) -> str:
        """Everything in plain text, a line each."""
        handed, summed = ([f"  {line}" for line in lines] for lines in (self.handed(), self.summed()))
        return "\n".join(["for t = T, ..., 1:", *handed, "  (b1), (b2), ... of the step t", "gradients:", *summed])


def _start(each: Carried, final: Notation) -> Line:
    """The adjoint of a state at the last step."""
    end = rf"\frac{{\partial \ell_{{\mathrm{{end}}}}}}{{\partial {spell(each.state, 'T')}}}"
    direct = rf"\frac{{\partial \ell_T}}{{\partial {spell(each.state, 'T')}}} + " if each.is_output else ""
    return Line(final.name(each.arrives), direct + end)


def _read(each: Read, notation: Notation, time: str) -> Line:
    """The adjoint of an output that is no state."""
    return Line(notation.name(each.arrives), rf"\frac{{\partial \ell_{time}}}{{\partial {spell(each.output, time)}}}")


def arrow(state: str, time: str) -> str:
    """The LaTeX of what the step after ``time`` hands back to a state."""
    return spell(state, time, ARROW)


def _later(each: Carried) -> str:
    return (
        f"{each.returned} of step t + 1 (at t = T: dL/d{each.state}_T)"
        if each.returned
        else f"0 (at t = T: dL/d{each.state}_T)"
    )


def _handed(each: Carried, notation: Notation, later: Notation) -> Line:
    direct = rf"\frac{{\partial \ell_t}}{{\partial {spell(each.state, 't')}}}" if each.is_output else ""
    if each.contribution is None:
        return Line(notation.name(each.arrives), direct or "0")
    if not direct:
        return Line(notation.name(each.arrives), later(each.contribution), each.label)
    minus, back = later.signed(each.contribution)
    return Line(notation.name(each.arrives), f"{direct} {'-' if minus else '+'} {back}", each.label)


def _bracketed(text: str, node: Expression) -> str:
    """The summand; a sum needs parentheses."""
    return f"({text})" if isinstance(node, Binary) and node.op in "+-" else text


def recurrences(cell: Cell, adjoint: System) -> Recurrences:
    """Backpropagation through time for ``cell``, whose normal form has the adjoint ``adjoint``."""
    given = {v.of: v.name for v in adjoint.of_role(Role.ADJOINT) if v.name in adjoint.inputs and v.of}
    returned = {adjoint.by_name[name].of: name for name in adjoint.outputs}
    carried = tuple(
        Carried(state, given[state + PRIME], name, state in cell.returned, *_right_side(adjoint, name))
        for state in cell.states
        for name in [returned.get(state, "")]
    )
    gradients = tuple(
        Accumulated(parameter.name, equation.expression, equation.label)
        for parameter in cell.step_parameters
        if parameter.name in returned
        for equation in [adjoint.definition[returned[parameter.name]]]
    )
    read = tuple(Read(output, given[output]) for output in cell.returned if output not in cell.states)
    return Recurrences(carried, gradients, read)


def _right_side(adjoint: System, name: str) -> tuple[Expression | None, str]:
    """The right side of the equation for ``name``, and its label."""
    equation = adjoint.definition.get(name)
    return (None, "") if equation is None else (equation.expression, equation.label)
