"""What a person's function returned beside what a model computes, gradient by gradient.

Reads arrays by name; says which agree. Gradients of the input are compared step by step where there are several, so
that the last step, which nothing was handed to, speaks for itself. Leaves out: what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array, error
from symrnn.diagnose.subject import Returned

DOUBLE, SINGLE = 1e-9, 2e-4
"""The largest error of a gradient that is right, by the precision that it was computed in."""
FLOOR = 1e-3
"""The least scale of an error, as a part of the largest gradient: some gradients are exactly zero."""

Key = tuple[str, int]
"""A gradient's name and, where it is one of several steps, the step; else -1."""


@dataclass(frozen=True)
class Observed:
    """What a call returned, on one problem.

    Attributes:
        arrays: gradients by name; those that were not returned are missing.
        stepped: whose gradients are compared step by step.
        bound: the largest error that counts as agreement.
        floor: the least scale of an error.
    """

    arrays: Mapping[str, Array]
    stepped: frozenset[str]
    bound: float
    floor: float

    def fits(self, name: str, computed: Array) -> bool:
        """Whether ``computed`` is what was returned as the gradient of ``name``; so is anything that was not returned."""
        found = self.arrays.get(name)
        return found is None or self.error(name, computed) <= self.bound

    def error(self, name: str, computed: Array) -> float:
        """The error of what was returned against ``computed``; infinite where shapes differ."""
        found = self.arrays[name]
        if found.shape != computed.shape:
            return math.inf
        return error(found, computed, self.floor) if np.isfinite(computed).all() else math.inf

    def fits_part(self, found: Array, computed: Array) -> bool:
        """Whether ``computed`` is ``found``, a part of what was returned."""
        return found.shape == computed.shape and error(found, computed, self.floor) <= self.bound

    def differing(self, computed: Mapping[str, Array]) -> frozenset[Key]:
        """The gradients in which ``computed`` is not what was returned."""
        return frozenset(self._differing(computed))

    def _differing(self, computed: Mapping[str, Array]) -> Iterator[Key]:
        for name, value in computed.items():
            if self.fits(name, value):
                continue
            found = self.arrays[name]
            if name in self.stepped and found.shape == value.shape:
                scale = max(float(np.max(np.abs(value))), self.floor)
                for t in range(len(value)):
                    if not np.max(np.abs(found[t] - value[t])) <= self.bound * scale:
                        yield name, t
            else:
                yield name, -1


def observed(returned: Returned, derived: Mapping[str, Array], stepped: frozenset[str]) -> Observed:
    """``returned`` with the bound that its precision allows; ``derived`` gives the scale."""
    scale = max(float(np.max(np.abs(value))) for value in derived.values())
    return Observed(returned.arrays, stepped, SINGLE if returned.single else DOUBLE, FLOOR * scale)
