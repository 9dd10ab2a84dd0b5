"""The person's function: finds it in a file, and calls it with copies of a sample.

Reads ``FILE.py:FUNCTION`` or a callable; returns a `Subject`, and from a call `Returned`. Both the file and
the function run: whoever names them agrees to that. Leaves out: whether the results are right.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symrnn.check.measure import Array
from symrnn.derive.evaluate import flat, shaped
from symrnn.diagnose.layout import Layout
from symrnn.diagnose.sample import Sample
from symrnn.errors import DiagnoseError
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.origin import nearest, shown

STEP = ("params", "cache", "dstate")
WHOLE = ("params", "caches", "dy", "dstate")
"""The arguments of a function: for the backward pass of one step, or of a whole sequence."""

SIGNATURES = (
    f"  def backward_step({', '.join(STEP)}): …   # one step\n"
    f"  def backward({', '.join(WHOLE)}): …   # a whole sequence\n"
    "and return (dparams, dstate, dx)"
)
_TRIPLE = ("dparams", "dstate", "dx")
_PREFIX = "symrnn_diagnosed_"
_SINGLE = (np.dtype("float32"), np.dtype("float16"))


@dataclass(frozen=True)
class Subject:
    """A person's backward pass.

    Attributes:
        title: its name in reports.
        function: called with the arguments of `STEP` or `WHOLE`, by position.
        whole: whether it runs over a whole sequence.
        file: its file, as given.
        path: the file as tracebacks name it.
    """

    title: str
    function: Callable[..., Any]
    whole: bool
    file: str
    path: str


@dataclass(frozen=True)
class Returned:
    """The result of a call.

    Attributes:
        arrays: gradients by the cell's names, in float64; a name that was left out, or given as None, is missing.
        single: whether some array has single precision or less.
        faults: for a gradient of a stack that does not have the stack's shape, what is wrong, by the stack's name.
        transposed: the person's names of stacked gradients that were transposed.
    """

    arrays: Mapping[str, Array]
    single: bool
    faults: Mapping[str, str]
    transposed: tuple[str, ...]


class StopsError(DiagnoseError):
    """The person's function raised an error; the message shows where."""


def load_subject(text: str) -> Subject:
    """The function that ``FILE.py:FUNCTION`` names; runs the file.

    Raises:
        DiagnoseError: the file or function does not exist, the file stops with an error, or the function takes other
            arguments.
    """
    file, colon, name = text.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise DiagnoseError(f"{shown(text)!r}: expected FILE.py:FUNCTION, as in my_backward.py:backward_step")
    path = Path(file)
    try:
        source = path.read_bytes()
    except OSError as error:
        beside = [str(each) for each in sorted(path.parent.glob("*.py"))] if path.parent.is_dir() else []
        raise DiagnoseError(f"{file}: cannot be read: {error.strerror}{nearest(file, beside)}") from error
    module = ModuleType(_PREFIX + path.stem)
    module.__file__ = str(path.resolve())
    sys.modules[module.__name__] = module  # a dataclass looks up its module while the module runs
    with _at_home(module.__file__):
        try:
            exec(compile(source, module.__file__, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            raise StopsError(f"{file} stops while it is loaded:\n{_shown(error, file, module.__file__)}") from error
    functions = {key: value for key, value in vars(module).items() if callable(value)}
    if name not in functions:
        own = [key for key, value in functions.items() if getattr(value, "__module__", "") == module.__name__]
        known = f" (it has {', '.join(own)})" if own else " (it defines none)"
        raise DiagnoseError(f"{file}: unknown function {name!r}{nearest(name, own)}{known}")
    return as_subject(functions[name], text, file)


def as_subject(function: Callable[..., Any], title: str = "", file: str = "") -> Subject:
    """The function with its kind, which its number of required arguments determines.

    Raises:
        DiagnoseError: it takes neither three arguments nor four.
    """
    title = title or getattr(function, "__qualname__", type(function).__name__)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise DiagnoseError(f"{title}: its arguments cannot be read: {error}; write\n{SIGNATURES}") from error
    fixed = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each.name for each in parameters if each.name in fixed and each.default is each.empty]
    only_named = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty]
    if len(needed) not in (len(STEP), len(WHOLE)) or only_named:
        taken = ", ".join([*needed, *(f"*, {each}" for each in only_named)])
        raise DiagnoseError(f"{title} takes ({taken}); expected one of\n{SIGNATURES}")
    path = getattr(inspect.unwrap(function), "__code__", None)
    path = path.co_filename if path is not None else ""
    return Subject(title, function, len(needed) == len(WHOLE), file or path, path)


