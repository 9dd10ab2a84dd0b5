"""The surface of a kernel module that is checked, and one run of it: outputs of every entry point, and all gradients.

Reads a module with the public surface and a `Problem`; returns a `Result` whose arrays carry one label each:
``y``, ``state c``, ``tape c`` for outputs, ``W_xi``, ``x``, ``state c`` for what a gradient belongs to. Leaves out:
what is right (`symrnn.check.oracles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from symrnn.check.cases import Problem
from symrnn.check.measure import Array
from symrnn.targets.description import Capabilities

Arrays = Mapping[str, Array]

EVERYTHING = Capabilities()
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
        """By the input."""

    @property
    def state(self) -> Arrays:
        """By initial state."""


class Stream(Protocol):
    """A layer run step by step, its state kept in place."""

    @property
    def state(self) -> Arrays:
        """States by name, ``(B, size)``. Every step overwrites them, and so may the caller."""

    def __call__(self, x_t: Array) -> Array:
        """The output of one more step."""


class Forward(Protocol):
    """Kernels with a forward pass."""

    @property
    def forward(self) -> Callable[..., tuple[Array, Arrays, object]]:
        """``(params, x, state, lengths, reverse)``."""


class Tangent(Forward, Protocol):
    """Kernels with a forward mode."""

    @property
    def jvp(self) -> Callable[..., tuple[Array, Arrays]]:
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
    def forward(self) -> Callable[..., tuple[Array, Arrays, Tape]]:
        """``(params, x, state, lengths, reverse)``."""

    @property
    def backward(self) -> Callable[..., KernelGradients]:
        """``(params, tape, dy, dstate)``."""

    @property
    def infer(self) -> Callable[..., tuple[Array, Arrays]]:
        """``(params, x, state, lengths, reverse)``."""

    @property
    def step(self) -> Callable[..., tuple[Array, Arrays]]:
        """``(params, x_t, state)``."""

    @property
    def stream(self) -> Callable[..., Stream]:
        """``(packed, batch)``."""


class TangentKernels(Kernels, Tangent, Protocol):
    """Kernels with a tangent."""

    @property
    def forward(self) -> Callable[..., tuple[Array, Arrays, Tape]]:
        """``(params, x, state, lengths, reverse)``."""


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


def labelled(y: Array, state: Arrays) -> dict[str, Array]:
    """Outputs by label. Kernels may return the arrays of a framework."""
    return {Y: np.asarray(y)} | {of_state(name): np.asarray(array) for name, array in state.items()}


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
    x = problem.x.astype(dtype)
    y, final, tape = kernels.forward(params, x, state, lengths=problem.lengths, reverse=problem.case.reverse)
    over_time = {of_tape(name): np.asarray(array) for name, array in tape.states.items()}
    outputs: dict[str, Arrays] = {"forward": {**labelled(y, final), **over_time}}
    gradients: dict[str, Array] = {}
    if can.backward:
        grads = kernels.backward(params, tape, problem.dy.astype(dtype), cast(problem.dstate, dtype))
        found = {**grads.params, X: grads.x} | {of_state(name): array for name, array in grads.state.items()}
        gradients = {label: np.asarray(array) for label, array in found.items()}
    packed = kernels.pack(params)
    y, final = kernels.infer(packed, x, state, lengths=problem.lengths, reverse=problem.case.reverse)
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
    ys: list[Array] = []
    now: Arrays | None = state
    for x_t in x:
        y_t, now = kernels.step(packed, x_t, now)
        ys.append(y_t)
    yield "step", labelled(np.stack(ys), now or {})
    if problem.told and can.stream:
        stream = kernels.stream(packed, batch=batch)
        for name, array in (state or {}).items():
            stream.state[name][...] = array
        # The stream may return the same buffer every time.
        y = np.stack([stream(x_t).copy() for x_t in x])
        yield "stream", labelled(y, stream.state)
