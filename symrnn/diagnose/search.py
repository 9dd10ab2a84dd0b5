"""The search for the mistakes that reproduce a person's gradients.

Reads a `Model` and what was returned on problems (`Trial`); returns `Explanation` records, or nothing. On dense random
numbers a slip changes every gradient that follows from its equation and no other, so only equations whose reach is what
is wrong are tried. One mistake is looked for first; else one that puts some gradient right and breaks none, and then
the next. An explanation reproduces every gradient on every problem. Leaves out: words (`symrnn.diagnose.report`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy

from symrnn.check.measure import Array
from symrnn.diagnose.compare import Key, Observed
from symrnn.diagnose.mistakes import Mistake, mistakes
from symrnn.diagnose.model import Aspect, FirstStep, Model, Setting, gradients
from symrnn.diagnose.problem import Problem
from symrnn.diagnose.rules import Kind
from symrnn.diagnose.scales import scales
from symrnn.language.symbolic import to_sympy
from symrnn.language.system import Equation

MOST_MISTAKES = 3
"""How many mistakes at once are looked for."""
_TRIED_FURTHER = 6
"""How many first mistakes are believed for as long as it takes to look for the next."""


@dataclass(frozen=True)
class Trial:
    """A problem and what the person's function returned for it."""

    problem: Problem
    observed: Observed

    def differing(self, model: Model) -> frozenset[Key]:
        """The gradients in which ``model`` is not what was returned."""
        return self.observed.differing(gradients(model, self.problem))


@dataclass(frozen=True)
class Found:
    """A mistake that explains, in the model that it was found in.

    Attributes:
        model: without it.
        mistake: the likeliest.
        equals: others that give the same numbers, in other equations or by other means.
    """

    model: Model
    mistake: Mistake
    equals: tuple[Mistake, ...] = ()

    @property
    def after(self) -> Model:
        """The model with the mistake."""
        return self.model.with_changes(self.mistake.edits, self.mistake.settings)


Explanation = tuple[Found, ...]
"""Mistakes one after the other; together they reproduce what was returned."""


def explain(model: Model, trials: Sequence[Trial], most: int = MOST_MISTAKES) -> Explanation:
    """The fewest mistakes in ``model`` that reproduce what was returned in every trial; none where nothing does.

    Args:
        model: the derived backward pass.
        trials: what was returned; the first is searched, the others confirm.
        most: how many mistakes at once to look for.
    """
    search = _Search(trials)
    with np.errstate(all="ignore"):
        for count in range(1, most + 1):
            if found := search.explain(model, count):
                return found
    return ()


@dataclass
class _Level:
    """What one more mistake in a model can do: explain all, put something right, or hide every other one.

    Attributes:
        complete: mistakes that explain all.
        partial: mistakes that put something right and break nothing, with how much is left.
        outside: mistakes in what arrives at a single step, which nothing of the step comes out right with.
    """

    complete: list[Mistake] = field(default_factory=list)
    partial: list[tuple[int, Mistake]] = field(default_factory=list)
    outside: list[Mistake] = field(default_factory=list)


class _Search:
    def __init__(self, trials: Sequence[Trial]) -> None:
        self._first, *self._others = trials
        self._levels: dict[tuple[object, ...], _Level] = {}

    def explain(self, model: Model, count: int) -> Explanation:
        level = self._level(model)
        if level.complete:
            best, *rest = sorted(level.complete, key=lambda mistake: mistake.cost)
            return (Found(model, best, _distinct(best, rest)),)
        if count == 1:
            return ()
        for found in self._promising(model, level):
            if rest_of_it := self.explain(found.after, count - 1):
                return (found, *rest_of_it)
        return ()

    def _level(self, model: Model) -> _Level:
        key = (model.adjoint.equations, model.settings)
        if key not in self._levels:
            self._levels[key] = self._searched(model)
        return self._levels[key]

    def _searched(self, model: Model) -> _Level:
        level = _Level()
        wrong = self._first.differing(model)
        names, returned = frozenset(name for name, _ in wrong), frozenset(self._first.observed.arrays)
        attempt = _Attempt(model, self._first)
        later = []
        for mistake in (*_renamed(model, self._first, wrong), *mistakes(model, self._first.problem, names, returned)):
            if mistake.edits and attempt.reach(mistake) != names:
                later.append(mistake)  # it leaves something wrong
            else:
                self._try(attempt, mistake, wrong, level)
        for mistake in later if not level.complete else ():
            self._try(attempt, mistake, wrong, level)
        if not level.complete:  # any number fits something: the mistakes that people make come first
            for mistake in scales(model, self._first.problem, self._first.observed, names):
                self._try(attempt, mistake, wrong, level)
        return level

    def _try(self, attempt: _Attempt, mistake: Mistake, wrong: frozenset[Key], level: _Level) -> None:
        left = attempt.left(mistake, wrong)
        if left is None or not left < wrong:
            if attempt.steps == 1 and any(each.aspect in (Aspect.FINAL, Aspect.LOSS) for each in mistake.settings):
                level.outside.append(mistake)
            return
        if left:
            level.partial.append((len(left), mistake))
        elif self._confirmed(attempt.model, mistake):
            level.complete.append(mistake)

    def _confirmed(self, model: Model, mistake: Mistake) -> bool:
        after = model.with_changes(mistake.edits, mistake.settings)
        return not any(trial.differing(after) for trial in self._others)

    def _promising(self, model: Model, level: _Level) -> Iterator[Found]:
        """Mistakes that put something right, the most first; those that give the same numbers together."""
        groups: dict[tuple[str, ...], list[tuple[int, Mistake]]] = {}
        for left, mistake in level.partial:
            after = model.with_changes(mistake.edits, mistake.settings)
            groups.setdefault(_digest(gradients(after, self._first.problem)), []).append((left, mistake))
        ordered = sorted(groups.values(), key=lambda group: (group[0][0], min(m.cost for _, m in group)))
        for group in ordered[:_TRIED_FURTHER]:
            best, *rest = sorted((mistake for _, mistake in group), key=lambda mistake: mistake.cost)
            yield Found(model, best, _distinct(best, rest))
        for mistake in level.outside if not model.settings else ():
            yield Found(model, mistake)