def call(subject: Subject, sample: Sample, layout: Layout) -> Returned:
    """The gradients that the function returns for copies of ``sample``.

    Raises:
        StopsError: the function raises an error.
        DiagnoseError: what it returns is not a triple of gradients by name.
    """
    cell, sizes = layout.cell, sample.rows.sizes
    params = shaped(cell.variables, layout.stack(sample.params), sizes)
    named = (shaped(cell.normal.variables, values, sizes, 1) for values in sample.steps)
    caches = [{name: np.array(value) for name, value in values.items()} for values in named]
    dstate = {name: value.copy() for name, value in shaped(cell.normal.variables, sample.dstate, sizes, 1).items()}
    of = dict(zip(cell.returned, cell.output_values, strict=True))
    losses = {of[name]: value for name, value in (sample.dys or {}).items()}
    found = shaped(cell.normal.variables, losses, sizes, 2)
    dys = {name: found[value].copy() for name, value in of.items() if value in found}
    dy = next(iter(dys.values())) if len(dys) == 1 else dys
    arguments = (params, caches, dy, dstate) if subject.whole else (params, caches[0], dstate)
    with _at_home(subject.path):
        try:
            result = subject.function(*arguments)
        except (Exception, SystemExit) as error:
            raise StopsError(f"{subject.title} stops:\n{_shown(error, subject.file, subject.path)}") from error
    return _read(subject, result, sample, layout)


@contextmanager
def _at_home(path: str) -> Iterator[None]:
    """Make the file's neighbours importable, and send its output to standard error: the report needs standard output."""
    folder = str(Path(path).parent)
    sys.path.insert(0, folder)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _shown(error: BaseException, file: str, path: str) -> str:
    """The lines of the person's file that led to ``error``, and the error itself, without our own lines."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"  {file}:{error.lineno}\n    {(error.text or '').strip()}\n{type(error).__name__}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    lines = [f"  {file}:{frame.lineno}, in {frame.name}\n    {frame.line}" for frame in frames]
    return "\n".join([*lines, f"{type(error).__name__}: {error}"])


def _read(subject: Subject, result: object, sample: Sample, layout: Layout) -> Returned:
    """What was returned, by the cell's names."""
    if not isinstance(result, tuple | list) or len(result) != 3:
        found = _count(len(result)) if isinstance(result, tuple | list) else _kind(result)
        raise DiagnoseError(f"{subject.title} returned {found}; expected three: (dparams, dstate, dx)")
    dparams, dstate, dx = result
    by_name = _mapping(subject, "dparams", dparams, layout.names)
    states = _mapping(subject, "dstate", dstate, layout.cell.states)
    dtypes: list[np.dtype[Any]] = []
    arrays: dict[str, Array] = {}
    faults: dict[str, str] = {}
    transposed: list[str] = []
    for name, value in by_name.items():
        array = _array(subject, f"dparams[{name!r}]", value, dtypes)
        shape = layout.shape(name, sample.params)
        if name in layout.stacks and array.shape[-len(shape) :] != shape:
            if array.shape != shape[::-1]:
                faults[name] = f"has shape {array.shape}, expected {shape}"
                continue
            transposed.append(name)
            array = array.T
        arrays |= layout.split(name, _level(layout.cell, name, array), sample.params)
    for name, value in states.items():
        arrays[name] = _level(layout.cell, name, _array(subject, f"dstate[{name!r}]", value, dtypes))
    given = layout.cell.given
    alone = {} if dx is None else {given[0]: dx}
    inputs = alone if len(given) == 1 else _mapping(subject, "dx", dx, given)
    for name, value in inputs.items():
        array = _array(subject, "dx" if len(given) == 1 else f"dx[{name!r}]", value, dtypes)
        arrays[name] = _level(layout.cell, name, array)
    return Returned(arrays, any(dtype in _SINGLE for dtype in dtypes), faults, tuple(transposed))


def _level(cell: Cell, name: str, array: Array) -> Array:
    """A gradient with its axes as one, where it has as many as it should have or more in front; else as it is."""
    variable = cell.by_name.get(name)
    lead = array.ndim - len(shape_axes(variable.shape)) if variable else 0
    return flat([variable], {name: array}, lead)[name] if variable and lead >= 0 else array


def _mapping(subject: Subject, what: str, value: object, known: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise DiagnoseError(f"{subject.title} returned {_kind(value)} as {what}; expected a dictionary by name")
    for name in value:
        if name not in known:
            missing = [each for each in known if each not in value]
            lacking = f"; {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""
            raise DiagnoseError(
                f"{subject.title} returned {what}[{name!r}], but the cell has no such name{nearest(str(name), known)} "
                f"(expected {', '.join(known)}{lacking})"
            )
    return {name: value[name] for name in known if value.get(name) is not None}


def _array(subject: Subject, what: str, value: object, dtypes: list[np.dtype[Any]]) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DiagnoseError(f"{subject.title} returned {what} that is not an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DiagnoseError(f"{subject.title} returned {what} of type {array.dtype}; expected an array of real numbers")
    dtypes.append(array.dtype)
    return array.astype(np.float64)


def _count(values: int) -> str:
    missing = (
        f", so that {', '.join(_TRIPLE[values:])} {'is' if values == 2 else 'are'} missing" if 0 < values < 3 else ""
    )
    return f"{values} value{'s'[: values != 1]}{missing}"


def _kind(value: object) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"
