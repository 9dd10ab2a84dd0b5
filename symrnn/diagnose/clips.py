"""Gradients that are clipped in the pass, and to what.

Reads a `Model` and what was returned where the gradients that arrive are large (`Trial`); returns an `Explanation`. For
every place where a person clips, the bound is solved for: with most entries at it, what is returned is linear in it. A
pass without clipping is linear in what arrives, so that large and small gradients tell whether to look at all
(`symrnn.diagnose.run`). Leaves out: other mistakes, which are found where gradients are too small to be clipped; and
bounds that differ above and below zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.attempt import Attempt, Trial
from symrnn.diagnose.chain import groups_of_parameters
from symrnn.diagnose.clipping import ENTRIES, LENGTH, PADDED, unpadded
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Aspect, Model, Setting
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.rules import Kind
from symrnn.diagnose.scales import written
from symrnn.diagnose.search import Explanation, Found
from symrnn.language.system import Role
from symrnn.language.tree import names

MOST_CLIPS = 3
"""How many bounds are looked for."""
_TRIED_FURTHER = 2
_STEPS = 6
_STEP_SIZE = 1e-3
_START = 1.0
_MOST_BOUNDS = 4
"""How many bounds that single gradients ask for are followed."""
_EXACT = 1e-9


@dataclass(frozen=True)
class _Clip:
    """Where a person may clip.

    Attributes:
        form: how.
        places: the aspects and names that are clipped.
        doubt: how much less likely than another.
    """

    form: str
    places: tuple[tuple[Aspect, str], ...]
    doubt: int = 0

    def settings(self, bound: float) -> tuple[Setting, ...]:
        return tuple(Setting(aspect, name, self.form, bound) for aspect, name in self.places)

    def mistake(self, bound: float) -> Mistake:
        text = written(bound).text
        detail = f"{_HOW[self.form].format(bound=text)}: {_where(self.places)}"
        keys = frozenset({(Kind.CLIPPED, self.form, text)})
        return Mistake(Kind.CLIPPED, detail, settings=self.settings(float(text)), doubt=self.doubt, keys=keys)


_HOW: Mapping[str, str] = {
    ENTRIES: "`np.clip(…, -{bound}, {bound})` cuts off what is larger",
    LENGTH: "what is longer than {bound} (its norm, rows and units as one vector) is shrunk to that length",
    PADDED: "what is longer than {bound} (its norm + 1e-6, rows and units as one vector) is shrunk to that length",
}
_WHERE: Mapping[Aspect, str] = {
    Aspect.CLIPPED_TOTAL: "the gradients that are returned of {names}",
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
    search = _Search(trials, effort)
    with np.errstate(all="ignore"):
        for count in range(1, MOST_CLIPS + 1):
            effort.begin("looking for where gradients are clipped, and to what")
            if found := search.explain(model, count):
                return found
    return ()


class _Search:
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
        """What puts something right and breaks nothing, with how much is left; the best first."""
        if model.settings not in self._levels:
            found = []
            attempt = Attempt(model, self._first, self._effort)
            fit = _Fit(attempt, self._effort)
            for clip in _clips(model, attempt) if attempt.wrong else ():
                for bound in fit.bounds(clip):
                    mistake = clip.mistake(bound)
                    left = attempt.one(mistake)
                    if left < attempt.wrong:
                        found.append((len(left), mistake))
                        break
            self._levels[model.settings] = sorted(found, key=lambda each: (each[0], each[1].cost))
        return self._levels[model.settings]


def _clips(model: Model, attempt: Attempt) -> Iterator[_Clip]:
    """Every place, and every set of places, where a person clips: what is returned, what is handed on, what is inside."""
    wrong = frozenset(name for name, _ in attempt.wrong)
    every = tuple(each.name for each in model.cell.parameters if each.name in model.returned)
    for form in (LENGTH, PADDED):
        yield _Clip(form, ((Aspect.CLIPPED_TOGETHER, ""),))
    for aspect in (Aspect.CLIPPED_TOTAL, *([Aspect.CLIPPED_PART] if attempt.steps > 1 else [])):
        # What the bound does not reach is right, clipped or not: all parameters first.
        for group in dict.fromkeys((every, *groups_of_parameters(model, wrong))):
            for form in (ENTRIES, LENGTH, PADDED):
                yield _Clip(form, tuple((aspect, name) for name in group), doubt=aspect is Aspect.CLIPPED_PART)
    for group in dict.fromkeys(_values(model)):
        for form in (ENTRIES, LENGTH):
            yield _Clip(form, tuple((Aspect.CLIPPED_VALUE, name) for name in group), doubt=1)
    for states in dict.fromkeys((model.cell.states, *((state,) for state in model.cell.states))):
        for form in (ENTRIES, LENGTH):
            yield _Clip(form, tuple((Aspect.CLIPPED_HANDED, state) for state in states), doubt=2)
    for form in (ENTRIES, LENGTH) if attempt.trial.problem.whole else ():
        yield _Clip(form, ((Aspect.CLIPPED_LOSS, ""),), doubt=2)


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


class _Fit:
    """Solves for bounds by what single gradients ask for."""

    def __init__(self, attempt: Attempt, effort: Effort) -> None:
        self._model, self._problem, self._effort = attempt.model, attempt.trial.problem, effort
        self._base = gradients(self._model, self._problem)
        wrong = {name for name, _ in attempt.wrong}
        self._wanted = {
            name: found
            for name, found in attempt.trial.observed.arrays.items()
            if name in wrong and found.shape == self._base[name].shape and np.isfinite(found).all()
        }

    def bounds(self, clip: _Clip) -> Iterator[float]:
        """The bounds that make some gradient right, the likeliest first."""
        if all(aspect in (Aspect.CLIPPED_TOTAL, Aspect.CLIPPED_TOGETHER) for aspect, _ in clip.places):
            yield from self._read(clip)
        else:
            yield from self._solved(clip)

    def _read(self, clip: _Clip) -> Iterator[float]:
        """The bound of what is returned can be read off."""
        parameters = {each.name for each in self._model.cell.parameters}
        chosen = [name for _, name in clip.places if name] or sorted(parameters & set(self._base))
        found = {name: self._wanted.get(name) for name in chosen}
        if clip.places[0][0] is Aspect.CLIPPED_TOGETHER:
            if all(value is not None for value in found.values()):
                yield _length([*found.values()], [self._base[name] for name in chosen], clip.form)
            return
        read = [
            float(np.abs(value).max()) if clip.form == ENTRIES else _length([value], [self._base[name]], clip.form)
            for name, value in found.items()
            if value is not None
        ]
        if read:
            yield max(read)  # what is below the bound is as it was

    def _solved(self, clip: _Clip) -> Iterator[float]:
        """By Gauss-Newton steps of one unknown; each gradient may lead to another bound."""
        start, ahead = self._at(clip, _START), self._at(clip, _START + _STEP_SIZE)
        tried: list[float] = []
        for name, wanted in self._wanted.items():
            value, here, there = _START, start[name], ahead[name]
            for _ in range(_STEPS):
                slope = (there - here) / _STEP_SIZE
                square = float(np.sum(slope * slope))
                if not (math.isfinite(square) and square > 0):
                    break
                value += float(np.sum(slope * (wanted - here))) / square
                if value <= 0 or any(math.isclose(value, other, rel_tol=1e-7) for other in tried):
                    break
                here = self._at(clip, value)[name]
                if float(np.linalg.norm(wanted - here)) <= _EXACT * float(np.linalg.norm(wanted - start[name])):
                    yield value
                    break
                tried.append(value)
                there = self._at(clip, value + _STEP_SIZE)[name]
            if len(tried) >= _MOST_BOUNDS * _STEPS:
                return

    def _at(self, clip: _Clip, bound: float) -> Mapping[str, Array]:
        self._effort.spend(len(self._problem.steps))
        return gradients(self._model.with_changes((), clip.settings(bound)), self._problem)


def _length(found: Sequence[Array | None], computed: Sequence[Array], form: str) -> float:
    """The bound that a length was shrunk to."""
    short, long = (
        math.sqrt(sum(float(np.sum(value * value)) for value in values if value is not None))
        for values in (found, computed)
    )
    return unpadded(short, long) if form == PADDED else short
