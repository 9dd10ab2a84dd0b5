"""The C file between PyTorch and the kernels: free of warnings, the same for the same cell, and replaced where it cannot be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import symrnn
from tests.processors import compiler_or_skip

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


from symrnn.emit.templates import template_directory  # noqa: E402  # after what skips without PyTorch
from symrnn.errors import BuildError  # noqa: E402
from symrnn.torch import Layer, boundary, cell_kernels, differentiate  # noqa: E402
from symrnn.torch.cell_kernels import kernels_of  # noqa: E402
from symrnn.torch.operators import register  # noqa: E402

CELLS = Path(__file__).parents[1] / "cells"


@pytest.mark.parametrize(
    "name", ["lstm", str(CELLS / "projection_lstm.toml"), str(CELLS / "max_exp.toml")], ids=lambda name: Path(name).stem
)
def test_it_has_no_warnings(name: str, tmp_path: Path) -> None:
    compiler = compiler_or_skip()
    text = boundary.source_of(kernels_of(name), "stem")
    assert text == boundary.source_of(kernels_of(name), "stem")
    assert str(Path(torch.__file__).parent) not in text
    (tmp_path / "stem.c").write_text(text)
    header = template_directory() / boundary.FOLDER / boundary.HEADER
    (tmp_path / boundary.HEADER).write_text(header.read_text(encoding="utf-8"))
    command = [*compiler.command, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "stem.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_it_operators_go_through_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = kernels_of("gru")
    monkeypatch.setattr(boundary, "NEEDED", (99, 0))
    operators = register(kernels, "too_old")
    assert not operators.in_c
    assert operators.why_not == f"PyTorch {torch.__version__} is older than 99.0"
    params = list(kernels.operations.init_params(5, 7).values())
    y, _ = operators.infer(torch.randn(4, 3, 5), params, (), (5, 7), [], None, False, 0)
    assert y.shape == (4, 3, 7)


def test_without_a_compiler_operations_of_pytorch_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cell: Any, backend: str) -> Any:
        if backend == "c":
            raise BuildError("no C compiler found")
        return symrnn.build(cell, backend)

    monkeypatch.setattr(cell_kernels, "build", refuse)
    monkeypatch.setattr(cell_kernels, "_MADE", {})
    monkeypatch.setattr(differentiate, "_MADE", {})
    with pytest.warns(
        UserWarning, match="gru: no kernels in C, so operations of PyTorch run in their place: no C compiler"
    ):
        layer = Layer("gru", 5, 7, num_layers=2, checkpoint=2, dtype=torch.float64)
    assert layer._function.kernels.compiled is None
    x = torch.randn(6, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], (x,))
    y, _ = layer(x[:0])
    y.sum().backward()
    with pytest.raises(ValueError, match="lengths: expected 0 to 6, the steps of x, found 9 in row 0"):
        layer(x, lengths=torch.tensor([9, 1, 1]))
