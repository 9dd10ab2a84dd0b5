"""The tables that a generated library and the Python module over it share: C and Python are both printed from them.

Entry points with their arguments, status codes, the fields of the structure of sizes, limits. Reads a cell's name;
returns prototypes and function heads for C, and the tables themselves. Leaves out: what the entry points do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symrnn.targets.c.precision import PRECISIONS

REALS = {p.name: p.real for p in PRECISIONS}
DTYPES = {p.dtype: p.name for p in PRECISIONS}
"""The precision of each dtype that the kernels run in."""

MOST_PARTS = 1024
"""The most parts of a call."""
WORKER_BYTES = 128
"""Bytes that Python makes for the structure of a worker, which is smaller."""

BLOCK_NUMBERS = 16
"""Numbers to whose multiple each array in a tape, a workspace or packed weights is rounded up: the runtime's `ALIGNMENT`."""

TAG_WORDS = 3
"""Words of 64 bits in the tag of packed weights, besides one for each size that is not fixed."""


@dataclass(frozen=True)
class Status:
    """A status that an entry point returns.

    Attributes:
        name: of the constant in C, after the cell's prefix.
        code: its number.
        note: its text in the header.
        message: the text of the Python module's error; empty for success.
        fixed: whether only libraries for fixed sizes return it.
    """

    name: str
    code: int
    note: str
    message: str
    fixed: bool = False


STATUSES = (
    Status("OK", 0, "", ""),
    Status("NULL", 1, "a required pointer is null", "a pointer is null"),
    Status(
        "SIZE", 2, "a size is zero, or larger than memory can hold", "a size is zero, or larger than memory can hold"
    ),
    Status("LENGTH", 3, "a row's length exceeds the number of steps", "a length exceeds the steps"),
    Status(
        "PARTS",
        4,
        f"part is not below parts, parts exceeds {MOST_PARTS}, several parts have no barrier, or two threads serve one worker",
        "this library cannot run in this many parts",
    ),
    Status(
        "FIXED",
        5,
        "a size differs from the one that was compiled in",
        "a size differs from the one that was compiled in; FIXED of this module has the sizes",
        fixed=True,
    ),
    Status(
        "LAYOUT",
        6,
        "the weights were packed by another build, in another precision or for other sizes; pack them again",
        "these weights were packed by another library, in another precision or for other sizes; pack the parameters again",
    ),
    Status(
        "ATOMICS",
        7,
        "parts exceeds 1, and the target has no atomic instructions",
        "this library runs only with threads=1, because its processor has no atomic instructions",
    ),
)


@dataclass(frozen=True)
class Field:
    """A field of the structure of sizes.

    Attributes:
        name: in C.
        kind: ``size`` (a ``size_t`` for a size of the cell), ``number`` (another ``size_t``), ``lengths`` (a pointer to
            constant ``size_t``), or ``flag`` (an ``int``).
        note: its text in the header; empty if its name is enough.
    """

    name: str
    kind: str
    note: str = ""


def dims_fields(sizes: Sequence[str]) -> tuple[Field, ...]:
    """The structure of sizes, field by field: steps and rows, the cell's ``sizes``, the options of a call."""
    return (
        Field("steps", "number", "T"),
        Field("rows", "number", "B"),
        *(Field(size, "size") for size in sizes),
        Field(
            "lengths",
            "lengths",
            "one per row, or null: beyond its length a row keeps its state and its output is zero",
        ),
        Field("reverse", "flag", "nonzero: run each row from its last valid step to its first"),
    )


def dims_lines(sizes: Sequence[str]) -> tuple[str, ...]:
    """The same in C, each field with its note."""
    types = {"size": "size_t ", "number": "size_t ", "lengths": "const size_t *", "flag": "int "}
    return tuple(
        f"{types[field.kind]}{field.name};{f' /* {field.note} */' if field.note else ''}"
        for field in dims_fields(sizes)
    )


def statuses(fixed: bool) -> tuple[Status, ...]:
    """The status codes of a library, for ``fixed`` sizes or for any."""
    return tuple(status for status in STATUSES if fixed or not status.fixed)


