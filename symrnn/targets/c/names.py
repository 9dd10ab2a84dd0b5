"""The identifiers of one generated C file: one allocator, so that no value of a cell has the name of a word of C.

Reads a program; returns the C names of its values, row pointers, sizes and parameters. Leaves out: layout in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from symrnn.language.axes import Spelt
from symrnn.language.identifiers import Allocator
from symrnn.language.tree import PRIME
from symrnn.plan.program import Kind, Place, Program, Routine
from symrnn.plan.size import Count
from symrnn.plan.vocabulary import over_axes
from symrnn.targets.c.along import line_key, repeated_by
from symrnn.targets.c.interface import STATUSES, dims_fields

_LOCAL_WORDS = """
    at span dims end wide skip sum unit count inside idle taped fused s v N begin next once float double size_t
    uint32_t uint64_t memcpy memset memmove math main pow sin cos sqrt exp tanh log party sequence block memory
    motion phase GIVEN TAPE WORK BACK STAYS EACH_STEP EACH_HOISTED EACH_TAPED BEFORE AFTER OVER MOTIONS HOIST LOOP
    LAST DEFERRED PHASES ALL_ROWS MASKED AT_X AT_Y AT_DY AT_DX AT_PACKED AT_STATES ARRAYS BLOCKS round share
    meet take line lines column apart tail whole stop to starts once multiply clear timer timers call serve lead changed taken
    wait_a_little AWAY WAITING TAKEN CALLED DONE
"""

_LOCALS = (
    *_LOCAL_WORDS.split(),
    *(f"SYMRNN_{status.name}" for status in STATUSES),
    "SYMRNN_MOST_PARTS",
)
"""Names of a stage's own variables, of the runtime's counters and functions, and of C."""

_MACRO_WORDS = """
    ADD_PRODUCT AHEAD_BYTES BARRIER WORKER DIMS FUSES GIVES_DX GROUP_ROWS RIGHTS STATES TAGGED TRAINS SYMRNN_PROFILE ALIGNMENT
    ALWAYS BLOCK_NUMBERS BLOCK_ROWS BYTES CHUNK COMING_LOOKS EACH_SUM EACH_VECTOR EXCESS EXPM1_INFINITE EXPM1_ONE
    ERFC_END ERF_SPLIT EXP_END EXP_INFINITE EXP_NUDGE EXP_SUBNORMAL EXP_ZERO FAR_BYTES FAR_ROWS FAR_STEPS FAST_FMA FETCH_NS
    GRID HAS_PARTS FUNCTION_WORK
    HOISTED_NUMBERS HOISTED_ROWS HUGE_VAL IDLE_LOOKS INLINE INTEGER_MAGIC LANES LEFT_TILES LIFT LINEAR LINEAR_NUDGE
    LN2_HIGH LN2_LOW LOG2_E LOW_TILES MAGNITUDE_MASK MANTISSA_BITS MANTISSA_MASK MASK512 MASKS MEET_NS MOST_ARRAYS
    MOST_OPERANDS MOST_RIGHTS MOST_STAGES MOST_SUMS MOST_UNITS MULTIPLY_NS NEAR_NUMBERS NORMAL_BIAS NOT_MASKED ONCE
    PACK_COLUMNS PROBE_1 PANEL_DEPTH READS_AHEAD REAL STRIP ROOT_HALF ROUND_MAGIC ROW_TILES QUERY SIGMOID_ONE SIZE_MAX
    SMALLEST_NORMAL SPARE_LOW SPINS START_NS SUBNORMAL_BIAS SUM_ROWS SYMRNN_CPUID SYMRNN_DIGEST SYMRNN_H SYMRNN_HWCAP
    SYMRNN_PLAIN SYMRNN_REGISTER_BYTES SYMRNN_VECTOR_BYTES TAG_LAYOUT TAG_WORDS TANH_LINEAR TANH_NUDGE TANH_ONE
    TANH_SPLIT TILE_COLUMNS TILE_ROWS V128 V256 V512 real uint_real vec vec_bits vec_mask WAKE_NS WIDE_ROWS WORTH
    UNROLL_2 EACH_OF_LINE SHUFFLES START_sum START_max
    FULL_ROWS OWN_COLUMNS SYMRNN_REGISTERS SYMRNN_TILE_COLUMNS SYMRNN_TILE_ROWS YIELD_LOOKS
