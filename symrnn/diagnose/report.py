"""`Diagnosis`: what is right, what is wrong and why, as text in the cell's notation and as JSON.

Reads verdicts, an explanation or suspects; returns text. Leaves out: how they were found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from symrnn.derive.bptt import recurrences
from symrnn.diagnose.locate import Suspects
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Aspect, Model
from symrnn.diagnose.search import MOST_MISTAKES, Explanation, Found
from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role
from symrnn.language.text import to_text
from symrnn.language.tree import names

_MOST_EQUAL = 3
"""Equivalent alternatives that the text lists; JSON has all."""
_WIDTH = 100


@dataclass(frozen=True)
class Verdict:
    """One gradient.

    Attributes:
        name: what it is the gradient of.
        error: the largest difference, relative to the largest entry; infinite where shapes differ.
        differs: whether its numbers are wrong.
        missing: whether it was not returned.
        fault: what is wrong with it beside its numbers; may be empty.
    """

    name: str
    error: float = 0.0
    differs: bool = False
    missing: bool = False
    fault: str = ""

    @property
    def wrong(self) -> bool:
        """Whether it was returned and is not what it should be."""
        return self.differs or bool(self.fault)

    @property
    def right(self) -> bool:
        """Whether it was returned and is right."""
        return not (self.wrong or self.missing)


@dataclass(frozen=True)
class Change:
    """One line of an explanation: the derived one, and what reproduces the person's numbers."""

    label: str
    derived: str
    yours: str


