"""The Python module over a compiled cell: the public surface, with ctypes in place of array code.

Reads a `Program` and the digest of its interface; returns the text of ``<cell>_c.py``, which needs NumPy and the
library beside it. Argument types come from the table that gave the C prototypes (`symrnn.targets.c.interface`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symrnn.emit.inline import inlined
from symrnn.emit.legend import step_lines
from symrnn.emit.provenance import provenance
from symrnn.emit.python_text import collection, quoted, wrapped
from symrnn.emit.render import render
from symrnn.emit.request import Request
from symrnn.emit.surface import surface
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.plan.program import Program
from symrnn.targets.c import flags
from symrnn.targets.c.arrays import Arrays
from symrnn.targets.c.interface import (
    BLOCK_NUMBERS,
    DTYPES,
    LED,
    MOST_PARTS,
    WORKER_BYTES,
    dims_fields,
    entries,
    statuses,
)

RUNTIME = (
    "c/calls.py",
    "c/training.py",
    "c/raw.py",
    "c/run.py",
    "c/choice.py",
    "c/packing.py",
    "python/parameters.py",
    "python/arguments.py",
    "python/given.py",
    "python/sizes.py",
    "python/tape.py",
    "python/pieces.py",
    "python/pieces_back.py",
    "python/gradients.py",
    "python/inference.py",
    "c/loader.py",
    "c/library.py",
    "c/memory.py",
    "c/team.py",
)
"""The runtime modules that all cells share, in the order of the text."""
TRAINING_ALONE = (
    "c/training.py",
    "c/raw.py",
    "python/tape.py",
    "python/gradients.py",
    "python/pieces.py",
    "python/pieces_back.py",
)
INFERENCE_ALONE = ("python/inference.py",)
_OF_SIZES = 'n["{}"]'.format
NOTES = {
    (
        "float32",
        "float64",
    ): "The types that `init_params` can return: float64 input runs in double, any other in float.",
    (
        "float32",
    ): "The types that `init_params` can return: this library runs only in float, and refuses float64 input.",
    (
        "float64",
    ): "The types that `init_params` can return: this library runs only in double, and refuses other floating-point input.",
}


def c_module(program: Program, digest: str, request: Request) -> str:
    """The text of ``<cell>_c.py``.

    Args:
        program: the cell's plan.
        digest: of the interface; the library must repeat it.
        request: the options.

    Raises:
        GenerateError: the kernels do not run in the precision of ``init_params``.
    """
    training = program.backward is not None
    dtypes = tuple(each for each in DTYPES if not request.dtypes or each in request.dtypes)
    if request.dtype not in dtypes:
        found = f"dtype {request.dtype!r}: the kernels are generated for {', '.join(dtypes)}"
        raise GenerateError(f"{found}; name one of them")
    left_out = INFERENCE_ALONE if training else TRAINING_ALONE
    runtime = inlined([file for file in RUNTIME if file not in left_out], [("numpy.typing", "DTypeLike")])
    context = {
        "s": surface(program, request, dtypes, NOTES[dtypes], () if training else ("forward", "backward")),
        "header": _header(program, request),
        "imports": runtime.imports,
        "constants": _constants(program, digest, request, dtypes),
        "tape": _tape(program) if training else (),
        "runtime": runtime.text,
    }
    return render("c/module.py.jinja", context)


def _header(program: Program, request: Request) -> tuple[str, ...]:
    """The docstring's lines after the first."""
    cell = program.cell
    origin = provenance(cell, request)
    origin += f" Needs NumPy and the library that is compiled from {cell.name}.c."
    lines = ["", *wrapped(origin)]
    if cell.reference:
        lines += ["", *wrapped(cell.reference)]
    lines += ["", "The step:", "", *(f"    {line}" for line in step_lines(program)), ""]
    lines += wrapped(f"Arrays are time-major: {_arrays_of(cell)}, a state (B, size), a matrix (rows, columns).")
    return tuple(quoted(line) for line in lines)


