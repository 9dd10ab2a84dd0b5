"""Tries mistakes: which gradients are still wrong with a mistake in the model. Computes as little as possible.

Reads a model, a sample with what was returned for it (`Trial`) and mistakes; returns the gradients that stay wrong. Replaced
right sides run side by side. Mistakes in sums over rows and steps share one run of the steps. Leaves out: which
mistakes to try, and what follows from the result (`symrnn.diagnose.search`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.diagnose.compare import Key, Observed
from symrnn.diagnose.effort import ALONE, Effort
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Aspect, Model
from symrnn.diagnose.passes import Sums, first_step, gradients, lanes
from symrnn.diagnose.sample import Sample

SIDE_BY_SIDE = 96
"""Lanes of one run: enough to make a pass cheap, few enough to fit a processor's cache."""
_SUMS = (Aspect.ROWS, Aspect.STEPS)

Left = frozenset[Key] | None


@dataclass(frozen=True)
class Trial:
    """A sample and what the person's function returned for it."""

    sample: Sample
    observed: Observed

    def differing(self, model: Model) -> frozenset[Key]:
        """The gradients that ``model`` does not reproduce."""
        return self.observed.differing(gradients(model, self.sample))


class Attempt:
    """Tries mistakes of one model on one sample.

    Attributes:
        model: the model.
        trial: the sample, and what was returned for it.
        wrong: the gradients that the model does not reproduce.
        names: the names of these gradients.
        telling: the names whose gradients can show a mistake; a gradient that is always zero cannot.
        steps: the number of steps of the sample.
    """

    def __init__(self, model: Model, trial: Trial, effort: Effort) -> None:
        self.model, self.trial, self._effort = model, trial, effort
        computed = gradients(model, trial.sample)
        self.wrong = trial.observed.differing(computed)
        self.names = frozenset(name for name, _ in self.wrong)
        blind = {name for name, value in computed.items() if not np.any(value)}
        self.telling = frozenset(name for name in trial.observed.arrays if name in self.names or name not in blind)
        self.steps = len(trial.sample.steps)
        self._sums: Sums | None = None
        self._reach: dict[tuple[str, ...], frozenset[str]] = {}

    def reach(self, labels: tuple[str, ...]) -> frozenset[str]:
        """The telling gradients that follow from the equations of ``labels``."""
        if labels not in self._reach:
            self._reach[labels] = self.model.reach(labels, self.steps > 1) & self.telling
        return self._reach[labels]

    def left(self, mistakes: Sequence[Mistake], all_at_once: bool) -> Iterator[tuple[Mistake, Left]]:
        """For each mistake the gradients that are still wrong with it; None if it breaks one, or puts none right.

        Mistakes that spoil the step that is taken first are left out. The search ends early when the effort is spent.

        Args:
            mistakes: what to try.
            all_at_once: whether only mistakes count that put everything right.
        """
        edited = [mistake for mistake in mistakes if mistake.edits and not mistake.settings]
        for start in range(0, len(edited), SIDE_BY_SIDE):
            if self._effort.over:
                return
            yield from self._side_by_side(edited[start : start + SIDE_BY_SIDE], all_at_once)
        for mistake in mistakes:
            if mistake.settings and not self._effort.over:
                yield mistake, self._useful(self._with_settings(mistake))

    def one(self, mistake: Mistake) -> frozenset[Key]:
        """The gradients that are wrong with one mistake."""
        self._effort.spend(ALONE * self.steps)
        return self.trial.differing(self.model.with_changes(mistake.edits, mistake.settings))

    def _useful(self, left: frozenset[Key]) -> Left:
        return left if left < self.wrong else None

    def _side_by_side(self, mistakes: Sequence[Mistake], all_at_once: bool) -> Iterator[tuple[Mistake, Left]]:
        kept = self._not_spoiling(mistakes, all_at_once) if self.steps > 1 else mistakes
        if not kept:
            return
        self._effort.spend(len(kept) * self.steps)
        computed = lanes(self.model, self.trial.sample, [mistake.edits for mistake in kept])
        left = self.trial.observed.lanes_left(computed, len(kept), self.wrong)
        for lane, mistake in enumerate(kept):
            yield mistake, self._useful(self.one(mistake)) if lane in computed.odd else left[lane]

    def _not_spoiling(self, mistakes: Sequence[Mistake], all_at_once: bool) -> Sequence[Mistake]:
        """The mistakes that are right at the step that is taken first, which depends on no other step.

        If that step is wrong already, it may hold more than one mistake.
        """
        t = first_step(self.model, self.trial.sample)
        if not all_at_once and any((name, t) in self.wrong for name in self.trial.observed.stepped):
            return mistakes
        self._effort.spend(len(mistakes))
        first = lanes(self.model, self.trial.sample, [mistake.edits for mistake in mistakes], whole=False)
        spoilt = self.trial.observed.lanes_spoil(first, len(mistakes), t)
        return [mistake for mistake, bad in zip(mistakes, spoilt, strict=True) if not bad]

    def _with_settings(self, mistake: Mistake) -> frozenset[Key]:
        plain = all(setting.aspect in _SUMS for setting in mistake.settings)
        if mistake.edits or not plain or any(each.aspect is Aspect.RENAMED for each in self.model.settings):
            return self.one(mistake)
        self._effort.spend(1)
        if self._sums is None:
            self._sums = Sums(self.model, self.trial.sample)
        found = self._sums.again(mistake.settings)
        kept = frozenset(key for key in self.wrong if key[0] not in found)
        return kept | self.trial.observed.differing(found)
