"""Singular values of the step Jacobians and of their products, and Lyapunov exponents.

Reads the paths of a run; returns logarithms. Where units are few, Jacobians and their products are written out as
matrices, and decomposed; the largest singular values of larger ones are those of `symrnn.flow.lanczos`. Small values of
whole spectra, and exponents, come from the power iteration on many vectors at once, kept apart by QR, whose diagonals are
added up as logarithms: nothing underflows. Leaves out: singular vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from symrnn.derive.evaluate import Array
from symrnn.flow.gradient import log, normalised
from symrnn.flow.lanczos import USUAL, largest
from symrnn.flow.paths import StepPaths, Steps

SWEEPS = 60
"""The most sweeps over a product; after them its spectrum counts as it is."""
CONVERGED = 1e-6
"""The change of a logarithm from one sweep to the next below which a spectrum is done."""
RESOLVED = 1e-8
"""The smallest singular value, relative to the largest, that is still accurate in a double precision matrix."""
SMALL = 64
"""Units up to which a whole decomposition takes less time than products with vectors."""
WRITTEN_OUT = 256
"""Units up to which products are written out as matrices, for all distances in one pass over the steps: a product with a
vector passes through the steps each time."""
MEMORY = 1 << 24
"""Bytes of vectors that are processed at one time, so that they fit in a cache."""


def largest_of_steps(paths: StepPaths, seed: int = 0) -> Array:
    """Ln of the largest singular value of every step Jacobian, ``(T, B)``."""
    trajectory, size = paths.trajectory, paths.size
    if size <= SMALL:
        return spectrum_of_steps(paths)[..., 0]
    chunk = max(1, MEMORY // (trajectory.batch * size * USUAL * 8))
    found = []
    for begin in range(0, trajectory.steps, chunk):
        at = np.arange(begin, min(begin + chunk, trajectory.steps))
        found.append(largest(_Each(paths, at), _random((len(at), trajectory.batch, size), seed)))
    return np.concatenate(found)


def largest_of_products(paths: StepPaths, distances: Array, seed: int = 0) -> Array:
    """Ln of the largest singular value of the product of the last ``d`` step Jacobians, for each distance ``d``.

    Args:
        paths: of the trajectory.
        distances: from 0 (the identity) to T, ``(D,)``.
        seed: of the random start.

    Returns:
        ``(D, B)``.
    """
    order = np.argsort(-distances, kind="stable")
    start = _random((len(order), paths.trajectory.batch, paths.size), seed)
    result = np.empty((len(order), paths.trajectory.batch))
    if paths.size <= WRITTEN_OUT:
        for places, operators in _written_out(paths, distances):
            if paths.size <= SMALL:
                values = np.linalg.svd(operators.matrices, compute_uv=False)[..., 0]
                result[places] = log(values) + operators.scale
            else:
                result[places] = largest(operators, start[places])
        return result
    result[order] = largest(_JacobianProducts(paths, distances[order]), start)
    return result


def spectrum_of_steps(paths: StepPaths) -> Array:
    """Ln of all singular values of every step Jacobian, the largest first, ``(T, B, n)``."""
    trajectory, size = paths.trajectory, paths.size
    chunk = max(1, MEMORY // (trajectory.batch * size * size * 8))
    found = []
    for begin in range(0, trajectory.steps, chunk):
        at = slice(begin, min(begin + chunk, trajectory.steps))
        found.append(log(np.linalg.svd(dense(paths, at), compute_uv=False)))
    return np.concatenate(found)


def dense(paths: StepPaths, at: slice) -> Array:
    """The step Jacobians as matrices, ``(steps, B, n, n)``."""
    found = np.zeros((at.stop - at.start, paths.trajectory.batch, paths.size, paths.size))
    for column in paths.columns:
        block = paths.blocks[column.state]
        units = np.eye(block.stop - block.start)[:, np.newaxis, np.newaxis]  # the same at every step
        known = column.push(units, at)
        for state, rows in paths.blocks.items():
            if (state, column.state) in paths.jacobians:
                values = known[paths.jacobians[state, column.state].output]
                found[..., rows, block] = np.moveaxis(values, 0, -1)
    return found


def spectrum_of_products(paths: StepPaths, distances: Array) -> Array:
    """Ln of all singular values of the product of the last ``d`` step Jacobians, the largest first, ``(D, B, n)``."""
    found = np.zeros((len(distances), paths.trajectory.batch, paths.size))
    for place, distance in enumerate(distances):
        found[place] = _spectrum(paths, int(distance))
    return found


def lyapunov(paths: StepPaths, count: int, seed: int = 0) -> Array:
    """The largest Lyapunov exponents of the run, the largest first: growth per step of ``count`` tangents, ``(B, count)``.

    These are exponents of finite time, for the step with its inputs. The first tenth of the steps only
    turns the tangents into their directions.
    """
    trajectory = paths.trajectory
    basis = np.linalg.qr(_random((trajectory.batch, paths.size, count), seed))[0]
    settled = trajectory.steps // 10
    total = np.zeros((trajectory.batch, count))
    for t in range(trajectory.steps):
        basis, growth = _stretched(paths.push, basis, t)
        if t >= settled:
            total += growth
    return -np.sort(-total / (trajectory.steps - settled), axis=-1)


def _stretched(product: Callable[[Array, int], Array], basis: Array, at: int) -> tuple[Array, Array]:
    """One step applied to the columns of ``basis`` ``(B, n, k)``: an orthonormal basis, and ln of QR's diagonal."""
    pushed = np.moveaxis(product(np.ascontiguousarray(np.moveaxis(basis, -1, 0)), at), 0, -1)
    fresh, upper = np.linalg.qr(pushed)
    return fresh, log(np.abs(np.diagonal(upper, axis1=-2, axis2=-1)))


