"""Runtime modules become part of a generated module: names, imports, order, and what does not fit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

import symrnn
from symrnn.emit import inline
from symrnn.emit.inline import inlined, picked
from symrnn.emit.surface import INITIALISERS_FILE
from symrnn.emit.templates import template_directory
from symrnn.errors import GenerateError
from symrnn.targets.c.module import RUNTIME as C_RUNTIME
from symrnn.targets.numpy.functions import HELPERS, SPELLINGS
from symrnn.targets.numpy.module import RUNTIME as NUMPY_RUNTIME
from symrnn.targets.torch.functions import HELPERS as TORCH_HELPERS
from symrnn.targets.torch.functions import SPELLINGS as TORCH_SPELLINGS
from symrnn.targets.torch.module import RUNTIME as TORCH_RUNTIME

STUBS = {
    "numpy": ("python/cell.pyi", "python/target.pyi", "numpy/cell.pyi"),
    "c": ("python/cell.pyi", "python/target.pyi", "c/cell.pyi"),
    "torch": ("python/cell.pyi", "torch/cell.pyi"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template directory with two runtime modules and a stub."""
    monkeypatch.setattr(inline, "template_directory", lambda: tmp_path)
    inline._read.cache_clear()
    inline._declared.cache_clear()
    (tmp_path / "cell.pyi").write_text("SIZE: int\n")
    (tmp_path / "first.py").write_text(
        '"""First: of two.\n\nMore of it.\n"""\n\nfrom __future__ import annotations\n\nimport os\n'
        "from math import prod\n\nimport numpy as np\n\nfrom templates.second import helper\n\n\n"
        "def first() -> None:\n    # a comment stays\n    helper(prod([1]), os, np)\n"
    )
    (tmp_path / "second.py").write_text(
        '"""Second."""\n\nfrom math import ceil, prod\n\nfrom templates.cell import SIZE\n\n_KNOWN, _MOST = {}, SIZE\n\n\n'
        "def helper(*given: object) -> None:\n    ceil(prod([SIZE]))\n"
    )
    return tmp_path


def defined(text: str) -> set[str]:
    return {name for statement in ast.parse(text).body for name in inline._defined(statement)}


def test_bodies_follow_one_another_below_one_block_of_imports(folder: Path) -> None:
    found = inlined(["first.py", "second.py"], [("re", "")])
    assert found.imports == (
        "from __future__ import annotations",
        "",
        "import os",
        "import re",
        "from math import ceil, prod",
        "",
        "import numpy as np",
    )
    assert found.text == (
        "# ---- First: of two ----\n\n\ndef first() -> None:\n    # a comment stays\n    helper(prod([1]), os, np)\n\n\n"
        "# ---- Second ----\n\n\n_KNOWN, _MOST = {}, SIZE\n\n\ndef helper(*given: object) -> None:\n    ceil(prod([SIZE]))"
    )
    assert found.names == ("first", "_KNOWN", "_MOST", "helper")


def test_what_does_not_fit_is_named(folder: Path) -> None:
    (folder / "second.pyi").write_text("other: int\n")
    with pytest.raises(GenerateError, match=r"templates\.first imports helper from templates\.second, which"):
        inlined(["first.py"])
    (folder / "third.py").write_text('"""Third."""\n\n\ndef helper() -> None:\n    pass\n')
    with pytest.raises(GenerateError, match=r"templates\.third and templates\.second both define helper; rename one"):
        inlined(["second.py", "third.py"])
    (folder / "bare.py").write_text("def f() -> None:\n    pass\n")
    with pytest.raises(GenerateError, match=r"bare\.py has no docstring"):
        inlined(["bare.py"])
    with pytest.raises(GenerateError, match=r"missing\.py cannot be read"):
        inlined(["missing.py"])


