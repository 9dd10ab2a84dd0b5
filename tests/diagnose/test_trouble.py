"""Mistakes outside the mathematics: files, functions, names, shapes, errors, state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.cli import main
from symrnn.errors import DiagnoseError

from .conftest import STACKED, Person

Run = Callable[..., tuple[int, str, str]]
Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]

RIGHT = """
def backward_step(params, cache, dstate):
    da = dstate["h"] * (1 - cache["h'"] ** 2)
    dparams = {"W_xh": da.T @ cache["x"], "W_hh": da.T @ cache["h"], "b_h": da.sum(0)}
    return dparams, {"h": da @ params["W_hh"]}, da @ params["W_xh"]
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `diagnose` on a file of this text, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *arguments: str) -> tuple[int, str, str]:
        Path("mine.py").write_text(text, encoding="utf-8")
        code = main(["diagnose", *(arguments or ("mine.py:backward_step", "--cell", "rnn"))])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_right_is_0_and_wrong_is_1(run: Run) -> None:
    code, out, err = run(RIGHT)
    assert (code, err) == (0, "")
    assert out == (
        "mine.py:backward_step: one step of rnn, 5 gradients: 5 right\n\n"
        "  right    dL/dW_xh, dL/dW_hh, dL/db_h, dL/dh, dL/dx\n"
    )
    code, out, err = run(RIGHT.replace("da.sum(0)", "da.mean(0)"))
    assert (code, err) == (1, "")
    assert "the mean over the rows of the batch is taken in place of their sum" in out


def test_json_says_what_the_text_says(run: Run) -> None:
    arguments = ("mine.py:backward_step", "--cell", "rnn", "--json", "--seed", "5")
    code, out, _ = run(RIGHT.replace('cache["h"]', 'cache["h\'"]'), *arguments)
    said = json.loads(out)
    assert code == 1
    assert said["right"] is False
    assert [each["of"] for each in said["gradients"] if each["status"] == "wrong"] == ["W_hh"]
    (mistake,) = said["mistakes"]
    assert mistake["changes"] == [
        {"equation": "b5", "derived": "dW_hh = delta_h @ h.T", "yours": "dW_hh = delta_h @ h'.T"}
    ]
    assert json.loads(run(RIGHT, *arguments)[1])["mistakes"] == []


def test_the_same_is_printed_every_time(run: Run) -> None:
    text = RIGHT.replace("da.T @ cache", "-da.T @ cache")
    assert run(text) == run(text)


def test_output_of_the_file_does_not_mix_with_the_report(run: Run) -> None:
    code, out, err = run("print('loaded')\n" + RIGHT.replace("    da =", "    print('called')\n    da ="))
    assert code == 0
    assert out.startswith("mine.py:backward_step: one step")
    assert err.startswith("loaded\ncalled\n")


