"""Runs a person's function on random samples: of every shape, of one step, with large and with small gradients.

Reads the function and the derived pass; returns `Trial` records. Leaves out: what follows from the results
(`symrnn.diagnose.diagnose`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from symrnn.check.measure import error
from symrnn.diagnose.attempt import Trial
from symrnn.diagnose.compare import observed
from symrnn.diagnose.layout import Layout
from symrnn.diagnose.model import Model
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.sample import ONE_ROW, ONE_SIZE, SHAPES, SQUARE, Sample, Shape, draw
from symrnn.diagnose.subject import Returned, StopsError, Subject, call
from symrnn.errors import DiagnoseError
from symrnn.language.system import Role

_CIRCUMSTANCES = (
    (SHAPES, ""),
    (SQUARE, "all sizes are equal (input = hidden), so that a missing transpose does not show"),
    (ONE_ROW, "the batch has one row, so that a missing sum over the rows does not show"),
    (ONE_SIZE, "all sizes and the number of rows are equal"),
)
"""Shapes to try, and the circumstance of each; the first on which the function does not stop is used."""


class Runner:
    """Runs one function."""

    def __init__(self, model: Model, subject: Subject, layout: Layout, seed: int) -> None:
        self._model, self._subject, self._layout, self._seed = model, subject, layout, seed
        inputs = (variable.name for variable in model.cell.of_role(Role.INPUT))
        self._stepped = frozenset(inputs if subject.whole else ())

    def shapes(self) -> tuple[Sequence[Shape], str, str]:
        """The shapes on which the function runs, their circumstance, and the error on the shapes tried before."""
        stops = ""
        for shapes, circumstance in _CIRCUMSTANCES:
            try:
                self._called(self._drawn(shapes[0]))
            except StopsError as error:
                stops = stops or str(error)
                continue
            return shapes, circumstance, stops
        raise DiagnoseError(f"{stops}\n{self._given(self._drawn(SHAPES[0]))}")

    def _given(self, sample: Sample) -> str:
        """The shapes of the function's arguments, in a sentence."""
        arrays = {**self._layout.stack(sample.params), **sample.steps[0]}
        text = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        return f"It stops on all sizes tried. The first shapes were: {text}"

    def _drawn(self, shape: Shape) -> Sample:
        return draw(self._model.cell, shape, self._seed, self._subject.whole)

    def _called(self, sample: Sample) -> Returned:
        return call(self._subject, sample, self._layout)

    def trials(self, shapes: Iterable[Shape], factor: float = 1.0) -> tuple[tuple[Trial, ...], Returned]:
        """A trial for each shape, and the function's result on the first.

        Args:
            shapes: at least one.
            factor: multiplies the incoming gradients.
        """
        drawn = [self._drawn(shape).louder(factor) for shape in shapes]
        returned = [self._called(sample) for sample in drawn]
        return tuple(self._trial(*pair) for pair in zip(drawn, returned, strict=True)), returned[0]

    def _trial(self, sample: Sample, returned: Returned) -> Trial:
        return Trial(sample, observed(returned, gradients(self._model, sample), self._stepped))

    def louder(self, trial: Trial, factor: float) -> Trial | None:
        """The same sample with gradients ``factor`` times as large; None if the function stops on them."""
        sample = trial.sample.louder(factor)
        try:
            return self._trial(sample, self._called(sample))
        except StopsError:
            return None

    def hold_same(self, sample: Sample, before: Returned) -> None:
        """A second call on the same sample must return the same.

        Raises:
            DiagnoseError: it does not.
        """
        after = self._called(sample)
        for name, value in before.arrays.items():
            again = after.arrays.get(name)
            if again is None or not np.array_equal(value, again, equal_nan=True):
                raise DiagnoseError(
                    f"{self._subject.title} returns a different gradient of {name} when it is called again with the same "
                    "arguments; it draws random numbers, or keeps something between calls (a gradient that is added "
                    "to an array outside the function, a default argument that is changed)"
                )

    def of_one_step(self, shapes: Iterable[Shape], factor: float = 1.0) -> tuple[Trial, ...]:
        """Trials on sequences of one step, where nothing passes between steps; None if the function stops."""
        try:
            trials, _ = self.trials((replace(shape, steps=1) for shape in shapes), factor)
        except StopsError:
            return ()  # it needs several steps, so only whole sequences are searched
        return trials


def is_linear(trial: Trial, louder: Trial, factor: float) -> bool:
    """Whether all gradients grew by ``factor``, as the incoming ones did.

    Gradients that are not finite or change shape do not count.
    """
    for name, found in trial.observed.arrays.items():
        more = louder.observed.arrays.get(name)
        if more is None or more.shape != found.shape or not (np.isfinite(found).all() and np.isfinite(more).all()):
            continue
        if error(more, found * factor, trial.observed.floor * factor) > trial.observed.bound:
            return False
    return True