"""

MACROS = tuple(_MACRO_WORDS.split())
"""Macros that the preprocessor replaces everywhere among the kernels: not even a field may have such a name. The runtime's
other macros are function-like, so they replace only names before a parenthesis."""

_SYSTEM = re.compile(
    r"U?INT(\d|_|MAX_|PTR_)\w*|(SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT|RAND|MB_CUR)_(MAX|MIN|WIDTH)"
    r"|(FP|MATH|SCHED|CLONE|EXIT|CLOCK|ADJ|MOD|STA|TIMER)_[A-Z]\w*|(HUGE_VAL|SNAN|CLOCKS_PER_)\w*|(BIG|LITTLE|PDP)_ENDIAN|BYTE_ORDER|CPU_SETSIZE|FD_SETSIZE"
    r"|(bit|signature)_[A-Z]\w*"
    r"|M_(E|PI|LN|LOG|SQRT|1_PI|2_)\w*|W(CONTINUED|EXITED|NOHANG|NOWAIT|STOPPED|UNTRACED)|TIME_UTC|NFDBITS|CSIGNAL"
    r"|DOMAIN|SING|OVERFLOW|UNDERFLOW|PLOSS|TLOSS|MAXFLOAT|HUGE|X_TLOSS|linux|unix|math_errhandling|sched_priority"
)
"""Macros of the headers that a C file includes, those of GNU's extensions too, seen with GCC and Clang."""

_COUNTED = ("AT_", "PARAM_", "PACKED_", "PANEL_", "TABLE_")
"""Prefixes of the names of a cell's arrays and of the parts of packed weights."""

_FIELDS = tuple(field.name for field in dims_fields(()))
"""The fields of a dims structure that are not sizes of the cell."""


@dataclass(frozen=True)
class CNames:
    """C identifiers.

    Attributes:
        values: of every vector value of the program.
        pointers: of a row of an array, by `pointer_key`.
        parameters: fields of the structures of parameters and gradients: the parameters' names, unless a macro has them. What
            is prepared from parameters has a name here and no field.
        sizes: expressions ``dims->hidden``, or a macro where it is fixed, by size name.
        fields: fields of the dims structure, by size name.
        open: size names that are not fixed, in order.
        lines: of a value that a stage repeats along axes or reduces over some: what stands for it in a line.
    """

    values: Mapping[str, str]
    pointers: Mapping[str, str]
    parameters: Mapping[str, str]
    sizes: Mapping[str, str]
    fields: Mapping[str, str]
    open: tuple[str, ...]
    lines: Mapping[str, str]

    def count(self, count: Count) -> str:
        """The C expression of a number that depends on sizes: ``3 * dims->hidden + dims->input``."""
        return count.spelt(self.sizes.__getitem__)


def pointer_key(value: str, place: Place) -> str:
    """Identifies a row pointer: by the value if the array holds several, else by the array."""
    return value if place.kind is Kind.BUFFER else f"{place.kind} {place.array}"


def c_names(program: Program, fixed: Mapping[str, int]) -> CNames:
    """The identifiers of ``program``: the cell's own names wherever C allows them; macros for sizes that are ``fixed``."""
    cell = program.cell.name
    taken = Allocator((*_FIELDS, *MACROS))
    fields = {size: taken.fresh(_apart(cell, size)) for size in program.cell.sizes}
    sizes = {size: f"dims->{field}" for size, field in fields.items()} | {"1": "1"}
    sizes |= {size: fixed_macro(cell, fields[size]) for size in fixed}
    allocator = Allocator((*_LOCALS, *MACROS))
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
    lines = {
        line_key(name, of): allocator.fresh(f"{values[name]}_line") for name, of in _lines(functions) if name in values
    }
    given = Allocator(MACROS)
    parameters = {v.name: given.fresh(_apart(cell, v.name)) for v in program.cell.parameters}
    parameters |= {name: given.fresh(_apart(cell, name)) for name in program.preparation.forward.outputs}
    left = tuple(size for size in fields if size not in fixed)
    return CNames(values, pointers, parameters, Spelt(sizes), fields, left, lines)


def _lines(routines: Sequence[Routine]) -> Iterator[tuple[str, str]]:
    """The values that stages repeat along axes, with their sizes there, and the results of reductions over some, without."""
    stages = (stage for routine in routines for stage in routine.stages if stage.along)
    for stage in stages:
        yield from repeated_by(stage)
        yield from ((s.target, "") for s in stage.statements if over_axes(s.expression))


def _apart(cell: str, name: str) -> str:
    """``name``, or one that no macro of the system or of the header of ``cell`` can have, and no array of its kernels."""
    taken = name.startswith((f"{cell.upper()}_", *_COUNTED)) or _SYSTEM.fullmatch(name)
    return f"cell_{name}" if taken else name


def table_pointer(name: str) -> str:
    """The pointer to a table of a cell that prepares parameters."""
    return f"{name}_table"


def fixed_macro(cell: str, field: str) -> str:
    """The macro of a size that is fixed; the field keeps its case, which may be the only difference from another."""
    return f"{cell.upper()}_FIXED_{field}"


_STEMS = {Kind.INPUT_GRADIENT: "gradient", Kind.STATE_GRADIENT: "gradient"}


def _pointers(routine: Routine, values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every row pointer that the stages of ``routine`` may need: its key, and its target."""
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
