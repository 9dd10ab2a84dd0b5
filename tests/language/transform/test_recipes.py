"""Recipes: a cell and its transformations as a text, what they are called, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.errors import CellError
from symrnn.language.mask import Mask
from symrnn.language.transform.recipe import EXAMPLES, SUMMARIES, joined_name
from symrnn.language.transform.transformed import TRANSFORMATIONS

CELL_FILE = 'name = "mine"\nequations = "h\' = tanh(W @ x + U @ h)"\n'


def test_the_tables_name_the_same_transformations() -> None:
    assert list(SUMMARIES) == list(EXAMPLES) == list(TRANSFORMATIONS)
    assert set(SUMMARIES) <= set(symrnn.__all__)


@pytest.mark.parametrize("example", [each for several in EXAMPLES.values() for each in several])
def test_every_example_makes_a_cell(example: str) -> None:
    cell = symrnn.load(f"lstm+{example}")
    assert cell.changes == (example,)
    name, _, arguments = example.partition(":")
    assert cell.text == symrnn.load(f"lstm+{name}({arguments})").text
    assert symrnn.load(f"{'+'.join(('lstm', *cell.changes))}") == replace(
        cell, source=symrnn.load(f"lstm+{example}").source
    )


@pytest.mark.parametrize(
    ("recipe", "made"),
    [
        ("lstm+zoneout:0.2,c=0.5", lambda: symrnn.zoneout("lstm", 0.2, c=0.5)),
        ("lstm+zoneout( h = 0.1 , c=0.05 )", lambda: symrnn.zoneout("lstm", h=0.1, c=0.05)),
        ("lstm+layer_norm:c,epsilon=1e-3", lambda: symrnn.layer_norm("lstm", "c", epsilon="1e-3")),
        ("gru+residual:projection=true", lambda: symrnn.residual("gru", projection=True)),
        ("gru+stack:2,share_hidden=true", lambda: symrnn.stack(["gru", "gru"], share_hidden=True)),
        (
            "gru+layer_norm+recurrent_dropout:0.3+zoneout",
            lambda: symrnn.zoneout(symrnn.recurrent_dropout(symrnn.layer_norm("gru"), 0.3)),
        ),
    ],
)
def test_a_recipe_is_what_the_functions_make(recipe: str, made: Callable[[], symrnn.Cell]) -> None:
    assert symrnn.load(recipe) == made()


def test_what_a_transformed_cell_says_of_itself() -> None:
    cell = symrnn.load("lstm+layer_norm+zoneout:h=0.1,c=0.05")
    assert cell.name == "lstm_layer_norm_zoneout"
    assert cell.title == "Long short-term memory, layer normalisation, zoneout (h 0.1, c 0.05)"
    assert cell.reference.endswith("1607.06450; zoneout: Krueger et al. 2016, arXiv:1606.01305")
    assert cell.base == symrnn.load("lstm")
    assert cell.changes == ("layer_norm", "zoneout:h=0.1,c=0.05")
    assert (cell.family, cell.parent, cell.difference) == ("gated", "lstm_layer_norm", "zoneout (h 0.1, c 0.05)")
    assert cell.masks == {"zoneout_c": Mask(0.05), "zoneout_h": Mask(0.1)}
    assert [each for each in cell.given if not cell.by_name[each].gradient] == ["zoneout_c", "zoneout_h"]
    assert not cell.layouts
    assert symrnn.load("lstm+zoneout").layouts == symrnn.load("lstm").layouts


def test_states_are_zoned_out_in_the_order_of_the_cell_whatever_the_order_of_the_rates() -> None:
    assert symrnn.zoneout("lstm", h=0.1, c=0.2).given == symrnn.zoneout("lstm", c=0.2, h=0.1).given


def test_a_cell_that_was_transformed_can_be_transformed_again_in_the_same_way() -> None:
    cell = symrnn.load("rnn+zoneout+zoneout+layer_norm+layer_norm+residual+residual")
    assert cell.given == ("x", "zoneout_h", "zoneout_h_2")
    assert cell.returned == ("y_2",)
    assert {"gain_W_hh", "gain_W_hh_2"} <= {each.name for each in cell.parameters}
    assert cell.constants == {"epsilon": "1e-5", "epsilon_2": "1e-5"}


def test_new_names_avoid_those_of_the_cell() -> None:
    taken = symrnn.Cell.from_equations(
        "h_new = tanh(W @ x + U @ h + zoneout_h * gain_W + dropout_h * y ** epsilon)\nh' = h_new",
        constants={"dropout_h": 1, "epsilon": 2},
    )
    cell = symrnn.residual(symrnn.layer_norm(symrnn.recurrent_dropout(symrnn.zoneout(taken))), projection=True)
    assert cell.given == ("x", "zoneout_h_2", "dropout_h_2")
    assert cell.returned == ("y_2",)
    assert "gain_W_2" in cell.init
    assert "gain_W" not in cell.init
    assert cell.constants == {"dropout_h": "1", "epsilon": "2", "epsilon_2": "1e-5"}


def test_a_stack_on_a_stack_counts_on() -> None:
    inner = symrnn.stack(["rnn", "rnn"])
    assert symrnn.stack([inner, "gru"]).states == ("h", "l2_h", "l3_h")
    assert symrnn.stack(["gru", inner]).states == ("h", "l2_h", "l2_l2_h")


def test_tied_layers_of_a_stack_have_the_size_below() -> None:
    cell = symrnn.load("rnn+residual+stack:3")
    assert cell.sizes == ("input", "hidden")
    assert cell.input_is_hidden
    upper = symrnn.stack(["rnn", symrnn.residual("gru")])
    assert upper.sizes == ("input", "hidden")
    assert not upper.input_is_hidden


def test_long_names_are_cut_and_stay_apart() -> None:
    recipe = "gru_reset_after" + "+zoneout+layer_norm" * 3
    cell, other = symrnn.load(recipe), symrnn.load(recipe + "+zoneout")
    assert len(cell.name) == len(other.name) == 63
    assert cell.name == cell.recipe_name != other.name == other.recipe_name
    assert cell.name == joined_name(("gru_reset_after", *cell.changes))


def test_cells_of_files_and_names_with_a_plus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a+b").mkdir()
    for file in ("mine.toml", "a+b/mine.toml", "mine+zoneout"):
        Path(file).write_text(CELL_FILE, encoding="utf-8")
    assert symrnn.load("mine.toml+zoneout").name == "mine_zoneout"
    assert symrnn.load("a+b/mine.toml").name == "mine"
    assert symrnn.load("a+b/mine.toml+zoneout").name == "mine_zoneout"
    assert symrnn.load("mine+zoneout").name == "mine"  # the file
    with pytest.raises(CellError, match=re.escape("mine.toml+zoneout: no file and no bundled cell has this name")):
        symrnn.load(Path("mine.toml+zoneout"))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("lstm+zonout", "lstm+zonout: `zonout` is not a transformation; did you mean `zoneout`?"),
        (
            "lstm+q",
            "lstm+q: `q` is not a transformation; expected zoneout, recurrent_dropout, layer_norm, residual, stack",
        ),
        ("lstn+zoneout", "lstn: no file and no bundled cell has this name; did you mean `lstm`?"),
        ("lstm+", "lstm+: no file and no bundled cell has this name; did you mean `lstm`?"),
        ("lstm+zoneout:z=0.1", "lstm.toml: zoneout of `lstm`: `z` is not a state; its states are c, h"),
        ("lstm+zoneout:h=2", "lstm.toml: zoneout of `lstm`: h: expected a rate from 0 to 1, found '2'"),
        ("lstm+zoneout:-0.1", "lstm.toml: zoneout of `lstm`: rate: expected a rate from 0 to 1, found '-0.1'"),
        ("lstm+zoneout:nan", "lstm.toml: zoneout of `lstm`: rate: expected a rate from 0 to 1, found 'nan'"),
        ("lstm+zoneout:h=0.1,h=0.2", "zoneout: `h` is given twice; leave one out"),
        (
            "lstm+zoneout:1,2",
            "zoneout: too many positional arguments; write it as in `zoneout`, `zoneout:0.2`, `zoneout:h=0.1,",
        ),
        ("rnn+recurrent_dropout:1", "recurrent_dropout of `rnn`: rate: expected a rate from 0 to below 1, found '1'"),
        ("rnn+recurrent_dropout:h=0.1", "recurrent_dropout: got an unexpected keyword argument 'h'; write it as in"),
        ("lstm+layer_norm:q", "layer_norm of `lstm`: `q` is not a state; its states are c, h"),
        (
            "lstm+layer_norm:h",
            "layer_norm of `lstm`: no equation reads `h'`, its value after the step, so there is nothing",
        ),
        ("lstm+layer_norm:epsilon=0", "layer_norm of `lstm`: epsilon: expected a number above 0, found '0'"),
        ("rnn+residual:projection=1", "residual of `rnn`: projection: expected true or false, found '1'"),
        ("rnn+stack", "stack: missing a required argument: 'layers'; write it as in `stack:2`"),
        ("rnn+stack:2.5", "stack of `rnn`: layers: expected a whole number of at least 1, found '2.5'"),
        ("rnn+stack:1000000000", "stack of `rnn`: layers: expected at most 16, found '1000000000'"),
        (
            "rnn+zoneout:h=0.1+zoneout:q=1",
            "rnn.toml+zoneout:h=0.1: zoneout of `rnn_zoneout`: `q` is not a state; its states are h",
        ),
    ],
)
def test_wrong_recipes(recipe: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        symrnn.load(recipe)
    assert message in str(caught.value)


HALF: Any = Fraction(1, 2)
WORD: Any = "no"
MEMORY = symrnn.Cell.from_equations(
    "c' = decay * c + K @ x\ny = Q @ tanh(c')", output=["y", "c"], sizes={"y": "classes"}, name="memory"
)
DIAGONAL = symrnn.Cell.from_equations("h' = a * h + W @ x", name="diagonal")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symrnn.zoneout("rnn", True), "rate: expected a rate from 0 to 1, found True"),
        (lambda: symrnn.zoneout("rnn", h=HALF), "h: expected a rate from 0 to 1, found"),
        (
            lambda: symrnn.recurrent_dropout(DIAGONAL),
            "recurrent_dropout of `diagonal`: no matrix reads a state of the step before",
        ),
        (
            lambda: symrnn.layer_norm(DIAGONAL),
            "layer_norm of `diagonal`: no function has a matrix product in its argument",
        ),
        (lambda: symrnn.layer_norm("rnn", epsilon=-1.0), "epsilon: expected a number above 0, found -1.0"),
        (
            lambda: symrnn.residual(MEMORY),
            "residual of `memory`: it returns y, c, and the input is added to one output",
        ),
        (
            lambda: symrnn.residual(symrnn.Cell.from_equations("h' = P @ tanh(U @ h)", sizes={"h": "out"})),
            "its output `h` has size out, and `x` has size input; with projection=true a matrix stands between them",
        ),
        (lambda: symrnn.residual("rnn", projection=WORD), "projection: expected true or false, found 'no'"),
        (lambda: symrnn.stack([]), "stack: expected at least one cell, found none"),
        (lambda: symrnn.stack("rnn"), "stack: expected a list of cells, found 'rnn'"),
        (lambda: symrnn.stack(["rnn"] * 17), "stack of `rnn`: expected at most 16 cells, found 17"),
        (
            lambda: symrnn.stack([MEMORY, "rnn"]),
            "stack of `memory`: it returns y, c, and the cell above reads one output",
        ),
        (lambda: symrnn.stack(["rnn", "nor"]), "nor: no file and no bundled cell has this name"),
        (
            lambda: symrnn.masks("rnn+zoneout", 2, 3),
            "masks of `rnn_zoneout`: the size `hidden` is missing; write hidden=8",
        ),
        (
            lambda: symrnn.masks("rnn+zoneout", 2, 3, hiden=8),
            "masks of `rnn_zoneout`: it has no size `hiden`; did you mean `hidden`?",
        ),
        (lambda: symrnn.masks("rnn+zoneout", 2, 3, hidden=-8), "hidden: expected a whole number from 0, found -8"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(CellError) as caught:
        call()
    assert message in str(caught.value)


def test_masks_are_drawn_with_their_rates_and_have_their_mean_in_inference() -> None:
    cell = "lstm+zoneout:h=0.1,c=0.6+recurrent_dropout:0.3"
    drawn = symrnn.masks(cell, 100, 20, hidden=50, dtype="float64")
    mean = symrnn.masks(cell, 100, 20, hidden=50, dtype="float64", training=False)
    assert {name: array.shape for name, array in drawn.items()} == dict.fromkeys(mean, (100, 20, 50))
    assert {name: float(array.flat[0]) for name, array in mean.items()} == {
        "zoneout_c": 0.6,
        "zoneout_h": 0.1,
        "dropout_h": 1.0,
    }
    for name, array in drawn.items():
        assert np.ptp(mean[name]) == 0
        independent = array.size if name != "dropout_h" else array[0].size
        spread = array.std() / np.sqrt(independent)
        assert abs(array.mean() - mean[name].flat[0]) < 4 * spread
    assert (drawn["dropout_h"] == drawn["dropout_h"][0]).all()
    assert not (drawn["zoneout_h"] == drawn["zoneout_h"][0]).all()
    assert set(np.unique(drawn["dropout_h"])) == {0.0, 1 / 0.7}
    again = symrnn.masks(cell, 100, 20, hidden=50, dtype="float64", seed=np.random.default_rng(0))
    assert all(np.array_equal(drawn[name], again[name]) for name in drawn)
    assert not np.array_equal(drawn["zoneout_h"], symrnn.masks(cell, 100, 20, hidden=50, seed=1)["zoneout_h"])
    assert symrnn.masks("lstm", 2, 3) == {}
    assert symrnn.masks("rnn+zoneout", 2, 3, hidden=4)["zoneout_h"].dtype == np.float32