def _arrays_of(cell: Cell) -> str:
    """The shapes of the inputs and outputs, in words."""
    inputs = ["x is (T, B, input)", *(f"{name} (T, B, {cell.size(name)})" for name in cell.given[1:])]
    outputs = [cell.size(value) for value in cell.output_values]
    if len(outputs) == 1:
        return ", ".join([*inputs, f"y is (T, B, {outputs[0]})"])
    named = (f"{name} (T, B, {size})" for name, size in zip(cell.returned, outputs, strict=True))
    return ", ".join([*inputs, f"y holds {', '.join(named)}"])


def _constants(program: Program, digest: str, request: Request, dtypes: Sequence[str]) -> tuple[str, ...]:
    """The values that the module and the C source share: the names of ``templates/c/cell.pyi``."""
    sizes = program.cell.sizes
    return (
        f'_ABI = b"{digest}"',
        *collection("_SIZES = (", [f'"{size}"' for size in sizes], ")", single=True),
        *collection("_FIELDS = (", _fields(sizes), ")", single=True),
        *_entries(program.backward is not None),
        *_table("_PRECISIONS", {dtype: DTYPES[dtype] for dtype in dtypes}),
        *_statuses(bool(request.sizes)),
        f"_LED = ({', '.join(f'{chr(34)}{name}{chr(34)}' for name in LED)})",
        f"_MOST_PARTS, _WORKER_BYTES, _BLOCK_NUMBERS = {MOST_PARTS}, {WORKER_BYTES}, {BLOCK_NUMBERS}",
        *_loading(),
    )


def _tape(program: Program) -> tuple[str, ...]:
    """The function that says how many numbers the arrays of a tape have, as arithmetic that symbolic sizes go through too."""
    blocks = [
        f"{'(T + 1)' if array.motion in ('BEFORE', 'OVER') else 'T'} * B * {array.width.spelt(_OF_SIZES, factor=True)}"
        for array in Arrays(program).table
        if array.memory == "TAPE" and array.motion != "AFTER"
    ]
    return tuple(collection("return (", blocks, ")", 1, single=True))


def _fields(sizes: Sequence[str]) -> list[str]:
    """The fields of the structure of sizes with their kinds; in Python, no size of a cell has the name of another field."""
    fields = [(f"size_{each.name}" if each.kind == "size" else each.name, each.kind) for each in dims_fields(sizes)]
    return [f'("{name}", "{kind}")' for name, kind in fields]


def _entries(training: bool) -> tuple[str, ...]:
    """The entry points and the kinds of their arguments, in order."""
    lines = ["_ENTRIES = {"]
    for entry in entries(training):
        *before, last = collection(f'"{entry.name}": (', [f'"{argument.kind}"' for argument in entry.arguments], ")", 1)
        lines += [*before, f"{last},"]
    return (*lines, "}")


def _statuses(fixed: bool) -> tuple[str, ...]:
    """The messages of the status codes, except success."""
    lines = [f'    {status.code}: "{status.message}",' for status in statuses(fixed) if status.message]
    return ("_STATUS = {", *lines, "}")


def _loading() -> tuple[str, ...]:
    """The names of libraries, and how a person compiles one."""
    compile_with = ("cc", *flags.STANDARD, flags.OPTIMISE, flags.NATIVE, *flags.ARITHMETIC, *flags.LIBRARY)
    return (
        *_table("_SUFFIXES", flags.SUFFIXES),
        f'_OTHER_SUFFIX = "{flags.OTHER_SUFFIX}"',
        *_table("_MARCHES", {march: flags.library_stem("", march) for march in flags.MARCHES}),
        '"""The processors that a library may be compiled for, best first, with the part of its name for each."""',
        f'_MARCH_VARIABLE = "{flags.MARCH_VARIABLE}"',
        *collection("_COMPILE = (", [f'"{" ".join(part)}"' for part in (compile_with, flags.LINK)], ")"),
        f'_COMPILERS = "{flags.HOW_TO_GET_ONE}"',
    )


def _table(name: str, entries: Mapping[str, str]) -> list[str]:
    return collection(f"{name} = {{", [f'"{key}": "{value}"' for key, value in entries.items()], "}")
