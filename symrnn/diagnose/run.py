"""`diagnose`: a person's backward pass and a cell in, a `Diagnosis` out.

Reads a callable (or ``FILE.py:FUNCTION``) and a cell; runs the function on random problems beside the derived backward
pass; returns what is right, what is wrong, and why. Leaves out: printing it, and exit codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symrnn.derive.record import derive
from symrnn.diagnose.attempt import Trial
from symrnn.diagnose.compare import observed
from symrnn.diagnose.effort import Effort, Progress
from symrnn.diagnose.layout import Layout, read_layout
from symrnn.diagnose.locate import Suspects, locate
from symrnn.diagnose.model import Model
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.problem import ONE_ROW, ONE_SIZE, SHAPES, SQUARE, Problem, Shape, draw
from symrnn.diagnose.report import Diagnosis, Verdict
from symrnn.diagnose.stages import explain_whole
from symrnn.diagnose.subject import Returned, StopsError, Subject, as_subject, call, load_subject
from symrnn.errors import DiagnoseError
from symrnn.language.cellfile import CellLike
from symrnn.language.system import Role

_CIRCUMSTANCES = (
    (SHAPES, ""),
    (SQUARE, "all sizes are equal (input = hidden), which a missing transpose does not show in"),
    (ONE_ROW, "the batch has one row, which a sum over the rows is not missed in"),
    (ONE_SIZE, "all sizes and the number of rows are equal"),
)
"""Shapes to run on, the first on which the function does not stop; and what holds there."""


def diagnose(
    function: str | Callable[..., Any],
    cell: CellLike,
    *,
    layout: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> Diagnosis:
    """Hold a backward pass that a person wrote against the derived one.

    The function is called with copies of random arrays, in float64, and is told by how many it takes:

    * one step, ``backward_step(params, cache, dstate)``: ``params`` by the cell's names; ``cache`` holds the values of
      the step by name, each ``(B, size)``: ``x``, states before (``h``) and after (``h'``), every intermediate, and
      the parts that the derivation names; ``dstate`` the gradient of the loss by each state after the step.
    * a whole sequence, ``backward(params, caches, dy, dstate)``: ``caches`` is a list of such caches, one a step;
      ``dy`` ``(T, B, size)`` the gradient by the output of each step; ``dstate`` that by the last states, beside it.

    Either returns ``(dparams, dstate, dx)``: gradients of the parameters by name, summed over the batch (and over the
    steps); of the states before the (first) step, by name; of the input, ``(B, input)`` or ``(T, B, input)``.

    Args:
        function: a callable, or ``FILE.py:FUNCTION``, whose file is run.
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        layout: parameters that the function keeps stacked, as in ``{"W": "W_xi/W_xf"}`` or ``{"W": "W_xi.T,W_xf.T"}``.
        seed: of the random numbers.
        progress: told what is being looked for, where it takes long.

    Raises:
        DiagnoseError: the function cannot be found, called or compared.
        CellError: the cell cannot be loaded.
    """
    derivation = derive(cell)
    stacks = read_layout(derivation.cell, layout or {})
    subject = load_subject(function) if isinstance(function, str) else as_subject(function)
    return _Diagnosing(Model(derivation.cell, derivation.adjoint), subject, stacks, seed, Effort(progress)).run()


class _Diagnosing:
    def __init__(self, model: Model, subject: Subject, layout: Layout, seed: int, effort: Effort) -> None:
        self._effort = effort
        self._model, self._subject, self._layout, self._seed = model, subject, layout, seed
        inputs = (variable.name for variable in model.cell.of_role(Role.INPUT))
        self._stepped = frozenset(inputs if subject.whole else ())

    def run(self) -> Diagnosis:
        shapes, circumstance, stops = self._shapes()
        trials, returned = self._trials(shapes)
        self._hold_same(trials[0].problem, returned)
        verdicts = self._verdicts(trials, returned)
        result = Diagnosis(
            cell=self._model.cell,
            title=self._subject.title,
            whole=self._subject.whole,
            model=self._model,
            verdicts=verdicts,
            stops=stops,
            circumstance=circumstance,
            batches=len(trials),
        )
        if all(verdict.right for verdict in verdicts):
            if stops:
                raise DiagnoseError(f"{stops}\nIt runs, and all gradients are right, where {circumstance}")
            return result
        wrong = [verdict.name for verdict in verdicts if verdict.differs]
        if not any(verdict.differs for verdict in verdicts):
            return result  # what is missing, or of the wrong shape, is said as it stands
        short = self._short(shapes) if self._subject.whole else ()
        found = explain_whole(self._model, trials, short, self._effort)
        if found.all:
            return replace(result, explanation=found.all)
        return replace(result, suspects=self._suspects(trials, short, wrong), between=self._between(short))

    def _shapes(self) -> tuple[Sequence[Shape], str, str]:
        """The shapes on which the function runs, what holds there, and how it stopped on those that come first."""
        stops = ""
        for shapes, circumstance in _CIRCUMSTANCES:
            try:
                self._called(self._drawn(shapes[0]))
            except StopsError as error:
                stops = stops or str(error)
                continue
            return shapes, circumstance, stops
        raise DiagnoseError(f"{stops}\n{self._given(self._drawn(SHAPES[0]))}")

    def _given(self, problem: Problem) -> str:
        """The shapes of what the function is given, in a sentence."""
        arrays = {**self._layout.stack(problem.params), **problem.steps[0]}
        text = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        return f"It stops on all sizes that were tried. These shapes it was given first: {text}"

    def _drawn(self, shape: Shape) -> Problem:
        return draw(self._model.cell, shape, self._seed, self._subject.whole)

    def _called(self, problem: Problem) -> Returned:
        return call(self._subject, problem, self._layout)

    def _trials(self, shapes: Iterable[Shape]) -> tuple[list[Trial], Returned]:
        """A trial for each shape, and what the function returned on the first."""
        trials, first = [], None
        for shape in shapes:
            problem = self._drawn(shape)
            returned = self._called(problem)
            first = first or returned
            derived = gradients(self._model, problem)
            trials.append(Trial(problem, observed(returned, derived, self._stepped)))
        assert first is not None
        return trials, first

    def _hold_same(self, problem: Problem, before: Returned) -> None:
        """A second call on the same problem must return the same.

        Raises:
            DiagnoseError: it does not.
        """
        after = self._called(problem)
        for name, value in before.arrays.items():
            again = after.arrays.get(name)
            if again is None or not np.array_equal(value, again, equal_nan=True):
                raise DiagnoseError(
                    f"{self._subject.title} returns another gradient of {name} when it is called once more with the same "
                    "arguments; it draws random numbers, or keeps something between calls (a gradient that is added "
                    "to an array outside the function, a default argument that is changed)"
                )

    def _short(self, shapes: Iterable[Shape]) -> tuple[Trial, ...]:
        """Trials on sequences of one step, where nothing is handed between steps; none where the function stops."""
        try:
            trials, _ = self._trials(replace(shape, steps=1) for shape in shapes)
        except StopsError:
            return ()  # it needs several steps: the whole sequence is searched alone
        return tuple(trials)

    def _verdicts(self, trials: Sequence[Trial], returned: Returned) -> tuple[Verdict, ...]:
        """The worst over all trials for each gradient."""
        verdicts = []
        names = self._model.wanted
        computed = [gradients(self._model, trial.problem) for trial in trials]
        for name in names:
            fault = next((text for stack, text in returned.faults.items() if name in self._blocks(stack)), "")
            if name not in returned.arrays:
                verdicts.append(Verdict(name, missing=not fault, fault=fault))
                continue
            stack = next((each for each in returned.transposed if name in self._blocks(each)), "")
            found, right = returned.arrays[name], computed[0][name]
            if stack:
                fault = f"stands in `{stack}`, which is returned transposed"
            elif found.shape != right.shape:
                fault = f"has shape {found.shape}, expected {right.shape}"
            elif not np.isfinite(found).all():
                fault = "has entries that are not finite"
            errors = [t.observed.error(name, c[name]) for t, c in zip(trials, computed, strict=True)]
            bad = any(error > t.observed.bound for error, t in zip(errors, trials, strict=True))
            verdicts.append(Verdict(name, error=max(errors), differs=bad, fault=fault))
        return tuple(verdicts)

    def _blocks(self, stack: str) -> tuple[str, ...]:
        return tuple(block.name for row in self._layout.stacks[stack] for block in row)

    def _suspects(self, trials: Sequence[Trial], short: Sequence[Trial], wrong: Sequence[str]) -> Suspects | None:
        """Where the mistake must be in the equations of a step; None where a single step comes out right."""
        if not self._subject.whole:
            return locate(self._model, trials[0].observed.arrays, wrong, several_steps=False)
        if not short:
            return None
        names = {name for trial in short for name, _ in trial.differing(self._model)}
        return locate(self._model, short[0].observed.arrays, names, several_steps=False) if names else None

    def _between(self, short: Sequence[Trial]) -> bool:
        """Whether a sequence of one step comes out right, so that the mistake is between steps."""
        return bool(short) and not any(trial.differing(self._model) for trial in short)
