"""How a whole sequence is searched: in one step of it first, then between the steps.

Reads a `Model` and what was returned for sequences of several steps and of one; returns an `Explanation`, or what explains
the sequences of one step alone. A sequence of one step hands nothing on, so that what is wrong there is in the equations
of the step. Leaves out: the search itself (`symrnn.diagnose.search`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from symrnn.diagnose.attempt import Trial
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.mistakes import Slips
from symrnn.diagnose.model import Model
from symrnn.diagnose.search import MOST_MISTAKES, Explanation, explain

_MOST_CHOICES = 200
"""How many ways to explain a sequence of one step are held against longer ones."""
_TRIED_FURTHER = 4
"""After how many of them a further mistake is looked for."""


@dataclass(frozen=True)
class Explained:
    """What was found.

    Attributes:
        all: mistakes that reproduce every gradient; none where nothing does.
        of_one_step: where nothing does, mistakes that reproduce those of sequences of one step.
    """

    all: Explanation = ()
    of_one_step: Explanation = ()


def explain_whole(model: Model, trials: Sequence[Trial], short: Sequence[Trial], effort: Effort) -> Explained:
    """The mistakes of a pass over a whole sequence.

    Args:
        model: the derived backward pass.
        trials: what was returned for sequences of several steps.
        short: what was returned for sequences of one step; none where the function stops on them.
        effort: what may be computed.
    """
    if not short:
        return Explained(explain(model, trials, effort))
    if found := explain(model, trials, effort, 1):
        return Explained(found)
    if not any(trial.differing(model) for trial in short):
        return Explained(explain(model, trials, effort, slips=Slips.BETWEEN))
    step = explain(model, short, effort)
    if not step:
        return Explained()
    fitting, others = _held_against(step, trials)
    if fitting:
        return Explained(fitting)
    most = max(MOST_MISTAKES - len(step), 1)
    for count in range(1, most + 1):
        for choice in others[:_TRIED_FURTHER]:
            if further := explain(choice[-1].after, trials, effort, count, Slips.BETWEEN):
                return Explained((*choice, *further))
    return Explained(of_one_step=step)


def _held_against(step: Explanation, trials: Sequence[Trial]) -> tuple[Explanation, list[Explanation]]:
    """The first way to explain a step that explains ``trials`` too, and else all, those that leave the least wrong first.

    Several mistakes may do equally in one step and differ in longer sequences, as a state of the last step and of the
    one before do.
    """
    left = []
    for choice in islice(_choices(step), _MOST_CHOICES):
        after = choice[-1].after
        wrong = [len(trial.differing(after)) for trial in trials]
        if not any(wrong):
            return choice, []
        left.append((wrong[0], choice))
    return (), [choice for _, choice in sorted(left, key=lambda pair: pair[0])]


def _choices(step: Explanation) -> Iterator[Explanation]:
    """The same explanation with mistakes in it replaced by others that do equally."""
    for chosen in product(*((found.mistake, *found.equals) for found in step)):
        model, choice = step[0].model, []
        for found, mistake in zip(step, chosen, strict=True):
            choice.append(replace(found, model=model, mistake=mistake, equals=()))
            model = choice[-1].after
        yield tuple(choice)
