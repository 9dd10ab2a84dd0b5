"""What both generated modules of a cell say about it: names, shapes, initial values.

Reads a `Program`; returns a `Surface`, the record that `templates/python/surface.py.jinja` lays out. Texts that the
formatter would break are broken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.emit.python_text import collection
from symrnn.emit.request import DTYPE
from symrnn.language.functions import FUNCTIONS
from symrnn.language.tree import Call, walk
from symrnn.plan.program import Program


@dataclass(frozen=True)
class Parameter:
    """A parameter: its shape in size names, and how it is initialised."""

    name: str
    shape: tuple[str, ...]
    init: str


@dataclass(frozen=True)
class Surface:
    """The cell as its generated modules describe it.

    Attributes:
        name: of the cell.
        title: one line for people, without a full stop.
        reference: where the equations were published; may be empty.
        equations: the author's lines.
        parameters: in order of appearance.
        states: each with its size name.
        output: the state that is returned for each step.
        output_size: its size name.
        extra_sizes: size names beyond input and hidden.
        input_is_hidden: whether the equations force these to be one number.
        analytic: whether the complex step is valid everywhere.
        input_size: the size name of ``x``.
        constants: the lines of the module's constants.
        dtype: what ``init_params`` makes unless told otherwise.
        sizes_given: the line of `param_shapes` that gathers sizes.
        fixed: the lines of the constant of sizes that the kernels are for; none where they take any.
    """

    name: str
    title: str
    reference: str
    equations: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    states: tuple[tuple[str, str], ...]
    output: str
    output_size: str
    extra_sizes: tuple[str, ...]
    input_is_hidden: bool
    analytic: bool
    input_size: str
    constants: tuple[str, ...]
    dtype: str
    sizes_given: tuple[str, ...]
    fixed: tuple[str, ...] = ()


def surface(program: Program, dtype: str = DTYPE, fixed: Mapping[str, int] | None = None) -> Surface:
    """The cell as its generated modules describe it; ``fixed`` are sizes that the kernels are for."""
    cell = program.cell
    nodes = [part for equation in cell.equations for part in walk(equation.expression)]
    parameters = tuple(Parameter(v.name, v.shape, cell.init.get(v.name, "uniform")) for v in cell.parameters)
    extra = cell.sizes[2:]
    given = ['"1": 1', '"input": input_size', '"hidden": hidden_size', *(f'"{size}": {size}' for size in extra)]
    return Surface(
        name=cell.name,
        title=(cell.title or cell.name).rstrip("."),
        reference=cell.reference,
        equations=tuple(cell.text.strip().splitlines()),
        parameters=parameters,
        states=tuple((state, cell.size(state)) for state in cell.states),
        output=cell.output,
        output_size=cell.size(cell.output),
        extra_sizes=extra,
        input_is_hidden=cell.input_is_hidden,
        analytic=all(FUNCTIONS[node.function].analytic for node in nodes if isinstance(node, Call)),
        input_size=cell.size("x"),
        constants=_constants(program, parameters),
        dtype=dtype,
        sizes_given=tuple(collection("sizes = {", given, "}", 1)),
        fixed=tuple(collection("FIXED = {", [f'"{name}": {n}' for name, n in fixed.items()], "}")) if fixed else (),
    )


def _constants(program: Program, parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    cell = program.cell
    states = [f'"{state}"' for state in cell.states]
    shapes = [f'"{p.name}": {_tuple(p.shape)}' for p in parameters]
    sizes = [f'"{state}": "{cell.size(state)}"' for state in cell.states]
    return (
        *collection("STATES = (", states, ")", single=True),
        f'OUTPUT = "{cell.output}"',
        *collection("_SHAPES = {", shapes, "}"),
        *collection("_STATE_SIZES = {", sizes, "}"),
        *collection("_INIT = {", [f'"{p.name}": "{p.init}"' for p in parameters], "}"),
    )


def _tuple(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "") + ")"
