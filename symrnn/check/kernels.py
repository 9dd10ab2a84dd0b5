"""The surface of a kernel module that is checked, and one run of it: outputs of every entry point, and all gradients.

Reads a module with the public surface and a `Problem`; returns a `Result` whose arrays carry one label each:
``y``, ``state c``, ``tape c`` for outputs, ``W_xi``, ``x``, ``state c`` for what a gradient belongs to. Leaves out:
what is right (`symrnn.check.oracles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from symrnn.check.cases import Problem
from symrnn.check.measure import Array
from symrnn.targets.description import Capabilities

Arrays = Mapping[str, Array]

EVERYTHING = Capabilities()
Outputs = Array | Arrays
"""What a layer returns at every step, or its gradient: an array, or an array for each of several outputs by name."""
Y, X = "y", "x"
SHORT_STEPS = 20
"""The longest sequence that also runs step by step."""


class Tape(Protocol):
    """The tape of a forward pass; `states` holds every state over time, ``(T + 1, B, size)``."""

    @property
    def states(self) -> Arrays:
        """States by name."""


class KernelGradients(Protocol):
    """What a backward pass returns."""

    @property
    def params(self) -> Arrays:
        """By parameter."""

    @property
    def x(self) -> Array:
        """By ``x``."""

    @property
    def inputs(self) -> Arrays:
        """By the other inputs; a module of a cell that has none need not have it."""

    @property
    def state(self) -> Arrays:
        """By initial state."""


class Stream(Protocol):
    """A layer run step by step, its state kept in place."""

    @property
    def state(self) -> Arrays:
        """States by name, ``(B, size)``. Every step overwrites them, and so may the caller."""

    def __call__(self, x_t: Array, **inputs: Arrays) -> Outputs:
        """The output of one more step."""


class Forward(Protocol):
    """Kernels with a forward pass."""

    @property
    def forward(self) -> Callable[..., tuple[Outputs, Arrays, object]]:
        """``(params, x, state, lengths, reverse)``; ``inputs`` too where the cell has some, as everywhere below."""


class Tangent(Forward, Protocol):
    """Kernels with a forward mode."""

    @property
    def jvp(self) -> Callable[..., tuple[Outputs, Arrays]]:
        """``(params, x, state, dparams, dx, dstate)``."""


class Kernels(Protocol):
    """What is checked of a generated module's surface."""

    @property
    def param_shapes(self) -> Callable[..., Mapping[str, tuple[int, ...]]]:
        """``(input_size, hidden_size, **sizes)``."""

    @property
    def pack(self) -> Callable[..., Arrays]:
        """``(params, snapshot)``."""

    @property
    def forward(self) -> Callable[..., tuple[Outputs, Arrays, Tape]]:
        """``(params, x, state, lengths, reverse)``; ``inputs`` too where the cell has some, as everywhere below."""

    @property
    def backward(self) -> Callable[..., KernelGradients]:
        """``(params, tape, dy, dstate)``."""

    @property
    def infer(self) -> Callable[..., tuple[Outputs, Arrays]]:
        """``(params, x, state, lengths, reverse)``; ``inputs`` too where the cell has some, as everywhere below."""

    @property
    def step(self) -> Callable[..., tuple[Outputs, Arrays]]:
        """``(params, x_t, state)``."""

    @property
    def stream(self) -> Callable[..., Stream]:
        """``(packed, batch)``."""


class TangentKernels(Kernels, Tangent, Protocol):
    """Kernels with a tangent."""

    @property
    def forward(self) -> Callable[..., tuple[Outputs, Arrays, Tape]]:
        """``(params, x, state, lengths, reverse)``; ``inputs`` too where the cell has some, as everywhere below."""


@dataclass(frozen=True)
class Result:
    """What kernels return for a problem.

    Attributes:
        outputs: for each entry point that ran (``forward``, ``infer``, …) its outputs by label.
        gradients: gradients of the loss by the label of what they belong to.
    """

    outputs: Mapping[str, Arrays]
    gradients: Arrays


def of_state(name: str) -> str:
    """The label of a state."""
    return f"state {name}"


def of_tape(name: str) -> str:
    """The label of a state over time."""
    return f"tape {name}"


def of_input(name: str) -> str:
    """The label of an input beside ``x``."""
    return f"input {name}"


