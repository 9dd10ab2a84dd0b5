"""The NumPy module of a cell: the public surface over plain array code.

Reads a `Program`; returns the text of ``<cell>_numpy.py``, which needs NumPy and nothing else. The way there:

    lower     statements of the plan as array calls                  (`symrnn.targets.numpy.lowerer`)
    arrange   columns in an order that lets calls be stacked         (`symrnn.targets.numpy.stack`)
    stack     calls on neighbours become one, forms a few products     (`stack`, `symrnn.targets.numpy.products`)
    store     a place for every temporary, in place where it can be  (`symrnn.targets.numpy.storer`)
    print     names, lines, functions                                (`symrnn.targets.numpy.scope`, `printer`, …)

`symrnn.targets.numpy.compile` runs the first four, the record between them is that of `symrnn.targets.numpy.ir`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symrnn.emit.inline import inlined
from symrnn.emit.prepared_text import expressions_of
from symrnn.emit.python_names import identifier, size_names
from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Mark, Source, block, marked, within
from symrnn.emit.surface import surface
from symrnn.language.axes import Spelt
from symrnn.language.identifiers import Allocator
from symrnn.language.normalise import expression_size
from symrnn.language.system import ONE, Role
from symrnn.language.tree import PRIME, names
from symrnn.plan.program import ONCE, Program, Routine, Stage
from symrnn.targets.numpy import DESCRIPTION
from symrnn.targets.numpy.backward_printer import BackwardPrinter
from symrnn.targets.numpy.body import locals_of
from symrnn.targets.numpy.compile import Compiled, compiled
from symrnn.targets.numpy.expression import NumpyPrinter, helpers
from symrnn.targets.numpy.forward_printer import ForwardPrinter
from symrnn.targets.numpy.header import header
from symrnn.targets.numpy.names import RESERVED
from symrnn.targets.numpy.numpy_prepared import gradient_lines, numpy_functions, weight_lines
from symrnn.targets.numpy.scope import Locals
from symrnn.targets.numpy.side_by_side import input_arguments
from symrnn.targets.numpy.stream import StreamPrinter
from symrnn.targets.numpy.weights import Weights

RUNTIME = (
    "numpy/calls.py",
    "numpy/training.py",
    "numpy/run.py",
    "numpy/arrays.py",
    "python/parameters.py",
    "python/arguments.py",
    "python/given.py",
    "python/sizes.py",
    "python/tape.py",
    "python/pieces.py",
    "python/pieces_back.py",
    "python/gradients.py",
    "python/inference.py",
)
"""The runtime modules that all cells share, in the order of the text."""
TRAINING_ALONE = ("numpy/training.py", "python/gradients.py", "python/pieces_back.py")
INFERENCE_ALONE = ("python/inference.py",)
NOTE = "The types that `init_params` can return. Comparisons look at real parts, so a complex step passes through."


@dataclass(frozen=True)
class Code:
    """One function or class of the module.

    Attributes:
        head: the line at which it begins.
        body: its lines.
    """

    head: str
    body: tuple[str, ...]


def numpy_module(program: Program, request: Request) -> Source:
    """The source of ``<cell>_numpy.py``."""
    training = program.backward is not None
    expressions = [s.expression for f in program.routines for stage in f.stages for s in stage.statements]
    runtime = inlined(_runtime(training), [("numpy", ""), ("numpy.typing", "DTypeLike")])
    forward, backward, tangent = compiled(program)
    steps, names, weights = _steps_code(program, forward, backward)
    context = {
        "s": surface(program, request, DESCRIPTION.dtypes, NOTE, () if training else ("backward",)),
        "imports": runtime.imports,
        "runtime": runtime.text,
        "header": header(program, request, names, weights, [f for f in (forward, backward, tangent) if f is not None]),
        "helpers": helpers([*expressions, *expressions_of(program)]),
        "prepared": [Code(lines[0], tuple(lines[1:])) for _, lines in numpy_functions(program)],
        **steps,
        **_tangent_code(program, tangent),
    }
    return render_source("numpy/module.py.jinja", context)


def _runtime(training: bool) -> list[str]:
    left_out = INFERENCE_ALONE if training else TRAINING_ALONE
    return [file for file in RUNTIME if file not in left_out]


def _steps_code(
    program: Program, forward: Compiled, backward: Compiled | None
) -> tuple[dict[str, Code | bool], list[Locals], Weights]:
    """The functions that run every step, forwards and backwards, and their weights; with the names that they use."""
    weights = _weights(program, program.forward)
    names = [_locals(program, forward, weights)]
    run = _forward("_forward", names[0], weights, _alone(program))
    stream = StreamPrinter(_locals(program, forward, weights), weights).body()
    reverse: Code | bool = False
    if backward is not None:
        names.append(_locals(program, backward, weights))
        body = BackwardPrinter(names[1], weights).body(program.cell.step_trainable, gradient_lines(program))
        reverse = _code("def", "_backward", "(weights, sizes, x, tape, idle, dy, dstate)", body)
    found: dict[str, Code | bool] = {
        "forward": run,
        "stream": _code("def", "_steps_of_stream", "(weights, sizes, x, state, y)", stream),
        "backward": reverse,
        "weights": _code("class", "_Weights", "", _weight_lines(program, program.forward, weights)),
    }
    return found, names, weights


def _tangent_code(program: Program, tangent: Compiled) -> dict[str, Code | tuple[str, ...]]:
    """The function that runs every step beside its derivative, its weights, and the variable of each derivative."""
    variables = tangent.routine.system.variables
    weights = _weights(program, tangent.routine)
    output = next((v.name for v in variables if v.of == _alone(program) + PRIME), "").removesuffix(PRIME)
    run = _forward("_tangent", _locals(program, tangent, weights), weights, output)
    known = program.cell.normal.by_name
    kept = [v for v in variables if v.of in known and known[v.of].role in (Role.PARAMETER, Role.STATE)]
    made, dots = program.preparation.forward.outputs, program.preparation.dots
    pairs = [f'"{v.name}": "{v.of}"' for v in kept if not v.name.endswith(PRIME) and v.of not in made]
    read = {v.of for v in kept}
    pairs += [
        f'"{dots[name]}": "{name}"' for name in program.preparation.forward.inputs if name in dots and name not in read
    ]
    return {
        "tangent": run,
        "directions": _code("class", "_Directions", "", _weight_lines(program, tangent.routine, weights)),
        "tangents": tuple(collection("_TANGENTS = {", pairs, "}")),
    }


def _code(keyword: str, name: str, arguments: str, body: Sequence[str]) -> Code:
    """A function or class of the module: a block whose marks have its name."""
    head, *lines = within(name, block([f"{keyword} {name}{arguments}:", *body]))
    return Code(head, tuple(lines))


def _forward(name: str, given: Locals, weights: Weights, output: str) -> Code:
    body = ForwardPrinter(given, weights).body(output)
    inputs = ", ".join(given.given.arguments)
    return _code("def", name, f"(weights, sizes, {inputs}, state, idle, taped, y)", body)


def _locals(program: Program, compiled: Compiled, weights: Weights) -> Locals:
    routine = compiled.routine
    taken = [*weights.once.values(), *(weight.name for weight in weights.found), *input_arguments(routine)]
    pairs = {v.of: v.name for v in routine.system.variables if v.of} if routine is program.tangent else {}
    returned = zip(program.cell.returned, program.cell.output_values, strict=True)
    found = locals_of(compiled, program.cell, {name: pairs.get(value, value) for name, value in returned}, taken)
    weights.share(found.allocator)
    return found


def _alone(program: Program) -> str:
    """The output, if it is the only one and a state, which then lies in the caller's array itself."""
    cell = program.cell
    return cell.output if cell.returned == (cell.output,) and cell.output in cell.states else ""


