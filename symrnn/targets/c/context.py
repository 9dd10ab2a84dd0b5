"""What the templates of a cell's C files are given: plain records of texts, one for each thing that a template lays out.

Holds no algorithm; `symrnn.targets.c.files` fills the records, `templates/c/` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.targets.c.interface import Prototype


@dataclass(frozen=True)
class CPrecision:
    """One precision: its name, its C type, the bits of a number."""

    name: str
    real: str
    bits: int


@dataclass(frozen=True)
class CRow:
    """An array's row in the table: how it is declared, or what a step of one row points it at."""

    name: str
    memory: str
    motion: str
    width: str


@dataclass(frozen=True)
class CState:
    """A state: its name, its size, and the numbers per row before it in a block of all states.

    ``condition`` is the C expression under which a step of one row writes over it; empty where it always does.
    """

    field: str
    width: str
    start: str
    condition: str = ""


@dataclass(frozen=True)
class CColumns:
    """Columns of an array, all rows of them: one side of a deferred product, or what is summed."""

    array: str
    column: str
    width: str


@dataclass(frozen=True)
class CGradient:
    """A deferred gradient: of ``left`` and the right side of that number; of a vector, of ``left`` alone.

    ``alone`` says that nothing else adds to it; ``label`` is the number of its equation.
    """

    left: CColumns
    right: int
    parameter: str
    alone: bool
    label: str


@dataclass(frozen=True)
class CStageText:
    """A stage: the first line and the body of its function, how it runs on one row, and where its sums come from."""

    name: str
    head: str
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
    """How many numbers are enough on every processor, where all sizes are fixed: a macro, what it is for."""

    macro: str
    note: str
    numbers: int


@dataclass(frozen=True)
class CFile:
    """What the templates of a cell's C files are given."""

    name: str
    upper: str
    guard: str
    title: str
    kinds: str
    single_file: bool
    provenance: tuple[str, ...]
    step: tuple[str, ...]
    adjoint: tuple[str, ...]
    legend: tuple[str, ...]
    dims: str
    statuses: tuple[tuple[str, int, str], ...]
    size_fields: tuple[str, ...]
    tagged: tuple[str, ...]
    input_is_hidden: bool
    output_size: str
    state_order: str
    parameters: tuple[tuple[str, str], ...]
    states: tuple[CState, ...]
    precisions: tuple[CPrecision, ...]
    prototypes: tuple[Prototype, ...]
    heads: dict[str, str]
    digest: str
    flags: str
    limits: tuple[tuple[str, int], ...]
    arrays: tuple[CRow, ...]
    array_names: tuple[str, ...]
    blocks: tuple[str, ...]
    block_names: tuple[str, ...]
    copied: tuple[tuple[str, str, str], ...]
    forms: tuple[str, ...]
    forward: CRoutine
    backward: CRoutine | bool
    fuses: bool
    row: tuple[str, ...]
    row_stages: tuple[str, ...]
    rights: tuple[CColumns, ...]
    outers: tuple[CGradient, ...]
    sums: tuple[CGradient, ...]
    zeroed: tuple[tuple[str, str], ...]
    fixed: tuple[CFixed, ...]
    room: tuple[CRoom, ...]
