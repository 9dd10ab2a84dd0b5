"""``forward(..., checkpoint=)``: the states alone are kept; gradients are the same, in C to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

CELLS = Path(__file__).parents[1] / "cells"
NAMES = ("lstm", "gru", str(CELLS / "layernorm_lstm.toml"), str(CELLS / "shared_transpose.toml"))
HEADER = Path(__file__).parents[2] / "templates/c/symrnn.h"


def kernels(name: str, backend: str) -> Any:
    require_backend(backend)
    return symrnn.build(symrnn.load(name), backend=backend)


def arrays(y: Any, final: Any, grads: Any) -> list[Any]:
    return [y, *final.values(), grads.x, *grads.params.values(), *grads.state.values()]


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).stem)
def test_gradients_are_the_same(name: str, backend: str) -> None:
    k, rng = kernels(name, backend), np.random.default_rng(0)
    cell = symrnn.load(name)
    width = 6 if cell.input_is_hidden else 5
    params = k.init_params(width, 6)
    for steps, rows in ((37, 8), (65, 8), (513, 1), (5, 32), (9, 256), (7, 256), (1, 3), (0, 3), (4, 0)):
        x = rng.standard_normal((steps, rows, width)).astype(np.float32)
        for reverse in (False, True):
            for lengths in (None, rng.integers(0, steps + 1, rows)):
                y, final, tape = k.forward(params, x, None, lengths, reverse)
                dy = rng.standard_normal(y.shape).astype(np.float32)
                dstate = {n: rng.standard_normal(each.shape).astype(np.float32) for n, each in final.items()}
                whole = arrays(y, final, k.backward(params, tape, dy, dstate))
                y, final, tape = k.forward(params, x, None, lengths, reverse, checkpoint=3)
                pieces = arrays(y, final, k.backward(params, tape, dy, dstate))
                for a, b in zip(pieces, whole, strict=True):
                    if backend == "c":
                        np.testing.assert_array_equal(a, b)
                    else:
                        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * (1 + np.abs(b).max(initial=0)))


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_the_tape_has_the_states_where_pieces_end(backend: str) -> None:
    k = kernels("lstm", backend)
    params, x = k.init_params(5, 6), np.random.default_rng(0).standard_normal((70, 8, 5)).astype(np.float32)
    y, _, tape = k.forward(params, x, checkpoint=30)
    assert tape.states["h"].shape == (4, 8, 6)
    np.testing.assert_array_equal(tape.states["h"][1:], y[[31, 63, 69]])
    out = np.empty_like(y)
    again, _, _ = k.forward(params, x, checkpoint=30, out=out)
    assert again is out
    np.testing.assert_array_equal(out, y)
    grads = k.backward(params, tape, y)
    twice = k.backward(params, tape, y, out=k.backward(params, tape, y), accumulate=True)
    np.testing.assert_array_equal(twice.params["W_xi"], 2 * grads.params["W_xi"])
    with pytest.raises(ValueError, match="differs from the forward pass"):
        k.backward({**params, "b_i": params["b_i"] + 1}, tape, y)
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="checkpoint: expected None or a number of steps"):
            k.forward(params, x, checkpoint=wrong)


def test_a_piece_ends_where_sums_in_c_do() -> None:
    together = kernels("lstm", "numpy")._SUMMED_TOGETHER
    assert f"#define CHUNK {together}\n" in HEADER.read_text(encoding="utf-8")
