"""Wrong cells whose sizes or axes do not fit: each error names the thing, the place, the cause and what to write."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.size_tables import SizeEntry

STEP = "h' = tanh(W @ x + U @ h)\n"


@dataclass(frozen=True)
class Misfit:
    """A wrong cell.

    Attributes:
        text: its equations.
        place: line and column.
        parts: parts of what is said.
        sizes: its declared sizes.
        output: what it returns.
    """

    label: str
    text: str
    place: tuple[int, int]
    parts: tuple[str, ...]
    sizes: dict[str, SizeEntry] = field(default_factory=dict)
    output: str | None = None


HEADS: dict[str, SizeEntry] = {"y": ["head", "hidden"]}

NO_ARRAY = (
    Misfit(
        "an output of several axes, its parameter declared one",
        STEP + "y = mean(x) * p",
        (2, 1),
        (
            "`y` has the axis `head`, but no input, state or parameter has it, so no array tells how many units there are",
            'declare it for a parameter that this equation reads, as in `p = ["head", "hidden"]` under [sizes]',
        ),
        {**HEADS, "p": "hidden"},
        "y",
    ),
    Misfit(
        "an output of several axes, its parameter declared one number",
        STEP + "y = mean(x) * p",
        (2, 1),
        ('as in `p = "head"` under [sizes]',),
        {**HEADS, "p": 1},
        "y",
    ),
    Misfit(
        "an output, a number",
        STEP + "y = mean(x)",
        (2, 1),
        (
            "`y` has the size `head`, but no input,",
            "let this equation read a parameter or an input that has it, or declare another size under [sizes]",
        ),
        {"y": "head"},
        "y",
    ),
    Misfit("an output, a repeated state", STEP + "y = h'", (2, 1), ("`y` has the axis `head`, but",), HEADS, "y"),
    Misfit(
        "a value",
        STEP + "z = mean(x)\ny = sum(z) * h'",
        (2, 1),
        ("`z` has the size `head`, but no input,",),
        {"z": "head"},
        "y",
    ),
    Misfit(
        "no name has the size hidden",
        "p' = x\ny = mean(p') * p_y",
        (2, 1),
        (
            "`y` has the axes `head` and `hidden`, but no input, state or parameter has them, so",
            'declare them for a parameter that this equation reads, as in `p_y = ["head", "hidden"]` under [sizes]',
        ),
        {**HEADS, "p_y": 1},
        "y",
    ),
    Misfit(
        "what is prepared",
        STEP + "A = mean(a)\ny = A * h'",
        (2, 1),
        ("`A` has the axis `head`, but no input,", '`a = ["head", "hidden"]`'),
        {"A": ["head", "hidden"], **HEADS},
        "y",
    ),
)


S: dict[str, SizeEntry] = {"S": ["head", "key"], "K": ["head", "key", "input"]}
MEMORY = "q = {} @ S\nS' = tanh(S + K @ x)\ny = sum(q)"

ACTING = (
    Misfit(
        "a matrix on the wrong side",
        MEMORY.format("W"),
        (1, 5),
        (
            "`S` has the axes head, key",
            "its other side has the last axis, `key`: write `W.T @ S`, which keeps the other axes",
        ),
        {**S, "W": ["key", "value"]},
        "y",
    ),
    Misfit(
        "a transpose on the wrong side",
        MEMORY.format("W.T"),
        (1, 5),
        ("its other side has the last axis, `key`: write `W @ S`, which keeps the other axes",),
        {**S, "W": ["value", "key"]},
        "y",
    ),
    Misfit(
        "a matrix on the wrong side of a sum",
        MEMORY.replace("{} @ S", "W @ (S - 2 * S)"),
        (1, 5),
        ("write `W.T @ (S - 2 * S)`, which keeps the other axes",),
        {**S, "W": ["key", "value"]},
        "y",
    ),
    Misfit(
        "neither side",
        MEMORY.format("W"),
        (1, 5),
        ('or declare `W = ["value", "key"]`: its rows take the place of `key`',),
        {**S, "W": ["value", "rank"]},
        "y",
    ),
    Misfit(
        "rows that the value keeps",
        MEMORY.format("W"),
        (1, 5),
        (
            'write the sum out, `p = W * S` and `sum(p, key)`, and declare `p = ["head", "key"]` under [sizes]',
            'or, for one matrix on `key`, which keeps `head`, name its rows anew: `W = ["rows", "key"]`',
        ),
        {**S, "W": ["head", "key"]},
        "y",
    ),
    Misfit(
        "no declaration",
        MEMORY.format("W"),
        (1, 5),
        ('as in `W = ["rows", "key"]`: `rows` takes the place of `key`, and the other axes stay',),
        S,
        "y",
    ),
    Misfit(
        "a transpose without a declaration",
        MEMORY.format("W.T"),
        (1, 5),
        ('as in `W = ["key", "columns"]`: `columns` takes the place of `key`, and the other axes stay',),
        S,
        "y",
    ),
    Misfit(
        "no declaration, and an input of several axes",
        "h' = V @ x",
        (1, 6),
        ('as in `V = ["rows", "key"]`',),
        {"x": ["head", "key"]},
    ),
)


@pytest.mark.parametrize("wrong", [*NO_ARRAY, *ACTING], ids=lambda wrong: wrong.label)
def test_the_error_names_place_cause_and_remedy(wrong: Misfit) -> None:
    with pytest.raises(CellError) as raised:
        Cell.from_equations(wrong.text, sizes=wrong.sizes, output=wrong.output)
    line, column = wrong.place
    assert str(raised.value).startswith(f"<equations>:{line}:{column}: ")
    for part in wrong.parts:
        assert part in raised.value.message
    assert len(raised.value.message) < 400


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (STEP + "y = mean(x) * p", HEADS),
        (STEP + "y = mean(x) * p", {**HEADS, "p": "head"}),
        ("S' = 0.9 * S + mean(x)\ny = mean(S')", {"S": ["head", "key"], "y": "key"}),
        (STEP + "y = mean(x)", {"y": "input"}),
    ],
)
def test_an_array_that_has_the_axis_is_enough(text: str, sizes: dict[str, SizeEntry]) -> None:
    """A parameter, a state, or the input."""
    Cell.from_equations(text, sizes=sizes, output="y")


@pytest.mark.parametrize(
    ("form", "sizes"),
    [
        ("W.T @ S", {"W": ["key", "value"]}),
        ("W @ S", {"W": ["value", "key"]}),
        ("W @ S", {"W": ["rows", "key"]}),
        ("W.T @ S", {"W": ["key", "columns"]}),
        ("sum(p, key)", {"W": ["head", "key"], "p": ["head", "key"]}),
    ],
)
def test_what_the_errors_say_to_write_is_a_cell(form: str, sizes: dict[str, SizeEntry]) -> None:
    text = MEMORY.replace("{} @ S", form)
    Cell.from_equations(f"p = W * S\n{text}" if "p" in sizes else text, sizes={**S, **sizes}, output="y")
