"""Inputs beside ``x``, and outputs that are no states: what a cell says of them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import load
from symrnn.language.system import Role

STEP = "h' = tanh(W @ x + U @ h + V @ m + b)"


def made(text: str = STEP, **arguments: Any) -> Cell:
    return Cell.from_equations(text, **arguments)


def test_an_input_is_no_parameter() -> None:
    cell = made(inputs={"m": "features"})
    assert cell.given == ("x", "m")
    assert cell.inputs[:2] == ("x", "m")
    assert cell.by_name["m"].role is Role.INPUT
    assert [each.name for each in cell.parameters] == ["W", "U", "V", "b"]
    assert cell.by_name["V"].shape == ("hidden", "features")
    assert cell.sizes == ("input", "hidden", "features")


def test_an_input_of_one_number_broadcasts() -> None:
    cell = made("h' = h + dt * tanh(W @ x)", inputs={"dt": 1})
    assert cell.by_name["dt"].shape == ("1",)
    assert cell.sizes == ("input", "hidden")


def test_x_need_not_be_read_but_every_other_input_must() -> None:
    assert made("h' = tanh(U @ h + V @ m)", inputs={"m": "features"}).given == ("x", "m")
    with pytest.raises(CellError, match=r"\[inputs\] k: the equations never read it; use it or remove it"):
        made(inputs={"m": "features", "k": 1})


def test_a_state_that_follows_masked_inputs_has_their_size() -> None:
    cell = made("p' = m * x + (1 - m) * p\nh' = tanh(W @ p' + U @ h)", inputs={"m": "input"})
    assert cell.by_name["p'"].shape == ("input",)


def test_an_output_that_is_no_state_may_stay_unread() -> None:
    cell = made("h' = tanh(W @ x + U @ h)\ny = sum(k * h')", output="y")
    assert cell.returned == cell.output_values == ("y",)
    assert cell.outputs == cell.normal.outputs == ("h'", "y")
    assert cell.by_name["y"].shape == ("1",)


def test_several_outputs_keep_their_order() -> None:
    cell = made("c' = W @ x + c\ny = C @ c'", output=["y", "c"], sizes={"y": "classes"})
    assert cell.returned == ("y", "c")
    assert cell.output_values == ("y", "c'")
    assert cell.output == "y"


def test_an_input_may_have_no_gradient() -> None:
    cell = made(inputs={"m": {"size": "features", "gradient": False}})
    assert cell.held_inputs == ("m",)
    assert cell.by_name["V"].shape == ("hidden", "features")
    assert made(inputs={"m": {"size": "features"}}).held_inputs == ()


def test_a_file_has_them_too(tmp_path: Any) -> None:
    file = tmp_path / "cell.toml"
    text = """\
    name = "cell"
    equations = "h' = tanh(W @ x + d * h)\\ny = Q @ h'"
    output = ["y", "h"]
    [inputs]
    d = 1
    [sizes]
    y = "classes"
    """
    file.write_text(text)
    cell = load(file)
    assert (cell.given, cell.returned) == (("x", "d"), ("y", "h"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": {"x": "input"}}, "[inputs]: `x` is an input by itself, of size `input`"),
        ({"inputs": {"tanh": 1}}, "[inputs]: `tanh` is a function"),
        ({"inputs": {"for": 1}}, "[inputs]: `for` is a word of Python"),
        ({"inputs": {"params": 1}}, "[inputs]: `params` is an argument of the kernels"),
        (
            {"inputs": {"m": {"gradient": False}}},
            "[inputs] m: size: expected `input`, `hidden`, the name of another size",
        ),
        ({"inputs": {"m": {"size": "f", "gradient": 0}}}, "[inputs] m: gradient: expected true or false, found 0"),
        ({"inputs": {"m": {"size": "f", "grad": False}}}, "[inputs] m: expected `size` and `gradient`, found 'grad'"),
        (
            {"inputs": {"m": {"size": 2}}},
            "[inputs] m: expected `input`, `hidden`, the name of another size, or 1, found 2",
        ),
        ({"inputs": {"m": 2}}, "[inputs] m: expected `input`, `hidden`, the name of another size, or 1, found 2"),
        ({"inputs": {"m": "W"}}, "[inputs] m: `W` is taken"),
        ({"inputs": {"m": "m"}}, "[inputs] m: `m` is taken"),
        ({"inputs": {"m": "f"}, "sizes": {"m": "g"}}, "[sizes] m: [inputs] gives the size of an input"),
        ({"inputs": {"m": "f"}, "init": {"m": 1}}, "[init] m: unknown parameter"),
        (
            {"inputs": {"m": "f"}, "output": "m"},
            "output: `m` is not a state, nor another name that an equation assigns",
        ),
        ({"inputs": {"m": "f"}, "output": ["h", "h"]}, "output: `h` is named twice"),
        ({"inputs": {"m": "f"}, "output": "W"}, "output: `W` is not a state"),
        ({"inputs": {"m": "f"}, "output": "hh"}, "did you mean `h`?"),
    ],
)
def test_wrong_declarations(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError) as raised:
        made(**arguments)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m' = W @ x", "`m` is an input from [inputs] and cannot be assigned"),
        ("m = W @ x\nh' = m", "`m` is an input from [inputs] and cannot be assigned"),
        ("h' = m @ x", "left of `@` stands a parameter"),
        ("h' = tanh(W @ x) + m", "`h'` has size hidden, but its right side has size features"),
    ],
)
def test_an_input_used_as_something_else(text: str, message: str) -> None:
    with pytest.raises(CellError) as raised:
        made(text + "\ng' = U @ g", inputs={"m": "features"}, sizes={"h": "hidden"})
    assert message in raised.value.message
    assert raised.value.line
