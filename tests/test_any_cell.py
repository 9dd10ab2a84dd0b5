"""Cells that are not bundled go the same way: nine cell files through every oracle, some of them against PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import Case, Problem, draw
from symrnn.check.kernels import Result, run_kernels
from symrnn.language.cell import Cell
from tests.checked import hold_oracles
from tests.processors import require_backend
from tests.sparing import sparing

Array = np.ndarray[Any, np.dtype[Any]]

FILES = sorted((Path(__file__).parent / "cells").glob("*.toml"))


def test_there_are_nine_cell_files_and_none_is_bundled() -> None:
    assert len(FILES) >= 9
    assert not {path.stem for path in FILES} & set(symrnn.cells())


ALWAYS = ("factor_and_operand", "max_exp", "projection_lstm", "shared_transpose")
"""Cells of everything that cells have, none of them costly; the others with ``-m long``."""


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("name", sparing(map(str, FILES), ALWAYS), ids=lambda name: Path(name).stem)
def test_every_oracle_holds(name: str) -> None:
    hold_oracles(name)


@dataclass(frozen=True)
class Twin:
    """A layer of PyTorch and the cell that it computes.

    Attributes:
        cell: a bundled name or the stem of a cell file.
        layer: the class in ``torch.nn``.
        blocks: for each of the layer's parameters, ours stacked by rows in its order; empty where ours has none.
        states: ours, in the order in which the layer takes them.
        extra: size names as keywords of the layer.
    """

    cell: str
    layer: str
    blocks: Mapping[str, tuple[str, ...]]
    states: tuple[str, ...]
    extra: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> Cell:
        return symrnn.load(next((path for path in FILES if path.stem == self.cell), self.cell))


LSTM_BLOCKS = {
    "weight_ih_l0": ("W_xi", "W_xf", "W_xg", "W_xo"),
    "weight_hh_l0": ("W_hi", "W_hf", "W_hg", "W_ho"),
    "bias_ih_l0": ("b_i", "b_f", "b_g", "b_o"),
    "bias_hh_l0": ("", "", "", ""),
}
GRU_BLOCKS = {
    "weight_ih_l0": ("W_xr", "W_xz", "W_xh"),
    "weight_hh_l0": ("W_hr", "W_hz", "W_hh"),
    "bias_ih_l0": ("b_r", "b_z", "b_h"),
    "bias_hh_l0": ("", "", "b_hh"),
}
TWINS = (
    Twin("lstm", "LSTM", LSTM_BLOCKS, ("h", "c")),
    Twin("gru_reset_after", "GRU", GRU_BLOCKS, ("h",)),
    Twin("projection_lstm", "LSTM", LSTM_BLOCKS | {"weight_hr_l0": ("W_rh",)}, ("h", "c"), {"proj_size": "projection"}),
)


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.cell)
def test_outputs_and_gradients_are_those_of_pytorch(twin: Twin, backend: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    require_backend(backend)
    cell = twin.load()
    problem = draw(cell, Case(11, 3, 5, 7))
    ours = run_kernels(symrnn.build(cell, backend=backend), problem, "float64")
    theirs = by_torch(torch, twin, problem)
    for label, expected in theirs.outputs["forward"].items():
        np.testing.assert_allclose(ours.outputs["forward"][label], expected, rtol=0, atol=1e-12, err_msg=label)
    assert set(theirs.gradients) == set(ours.gradients)
    for label, expected in theirs.gradients.items():
        np.testing.assert_allclose(ours.gradients[label], expected, rtol=0, atol=1e-12, err_msg=f"gradient of {label}")


def by_torch(torch: Any, twin: Twin, problem: Problem) -> Result:
    """Outputs and gradients of the layer at the problem's point."""
    assert problem.state is not None
    assert problem.dstate is not None
    extra = {keyword: problem.sizes[size] for keyword, size in twin.extra.items()}
    units = max(width for (width,) in problem.widths.values())
    layer = getattr(torch.nn, twin.layer)(problem.x.shape[2], units, dtype=torch.float64, **extra)
    for name, block in twin.blocks.items():
        rows = [problem.params[ours] if ours else np.zeros(units) for ours in block]
        with torch.no_grad():
            getattr(layer, name).copy_(torch.from_numpy(np.concatenate(rows)))
    x = torch.from_numpy(problem.x).requires_grad_()
    initial = [torch.from_numpy(problem.state[name][np.newaxis]).requires_grad_() for name in twin.states]
    y, final = layer(x, initial[0] if len(initial) == 1 else tuple(initial))
    final = (final,) if len(initial) == 1 else final
    loss = (y * torch.from_numpy(problem.dy)).sum()
    for name, last in zip(twin.states, final, strict=True):
        loss = loss + (last[0] * torch.from_numpy(problem.dstate[name])).sum()
    loss.backward()
    outputs = {"y": y.detach().numpy()}
    gradients = {"x": x.grad.numpy()}
    for name, first, last in zip(twin.states, initial, final, strict=True):
        outputs[f"state {name}"] = last[0].detach().numpy()
        gradients[f"state {name}"] = first.grad[0].numpy()
    for name, block in twin.blocks.items():
        parts = np.split(getattr(layer, name).grad.numpy(), len(block))
        gradients |= {ours: part for ours, part in zip(block, parts, strict=True) if ours}
    return Result({"forward": outputs}, gradients)
