"""What is known where nothing explains: which equations are right, and on which runs, in lines of a report.

Reads `Established` records and the derived recurrences; returns lines. A run says nothing of what it does not have: a
sequence of one step has no other step, which a value may be taken of or a gradient handed to. Leaves out: how it is known
(`symrnn.diagnose.locate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symrnn.derive.bptt import Recurrences
from symrnn.diagnose.changes import gradient, line
from symrnn.diagnose.locate import Established, Suspects
from symrnn.language.system import Equation

_WIDTH = 100


def what_is_known(established: Sequence[Established], chain: Recurrences) -> Iterator[str]:
    """The lines for every kind of run."""
    for each in established:
        if each.steps == (1,) and not each.wrong:
            yield from _right_alone(chain)
        elif each.steps:
            yield from _of_sequences(each)
        elif each.suspects is not None:
            yield from _of_equations(each.suspects, "")
    if any(each.suspects is not None for each in established):
        yield "Yet several equations at once may be wrong in the same way, by a value that they share; then it is any of"
        yield "those that are not right by the above."


def _right_alone(chain: Recurrences) -> Iterator[str]:
    yield "A sequence of one step comes out right. It has no other step, so it does not tell a value of this step from"
    yield "the same value of the first, the last or a neighbouring one, nor what is handed from one step to another: what"
    yield "is wrong lies there. The derived recurrences are"
    for text in chain.text().splitlines():
        if text.startswith("  ") and " = " in text and "sum over t" not in text:
            yield f"  {text.strip()}"


def _of_sequences(run: Established) -> Iterator[str]:
    steps = [str(count) for count in run.steps]
    words = "one step" if run.steps == (1,) else f"{', '.join(steps[:-1])} and {steps[-1]} steps"
    share = "all" if len(run.wrong) == run.returned else f"{len(run.wrong)} of"
    yield f"On sequences of {words}, {share} {run.returned} gradients are wrong."
    for name, right in run.right_steps:
        yield f"{gradient(name)} is right there at t = {', '.join(map(str, right))} alone (of the first of them)."
    if run.suspects is not None:
        yield from _of_equations(run.suspects, " there")
    elif run.steps != (1,):
        yield "No equation is known to be right there."
    if run.steps == (1,):
        yield "Such a sequence has no other step: this says nothing of what is handed from step to step, nor of values"
        yield "that are taken of another one."


def _of_equations(suspects: Suspects, there: str) -> Iterator[str]:
    if suspects.right:
        labels = [f"({equation.label})" for equation in suspects.right]
        yield f"Right{there}, since right gradients follow from them:"
        yield from filled("  ", labels)
    else:
        yield f"No equation is known to be right{there}."
    if suspects.alone:
        yield f"If one equation alone is wrong{there}, it is one of these; the first is where to look first:"
        yield from _listed(suspects.alone)
    elif suspects.first:
        yield f"No one equation makes wrong just what is wrong{there}. The first equations that may be wrong:"
        yield from _listed(suspects.first)


def _listed(equations: Sequence[Equation]) -> Iterator[str]:
    wide = max(len(equation.label) for equation in equations) + 2
    yield from (f"  {f'({equation.label})':{wide}}  {line(equation)}" for equation in equations)


def filled(start: str, words: Sequence[str]) -> Iterator[str]:
    """``words`` with commas, on as many lines as they need; later ones begin below the first word."""
    text = start
    for place, word in enumerate(words):
        part = word + ("," if place < len(words) - 1 else "")
        if len(text) + len(part) > _WIDTH and text.strip():
            yield text.rstrip()
            text = " " * len(start)
        text += part + " "
    if words:
        yield text.rstrip()
