"""The identifiers of one generated C file: one allocator, so that a value of a cell never meets a word of C.

Reads a program; returns the C names of its values, row pointers, sizes and parameters. Leaves out: layout in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.language.names import Allocator
from symrnn.language.tree import PRIME
from symrnn.plan.program import Kind, Place, Program, Routine
from symrnn.targets.c.vector import PRECISIONS, reserved

_LOCALS = [
    "at",
    "base",
    "line",
    "vector",
    "dims",
    "grads",
    "params",
    "packed",
    "layout",
    "row",
    "row0",
    "height",
    "idle",
    "unit",
    "unit0",
    "unit_2",
    "count",
    "count_2",
    "sum_2",
    "tile",
    "tiles",
    "tile0",
    "tile1",
    "tile_end",
    "tile_sums",
    "together",
    "least",
    "more",
    "group",
    "sum",
    "sums",
    "from",
    "rows",
    "run",
    "runs",
    "idle_runs",
    "order",
    "active",
    "left",
    "lower",
    "lines",
    "pass",
    "passes",
    "tile_begin",
    "block",
    "blocks",
    "wide",
    "columns",
    "vectors",
    "part",
    "parts",
    "row_begin",
    "row_end",
    "barrier",
    "share",
    "meet",
    "fit_vectors",
    "count_blocks",
    "idle_row",
    "units",
    "later",
    "first",
    "taped",
    "step",
    "t",
    "status",
    "end",
    "depth",
    "tile_base",
    "x",
    "y",
    "dx",
    "dy",
    "state",
    "state_out",
    "tape",
    "workspace",
    "dstate",
    "dstate_in",
    "panel",
    "float",
    "double",
    "size_t",
    "uint32_t",
    "uint64_t",
    "memcpy",
    "memset",
    "math",
    "pow",
    "sin",
    "cos",
    "sqrt",
    "exp",
    "tanh",
    "log",
    "main",
]
"""What the templates call their own variables, and what C calls its own."""

MACROS = (
    "SYMRNN_CPUID",
    "SYMRNN_DIGEST",
    "SYMRNN_HWCAP",
    "SYMRNN_HAS_PARTS",
    "SYMRNN_PAUSE",
    "SYMRNN_PREFETCH",
    "SYMRNN_YIELD",
    "SYMRNN_REGISTER_BYTES",
    "SYMRNN_VECTOR_BYTES",
    "SYMRNN_PLAIN",
    "SYMRNN_INLINE",
    "SYMRNN_ONCE",
    "ALIGNMENT",
    "BLOCK_NUMBERS",
    "BLOCK_ROWS",
    "CHUNK",
    "DEFINED",
    "DEFINED_",
    "DEFINED_AS",
    "HOISTED_NUMBERS",
    "HUGE_VAL",
    "LACKS",
    "LEFT_TILES",
    "FETCH_NS",
    "LOW_TILES",
    "MEET_NS",
    "MULTIPLY_NS",
    "NOT_MASKED",
    "PROBE_1",
    "SECOND",
    "SIZE_MAX",
    "SPINS",
    "START_NS",
    "SUM_ROWS",
    "TILE_COLUMNS",
    "TILE_ROWS",
    "WHOLE",
    "PRODUCT",
    *(f"{name}_{p}" for name in ("LANES", "BYTES", "MASKS", "EXCESS", "UNDER_WAY", "SPLITS") for p in PRECISIONS),
)
"""What is defined where kernels stand: replaced in every place, so that not even a field may be called so."""

_SYSTEM = re.compile(
    r"U?INT(\d|_|MAX_|PTR_)\w*|(SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT|RAND|MB_CUR)_(MAX|MIN|WIDTH)"
    r"|(FP|MATH|SCHED|CLONE|EXIT|CLOCK|ADJ|MOD|STA|TIMER)_[A-Z]\w*|(HUGE_VAL|SNAN|CLOCKS_PER_)\w*|(BIG|LITTLE|PDP)_ENDIAN|BYTE_ORDER|CPU_SETSIZE|FD_SETSIZE"
    r"|(bit|signature)_[A-Z]\w*"
    r"|M_(E|PI|LN|LOG|SQRT|1_PI|2_)\w*|W(CONTINUED|EXITED|NOHANG|NOWAIT|STOPPED|UNTRACED)|TIME_UTC|NFDBITS|CSIGNAL"
    r"|DOMAIN|SING|OVERFLOW|UNDERFLOW|PLOSS|TLOSS|MAXFLOAT|HUGE|X_TLOSS|linux|unix|math_errhandling|sched_priority"
)
"""Macros of the headers that a C file includes, those of GNU's extensions too, seen with GCC and Clang."""