def labelled(y: Outputs, state: Arrays) -> dict[str, Array]:
    """Outputs by label. Kernels may return the arrays of a framework."""
    each = y if isinstance(y, Mapping) else {Y: y}
    outputs = {f"output {name}" if len(each) > 1 else Y: array for name, array in each.items()}
    found = outputs | {of_state(name): array for name, array in state.items()}
    return {label: np.asarray(array) for label, array in found.items()}


def as_given(outputs: Arrays) -> Outputs:
    """Arrays by output as kernels take and return them: of one output, the array alone."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def beside_x(inputs: Arrays) -> dict[str, Arrays]:
    """The keyword argument for inputs beside ``x``; none where the cell has none."""
    return {"inputs": inputs} if inputs else {}


def cast(arrays: Arrays | None, dtype: str) -> dict[str, Array] | None:
    """Arrays in another precision; None stays None."""
    return None if arrays is None else {name: array.astype(dtype) for name, array in arrays.items()}


def run_kernels(kernels: Kernels, problem: Problem, dtype: str, can: Capabilities = EVERYTHING) -> Result:
    """One forward pass by every entry point, and one backward pass.

    Args:
        kernels: a module of any backend.
        problem: the point and the loss.
        dtype: ``float64`` or ``float32``.
        can: what the kernels support.
    """
    params, state = cast(problem.params, dtype) or {}, cast(problem.state, dtype)
    x, inputs = problem.x.astype(dtype), cast(problem.inputs, dtype) or {}
    how: dict[str, Any] = {"lengths": problem.lengths, "reverse": problem.case.reverse, **beside_x(inputs)}
    y, final, tape = kernels.forward(params, x, state, **how)
    over_time = {of_tape(name): np.asarray(array) for name, array in tape.states.items()}
    outputs: dict[str, Arrays] = {"forward": {**labelled(y, final), **over_time}}
    gradients: dict[str, Array] = {}
    if can.backward:
        dys = as_given(cast(problem.dys, dtype) or {})
        grads = kernels.backward(params, tape, dys, cast(problem.dstate, dtype))
        found = {**grads.params, X: grads.x} | {of_state(name): array for name, array in grads.state.items()}
        found |= {of_input(name): array for name, array in (grads.inputs if inputs else {}).items()}
        gradients = {label: np.asarray(array) for label, array in found.items()}
    packed = kernels.pack(params)
    y, final = kernels.infer(packed, x, state, **how)
    outputs["infer"] = labelled(y, final)
    outputs.update(_step_by_step(kernels, packed, x, state, problem, can))
    return Result(outputs, gradients)


def _step_by_step(
    kernels: Kernels, packed: Arrays, x: Array, state: dict[str, Array] | None, problem: Problem, can: Capabilities
) -> Iterator[tuple[str, Arrays]]:
    """The outputs of `step` in a loop, and of `stream`; none if rows are ragged or reversed."""
    steps, batch = x.shape[:2]
    if problem.lengths is not None or problem.case.reverse or not 0 < steps <= SHORT_STEPS or not batch:
        return
    given = cast(problem.inputs, str(x.dtype)) or {}
    inputs = [beside_x({name: array[t] for name, array in given.items()}) for t in range(steps)]
    ys: list[dict[str, Array]] = []
    now: Arrays | None = state
    for x_t, beside in zip(x, inputs, strict=True):
        y_t, now = kernels.step(packed, x_t, now, **beside)
        ys.append(labelled(y_t, {}))
    yield "step", {**_over_time(ys), **labelled({}, now or {})}
    if problem.told and can.stream:
        stream = kernels.stream(packed, batch=batch)
        for name, array in (state or {}).items():
            stream.state[name][...] = array
        # The stream may return the same buffer every time.
        steps_of_stream = (labelled(stream(x_t, **beside), {}) for x_t, beside in zip(x, inputs, strict=True))
        ys = [{label: array.copy() for label, array in each.items()} for each in steps_of_stream]
        yield "stream", {**_over_time(ys), **labelled({}, stream.state)}


def _over_time(ys: list[dict[str, Array]]) -> dict[str, Array]:
    """The outputs of every step, stacked."""
    return {label: np.stack([each[label] for each in ys]) for label in ys[0]}
