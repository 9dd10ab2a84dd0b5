"""`Model`: a backward pass, right or with mistakes.

The adjoint's equations, and the wrong choices in the chain around them. Leaves out: how
it is computed (`symrnn.diagnose.passes`), and which mistakes there are (`symrnn.diagnose.mistakes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from symrnn.derive.bptt import recurrences
from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role, System
from symrnn.language.tree import Expression, names


class Aspect(StrEnum):
    """An aspect of the chain around the equations of a step that may be wrong for one parameter, state or input."""

    ROWS = "rows"
    STEPS = "steps"
    CARRY = "carry"
    LOSS = "loss"
    ONTO = "onto"
    FINAL = "final"
    ORDER = "order"
    SKIPPED = "skipped"
    INPUTS = "inputs"
    INITIAL = "initial"
    RENAMED = "renamed"
    CLIPPED_RETURNED = "clipped as returned"
    CLIPPED_PART = "clipped part"
    CLIPPED_TOGETHER = "clipped together"
    CLIPPED_VALUE = "clipped value"
    CLIPPED_HANDED = "clipped as handed"
    CLIPPED_LOSS = "clipped loss"


Bounds = tuple[float, float]
"""The bounds of clipping."""


@dataclass(frozen=True)
class Setting:
    """A choice other than the right one, for one aspect and one name (empty where it concerns the whole pass).

    Attributes:
        aspect: the part of the chain.
        name: a parameter, a state or an input; where a value of the step is clipped, its name in the adjoint.
        choice: the choice.
        bounds: of clipping; a length has only an upper bound.
    """

    aspect: Aspect
    name: str
    choice: str
    bounds: Bounds = (0.0, 0.0)


@dataclass(frozen=True)
class Edit:
    """Another right side for the equation ``label``."""

    label: str
    expression: Expression


@dataclass(frozen=True)
class Model:
    """What a backward pass computes.

    Attributes:
        cell: whose gradients.
        adjoint: the equations of a step, derived or with a mistake in them.
        settings: choices other than the right one.
    """

    cell: Cell
    adjoint: System
    settings: tuple[Setting, ...] = ()

    def with_changes(self, edits: Iterable[Edit], settings: Iterable[Setting]) -> Model:
        """This model with equations replaced and choices made."""
        changed = {edit.label: edit.expression for edit in edits}
        equations = tuple(
            replace(each, expression=changed[each.label]) if each.label in changed else each
            for each in self.adjoint.equations
        )
        return Model(self.cell, replace(self.adjoint, equations=equations), (*self.settings, *settings))

    def choice(self, aspect: Aspect, name: str = "") -> str:
        """The choice; empty for the right one."""
        return self._choices.get((aspect, name), "")

    def clip(self, aspect: Aspect, name: str = "") -> tuple[str, Bounds]:
        """The form and bounds of clipping; None if there is none."""
        setting = self._set.get((aspect, name))
        return (setting.choice, setting.bounds) if setting else ("", (0.0, 0.0))

    @cached_property
    def _set(self) -> Mapping[tuple[Aspect, str], Setting]:
        return {(each.aspect, each.name): each for each in self.settings}

    @cached_property
    def _choices(self) -> Mapping[tuple[Aspect, str], str]:
        return {(each.aspect, each.name): each.choice for each in self.settings}

    @cached_property
    def returned(self) -> Mapping[str, str]:
        """The adjoint's outputs by what they belong to, without values that reach no output of the step."""
        return {self.adjoint.by_name[output].of: output for output in self.adjoint.outputs}

    @cached_property
    def arrives(self) -> Mapping[str, str]:
        """The adjoint's inputs by state, and by output that is no state."""
        found = recurrences(self.cell, self.adjoint)
        arriving = {each.state: each.arrives for each in found.carried}
        return arriving | {each.output: each.arrives for each in found.read}

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Names whose gradients a backward pass returns: parameters that are not fixed, states, inputs."""
        inputs = (variable.name for variable in self.cell.of_role(Role.INPUT) if variable.gradient)
        return (*(parameter.name for parameter in self.cell.trainable), *self.cell.states, *inputs)

    @cached_property
    def of_parameters(self) -> frozenset[str]:
        """The adjoint's outputs that belong to parameters."""
        return frozenset(self.returned[each.name] for each in self.cell.parameters if each.name in self.returned)

    @cached_property
    def readers(self) -> Mapping[str, tuple[Equation, ...]]:
        """The adjoint's equations by the names that they read."""
        found: dict[str, list[Equation]] = {}
        for equation in self.adjoint.equations:
            for name in names(equation.expression):
                found.setdefault(name, []).append(equation)
        return {name: tuple(equations) for name, equations in found.items()}

    def downstream(self, labels: Iterable[str]) -> tuple[Equation, ...]:
        """The equations of the step that follow from those of ``labels``, themselves included, in order."""
        found = set(labels)
        targets = {equation.target for equation in self.adjoint.equations if equation.label in found}
        after = []
        for equation in self.adjoint.equations:
            if equation.label in found or not targets.isdisjoint(names(equation.expression)):
                targets.add(equation.target)
                after.append(equation)
        return tuple(after)

    def reach(self, labels: Iterable[str], whole: bool) -> frozenset[str]:
        """Whose gradients follow from the equations of ``labels``; through earlier steps too where ``whole``."""
        after = self.downstream(labels)
        targets = {equation.target for equation in after}
        carried = [state for state in self.cell.states if whole and self.returned.get(state) in targets]
        if carried:
            # A step passes its results to the step before it, and everything that follows there changes too.
            again = [each.label for state in carried for each in self.readers.get(self.arrives[state], ())]
            known = {equation.label for equation in after}
            if not known.issuperset(again):
                return self.reach({*known, *again}, whole)
        return frozenset(name for name, output in self.returned.items() if output in targets)