@dataclass(frozen=True)
class Argument:
    """An argument: its name and its kind.

    Kinds: ``dims`` (const structure), ``params``, ``grads`` (structures of pointers), ``in``, ``out`` (arrays of the
    precision), ``size`` (a ``size_t`` that a query writes), ``number`` (a ``size_t``), ``flag`` (an ``int``), ``barrier``
    (where parts meet), ``pointers`` (arguments in a row), ``workers`` (pointers to structures).
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Entry:
    """An entry point: name without prefix, arguments in order, one sentence, whether it belongs to training."""

    name: str
    arguments: tuple[Argument, ...]
    note: str
    training: bool = False


_DIMS, _PACKED, _X = Argument("dims", "dims"), Argument("packed", "in"), Argument("x", "in")
_STATE, _Y, _WORK = Argument("state", "in"), Argument("y", "out"), Argument("workspace", "out")
_SIZE, _STATE_OUT = Argument("size", "size"), Argument("state_out", "out")
_PART, _PARTS, _BARRIER = Argument("part", "number"), Argument("parts", "number"), Argument("barrier", "barrier")

ENTRIES = (
    Entry("packed_size", (_DIMS, _SIZE), "Numbers in packed weights; steps, rows and lengths do not matter."),
    Entry("tape_size", (_DIMS, _SIZE), "Numbers in a tape.", training=True),
    Entry("forward_workspace_size", (_DIMS, _PARTS, _SIZE), "Numbers in the workspace of forward.", training=True),
    Entry("infer_workspace_size", (_DIMS, _PARTS, _SIZE), "Numbers in the workspace of infer; with steps = 1, of step."),
    Entry("backward_workspace_size", (_DIMS, _PARTS, _SIZE), "Numbers in the workspace of backward.", training=True),
    Entry(
        "useful_parts",
        (_DIMS, Argument("most", "number"), Argument("awake", "flag"), _SIZE),
        "In how many parts, from 1 to most, a call is worth running: by threads that are awake, or that must be woken.",
    ),
    Entry(
        "pack",
        (_DIMS, Argument("params", "params"), Argument("packed", "out"), Argument("copy", "out"), _PART, _PARTS),
        "Lay the weights out for the other functions; steps, rows and lengths do not matter. Parts need no barrier. The same "
        "pass copies the parameters to copy, side by side in the order of the structure; copy may be null.",
    ),
    Entry(
        "forward",
        (_DIMS, _PACKED, _X, _STATE, _Y, _STATE_OUT, Argument("tape", "out"), _WORK, _PART, _PARTS, _BARRIER),
        "All steps, with a tape for backward: x and packed stay as they are until then. A null state means zeros; state_out "
        "may be null.",
        training=True,
    ),
    Entry(
        "infer",
        (_DIMS, _PACKED, _X, _STATE, _Y, _STATE_OUT, _WORK, _PART, _PARTS, _BARRIER),
        "All steps, without a tape. A null state means zeros; state_out may be null.",
    ),
    Entry(
        "step",
        (_DIMS, _PACKED, _X, Argument("state", "out"), _Y, _WORK),
        "One step of every row; the state is updated in place. Steps, lengths and reverse do not matter.",
    ),
    Entry(
        "backward",
        (
            _DIMS, _PACKED, _X, Argument("tape", "in"), Argument("dy", "in"), Argument("dstate", "in"),
            Argument("grads", "grads"), Argument("dx", "out"), Argument("dstate_in", "out"), _WORK,
            Argument("accumulate", "number"), _PART, _PARTS, _BARRIER,
        ),
        "Gradients, written to grads, or added where accumulate is not 0, and written to dx and dstate_in. A null dstate "
        "means zeros; dstate_in may be null.",
        training=True,
    ),
    Entry(
        "lead",
        (
            Argument("entry", "number"), Argument("arguments", "pointers"), Argument("workers", "workers"), _PARTS,
            Argument("coming", "flag"), Argument("ran", "size"),
        ),
        "Call an entry, by its number, with the workers that serve, at most parts - 1; with coming, wait a little for the "
        "others. Its arguments before the part stand in a row, a number in place of a pointer. In how many parts it ran is "
        "written to ran, which may be null.",
    ),
)  # fmt: skip

LED = ("pack", "forward", "infer", "backward")
"""The entry points that `lead` calls, each at the place that is its number."""


@dataclass(frozen=True)
class Led:
    """An entry point that ``lead`` calls, and its number."""

    name: str
    number: int


def led(training: bool) -> tuple[Led, ...]:
    """What ``lead`` calls in a library, with or without training."""
    found = {entry.name for entry in entries(training)}
    return tuple(Led(name, number) for number, name in enumerate(LED) if name in found)


@dataclass(frozen=True)
class Prototype:
    """An entry point in the header: its note, and its prototype by precision."""

    note: str
    text: dict[str, str]


def entries(training: bool) -> tuple[Entry, ...]:
    """The entry points of a library, with or without those of training."""
    return tuple(entry for entry in ENTRIES if training or not entry.training)


def prototypes(name: str, dims: str, training: bool, precisions: Sequence[str]) -> tuple[Prototype, ...]:
    """The prototypes of the header of the cell ``name``, in order."""
    return tuple(
        Prototype(
            entry.note,
            {p: _head(f"{name}_{p}_{entry.name}", entry, f"{name}_{p}_", REALS[p], dims, name) for p in precisions},
        )
        for entry in entries(training)
    )


def head(entry: Entry, dims: str, name: str) -> str:
    """The head of an entry point of the cell ``name`` in its source, where macros give the precision."""
    return _head(f"ENTRY({entry.name})", entry, "", "real", dims, name)


def _head(called: str, entry: Entry, stem: str, real: str, dims: str, name: str) -> str:
    arguments = [_argument(argument, stem, real, dims, name) for argument in entry.arguments]
    lines, line = [], f"int {called}("
    for index, argument in enumerate(arguments):
        text = argument + (")" if index == len(arguments) - 1 else ",")
        if len(line) + len(text) + 1 > 118:
            lines.append(line.rstrip())
            line = " " * 4
        line += text if line[-1] in "( " else f" {text}"
    return "\n".join([*lines, line])


def _argument(argument: Argument, stem: str, real: str, dims: str, name: str) -> str:
    params, grads = (f"{stem}params", f"{stem}grads") if stem else ("ENTRY(params)", "ENTRY(grads)")
    types = {
        "dims": f"const {dims} *",
        "params": f"const {params} *",
        "grads": f"const {grads} *",
        "in": f"const {real} *",
        "out": f"{real} *",
        "size": "size_t *",
        "number": "size_t ",
        "flag": "int ",
        "barrier": f"{name}_barrier *",
        "pointers": "void *const *",
        "workers": f"{name}_worker *const *",
    }
    return types[argument.kind] + argument.name
