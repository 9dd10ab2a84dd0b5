"""Every target spells every row of the language's tables, and a row without a spelling is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

import symrnn
from symrnn.errors import GenerateError
from symrnn.language.functions import PRIMITIVE
from symrnn.language.reductions import REDUCTIONS
from symrnn.targets import registry
from symrnn.targets.c import functions as c
from symrnn.targets.numpy import functions as numpy

TABLES: dict[str, Mapping[str, object]] = {"numpy": numpy.SPELLINGS, "c": c.SPELLINGS}
SPELLING: dict[str, Callable[[str], object]] = {"numpy": numpy.spelling, "c": c.spelling}


@pytest.mark.parametrize("target", registry.names())
def test_each_target_spells_each_function(target: str) -> None:
    assert list(registry.target(target).functions) == list(PRIMITIVE)


@pytest.mark.parametrize("target", registry.names())
def test_each_target_spells_each_reduction(target: str) -> None:
    spelt = [name for name, row in REDUCTIONS.items() if row.made_of is None]
    assert list(registry.target(target).reductions) == spelt


@pytest.mark.parametrize("target", TABLES)
def test_a_reduction_without_a_spelling_is_refused_by_name(target: str, lack: Callable[[Any, str], None]) -> None:
    table: Any = registry.target(target).reductions
    lack(table, "mean")
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + mean(U @ h))", name="averaged")
    with pytest.raises(
        GenerateError, match=f"^averaged: backend {target} has no spelling of the reduction mean; add it"
    ):
        symrnn.render(cell, backends=(target,))


@pytest.mark.parametrize("target", TABLES)
def test_a_function_without_a_spelling_is_refused_by_name(target: str, lack: Callable[[Any, str], None]) -> None:
    table: Any = TABLES[target]
    lack(table, "softsign")
    assert SPELLING[target]("tanh")
    cell = symrnn.Cell.from_equations("h' = softsign(W @ x + U @ h)", name="plain")
    with pytest.raises(
        GenerateError, match=f"^plain: backend {target} has no spelling of the function softsign; add it"
    ):
        symrnn.render(cell, backends=(target,))
    with pytest.raises(GenerateError, match=f"function 'softsign' has no spelling; .*{target}.functions.SPELLINGS"):
        SPELLING[target]("softsign")
