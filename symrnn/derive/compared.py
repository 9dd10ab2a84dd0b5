"""What a proof compares, and how: a record for each gradient, the digits, and functions on polynomials.

Holds no comparison (`symrnn.derive.proof`, `symrnn.derive.prepared_proof`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy

from symrnn.derive.evaluate import Array
from symrnn.derive.polynomial import Polynomial, Ring
from symrnn.language.functions import FUNCTIONS

DIGITS = 50
"""Digits to which the two sides must agree where algebra does not decide."""

POINTS = 3
"""Random points at which numbers are compared."""

GUARD = 15
"""Further digits that numbers have while they are compared."""


@dataclass(frozen=True)
class Compared:
    """One gradient at one size.

    Attributes:
        array: the input that it is by.
        units: the number behind every size name.
        entries: of the Jacobian of all next states.
        symbolic: how many of the entries are equal as expressions; the others were compared as numbers.
        difference: the largest among those others, relative to 1 and the entry.
    """

    array: str
    units: int
    entries: int
    symbolic: int
    difference: float


def over(ring: Ring, name: str) -> Callable[..., Array]:
    """A function of the table on arrays of polynomials."""
    row = FUNCTIONS[name]
    arguments = sympy.symbols(f"a0:{row.arity}")
    meaning = row.meaning(*arguments)

    def scalar(*values: Polynomial) -> Polynomial:
        return ring.read(meaning, dict(zip(arguments, values, strict=True)))

    return np.vectorize(scalar, otypes=[object])