def _weights(program: Program, routine: Routine) -> Weights:
    """The stacks of a routine and of those that share its parameters."""
    allocator = Allocator((*RESERVED, *routine.sizes, *(v.name for v in routine.system.variables)))
    letters = {**size_names(program.cell.sizes, allocator), ONE: ONE}
    once = {
        statement.target: allocator.fresh(f"{identifier(statement.target)}_value")
        for stage in routine.stages_of(ONCE)
        for statement in stage.statements
    }

    def shape(name: str) -> tuple[str, ...]:
        variable = routine.system.by_name.get(name)
        return variable.shape if variable is not None else (routine.sizes[name],)

    return Weights([v.name for v in routine.system.variables], shape, letters, once)


def _weight_lines(program: Program, routine: Routine, weights: Weights) -> list[str]:
    """The initialiser of the weights."""
    lines = weight_lines(program, routine is program.tangent)
    lines += [line for stage in routine.stages_of(ONCE) for line in _once(stage, routine, weights, program.cell.sizes)]
    lines += [line for weight in weights.found for line in weight.lines]
    return block([f"{INDENT}def __init__(self, p, sizes):", *(lines or [f"{INDENT * 2}pass"])])


def _once(stage: Stage, routine: Routine, weights: Weights, sizes: Sequence[str]) -> list[str]:
    """Statements on parameters alone: locals, kept as attributes where stages read them."""
    letters = Spelt({size: f'sizes["{size}"]' for size in sizes})
    values = {v.name: f'p["{v.name}"]' for v in routine.system.variables if v.role is Role.PARAMETER}
    values |= {v.name: f'p["{v.name}"]' for v in routine.system.variables if v.of in values}
    printer = NumpyPrinter({**values, **weights.once}, letters)
    lines: list[str] = []
    for statement in stage.statements:
        name, label = weights.once[statement.target], f"({statement.label})" if statement.label else ""
        text, size = printer(statement.expression), routine.sizes[statement.target]
        shapes: dict[str, tuple[str, ...]] = {
            value: (routine.sizes[value],) for value in names(statement.expression) if value in routine.sizes
        }
        if expression_size(statement.expression, shapes) != size:
            text = f"np.full({letters[size] if size != ONE else 1}, {text}, np.result_type(*p.values()))"
        line = commented(f"{name} = self.{name} = {text}", label, 2)
        lines += marked(line, Mark((statement.label,) if statement.label else (), stage.name))
    return lines
