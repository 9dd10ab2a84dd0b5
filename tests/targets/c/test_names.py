"""Names of cells and of their values that meet the words of the C kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.errors import GenerateError
from symrnn.targets.c.flags import RUNTIME
from tests.processors import compiler_or_skip


@pytest.mark.parametrize(
    "name", ["symrnn", "symrnn_vector", "symrnn_functions", "symrnn_entries", "SymRNN", "SYMRNN_VECTOR"]
)
@pytest.mark.parametrize("single_file", [False, True])
def test_a_cell_with_the_name_of_a_file_of_the_runtime_is_refused(name: str, single_file: bool) -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + x)", name=name)
    message = (
        rf"^cell '{name}': {name.lower()}\.h is a file .* no cell can have its name; rename the cell, or leave C out$"
    )
    with pytest.raises(GenerateError, match=message):
        symrnn.render(cell, single_file=single_file)
    assert f"{name}_numpy.py" in symrnn.render(cell, backends=("numpy",))


def test_each_file_of_the_runtime_is_a_name_that_no_cell_has() -> None:
    for file in RUNTIME:
        cell = symrnn.Cell.from_equations("h' = tanh(U @ h + x)", name=file.removesuffix(".h"))
        with pytest.raises(GenerateError, match=file):
            symrnn.render(cell, backends=("c",))


ARRAYS = """
now' = tanh(A @ next + b)
next' = tanh(B @ initial + x)
carry' = tanh(C @ now + now')
initial' = tanh(D @ carry + PARAM_b)
"""
BUFFERS = """
once = tanh(AT_now_h * PARAM_b)
AT_X = tanh(W @ x)
AT_kept = sigmoid(C @ hoisted)
hoisted' = tanh(AT_X + A @ saved + once)
saved' = tanh(B @ hoisted' + AT_kept)
AT_now_saved = AT_kept * PANEL_delta
h' = tanh(D @ saved' + AT_now_saved * DX)
work' = AT_X * h'
DX' = tanh(work + BLOCKS * PACKED)
"""


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize(("text", "output"), [(ARRAYS, "now"), (BUFFERS, "h")], ids=["arrays", "buffers"])
def test_values_named_like_arrays_of_the_kernels_compile_and_give_their_numbers(text: str, output: str) -> None:
    compiler_or_skip()
    cell = symrnn.Cell.from_equations(text, name="named", output=output)
    found = [_run(symrnn.build(cell, backend)) for backend in ("numpy", "c")]
    assert found[0].keys() == found[1].keys()
    for name, expected in found[0].items():
        assert np.allclose(found[1][name], expected, rtol=1e-10, atol=1e-12), name


def _run(k: Any) -> dict[str, np.ndarray[Any, Any]]:
    params = k.init_params(5, 5, dtype="float64")
    x = np.random.default_rng(1).standard_normal((6, 3, 5))
    y, state, tape = k.forward(params, x)
    grads = k.backward(params, tape, np.ones_like(y))
    row = k.infer(params, x[:, :1])[0]
    return {"y": y, "row": row, "x": grads.x, **{f"{n}'": a for n, a in state.items()}, **grads.params, **grads.state}


def test_no_value_has_the_name_of_an_array_or_of_a_part_of_packed_weights() -> None:
    cell = symrnn.Cell.from_equations(BUFFERS, name="named", output="h")
    text = symrnn.render(cell, backends=("c",))["named.c"]
    assert "LET(cell_AT_kept)" in text
    assert "LET(AT_" not in text
