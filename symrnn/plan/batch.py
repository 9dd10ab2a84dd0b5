"""The rows of a batch as a run of a plan takes them: whose steps run when, and what the caller gives and gets.

Reads lengths and the caller's arrays, which are time-major; returns the same rows in the order in which steps run, and
back. Reversed, each row takes its own steps from the last to the first; the caller's arrays keep their order. Leaves
out: what is computed (`symrnn.plan.execute`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Batch:
    """Rows that take steps together.

    Attributes:
        order: for each step that runs, the step of the caller's arrays, ``(T, B)``.
        idle: whether a row is beyond its length, ``(T, B)``.
    """

    order: Array
    idle: Array

    @classmethod
    def of(cls, steps: int, rows: int, lengths: Array | None, reverse: bool) -> Batch:
        """A batch whose ``rows`` have ``lengths`` from 0 to ``steps``; ``steps`` each by default."""
        length = np.full(rows, steps) if lengths is None else lengths
        t = np.arange(steps)[:, None]
        idle = t >= length
        return cls(np.where(idle | (not reverse), t, length - 1 - t), idle)

    def taken(self, array: Array) -> Array:
        """The caller's ``array`` in the order in which steps run; zero where a row is idle."""
        return np.where(self.idle[..., None], 0, np.take_along_axis(array, self.order[..., None], axis=0))

    def given(self, array: Array) -> Array:
        """``array``, in the order in which steps run, as the caller has it."""
        found = np.empty_like(array)
        np.put_along_axis(found, np.broadcast_to(self.order[..., None], array.shape), array, axis=0)
        return found


@dataclass(frozen=True)
class Ran:
    """What a forward or tangent routine returns, and what it leaves for a backward routine.

    Attributes:
        outputs: what the layer returns at every step, by the name of the caller's array, ``(T, B, size)``; zero where a
            row is idle.
        states: every state over time, ``(T + 1, B, size)``, in the order in which steps ran.
        tape: what a backward routine may read, by its place in memory.
        batch: the rows that ran.
    """

    outputs: Arrays
    states: Arrays
    tape: Mapping[tuple[str, str], Array]
    batch: Batch

    @property
    def y(self) -> Array:
        """The output of a layer that has one."""
        (found,) = self.outputs.values()
        return found

    @property
    def state(self) -> Arrays:
        """Final states by name, ``(B, size)``."""
        return {name: array[-1] for name, array in self.states.items()}


@dataclass(frozen=True)
class Gradients:
    """What a backward routine returns: by parameter, by input ``(T, B, size)``, by initial state ``(B, size)``."""

    params: Arrays
    inputs: Arrays
    state: Arrays
