"""`Diagnosis`: what is right, what is wrong and why, as text in the cell's notation and as JSON.

Reads verdicts, an explanation or suspects; returns text. Leaves out: how they were found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from symrnn.derive.bptt import recurrences
from symrnn.diagnose.changes import Change, changes, gradient, line
from symrnn.diagnose.known import filled, what_is_known
from symrnn.diagnose.locate import Established, Suspects
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Model
from symrnn.diagnose.sample import LOUD
from symrnn.diagnose.search import MOST_MISTAKES, Explanation, Found
from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role
from symrnn.language.text import to_text
from symrnn.language.tree import names

_MOST_EQUAL = 3
"""How many equivalent alternatives the text lists; JSON has all."""


@dataclass(frozen=True)
class Verdict:
    """One gradient.

    Attributes:
        name: of what it is the gradient.
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
        """Whether it was returned and is wrong."""
        return self.differs or bool(self.fault)

    @property
    def right(self) -> bool:
        """Whether it was returned and is right."""
        return not (self.wrong or self.missing)


@dataclass(frozen=True)
class Diagnosis:
    """The result of comparing a person's backward pass with the derived one.

    Attributes:
        cell: whose gradients.
        title: the function's name.
        whole: whether the function runs over a whole sequence.
        model: the derived backward pass.
        verdicts: one for each gradient: parameters, states, input.
        batches: the number of random samples that it ran on.
        loud: whether it is not linear in the incoming gradients, and so ran on large ones too.
        quiet: whether it is right for small ones.
        explanation: the mistakes that together reproduce every number; empty if nothing is wrong or none was found.
        suspects: where the mistake must be, if nothing explains it.
        between: whether a single step is right and only the chain of steps is wrong.
        established: what is known from each kind of run, if nothing explains the numbers.
        partly: what explains some runs, if nothing explains all.
        partly_where: which runs.
        cut_short: whether the search reached its limit of work.
        stops: the error with which the function stops on sizes that differ; empty if it does not stop.
        circumstance: the sizes on which it runs, if it does not run on all.
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
    established: tuple[Established, ...] = ()
    partly: Explanation = ()
    partly_where: str = ""
    cut_short: bool = False
    loud: bool = False
    quiet: bool = False
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
            "suspects": _suspects_json(self.suspects),
            "established": [
                {
                    "steps": list(each.steps) or None,
                    "wrong": list(each.wrong),
                    "equations": _suspects_json(each.suspects),
                }
                for each in self.established
            ],
            "partly": [self._mistake_json(found, found.mistake) for found in self.partly],
            "partly_where": self.partly_where or None,
            "proportional": not self.loud,
            "stops": self.stops or None,
            "where": self.circumstance or None,
        }

    def changes(self, found: Found, mistake: Mistake) -> tuple[Change, ...]:
        """The lines of the derivation that ``mistake`` changes in the model it was found in."""
        return changes(self.cell, self.model, found, mistake)

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
        if self.quiet and self.loud:
            yield ""
            yield "All gradients are right if the incoming ones (`dstate`, `dy`) are about 1 in size;"
            yield f"if these are {LOUD:g} times as large:"
        yield ""
        yield from self._table()
        if self.explanation:
            yield from self._why()
        elif any(verdict.differs for verdict in self.verdicts):
            yield ""
            yield f"None of the mistakes tried gives these numbers, alone or with up to {MOST_MISTAKES} together."
            if self.cut_short:
                yield "The search reached its limit of work, so it did not try every combination."
            if self.partly:
                yield f"{self.partly_where}, this explains all:"
                yield from self._mistakes(self.partly)
                yield ""
            yield from what_is_known(self.established, recurrences(self.cell, self.model.adjoint))

    def _table(self) -> Iterator[str]:
        yield from filled("  right    ", [gradient(v.name) for v in self.verdicts if v.right])
        for verdict in self.verdicts:
            if verdict.wrong:
                size = _off(verdict.error)
                words = ", ".join(word for word in (verdict.fault, size if verdict.differs else "") if word)
                yield f"  wrong    {gradient(verdict.name)}  {words}".rstrip()
        yield from filled("  missing  ", [gradient(v.name) for v in self.verdicts if v.missing])

    def _why(self) -> Iterator[str]:
        yield from self._mistakes(self.explanation)
        count = sum(not verdict.missing for verdict in self.verdicts)
        yield ""
        both = "this" if len(self.explanation) == 1 else "these"
        given = (
            f"With {both}, the derived equations give all {count} of your gradients, on {self.batches} random batches"
        )
        yield f"{given}{',' if self.loud else '.'}"
        if self.loud:
            yield f"and on one with incoming gradients {LOUD:g} times as large."

    def _mistakes(self, explanation: Explanation) -> Iterator[str]:
        for number, found in enumerate(explanation, start=1):
            yield ""
            of = f" ({number} of {len(explanation)})" if len(explanation) > 1 else ""
            yield f"Why{of}: {found.mistake.kind}"
            yield from self._mistake_lines(found, found.mistake)
            yield from self._legend(found)
            yield from self._equals(found)

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

    def _legend(self, found: Found) -> Iterator[str]:
        """The meaning of derived names in an explanation, and the author's equations behind it."""
        labels = found.mistake.labels
        equations = [equation for equation in found.model.adjoint.equations if equation.label in labels]
        edits = [edit.expression for edit in found.mistake.edits]
        used = dict.fromkeys(name for node in (*(e.expression for e in equations), *edits) for name in names(node))
        lines = [*(f"({each.label}) {line(each)}" for each in self._origins(equations))]
        lines += [text for name in [*(e.target for e in equations), *used] if (text := self._meaning(name))]
        for text in dict.fromkeys(lines):
            yield f"  where    {text}" if text == lines[0] else f"           {text}"

    def _origins(self, equations: Iterable[Equation]) -> Iterator[Equation]:
        wanted = {equation.origin for equation in equations}
        parents = {each.origin for each in self.cell.normal.equations if each.label in wanted}
        yield from (each for each in self.cell.equations if each.label in parents | wanted)

    def _meaning(self, name: str) -> str:
        """The meaning of a derived name; empty for the author's names and for plain ``dname``."""
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

    def _mistake_json(self, found: Found, mistake: Mistake) -> dict[str, object]:
        return {
            "kind": str(mistake.kind),
            "detail": mistake.detail,
            "changes": [
                {"equation": change.label or None, "derived": change.derived, "yours": change.yours}
                for change in self.changes(found, mistake)
            ],
        }


def _suspects_json(suspects: Suspects | None) -> dict[str, object] | None:
    if suspects is None:
        return None
    kinds = ("right", "alone", "first")
    return {kind: [equation.label for equation in getattr(suspects, kind)] for kind in kinds}


def _off(error: float) -> str:
    """How far off a gradient is; empty if that is not a number."""
    if error == float("inf"):
        return ""
    share = f"{error:.0%}".replace("%", " %") if error >= 0.01 else f"{error:.0e}"
    return f"off by {share} of its largest entry"


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    status = "missing" if verdict.missing else "wrong" if verdict.wrong else "right"
    error = verdict.error if verdict.error < float("inf") else None
    return {"of": verdict.name, "status": status, "error": error, "fault": verdict.fault or None}
