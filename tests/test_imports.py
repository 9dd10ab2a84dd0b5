"""One direction of imports, SymPy and NumPy loaded late in one place, and public names that are packages too."""

from __future__ import annotations

import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import symrnn

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "symrnn"
ORDER = (
    "language",
    "derive",
    "plan",
    "emit",
    "build",
    "targets",
    "costs",
    "pipeline",
    "torch",
    "flow",
    "report",
    "check",
    "diagnose",
    "cli",
)
ANYWHERE = ("errors", "late", "optional", "parts", "saying", "version")
"""Modules that import nothing of symrnn but one another: everything may import them."""
LATE = ("import_module", "__import__")
MAY_BE_LATE = ("symrnn/late.py", "symrnn/optional.py")
"""What loads symrnn's own modules when they are first used, and what loads packages that not everyone has."""

PLACE = re.compile(r"symrnn(\.\w+)+:\w+")
"""``package.module:name``, as `symrnn.late` takes it."""

MODULES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))


def level(module: str) -> int:
    """The place of a module of symrnn in the order of packages; symrnn itself, and who runs it, come last."""
    name = module.split(".")[1] if "." in module else ""
    if name in ANYWHERE:
        return -1
    return ORDER.index(name) if name in ORDER else len(ORDER)


def imported(file: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and dotted name of every import, those inside functions too."""
    package = file.removesuffix(".py").removesuffix("/__init__").split("/")
    package = package if file.endswith("__init__.py") else package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name if base == "symrnn" else base) for name in names)


def named_places(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and module of every place that is named as text, for `symrnn.late` to load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PLACE.fullmatch(node.value):
            yield node.lineno, node.value.partition(":")[0]


def faults(file: str, text: str) -> list[str]:
    """Imports in ``file`` that go up, come late, or belong to another module."""
    tree = ast.parse(text)
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = []
    for line, name in (*imported(file, tree), *named_places(tree)):
        if name.split(".")[0] == "symrnn" and level(name) > level(module):
            found.append(f"{file}:{line} imports {name}, a later package")
        if name.split(".")[0] == "jinja2" and file != "symrnn/emit/render.py":
            found.append(f"{file}:{line} imports jinja2, which symrnn/emit/render.py alone does")
    for node in ast.walk(tree):
        called = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if called in LATE and isinstance(node, ast.expr) and file not in MAY_BE_LATE:
            found.append(f"{file}:{node.lineno} imports late, which {' and '.join(MAY_BE_LATE)} alone do")
    return found


@pytest.mark.parametrize("file", MODULES)
def test_nothing_imports_a_later_package(file: str) -> None:
    assert faults(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("symrnn/language/cell.py", "from symrnn.derive import adjoint", "a later package"),
        ("symrnn/language/cell.py", "def f():\n    import symrnn.cli.arguments", "a later package"),
        ("symrnn/language/cell.py", "from symrnn import load", "a later package"),
        ("symrnn/language/cell.py", "import symrnn", "a later package"),
        (
            "symrnn/targets/registry.py",
            "load_late('symrnn.pipeline:build')",
            "imports symrnn.pipeline, a later package",
        ),
        ("symrnn/plan/planner.py", "from ..emit import render", "a later package"),
        ("symrnn/plan/__init__.py", "from . import planner\nfrom .. import pipeline", ":2 imports symrnn.pipeline"),
        ("symrnn/targets/c/library.py", "from symrnn.pipeline import build", "a later package"),
        ("symrnn/targets/numpy/module.py", "import jinja2", "render.py alone"),
        ("symrnn/targets/numpy/module.py", "from jinja2 import Template", "render.py alone"),
        (
            "symrnn/targets/numpy/module.py",
            "import importlib\nimportlib.import_module('symrnn.cli')",
            "optional.py alone",
        ),
        ("symrnn/targets/numpy/module.py", "__import__('symrnn.cli')", "optional.py alone"),
    ],
)
def test_a_wrong_import_is_found(file: str, text: str, words: str) -> None:
    (fault,) = faults(file, text)
    assert words in fault


def edges(files: Mapping[str, str]) -> dict[str, list[str]]:
    """The modules of symrnn that each module imports, for types alone or not; ``files`` are texts by name."""
    modules = {file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in files}
    found: dict[str, list[str]] = {}
    for module, file in modules.items():
        tree = ast.parse(files[file])
        names = {name for _, name in imported(file, tree)}
        names |= {f"{name}.{alias}" for name, alias in _members(file, tree)}
        found[module] = sorted(name for name in names if name in modules and name != module)
    return found


def _members(file: str, tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What is imported from each package: it may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            (_, base), *_ = imported(file, node)
            yield from ((base, alias.name) for alias in node.names)


def circles(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Every way from a module back to itself that a search by depth meets; none where modules have an order."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            found.append([*way[way.index(module) :], module])
        elif module not in done:
            for name in graph[module]:
                visit(name, [*way, module])
            done.add(module)

    for module in graph:
        visit(module, [])
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = edges({file: (ROOT / file).read_text(encoding="utf-8") for file in MODULES})
    assert sum(map(len, graph.values())) > 300
    assert circles(graph) == []


@pytest.mark.parametrize(
    "text",
    [
        "from symrnn.flow.a import f",
        "from symrnn.flow import a",
        "from . import a",
        "from .a import f",
        "import symrnn.flow.a",
        "if TYPE_CHECKING:\n    from symrnn.flow.a import f",
        "def g():\n    from symrnn.flow.a import f",
    ],
)
def test_a_circle_is_found(text: str) -> None:
    files = {
        "symrnn/flow/a.py": "from symrnn.flow.b import g",
        "symrnn/flow/b.py": "import symrnn.flow.c\nfrom symrnn.flow import d",
        "symrnn/flow/c.py": text,
        "symrnn/flow/d.py": "",
    }
    assert circles(edges(files)) == [["symrnn.flow.a", "symrnn.flow.b", "symrnn.flow.c", "symrnn.flow.a"]]
    assert circles(edges({**files, "symrnn/flow/c.py": "from symrnn.flow import d"})) == []


TYPESET = "symrnn.language.typeset"
PLAIN = ("plan", "emit", "targets", "build", "check", "diagnose")
"""Packages that write no LaTeX."""


def test_what_plans_and_emits_writes_no_latex() -> None:
    graph = edges({file: (ROOT / file).read_text(encoding="utf-8") for file in MODULES})
    latex = {module for module in graph if module.startswith(TYPESET)}
    latex |= {"symrnn.derive.lecture", "symrnn.derive.document", "symrnn.derive.sections", "symrnn.derive.notation"}
    assert latex <= set(graph)
    found = {
        m: sorted(latex & set(names)) for m, names in graph.items() if m.split(".")[1:2] and m.split(".")[1] in PLAIN
    }
    assert len(found) > 60
    assert {module: names for module, names in found.items() if names} == {}


def test_every_module_has_its_place_in_the_order() -> None:
    found = {path.split("/")[1].removesuffix(".py") for path in MODULES}
    assert found - {*ORDER, *ANYWHERE} == {"__init__", "__main__"}


def run(code: str) -> str:
    """What ``code`` prints in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_symrnn_loads_neither_sympy_nor_numpy() -> None:
    heavy = (
        "[name for name in ('sympy', 'numpy', 'jinja2', 'filelock', 'latex2mathml', 'pygments') if name in sys.modules]"
    )
    assert run(f"import sys, symrnn; print(symrnn.__version__, symrnn.errors.CellError, {heavy})").endswith(" []\n")
    assert run(f"import sys, symrnn.cli; print({heavy})") == "[]\n"


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["--version"]])
def test_help_loads_little(arguments: list[str]) -> None:
    """So that it answers at once: of symrnn the command line alone, of libraries none."""
    code = f"""
import contextlib, io, sys
from symrnn.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({arguments!r})
print(*sorted(sys.modules))
"""
    loaded = run(code).split()
    ours = [name for name in loaded if name.startswith("symrnn.")]
    assert not {"numpy", "sympy", "jinja2", "filelock", "platformdirs", "latex2mathml", "pygments"} & set(loaded)
    assert len(ours) <= 20, ours
    assert len(loaded) <= 250


