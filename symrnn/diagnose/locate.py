"""Where an unexplained mistake must be: equations from which a right gradient follows are right.

Reads a `Model` and which gradients are wrong; returns `Suspects`. On dense random numbers a gradient is right only if
every equation that it depends on is right. Leaves out: what the mistake is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symrnn.diagnose.model import Model
from symrnn.language.system import Equation


@dataclass(frozen=True)
class Suspects:
    """What follows from which gradients are wrong.

    Attributes:
        right: equations from which a right gradient follows, in order.
        alone: equations that explain exactly the wrong gradients if only one equation is wrong; none if more must
            be wrong.
        first: equations that may be wrong and depend on no other that may be.
    """

    right: tuple[Equation, ...]
    alone: tuple[Equation, ...]
    first: tuple[Equation, ...]


@dataclass(frozen=True)
class Established:
    """What is known from one kind of run.

    Attributes:
        steps: the lengths of the sequences; none for a single step.
        returned: the number of returned gradients.
        wrong: those that are wrong.
        suspects: where the mistake must be; none where nothing is wrong.
        right_steps: by input with a wrong gradient, the steps at which it is right.
    """

    steps: tuple[int, ...]
    returned: int
    wrong: tuple[str, ...]
    suspects: Suspects | None
    right_steps: tuple[tuple[str, tuple[int, ...]], ...] = ()


def locate(model: Model, returned: Iterable[str], wrong: Iterable[str], several_steps: bool) -> Suspects:
    """The suspects of a model.

    Args:
        model: the derived backward pass.
        returned: the names whose gradients were returned.
        wrong: those that are wrong.
        several_steps: whether what a step hands back reaches another step.
    """
    given, bad = frozenset(returned), frozenset(wrong)
    reach = {e.label: model.reach((e.label,), several_steps) & given for e in model.adjoint.equations}
    right, suspects, alone = [], [], []
    for equation in model.adjoint.equations:
        follows = reach[equation.label]
        if follows - bad:
            right.append(equation)
        elif follows:
            suspects.append(equation)
            if follows == bad:
                alone.append(equation)
    later = {each.label for e in suspects for each in model.downstream((e.label,)) if each is not e}
    first = tuple(equation for equation in suspects if equation.label not in later)
    return Suspects(tuple(right), tuple(alone), first)
