"""The context of the templates of a cell's C files: plain records of texts, one for each thing that a template lays out.

Holds no algorithm; `symrnn.targets.c.files` and the modules that it calls fill the records, `templates/c/` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.targets.c.interface import Led, Prototype
from symrnn.targets.c.precision import Precision


@dataclass(frozen=True)
class CRow:
    """An array's row in the table."""

    name: str
    memory: str
    motion: str
    width: str


@dataclass(frozen=True)
class CState:
    """A state: the arrays of its value and its next value, its size, the numbers per row before it in a block of all states.

    ``condition`` is the C expression under which a step of one row overwrites it; empty if it always does.
    """

    now: str
    next: str
    width: str
    start: str
    condition: str = ""


@dataclass(frozen=True)
class CStageText:
    """A stage: its function, how it runs on one row, and where its sums come from."""

    name: str
    lines: tuple[str, ...]
    on_row: str
    forms: tuple[str, ...]
    can_fuse: bool


@dataclass(frozen=True)
class CRoutine:
    """The stages of a routine, by phase."""

    stages: tuple[CStageText, ...]
    once: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True)
class CFixed:
    """A size that is fixed: its field, its macro, its number."""

    field: str
    macro: str
    number: int


@dataclass(frozen=True)
class CRoom:
    """The numbers that are enough on every processor if all sizes are fixed: a macro, and its purpose."""

    macro: str
    note: str
    numbers: int


@dataclass(frozen=True)
class CHeader:
    """The cell's header: include guard, prefix of constants, and what it declares; ``dims`` holds lines of C."""

    guard: str
    prefix: str
    statuses: tuple[tuple[str, int, str], ...]
    most_parts: int
    room: tuple[CRoom, ...]
    dims: tuple[str, ...]
    input_size: str
    output_size: str
    state_order: str
    prototypes: tuple[Prototype, ...]
    led: tuple[Led, ...]


@dataclass(frozen=True)
class CTables:
    """The numbers that the runtime needs, the arrays, and the items of two enumerations: arrays, parts of packed weights."""

    limits: tuple[tuple[str, int], ...]
    arrays: tuple[CRow, ...]
    array_names: tuple[str, ...]
    part_names: tuple[str, ...]


@dataclass(frozen=True)
class CPacked:
    """Packed weights: sizes in their tag, calls that place each part, lines that fill the parts."""

    tagged: tuple[str, ...]
    parts: tuple[str, ...]
    filled: tuple[str, ...]


@dataclass(frozen=True)
class CStep:
    """A step of one row: lines that point its arrays at memory, calls that give its stages, the states."""

    lines: tuple[str, ...]
    stages: tuple[str, ...]
    states: tuple[CState, ...]


@dataclass(frozen=True)
class CTable:
    """A table in the text: its name, its lines and the number of its rows. Without rows it has no lines, and is ``NULL``."""

    name: str
    lines: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class CGradients:
    """Deferred gradients: of matrices as ``outers``, of vectors as ``sums``, each with the lines of its table.

    ``rights`` are columns as C texts, the right sides of the products; ``zeroed``: fields, and their numbers.
    """

    rights: tuple[str, ...]
    outers: CTable
    sums: CTable
    zeroed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CPrepared:
    """What is prepared from parameters: bodies of two functions, and what others need to call them.

    Attributes:
        made: lines that point at what is prepared, in packed weights.
        forward: the body of the function that computes it.
        places: calls that find places for the tables of the adjoint behind the workspace of the backward routine.
        seeds: lines that point at the gradients of what is prepared, which come first there.
        cleared: these pointers, and their numbers.
        backward: the body of the function that takes these gradients to those of the parameters.
    """

    made: tuple[str, ...]
    forward: tuple[str, ...]
    places: tuple[str, ...]
    seeds: tuple[str, ...]
    cleared: tuple[tuple[str, str], ...]
    backward: tuple[str, ...]


@dataclass(frozen=True)
class CFile:
    """The context of the templates of a cell's C files; ``heads`` are those of the functions that the cell's file defines.

    ``parameters`` are fields with their shapes; ``trained`` are those of parameters that have a gradient.
    ``backward`` and ``gradients`` are None for kernels of inference alone.
    """

    name: str
    title: str
    kinds: str
    provenance: tuple[str, ...]
    step: tuple[str, ...]
    adjoint: tuple[str, ...]
    legend: tuple[str, ...]
    digest: str
    flags: str
    dims: str
    size_fields: tuple[str, ...]
    input_is_hidden: bool
    fixed: tuple[CFixed, ...]
    parameters: tuple[tuple[str, str], ...]
    trained: tuple[tuple[str, str], ...]
    precisions: tuple[Precision, ...]
    heads: Mapping[str, str]
    header: CHeader
    tables: CTables
    packed: CPacked
    row: CStep
    forward: CRoutine
    backward: CRoutine | None
    gradients: CGradients | None
    prepared: CPrepared | None
