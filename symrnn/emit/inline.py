"""Joins runtime modules into the text of one generated module. Linters and type checkers read them as they are.

Reads Python files below the template directory; returns their import statements as one block, and their bodies one after the
other, each under its docstring's first line. Such a file has a docstring, imports, and then its body; it imports from modules
that every Python has, from NumPy, and from others of its kind: these imports are left out, since one module
has all the names. The generated module itself must define what a stub (``cell.pyi``) declares. A file of helpers
holds functions alone, and a module gets those that it needs. Leaves out: the rest of the cell's own part.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symrnn.emit.python_text import WIDTH, collection
from symrnn.emit.templates import template_directory
from symrnn.errors import GenerateError

PACKAGE = "templates"
"""The module name under which runtime modules import one another."""

_FUTURE = "__future__"
_SHORT = {"numpy": " as np"}
"""Modules that are imported under another name."""


@dataclass(frozen=True)
class Inlined:
    """Runtime modules as text.

    Attributes:
        imports: lines, with those of ``also``.
        text: the bodies, without a line end at the end.
        names: what they define.
    """

    imports: tuple[str, ...]
    text: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Module:
    """A runtime module: its docstring's first line, its imports from elsewhere, from its kind, its body, its names."""

    title: str
    imports: tuple[tuple[str, str], ...]
    needs: tuple[tuple[str, str], ...]
    body: str
    names: tuple[str, ...]


def inlined(files: Sequence[str], also: Iterable[tuple[str, str]] = ()) -> Inlined:
    """The modules ``files`` as one text.

    Args:
        files: paths below the template directory, with slashes, in the order of the text.
        also: imports of the part that stands before them, as (module, name); an empty name for the module itself.

    Raises:
        GenerateError: a file is missing or has another layout, two define one name, or one imports a name that no
            other file and no stub defines.
    """
    modules = {_dotted(file): _read(file) for file in files}
    owners: dict[str, str] = {}
    for name, module in modules.items():
        for defined in module.names:
            if owners.setdefault(defined, name) != name:
                raise GenerateError(f"templates: {name} and {owners[defined]} both define {defined}; rename one")
    for name, module in modules.items():
        for source, needed in module.needs:
            if needed not in (modules[source].names if source in modules else _declared(source)):
                raise GenerateError(f"templates: {name} imports {needed} from {source}, which does not define it here")
    found = [entry for module in modules.values() for entry in module.imports]
    bodies = (f"# ---- {module.title} ----\n\n\n{module.body}" for module in modules.values())
    return Inlined(_block([*found, *also]), "\n\n\n".join(bodies), tuple(owners))


def picked(file: str, wanted: Collection[str]) -> tuple[str, ...]:
    """The functions of ``file`` that ``wanted`` names, and those that these call, each as text in the order of the file.

    They become part of the cell's own part of a module, which has no annotations.

    Raises:
        GenerateError: the file is missing, holds something else than functions, or lacks one of them.
    """
    text, tree = _load(file)
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    others = (each for each in tree.body[1:] if not isinstance(each, ast.Import | ast.ImportFrom | ast.FunctionDef))
    if other := next(others, None):
        raise GenerateError(
            f"templates: {file}:{other.lineno} is not a function; a file of helpers holds functions alone"
        )
    if unknown := sorted(name for name in wanted if name not in functions):
        raise GenerateError(f"templates: {file} does not define {', '.join(unknown)}; write it there")
    needed = _needed(functions, wanted)
    return tuple(_unannotated(function, text) for name, function in functions.items() if name in needed)


def _needed(functions: Mapping[str, ast.FunctionDef], wanted: Iterable[str]) -> set[str]:
    """``wanted``, with the functions that they call, that these call, and so on."""
    found: set[str] = set()
    ahead = list(wanted)
    while ahead:
        name = ahead.pop()
        if name in functions and name not in found:
            found.add(name)
            ahead += [node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)]
    return found


def _unannotated(function: ast.FunctionDef, text: str) -> str:
    body = text.splitlines()[function.body[0].lineno - 1 : function.end_lineno]
    return "\n".join([f"def {function.name}({ast.unparse(_Unannotated().visit(function.args))}):", *body])


class _Unannotated(ast.NodeTransformer):
    """Leaves out the annotations of arguments."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)


def _dotted(file: str) -> str:
    return ".".join((PACKAGE, *Path(file).with_suffix("").parts))


def _load(file: str) -> tuple[str, ast.Module]:
    try:
        text = (template_directory() / file).read_text(encoding="utf-8")
    except OSError as error:
        raise GenerateError(f"templates: {file} cannot be read ({error.strerror}); correct the path") from error
    return text, ast.parse(text, file)


@cache
def _read(file: str) -> _Module:
    text, tree = _load(file)
    docstring, statements = ast.get_docstring(tree), tree.body[1:]
    if not docstring:
        raise GenerateError(f"templates: {file} has no docstring; write one, its first line becomes the heading")
    imports: list[tuple[str, str]] = []
    needs: list[tuple[str, str]] = []
    begin = tree.body[0].end_lineno or 0
    for statement in statements:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            break
        begin = statement.end_lineno or begin
        for module, name in _entries(statement):
            (needs if module.partition(".")[0] == PACKAGE else imports).append((module, name))
    body = "".join(text.splitlines(keepends=True)[begin:]).strip("\n")
    names = tuple(name for statement in statements for name in _defined(statement))
    return _Module(docstring.splitlines()[0].rstrip("."), tuple(imports), tuple(needs), body, names)


@cache
def _declared(module: str) -> tuple[str, ...]:
    """The names of a stub."""
    _, tree = _load("/".join(module.split(".")[1:]) + ".pyi")
    return tuple(name for statement in tree.body for name in _defined(statement))


def _entries(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """(module, name) pairs; an empty name for the module itself. NumPy is ``np`` everywhere, so it has no other name."""
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            yield alias.name, ""
        else:
            yield statement.module or "", alias.name


def _defined(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _block(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Import statements as the project's linter orders them: those of Python first, then NumPy's."""
    names: dict[str, list[str]] = {}
    for module, name in sorted(set(found)):
        names.setdefault(module, []).append(name)
    parts: list[list[str]] = [[], [], []]
    for plain in (True, False):
        for module in sorted(names):
            part = 0 if module == _FUTURE else 1 if module.partition(".")[0] in sys.stdlib_module_names else 2
            taken = sorted((name for name in names[module] if name), key=_natural)
            if plain and "" in names[module]:
                parts[part].append(f"import {module}{_SHORT.get(module, '')}")
            elif not plain and taken:
                parts[part] += _from(module, taken)
    return tuple(line for i, part in enumerate(part for part in parts if part) for line in (*[""] * (i > 0), *part))


def _from(module: str, names: Sequence[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    return [line] if len(line) <= WIDTH else collection(f"from {module} import (", names, ")")


def _natural(name: str) -> tuple[int, str]:
    """Constants before classes before the rest, as isort has it."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name
