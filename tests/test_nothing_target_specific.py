"""Targets are known by the registry alone: nothing outside a target has its name as a string or imports it.

What is looked for comes from the folders of `symrnn/targets/`. The registry's one table and its default may name them. So
may a benchmark whose very subject is one target; `MEASURED` lists these.
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
LIBRARY = {
    "symrnn/__init__.py": "the home in the library of that name, which is imported when it is named",
    "symrnn/check/deviations.py": "JSON has a key for the build of NumPy that is in use",
    "symrnn/cli/information.py": "people report the version of NumPy that is in use",
    "symrnn/derive/numeric.py": "SymPy's lambdify calls NumPy so",
    "symrnn/emit/inline.py": "generated modules import NumPy",
    "benchmarks/custom.py": "where the library that competes keeps what it compiled",
    "benchmarks/participants/torch_home.py": "the version of the library that our layer runs in",
    "benchmarks/participants/torch_layer.py": "the library that competes",
    "benchmarks/participants/torch_loop.py": "the library that competes",
}
"""Modules that name a library, and not the target of that name."""
MEASURED = {
    "benchmarks/compile_cost.py": "how long the C compiler takes",
    "benchmarks/machine.py": "which C compiler made what is measured",
    "benchmarks/participants/__init__.py": "the names of the participants, of which one is the target numpy",
    "benchmarks/participants/limits.py": "how near the C kernels come to the processor's limits",
    "benchmarks/participants/ours.py": "the kernels that compete with other libraries",
    "benchmarks/held.py": "features of the processor, hidden by a C library of its own",
    "benchmarks/profile.py": "where the time of the C kernels goes",
    "benchmarks/roofline.py": "the processor's limits, by a C program of its own",
    "benchmarks/streaming.py": "a stream of the C kernels beside a C program",
    "benchmarks/subnormal.py": "what subnormal numbers cost the C kernels",
}
"""Benchmarks whose subject is a target, each with what it measures. No other benchmark may name one."""
HOMES = ("symrnn/torch/",)
"""Packages that are a framework's home, and may name the targets that they join."""


def modules() -> list[str]:
    """The modules outside targets."""
    inside = tuple(f"symrnn/targets/{name}/" for name in NAMES)
    paths = [path for folder in ("symrnn", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found = sorted(path.relative_to(ROOT).as_posix() for path in paths)
    return [file for file in found if file not in (REGISTRY, *MEASURED) and not file.startswith((*inside, *HOMES))]


def targets_imported(file: str, tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Imports of targets: the line, the dotted name and the target's."""
    several = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "symrnn.targets"]
    packages = [(node.lineno, f"symrnn.targets.{alias.name}") for node in several for alias in node.names]
    for line, name in (*imported(file, tree), *packages):
        for target in NAMES:
            if f"{name}.".startswith(f"symrnn.targets.{target}."):
                yield line, name, target


def faults(file: str, text: str) -> list[str]:
    """The places in ``file`` where it knows a target: imports, and strings that are its name, wherever they stand."""
    tree = ast.parse(text)
    found = [f"{file}:{line} imports {name}" for line, name, _ in targets_imported(file, tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            found.append(f"{file}:{node.lineno} names {node.value!r}")
    return found


def source(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def test_the_targets_are_those_of_the_registry() -> None:
    assert sorted(registry.names()) == NAMES


@pytest.mark.parametrize("file", modules())
def test_no_target_is_known(file: str) -> None:
    found = faults(file, source(file))
    if file in LIBRARY:
        assert found, f"take {file} out of LIBRARY"
        (library,) = {each.partition(" ")[2] for each in found}
        assert library in ("names 'numpy'", "names 'torch'")
    else:
        assert found == []


@pytest.mark.parametrize("file", MEASURED)
def test_a_benchmark_that_may_name_a_target_does(file: str) -> None:
    assert faults(file, source(file)), f"take {file} out of MEASURED"


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
        ("make = {'c': compile}[backend]", "names 'c'"),
        ("kernels['numpy'].forward()", "names 'numpy'"),
        ("FIRST = 'numpy'\n\n\ndef f(backend):\n    return backend == FIRST", "names 'numpy'"),
        ("OTHERS: tuple[str, ...] = ('c', 'toy')", "names 'c'"),
        ("def f():\n    return 'c'", "names 'c'"),
    ],
)
def test_a_target_that_is_known_is_found(text: str, words: str) -> None:
    (fault,) = faults("symrnn/report/page.py", text)
    assert words in fault
