"""What the templates of a cell's C files are given: plain records of texts, one for each thing that a template lays out.

Holds no algorithm; `symrnn.targets.c.files` fills the records, `templates/c/` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.targets.c.abi import AbiContext
from symrnn.targets.c.arrays import Array
from symrnn.targets.c.interface import Prototype
from symrnn.targets.c.row import CRow, CState
from symrnn.targets.c.stages import UNDER_WAY, UNDER_WAY_NARROW, CForm, CStage

TILE_ROWS, TILE_ROWS_NEON, TILE_ROWS_NARROW, TILE_COLUMNS = 6, 5, 3, 4
"""Register tiles: 6 × 4 sums leave 8 of AVX-512's 32 registers for operands, 3 × 4 leave 4 of the 16 of AVX and SSE. For
the 32 of AArch64 compilers read every operand of a step ahead: 5 × 4 sums leave room for that, with 6 × 4 some move to
memory and back at every step."""


@dataclass(frozen=True)
class CPrecision:
    """One precision: its C type, the suffix of its identifiers, the heads of its entry points."""

    name: str
    real: str
    s: str
    dims: str
    signature: dict[str, str]


@dataclass(frozen=True)
class CBlock:
    """A block of memory: its field in a layout, three factors of its size by precision, and where it lies."""

    field: str
    size: dict[str, str]
    taped: bool = False


@dataclass(frozen=True)
class CPanel:
    """A packed panel, and the forms that are laid out or added there."""

    field: str
    units: str
    depth: str
    count: int
    vectors: int
    forms: tuple[CForm, ...]


@dataclass(frozen=True)
class CRight:
    """The right side of deferred products, packed into a panel once for all of them."""

    panel: str
    value: str
    stride: str
    width: str


@dataclass(frozen=True)
class COuter:
    """The gradient of a matrix: a left side times the right side in ``panel``; ``label`` numbers its equation.

    ``alone`` says that nothing else adds to it.
    """

    parameter: str
    label: str
    panel: str
    width: str
    row_stride: str
    alone: bool


@dataclass(frozen=True)
class CLeft:
    """A left side of deferred products, packed once for all gradients that it takes part in."""

    value: str
    stride: str
    height: str
    outers: tuple[COuter, ...]


@dataclass(frozen=True)
class CSum:
    """A deferred sum; ``label`` is the number of the equation that it comes from, ``alone`` as in `COuter`."""

    parameter: str
    label: str
    value: str
    stride: str
    width: str
    alone: bool


@dataclass(frozen=True)
class CFunction:
    """A function: its arrays, the lines that bind them, its stages and the order in which they run.

    ``zeroed`` are the gradients (field, numbers) to which several products and sums add, or none.
    ``variants`` are the ways of running a chunk of steps: a condition, stages before the loop, stages of the loop.
    """

    name: str
    arrays: tuple[Array, ...]
    later: tuple[Array, ...]
    bind: tuple[str, ...]
    blocks: tuple[CBlock, ...]
    stages: tuple[CStage, ...]
    once: tuple[str, ...]
    before: tuple[str, ...]
    loop: tuple[str, ...]
    last: tuple[str, ...]
    after: tuple[str, ...]
    fused: tuple[str, ...] = ()
    variants: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()
    rights: tuple[CRight, ...] = ()
    lefts: tuple[CLeft, ...] = ()
    sums: tuple[CSum, ...] = ()
    zeroed: tuple[tuple[str, str], ...] = ()
    has_dx: bool = False


@dataclass(frozen=True)
class CFixed:
    """A size that is fixed: its field, its macro, its number."""

    field: str
    macro: str
    number: int


@dataclass(frozen=True)
class CVector:
    """A parameter vector in packed memory."""

    field: str
    parameter: str
    size: str


@dataclass(frozen=True)
class CTagWord:
    """64 bits that packed weights begin with: what they tell, and their C expression by precision."""

    note: str
    value: dict[str, str]


@dataclass(frozen=True)
class CRoom:
    """How many numbers are enough on every processor, where all sizes are fixed: a macro, what it is for, its terms."""

    macro: str
    note: str
    terms: tuple[str, ...]


@dataclass(frozen=True)
class CFile:
    """What the templates of a cell's C files are given."""

    name: str
    upper: str
    guard: str
    title: str
    provenance: tuple[str, ...]
    step: tuple[str, ...]
    adjoint: tuple[str, ...]
    legend: tuple[str, ...]
    dims: str
    size_fields: tuple[str, ...]
    input_is_hidden: bool
    input_width: str
    output_size: str
    state_order: str
    parameters: tuple[tuple[str, str], ...]
    states: tuple[CState, ...]
    precisions: tuple[CPrecision, ...]
    prototypes: tuple[Prototype, ...]
    abi: AbiContext
    flags: str
    vectors: tuple[CVector, ...]
    panels: tuple[CPanel, ...]
    packed: tuple[CBlock, ...]
    tag: tuple[CTagWord, ...]
    tag_size: dict[str, str]
    powers: tuple[int, ...]
    fused: bool
    tile_fill: tuple[int, int]
    hoisted_width: str
    hoisted_work: str
    reduces: bool
    forward: CFunction
    row: CRow
    backward: CFunction | bool
    fixed: tuple[CFixed, ...]
    room: tuple[CRoom, ...]
    under_way: int = UNDER_WAY
    under_way_narrow: int = UNDER_WAY_NARROW
    tile_rows: int = TILE_ROWS
    tile_rows_neon: int = TILE_ROWS_NEON
    tile_rows_narrow: int = TILE_ROWS_NARROW
    tile_columns: int = TILE_COLUMNS
    heights: tuple[int, ...] = tuple(range(1, TILE_ROWS + 1))
    widths: tuple[int, ...] = tuple(range(1, TILE_COLUMNS + 1))
