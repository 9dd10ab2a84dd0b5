"""The cells on which the NumPy emitter is tested: the bundled ones, those of the test suite, and one of awkward names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import symrnn
from symrnn.language.cell import Cell
from tests.families import FIRST_CELLS

FILES = sorted((Path(__file__).parents[2] / "cells").glob("*.toml"))
CELLS = (*FIRST_CELLS, *(path.stem for path in FILES), "awkward")

AWKWARD = """
T = sigmoid(np @ x + sums @ h + rows)
B = tanh(idle @ x + tape @ (T * h) + dtype + saved * H)
I = T * B + mean(B) * out
sizes' = T * sizes + (1 - T) * I
h' = tanh(sizes') * grads + weights * t * taped * gone + delta * state + params @ h * lengths
H' = 0.5 * H + 0.5 * tanh(y @ h' + self * O + l * p + W_h + product)
"""
"""Every name is one that a generated module uses, a letter of its legend, or a letter that linters refuse."""


@cache
def load(name: str) -> Cell:
    """A cell by its name."""
    if name == "awkward":
        return symrnn.Cell.from_equations(AWKWARD, name=name)
    return symrnn.load(next((path for path in FILES if path.stem == name), name))


@cache
def text(name: str) -> str:
    """The NumPy module of a cell."""
    return symrnn.render(load(name), backends=("numpy",))[f"{name}_numpy.py"]


@cache
def module(name: str) -> ModuleType:
    """The same, imported."""
    return symrnn.build(load(name), backend="numpy")
