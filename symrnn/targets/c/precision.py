"""The precisions of C kernels: one table of their names.

Holds the table alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Precision:
    """One precision.

    Attributes:
        name: in identifiers of C.
        dtype: NumPy's name.
        real: C's type.
        bits: of a number.
        most_lanes: numbers in the widest register of any processor.
    """

    name: str
    dtype: str
    real: str
    bits: int
    most_lanes: int


PRECISIONS = (Precision("f32", "float32", "float", 32, 16), Precision("f64", "float64", "double", 64, 8))
"""In the order in which a C file holds them."""
