"""Numbers of a cell file as exact decimal texts.

Reads a number as Python or TOML has it; returns its text, or what is wrong with it. Leaves out: where numbers stand in
equations (`symrnn.language.parser`).
"""

from __future__ import annotations

import re
from fractions import Fraction

from symrnn.language.origin import shown
from symrnn.language.scanner import MAX_DIGITS

Number = int | float | str
"""A number as Python or TOML has it, or its decimal text, which keeps it exact."""

LARGEST = Fraction("3.4e38")
"""Largest magnitude of a number: what a float can hold."""

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def decimal(value: Number) -> tuple[str, str]:
    """The decimal text of a number, and what is wrong with it; empty if nothing is."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return "", "the number is beyond what a float holds (at most 3.4e38)"
    # A float of NumPy is a float, but its repr is not a decimal number.
    text = float.__repr__(value) if isinstance(value, float) else str(value)
    if not _DECIMAL.fullmatch(text):
        return "", f"expected a finite number, found {shown(repr(value), 30)}"
    if len(text) > MAX_DIGITS:
        return "", f"the number {shown(text, 20)} has {len(text)} characters; the most is {MAX_DIGITS}"
    return text.removeprefix("+"), number_fault(text)


def number_fault(text: str) -> str:
    """Why kernels cannot hold the decimal number ``text``, or an empty string."""
    # Rounded first: a text such as 1e999999999 must not become a number of as many digits.
    rounded = abs(float(text))
    vanished = rounded == 0 and any(digit in "123456789" for digit in text.lower().split("e")[0])
    if rounded > LARGEST or vanished:
        return f"the number {shown(text, 30)} is beyond what a float holds (at most 3.4e38)"
    return ""
