"""`diagnose` compares a hand-written backward pass with the derived one; it returns a `Diagnosis`.

Reads a callable (or ``FILE.py:FUNCTION``) and a cell; runs the function on random samples beside the derived backward
pass; returns what is right, what is wrong, and why. Leaves out: printing it, and exit codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symrnn.derive.derivation import derive
from symrnn.diagnose.attempt import Trial
from symrnn.diagnose.diagnosis import Diagnosis, Verdict
from symrnn.diagnose.effort import Effort
from symrnn.diagnose.layout import Layout, read_layout
from symrnn.diagnose.locate import Established, Suspects, locate
from symrnn.diagnose.model import Model
from symrnn.diagnose.order import Explained, Runs, explain_runs
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.runs import Runner, is_linear
from symrnn.diagnose.sample import LOUD, SOFT, Shape
from symrnn.diagnose.subject import Returned, Subject, as_subject, load_subject
from symrnn.errors import DiagnoseError
from symrnn.language.cellfile import CellLike, load
from symrnn.saying import Progress, silent


def diagnose(
    function: str | Callable[..., Any],
    cell: CellLike,
    *,
    layout: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Compare a hand-written backward pass with the derived one.

    The function is called with copies of random arrays in float64. The number of its arguments tells its kind:

    * one step, ``backward_step(params, cache, dstate)``: ``params`` by the cell's names; ``cache`` holds the values of
      the step by name, each ``(B, size)``: ``x``, states before (``h``) and after (``h'``), every intermediate, and
      the parts that the derivation names; ``dstate`` the gradient of the loss by each state after the step,
      and by each output that is no state.
    * a whole sequence, ``backward(params, caches, dy, dstate)``: ``caches`` is a list of such caches, one a step;
      ``dy`` ``(T, B, size)`` the gradient by the output of each step; ``dstate`` that by the last states, beside it.
      Of several outputs, ``dy`` holds them by name.

    Either returns ``(dparams, dstate, dx)``: gradients of the parameters by name, summed over the batch (and over the
    steps); of the states before the (first) step, by name; of the input, ``(B, input)`` or ``(T, B, input)``.

    Args:
        function: a callable, or ``FILE.py:FUNCTION``, whose file is run.
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        layout: parameters that the function keeps stacked, as in ``{"W": "W_xi/W_xf"}`` or ``{"W": "W_xi.T,W_xf.T"}``.
        seed: of the random numbers.
        progress: called with the current search, if it takes long.

    Raises:
        DiagnoseError: the function cannot be found, called or compared.
        CellError: the cell cannot be loaded.
    """
    derivation = derive(load(cell).step)  # to a function of one's own, what is prepared is a parameter
    stacks = read_layout(derivation.cell, layout or {})
    subject = load_subject(function) if isinstance(function, str) else as_subject(function)
    model = Model(derivation.cell, derivation.adjoint)
    return _Diagnosing(model, subject, stacks, Runner(model, subject, stacks, seed), Effort(progress)).run()


class _Diagnosing:
    def __init__(self, model: Model, subject: Subject, layout: Layout, runner: Runner, effort: Effort) -> None:
        self._model, self._subject, self._layout = model, subject, layout
        self._runner, self._effort = runner, effort

    def run(self) -> Diagnosis:
        shapes, circumstance, stops = self._runner.shapes()
        trials, returned = self._runner.trials(shapes)
        self._runner.hold_same(trials[0].sample, returned)
        loud = self._runner.louder(trials[0], LOUD)
        linear = loud is None or is_linear(trials[0], loud, LOUD)
        held = trials if linear or loud is None else (*trials, loud)
        verdicts = self._verdicts(held, returned)
        result = Diagnosis(
            cell=self._model.cell,
            title=self._subject.title,
            whole=self._subject.whole,
            model=self._model,
            verdicts=verdicts,
            stops=stops,
            circumstance=circumstance,
            batches=len(trials),
            loud=not linear,
            quiet=not any(trial.differing(self._model) for trial in trials),
        )
        if all(verdict.right for verdict in verdicts):
            if stops:
                raise DiagnoseError(f"{stops}\nIt runs, and all gradients are right, if {circumstance}")
            return result
        if not any(verdict.differs for verdict in verdicts):
            return result  # missing gradients and wrong shapes are reported as they are
        runs = self._runs(shapes, held, linear)
        found = explain_runs(self._model, runs, self._effort)
        if found.all:
            return replace(result, explanation=found.all)
        return self._unexplained(result, runs, found)

    def _unexplained(self, result: Diagnosis, runs: Runs, found: Explained) -> Diagnosis:
        """What is known if nothing explains all gradients."""
        established = tuple(self._established(runs))
        short = next((each for each in established if each.steps in ((), (1,))), None)
        return replace(
            result,
            suspects=short.suspects if short else None,
            between=bool(runs.short) and short is not None and not short.wrong,
            established=established,
            partly=found.partly,
            partly_where=found.where,
            cut_short=self._effort.over,
        )

    def _runs(self, shapes: Sequence[Shape], trials: Sequence[Trial], linear: bool) -> Runs:
        whole = self._subject.whole
        short = self._runner.of_one_step(shapes) if whole else ()
        if linear:
            return Runs(tuple(trials), short)
        soft, _ = self._runner.trials(shapes, SOFT)
        return Runs(tuple(trials), short, trials[-1], soft, self._runner.of_one_step(shapes, SOFT) if whole else ())

    def _verdicts(self, trials: Sequence[Trial], returned: Returned) -> tuple[Verdict, ...]:
        """For each gradient its worst verdict over all trials."""
        verdicts = []
        names = self._model.wanted
        computed = [gradients(self._model, trial.sample) for trial in trials]
        for name in names:
            fault = next((text for stack, text in returned.faults.items() if name in self._blocks(stack)), "")
            if name not in returned.arrays:
                verdicts.append(Verdict(name, missing=not fault, fault=fault))
                continue
            stack = next((each for each in returned.transposed if name in self._blocks(each)), "")
            found, right = returned.arrays[name], computed[0][name]
            if stack:
                fault = f"is in `{stack}`, which is returned transposed"
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

    def _established(self, runs: Runs) -> list[Established]:
        """What is known from each kind of run: whole sequences and those of one step, or single steps."""
        several = self._subject.whole
        found = [self._known(runs.trials, several)]
        if runs.short:
            found.append(self._known(runs.short, several))
        return found

    def _known(self, trials: Sequence[Trial], sequences: bool) -> Established:
        steps = tuple(dict.fromkeys(len(trial.sample.steps) for trial in trials)) if sequences else ()
        keys = [trial.differing(self._model) for trial in trials]
        returned = trials[0].observed.arrays
        wrong = tuple(name for name in self._model.wanted if any(name == each for some in keys for each, _ in some))
        several = steps not in ((), (1,))
        suspects: Suspects | None = locate(self._model, returned, wrong, several) if wrong else None
        if several and suspects is not None and not suspects.right:
            suspects = None
        right = []
        for name in sorted(trials[0].observed.stepped & set(wrong)) if several else ():
            at = {t for each, t in keys[0] if each == name}
            fitting = tuple(t for t in range(len(trials[0].sample.steps)) if t not in at)
            if fitting and -1 not in at:
                right.append((name, fitting))
        return Established(steps, len(returned), wrong, suspects, tuple(right))
