r"""Backpropagation through time: how the adjoints of steps follow one another, and what is summed over steps.

Reads a cell and the adjoint of its normal form; returns `Recurrences`. Nothing here is differentiated: the adjoint of
one step (``b1``, ``b2``, …) is chained and its contributions are summed. Leaves out: how a kernel runs the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symrnn.derive.layout import Row
from symrnn.derive.notation import ARROW
from symrnn.language.cell import Cell
from symrnn.language.latex import Notation, spell
from symrnn.language.system import Role, System
from symrnn.language.text import to_text
from symrnn.language.tree import PRIME, Binary, Expression


@dataclass(frozen=True)
class Carried:
    """One state's adjoint between steps.

    Attributes:
        state: without prime.
        arrives: the adjoint system's input, the adjoint of the state's next value from outside the step.
        returned: the adjoint system's output for the state, what the step before gets; empty where it gets nothing.
        is_output: whether the loss reads the state at every step.
    """

    state: str
    arrives: str
    returned: str
    is_output: bool


@dataclass(frozen=True)
class Accumulated:
    """One parameter's gradient: the sum over steps of ``contribution``, the right side of equation ``label``."""

    parameter: str
    contribution: Expression
    label: str


@dataclass(frozen=True)
class Recurrences:
    """Backpropagation through time for one cell.

    Attributes:
        carried: in the order of the states.
        gradients: in the order of the parameters; one that reaches no output is left out, its gradient is zero.
    """

    carried: tuple[Carried, ...]
    gradients: tuple[Accumulated, ...]

    def chain(self, notation: Notation) -> tuple[Row, ...]:
        """The recurrences in LaTeX: what the last step is handed, and what every step is handed."""
        return (*(self._start(each) for each in self.carried), *(_handed(each, notation) for each in self.carried))

    def sums(self, notation: Notation) -> tuple[Row, ...]:
        """The gradients of the parameters in LaTeX."""
        return tuple(
            Row(
                rf"\partial L / \partial {notation.name(each.parameter)}",
                rf"\textstyle\sum_{{t=1}}^{{T}} {_bracketed(notation(each.contribution), each.contribution)}",
                f"{each.label}",
            )
            for each in self.gradients
        )

    def text(self) -> str:
        """Everything in plain text, a line each."""
        return "\n".join(self._text())

    def _text(self) -> Iterator[str]:
        yield "for t = T, ..., 1:"
        for each in self.carried:
            direct = f"dloss_t/d{each.state}_t + " if each.is_output else ""
            yield f"  {each.arrives} = {direct}{_later(each)}"
        yield "  (b1), (b2), ... of the step t"
        yield "gradients:"
        for item in self.gradients:
            yield f"  dL/d{item.parameter} = sum over t of {_bracketed(to_text(item.contribution), item.contribution)}"

    def _start(self, each: Carried) -> Row:
        return Row(
            arrow(each.state, "T"), rf"\frac{{\partial \ell_{{\mathrm{{end}}}}}}{{\partial {spell(each.state, 'T')}}}"
        )


def arrow(state: str, time: str) -> str:
    """The LaTeX of what the step after ``time`` hands back to a state."""
    return spell(state, time, ARROW)


def _later(each: Carried) -> str:
    return (
        f"{each.returned} of step t + 1 (at t = T: dL/d{each.state}_T)"
        if each.returned
        else f"0 (at t = T: dL/d{each.state}_T)"
    )


def _handed(each: Carried, notation: Notation) -> Row:
    direct = rf"\frac{{\partial \ell_t}}{{\partial {spell(each.state, 't')}}} + " if each.is_output else ""
    return Row(notation.name(each.arrives), f"{direct}{arrow(each.state, 't')}")


def _bracketed(text: str, node: Expression) -> str:
    """The summand; a sum needs parentheses."""
    return f"({text})" if isinstance(node, Binary) and node.op in "+-" else text


def recurrences(cell: Cell, adjoint: System) -> Recurrences:
    """Backpropagation through time for ``cell``, whose normal form has the adjoint ``adjoint``."""
    given = {v.of: v.name for v in adjoint.of_role(Role.ADJOINT) if v.name in adjoint.inputs and v.of}
    returned = {adjoint.by_name[name].of: name for name in adjoint.outputs}
    carried = tuple(
        Carried(state, given[state + PRIME], returned.get(state, ""), state == cell.output) for state in cell.states
    )
    gradients = tuple(
        Accumulated(parameter.name, equation.expression, equation.label)
        for parameter in cell.parameters
        if parameter.name in returned
        for equation in [adjoint.definition[returned[parameter.name]]]
    )
    return Recurrences(carried, gradients)