def test_a_module_gets_the_helpers_that_it_calls_and_those_that_these_call(folder: Path) -> None:
    (folder / "helpers.py").write_text(
        '"""Helpers."""\n\nimport numpy as np\n\n\n'
        "def inner(a: np.ndarray) -> np.ndarray:\n    return a\n\n\n"
        "# Why it is so.\n"
        "def middle(\n    a: np.ndarray, *, out: np.ndarray | None = None\n) -> np.ndarray:\n"
        '    """Text."""\n    # a comment stays\n    return np.add(inner(a), 0, out=out)\n\n\n'
        "def other() -> None:\n    pass\n\n\n"
        "def outer(a: np.ndarray) -> np.ndarray:\n    return middle(a)\n"
    )
    inner = "def inner(a):\n    return a"
    middle = (
        'def middle(a, *, out=None):\n    """Text."""\n    # a comment stays\n    return np.add(inner(a), 0, out=out)'
    )
    outer = "def outer(a):\n    return middle(a)"
    assert picked("helpers.py", {"outer"}) == (inner, middle, outer)
    assert picked("helpers.py", ["outer", "inner"]) == (inner, middle, outer)
    assert picked("helpers.py", {"inner"}) == (inner,)
    assert picked("helpers.py", ()) == ()


def test_a_file_of_helpers_defines_those_that_are_wanted_and_holds_nothing_else(folder: Path) -> None:
    with pytest.raises(GenerateError, match=r"first\.py does not define second, third; write it there"):
        picked("first.py", {"first", "third", "second"})
    with pytest.raises(GenerateError, match=r"second\.py:7 is not a function; a file of helpers holds functions alone"):
        picked("second.py", {"helper"})


@pytest.mark.parametrize(
    ("file", "spellings", "further"),
    [
        (HELPERS, SPELLINGS, ["_largest", "_over", "_repeat", "_revcumsum"]),
        (TORCH_HELPERS, TORCH_SPELLINGS, ["_over", "_repeat", "_revcumsum"]),
    ],
    ids=["numpy", "torch"],
)
def test_the_helpers_are_those_of_the_table_in_its_order(
    file: str, spellings: Mapping[str, str], further: list[str]
) -> None:
    """Behind them stand those of reductions and vector functions."""
    callees = [callee for callee in spellings.values() if "." not in callee]
    tree = ast.parse((template_directory() / file).read_text("utf-8"))
    functions = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
    assert [name for name in functions if name in callees] == callees
    assert len(picked(file, [*callees, *further])) == len(functions), "one is called by nothing"


def test_no_helper_has_the_name_of_a_part_of_the_runtime() -> None:
    helpers = {
        name for source in picked(HELPERS, [c for c in SPELLINGS.values() if "." not in c]) for name in defined(source)
    }
    assert helpers.isdisjoint(inlined(NUMPY_RUNTIME).names)
    own = symrnn.render("gru", backends=("numpy",))["gru_numpy.py"]
    assert helpers & defined(own) == {"_sigmoid"}


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
def test_a_generated_module_defines_what_the_stubs_declare(backend: str, backward: bool) -> None:
    """Type checkers read the runtime against the stubs; what these promise, every module must keep."""
    text = symrnn.render("gru", backends=(backend,), backward=backward)[f"gru_{backend}.py"]
    declared = {name for file in STUBS[backend] for name in defined((template_directory() / file).read_text("utf-8"))}
    left_out = {"_LEFT_OUT"} if backward else {"_backward", "_KEPT", "_on_tape"}
    assert declared - left_out <= defined(text), declared - defined(text)


def test_every_runtime_module_is_used() -> None:
    directory = template_directory()
    files = {path.relative_to(directory).as_posix() for path in directory.rglob("*.py")}
    assert files == {HELPERS, TORCH_HELPERS, INITIALISERS_FILE, *NUMPY_RUNTIME, *C_RUNTIME, *TORCH_RUNTIME}


@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
def test_the_cells_own_part_comes_first(backend: str) -> None:
    text = symrnn.render("gru", backends=(backend,))[f"gru_{backend}.py"]
    own, _, rest = text.partition("# ======== The rest is the same in the modules of all cells. ========")
    assert {"CELL", "_SHAPES", "param_shapes"} <= defined(own)
    assert {"infer", "pack", "forward", "backward"} <= defined(f'"""Rest."""\n{rest}')
    other = symrnn.render("lstm", backends=(backend,))[f"lstm_{backend}.py"]
    assert other.endswith(rest), "what is said to be equal in all cells is not"
