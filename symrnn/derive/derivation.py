"""`derive` computes every derivative of a cell's step: in matrix form, as systems of equations and as LaTeX.

Reads a `Cell`; returns a `Derivation`, one frozen record that depends on no sizes or numbers. Leaves out: how kernels run it
(`symrnn.plan`) and the proof that it is right (`symrnn.derive.proof`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape

from symrnn.derive.adjoint import adjoint
from symrnn.derive.bptt import Recurrences, recurrences
from symrnn.derive.document import document
from symrnn.derive.graph import Graph, graph
from symrnn.derive.jacobian import BlockJacobian, Jacobian, Slopes, jacobian, slopes_of
from symrnn.derive.lecture import Material, lecture
from symrnn.derive.lecture_section import Section, section_html
from symrnn.derive.notation import notation_of
from symrnn.derive.preparation import NO_PREPARATION, Preparation, preparation_of
from symrnn.derive.sections import (
    adjoint_rows,
    adjoint_text,
    equations_rows,
    equations_text,
    parts_rows,
    prepared_rows,
    tape_latex,
    tape_of,
    tape_text,
)
from symrnn.derive.tangent import tangent
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.language.origin import nearest
from symrnn.language.system import Role, System
from symrnn.language.tree import PRIME, is_next
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.lines import align
from symrnn.language.typeset.symbols import timeless
from symrnn.parts import DERIVED


@dataclass(frozen=True)
class Derivation:
    """Everything that follows from a cell's equations by differentiation.

    Attributes:
        cell: what was derived.
        adjoint: the vector-Jacobian product of one step, as a system; equations ``b1``, ``b2``, …
        tangent: the step together with its Jacobian-vector product, as a system; equations ``j1``, ``j2``, …
        recurrences: how adjoints of steps are chained, and what is summed over steps.
        tape: the values of a step that its adjoint reads, in the order of the step; parameters are not listed.
        notation: how names are written in LaTeX.
        preparation: the equations that are computed once, when parameters are packed, with their derivatives.
    """

    cell: Cell
    adjoint: System
    tangent: System
    recurrences: Recurrences
    tape: tuple[str, ...]
    notation: Notation = field(repr=False)
    preparation: Preparation = NO_PREPARATION

    def __repr__(self) -> str:
        """One line, which no code reads: the cell, and how many equations the adjoint and values the tape have.

        >>> from symrnn.language.cell import Cell
        >>> derive(Cell.from_equations("h' = tanh(W @ x + U @ h + b)", name="elman"))
        <Derivation name='elman' digest='6a470360' adjoint=6 tape=3>
        """
        return f"<Derivation {self.cell.brief} adjoint={len(self.adjoint.equations)} tape={len(self.tape)}>"

    def jacobian(self, output: str, given: str) -> Jacobian:
        """∂output/∂given over one step.

        Args:
            output: a state, with or without prime (its next value is meant), or an intermediate.
            given: a state (its value when the step starts), the input or a parameter; an intermediate or a next value
                counts as held fixed.

        Raises:
            DerivationError: a name is not of this cell, ``given`` has no gradient, or the step does not compute ``output``.
        """
        system = self.cell.normal
        if given in self.cell.by_name and given not in system.by_name:
            made = ", ".join(self.cell.preparation.outputs)
            raise DerivationError(
                f"cell {self.cell.name!r}: the step reads {made}, prepared from parameters, and not {given!r} itself; ask for "
                "the Jacobian by what is prepared"
            )
        target = output + PRIME if output + PRIME in system.definition else output
        if target not in system.definition:
            known = [name.removesuffix(PRIME) for name in system.definition]
            raise DerivationError(
                f"cell {self.cell.name!r} does not compute {output!r}{nearest(output, known)} "
                f"(its states and intermediates are {', '.join(known)})"
            )
        if given not in system.by_name:
            known = [name for name in system.by_name if not is_next(name)]
            raise DerivationError(
                f"cell {self.cell.name!r} has no input, state or parameter {given!r}{nearest(given, known)} "
                f"(it has {', '.join(known)})"
            )
        if not system.by_name[given].gradient:
            raise DerivationError(
                f"cell {self.cell.name!r}: {given!r} is fixed, so it has no gradient and no Jacobian; to differentiate by it, "
                "take it out of `fixed`"
            )
        return jacobian(system, self._slopes, target, given, self.notation)

    def step_jacobian(self) -> BlockJacobian:
        """The Jacobian of all next states by all states, in blocks."""
        states = self.cell.states
        return BlockJacobian(tuple(tuple(self.jacobian(after, before) for before in states) for after in states))

    def jacobians(self, role: Role) -> tuple[Jacobian, ...]:
        """The Jacobians of every next state by every input or parameter with a gradient, those that are zero left out."""
        given = [variable.name for variable in self.cell.step.of_role(role) if variable.gradient]
        pairs = [(state, name) for state in self.cell.states for name in given]
        found = (self.jacobian(state, name) for state, name in pairs)
        return tuple(each for each in found if each.terms)

    def text(self, listing: str) -> str:
        """A listing in plain text, under a heading; ``listing`` is one of `symrnn.parts.DERIVED`.

        Raises:
            DerivationError: there is no such listing.
        """
        match _known(listing):
            case "equations":
                return equations_text(self.cell)
            case "jacobian":
                texts = [self.step_jacobian().text(), *(each.text() for each in self._others())]
                lines = dict.fromkeys(line for text in texts for line in text.splitlines())
                return _headed("Step Jacobians, J[output, input]", "\n".join(lines))
            case "adjoint":
                once = adjoint_text(self.preparation.adjoint, "Adjoint of what is prepared") if self.preparation else ""
                return adjoint_text(self.adjoint) + once
            case "bptt":
                return _headed("Backpropagation through time", self.recurrences.text())
            case _:
                return tape_text(self.tape, self.adjoint)

    def latex(self, listing: str) -> str:
        """A listing as LaTeX displays (amsmath), every equation under its label; ``listing`` as in `text`.

        Raises:
            DerivationError: there is no such listing.
        """
        match _known(listing):
            case "equations":
                return align(equations_rows(self.cell, self.notation) + parts_rows(self.cell, self.notation))
            case "jacobian":
                others = tuple(line for each in self._others() for line in each.lines())
                return align(tuple(dict.fromkeys(self.step_jacobian().lines() + others)))
            case "adjoint":
                once = prepared_rows(self.preparation.adjoint, self.notation)
                return align(adjoint_rows(self.adjoint, self.notation) + once)
            case "bptt":
                return align(self.recurrences.chain(self.notation, self.later) + self.recurrences.sums(self.notation))
            case _:
                return tape_latex(self.tape, self.adjoint, self.notation)

    def lecture(self) -> tuple[Section, ...]:
        """The derivation in the order of a lecture: prose and formulas, section by section."""
        return lecture(self.material)

    def document(self) -> str:
        """A complete file for ``pdflatex``: the derivation as a lecture would present it."""
        return document(self.cell, self.lecture())

    def graph(self) -> Graph:
        """The computation graph of the step."""
        given = timeless(self.cell.normal)
        carried = tuple((state, state + PRIME) for state in self.cell.states)
        return graph(self.cell.normal, given, carried, self.notation, self.cell.normal.outputs)

    def adjoint_graph(self) -> Graph:
        """The computation graph of the adjoint of the step, from what arrives at its end to its input and its start."""
        given = (*self.tape, *timeless(self.cell.normal))
        carried = tuple((each.arrives, each.returned) for each in self.recurrences.carried if each.returned)
        weights = {item.label for item in self.recurrences.gradients}
        outputs = [name for name in self.adjoint.outputs if self.adjoint.definition[name].label not in weights]
        return graph(self.adjoint, given, carried, self.notation, outputs)

    @cached_property
    def material(self) -> Material:
        """What the lecture is made of."""
        return Material(
            cell=self.cell,
            notation=self.notation,
            later=self.later,
            final=notation_of(self.cell, self.adjoint, "T", "T-1"),
            adjoint=self.adjoint,
            recurrences=self.recurrences,
            tape=self.tape,
            slopes=self._slopes,
            step=self.step_jacobian(),
            inputs=self.jacobians(Role.INPUT),
            parameters=self.jacobians(Role.PARAMETER),
            preparation=self.preparation,
        )

    @cached_property
    def later(self) -> Notation:
        """How names of the next step, t + 1, are written."""
        return notation_of(self.cell, self.adjoint, "t+1", "t")

    def _repr_latex_(self) -> str:
        return "\n".join(self.latex(listing) for listing in DERIVED)

    def _repr_html_(self) -> str:
        """The lecture without its appendix."""
        parts = [section_html(section) for section in self.lecture() if not section.appendix]
        return f"<h3>{escape(self.cell.title or self.cell.name)}</h3>{''.join(parts)}"

    def _others(self) -> tuple[Jacobian, ...]:
        """The Jacobians by inputs and parameters."""
        return self.jacobians(Role.INPUT) + self.jacobians(Role.PARAMETER)

    @cached_property
    def _slopes(self) -> Slopes:
        return slopes_of(self.cell.normal)


def derive(cell: CellLike) -> Derivation:
    """Every derivative of the step of ``cell``.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
    """
    cell = load(cell)
    backward, forward = adjoint(cell.normal), tangent(cell.normal)
    dot = {variable.of: variable.name for variable in forward.variables if variable.of}
    preparation = preparation_of(cell.preparation, dot)
    return Derivation(
        cell=cell,
        adjoint=backward,
        tangent=forward,
        recurrences=recurrences(cell, backward),
        tape=tape_of(cell, backward, timeless(cell.normal)),
        notation=notation_of(cell, backward),
        preparation=preparation,
    )


def _known(listing: str) -> str:
    if listing not in DERIVED:
        raise DerivationError(f"unknown listing {listing!r}{nearest(listing, DERIVED)}; choose {', '.join(DERIVED)}")
    return listing


def _headed(heading: str, text: str) -> str:
    return "\n".join([heading, *(f"  {line}" for line in text.splitlines())]) + "\n"