@pytest.mark.parametrize("first", ["", "import symrnn.build.cache, symrnn.derive.adjoint, symrnn.check.measure"])
@pytest.mark.parametrize(
    "names",
    [
        "import symrnn; from symrnn import Cell, Derivation, build, cells, check, derive, generate, load",
        "import symrnn; derive, build, check = symrnn.derive, symrnn.build, symrnn.check; from symrnn import load",
    ],
)
def test_a_package_is_the_public_function_of_its_name_too(first: str, names: str) -> None:
    code = f"""
{first}
{names}
import inspect, symrnn.build.cache
print(derive(load("rnn")).__class__.__name__, build(load("rnn")).__name__.startswith("symrnn_generated_rnn_numpy"))
print(symrnn.derive is derive, symrnn.build is build, symrnn.build.cache.cache_directory.__name__)
print(list(inspect.signature(build).parameters)[:2], list(inspect.signature(check).parameters)[:1])
"""
    assert run(code) == ("Derivation True\nTrue True cache_directory\n['cell', 'backend'] ['cells']\n")


def test_every_public_name_is_there_and_no_other() -> None:
    assert (
        run("from symrnn import *; import symrnn; print(all(name in globals() for name in symrnn.__all__))") == "True\n"
    )
    with pytest.raises(AssertionError, match="module 'symrnn' has no attribute 'no_such_name'"):
        run("import symrnn; symrnn.no_such_name")


@pytest.mark.parametrize("name", ["build", "check", "derive", "diagnose", "flow"])
def test_help_of_a_package_shows_its_function(name: str) -> None:
    function = getattr(importlib.import_module(symrnn._HOMES[name]), name)
    importlib.import_module(f"symrnn.{name}")
    shown = pydoc.plain(pydoc.render_doc(getattr(symrnn, name)))
    assert f"symrnn.{name} - {name}{inspect.signature(function)}" in shown
    assert str(inspect.getdoc(function)).splitlines()[0] in shown
