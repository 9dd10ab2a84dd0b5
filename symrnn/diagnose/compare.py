"""Compares what a person's function returned with what a model computes, gradient by gradient.

Reads arrays by name; says which agree. Gradients of the input are compared step by step where there are several, since
the last step depends on no other. Leaves out: what follows from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array, error
from symrnn.diagnose.passes import Computed
from symrnn.diagnose.subject import Returned

DOUBLE, SINGLE = 1e-9, 2e-4
"""The largest error of a gradient that is right, by the precision that it was computed in."""
FLOOR = 1e-3
"""The least scale of an error, as a part of the largest gradient: some gradients are exactly zero."""

Key = tuple[str, int]
"""A gradient's name and, where it is one of several steps, the step; else -1."""


@dataclass(frozen=True)
class Observed:
    """What a call returned, on one sample.

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
        """Whether ``computed`` agrees with the returned gradient of ``name``; True if none was returned."""
        found = self.arrays.get(name)
        return found is None or self.error(name, computed) <= self.bound

    def error(self, name: str, computed: Array) -> float:
        """The error of what was returned against ``computed``; infinite where shapes differ."""
        found = self.arrays[name]
        if found.shape != computed.shape:
            return math.inf
        return error(found, computed, self.floor) if np.isfinite(computed).all() else math.inf

    def differing(self, computed: Mapping[str, Array]) -> frozenset[Key]:
        """The gradients in which ``computed`` differs from what was returned."""
        return frozenset(self._differing(computed))

    def lanes_left(self, computed: Computed, count: int, wrong: frozenset[Key]) -> list[frozenset[Key] | None]:
        """For each lane, the gradients of ``wrong`` that are still wrong; None if a lane breaks one, or puts none right.

        Args:
            computed: what the lanes compute.
            count: how many there are.
            wrong: the gradients that the model without the lanes' changes does not reproduce.
        """
        kept = frozenset(key for key in wrong if key[0] not in computed.laned)
        keys, bad = self._lanes_differing(computed, count)
        known = np.array([key in wrong for key in keys], dtype=bool)
        useful = (~bad[known]).any(axis=0) & ~bad[~known].any(axis=0)
        left: list[frozenset[Key] | None] = [None] * count
        for lane in np.flatnonzero(useful):
            left[lane] = kept | {key for key, wrong_there in zip(keys, bad[:, lane], strict=True) if wrong_there}
        return left

    def lanes_spoil(self, computed: Computed, count: int, t: int) -> Array:
        """Which lanes differ from what was returned for the single step ``t``; lanes equal to the model are not tested."""
        spoilt = np.zeros(count, dtype=bool)
        for name in sorted(self.stepped & computed.laned):
            found = self.arrays.get(name)
            if found is not None and found.ndim == 3:
                spoilt |= ~self._lanes_fit(found[t], computed.arrays[name])
        return spoilt

    def _lanes_differing(self, computed: Computed, count: int) -> tuple[list[Key], Array]:
        """Keys of the gradients that lanes change, and for each whether it is wrong in each lane."""
        keys: list[Key] = []
        rows = [np.zeros((0, count), dtype=bool)]
        for name in sorted(computed.laned & set(self.arrays)):
            found, value = self.arrays[name], computed.arrays[name]
            if name in self.stepped and found.shape == value.shape[1:]:
                keys += [(name, t) for t in range(len(found))]
                rows.append(~self._lanes_fit_at_steps(found, value))
            else:
                keys.append((name, -1))
                rows.append(~self._lanes_fit(found, value)[np.newaxis])
        return keys, np.concatenate(rows)

    def _lanes_fit(self, found: Array, value: Array) -> Array:
        if found.shape != value.shape[1:]:
            return np.zeros(len(value), dtype=bool)
        axes = tuple(range(1, value.ndim))
        scale = np.maximum(np.abs(value).max(axis=axes), self.floor)
        fits: Array = (np.abs(value - found).max(axis=axes) <= self.bound * scale) & np.isfinite(scale)
        return fits

    def _lanes_fit_at_steps(self, found: Array, value: Array) -> Array:
        """For each step and lane."""
        scale = np.maximum(np.abs(value).max(axis=(1, 2, 3)), self.floor)
        scale = np.where(np.isfinite(scale), scale, -1)[:, np.newaxis]  # below zero, nothing fits
        fits: Array = np.abs(value - found).max(axis=(2, 3)) <= self.bound * scale
        return fits.T

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