@pytest.mark.parametrize(
    ("text", "function", "words"),
    [
        (RIGHT, "backward_step", ["expected FILE.py:FUNCTION"]),
        (RIGHT, "mine.py:", ["expected FILE.py:FUNCTION"]),
        (RIGHT, "mnie.py:backward_step", ["mnie.py: cannot be read", "did you mean `mine.py`?"]),
        (RIGHT, "mine.py:backwards_step", ["unknown function 'backwards_step'", "did you mean `backward_step`?"]),
        ("x = (1\n", "mine.py:f", ["mine.py:1", "x = (1", "SyntaxError"]),
        ("\nimport nothing_of_this_name\n", "mine.py:f", ["mine.py:2, in <module>", "ModuleNotFoundError"]),
        ("raise SystemExit(3)\n", "mine.py:f", ["mine.py:1", "SystemExit: 3"]),
        ("def f(a, b): ...\n", "mine.py:f", ["takes (a, b)", "def backward_step(params, cache, dstate)"]),
        ("def f(*, a): ...\n", "mine.py:f", ["takes (*, a)", "def backward(params, caches, dy, dstate)"]),
        ("def f(a, b, c): ...\n", "mine.py:f", ["returned nothing (None)", "(dparams, dstate, dx)"]),
        ("def f(a, b, c): return 1, 2\n", "mine.py:f", ["returned 2 values"]),
        ("def f(a, b, c): return 1, {}, 2\n", "mine.py:f", ["a int as dparams"]),
        (
            "def f(a, b, c): return {'W_hx': 1}, {}, 2\n",
            "mine.py:f",
            ["dparams['W_hx'], but the cell has no such name; did you mean `W_xh`? (expected W_xh, W_hh, b_h; W"],
        ),
        (
            "def f(a, b, c): return {}, {}\n",
            "mine.py:f",
            ["returned 2 values, so that dx is missing; expected three: (dp"],
        ),
        ("def f(a, b, c): return ({},)\n", "mine.py:f", ["returned 1 value, so that dstate, dx are missing; expected"]),
        (
            'def f(a, b, c): return {}, {"h\'": 1}, 2\n',
            "mine.py:f",
            ['returned dstate["h\'"], but the cell has no such name; did you mean `h`? (expected h; h is missing)'],
        ),
        ("def f(a, b, c): return {'b_h': 'x'}, {}, 2\n", "mine.py:f", ["dparams['b_h'] of type <U1"]),
        (
            "def f(a, b, c): return {'b_h': [[1], [1, 2]]}, {}, 2\n",
            "mine.py:f",
            ["dparams['b_h'] that is not an array"],
        ),
        (RIGHT.replace('cache["h"]', 'cache["h_prev"]'), "mine.py:backward_step", ["mine.py:4", "KeyError: 'h_prev'"]),
        (
            RIGHT.replace("da =", "da = np.random.random() *").replace("\ndef", "import numpy as np\ndef"),
            "mine.py:backward_step",
            ["when it is called again with the same arguments"],
        ),
        (
            "total = 0\n" + RIGHT.replace("    da =", "    global total\n    total += 1\n    da = total *"),
            "mine.py:backward_step",
            ["keeps something between calls"],
        ),
    ],
)
def test_trouble_is_2_and_says_what_to_do(run: Run, text: str, function: str, words: list[str]) -> None:
    code, out, err = run(text, function, "--cell", "rnn")
    assert (code, out) == (2, "")
    assert err.startswith("symrnn: error: ")
    assert all(word in err for word in words), err
    assert "symrnn/" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layout", "W"), "expected NAME=BLOCKS"),
        (("--seed", "-1"), "expected a whole number from 0"),
        ((), "required: --cell"),
    ],
)
def test_wrong_arguments_show_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    cell = ("--cell", "rnn") if arguments else ()
    with pytest.raises(SystemExit) as stop:
        main(["diagnose", "mine.py:f", *cell, *arguments])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_help_warns_that_the_file_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["diagnose", "--help"])
    out = capsys.readouterr().out
    assert "This runs FILE.py" in out
    assert "def backward(params, caches, dy, dstate)" in out


def test_a_wrong_shape_is_said_and_the_rest_is_looked_at(run: Run) -> None:
    code, out, _ = run(RIGHT.replace("da.sum(0)", "da[:, :2].sum(0)"))
    assert code == 1
    assert "wrong    dL/db_h  has shape (2,), expected (7,)" in out
    assert "  right    dL/dW_xh, dL/dW_hh, dL/dh, dL/dx" in out


def test_numbers_that_are_not_finite_are_said(run: Run) -> None:
    code, out, _ = run(RIGHT.replace("da.sum(0)", "da.sum(0) * float('nan')"))
    assert code == 1
    assert "dL/db_h  has entries that are not finite" in out


def test_what_is_left_out_is_missing_and_the_rest_is_explained(run: Run) -> None:
    code, out, _ = run(RIGHT.replace(', "b_h": da.sum(0)', "").replace('cache["h"]', 'cache["h\'"]'))
    assert code == 1
    assert "1 not returned" in out
    assert "  missing  dL/db_h" in out
    assert "dW_hh = delta_h @ h'.T" in out
    assert "Why" not in run(RIGHT.replace(', "b_h": da.sum(0)', ""))[1]


