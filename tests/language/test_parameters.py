"""What a cell file says of parameters: fixed ones, domains, and starts with options; wrong ones are in `wrong_tables`."""

from __future__ import annotations

from typing import Any

import pytest

import symrnn
from symrnn.emit.inline import picked
from symrnn.emit.surface import INITIALISERS_FILE
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import read_cell
from symrnn.language.starts import DOMAINS, INITIALISERS, described_start, number_of, reach_of
from symrnn.language.system import System, Variable

TEXT = "h' = tanh(W @ x + U @ h + a * exp(n) + n)"


def made(**tables: Any) -> Cell:
    return Cell.from_equations(TEXT, **tables)


@pytest.mark.parametrize(
    ("entry", "text", "shown"),
    [
        ("uniform", "uniform", "uniform"),
        ({"kind": "uniform"}, "uniform", "uniform"),
        ({"kind": "uniform", "low": -1, "high": 0.5}, "uniform -1 0.5", "uniform, low -1, high 0.5"),
        ({"high": "2e-1", "low": "1e-1", "kind": "uniform"}, "uniform 1e-1 2e-1", "uniform, low 1e-1, high 2e-1"),
        ("log_uniform", "log_uniform 0.001 0.1", "log_uniform, low 0.001, high 0.1"),
        ({"kind": "normal", "std": 0.02}, "normal 0.02", "normal, std 0.02"),
        ("normal", "normal", "normal"),
        ({"kind": "orthogonal", "blocks": 4}, "orthogonal 4", "orthogonal, blocks 4"),
        ("positive", "positive", "positive"),
        (0.5, "0.5", "0.5"),
    ],
)
def test_a_start_has_one_text(entry: Any, text: str, shown: str) -> None:
    assert made(init={"W": entry}).init == {"W": text}
    assert described_start(text) == shown


def test_a_file_says_the_same() -> None:
    file = f'''name = "a"
fixed = ["U", "n"]
equations = "{TEXT}"
[init]
W = {{ kind = "orthogonal", blocks = 2 }}
a = {{ kind = "log_uniform", low = 1e-3, high = 0.10 }}
[domain]
n = "positive"
'''
    cell = read_cell(file, "a.toml")
    assert cell.init == {"W": "orthogonal 2", "a": "log_uniform 1e-3 0.10", "n": "positive"}
    assert cell.domain == {"n": "positive"}
    assert cell.fixed == ("U", "n")
    assert [each.name for each in cell.trainable] == ["W", "a"]


def test_fixed_parameters_are_in_the_order_of_the_cell_and_have_no_gradient_anywhere() -> None:
    cell = made(fixed=["n", "U"])
    assert cell.fixed == ("U", "n")
    for system in (cell, cell.normal):
        assert {v.name for v in system.variables if not v.gradient} == {"U", "n"}
    held = {"U", "n", *(e.target for e in cell.normal.equations if e.target.startswith("exp"))}
    assert cell.normal.held == held
    assert len(held) == 3
    assert made().normal.held == frozenset()


def test_a_constant_moves_nothing_only_where_something_is_held() -> None:
    text = "two = 2\nh' = tanh(W @ x + two * a) + h"
    assert "two" not in Cell.from_equations(text).normal.held
    assert "two" in Cell.from_equations(text, fixed=["a"]).normal.held


def test_an_input_may_have_no_gradient() -> None:
    cell = made()
    variables = tuple(Variable(v.name, v.role, v.shape, v.of, v.name != "x") for v in cell.normal.variables)
    system = System(cell.normal.inputs, cell.normal.outputs, cell.normal.equations, variables)
    assert system.held == {"x"}


@pytest.mark.parametrize("word", DOMAINS)
def test_a_parameter_with_a_domain_starts_in_it(word: str) -> None:
    cell = made(domain={"a": word})
    assert cell.init == {"a": word}
    assert all(DOMAINS[word].holds(*interval) for interval in reach_of(word))
    assert not all(DOMAINS[word].holds(*interval) for interval in reach_of("uniform"))


def test_a_start_within_the_domain_stays() -> None:
    start = {"kind": "uniform", "low": 2, "high": 3}
    assert made(domain={"a": "nonzero"}, init={"a": start}).init == {"a": "uniform 2 3"}
    start["low"] = -1
    with pytest.raises(CellError, match=r"\[init\] a: uniform, low -1, high 3 gives numbers from -1 to 3, but"):
        made(domain={"a": "nonzero"}, init={"a": start})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"fixed": "W"}, "fixed: expected a list of parameters, found 'W'"),
        ({"fixed": {"W": 1}}, "fixed: expected a list of parameters, found {'W': 1}"),
        ({"fixed": ("W", 3)}, "fixed: expected names of parameters, which are strings, found 3"),
        ({"domain": ["W"]}, "domain: expected a mapping of names to positive, unit, nonzero, found ['W']"),
        ({"domain": {"W": 3}}, "[domain] W: expected positive, unit, nonzero, found 3"),
        ({"init": {"W": {"kind": "normal", 3: 1}}}, "[init] W: an option is a name and a number, found 3 = 1"),
        ({"init": {"W": {"kind": "normal", "std": True}}}, "an option is a name and a number, found 'std' = True"),
        ({"init": {"W": {"kind": "normal", "std": "a"}}}, "normal: std: expected a finite number, found 'a'"),
    ],
)
def test_wrong_arguments(tables: Any, message: str) -> None:
    with pytest.raises(CellError) as raised:
        made(**tables)
    assert message in raised.value.message


def test_every_table_is_part_of_the_source() -> None:
    plain = made().digest
    others = [made(fixed=["U"]), made(fixed=["W"]), made(domain={"a": "unit"}), made(init={"a": "unit"})]
    assert len({plain, *(each.digest for each in others)}) == 5


def test_every_initialiser_has_a_function() -> None:
    functions = picked(INITIALISERS_FILE, [f"_draw_{kind}" for kind in INITIALISERS])
    assert {f"_draw_{kind}" for kind in INITIALISERS} <= {text[4 : text.index("(")] for text in functions}
    assert set(DOMAINS) <= set(INITIALISERS)


def test_numbers_of_starts() -> None:
    assert [number_of(start) for start in ("zeros", "ones", "-2", "identity", "uniform 1 2", "unit")] == [
        0.0,
        1.0,
        -2.0,
        None,
        None,
        None,
    ]


def test_show_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    cell = made(fixed=["U"], domain={"n": "positive"}, init={"W": "identity"})
    assert cell.unset == ("U",)
    text = symrnn.derive(cell).text("equations")
    assert "W  (hidden, input)   starts identity" in text
    random = "starts at random, without an entry under [init]: give its numbers"
    assert f"U  (hidden, hidden)  fixed, without gradient; {random}" in text
    assert "a  (hidden)\n" in text
    assert "n  (hidden)          positive, above 0; starts positive" in text


def test_a_fixed_parameter_that_starts_at_random_is_named() -> None:
    """In the docstring of `init_params`; one with an entry under [init], or a domain and so a start, is not."""
    kernels = symrnn.build(made(fixed=["W", "U"], init={"W": "identity"}), backend="numpy")
    told = kernels.init_params.__doc__ or ""
    assert "Fixed parameters without an entry under [init] are random too: U. Give their numbers." in told
    assert "Fixed" not in (symrnn.build(made(fixed=["W"], init={"W": "identity"}), "numpy").init_params.__doc__ or "")
