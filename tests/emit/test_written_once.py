"""Text is written once, with its source map beside it, and never taken apart again."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import symrnn

PACKAGE = Path(symrnn.__file__).parent
READERS = {
    "amalgamate": "joins files by the lines that include them",
    "library": "shows what the compiler said",
    "names": "looks at the names of the author, before anything is written",
    "tiles": "reads what the compiler makes of the runtime's macros",
    "toolchain": "reads what the compiler says of itself",
}
"""Modules of the target c that read text, and whose."""
WRITERS = (
    *sorted((PACKAGE / "targets" / "numpy").glob("*.py")),
    *sorted(path for path in (PACKAGE / "targets" / "c").glob("*.py") if path.stem not in READERS),
    *(PACKAGE / "emit" / f"{name}.py" for name in ("legend", "provenance", "python_text", "source", "surface")),
)
READING = {"replace", "partition", "rpartition", "startswith", "removeprefix", "sub", "lstrip", "splitlines"}
"""Methods by which a program finds out what it has written before."""
SHOWS = PACKAGE / "report" / "code.py"
"""Shows generated lines to people. So it divides text into lines; everything else it takes from the map."""


@pytest.mark.parametrize("path", WRITERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_writer_does_not_read_what_was_written(path: Path) -> None:
    assert not _uses(path) & {*READING, "re"}


def test_a_page_takes_functions_and_blocks_from_the_map() -> None:
    assert not _uses(SHOWS) & {*READING, "strip", "re"} - {"splitlines"}


def _uses(path: Path) -> set[str]:
    """The methods that a module calls, and the modules that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return called | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_a_docstring_holds_any_title(backend: str) -> None:
    title = '"Gate" of \\tau'
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x)", name="titled", title=title, reference=title)
    tree = ast.parse(symrnn.render(cell, backends=(backend,))[f"titled_{backend}.py"])
    lines = (ast.get_docstring(tree) or "").splitlines()
    assert lines[0].startswith(f"{title}: kernels in ")
    assert title in lines[1:]