def test_a_transpose_that_stops_the_code_is_found_where_it_does_not(run: Run) -> None:
    code, out, _ = run(RIGHT.replace('@ params["W_xh"]', '@ params["W_xh"].T'))
    assert code == 1
    assert "mine.py:5, in backward_step" in out
    assert "ValueError: matmul" in out
    assert "It runs where all sizes are equal" in out
    assert "dx = W_xh @ delta_h" in out


def test_code_for_equal_sizes_alone_is_trouble_though_right_there(run: Run) -> None:
    code, _, err = run(RIGHT.replace("    da =", "    assert cache['x'].shape == cache['h'].shape, 'equal'\n    da ="))
    assert code == 2
    assert "AssertionError: equal" in err
    assert "all gradients are right, if all sizes are equal" in err


def test_a_sum_that_stops_the_code_shows_in_that_one_row_does_not(person: Person) -> None:
    function = person("rnn", "backward", ("db += da.sum(axis=0)", "db += da.reshape(db.shape)"))
    with pytest.raises(DiagnoseError, match=r"cannot reshape array") as caught:
        symrnn.diagnose(function, "rnn")
    assert "all gradients are right, if the batch has one row" in str(caught.value)


def test_code_that_stops_on_all_sizes_is_shown_with_the_shapes_that_it_was_given(person: Person) -> None:
    function = person("lstm_stacked", "backward_step", ("da @ Wh.T", "da @ Wh"))
    with pytest.raises(DiagnoseError, match=r"dprev_h = da @ Wh") as caught:
        symrnn.diagnose(function, "lstm", layout=STACKED)
    assert "Wx (5, 28), Wh (7, 28), b (28,), x (3, 5), c (3, 7), h (3, 7)" in str(caught.value)


def test_a_cell_that_leaves_its_domain_is_trouble() -> None:
    cell = symrnn.Cell.from_equations("h' = log(W @ x + U @ h)")
    with pytest.raises(DiagnoseError, match=r"has no finite value at the random point"):
        symrnn.diagnose(lambda params, cache, dstate: ({}, {}, None), cell)


def test_arguments_are_copies() -> None:
    def backward_step(params: Arrays, cache: Arrays, dstate: Arrays) -> tuple[Arrays, Arrays, Array]:
        da = dstate["h"]
        da *= 1 - cache["h'"] ** 2
        found = {"W_xh": da.T @ cache["x"], "W_hh": da.T @ cache["h"], "b_h": da.sum(0)}
        dx, dh = da @ params["W_xh"], da @ params["W_hh"]
        for array in (*params.values(), *cache.values(), *dstate.values()):
            array[...] = np.nan
        return found, {"h": dh}, dx

    assert symrnn.diagnose(backward_step, "rnn").right


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"W": "W_xi/W_xq"}, "'W_xq' is not a parameter of lstm; did you mean `W_x"),
        ({"W": "W_xi/W_xi"}, "W_xi is already in W"),
        ({"W": "W_xi/W_hi"}, "these shapes do not make one array"),
        ({"W": "W_xi/b_i"}, "these shapes do not make one array"),
        ({"b": "b_i.T"}, "b_i is a vector"),
        ({"b_i": "b_f/b_o"}, "the cell has an unstacked parameter b_i"),
    ],
)
def test_a_layout_that_does_not_fit_is_told(person: Person, layout: dict[str, str], words: str) -> None:
    with pytest.raises(DiagnoseError, match="layout") as caught:
        symrnn.diagnose(person("lstm", "backward_step"), "lstm", layout=layout)
    assert words in str(caught.value)


def test_a_stack_returned_transposed_or_misshapen_is_said(person: Person) -> None:
    function = person("lstm_stacked", "backward_step", ('cache["h"].T @ da', 'da.T @ cache["h"]'))
    found = symrnn.diagnose(function, "lstm", layout=STACKED)
    assert "dL/dW_hi  is in `Wh`, which is returned transposed" in str(found)
    function = person("lstm_stacked", "backward_step", ('cache["h"].T @ da', "da"))
    found = symrnn.diagnose(function, "lstm", layout=STACKED)
    assert not found.right
    assert "dL/dW_hi  has shape (3, 28), expected (7, 28)" in str(found)
