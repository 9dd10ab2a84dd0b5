"""The part of a generated module that describes its cell: names, shapes, sizes, initial values.

Reads a `Program`; returns a `Surface`, lines that `templates/python/cell.py.jinja` prints. They define the names of
`templates/python/cell.pyi`, which is all that the runtime modules know about the cell.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symrnn.emit.inline import picked
from symrnn.emit.python_text import WIDTH, call, collection, quoted
from symrnn.emit.request import Request
from symrnn.language.axes import plain
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.starts import DEFAULT, DOMAINS, INITIALISERS, kind_of
from symrnn.language.tree import Call, Reduce, walk
from symrnn.plan.program import Program

OPTIONS = (("dtype", "DTypeLike | None"), ("given", "Mapping[str, ArrayLike] | None"))
"""Further arguments of `init_params` in modules of NumPy arrays, with their types."""

INITIALISERS_FILE = "python/initialisers.py"
"""A function for each initialiser; a module gets those that its cell names."""


@dataclass(frozen=True)
class Surface:
    """The cell as its generated modules describe it.

    Attributes:
        title: one line for people, without a full stop.
        constants: lines that the module's users read.
        tables: lines that the rest of the module reads.
        initialisers: the functions that start parameters, as texts.
        starts: lines: these functions by name.
        dtypes: those that the kernels run in.
        dtypes_note: a sentence on them.
        shapes: the head of `param_shapes`.
        checked: the line in it that returns.
        initial: the head of `init_params`.
        unset: lines for its docstring: the fixed parameters that start at random; mostly none.
        given: the line in it that returns.
    """

    title: str
    constants: tuple[str, ...]
    tables: tuple[str, ...]
    initialisers: tuple[str, ...]
    starts: tuple[str, ...]
    dtypes: tuple[str, ...]
    dtypes_note: str
    shapes: tuple[str, ...]
    checked: tuple[str, ...]
    initial: tuple[str, ...]
    unset: tuple[str, ...]
    given: tuple[str, ...]


def surface(
    program: Program,
    request: Request,
    dtypes: Sequence[str],
    note: str,
    left_out: Sequence[str] = (),
    array: str = "np.ndarray",
    options: Sequence[tuple[str, str]] = OPTIONS,
) -> Surface:
    """The cell as its generated modules describe it.

    Args:
        program: its plan.
        request: the options.
        dtypes: those that the kernels run in.
        note: a sentence on them.
        left_out: functions that a module for inference alone does not have.
        array: the type of a parameter.
        options: further arguments of `init_params`, each None by default, with their types.
    """
    cell = program.cell
    sizes = {size: f"{size}_size" if size in cell.sizes[:2] else size for size in cell.sizes}
    arguments = [f"{argument}: int" for argument in sizes.values()]
    checked = ", ".join(f"{size}={argument}" for size, argument in sizes.items())
    kinds = _initialisers(program)
    others = ["seed: int = 0", *(f"{option}: {kind} = None" for option, kind in options)]
    initial = [f"param_shapes({', '.join(sizes.values())})", "hidden_size", "seed", *(option for option, _ in options)]
    return Surface(
        title=quoted((cell.title or cell.name).rstrip(".")),
        constants=_constants(program, request),
        tables=_tables(program, left_out),
        initialisers=picked(INITIALISERS_FILE, [_drawing(kind) for kind in kinds]),
        starts=tuple(collection("_INITIALISERS = {", [f'"{kind}": {_drawing(kind)}' for kind in kinds], "}")),
        dtypes=tuple(collection("DTYPES = (", _strings(dtypes), ")", single=True)),
        dtypes_note=note,
        shapes=tuple(call("def param_shapes(", arguments, ") -> dict[str, tuple[int, ...]]:")),
        checked=tuple(call("return _shapes_of(", [f"_check_sizes({checked})"], ")", 1)),
        initial=tuple(call("def init_params(", [*arguments, *others], f") -> dict[str, {array}]:")),
        unset=tuple(_unset(cell)),
        given=tuple(call("return _initial(", initial, ")", 1)),
    )


def _unset(cell: Cell) -> list[str]:
    if not cell.unset:
        return []
    told = (
        f"Fixed parameters without an entry under [init] are random too: {', '.join(cell.unset)}. Give their numbers."
    )
    return textwrap.wrap(told, WIDTH - 4, break_on_hyphens=False)


def _constants(program: Program, request: Request) -> tuple[str, ...]:
    cell = program.cell
    nodes = [part for equation in cell.equations for part in walk(equation.expression)]
    analytic = all(FUNCTIONS[node.function].analytic for node in nodes if isinstance(node, Call))
    analytic &= all(REDUCTIONS[node.kind].analytic for node in nodes if isinstance(node, Reduce))
    return (
        f'CELL = "{cell.name}"',
        *collection("STATES = (", _strings(cell.states), ")", single=True),
        f'OUTPUT = "{cell.output}"',
        *_several(cell),
        f"ANALYTIC = {analytic}",
        *collection("FIXED = {", [f'"{name}": {number}' for name, number in request.sizes.items()], "}"),
        '"""The fixed sizes of these kernels; if empty, they take any."""',
        f'DTYPE = "{request.dtype}"',
        '"""The default precision of `init_params`."""',
    )


def _tables(program: Program, left_out: Sequence[str]) -> tuple[str, ...]:
    cell = program.cell
    lines = [
        *collection(
            "_SHAPES = {", [f'"{v.name}": {_tuple([plain(size) for size in v.shape])}' for v in cell.parameters], "}"
        ),
        *collection("_STATE_SIZES = {", [f'"{state}": "{cell.size(state)}"' for state in cell.states], "}"),
        *collection("_INIT = {", [f'"{v.name}": "{_start(program, v.name)}"' for v in cell.parameters], "}"),
        *collection("_DOMAINS = {", [f'"{name}": {_domain(word)}' for name, word in cell.domain.items()], "}"),
        *collection("_NO_GRADIENT = (", _strings((*cell.fixed, *cell.held_inputs)), ")", single=True),
        f'_INPUT_SIZE = "{cell.size("x")}"',
        *collection("_INPUTS = {", [f'"{name}": "{cell.size(name)}"' for name in cell.given[1:]], "}"),
        *collection("_OUTPUTS = {", _outputs(cell), "}"),
        *collection("_MATRICES = {", [f'"{v.name}": {v.apart}' for v in cell.parameters if v.matrix], "}"),
        f"_INPUT_IS_HIDDEN = {cell.input_is_hidden}",
    ]
    return (*lines, *(collection("_LEFT_OUT = (", _strings(left_out), ")", single=True) if left_out else ()))


def _several(cell: Cell) -> Iterator[str]:
    """What only cells with further inputs or outputs have."""
    if len(cell.given) > 1:
        yield from collection("INPUTS = (", _strings(cell.given[1:]), ")", single=True)
        yield '"""What comes in each step beside x."""'
    if len(cell.returned) > 1:
        yield from collection("OUTPUTS = (", _strings(cell.returned), ")", single=True)


def _outputs(cell: Cell) -> list[str]:
    pairs = zip(cell.returned, cell.output_values, strict=True)
    return [f'"{name}": "{cell.size(value)}"' for name, value in pairs]


def _start(program: Program, parameter: str) -> str:
    return program.cell.init.get(parameter, DEFAULT)


def _initialisers(program: Program) -> list[str]:
    """The initialisers that the cell's parameters start with, in the order of the table."""
    kinds = {kind_of(_start(program, each.name)) for each in program.cell.parameters}
    return [kind for kind in INITIALISERS if kind in kinds]


def _drawing(kind: str) -> str:
    """The function of an initialiser."""
    return f"_draw_{kind}"


def _domain(word: str) -> str:
    """A domain in words, and its open bounds."""
    row = DOMAINS[word]
    return f'("{row.text}", {row.above}, {row.below})'


def _strings(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _tuple(names: Sequence[str]) -> str:
    (line,) = collection("(", _strings(names), ")", single=True)
    return line
