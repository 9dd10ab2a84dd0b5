"""Wrong numbers: a constant of another value, a number in place of another, a term multiplied by a number.

The number is solved for from a gradient that depends on it. Reads a model
and the results on one sample (`Attempt`); returns `Mistake` records. Leaves out: exponents, and whether one explains
anything (`symrnn.diagnose.search`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.attempt import SIDE_BY_SIDE, Attempt
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Edit, Model
from symrnn.diagnose.passes import gradients, lanes
from symrnn.diagnose.rules import Path, SlipKind, at, replaced
from symrnn.diagnose.terms import factors, is_sum, multiplied
from symrnn.language.system import Equation
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Constant, Expression, Number, children, transform, walk

_FEWEST = 3
"""A gradient with fewer entries would fit by chance."""
_STEPS = 6
_STEP_SIZE = 1e-3
_NEARER = 0.5
"""A step must leave less than this part of the difference, or the search for a number stops."""
_EXACT = 1e-9
_DIGITS = 6


@dataclass(frozen=True)
class Knob:
    """A number of the derived equations that may differ in the person's.

    Attributes:
        value: its right value.
        labels: the equations that it stands in.
        edits: those equations with another number in its place.
        detail: a sentence, given the number as text.
    """

    value: float
    labels: tuple[str, ...]
    edits: Callable[[Number], tuple[Edit, ...]]
    detail: Callable[[str], str]


def scales(attempt: Attempt, effort: Effort, all_at_once: bool) -> list[Mistake]:
    """A mistake for every number whose replacement makes some wrong gradient right.

    Args:
        attempt: a model and the results that it is compared with.
        effort: what may be computed.
        all_at_once: whether only numbers count that may put everything right.
    """
    wrong = attempt.names
    reach = [(knob, attempt.reach(knob.labels)) for knob in _knobs(attempt.model)]
    tried = [(knob, names & wrong) for knob, names in reach if (names == wrong if all_at_once else names & wrong)]
    found = []
    for knob, value in _NumberFit(attempt, effort).solve(tried):
        number = written(value)
        if number.value != Fraction(repr(knob.value)):
            found.append(Mistake(SlipKind.NUMBER, knob.detail(number.text), knob.edits(number)))
    return found


def _knobs(model: Model) -> Iterator[Knob]:
    equations = model.adjoint.equations
    constants = {node.name: node for e in equations for node in walk(e.expression) if isinstance(node, Constant)}
    yield from (_constant(model, node) for node in constants.values())
    for equation in equations:
        for path, parent in _places(equation.expression):
            node = at(equation.expression, path)
            if isinstance(node, Number | Constant):
                yield _number(equation, path, node)
            elif parent is None or is_sum(parent) or isinstance(parent, Call):
                yield _factor(equation, path, node)


def _places(
    node: Expression, path: Path = (), parent: Expression | None = None
) -> Iterator[tuple[Path, Expression | None]]:
    """Every place of a tree and the node around it."""
    yield path, parent
    for place, child in enumerate(children(node)):
        yield from _places(child, (*path, place), node)


def _constant(model: Model, constant: Constant) -> Knob:
    reading = [e for e in model.adjoint.equations if constant in walk(e.expression)]

    def edits(number: Number) -> tuple[Edit, ...]:
        return tuple(
            Edit(e.label, transform(e.expression, lambda node: number if node == constant else node)) for e in reading
        )

    return Knob(
        float(constant.value),
        tuple(e.label for e in reading),
        edits,
        lambda text: f"the constant `{constant.name}` is {constant.text}, but {text} in yours",
    )


def _number(equation: Equation, path: Path, node: Number | Constant) -> Knob:
    return Knob(
        float(node.value),
        (equation.label,),
        lambda number: (Edit(equation.label, replaced(equation.expression, path, number)),),
        lambda text: f"{text} stands where `{to_text(node)}` belongs",
    )


def _factor(equation: Equation, path: Path, node: Expression) -> Knob:
    return Knob(
        1.0,
        (equation.label,),
        lambda number: (
            Edit(equation.label, replaced(equation.expression, path, multiplied(((False, number), *factors(node))))),
        ),
        lambda text: f"`{to_text(node)}` is multiplied by {text}",
    )


@dataclass
class _Guess:
    """An estimate of the number that makes one gradient right."""

    knob: Knob
    name: str
    value: float
    here: Array
    first: float
    left: float


class _NumberFit:
    """Solves for all numbers side by side, each from one gradient, since others may have further mistakes."""

    def __init__(self, attempt: Attempt, effort: Effort) -> None:
        self._model, self._sample, self._effort = attempt.model, attempt.trial.sample, effort
        self._base = gradients(self._model, self._sample)
        self._wanted = {
            name: found
            for name, found in attempt.trial.observed.arrays.items()
            if name in self._base
            and found.shape == self._base[name].shape
            and found.size >= _FEWEST
            and np.isfinite(found).all()
        }

    def solve(self, knobs: Iterable[tuple[Knob, frozenset[str]]]) -> Iterator[tuple[Knob, float]]:
        """The numbers that make one of the named gradients right; for each knob the first one found."""
        guesses = [self._guess(knob, name) for knob, names in knobs for name in sorted(names & set(self._wanted))]
        solved: dict[int, tuple[Knob, float]] = {}
        for _ in range(_STEPS):
            guesses = [guess for guess in self._stepped(guesses) if id(guess.knob) not in solved]
            for guess in guesses:
                if guess.left <= _EXACT * guess.first:
                    solved.setdefault(id(guess.knob), (guess.knob, guess.value))
        yield from solved.values()

    def _guess(self, knob: Knob, name: str) -> _Guess:
        left = float(np.linalg.norm(self._wanted[name] - self._base[name]))
        return _Guess(knob, name, knob.value, self._base[name], left, left)

    def _stepped(self, guesses: Sequence[_Guess]) -> list[_Guess]:
        """Every guess after a Gauss-Newton step of one unknown; those that do not converge are left out."""
        moved = []
        ahead = self._at([(guess, guess.value + _STEP_SIZE) for guess in guesses])
        for guess, there in zip(guesses, ahead, strict=False):
            slope = (there - guess.here) / _STEP_SIZE
            square = float(np.sum(slope * slope))
            if math.isfinite(square) and square > 0:
                step = float(np.sum(slope * (self._wanted[guess.name] - guess.here))) / square
                moved.append((guess, guess.value + step))
        kept = []
        for (guess, value), here in zip(moved, self._at(moved), strict=False):
            left = float(np.linalg.norm(self._wanted[guess.name] - here))
            if left < _NEARER * guess.left or left <= _EXACT * guess.first:
                kept.append(replace(guess, value=value, here=here, left=left))
        return kept

    def _at(self, guesses: Sequence[tuple[_Guess, float]]) -> Iterator[Array]:
        """For each guess its gradient, computed with another number; fewer if the effort is spent."""
        for start in range(0, len(guesses), SIDE_BY_SIDE):
            some = guesses[start : start + SIDE_BY_SIDE]
            if self._effort.over:
                return
            self._effort.spend(len(some) * len(self._sample.steps))
            changes = [guess.knob.edits(Number(Fraction(value), repr(value))) for guess, value in some]
            computed = lanes(self._model, self._sample, changes)
            for lane, (guess, _) in enumerate(some):
                value = computed.arrays[guess.name]
                yield value[lane] if guess.name in computed.laned else value


def written(value: float) -> Number:
    """The number of few digits that ``value`` equals up to rounding, else all its digits."""
    short = f"{value:.{_DIGITS}g}"
    text = short if math.isclose(float(short), value, rel_tol=1e-8, abs_tol=1e-10) else f"{value:.12g}"
    return Number(Fraction(text), text)
