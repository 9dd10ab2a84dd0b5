"""What a mistake changes in the derivation: each derived line beside the line that gives the person's numbers.

Reads a mistake and the model that it was found in; returns `Change` records. Leaves out: the report around them
(`symrnn.diagnose.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from symrnn.derive.bptt import Recurrence, recurrences
from symrnn.diagnose.clipping import ENTRIES, ROWS
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Aspect, Model, Setting
from symrnn.diagnose.scales import written
from symrnn.diagnose.search import Found
from symrnn.language.cell import Cell
from symrnn.language.system import Equation
from symrnn.language.text import to_text


@dataclass(frozen=True)
class Change:
    """One line of an explanation: the derived one, and what reproduces the person's numbers."""

    label: str
    derived: str
    yours: str


def changes(cell: Cell, derived: Model, found: Found, mistake: Mistake) -> tuple[Change, ...]:
    """The lines that ``mistake`` changes.

    Args:
        cell: whose derivation it is.
        derived: the pass without any mistake.
        found: the explanation that the mistake is part of.
        mistake: one of the mistakes that explain equally well.
    """
    lines = _Lines(cell, derived)
    return (*lines.edited(found, mistake), *lines.chained(mistake))


class _Lines:
    def __init__(self, cell: Cell, model: Model) -> None:
        self.cell, self.model = cell, model

    def edited(self, found: Found, mistake: Mistake) -> Iterator[Change]:
        """The lines of the step, equation by equation."""
        equations = {equation.label: equation for equation in found.model.adjoint.equations}
        for edit in mistake.edits:
            equation = equations[edit.label]
            derived, yours = (to_text(each) for each in (equation.expression, edit.expression))
            yield Change(edit.label, f"{equation.target} = {derived}", f"{equation.target} = {yours}")

    def chained(self, mistake: Mistake) -> Iterator[Change]:
        """The lines of the chain around the equations, setting by setting."""
        for setting in mistake.settings:
            match setting.aspect:
                case Aspect.ROWS | Aspect.STEPS:
                    yield self._sum(setting.name, setting.aspect, setting.choice)
                case Aspect.CARRY if setting.choice in self._others:
                    text = f"it has what step t + 1 hands back to {self._others[setting.choice]}"
                    yield Change("", str(self._arrives(setting.name)), text)
                case Aspect.CARRY | Aspect.FINAL:
                    text = _CHAIN[setting.aspect, setting.choice].format(state=setting.name)
                    yield Change("", str(self._arrives(setting.name)), text)
                case Aspect.LOSS:
                    text = _CHAIN[setting.aspect, setting.choice].format(state=self.cell.output)
                    yield Change("", str(self._arrives(self.cell.output)), text)
                case Aspect.RENAMED:
                    equation, other = (self._returned(name) for name in (setting.name, setting.choice))
                    yield Change(equation.label, line(equation), f"{equation.target} = {to_text(other.expression)}")
                case Aspect.ONTO:
                    text = f"dloss_t/d{self.cell.output}_t stands in {self.model.arrives[setting.choice]}"
                    yield Change("", str(self._arrives(self.cell.output)), text)
                case Aspect.INPUTS | Aspect.INITIAL | Aspect.ORDER | Aspect.SKIPPED:
                    right, wrong = _PASS[setting.aspect, setting.choice]
                    yield Change("", right.format(name=setting.name), wrong.format(name=setting.name))
                case _:
                    yield self._clipped(setting)

    @cached_property
    def _others(self) -> Mapping[str, str]:
        return {f"of {state}": state for state in self.cell.states}

    def _arrives(self, state: str) -> Recurrence:
        """The recurrence of what arrives at a step as the gradient of ``state``."""
        lines = recurrences(self.cell, self.model.adjoint).handed()
        return next(line for line in lines if line.of == state)

    def _clipped(self, setting: Setting) -> Change:
        name, cut = setting.name, partial(_cut, setting)
        match setting.aspect:
            case Aspect.CLIPPED_RETURNED:
                label = self._returned(name).label if name in self.model.returned else ""
                return Change(label, f"{gradient(name)} is returned", f"{cut(gradient(name))} is returned")
            case Aspect.CLIPPED_PART:
                equation = self._returned(name)
                what, text = f"{gradient(name)} = the sum over the steps of ", to_text(equation.expression)
                return Change(equation.label, what + text, what + cut(text))
            case Aspect.CLIPPED_VALUE if name in self.model.adjoint.definition:
                equation = self.model.adjoint.definition[name]
                return Change(equation.label, line(equation), f"{name} = {cut(to_text(equation.expression))}")
            case Aspect.CLIPPED_TOGETHER:
                text = "the gradients of all parameters"
                return Change("", text, cut(text))
            case Aspect.CLIPPED_LOSS:
                text = f"dloss_t/d{self.cell.output}_t"
                return Change("", text, cut(text))
            case _:
                state = name if setting.aspect is Aspect.CLIPPED_HANDED else self._arriving[name]
                derived = self._arrives(state)
                handed = f"d{state} of step t + 1"
                yours = f"… {cut(handed)}" if setting.aspect is Aspect.CLIPPED_HANDED else cut(derived.right)
                return Change("", str(derived), f"{derived.left} = {yours}")

    @cached_property
    def _arriving(self) -> Mapping[str, str]:
        return {arrives: state for state, arrives in self.model.arrives.items()}

    def _sum(self, name: str, aspect: Aspect, choice: str) -> Change:
        equation = self._returned(name)
        over = "rows" if aspect is Aspect.ROWS else "steps"
        text = to_text(equation.expression)
        return Change(
            equation.label,
            f"{gradient(name)} = the sum over the {over} of {text}",
            f"{gradient(name)} = {_SUMS[choice].format(over=over)} {text}",
        )

    def _returned(self, name: str) -> Equation:
        """The equation that computes the gradient of ``name``."""
        return self.model.adjoint.definition[self.model.returned[name]]


