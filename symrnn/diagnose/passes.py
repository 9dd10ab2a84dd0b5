"""Runs a backward pass: the adjoint of a step, chained over steps and summed, in many variants at once.

Reads a `Model` and a sample; returns gradients by the name of what they belong to. A *lane* is the model with some
right sides replaced. Lanes run side by side, in arrays with an axis in front, ``(lanes, B, size)``; values that no
replaced equation reaches stay ``(B, size)`` and are computed once. Leaves out: what is compared with what
(`symrnn.diagnose.compare`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.clipping import clipped, shrunk_together
from symrnn.diagnose.model import Aspect, Edit, Model, Setting
from symrnn.diagnose.sample import Sample
from symrnn.language.system import Equation, Role
from symrnn.language.tree import Expression, names

Lane = tuple[Edit, ...]
"""Right sides replaced."""


def gradients(model: Model, sample: Sample) -> dict[str, Array]:
    """The gradients of a pass by the name of what they belong to; of ``x`` at every step where there are several."""
    return _Pass(model, sample, ()).run().arrays


@dataclass(frozen=True)
class Computed:
    """The results of lanes.

    Attributes:
        arrays: gradients by name, with an axis of lanes in front where they differ.
        laned: whose gradients have that axis.
        odd: lanes whose gradients have other shapes than the model's; their numbers mean nothing here.
    """

    arrays: dict[str, Array]
    laned: frozenset[str]
    odd: frozenset[int]


def lanes(model: Model, sample: Sample, changes: Sequence[Lane], whole: bool = True) -> Computed:
    """The gradients of ``model`` with each of ``changes``.

    Args:
        model: what is changed; it clips nothing.
        sample: what it runs on.
        changes: one lane each, at least one.
        whole: False takes only the first step of the pass, and computes only the gradients of inputs.
    """
    side_by_side = _Pass(model, sample, changes)
    return side_by_side.run() if whole else side_by_side.first()


def first_step(model: Model, sample: Sample) -> int:
    """The step that a pass over several takes first."""
    return next(_Pass(model, sample, ()).order())


@dataclass(frozen=True)
class Step:
    """A step of a pass.

    Attributes:
        t: its number.
        arriving: the adjoint's inputs.
        values: all values that it reads or computes, except gradients of parameters.
        carried: the gradients passed to the step before it, by state.
    """

    t: int
    arriving: Mapping[str, Array]
    values: Mapping[str, Array]
    carried: Mapping[str, Array]


class Sums:
    """A pass whose steps have run; its sums over rows and steps can be taken in several ways."""

    def __init__(self, model: Model, sample: Sample) -> None:
        self._model, self._sample = model, sample
        self._taken = tuple(_Pass(model, sample, ()).steps())

    def again(self, settings: Iterable[Setting]) -> dict[str, Array]:
        """The gradients of the parameters that ``settings`` name; the settings are about rows and steps."""
        again = _Pass(self._model.with_changes((), settings), self._sample, ())
        return {name: again.total(name, self._taken) for name in dict.fromkeys(each.name for each in settings)}


class _OneLane(Mapping[str, Array]):
    """The values of one lane; a value with three axes has an axis of lanes."""

    def __init__(self, values: Mapping[str, Array], lane: int) -> None:
        self._values, self._lane = values, lane

    def __getitem__(self, name: str) -> Array:
        value = self._values[name]
        return value[self._lane] if value.ndim == 3 else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Pass:
    """Runs the steps of a pass, each with the gradients that the one before it passed on."""

    def __init__(self, model: Model, sample: Sample, changes: Sequence[Lane]) -> None:
        self._model, self._sample, self._rows = model, sample, sample.rows
        self._count = len(changes)
        self._changed: dict[str, list[tuple[int, Expression]]] = {}
        self._odd: set[int] = set()
        for lane, edits in enumerate(changes):
            for edit in edits:
                self._changed.setdefault(edit.label, []).append((lane, edit.expression))

    def run(self) -> Computed:
        taken = tuple(self.steps())
        totals = {each.name: self.total(each.name, taken) for each in self._model.cell.trainable}
        states = {state: self._initial(state, taken) for state in self._model.cell.states}
        inputs = {each.name: self._over_time(each.name, taken) for each in self._model.cell.of_role(Role.INPUT)}
        return self._computed(self._clipped(totals, states | inputs), self._sample.whole)

    def first(self) -> Computed:
        """The gradients of inputs at the step that is taken first; it depends on no other."""
        step = next(self.steps())
        inputs = (variable.name for variable in self._model.cell.of_role(Role.INPUT))
        return self._computed({name: self._value(name, step.values) for name in inputs}, over_time=False)

    def steps(self) -> Iterator[Step]:
        """The steps one after the other, the last of the sequence first."""
        carried = self._start()
        for t in self.order():
            arriving = self._arriving(t, carried)
            values = self._stepped(t, arriving)
            carried = {state: self._handed(state, values, arriving) for state in self._model.cell.states}
            yield Step(t, arriving, values, carried)

    def total(self, name: str, taken: Sequence[Step]) -> Array:
        """The gradient of a parameter, over rows and steps."""
        model, total = self._model, None
        choice = model.choice(Aspect.STEPS, name)
        form, bounds = model.clip(Aspect.CLIPPED_PART, name)
        for step in taken if name in model.returned else ():
            if choice == "first taken" and total is not None:
                break
            part = self._part(name, step.values)
            part = clipped(part, form, bounds) if form else part
            total = part if total is None or choice == "last taken" else total + part
        if total is None:
            return np.zeros(tuple(self._rows.sizes[size] for size in model.cell.by_name[name].shape))
        return total / len(self._sample.steps) if choice == "mean" else total

    def _computed(self, result: dict[str, Array], over_time: bool) -> Computed:
        """Whether ``value`` has the axis of lanes, which values computed once do not have."""
        inputs = [variable.name for variable in self._model.cell.of_role(Role.INPUT)]
        axes = {name: self._axes(name) + (over_time and name in inputs) for name in result}
        laned = [name for name, value in result.items() if self._count and value.ndim > axes[name]]
        origin = {name: self._model.choice(Aspect.RENAMED, name) or name for name in result}
        arrays = {name: result[origin[name]] for name in result}
        return Computed(arrays, frozenset(name for name in result if origin[name] in laned), frozenset(self._odd))

    def _axes(self, name: str) -> int:
        """The number of axes of the gradient of ``name`` at one step."""
        variable = self._model.cell.by_name[name]
        if variable.role is not Role.PARAMETER:
            return 1 + len(variable.shape)  # the rows
        kept = {"kept": 1, "axis": 1}.get(self._model.choice(Aspect.ROWS, name), 0)
        return kept + len(variable.shape)

    def _stepped(self, t: int, arriving: Mapping[str, Array]) -> dict[str, Array]:
        """All values that step ``t`` computes, except gradients of parameters."""
        values = {**self._sample.frames[t], **arriving}
        for equation in self._model.adjoint.equations:
            if equation.target not in self._model.of_parameters:
                value = self._assigned(equation, values)
                form, bounds = self._model.clip(Aspect.CLIPPED_VALUE, equation.target)
                values[equation.target] = clipped(value, form, bounds) if form else value
        return values

    def _assigned(self, equation: Equation, values: Mapping[str, Array]) -> Array:
        size = self._model.adjoint.size(equation.target)
        value = self._rows.assign(equation.expression, size, values)
        changed = self._changed.get(equation.label)
        if not changed:
            return value
        value = np.array(np.broadcast_to(value, (self._count, *value.shape[-2:])))
        for lane, expression in changed:
            value[lane] = self._rows.assign(expression, size, _OneLane(values, lane))
        return value

    def order(self) -> Iterator[int]:
        """The steps in the order in which they are taken."""
        count = len(self._sample.steps)
        left_out = {"first": 0, "last": count - 1}.get(self._model.choice(Aspect.SKIPPED), count)
        steps = range(count)
        for t in steps if self._model.choice(Aspect.ORDER) == "forwards" else reversed(steps):
            if t != left_out:
                yield t

    def _start(self) -> dict[str, Array]:
        """The gradients that the first step receives."""
        given = self._sample.dstate
        return {
            state: np.zeros_like(value) if self._model.choice(Aspect.FINAL, state) == "none" else value
            for state, value in given.items()
        }

    def _arriving(self, t: int, carried: Mapping[str, Array]) -> dict[str, Array]:
        """The adjoint's inputs at step ``t``."""
        model = self._model
        result = {model.arrives[state]: self._taken(state, value) for state, value in carried.items()}
        for output in model.cell.returned:
            loss, onto = self._loss(t, output), model.arrives[model.choice(Aspect.ONTO) or output]
            if onto not in result:  # an output that is no state: nothing else arrives there
                shape = self._rows.count, self._rows.sizes[model.cell.size(output)]
                result[onto] = np.zeros(shape) if loss is None else loss
            elif loss is not None:
                result[onto] = result[onto] + loss
        for name, value in result.items():
            form, bounds = model.clip(Aspect.CLIPPED_VALUE, name)
            result[name] = clipped(value, form, bounds) if form else value
        return result

    def _taken(self, state: str, value: Array) -> Array:
        """The gradients that a step receives from the one after it."""
        form, bounds = self._model.clip(Aspect.CLIPPED_HANDED, state)
        return clipped(value, form, bounds) if form else value

    def _loss(self, t: int, output: str) -> Array | None:
        """The part of ``dy``, the gradient of an output, that is added at step ``t``; zero if there is none."""
        dys, choice = self._sample.dys, self._model.choice(Aspect.LOSS)
        if dys is None or choice == "none":
            return None
        given = dys[output]
        last = len(given) - 1
        if (choice == "last alone" and t < last) or (choice == "all but the last" and t == last):
            return None
        places = {"earlier": t - 1, "later": t + 1 if t < last else -1, "mirrored": last - t, "first": 0, "last": last}
        value: Array = given[places.get(choice, t)]
        form, bounds = self._model.clip(Aspect.CLIPPED_LOSS)
        return clipped(value, form, bounds) if form else value

    def _handed(self, state: str, values: Mapping[str, Array], arriving: Mapping[str, Array]) -> Array:
        """The gradients that the step passes to the one before it."""
        choice = self._model.choice(Aspect.CARRY, state)
        match choice:
            case "none":
                return np.zeros_like(self._sample.dstate[state])
            case "stale" | "unchanged":
                return self._start()[state]
            case "accumulated":
                return self._value(state, values) + arriving[self._model.arrives[state]]
            case "arrived":
                return arriving[self._model.arrives[state]]
            case _:
                return self._value(choice.removeprefix("of ") or state, values)

    def _initial(self, state: str, taken: Sequence[Step]) -> Array:
        """The returned gradient of a state before the first step."""
        if not taken:
            return self._start()[state]
        last = taken[-1]
        if self._model.choice(Aspect.INITIAL, state) == "arrives":
            return last.arriving[self._model.arrives[state]]
        if self._model.choice(Aspect.CARRY, state) in ("none", "stale"):
            return self._value(state, last.values)
        return last.carried[state]

    def _value(self, name: str, values: Mapping[str, Array]) -> Array:
        """The adjoint of a state or an input; zero if nothing reaches it."""
        if name in self._model.returned:
            return values[self._model.returned[name]]
        return np.zeros((self._rows.count, self._rows.sizes[self._model.cell.size(name)]))

    def _part(self, name: str, values: Mapping[str, Array]) -> Array:
        """The contribution of one step to the gradient of a parameter."""
        equation = self._model.adjoint.definition[self._model.returned[name]]
        value = self._row_sum(name, equation.expression, values)
        changed = self._changed.get(equation.label)
        if not changed:
            return value
        laned = any(values[each].ndim == 3 for each in names(equation.expression) if each in values)
        one = value.shape[1:] if laned else value.shape
        value = np.array(np.broadcast_to(value, (self._count, *one)))
        for lane, expression in changed:
            part = self._row_sum(name, expression, _OneLane(values, lane))
            if part.shape == one:
                value[lane] = part
            else:
                self._odd.add(lane)
        return value

    def _row_sum(self, name: str, node: Expression, values: Mapping[str, Array]) -> Array:
        """The contribution of the rows of one step to the gradient of a parameter; each row contributes ``node``."""
        shape = self._model.cell.by_name[name].shape
        rows = -1 - len(shape)
        match self._model.choice(Aspect.ROWS, name):
            case "":
                return self._rows.total(node, shape, values)
            case "mean":
                return self._rows.total(node, shape, values) / self._rows.count
            case "units":
                units: Array = self._rows.contribution(node, shape, values).sum(axis=-1)
                return units
            case "axis":
                return self._rows.total(node, shape, values)[..., np.newaxis, :]
            case "first" | "last" as choice:
                contribution = self._rows.contribution(node, shape, values)
                row: Array = np.take(contribution, 0 if choice == "first" else -1, axis=rows)
                return row
            case _:
                return self._rows.contribution(node, shape, values)

    def _clipped(self, totals: dict[str, Array], others: Mapping[str, Array]) -> dict[str, Array]:
        """Gradients as they are returned: those of parameters, and the others."""
        result = {}
        for name, value in (totals | dict(others)).items():
            form, bounds = self._model.clip(Aspect.CLIPPED_RETURNED, name)
            result[name] = clipped(value, form, bounds) if form else value
        form, bounds = self._model.clip(Aspect.CLIPPED_TOGETHER)
        return result | shrunk_together({name: result[name] for name in totals}, form, bounds) if form else result

    def _over_time(self, name: str, taken: Sequence[Step]) -> Array:
        found = {step.t: self._value(name, step.values) for step in taken}
        if not self._sample.whole:
            return found[0]
        zero = np.zeros((self._rows.count, self._rows.sizes[self._model.cell.size(name)]))
        steps = range(len(self._sample.steps))
        each = [found.get(t, zero) for t in steps]
        match self._model.choice(Aspect.INPUTS, name):
            case "mirrored":
                each = each[::-1]
            case "accumulated":
                each = [sum(each[t + 1 :], start=each[t]) for t in steps]
            case _:
                pass
        shape = np.broadcast_shapes(*(value.shape for value in each))
        return np.stack([np.broadcast_to(value, shape) for value in each], axis=-3)
