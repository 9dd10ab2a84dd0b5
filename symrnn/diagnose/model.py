"""A backward pass as it is, or as a mistake makes it: the adjoint of a step, chained over steps and summed.

Reads the derived adjoint and a problem; returns gradients by the name of what they belong to. `Model` says what is
computed: the adjoint's equations, and for each aspect of the chain around them a choice other than the right one.
Leaves out: which mistakes there are (`symrnn.diagnose.mistakes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from symrnn.check.measure import Array
from symrnn.derive.bptt import recurrences
from symrnn.diagnose.problem import Problem
from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role, System
from symrnn.language.tree import Expression, names


class Aspect(StrEnum):
    """What surrounds the equations of a step, and may be done wrongly for one parameter, state or input."""

    ROWS = "rows"
    STEPS = "steps"
    CARRY = "carry"
    LOSS = "loss"
    FINAL = "final"
    ORDER = "order"
    SKIPPED = "skipped"
    INPUTS = "inputs"
    INITIAL = "initial"
    RENAMED = "renamed"


@dataclass(frozen=True)
class Setting:
    """A choice other than the right one, for one aspect and one name (empty where it concerns the whole pass)."""

    aspect: Aspect
    name: str
    choice: str


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
        """What was chosen; empty for the right choice."""
        return self._choices.get((aspect, name), "")

    @cached_property
    def _choices(self) -> Mapping[tuple[Aspect, str], str]:
        return {(each.aspect, each.name): each.choice for each in self.settings}

    @cached_property
    def returned(self) -> Mapping[str, str]:
        """The adjoint's outputs by what they belong to; what reaches no output of the step is not among them."""
        return {self.adjoint.by_name[output].of: output for output in self.adjoint.outputs}

    @cached_property
    def arrives(self) -> Mapping[str, str]:
        """The adjoint's inputs by state."""
        return {each.state: each.arrives for each in recurrences(self.cell, self.adjoint).carried}

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """What a backward pass returns gradients of: parameters, states, inputs."""
        inputs = (variable.name for variable in self.cell.of_role(Role.INPUT))
        return (*(parameter.name for parameter in self.cell.parameters), *self.cell.states, *inputs)

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
            # What a step hands back arrives at the step before it, and at all that follows there.
            again = [each.label for state in carried for each in self.readers.get(self.arrives[state], ())]
            known = {equation.label for equation in after}
            if not known.issuperset(again):
                return self.reach({*known, *again}, whole)
        return frozenset(name for name, output in self.returned.items() if output in targets)


def gradients(model: Model, problem: Problem) -> dict[str, Array]:
    """The gradients of a pass by the name of what they belong to; of ``x`` at every step where there are several."""
    return _Pass(model, problem).run()


@dataclass(frozen=True)
class FirstStep:
    """The step of a pass that is taken first, which nothing was handed to by another: cheap to take once more.

    Attributes:
        t: which step it is.
        values: all that it computes, gradients of parameters excepted.
    """

    model: Model
    problem: Problem
    t: int
    values: Mapping[str, Array]

    @classmethod
    def of(cls, model: Model, problem: Problem) -> FirstStep:
        """The first step of ``model`` on ``problem``."""
        single = _Pass(model, problem)
        t = next(single.order())
        values = {**problem.frames[t], **single.arriving(t, single.start())}
        single.step(model.adjoint.equations, values)
        return cls(model, problem, t, values)

    def again(self, equations: Iterable[Equation]) -> dict[str, Array]:
        """Its gradients that ``equations`` compute: those that follow from a change, with the change made.

        A gradient by a name is what the step hands back or adds; the sum over the batch is as the model takes it.
        """
        model, single = self.model, _Pass(self.model, self.problem)
        values = dict(self.values)
        result = {}
        for equation in equations:
            of = model.adjoint.by_name[equation.target].of
            if equation.target in model.of_parameters:
                result[of] = single.part(of, equation.expression, values)
                continue
            single.step((equation,), values)
            if equation.target in model.adjoint.outputs:
                result[of] = values[equation.target]
        return result