@dataclass(frozen=True)
class Diagnosis:
    """What became of a person's backward pass.

    Attributes:
        cell: whose gradients.
        title: what the function is called.
        whole: whether it goes over a whole sequence.
        model: the derived backward pass.
        verdicts: one for each gradient: parameters, states, input.
        batches: on how many random problems it was run.
        explanation: the mistakes that together reproduce every number; empty where nothing is wrong, or none was found.
        suspects: where the mistake must be, where nothing explains it.
        between: whether one step comes out right and only what is between steps is wrong.
        stops: how the function stops on sizes that differ; empty where it does not.
        circumstance: where it runs, if it does not run on all sizes.
    """

    cell: Cell
    title: str
    whole: bool
    model: Model
    verdicts: tuple[Verdict, ...]
    batches: int
    explanation: Explanation = ()
    suspects: Suspects | None = None
    between: bool = False
    stops: str = ""
    circumstance: str = ""

    @property
    def right(self) -> bool:
        """Whether every gradient was returned and is right."""
        return all(verdict.right for verdict in self.verdicts)

    def __str__(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def to_json(self) -> dict[str, object]:
        """The diagnosis in values that JSON takes."""
        return {
            "function": self.title,
            "cell": self.cell.name,
            "whole": self.whole,
            "right": self.right,
            "batches": self.batches,
            "gradients": [_verdict_json(verdict) for verdict in self.verdicts],
            "mistakes": [
                {
                    **self._mistake_json(found, found.mistake),
                    "equally": [self._mistake_json(found, e) for e in found.equals],
                }
                for found in self.explanation
            ],
            "suspects": self._suspects_json(),
            "stops": self.stops or None,
            "where": self.circumstance or None,
        }

    def changes(self, found: Found, mistake: Mistake) -> tuple[Change, ...]:
        """The lines of the derivation that ``mistake`` changes in the model it was found in."""
        return (*self._edited(found, mistake), *self._chained(mistake))

    def _lines(self) -> Iterator[str]:
        what = "a whole sequence" if self.whole else "one step"
        counts = [sum(getattr(v, kind) for v in self.verdicts) for kind in ("right", "wrong", "missing")]
        words = zip(counts, ("right", "wrong", "not returned"), strict=True)
        said = ", ".join(f"{count} {word}" for count, word in words if count)
        yield f"{self.title}: {what} of {self.cell.name}, {len(self.verdicts)} gradients: {said}"
        if self.stops:
            yield ""
            yield self.stops
            yield f"It runs where {self.circumstance}; there:"
        yield ""
        yield from self._table()
        if self.explanation:
            yield from self._why()
        elif any(verdict.differs for verdict in self.verdicts):
            yield from self._unexplained()

    def _table(self) -> Iterator[str]:
        yield from _filled("  right    ", [_gradient(v.name) for v in self.verdicts if v.right])
        for verdict in self.verdicts:
            if verdict.wrong:
                size = _off(verdict.error)
                words = ", ".join(word for word in (verdict.fault, size if verdict.differs else "") if word)
                yield f"  wrong    {_gradient(verdict.name)}  {words}".rstrip()
        yield from _filled("  missing  ", [_gradient(v.name) for v in self.verdicts if v.missing])

    def _why(self) -> Iterator[str]:
        for number, found in enumerate(self.explanation, start=1):
            yield ""
            of = f" ({number} of {len(self.explanation)})" if len(self.explanation) > 1 else ""
            yield f"Why{of}: {found.mistake.kind}"
            yield from self._mistake_lines(found, found.mistake)
            yield from self._legend(found)
            yield from self._equals(found)
        count = sum(not verdict.missing for verdict in self.verdicts)
        yield ""
        both = "this" if len(self.explanation) == 1 else "these"
        yield (
            f"With {both}, the derived equations give all {count} of your gradients, on {self.batches} random batches."
        )

    def _mistake_lines(self, found: Found, mistake: Mistake) -> Iterator[str]:
        indent = "  "
        yield f"{indent}{mistake.detail}"
        changes = self.changes(found, mistake)
        wide = max(len(change.label) for change in changes) + 2
        for change in changes:
            label = f"({change.label})" if change.label else ""
            yield f"{indent}{'derived':8} {label:{wide}}  {change.derived}"
            yield f"{indent}{'yours':8} {'':{wide}}  {change.yours}"

    def _equals(self, found: Found) -> Iterator[str]:
        """Other changes that give the same numbers: the first line of each, the simplest first."""
        lines = dict.fromkeys([self.changes(found, each) for each in (found.mistake, *found.equals)])
        others = list(lines)[1:]
        if not others:
            return
        yield "  The same numbers come from"
        for first, *rest in others[:_MOST_EQUAL]:
            more = f" (and {len(rest)} more lines likewise)" if rest else ""
            label = f"({first.label}) " if first.label else ""
            yield f"    {label}{first.yours}{more}"
        if len(others) > _MOST_EQUAL:
            left = len(others) - _MOST_EQUAL
            yield f"    and {left} other change{'s'[: left > 1]}, which --json lists"

    def _edited(self, found: Found, mistake: Mistake) -> Iterator[Change]:
        equations = {equation.label: equation for equation in found.model.adjoint.equations}
        for edit in mistake.edits:
            equation = equations[edit.label]
            derived, yours = (to_text(each) for each in (equation.expression, edit.expression))
            yield Change(edit.label, f"{equation.target} = {derived}", f"{equation.target} = {yours}")

    def _chained(self, mistake: Mistake) -> Iterator[Change]:
        chain = recurrences(self.cell, self.model.adjoint)
        lines = [line.strip() for line in chain.text().splitlines()]
        for setting in mistake.settings:
            match setting.aspect:
                case Aspect.ROWS | Aspect.STEPS:
                    yield self._sum(setting.name, setting.aspect, setting.choice)
                case Aspect.CARRY | Aspect.FINAL:
                    (line,) = (line for line in lines if line.startswith(f"{self.model.arrives[setting.name]} = "))
                    yield Change("", line, _CHAIN[setting.aspect, setting.choice].format(state=setting.name))
                case Aspect.LOSS:
                    state = self.cell.output
                    (line,) = (line for line in lines if line.startswith(f"{self.model.arrives[state]} = "))
                    yield Change("", line, _CHAIN[setting.aspect, setting.choice].format(state=state))
                case Aspect.RENAMED:
                    equation, other = (self._returned(name) for name in (setting.name, setting.choice))
                    yield Change(equation.label, _line(equation), f"{equation.target} = {to_text(other.expression)}")
                case _:
                    right, wrong = _PASS[setting.aspect]
                    yield Change(
                        "", right.format(name=setting.name), wrong.format(name=setting.name, choice=setting.choice)
                    )

    def _sum(self, name: str, aspect: Aspect, choice: str) -> Change:
        equation = self._returned(name)
        over = "rows" if aspect is Aspect.ROWS else "steps"
        text = to_text(equation.expression)
        return Change(
            equation.label,
            f"{_gradient(name)} = the sum over the {over} of {text}",
            f"{_gradient(name)} = {_SUMS[choice].format(over=over)} {text}",
        )

    def _returned(self, name: str) -> Equation:
        """The equation that computes the gradient of ``name``."""
        return self.model.adjoint.definition[self.model.returned[name]]

    def _legend(self, found: Found) -> Iterator[str]:
        """What the derivation's own names in an explanation stand for, and the author's equations behind it."""
        labels = found.mistake.labels
        equations = [equation for equation in found.model.adjoint.equations if equation.label in labels]
        edits = [edit.expression for edit in found.mistake.edits]
        used = dict.fromkeys(name for node in (*(e.expression for e in equations), *edits) for name in names(node))
        lines = [*(f"({each.label}) {_line(each)}" for each in self._origins(equations))]
        lines += [text for name in [*(e.target for e in equations), *used] if (text := self._meaning(name))]
        for line in dict.fromkeys(lines):
            yield f"  where    {line}" if line == lines[0] else f"           {line}"

    def _origins(self, equations: Iterable[Equation]) -> Iterator[Equation]:
        wanted = {equation.origin for equation in equations}
        parents = {each.origin for each in self.cell.normal.equations if each.label in wanted}
        yield from (each for each in self.cell.equations if each.label in parents | wanted)

    def _meaning(self, name: str) -> str:
        """What a name of the derivation stands for; nothing for the author's own, and for plain ``dname``."""
        if name in self._parts:
            return f"{name} = {to_text(self._parts[name].expression)}"
        variable = self.model.adjoint.by_name.get(name)
        if variable is None or variable.role is not Role.ADJOINT:
            return ""
        if name in self.model.adjoint.inputs:
            return f"{name} is dL/d{variable.of} as it arrives from outside the step"
        if variable.of:
            return f"{name} is dL/d{variable.of}" if name != f"d{variable.of}" else ""
        origin = self.model.adjoint.definition[name].origin
        return f"{name} is the gradient inside ({origin})"

    @cached_property
    def _parts(self) -> dict[str, Equation]:
        return {e.target: e for e in self.cell.normal.equations if e.target not in self.cell.by_name}

    def _unexplained(self) -> Iterator[str]:
        yield ""
        yield f"No mistake that is tried gives these numbers, nor up to {MOST_MISTAKES} of them together."
        if self.between:
            yield "A sequence of one step comes out right, so the equations of the step are right: what is wrong lies"
            yield "between the steps. The derived recurrences are"
            for line in recurrences(self.cell, self.model.adjoint).text().splitlines():
                if line.startswith("  ") and " = " in line and "sum over t" not in line:
                    yield f"  {line.strip()}"
        if self.suspects is None:
            return
        if self.suspects.right:
            labels = [f"({equation.label})" for equation in self.suspects.right]
            yield "Right, since right gradients follow from them:"
            yield from _filled("  ", labels)
        if self.suspects.alone:
            yield "If one equation alone is wrong, it is one of these; the first is where to look first:"
            yield from self._equations(self.suspects.alone)
        elif self.suspects.first:
            yield "No one equation makes wrong just what is wrong. The first equations that may be wrong:"
            yield from self._equations(self.suspects.first)
        yield "Yet several equations at once may be wrong in the same way, by a value that they share; then it is any of"
        yield "those that are not right by the above."

    def _equations(self, equations: Sequence[Equation]) -> Iterator[str]:
        wide = max(len(equation.label) for equation in equations) + 2
        yield from (f"  {f'({equation.label})':{wide}}  {_line(equation)}" for equation in equations)

    def _mistake_json(self, found: Found, mistake: Mistake) -> dict[str, object]:
        return {
            "kind": str(mistake.kind),
            "detail": mistake.detail,
            "changes": [
                {"equation": change.label or None, "derived": change.derived, "yours": change.yours}
                for change in self.changes(found, mistake)
            ],
        }

    def _suspects_json(self) -> dict[str, object] | None:
        if self.suspects is None:
            return None
        kinds = ("right", "alone", "first")
        return {kind: [equation.label for equation in getattr(self.suspects, kind)] for kind in kinds}


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
    (Aspect.CARRY, "stale"): "dL/d{state}_T stands in it at every t for what step t + 1 hands back",
    (Aspect.CARRY, "unchanged"): "dL/d{state}_T stands in it at every t for what step t + 1 hands back",
    (Aspect.CARRY, "accumulated"): "what step t + 1 was handed stays in it beside what it hands back to {state}",
    (Aspect.FINAL, "none"): "dL/d{state}_T is not in it at t = T",
    (Aspect.LOSS, "none"): "dloss_t/d{state}_t is not in it",
    (Aspect.LOSS, "last alone"): "dloss_t/d{state}_t is in it at t = T alone",
    (Aspect.LOSS, "earlier"): "dloss_(t-1)/d{state}_(t-1) stands in it for dloss_t/d{state}_t",
    (Aspect.LOSS, "later"): "dloss_(t+1)/d{state}_(t+1) stands in it for dloss_t/d{state}_t",
    (Aspect.LOSS, "mirrored"): "dloss/d{state} of the mirrored step, T + 1 - t, stands in it for dloss_t/d{state}_t",
}
_PASS = {
    Aspect.ORDER: ("for t = T, ..., 1", "for t = 1, ..., T"),
    Aspect.SKIPPED: ("for t = T, ..., 1", "the {choice} of them is left out"),
    Aspect.INPUTS: ("dL/d{name}[t] is of step t", "dL/d{name}[t] is of step T + 1 - t"),
    Aspect.INITIAL: ("dL/d{name}_0 is what step 1 hands back", "dL/d{name}_0 is what arrives at step 1"),
}


def _gradient(name: str) -> str:
    return f"dL/d{name}"


def _off(error: float) -> str:
    """How far off a gradient is; nothing where that is no number."""
    if error == float("inf"):
        return ""
    share = f"{error:.0%}".replace("%", " %") if error >= 0.01 else f"{error:.0e}"
    return f"off by {share} of its largest entry"


def _line(equation: Equation) -> str:
    return f"{equation.target} = {to_text(equation.expression)}"


def _filled(start: str, words: Sequence[str]) -> Iterator[str]:
    """``words`` with commas, on as many lines as they need; later ones begin below the first word."""
    line = start
    for place, word in enumerate(words):
        text = word + ("," if place < len(words) - 1 else "")
        if len(line) + len(text) > _WIDTH and line.strip():
            yield line.rstrip()
            line = " " * len(start)
        line += text + " "
    if words:
        yield line.rstrip()


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    status = "missing" if verdict.missing else "wrong" if verdict.wrong else "right"
    error = verdict.error if verdict.error < float("inf") else None
    return {"of": verdict.name, "status": status, "error": error, "fault": verdict.fault or None}