_FUNCTIONS = tuple(
    f"{name}_{p}"
    for p in PRECISIONS
    for name in ("accumulate", "sum", "packed_layout", "forward_at", "backward_at", *(f"power_{n}" for n in range(9)))
)
"""Functions and types that a stage may use, beside those of vectors."""

_FIELDS = ("steps", "rows", "lengths", "reverse")
"""The fields of a dims structure that are no size of the cell."""


@dataclass(frozen=True)
class CNames:
    """C identifiers.

    Attributes:
        values: of every vector value of the program.
        partners: of the same values for a second vector of units.
        pointers: of a row of an array, by `pointer_key`.
        parameters: fields of the structures of parameters and gradients: the parameters' own names, macros apart.
        sizes: expressions ``dims->hidden``, or a macro where it is fixed, by size name.
        fields: fields of the dims structure, by size name.
    """

    values: Mapping[str, str]
    partners: Mapping[str, str]
    pointers: Mapping[str, str]
    parameters: Mapping[str, str]
    sizes: Mapping[str, str]
    fields: Mapping[str, str]


def pointer_key(value: str, place: Place) -> str:
    """What tells one row pointer from another: the value where arrays hold several, else the array."""
    return value if place.kind is Kind.BUFFER else f"{place.kind} {place.array}"


def c_names(program: Program, fixed: Mapping[str, int]) -> CNames:
    """The identifiers of ``program``: the cell's own names wherever C allows them; macros for sizes that are ``fixed``."""
    cell = program.cell.name
    taken = Allocator((*_FIELDS, *MACROS))
    fields = {size: taken.fresh(_apart(cell, size)) for size in program.cell.sizes}
    sizes = {size: f"dims->{field}" for size, field in fields.items()} | {"1": "1"}
    sizes |= {size: fixed_macro(cell, fields[size]) for size in fixed}
    blocks = [buffer.name for buffer in program.forward.buffers]
    allocator = Allocator((*_LOCALS, *MACROS, *_FUNCTIONS, *blocks, *reserved()))
    values: dict[str, str] = {}
    functions = [routine for routine in (program.forward, program.backward) if routine is not None]
    for routine in functions:
        for name in (*routine.sizes, *(local for stage in routine.stages for local in stage.local)):
            if name not in values:
                stem = name.removesuffix(PRIME)
                values[name] = allocator.fresh(f"{stem}_next" if name != stem else _apart(cell, stem))
    pointers: dict[str, str] = {}
    for routine in functions:
        for key, hint in _pointers(routine, values):
            if key not in pointers:
                pointers[key] = allocator.fresh(f"{hint}_row")
    partners = {name: allocator.fresh(f"{identifier}_2") for name, identifier in values.items()}
    given = Allocator(MACROS)
    parameters = {v.name: given.fresh(_apart(cell, v.name)) for v in program.cell.parameters}
    return CNames(values, partners, pointers, parameters, sizes, fields)


def _apart(cell: str, name: str) -> str:
    """``name``, or one that no macro of the system or of the header of ``cell`` can have."""
    return f"cell_{name}" if name.startswith(f"{cell.upper()}_") or _SYSTEM.fullmatch(name) else name


def fixed_macro(cell: str, field: str) -> str:
    """The macro of a size that is fixed; the field keeps its case, which may be all that tells it from another."""
    return f"{cell.upper()}_FIXED_{field}"


_STEMS = {Kind.INPUT_GRADIENT: "gradient", Kind.STATE_GRADIENT: "gradient"}


def _pointers(routine: Routine, values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every row pointer that the stages of ``routine`` may need: its key, and what it points to."""
    found = [(pointer_key(value, place), values[value]) for value, place in routine.places.items() if value in values]
    for stage in routine.stages:
        found += [
            (
                pointer_key(write.value, write.place),
                f"{_STEMS.get(write.place.kind, write.place.kind)}_{write.place.array}",
            )
            for write in stage.writes
        ]
    return found