def _spectrum(paths: StepPaths, distance: int) -> Array:
    """All singular values of one product, ``(B, n)``: large ones from its matrix, the others by QR."""
    values = _of_matrix(paths, distance)
    small = ~(values > values[:, :1] + np.log(RESOLVED))
    return np.where(small, _by_sweeps(paths, distance), values) if small.any() else values


def _of_matrix(paths: StepPaths, distance: int) -> Array:
    """The singular values of the product as a matrix, exact up to rounding relative to the largest."""
    trajectory = paths.trajectory
    columns = np.broadcast_to(np.eye(paths.size)[:, np.newaxis], (paths.size, trajectory.batch, paths.size))
    length = np.zeros(trajectory.batch)
    for t in range(trajectory.steps - distance, trajectory.steps):
        columns = paths.push(columns, t)
        largest = np.abs(columns).max(axis=(0, 2))
        scale = np.where(largest > 0, largest, 1.0)
        columns, length = columns / scale[:, np.newaxis], length + np.log(scale)
    return log(np.linalg.svd(np.moveaxis(columns, 0, -1), compute_uv=False)) + length[:, np.newaxis]


def _by_sweeps(paths: StepPaths, distance: int) -> Array:
    """The singular values by power iteration on all units at once, tiny ones too; faster if they are far apart."""
    trajectory = paths.trajectory
    basis = np.broadcast_to(np.eye(paths.size), (trajectory.batch, paths.size, paths.size))
    found = np.full((trajectory.batch, paths.size), np.inf)
    there = range(trajectory.steps - distance, trajectory.steps)
    for _ in range(SWEEPS):
        before = found
        for product, order in ((paths.pull, reversed(there)), (paths.push, there)):
            found = np.zeros((trajectory.batch, paths.size))
            for t in order:
                basis, growth = _stretched(product, basis, t)
                found += growth
        found = -np.sort(-found, axis=-1)
        known = np.isfinite(found)
        if np.allclose(found[known], before[known], rtol=0, atol=CONVERGED):
            break
    return found