def _cut(setting: Setting, text: str) -> str:
    """``text`` clipped."""
    low, high = (written(bound).text for bound in setting.bounds)
    if setting.choice == ENTRIES:
        return f"clip({text}, {low}, {high})"
    return f"shrunk to the norm {high}{', row by row' if setting.choice == ROWS else ''}: {text}"


_SUMS = {
    "mean": "the mean over the {over} of",
    "units": "the sum over the units of",
    "kept": "for each row,",
    "axis": "with an axis of length 1 in front, the sum over the {over} of",
    "first": "of the first row alone,",
    "last": "of the last row alone,",
    "first taken": "of step T - 1 alone,",
    "last taken": "of step 0 alone,",
}
_CHAIN = {
    (Aspect.CARRY, "none"): "what step t + 1 hands back to {state} is not in it (at t = T: dL/d{state}_T)",
    (Aspect.CARRY, "stale"): "it has dL/d{state}_T at every t in place of what step t + 1 hands back",
    (Aspect.CARRY, "unchanged"): "it has dL/d{state}_T at every t in place of what step t + 1 hands back",
    (Aspect.CARRY, "accumulated"): "it keeps what step t + 1 received, beside what that step hands back to {state}",
    (Aspect.CARRY, "arrived"): "it has what arrived at step t + 1 in place of what that step hands back to {state}",
    (Aspect.FINAL, "none"): "dL/d{state}_T is not in it at t = T",
    (Aspect.LOSS, "none"): "dloss_t/d{state}_t is not in it",
    (Aspect.LOSS, "last alone"): "dloss_t/d{state}_t is in it at t = T alone",
    (Aspect.LOSS, "earlier"): "it has dloss_(t-1)/d{state}_(t-1) in place of dloss_t/d{state}_t",
    (Aspect.LOSS, "later"): "it has dloss_(t+1)/d{state}_(t+1) in place of dloss_t/d{state}_t",
    (Aspect.LOSS, "mirrored"): "it has dloss/d{state} of the mirrored step, T + 1 - t, in place of dloss_t/d{state}_t",
    (Aspect.LOSS, "first"): "it has dloss_1/d{state}_1 at every t in place of dloss_t/d{state}_t",
    (Aspect.LOSS, "last"): "it has dloss_T/d{state}_T at every t in place of dloss_t/d{state}_t",
    (Aspect.LOSS, "all but the last"): "dloss_t/d{state}_t is not in it at t = T",
}
_PASS = {
    (Aspect.ORDER, "forwards"): ("for t = T, ..., 1", "for t = 1, ..., T"),
    (Aspect.SKIPPED, "first"): ("for t = T, ..., 1", "the first of them is left out"),
    (Aspect.SKIPPED, "last"): ("for t = T, ..., 1", "the last of them is left out"),
    (Aspect.INPUTS, "mirrored"): ("dL/d{name}[t] is of step t", "dL/d{name}[t] is of step T + 1 - t"),
    (Aspect.INPUTS, "accumulated"): ("dL/d{name}[t] is of step t", "dL/d{name}[t] is the sum over the steps t, ..., T"),
    (Aspect.INITIAL, "arrives"): ("dL/d{name}_0 is what step 1 hands back", "dL/d{name}_0 is what arrives at step 1"),
}


def gradient(name: str) -> str:
    """A gradient as reports write it."""
    return f"dL/d{name}"


def line(equation: Equation) -> str:
    """An equation as reports write it."""
    return f"{equation.target} = {to_text(equation.expression)}"
