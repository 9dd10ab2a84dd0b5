"""How parameters start: a function for each row of `symrnn.language.starts`; a module takes those that its cell names.

Each takes a generator of random numbers, the shape of the parameter, its fan-in (columns of a matrix, units of a vector),
and the numbers of its options in their order. They read NumPy as ``np`` and one another, nothing else;
their names begin with ``_draw_``, which no other name of a module does.
"""

# mypy: no-warn-return-any
# (NumPy's stubs say Any for products of arrays.)

from __future__ import annotations

import numpy as np


def _draw_uniform(
    random: np.random.Generator,
    shape: tuple[int, ...],
    fan_in: int,
    low: float | None = None,
    high: float | None = None,
) -> np.ndarray:
    """From low to high; without these up to 1/sqrt(fan_in), of both signs."""
    bound = 1 / np.sqrt(fan_in)
    return random.uniform(-bound if low is None else low, bound if high is None else high, shape)


def _draw_zeros(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """All 0."""
    return np.zeros(shape)


def _draw_ones(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """All 1."""
    return np.ones(shape)


def _draw_identity(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """1 on the diagonal, else 0."""
    return np.eye(shape[0], shape[1])


def _draw_orthogonal(random: np.random.Generator, shape: tuple[int, ...], fan_in: int, blocks: float = 1) -> np.ndarray:
    """Blocks of as many rows, each with orthogonal columns, or rows if these are fewer; all of length 1."""
    rows, rest = divmod(shape[0], int(blocks))
    if rest:
        raise ValueError(f"{shape[0]} rows do not make {int(blocks)} equal blocks")
    return np.concatenate([_draw_rotation(random, (rows, shape[1])) for _ in range(int(blocks))])


def _draw_rotation(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform over all orthogonal matrices."""
    q, r = np.linalg.qr(random.normal(size=(max(shape), min(shape))))
    q = q * np.where(np.diag(r) < 0, -1, 1)
    return q if shape[0] >= shape[1] else q.T


def _draw_normal(
    random: np.random.Generator, shape: tuple[int, ...], fan_in: int, std: float | None = None
) -> np.ndarray:
    """Normal with this standard deviation; without it, 1/sqrt(fan_in)."""
    return random.normal(0, 1 / np.sqrt(fan_in) if std is None else std, shape)


def _draw_log_uniform(
    random: np.random.Generator, shape: tuple[int, ...], fan_in: int, low: float, high: float
) -> np.ndarray:
    """Numbers from low to high, whose logarithm is uniform."""
    return np.clip(np.exp(random.uniform(np.log(low), np.log(high), shape)), low, high)


def _draw_positive(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """From 0.5 to 1.5; a matrix has these numbers over sqrt(columns)."""
    return random.uniform(0.5, 1.5, shape) / _draw_scale(shape)


def _draw_unit(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """From 0.1 to 0.9."""
    return random.uniform(0.1, 0.9, shape)


def _draw_nonzero(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """From 0.5 to 1.5, half of them negative; a matrix has these numbers over sqrt(columns)."""
    return random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape) / _draw_scale(shape)


def _draw_scale(shape: tuple[int, ...]) -> float:
    """The root of a matrix's columns; 1 for a vector."""
    return np.sqrt(shape[1]) if len(shape) == 2 else 1.0
