"""Only the registry knows targets: nothing outside a target compares with its name, requests it or imports it.

What is looked for comes from the folders of `symrnn/targets/`. The registry's one table and its default may name them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from symrnn.targets import registry
from tests.test_imports import imported

ROOT = Path(__file__).parents[1]
TARGETS = ROOT / "symrnn/targets"
NAMES = sorted(path.name for path in TARGETS.iterdir() if path.joinpath("__init__.py").is_file())
REGISTRY = "symrnn/targets/registry.py"
OTHERS = ("lambdify",)
"""Functions of libraries that have names of their own for what they make."""
HOMES: tuple[str, ...] = ()
"""Packages that are a framework's home, and may name the targets that they join."""


def modules() -> list[str]:
    """The modules outside targets."""
    inside = tuple(f"symrnn/targets/{name}/" for name in NAMES)
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "symrnn").rglob("*.py"))
    return [file for file in found if file != REGISTRY and not file.startswith((*inside, *HOMES))]


def named(node: ast.AST) -> Iterator[ast.AST]:
    """What a node compares with or hands on: sides of a comparison, patterns of a match, arguments of a call."""
    match node:
        case ast.Compare():
            yield from (node.left, *node.comparators)
        case ast.MatchValue():
            yield node.value
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called not in OTHERS:
            yield from (*node.args, *(keyword.value for keyword in node.keywords))
        case ast.arguments():
            yield from (*node.defaults, *(default for default in node.kw_defaults if default is not None))


def targets_imported(file: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Imports of targets: the line, the dotted name and the target's."""
    several = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "symrnn.targets"]
    packages = [(node.lineno, f"symrnn.targets.{alias.name}") for node in several for alias in node.names]
    for line, name in (*imported(file, tree), *packages):
        for target in NAMES:
            if f"{name}.".startswith(f"symrnn.targets.{target}."):
                yield line, name, target


def faults(file: str, text: str) -> list[str]:
    """The places in ``file`` where it knows a target."""
    tree = ast.parse(text)
    found = [f"{file}:{line} imports {name}" for line, name, _ in targets_imported(file, tree)]
    for node in ast.walk(tree):
        for value in named(node):
            for part in ast.walk(value) if isinstance(value, ast.Tuple | ast.List | ast.Set | ast.Dict) else [value]:
                if isinstance(part, ast.Constant) and part.value in NAMES:
                    found.append(f"{file}:{part.lineno} names {part.value!r}")
    return found


def test_the_targets_are_those_of_the_registry() -> None:
    assert sorted(registry.names()) == NAMES


@pytest.mark.parametrize("file", modules())
def test_no_target_is_known(file: str) -> None:
    assert faults(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("target", NAMES)
def test_no_target_imports_another(target: str) -> None:
    for path in sorted((TARGETS / target).rglob("*.py")):
        file, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        others = [name for _, name, other in targets_imported(file, tree) if other != target]
        assert not others, f"{file} imports {', '.join(others)}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from symrnn.targets.c.flags import MARCHES", "imports symrnn.targets.c.flags"),
        ("from symrnn.targets import c", "imports symrnn.targets.c"),
        ("def f():\n    import symrnn.targets.numpy.module", ":2 imports symrnn.targets.numpy.module"),
        ("if backend == 'c': pass", "names 'c'"),
        ("if backend in ('numpy', None): pass", "names 'numpy'"),
        ("if 'c' not in backends: pass", "names 'c'"),
        ("match backend:\n    case 'numpy': pass", "names 'numpy'"),
        ("build(cell, backend='numpy')", "names 'numpy'"),
        ("render(cell, backends=['c'])", "names 'c'"),
        ("def f(backend='c'): pass", "names 'c'"),
    ],
)
def test_a_target_that_is_known_is_found(text: str, words: str) -> None:
    (fault,) = faults("symrnn/report/page.py", text)
    assert words in fault
