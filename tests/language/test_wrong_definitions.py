"""Wrong definitions that Python gives: each is refused with its definition as a place, and what grows is stopped."""

from __future__ import annotations

import pytest

from symrnn.errors import CellError
from symrnn.language.calls import MAX_PARTS
from symrnn.language.cell import Cell
from symrnn.language.definitions import MAX_DEFINITIONS


def refused(text: str, define: dict[str, str]) -> CellError:
    with pytest.raises(CellError) as raised:
        Cell.from_equations(text, define=define)
    return raised.value


def test_a_body_that_python_gives_has_its_definition_as_a_place() -> None:
    fault = refused("h' = F(h)", {"F(v)": "tanh(v)\n + tahn(v)"})
    assert str(fault).startswith("<equations> [define] F(v):2:4: there is no function `tahn`")


@pytest.mark.parametrize(
    "body",
    ["F{}(v) + F{}(2 * v)", "F{}(v + v)", "F{}(F{}(v) * v + F{}(-v))"],
    ids=["two calls", "growing arguments", "calls of calls"],
)
def test_what_grows_exponentially_is_refused_before_it_has_grown(body: str) -> None:
    chain = {f"F{n}(v)": body.replace("{}", str(n - 1)) for n in range(1, 60)}
    fault = refused("h' = F59(h)", {"F0(v)": "v * v", **chain})
    assert f"more than {MAX_PARTS} parts" in fault.message or "nested more than 100 deep" in fault.message


def test_equal_calls_do_not_grow() -> None:
    chain = {f"F{n}(v)": f"F{n - 1}(v) + F{n - 1}(v)" for n in range(1, 30)}
    cell = Cell.from_equations("h' = F29(h)", define={"F0(v)": "v * v", **chain})
    assert len(cell.equations) == 30


@pytest.mark.parametrize("count", [101, 3000])
def test_the_depth_of_calls_is_limited(count: int) -> None:
    text = "F(" * 60 + "h" + ")" * 60
    assert "nested more than 100 deep" in refused(f"h' = {text}", {"F(v)": "tanh(1 + 2 * v)"}).message
    many = {f"F{n}(v)": f"F{n - 1}(v)" for n in range(1, count)}
    assert f"the most is {MAX_DEFINITIONS}" in refused("h' = F1(h)", {"F0(v)": "v", **many}).message


def test_the_length_of_bodies_is_limited() -> None:
    assert "the most is 65536" in refused("h' = F(h)", {"F(v)": "v" + " " * 70_000}).message


@pytest.mark.parametrize("value", [3, None, ["v"], b"v", {"v": "v"}])
def test_a_body_is_a_string(value: object) -> None:
    fault = refused("h' = F(h)", {"F(v)": value})  # type: ignore[dict-item]  # the wrong type is the test
    assert fault.message.startswith("[define] F(v): expected an expression, which is a string, found ")


@pytest.mark.parametrize("value", [3, "F(v)", ["F(v)"]])
def test_definitions_are_a_mapping(value: object) -> None:
    with pytest.raises(CellError, match="define: expected a mapping of names to an expression"):
        Cell.from_equations("h' = x", define=value)  # type: ignore[arg-type]  # the wrong type is the test