class _Attempt:
    """Tries mistakes of one model on one problem, computing no more than must be."""

    def __init__(self, model: Model, trial: Trial) -> None:
        self.model, self._trial = model, trial
        self.steps = len(trial.problem.steps)
        self._whole = trial.problem.dy is not None
        self._first = FirstStep.of(model, trial.problem)
        self._after: dict[tuple[str, ...], tuple[frozenset[str], tuple[Equation, ...]]] = {}

    def reach(self, mistake: Mistake) -> frozenset[str]:
        """Whose gradients, of those that were returned, the mistake changes."""
        return self._follows(mistake.labels)[0] & set(self._trial.observed.arrays)

    def left(self, mistake: Mistake, wrong: frozenset[Key]) -> frozenset[Key] | None:
        """What is still wrong with the mistake made; None where it cannot be the one."""
        if mistake.edits:
            reach, after = self._follows(mistake.labels)
            new = {edit.label: edit.expression for edit in mistake.edits}
            changed = self._first.again(
                replace(each, expression=new[each.label]) if each.label in new else each for each in after
            )
            if self.steps == 1 and not any(setting.aspect is not Aspect.ROWS for setting in self.model.settings):
                stepped = self._trial.observed.stepped
                found = {name: value[np.newaxis] if name in stepped else value for name, value in changed.items()}
                kept = frozenset(key for key in wrong if key[0] not in reach)
                return kept | self._trial.observed.differing(found)
            if self._first_step_differs(changed):
                return None
        model = self.model.with_changes(mistake.edits, mistake.settings)
        return self._trial.differing(model)

    def _first_step_differs(self, changed: Mapping[str, Array]) -> bool:
        """Whether the step that is taken first, which stands in no other's shadow, shows that this is not it."""
        observed, t = self._trial.observed, self._first.t
        for name in observed.stepped & set(changed):
            found = observed.arrays.get(name)
            if found is not None and found.ndim == 3 and not observed.fits_part(found[t], changed[name]):
                return True
        return False

    def _follows(self, labels: tuple[str, ...]) -> tuple[frozenset[str], tuple[Equation, ...]]:
        """Whose gradients follow from the equations of ``labels``, and the equations of the step that do."""
        if labels not in self._after:
            self._after[labels] = (self.model.reach(labels, self.steps > 1), self.model.downstream(labels))
        return self._after[labels]


def _renamed(model: Model, trial: Trial, wrong: frozenset[Key]) -> Iterator[Mistake]:
    """Gradients that are right, but returned under one another's names."""
    computed, arrays = gradients(model, trial.problem), trial.observed.arrays
    names = [name for name in computed if (name, -1) in wrong and name in arrays]
    places = {
        name: [other for other in names if other != name and trial.observed.fits(name, computed[other])]
        for name in names
    }
    moved = {name: others[0] for name, others in places.items() if others}
    if moved:
        settings = tuple(Setting(Aspect.RENAMED, name, other) for name, other in moved.items())
        pairs = ", ".join(f"that of `{other}` as that of `{name}`" for name, other in moved.items())
        yield Mistake(Kind.ORDER, f"gradients are returned under other names: {pairs}", settings=settings)


def _digest(computed: Mapping[str, Array]) -> tuple[str, ...]:
    """What models that compute the same have in common: of each gradient a weighted sum, but for rounding."""
    return tuple(f"{float(value.ravel() @ np.cos(np.arange(value.size))):.6e}" for value in computed.values())


def _distinct(best: Mistake, rest: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """``rest`` without what is algebraically the same change of the same equations as one that is there already."""
    kept = [best]
    for mistake in rest:
        if not any(_same(mistake, other) for other in kept):
            kept.append(mistake)
    return tuple(kept[1:])


def _same(one: Mistake, other: Mistake) -> bool:
    """Whether two mistakes are one and the same change."""
    if one.settings != other.settings or one.labels != other.labels:
        return False
    pairs = zip(one.edits, other.edits, strict=True)
    return all(sympy.expand(to_sympy(a.expression) - to_sympy(b.expression)) == 0 for a, b in pairs)
