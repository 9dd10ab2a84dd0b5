"""What tests of plans share: every cell file with its derivation and program, and cells written in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.language.functions import ARITHMETIC
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from tests.families import FIRST_CELLS

CELLS = (*FIRST_CELLS, *sorted(str(path) for path in (Path(__file__).parents[1] / "cells").glob("*.toml")))

POLICY = Policy(cheap=ARITHMETIC)
"""Everything planned, and functions of arithmetic alone computed again."""

Planned = Callable[[str], Program]
Written = Callable[..., Program]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "program" in metafunc.fixturenames:
        metafunc.parametrize("program", CELLS, ids=lambda name: Path(name).stem, indirect=True, scope="session")


@cache
def _derivation(name: str) -> Derivation:
    return derive(symrnn.load(name))


@cache
def _program(name: str) -> Program:
    return plan(_derivation(name), POLICY)


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> Program:
    """The program of each cell file in turn."""
    return _program(request.param)


@pytest.fixture(scope="session")
def planned() -> Planned:
    """The program of a cell by name: bundled, or the stem of a cell file."""
    return lambda name: _program(next(path for path in CELLS if Path(path).stem == name))


@pytest.fixture(scope="session")
def written() -> Written:
    """The program of a cell that is written in the test."""

    def write(text: str, sizes: Mapping[str, str] | None = None, *, with_backward: bool = True) -> Program:
        cell = symrnn.Cell.from_equations(text, name="written", sizes=sizes)
        return plan(derive(cell), replace(POLICY, backward=with_backward))

    return write
