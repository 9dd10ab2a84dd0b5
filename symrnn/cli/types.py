"""The types of the command line's arguments: each turns an option's text into a value.

Each function reads a text; returns the value, or raises ``argparse.ArgumentTypeError`` with what was expected. Imports nothing
that takes a while. Leaves out: the options (`symrnn.cli.arguments`).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from symrnn.errors import TargetError
from symrnn.language.families import FAMILIES
from symrnn.language.origin import nearest
from symrnn.parts import ALL
from symrnn.targets import registry

Value = TypeVar("Value", int, float)


def stack(text: str) -> tuple[str, str]:
    """A stacked parameter."""
    name, equals, blocks = text.partition("=")
    if not equals or not name.strip() or not blocks.strip():
        raise argparse.ArgumentTypeError(f"expected NAME=BLOCKS, as in W=W_a/W_b, found {text!r}")
    return name.strip(), blocks


def seed(text: str) -> int:
    """A seed."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, found {text!r}")
    return int(text)


def positive(text: str) -> int:
    """A whole number above zero."""
    return _checked(text, int, lambda value: value > 0, "a whole number above zero")


def above_zero(text: str) -> float:
    """A number above zero."""
    return _checked(text, float, lambda value: 0 < value < math.inf, "a number above zero")


def not_negative(text: str) -> float:
    """A number, 0 or above."""
    return _checked(text, float, lambda value: 0 <= value < math.inf, "a number, 0 or above")


def numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas, each once."""
    found = [_checked(part, float, math.isfinite, "numbers, with commas between them") for part in text.split(",")]
    return tuple(dict.fromkeys(found))


def size(text: str) -> tuple[str, int]:
    """A size's name and its number."""
    name, equals, number = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=N, as in projection=8; found {text!r}")
    return name, positive(number)


def _checked(text: str, kind: Callable[[str], Value], holds: Callable[[Value], bool], expected: str) -> Value:
    """``text`` as a number that meets the expectation."""
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}; found {text!r}") from None
    if not holds(value):
        raise argparse.ArgumentTypeError(f"expected {expected}; found {text!r}")
    return value


def family(text: str) -> str:
    """A family of cells."""
    if text not in FAMILIES:
        hint = nearest(text, tuple(FAMILIES))
        raise argparse.ArgumentTypeError(f"unknown family {text!r}{hint}; choose {registry.listed(tuple(FAMILIES))}")
    return text


def directory(text: str) -> str:
    """A path. An empty one is refused: a script may have forgotten to set a variable."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a directory, found an empty name; for this directory write .")
    return text


def marches() -> tuple[str, ...]:
    """The processors that some target can compile for."""
    return tuple(dict.fromkeys(march for each in registry.descriptions() for march in each.marches))


def several_marches(text: str) -> tuple[str, ...]:
    """Names of processors, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in marches():
            known = ", ".join(marches())
            raise argparse.ArgumentTypeError(f"expected some of {known}, separated by commas, found {name!r}")
    return names


def backend(text: str) -> str:
    """The name of a target, or all of them."""
    return text if text == ALL else one_backend(text, also=(ALL,))


def one_backend(text: str, also: tuple[str, ...] = ()) -> str:
    """The name of a target; where it is unknown, the error offers ``also`` too."""
    try:
        return registry.describe(text, also).name
    except TargetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
