"""The PyTorch module of a cell: its text, which needs no PyTorch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import symrnn
from symrnn.emit.source import Source
from symrnn.errors import BuildError
from symrnn.pipeline import programs, requested, sources
from symrnn.targets import registry
from tests.targets.numpy.numpy_cells import CELLS, load

ROOT = Path(__file__).parents[3]


def text(name: str, backward: bool = True) -> str:
    return symrnn.render(load(name), backends=("torch",), backward=backward)[f"{name}_torch.py"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every module in one folder, so that the linter starts once."""
    path = tmp_path_factory.mktemp("modules")
    for name in CELLS:
        path.joinpath(f"{name}_torch.py").write_text(text(name), encoding="utf-8")
        path.joinpath(f"{name}_alone.py").write_text(text(name, backward=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", [("check",), ("format", "--diff")], ids=["linter", "formatter"])
def test_it_passes_the_projects_own(command: tuple[str, ...], folder: Path) -> None:
    arguments = [*command, "--no-cache", "--config", str(ROOT / "pyproject.toml"), "."]
    done = subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CELLS)
def test_it_is_ascii_of_at_most_120_columns_and_tells_its_equations(name: str) -> None:
    module = text(name)
    assert module.isascii()
    assert max(len(line) for line in module.splitlines()) <= 120
    document = ast.get_docstring(ast.parse(module))
    assert document is not None
    for equation in (*load(name).equations, *symrnn.derive(load(name)).adjoint.equations):
        assert re.search(rf"^    \({equation.label}\) +{re.escape(equation.target)} = ", document, re.MULTILINE)


def test_each_equation_has_marked_lines() -> None:
    derivation = symrnn.derive(symrnn.load("lstm"))
    source: Source = sources(programs(derivation, ("torch",)), requested(derivation.cell, ("torch",)))["torch"][
        "lstm_torch.py"
    ]
    labels = {label for mark in source.marks.values() for label in mark.labels}
    expected = {e.label for e in (*symrnn.load("lstm").normal.equations, *derivation.adjoint.equations)}
    assert labels == expected
    lines = source.text.splitlines()
    assert all(f"({label})" in "".join(lines[n - 2 : n]) for n, m in source.marks.items() for label in m.labels)


def test_input_products_stand_before_the_loop_and_gradients_of_weights_after_it() -> None:
    functions = {e.name: e for e in ast.parse(text("lstm")).body if isinstance(e, ast.FunctionDef)}
    for name, outside in (("_forward", "x @ W_x_T"), ("_backward", ".mT @ x.flatten(0, 1)")):
        (loop,) = (node for node in functions[name].body if isinstance(node, ast.For))
        text_of_loop = ast.unparse(loop)
        assert text_of_loop.count(" @ ") + text_of_loop.count("_of_later(") == 1
        assert outside in ast.unparse(functions[name])
        assert outside not in ast.unparse(loop)


def test_commands_take_it_only_where_it_is_named() -> None:
    assert "torch" in registry.names()
    assert "torch" not in registry.usual()
    assert "rnn_torch.py" not in symrnn.render("rnn")


def test_without_pytorch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BuildError, match="PyTorch is not installed; run `pip install torch`"):
        symrnn.build("rnn", backend="torch")
