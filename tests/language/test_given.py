"""Wrong types: any value of an argument or key gives a cell, or a `CellError` that names it."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symrnn
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import read_cell

TEXT = "h' = tanh(W @ x + k * b)"
HUGE = 10**6000
TOO_LONG = pytest.param(HUGE, id="huge")
STRINGS = ("text", "name", "title", "reference", "family", "parent", "difference", "source")
TABLES = ("sizes", "constants", "define", "init", "inputs")


def made(**arguments: Any) -> Cell:
    return Cell.from_equations(arguments.pop("text", TEXT), **{"constants": {"k": 1}, **arguments})


@pytest.mark.parametrize("argument", STRINGS)
@pytest.mark.parametrize(
    "value", [3, 0.5, True, ["h"], ("h",), {"h": 1}, b"h", TOO_LONG, [HUGE], object(), np.zeros(2)]
)
def test_what_is_no_string_is_named(argument: str, value: object) -> None:
    with pytest.raises(CellError) as raised:
        made(**{argument: value})
    assert raised.value.message.startswith(f"{argument}: expected ")
    assert ", found " in raised.value.message
    assert "0x" not in raised.value.message  # no address, which is another one in each run


@pytest.mark.parametrize(
    "value", [3, "a line", b"a line", {"a": 1}, {"a"}, [3], ["a", None], [["a"]], ["a\nb"], [" "], TOO_LONG]
)
def test_departures_are_lines(value: object) -> None:
    with pytest.raises(CellError) as raised:
        made(departures=value)
    assert raised.value.message.startswith("departures")
    assert made(departures=("one", "two")).departures == ("one", "two")


def test_output_is_a_name_or_several() -> None:
    assert made(output="h").returned == made(output=["h"]).returned == made(output=("h",)).returned == ("h",)


@pytest.mark.parametrize("value", [3, 0.5, True, [], {"h": 1}, b"h", ["h", 1], TOO_LONG, [HUGE], object(), np.zeros(2)])
def test_an_output_of_a_wrong_type_is_named(value: object) -> None:
    with pytest.raises(CellError) as raised:
        made(output=value)
    assert raised.value.message.startswith("output: expected a name, or a list of names, found ")


@pytest.mark.parametrize("argument", TABLES)
@pytest.mark.parametrize("value", [3, "h", ["W"], [], 0, "", {"W"}, TOO_LONG, np.zeros(2), object()])
def test_what_is_no_mapping_is_named(argument: str, value: object) -> None:
    with pytest.raises(CellError) as raised:
        made(**{argument: value})
    assert raised.value.message.startswith(f"{argument}: expected a mapping of names to ")


@pytest.mark.parametrize("argument", TABLES)
@pytest.mark.parametrize("key", [3, None, ("W",), b"W", TOO_LONG])
def test_keys_are_names(argument: str, key: object) -> None:
    with pytest.raises(CellError) as raised:
        made(**{argument: {key: 1}})
    assert raised.value.message.startswith(f"[{argument}]: expected names, which are strings, found the key ")


SIZES: tuple[object, ...] = (None, True, 1.0, b"p", {"a": 1}, ["hidden", 1.5], [["p"], "p"], np.ones(2))
NUMBERS: tuple[object, ...] = (None, True, 1j, [1], {"a": 1}, b"1", np.array(1.0), np.float32(1))
STARTS: tuple[object, ...] = (None, False, 1j, ["ones"], {}, b"ones", np.ones(1), np.int64(1))


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        *[("sizes", "W", value) for value in SIZES],
        *[("sizes", "x", value) for value in (None, np.ones(2), {1})],
        *[("constants", "k", value) for value in NUMBERS],
        *[("init", "b", value) for value in STARTS],
    ],
)
def test_entries_are_of_their_types(argument: str, name: str, value: object) -> None:
    with pytest.raises(CellError) as raised:
        made(**{argument: {name: value}})
    assert raised.value.message.startswith(f"[{argument}] {name}: expected ")


def test_a_float_of_numpy_is_a_float() -> None:
    assert made(constants={"k": np.float64(0.1)}).constants == {"k": "0.1"}


@pytest.mark.parametrize("value", [3, None, b"lstm", ["lstm"], TOO_LONG, object(), np.zeros(2)])
def test_what_is_no_cell_is_refused(value: Any) -> None:
    with pytest.raises(CellError, match="expected a Cell, the name of one, or the path of a cell file, found"):
        symrnn.load(value)


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(),
        st.integers(6000, 6001).map(lambda digits: 10**digits), st.just(Path("h")), st.just(np.zeros(2)),
        st.sampled_from(["h", "W", "hidden", "ones", "1", "0.5", np.float32(2)]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.sampled_from(["W", "b", "k", "x", "h"]), st.text(), st.integers()), inner, max_size=3),
    ),
    max_leaves=5,
)  # fmt: skip


@given(st.sampled_from([*STRINGS, "output", *TABLES]), ANYTHING)
def test_anything_is_a_cell_or_a_cell_error(argument: str, value: object) -> None:
    with suppress(CellError):  # what else is raised fails the test
        assert made(**{argument: value}).states == ("h",)


TOML: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(
        ["3", "-0.5", "inf", "nan", "true", "'h'", "''", "[]", "['h']", "[1, 2]", "{}", "{ W = 1 }", "{ k = [1] }",
         "{ b = 2020-01-01 }", "2020-01-01", "07:30:00", "{ W = { W = 1 } }", "{ x = [['h']] }", "{ b = nan }",
         "{ b = ['hidden'] }", "{ k = true }", f"0x{'f' * 5000}", f"{{ k = 0x{'f' * 5000} }}", f"[0x{'f' * 5000}]"]
    ),
    st.integers().map(str),
)  # fmt: skip
KEYS = ("name", "title", "reference", "equations", "output", "inputs", "sizes", "constants", "define", "init", "other")


@given(st.dictionaries(st.sampled_from(KEYS), TOML, max_size=3))
def test_any_file_is_a_cell_or_a_cell_error(entries: dict[str, str]) -> None:
    given = {"name": "'cell'", "equations": f'"""{TEXT}"""', "constants": "{ k = 1 }"} | entries
    text = "\n".join(f"{key} = {value}" for key, value in given.items())
    tomllib.loads(text)
    with suppress(CellError):
        assert read_cell(text, "cell.toml").states == ("h",)


@pytest.mark.parametrize("key", ["name", "title", "equations", "output"])
@pytest.mark.parametrize("value", ["3", "2020-01-01", "[1]", "true", pytest.param("0x" + "f" * 9000, id="huge")])
def test_a_key_of_a_wrong_type_has_its_place(key: str, value: str) -> None:
    given = {"name": "'cell'", "equations": f'"{TEXT}"', "constants": "{ k = 1 }"} | {key: value}
    with pytest.raises(CellError) as raised:
        read_cell("\n".join(f"{key} = {value}" for key, value in given.items()), "cell.toml")
    wanted = "a name, or a list of names," if key == "output" else "a string,"
    assert raised.value.message.startswith(f"{key}: expected {wanted} found ")
    assert raised.value.line == list(given).index(key) + 1
