"""What is known when no mistake explains the numbers: which equations are right, and on which runs.

Reads `Established` records and the derived recurrences; returns lines. A sequence of one
step cannot show mistakes that involve another step. Leaves out: how it is known
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
        yield "Several equations may also be wrong in the same way, through a value that they share. Then any equation that"
        yield "is not listed as right may be wrong."


def _right_alone(chain: Recurrences) -> Iterator[str]:
    yield "A sequence of one step comes out right. So the mistake involves another step: a value of the wrong step is used,"
    yield "or the wrong gradient is passed from step to step. The derived recurrences are"
    yield from (f"  {line}" for line in chain.handed())


def _of_sequences(run: Established) -> Iterator[str]:
    steps = [str(count) for count in run.steps]
    words = "one step" if run.steps == (1,) else f"{', '.join(steps[:-1])} and {steps[-1]} steps"
    share = "all" if len(run.wrong) == run.returned else f"{len(run.wrong)} of"
    yield f"On sequences of {words}, {share} {run.returned} gradients are wrong."
    for name, right in run.right_steps:
        yield f"{gradient(name)} is right there only at t = {', '.join(map(str, right))} (for the first length)."
    if run.suspects is not None:
        yield from _of_equations(run.suspects, " there")
    elif run.steps != (1,):
        yield "No equation is known to be right there."
    if run.steps == (1,):
        yield "Such a sequence has one step, so this says nothing about other steps or gradients passed between steps."


def _of_equations(suspects: Suspects, there: str) -> Iterator[str]:
    if suspects.right:
        labels = [f"({equation.label})" for equation in suspects.right]
        yield f"Right{there}, since right gradients follow from them:"
        yield from filled("  ", labels)
    else:
        yield f"No equation is known to be right{there}."
    if suspects.alone:
        yield f"If only one equation is wrong{there}, it is one of these; look at the first one first:"
        yield from _listed(suspects.alone)
    elif suspects.first:
        yield f"No single equation explains all wrong gradients{there}. The first equations that may be wrong:"
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
