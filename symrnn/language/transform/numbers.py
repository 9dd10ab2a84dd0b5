"""Arguments of transformations that are numbers, as Python has them or as texts of a command.

Reads an argument; returns its value, and the text that a recipe has for it. Leaves out: what it is for.
"""

from __future__ import annotations

import math

from symrnn.language.cell import Cell
from symrnn.language.decimals import Number
from symrnn.language.given import described
from symrnn.language.transform.draft import refused

_WORDS = {"true": True, "false": False}


def number_text(value: Number) -> str:
    """A number as a recipe has it.

    >>> number_text(0.1), number_text("1e-3"), number_text(1e20)
    ('0.1', '1e-3', '1e20')
    """
    # A float of NumPy is a float, but its repr is not a decimal number. A plus would begin a transformation.
    return (float.__repr__(value) if isinstance(value, float) else str(value)).replace("+", "")


def read_rate(change: str, cell: Cell, what: str, value: object, *, below_one: bool = False) -> float:
    """A probability.

    Args:
        change: the transformation.
        cell: which is transformed.
        what: the argument, for errors.
        value: the argument.
        below_one: whether it must not be 1.

    Raises:
        CellError: it is none.
    """
    number = _number(value)
    if not 0 <= number <= 1 or (below_one and number == 1):
        expected = "a rate from 0 to below 1" if below_one else "a rate from 0 to 1"
        raise refused(change, cell, f"{what}: expected {expected}, found {described(value)}")
    return number


def read_above_zero(change: str, cell: Cell, what: str, value: object) -> float:
    """A finite number above zero.

    Raises:
        CellError: it is none.
    """
    number = _number(value)
    if not 0 < number < math.inf:
        raise refused(change, cell, f"{what}: expected a number above 0, found {described(value)}")
    return number


def read_count(change: str, cell: Cell, what: str, value: object) -> int:
    """A whole number from 1, or its digits.

    Raises:
        CellError: it is none.
    """
    number = _number(value)
    if not 1 <= number < math.inf or number != int(number):
        raise refused(change, cell, f"{what}: expected a whole number of at least 1, found {described(value)}")
    return int(number)


def read_choice(change: str, cell: Cell, what: str, value: object) -> bool:
    """True or False, or its word.

    Raises:
        CellError: it is neither.
    """
    found = _WORDS.get(value, value) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise refused(change, cell, f"{what}: expected true or false, found {described(value)}")
    return found


def _number(value: object) -> float:
    """A number of Python or its text; NaN where it is neither."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan
