"""Numbers that are wrong: a constant of another value, a number in its place, a term multiplied by one.

Which number it is, the person's gradients tell: where a gradient follows from the number, it is solved for. Reads a
`Model` and what was returned on one problem; returns `Mistake` records. Leaves out: exponents, and whether one explains
anything (`symrnn.diagnose.search`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.compare import Observed
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.model import Edit, Model, gradients
from symrnn.diagnose.problem import Problem
from symrnn.diagnose.rules import Kind, Path, at, replaced
from symrnn.diagnose.terms import factors, is_sum, multiplied
from symrnn.language.system import Equation
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Constant, Expression, Number, children, transform, walk

_FEWEST = 3
"""A gradient of fewer numbers fits by chance."""
_STEPS = 6
_STEP_SIZE = 1e-3
_NEARER = 0.5
"""A step that leaves more of the difference than that leads nowhere."""
_EXACT = 1e-9
_DIGITS = 6


@dataclass(frozen=True)
class Knob:
    """A number of the derived equations that may be another in the person's.

    Attributes:
        value: what it is.
        labels: the equations that it stands in.
        edits: those equations with another number in its place.
        detail: a sentence, given the number as text.
    """

    value: float
    labels: tuple[str, ...]
    edits: Callable[[Number], tuple[Edit, ...]]
    detail: Callable[[str], str]


def scales(model: Model, problem: Problem, observed: Observed, wrong: frozenset[str]) -> Iterator[Mistake]:
    """A mistake for every number that another one in its place makes some gradient of ``wrong`` right by."""
    fit = _Fit(model, problem, observed)
    for knob in _knobs(model):
        names = model.reach(knob.labels, len(problem.steps) > 1) & wrong
        number = fit.solve(knob, names) if names else None
        if number is not None and number.value != Fraction(repr(knob.value)):
            yield Mistake(Kind.NUMBER, knob.detail(number.text), knob.edits(number))


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
    """Every place of a tree and what it stands in."""
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
        lambda text: f"the constant `{constant.name}` is {constant.text}, and {text} in yours",
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


class _Fit:
    """Solves for a number by one gradient at a time: others may have further mistakes in them."""

    def __init__(self, model: Model, problem: Problem, observed: Observed) -> None:
        self._model, self._problem = model, problem
        self._base = gradients(model, problem)
        self._wanted = {
            name: found
            for name, found in observed.arrays.items()
            if name in self._base
            and found.shape == self._base[name].shape
            and found.size >= _FEWEST
            and np.isfinite(found).all()
        }

    def solve(self, knob: Knob, names: frozenset[str]) -> Number | None:
        """The number that makes a gradient of ``names`` right; none where there is none."""
        moved = self._with(knob, knob.value + _STEP_SIZE)
        for name in sorted(names & set(self._wanted)):
            value = self._newton(knob, name, moved)
            if value is not None:
                return _written(value)
        return None

    def _newton(self, knob: Knob, name: str, moved: Mapping[str, Array]) -> float | None:
        """Gauss-Newton steps of one unknown, from the right number on."""
        value, here = knob.value, self._base[name]
        wanted = self._wanted[name]
        first = left = float(np.linalg.norm(wanted - here))
        for step in range(_STEPS):
            ahead = moved[name] if step == 0 else self._with(knob, value + _STEP_SIZE)[name]
            slope = (ahead - here) / _STEP_SIZE
            square = float(np.sum(slope * slope))
            if not (math.isfinite(square) and square > 0):
                return None
            value += float(np.sum(slope * (wanted - here))) / square
            here = self._with(knob, value)[name]
            before, left = left, float(np.linalg.norm(wanted - here))
            if left <= _EXACT * first:
                return value
            if not left < _NEARER * before:
                return None
        return None

    def _with(self, knob: Knob, value: float) -> dict[str, Array]:
        edits = knob.edits(Number(Fraction(value), repr(value)))
        return gradients(self._model.with_changes(edits, ()), self._problem)


def _written(value: float) -> Number:
    """The number of few digits that ``value`` is but for rounding, else all of its digits."""
    short = f"{value:.{_DIGITS}g}"
    text = short if math.isclose(float(short), value, rel_tol=1e-8, abs_tol=1e-10) else f"{value:.12g}"
    return Number(Fraction(text), text)
