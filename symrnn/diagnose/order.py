"""The order of the search: mistakes in one step of a sequence first, then between steps, then clipping.

Reads a `Model` and what was returned on every kind of run (`Runs`); returns an `Explanation`, or mistakes that explain
only some runs. A sequence of one step passes nothing on, so a mistake there is in the equations of the step. Small
gradients are not clipped. Leaves out: the search itself (`symrnn.diagnose.search`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from symrnn.diagnose.attempt import Trial
from symrnn.diagnose.clips import explain_clips
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.mistakes import Mistake, Slips
from symrnn.diagnose.model import Model
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.search import MOST_MISTAKES, Explanation, Found, digest, explain

_MOST_CHOICES = 200
"""The number of explanations of a sequence of one step that are tried on longer ones."""
_TRIED_FURTHER = 4
"""The number of these for which a further mistake is searched."""


@dataclass(frozen=True)
class Runs:
    """The results of the person's function on every kind of run.

    Attributes:
        trials: on the shapes that are searched; of whole sequences or of single steps.
        short: on sequences of one step; none for single steps, or where the function stops on them.
        loud: with large gradients, if the result is not linear in the incoming gradients.
        soft: with small ones, under the same condition.
        soft_short: those with small ones on sequences of one step.
    """

    trials: tuple[Trial, ...]
    short: tuple[Trial, ...] = ()
    loud: Trial | None = None
    soft: tuple[Trial, ...] = ()
    soft_short: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Explained:
    """The result of the search.

    Attributes:
        all: mistakes that reproduce every gradient; None if none do.
        partly: mistakes that reproduce the gradients of some runs, if none reproduce all.
        where: which runs.
    """

    all: Explanation = ()
    partly: Explanation = ()
    where: str = ""


def explain_runs(model: Model, runs: Runs, effort: Effort) -> Explained:
    """The mistakes of a pass. Clipping shows in large gradients, everything else in gradients too small to be clipped."""
    if runs.loud is None:
        return explain_whole(model, runs.trials, runs.short, effort)
    small = any(trial.differing(model) for trial in runs.soft)
    first = explain_whole(model, runs.soft, runs.soft_short, effort) if small else Explained()
    if small and not first.all:
        return explain_whole(model, runs.trials, runs.short, effort)
    before = first.all[-1].after if first.all else model
    clips = explain_clips(before, (runs.loud, *runs.trials), effort)
    if clips:
        return Explained((*first.all, *clips))
    if first.all:
        return Explained(partly=first.all, where="If the incoming gradients are small")
    return Explained()


def explain_whole(model: Model, trials: Sequence[Trial], short: Sequence[Trial], effort: Effort) -> Explained:
    """The mistakes of a pass over a whole sequence.

    Args:
        model: the derived backward pass.
        trials: what was returned for sequences of several steps.
        short: what was returned for sequences of one step; none where the function stops on them.
        effort: the work that is left.
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
    return Explained(partly=step, where="On sequences of one step")


def _held_against(step: Explanation, trials: Sequence[Trial]) -> tuple[Explanation, list[Explanation]]:
    """The first explanation of a step that also explains ``trials``; else all, those that leave the least wrong first.

    Several mistakes may explain one step equally well and differ in longer sequences: a state of the last step and of
    the step before, for example.
    """
    left = []
    for choice in islice(_choices(step, trials[0]), _MOST_CHOICES):
        after = choice[-1].after
        wrong = [len(trial.differing(after)) for trial in trials]
        if not any(wrong):
            return choice, []
        left.append((wrong[0], choice))
    return (), [choice for _, choice in sorted(left, key=lambda pair: pair[0])]


def _choices(step: Explanation, longer: Trial) -> Iterator[Explanation]:
    """The explanation with mistakes replaced by others that explain one step equally well, but differ in longer sequences."""
    for chosen in product(*(_differing(found, longer) for found in step)):
        model, choice = step[0].model, []
        for found, mistake in zip(step, chosen, strict=True):
            choice.append(replace(found, model=model, mistake=mistake, equals=()))
            model = choice[-1].after
        yield tuple(choice)


def _differing(found: Found, longer: Trial) -> list[Mistake]:
    """The likeliest mistake for each result in longer sequences."""
    outcomes: dict[tuple[str, ...], Mistake] = {}
    for mistake in (found.mistake, *found.equals):
        after = found.model.with_changes(mistake.edits, mistake.settings)
        outcomes.setdefault(digest(gradients(after, longer.sample)), mistake)
    return [*outcomes.values()]
