"""The search for the mistakes that reproduce a person's gradients.

Reads a `Model` and what was returned on samples (`Trial`); returns `Explanation` records, or nothing. On dense random
numbers a slip changes exactly the gradients that follow from its equation. So only equations that affect exactly the
wrong gradients are tried. The search looks for one mistake; failing that, for one that puts some gradient right
and breaks none, and then for the next. The same slip in another equation is the same mistake. An
explanation reproduces every gradient on every sample. Leaves out: words (`symrnn.diagnose.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy

from symrnn.check.measure import Array
from symrnn.diagnose.attempt import Attempt, Trial
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.mistakes import LIKEWISE, Catalogue, Mistake, SlipKey, Slips
from symrnn.diagnose.model import Aspect, Model, Setting
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.rules import SlipKind
from symrnn.diagnose.scales import scales
from symrnn.diagnose.series import in_series
from symrnn.language.symbolic import to_sympy

MOST_MISTAKES = 3
"""The most mistakes that are searched together."""
_TRIED_FURTHER = 6
"""The number of first mistakes that are tried with a second one."""
_MOST_PLACES = 12
"""The most equations that are searched, one after the other, for the same slip."""


@dataclass(frozen=True)
class Found:
    """A mistake that explains, in the model that it was found in.

    Attributes:
        model: the model without the mistake.
        mistake: the likeliest.
        equals: other mistakes that give the same numbers.
    """

    model: Model
    mistake: Mistake
    equals: tuple[Mistake, ...] = ()

    @property
    def after(self) -> Model:
        """The model with the mistake."""
        return self.model.with_changes(self.mistake.edits, self.mistake.settings)


Explanation = tuple[Found, ...]
"""Mistakes that together reproduce what was returned."""


def explain(
    model: Model, trials: Sequence[Trial], effort: Effort, most: int = MOST_MISTAKES, slips: Slips = Slips.ALL
) -> Explanation:
    """The fewest mistakes in ``model`` that reproduce what was returned in every trial; none where nothing does.

    Args:
        model: the derived backward pass.
        trials: what was returned; the first is searched, the others confirm.
        effort: the work that is left; nothing is found if it is spent.
        most: the most mistakes at once.
        slips: which to try.
    """
    search = _Search(trials, effort, slips)
    with np.errstate(all="ignore"):
        for count in range(1, most + 1):
            effort.begin(f"looking for {_COUNTED[count]}{_where(trials[0])}")
            if found := search.explain(model, count, ()):
                return _merged(found)
    return ()


def _where(trial: Trial) -> str:
    if not trial.sample.whole:
        return ""
    return " in sequences of one step" if len(trial.sample.steps) == 1 else " in sequences of several steps"


_COUNTED = ("none", "one mistake", "two mistakes at once", "three mistakes at once")


@dataclass
class _Level:
    """The mistakes in a model by their effect: explain all, put something right, or hide every other mistake.

    Attributes:
        complete: mistakes that explain all.
        partial: mistakes that put something right and break nothing, with how much is left.
        outside: mistakes in the gradients that arrive at a single step; with them, nothing of the step is right.
    """

    complete: list[Mistake] = field(default_factory=list)
    partial: list[tuple[int, Mistake]] = field(default_factory=list)
    outside: list[Mistake] = field(default_factory=list)


class _Search:
    def __init__(self, trials: Sequence[Trial], effort: Effort, slips: Slips) -> None:
        self._first, *self._others = trials
        self._effort, self._slips = effort, slips
        self._catalogue = Catalogue(self._first.sample, slips)
        self._levels: dict[tuple[object, ...], _Level] = {}
        self._pairs: list[Explanation] | None = None

    def explain(self, model: Model, count: int, before: Explanation) -> Explanation:
        """``count`` further mistakes; a repetition of a slip of ``before`` does not count."""
        made = _shared(before)
        level = self._level(model, made, all_at_once=count == 1)
        if level.complete:
            best, *rest = sorted(level.complete, key=lambda mistake: mistake.cost)
            return (Found(model, best, _distinct(best, rest)),)
        for found in self._promising(model, level) if len(before) < _MOST_PLACES else ():
            fewer = count - (made.isdisjoint(found.mistake.keys))
            if fewer and (rest_of_it := self.explain(found.after, fewer, (*before, found))):
                return (found, *rest_of_it)
        for pair in self._in_series(model) if count > 1 and not before else ():
            left = self._first.differing(pair[-1].after)
            if not left and not any(trial.differing(pair[-1].after) for trial in self._others):
                return pair
            if count > 2 and (rest_of_it := self.explain(pair[-1].after, count - 2, pair)):
                return (*pair, *rest_of_it)
        return ()

    def _in_series(self, model: Model) -> list[Explanation]:
        """Two mistakes of one step of which one hides the other; those that put the most right first."""
        if self._pairs is None:
            attempt, found = Attempt(model, self._first, self._effort), []
            if attempt.steps == 1 and self._slips is Slips.ALL:
                catalogue = self._catalogue.mistakes(model, attempt.names, attempt.telling)
                pairs = {id(pair.both): pair for pair in in_series(attempt, catalogue)}
                tried = attempt.left([pair.both for pair in pairs.values()], all_at_once=False)
                found = [(len(left), pairs[id(both)]) for both, left in tried if left is not None]
            found.sort(key=lambda each: (each[0], each[1].first.cost, each[1].second.cost))
            self._pairs = []
            for _, pair in found[:_TRIED_FURTHER]:
                first = Found(model, pair.first)
                self._pairs.append((first, Found(first.after, pair.second)))
        return self._pairs

    def _level(self, model: Model, made: frozenset[SlipKey], all_at_once: bool) -> _Level:
        key = (model.adjoint.equations, model.settings, all_at_once, made if all_at_once else None)
        if key not in self._levels:
            self._levels[key] = self._searched(model, made, all_at_once)
        return self._levels[key]

    def _searched(self, model: Model, made: frozenset[SlipKey], all_at_once: bool) -> _Level:
        level = _Level()
        attempt = Attempt(model, self._first, self._effort)
        names = attempt.names
        sooner, later = [*_renamed(model, self._first, attempt)], []
        for mistake in self._catalogue.mistakes(model, names, attempt.telling):
            if not mistake.edits or attempt.reach(mistake.labels) == names:
                sooner.append(mistake)
            elif not all_at_once or not made.isdisjoint(mistake.keys):
                later.append(mistake)  # it leaves something wrong
        self._try(attempt, sooner, level, all_at_once and not made)
        if not level.complete:
            self._try(attempt, later, level, all_at_once=False)
        if not level.complete and self._slips is Slips.ALL and not self._effort.over:
            # Any number fits something: the mistakes that people make come first.
            self._try(attempt, scales(attempt, self._effort, all_at_once), level, all_at_once)
        return level

    def _try(self, attempt: Attempt, mistakes: Sequence[Mistake], level: _Level, all_at_once: bool) -> None:
        for mistake, left in attempt.left(mistakes, all_at_once):
            if left is None:
                if attempt.steps == 1 and any(each.aspect in (Aspect.FINAL, Aspect.LOSS) for each in mistake.settings):
                    level.outside.append(mistake)
            elif left:
                level.partial.append((len(left), mistake))
            elif self._confirmed(attempt.model, mistake):
                level.complete.append(mistake)

    def _confirmed(self, model: Model, mistake: Mistake) -> bool:
        after = model.with_changes(mistake.edits, mistake.settings)
        return not any(trial.differing(after) for trial in self._others)

    def _promising(self, model: Model, level: _Level) -> Iterator[Found]:
        """Mistakes that put something right, the best first; those that give the same numbers are grouped."""
        left = {id(mistake): count for count, mistake in level.partial}
        groups = self._alike(model, [mistake for _, mistake in level.partial])
        ordered = sorted(groups, key=lambda group: (left[id(group[0])], min(mistake.cost for mistake in group)))
        outside = self._alike(model, level.outside) if not model.settings else []
        for group in (*ordered[:_TRIED_FURTHER], *outside):
            best, *rest = sorted(group, key=lambda mistake: mistake.cost)
            yield Found(model, best, _distinct(best, rest))

    def _alike(self, model: Model, mistakes: Sequence[Mistake]) -> list[list[Mistake]]:
        """Groups of mistakes that give the same numbers."""
        groups: dict[tuple[str, ...], list[Mistake]] = {}
        for mistake in mistakes:
            after = model.with_changes(mistake.edits, mistake.settings)
            groups.setdefault(digest(gradients(after, self._first.sample)), []).append(mistake)
        return [*groups.values()]


def _shared(found: Explanation) -> frozenset[SlipKey]:
    """The keys of the slips found."""
    return frozenset(key for each in found for key in each.mistake.keys)


def _merged(found: Explanation) -> Explanation:
    """Joins the same slip in several equations into one mistake, unless other mistakes changed them in between."""
    result: list[Found] = []
    for each in found:
        for place, other in enumerate(result):
            between = {label for later in result[place + 1 :] for label in later.mistake.labels}
            if not other.mistake.keys.isdisjoint(each.mistake.keys) and between.isdisjoint(each.mistake.labels):
                result[place] = _joined(other, each)
                break
        else:
            result.append(each)
    return tuple(result)


def _joined(one: Found, other: Found) -> Found:
    edits = {edit.label: edit for edit in (*one.mistake.edits, *other.mistake.edits)}
    places = one.mistake.places + other.mistake.places
    first = one.mistake.detail.split(LIKEWISE)[0]
    more = f"{LIKEWISE}{places - 1} more place{'s'[: places > 2]}"
    both = replace(
        one.mistake,
        detail=first + (more if other.mistake.detail != first else ""),
        edits=tuple(edits.values()),
        keys=one.mistake.keys & other.mistake.keys,
        places=places,
    )
    return Found(one.model, both)


def _renamed(model: Model, trial: Trial, attempt: Attempt) -> Iterator[Mistake]:
    """Gradients that are right, but returned under swapped names."""
    computed, arrays = gradients(model, trial.sample), trial.observed.arrays
    names = [name for name in computed if (name, -1) in attempt.wrong and name in arrays]
    places = {
        name: [other for other in names if other != name and trial.observed.fits(name, computed[other])]
        for name in names
    }
    moved = {name: others[0] for name, others in places.items() if others}
    if moved:
        settings = tuple(Setting(Aspect.RENAMED, name, other) for name, other in moved.items())
        pairs = ", ".join(f"that of `{other}` as that of `{name}`" for name, other in moved.items())
        yield Mistake(SlipKind.ORDER, f"gradients are returned under other names: {pairs}", settings=settings)


def digest(computed: Mapping[str, Array]) -> tuple[str, ...]:
    """A key that is equal for models with equal results: a weighted sum of each gradient, rounded."""
    return tuple(f"{float(value.ravel() @ np.cos(np.arange(value.size))):.6e}" for value in computed.values())


def _distinct(best: Mistake, rest: Sequence[Mistake]) -> tuple[Mistake, ...]:
    """``rest`` without mistakes that are algebraically the same change as an earlier one."""
    kept = [best]
    for mistake in rest:
        if not any(_same(mistake, other) for other in kept):
            kept.append(mistake)
    return tuple(kept[1:])


def _same(one: Mistake, other: Mistake) -> bool:
    """Whether two mistakes are the same change."""
    if one.settings != other.settings or one.labels != other.labels:
        return False
    pairs = zip(one.edits, other.edits, strict=True)
    return all(sympy.expand(to_sympy(a.expression) - to_sympy(b.expression)) == 0 for a, b in pairs)