class _Pass:
    """Runs the steps of a pass, each from what the one before it handed on."""

    def __init__(self, model: Model, problem: Problem) -> None:
        self._model, self._problem = model, problem
        self._rows = problem.rows

    def run(self) -> dict[str, Array]:
        model, problem = self._model, self._problem
        totals: dict[str, Array] = {}
        inputs: dict[str, dict[int, Array]] = {variable.name: {} for variable in model.cell.of_role(Role.INPUT)}
        carried = self.start()
        arriving: dict[str, Array] = {}
        values: dict[str, Array] = {}
        for t in self.order():
            arriving = self.arriving(t, carried)
            values = {**problem.frames[t], **arriving}
            self.step(model.adjoint.equations, values)
            carried = {state: self._handed(state, values, arriving) for state in model.cell.states}
            for name, found in inputs.items():
                found[t] = self._value(name, values)
            self._add_up(totals, values)
        result = {parameter.name: self._summed(parameter.name, totals) for parameter in model.cell.parameters}
        for state in model.cell.states:
            result[state] = self._initial(state, carried, values, arriving)
        return self._named(result | {name: self._over_time(name, found) for name, found in inputs.items()})

    def step(self, equations: Iterable[Equation], values: dict[str, Array]) -> None:
        """Add the targets of ``equations`` to ``values``, gradients of parameters excepted."""
        for equation in equations:
            if equation.target not in self._model.of_parameters:
                size = self._model.adjoint.size(equation.target)
                values[equation.target] = self._rows.assign(equation.expression, size, values)

    def order(self) -> Iterator[int]:
        """The steps in the order in which they are taken."""
        count = len(self._problem.steps)
        left_out = {"first": 0, "last": count - 1}.get(self._model.choice(Aspect.SKIPPED), count)
        steps = range(count)
        for t in steps if self._model.choice(Aspect.ORDER) == "forwards" else reversed(steps):
            if t != left_out:
                yield t

    def start(self) -> dict[str, Array]:
        """What the step that is taken first is handed."""
        given = self._problem.dstate
        return {
            state: np.zeros_like(value) if self._model.choice(Aspect.FINAL, state) == "none" else value
            for state, value in given.items()
        }

    def arriving(self, t: int, carried: Mapping[str, Array]) -> dict[str, Array]:
        """The adjoint's inputs at step ``t``."""
        model, problem = self._model, self._problem
        result = {model.arrives[state]: value for state, value in carried.items()}
        if problem.dy is not None:
            output, last = model.arrives[model.cell.output], len(problem.dy) - 1
            choice = model.choice(Aspect.LOSS)
            from_step = {"earlier": t - 1, "later": t + 1 if t < last else -1, "mirrored": last - t}.get(choice, t)
            if choice != "none" and not (choice == "last alone" and t < last):
                result[output] = result[output] + problem.dy[from_step]
        return result

    def _handed(self, state: str, values: Mapping[str, Array], arriving: Mapping[str, Array]) -> Array:
        """What the step hands to the one before it."""
        match self._model.choice(Aspect.CARRY, state):
            case "none":
                return np.zeros_like(self._problem.dstate[state])
            case "stale" | "unchanged":
                return self.start()[state]
            case "accumulated":
                return self._value(state, values) + arriving[self._model.arrives[state]]
            case _:
                return self._value(state, values)

    def _initial(
        self, state: str, carried: Mapping[str, Array], values: Mapping[str, Array], arriving: Mapping[str, Array]
    ) -> Array:
        """What is returned as the gradient of a state before the first step."""
        if self._model.choice(Aspect.INITIAL, state) == "arrives" and arriving:
            return arriving[self._model.arrives[state]]
        if self._model.choice(Aspect.CARRY, state) in ("none", "stale") and values:
            return self._value(state, values)
        return carried[state]

    def _value(self, name: str, values: Mapping[str, Array]) -> Array:
        """The adjoint of a state or an input; zero where nothing reaches it."""
        if name in self._model.returned:
            return values[self._model.returned[name]]
        return np.zeros((self._rows.count, self._rows.sizes[self._model.cell.size(name)]))

    def _add_up(self, totals: dict[str, Array], values: Mapping[str, Array]) -> None:
        for parameter in self._model.cell.parameters:
            name = parameter.name
            if name not in self._model.returned:
                continue
            part = self.part(name, self._model.adjoint.definition[self._model.returned[name]].expression, values)
            choice = self._model.choice(Aspect.STEPS, name)
            if name not in totals or choice == "last taken":
                totals[name] = part
            elif choice != "first taken":
                totals[name] = totals[name] + part

    def part(self, name: str, node: Expression, values: Mapping[str, Array]) -> Array:
        """What the rows of one step add to the gradient of a parameter, each of them ``node``."""
        shape = self._model.cell.by_name[name].shape
        match self._model.choice(Aspect.ROWS, name):
            case "":
                return self._rows.total(node, shape, values)
            case "mean":
                return self._rows.total(node, shape, values) / self._rows.count
            case "units":
                units: Array = self._rows.contribution(node, shape, values).sum(axis=-1)
                return units
            case "axis":
                return self._rows.total(node, shape, values)[np.newaxis]
            case "first" | "last" as choice:
                row: Array = self._rows.contribution(node, shape, values)[0 if choice == "first" else -1]
                return row
            case _:
                return self._rows.contribution(node, shape, values)

    def _summed(self, name: str, totals: Mapping[str, Array]) -> Array:
        if name not in totals:
            shape = self._model.cell.by_name[name].shape
            return np.zeros(tuple(self._rows.sizes[size] for size in shape))
        steps = len(self._problem.steps)
        return totals[name] / steps if self._model.choice(Aspect.STEPS, name) == "mean" else totals[name]

    def _over_time(self, name: str, found: Mapping[int, Array]) -> Array:
        if self._problem.dy is None:
            return found[0]
        zero = np.zeros((self._rows.count, self._rows.sizes[self._model.cell.size(name)]))
        steps = range(len(self._problem.steps))
        mirrored = self._model.choice(Aspect.INPUTS, name) == "mirrored"
        return np.stack([found.get(t, zero) for t in (reversed(steps) if mirrored else steps)])

    def _named(self, result: dict[str, Array]) -> dict[str, Array]:
        return {name: result[self._model.choice(Aspect.RENAMED, name) or name] for name in result}
