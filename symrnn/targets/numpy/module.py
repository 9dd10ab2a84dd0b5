"""The NumPy module of a cell: the public surface over plain array code.

Reads a `Program`; returns the text of ``<cell>_numpy.py``, which needs NumPy and nothing else. The way there:

    lower     statements of the plan as array calls                  (`symrnn.targets.numpy.lower`)
    arrange   columns in an order that lets calls be stacked         (`symrnn.targets.numpy.stack`)
    stack     calls on neighbours become one, forms few products     (`symrnn.targets.numpy.stack`, `numpy_products`)
    store     a place for every temporary, in place where it can be  (`symrnn.targets.numpy.storage`)
    print     names, lines, functions                                (`symrnn.targets.numpy.scope`, `numpy_printer`, …)

`symrnn.targets.numpy.compile` runs the first four, the record between them is that of `symrnn.targets.numpy.ir`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symrnn.emit.inline import inlined
from symrnn.emit.python_text import INDENT, collection, commented
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Mark, Marked, Source, marked, within
from symrnn.emit.surface import surface
from symrnn.language.names import Allocator
from symrnn.language.system import ONE, Role
from symrnn.language.tree import PRIME, Reduce, names
from symrnn.plan.program import Program, Routine, Stage
from symrnn.targets.numpy import DESCRIPTION
from symrnn.targets.numpy.backward import BackwardPrinter
from symrnn.targets.numpy.compile import Compiled, compiled
from symrnn.targets.numpy.expression import NumpyPrinter, helpers
from symrnn.targets.numpy.forward import ForwardPrinter
from symrnn.targets.numpy.function import locals_of
from symrnn.targets.numpy.header import header
from symrnn.targets.numpy.names import RESERVED, identifier, size_names, total
from symrnn.targets.numpy.scope import Locals
from symrnn.targets.numpy.stream import StreamPrinter
from symrnn.targets.numpy.weights import Weights

RUNTIME = (
    "numpy/calls.py",
    "numpy/training.py",
    "numpy/run.py",
    "numpy/arrays.py",
    "python/parameters.py",
    "python/arguments.py",
    "python/tape.py",
    "python/gradients.py",
    "python/inference.py",
)
"""What is equal in the modules of all cells, in the order in which it stands there."""
TRAINING_ALONE, INFERENCE_ALONE = ("numpy/training.py", "python/gradients.py"), ("python/inference.py",)
NOTE = (
    "What `init_params` may make. Any of them runs: comparisons look at real parts, so a complex step passes through."
)


@dataclass(frozen=True)
class Code:
    """One function of the module.

    Attributes:
        head: the line at which it begins.
        body: its lines.
    """

    head: str
    body: tuple[str, ...]


def numpy_module(program: Program, request: Request) -> Source:
    """The source of ``<cell>_numpy.py``."""
    nodes = [s.expression for f in program.routines for stage in f.stages for s in stage.statements]
    assert program.tangent is not None  # the policy asks for one
    forward, backward, tangent = compiled(program)
    weights = _weights(program, program.forward, "")
    directions = _weights(program, program.tangent, "")
    found = [_locals(program, forward, weights)]
    output = program.cell.output
    printed = _forward("_forward", found[0], weights, output)
    stream = StreamPrinter(_locals(program, forward, weights), weights).body()
    if backward is not None:
        found.append(_locals(program, backward, weights))
        body = BackwardPrinter(found[1], weights).body(program.cell.parameters)
    tangents = {v.name: v.of for v in program.tangent.system.variables if v.of and not v.name.endswith(PRIME)}
    pair = next(v.name for v in program.tangent.system.variables if v.of == output + PRIME).removesuffix(PRIME)
    runtime = inlined(_runtime(backward is not None), [("numpy", ""), ("numpy.typing", "DTypeLike")])
    context = {
        "s": surface(program, request, DESCRIPTION.dtypes, NOTE, () if backward else ("backward",)),
        "imports": runtime.imports,
        "runtime": runtime.text,
        "header": header(
            program, request, found, [weights], [f for f in (forward, backward, tangent) if f is not None]
        ),
        "helpers": helpers(nodes),
        "weights": _code("class", "_Weights", "", _weight_lines(program, program.forward, weights)),
        "forward": printed,
        "stream": _code("def", "_steps_of_stream", "(weights, sizes, x, state)", stream),
        "backward": False if backward is None else _code("def", "_backward", _BACKWARD, body),
        "directions": (),
        "tangent": _forward("_tangent", _locals(program, tangent, directions), directions, pair),
        "tangents": tuple(collection("_TANGENTS = {", [f'"{n}": "{of}"' for n, of in _kept(program, tangents)], "}")),
    }
    context["directions"] = _code("class", "_Directions", "", _weight_lines(program, program.tangent, directions))
    return render_source("numpy/module.py.jinja", context)


_BACKWARD = "(weights, sizes, x, tape, idle, dy, dstate)"


def _code(keyword: str, name: str, arguments: str, body: Sequence[str]) -> Code:
    """A function or class of the module; its lines are marked with its name."""
    return Code(Marked(f"{keyword} {name}{arguments}:", Mark(function=name)), tuple(within(name, body)))


def _runtime(training: bool) -> list[str]:
    left_out = INFERENCE_ALONE if training else TRAINING_ALONE
    return [file for file in RUNTIME if file not in left_out]


def _kept(program: Program, tangents: Mapping[str, str]) -> list[tuple[str, str]]:
    """The tangents of parameters and states with what they belong to."""
    known = program.cell.normal.by_name
    wanted = (Role.PARAMETER, Role.STATE)
    return [(name, of) for name, of in tangents.items() if of in known and known[of].role in wanted]


def _locals(program: Program, function: Compiled, weights: Weights) -> Locals:
    taken = [*weights.once.values(), *(weight.name for weight in weights.found), *_inputs(function.function)]
    found = locals_of(function, program.cell.sizes, taken)
    weights.share(found.allocator)
    return found


def _inputs(function: Routine) -> list[str]:
    return [v.name for v in function.system.variables if v.role is Role.INPUT]


def _forward(name: str, given: Locals, weights: Weights, output: str) -> Code:
    body = ForwardPrinter(given, weights).body(output)
    inputs = ", ".join(_inputs(given.compiled.function))
    return _code("def", name, f"(weights, sizes, {inputs}, state, idle, taped, y)", body)


def _weights(program: Program, function: Routine, prefix: str) -> Weights:
    """The stacks of a function and of those that share its parameters."""
    allocator = Allocator((*RESERVED, *function.sizes, *(v.name for v in function.system.variables)))
    letters = {**size_names(program.cell.sizes, allocator), ONE: ONE}
    once = {
        statement.target: allocator.fresh(f"{prefix}{identifier(statement.target)}_value")
        for stage in function.stages_of("once")
        for statement in stage.statements
    }

    def shape(name: str) -> tuple[str, ...]:
        variable = function.system.by_name.get(name)
        return variable.shape if variable is not None else (function.sizes[name],)

    return Weights([v.name for v in function.system.variables], shape, lambda sizes: total(sizes, letters), once)


def _weight_lines(program: Program, function: Routine, weights: Weights) -> tuple[str, ...]:
    """The body of the initialiser of the weights."""
    lines = [
        line for stage in function.stages_of("once") for line in _once(stage, function, weights, program.cell.sizes)
    ]
    lines += [line for weight in weights.found for line in weight.lines]
    return tuple(lines or [f"{INDENT * 2}pass"])


def _once(stage: Stage, function: Routine, weights: Weights, sizes: Sequence[str]) -> list[str]:
    """Statements on parameters alone: locals, kept as attributes where stages read them."""
    letters = {size: f'sizes["{size}"]' for size in sizes}
    values = {v.name: f'p["{v.name}"]' for v in function.system.variables if v.role is Role.PARAMETER}
    values |= {v.name: f'p["{v.name}"]' for v in function.system.variables if v.of in values}
    printer = NumpyPrinter({**values, **weights.once}, letters)
    lines: list[str] = []
    for statement in stage.statements:
        name, label = weights.once[statement.target], f"({statement.label})" if statement.label else ""
        text, size = printer(statement.expression), function.sizes[statement.target]
        read = [function.sizes.get(value) for value in names(statement.expression)]
        if size not in read and not isinstance(statement.expression, Reduce):
            text = f"np.full({letters.get(size, 1)}, {text}, np.result_type(*p.values()))"
        line = commented(f"{INDENT * 2}{name} = self.{name} = {text}", label)
        lines += marked(line, Mark((statement.label,) if statement.label else (), stage.name))
    return lines