@dataclass(frozen=True)
class _Each:
    """The Jacobians of the steps ``at``, each separately."""

    paths: StepPaths
    at: Array

    def push(self, vector: Array) -> tuple[Array, Array]:
        """Each Jacobian times its vector."""
        return normalised(self.paths.push(vector, self._steps))

    def pull(self, vector: Array) -> tuple[Array, Array]:
        """Each transposed Jacobian times its vector."""
        return normalised(self.paths.pull(vector, self._steps))

    def only(self, kept: Array) -> _Each:
        """Those that ``kept`` marks."""
        return _Each(self.paths, self.at[kept])

    @property
    def _steps(self) -> Steps:
        """The steps, as a slice if they are consecutive, so that reading makes no copy."""
        first, last = int(self.at[0]), int(self.at[-1])
        return slice(first, last + 1) if last - first + 1 == len(self.at) else self.at


@dataclass(frozen=True)
class _JacobianProducts:
    """The products of the last steps, one for each distance, the longest first; a vector is ``(D, B, n)``."""

    paths: StepPaths
    distances: Array

    def push(self, vector: Array) -> tuple[Array, Array]:
        """Each product times its vector, from its first step to the last of all."""
        steps = self.paths.trajectory.steps
        return self._through(vector, range(steps - int(self.distances.max(initial=0)), steps), self.paths.push)

    def pull(self, vector: Array) -> tuple[Array, Array]:
        """Each transposed product times its vector."""
        steps = self.paths.trajectory.steps
        return self._through(
            vector, range(steps - 1, steps - int(self.distances.max(initial=0)) - 1, -1), self.paths.pull
        )

    def only(self, kept: Array) -> _JacobianProducts:
        """Those that ``kept`` marks."""
        return _JacobianProducts(self.paths, self.distances[kept])

    def _through(self, vector: Array, order: range, product: Callable[[Array, int], Array]) -> tuple[Array, Array]:
        vector, length = normalised(vector)
        for t in order:
            active = int(np.count_nonzero(self.distances >= self.paths.trajectory.steps - t))
            vector[:active], change = normalised(product(vector[:active], t))
            length[:active] += change
        return vector, length


@dataclass(frozen=True)
class _Matrices:
    """Matrices written out, ``(D, B, n, n)``, each times the exponential of its scale, ``(D, B)``."""

    matrices: Array
    scale: Array

    def push(self, vector: Array) -> tuple[Array, Array]:
        """Each matrix times its vector."""
        unit, length = normalised(np.einsum("dbij,dbj->dbi", self.matrices, vector))
        return unit, length + self.scale

    def pull(self, vector: Array) -> tuple[Array, Array]:
        """Each transposed matrix times its vector."""
        unit, length = normalised(np.einsum("dbij,dbi->dbj", self.matrices, vector))
        return unit, length + self.scale

    def only(self, kept: Array) -> _Matrices:
        """Those that ``kept`` marks."""
        return _Matrices(self.matrices[kept], self.scale[kept])


def _written_out(paths: StepPaths, distances: Array) -> Iterator[tuple[Array, _Matrices]]:
    """The products of the last steps, some distances at a time: their places among ``distances``, and the matrices."""
    trajectory, size = paths.trajectory, paths.size
    rows = np.broadcast_to(np.eye(size)[:, np.newaxis], (size, trajectory.batch, size))
    scale = np.zeros(trajectory.batch)
    most = max(1, MEMORY // (trajectory.batch * size * size * 8))
    found: list[tuple[int, Array, Array]] = []
    for distance in range(int(distances.max(initial=0)) + 1):
        if distance:
            rows = paths.pull(rows, trajectory.steps - distance)
            # Powers of two, so that nothing is rounded.
            power = np.frexp(np.abs(rows).max(axis=(0, 2)))[1]
            rows, scale = np.ldexp(rows, -power[:, np.newaxis]), scale + power * np.log(2)
        matrices = np.moveaxis(rows, 1, 0)
        found += [(int(place), matrices, scale) for place in np.flatnonzero(distances == distance)]
        if len(found) >= most or (found and distance == distances.max()):
            places, stack, scales = zip(*found, strict=True)
            yield np.array(places), _Matrices(np.array(stack), np.array(scales))
            found = []


def _random(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)
