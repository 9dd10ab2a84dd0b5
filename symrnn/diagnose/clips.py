"""Gradients that are clipped in the pass, and to what.

Reads a `Model` and what was returned for large incoming gradients (`Trial`); returns an `Explanation`. The bound is
solved for at every place where a person may clip: if most entries are at the bound, the result is linear in it. A pass
without clipping is linear in its incoming gradients, so large and small gradients show whether it clips
(`symrnn.diagnose.diagnose`). Leaves out: other mistakes, which are found with gradients too small to be clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.attempt import Attempt, Trial
from symrnn.diagnose.chain import groups_of_parameters
from symrnn.diagnose.clipping import ENTRIES, LENGTH, PADDED, ROWS, unpadded
from symrnn.diagnose.effort import ALONE, Effort
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Aspect, Model, Setting
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.rules import SlipKind
from symrnn.diagnose.scales import written
from symrnn.diagnose.search import Explanation, Found
from symrnn.language.system import Role
from symrnn.language.tree import names

MOST_CLIPS = 3
"""The most bounds to look for."""
_TRIED_FURTHER = 2
_STEPS = 6
_STEP_SIZE = 1e-3
_NEARER = 0.5
"""A step must leave less than this part of the difference, or the search for a number stops."""
_EXACT = 1e-9

_Place = tuple[Aspect, str]


@dataclass(frozen=True)
class _Clip:
    """Where a person may clip.

    Attributes:
        form: the way of clipping.
        places: the aspects and names that are clipped.
        doubt: how much less likely than another.
        apart: whether the bounds differ above and below zero.
    """

    form: str
    places: tuple[_Place, ...]
    doubt: int = 0
    apart: bool = False

    @property
    def start(self) -> tuple[float, ...]:
        """The unknowns: one bound, or the lower and the upper one."""
        return (-1.0, 1.0) if self.apart else (1.0,)

    def settings(self, unknowns: Sequence[float]) -> tuple[Setting, ...]:
        bounds = (unknowns[0] if self.apart else -unknowns[0], unknowns[-1])
        return tuple(Setting(aspect, name, self.form, bounds) for aspect, name in self.places)

    def mistake(self, unknowns: Sequence[float]) -> Mistake:
        texts = [written(value).text for value in unknowns]
        low = texts[0] if self.apart else f"-{texts[0]}"
        detail = f"{_HOW[self.form].format(low=low, high=texts[-1])}: {_where(self.places)}"
        keys = frozenset({(SlipKind.CLIPPED, self.form, *texts)})
        settings = self.settings([float(text) for text in texts])
        return Mistake(SlipKind.CLIPPED, detail, settings=settings, doubt=self.doubt + self.apart, keys=keys)


_HOW: Mapping[str, str] = {
    ENTRIES: "`np.clip(…, {low}, {high})` cuts off larger values",
    LENGTH: "a norm above {high} is reduced to {high}",
    PADDED: "if the norm is above {high}, everything is multiplied by {high} / (norm + 1e-6)",
    ROWS: "rows that have a norm above {high} are shrunk to that norm",
}
_WHERE: Mapping[Aspect, str] = {
    Aspect.CLIPPED_RETURNED: "the gradients of {names}, as they are returned",
    Aspect.CLIPPED_PART: "what each step adds to the gradients of {names}",
    Aspect.CLIPPED_TOGETHER: "the gradients of all parameters together",
    Aspect.CLIPPED_VALUE: "{names}, at every step",
    Aspect.CLIPPED_HANDED: "the gradients of {names} that a step is handed by the one after it",
    Aspect.CLIPPED_LOSS: "`dy`, at every step",
}


def _where(places: Sequence[tuple[Aspect, str]]) -> str:
    by_aspect: dict[Aspect, list[str]] = {}
    for aspect, name in places:
        by_aspect.setdefault(aspect, []).append(f"`{name}`")
    return " and ".join(_WHERE[aspect].format(names=", ".join(each)) for aspect, each in by_aspect.items())


def explain_clips(model: Model, trials: Sequence[Trial], effort: Effort) -> Explanation:
    """The fewest bounds to which gradients of ``model`` are clipped, so that they are what was returned in every trial.

    Args:
        model: the derived backward pass, with the mistakes that gradients too small to be clipped show.
        trials: what was returned; the first, of large gradients, is searched, the others confirm.
        effort: what may be computed.
    """
    search = _ClipSearch(trials, effort)
    with np.errstate(all="ignore"):
        for count in range(1, MOST_CLIPS + 1):
            effort.begin("looking for where gradients are clipped, and to what")
            if found := search.explain(model, count):
                return found
    return ()


class _ClipSearch:
    def __init__(self, trials: Sequence[Trial], effort: Effort) -> None:
        self._first, *self._others = trials
        self._effort = effort
        self._levels: dict[tuple[Setting, ...], list[tuple[int, Mistake]]] = {}

    def explain(self, model: Model, count: int) -> Explanation:
        level = self._level(model)
        for left, mistake in level:
            if not left and not any(
                trial.differing(model.with_changes((), mistake.settings)) for trial in self._others
            ):
                equal = [other for wrong, other in level if not wrong and other is not mistake]
                return (Found(model, mistake, tuple(each for each in equal if self._confirmed(model, each))),)
        for _, mistake in level[:_TRIED_FURTHER] if count > 1 else ():
            found = Found(model, mistake)
            if rest_of_it := self.explain(found.after, count - 1):
                return (found, *rest_of_it)
        return ()

    def _confirmed(self, model: Model, mistake: Mistake) -> bool:
        after = model.with_changes((), mistake.settings)
        return not any(trial.differing(after) for trial in self._others)

    def _level(self, model: Model) -> list[tuple[int, Mistake]]:
        """The candidates that put something right and break nothing, with how much is left wrong; the best first."""
        if model.settings not in self._levels:
            found = []
            attempt = Attempt(model, self._first, self._effort)
            fit = _BoundFit(attempt, self._effort)
            for clip in _clips(model, attempt) if attempt.wrong else ():
                if self._effort.over:
                    break
                for unknowns in fit.bounds(clip):
                    mistake = clip.mistake(unknowns)
                    left = attempt.one(mistake)
                    if left < attempt.wrong:
                        found.append((len(left), mistake))
                        break
            self._levels[model.settings] = sorted(found, key=lambda each: (each[0], each[1].cost))
        return self._levels[model.settings]


def _clips(model: Model, attempt: Attempt) -> Iterator[_Clip]:
    """Every place or set of places where a person clips: what is returned, what is passed on, values inside a step."""
    parameters = tuple(each.name for each in model.cell.parameters if each.name in model.returned)
    inputs = tuple(each.name for each in model.cell.of_role(Role.INPUT))
    # Gradients within the bound are right, clipped or not: so try all of them first.
    groups = (parameters, *groups_of_parameters(model, attempt.names))
    others = (model.cell.states, inputs, *((state,) for state in model.cell.states))
    every = (*parameters, *model.cell.states)
    for form in (LENGTH, PADDED):
        yield _Clip(form, ((Aspect.CLIPPED_TOGETHER, ""),))
    for group in dict.fromkeys((*groups, *others, every, (*every, *inputs))):
        for form in (ENTRIES, LENGTH, PADDED):
            yield _Clip(form, _places(Aspect.CLIPPED_RETURNED, group))
        yield _Clip(ENTRIES, _places(Aspect.CLIPPED_RETURNED, group), apart=True)
    for group in dict.fromkeys(groups) if attempt.steps > 1 else ():
        for form in (ENTRIES, LENGTH):
            yield _Clip(form, _places(Aspect.CLIPPED_PART, group), doubt=1)
    for group in dict.fromkeys(_values(model)):
        yield from _of_step(_places(Aspect.CLIPPED_VALUE, group), doubt=1)
    for states in dict.fromkeys((model.cell.states, *((state,) for state in model.cell.states))):
        yield from _of_step(_places(Aspect.CLIPPED_HANDED, states), doubt=2)
    if attempt.trial.sample.whole:
        yield from _of_step(((Aspect.CLIPPED_LOSS, ""),), doubt=2)


def _places(aspect: Aspect, group: Sequence[str]) -> tuple[_Place, ...]:
    return tuple((aspect, name) for name in group)


def _of_step(places: tuple[_Place, ...], doubt: int) -> Iterator[_Clip]:
    for form in (ENTRIES, LENGTH, ROWS):
        yield _Clip(form, places, doubt)
    yield _Clip(ENTRIES, places, doubt, apart=True)


def _values(model: Model) -> Iterator[tuple[str, ...]]:
    """The values of a step, alone and as people take them together."""
    adjoint = model.adjoint
    inside = [each.target for each in adjoint.equations if each.target not in model.of_parameters]
    arrives = [model.arrives[state] for state in model.cell.states]
    handed = [model.returned[state] for state in model.cell.states if state in model.returned]
    inputs = [model.returned[each.name] for each in model.cell.of_role(Role.INPUT) if each.name in model.returned]
    read = dict.fromkeys(
        name for each in adjoint.equations if each.target in model.of_parameters for name in names(each.expression)
    )
    deltas = [name for name in inside if name in read]
    for group in (handed, [*handed, *inputs], deltas, arrives, [*deltas, *handed], [*arrives, *deltas], inside):
        yield tuple(group)
    yield from ((name,) for name in (*handed, *arrives, *inside))


class _BoundFit:
    """Solves for bounds from single gradients."""

    def __init__(self, attempt: Attempt, effort: Effort) -> None:
        self._model, self._sample, self._effort = attempt.model, attempt.trial.sample, effort
        self._base = gradients(self._model, self._sample)
        self._wanted = {
            name: found
            for name, found in attempt.trial.observed.arrays.items()
            if name in attempt.names and found.shape == self._base[name].shape and np.isfinite(found).all()
        }

    def bounds(self, clip: _Clip) -> Iterator[tuple[float, ...]]:
        """The bounds that make some gradient right, the likeliest first."""
        if all(aspect in (Aspect.CLIPPED_RETURNED, Aspect.CLIPPED_TOGETHER) for aspect, _ in clip.places):
            yield from self._read(clip)
        else:
            yield from self._solved(clip)

    def _read(self, clip: _Clip) -> Iterator[tuple[float, ...]]:
        """The bounds of what is returned can be read off."""
        parameters = {each.name for each in self._model.cell.parameters}
        chosen = [name for _, name in clip.places if name] or sorted(parameters & set(self._base))
        found = [(self._wanted[name], self._base[name]) for name in chosen if name in self._wanted]
        if not found or (clip.form != ENTRIES and len(found) < len(chosen)):
            return  # the shortest of several may be below the bound; the others show it too
        values = [value for value, _ in found]
        if clip.places[0][0] is Aspect.CLIPPED_TOGETHER:
            yield (_length(values, [computed for _, computed in found], clip.form),)
        elif clip.apart:
            yield min(float(value.min()) for value in values), max(float(value.max()) for value in values)
        elif clip.form == ENTRIES:
            yield (max(float(np.abs(value).max()) for value in values),)
        else:
            yield (max(_length([value], [computed], clip.form) for value, computed in found),)

    def _solved(self, clip: _Clip) -> Iterator[tuple[float, ...]]:
        """By Gauss-Newton steps; each gradient may lead to other bounds."""
        start, ahead = self._at(clip, clip.start), self._ahead(clip, clip.start)
        known: list[tuple[float, ...]] = []
        for name in self._wanted:
            found = self._newton(clip, name, start, ahead)
            if found and not any(np.allclose(found, other, rtol=1e-7) for other in known):
                known.append(found)
                yield found

    def _newton(
        self, clip: _Clip, name: str, start: Mapping[str, Array], ahead: Sequence[Mapping[str, Array]]
    ) -> tuple[float, ...] | None:
        wanted, here, unknowns = self._wanted[name], start[name], clip.start
        first = left = float(np.linalg.norm(wanted - here))
        for _ in range(_STEPS):
            slopes = np.stack([((there[name] - here) / _STEP_SIZE).ravel() for there in ahead], axis=1)
            if not np.isfinite(slopes).all() or not slopes.any(axis=0).all():
                return None
            step = np.linalg.lstsq(slopes, (wanted - here).ravel(), rcond=None)[0]
            unknowns = tuple(float(value) for value in np.asarray(unknowns) + step)
            if unknowns[-1] <= 0 or (clip.apart and unknowns[0] >= unknowns[1]):
                return None
            here = self._at(clip, unknowns)[name]
            before, left = left, float(np.linalg.norm(wanted - here))
            if left <= _EXACT * first:
                return unknowns
            if not left < _NEARER * before:
                return None
            ahead = self._ahead(clip, unknowns)
        return None

    def _ahead(self, clip: _Clip, unknowns: Sequence[float]) -> list[Mapping[str, Array]]:
        """The gradients with each of the unknowns a little larger."""
        moved = [
            [value + _STEP_SIZE * (at == place) for at, value in enumerate(unknowns)] for place in range(len(unknowns))
        ]
        return [self._at(clip, each) for each in moved]

    def _at(self, clip: _Clip, unknowns: Sequence[float]) -> Mapping[str, Array]:
        self._effort.spend(ALONE * len(self._sample.steps))
        return gradients(self._model.with_changes((), clip.settings(unknowns)), self._sample)


def _length(found: Sequence[Array], computed: Sequence[Array], form: str) -> float:
    """The bound that a length was shrunk to."""
    short, long = (math.sqrt(sum(float(np.sum(value * value)) for value in values)) for values in (found, computed))
    return unpadded(short, long) if form == PADDED else short
