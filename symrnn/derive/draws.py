"""Random numbers of many digits for the entries of a step's inputs: where the proof compares numbers.

Reads how a parameter starts and its domain, as a cell file says them; returns numbers. Leaves out: what is compared there
(`symrnn.derive.proof`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import mpmath

from symrnn.language.starts import DOMAINS, kind_of, number_of

Draw = Callable[[random.Random, str], Any]
"""A number for an entry of a parameter, by what ``[init]`` says of it, or of a state."""

STATE = "state"
"""What stands in place of a start for a state."""

_DENOMINATOR = 999_983


def entry(draw: Draw, rng: random.Random, start: str, domain: str, _: str) -> Any:
    """A number for an entry of any name, in the domain of the parameter if it has one."""
    return _inside(draw(rng, start), domain) if domain else draw(rng, start)


def signed(rng: random.Random, _: str) -> Any:
    """A number from -1 to 1."""
    return mpmath.mpf(rng.randint(-_DENOMINATOR, _DENOMINATOR)) / _DENOMINATOR


def positive(rng: random.Random, start: str) -> Any:
    """A number above zero."""
    return abs(signed(rng, start)) + mpmath.mpf(1) / _DENOMINATOR


def near_start(rng: random.Random, start: str) -> Any:
    """Parameters within a quarter of the number that they start with, states above zero, all else as drawn."""
    offset = signed(rng, start)
    if start == STATE:
        return abs(offset) + mpmath.mpf(1) / _DENOMINATOR
    number = 0.0 if start == "identity" else number_of(start)
    if number is None:
        return offset
    value = mpmath.mpf(number if kind_of(start) else start)
    return value + offset / 4 * (abs(value) or 1)


def _inside(value: Any, domain: str) -> Any:
    """A number of the domain that depends on ``value``: itself, where that is possible."""
    row, least = DOMAINS[domain], mpmath.mpf(1) / _DENOMINATOR
    if row.below is not None:
        return (abs(value) % 1 + least) / (1 + 2 * least)
    nonzero = value + least * (value == 0)
    return nonzero if row.above is None else abs(nonzero)
