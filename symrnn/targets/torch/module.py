"""The PyTorch module of a cell: the public surface over operations of whole tensors.

Reads a `Program`; returns the text of ``<cell>_torch.py``, which needs PyTorch and NumPy. The steps are a loop in Python;
input products stand before it, one for all steps, and gradients of weights after it.
"""

from __future__ import annotations

from symrnn.emit.inline import inlined
from symrnn.emit.prepared_text import expressions_of
from symrnn.emit.provenance import provenance
from symrnn.emit.python_text import INDENT, WIDTH, collection, listed, quoted, wrapped
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Source, within
from symrnn.emit.surface import surface
from symrnn.language.cell import Cell
from symrnn.language.listing import labelled, own_lines, written_lines
from symrnn.plan.program import Program
from symrnn.targets.torch import DESCRIPTION
from symrnn.targets.torch.backward_printer import backward_lines
from symrnn.targets.torch.expression import helpers
from symrnn.targets.torch.forward_printer import forward_lines
from symrnn.targets.torch.torch_prepared import torch_functions

RUNTIME = (
    "torch/calls.py",
    "torch/training.py",
    "torch/flat.py",
    "torch/run.py",
    "torch/arguments.py",
    "torch/given.py",
    "python/sizes.py",
    "python/inference.py",
)
"""The runtime modules that all cells share, in the order of the text."""
TRAINING_ALONE, INFERENCE_ALONE = ("torch/training.py", "torch/flat.py"), ("python/inference.py",)
NOTE = "The types that `check` runs. Others that PyTorch has for floating-point numbers run too."
OPTIONS = (
    ("dtype", "torch.dtype | None"),
    ("device", "torch.device | str | None"),
    ("given", "Mapping[str, Given] | None"),
)


def torch_module(program: Program, request: Request) -> Source:
    """The source of ``<cell>_torch.py``."""
    backward = program.backward
    expressions = [s.expression for f in program.routines for stage in f.stages for s in stage.statements]
    left_out = INFERENCE_ALONE if backward is not None else TRAINING_ALONE
    runtime = inlined([file for file in RUNTIME if file not in left_out])
    context = {
        "s": surface(program, request, DESCRIPTION.dtypes, NOTE, () if backward else ("backward",), "Tensor", OPTIONS),
        "imports": runtime.imports,
        "runtime": runtime.text,
        "header": _header(program, request),
        "helpers": helpers([*expressions, *expressions_of(program)]),
        "prepared": [lines for _, lines in torch_functions(program)],
        "kept": _kept(program) if backward is not None else (),
        "forward": within("_forward", forward_lines(program)),
        "backward": within("_backward", backward_lines(program, backward)) if backward is not None else (),
    }
    return render_source("torch/module.py.jinja", context)


def _kept(program: Program) -> tuple[str, ...]:
    """The values that a tape keeps beside the states, by name."""
    values = [f'"{column.value}"' for buffer in program.forward.buffers if buffer.is_left for column in buffer.columns]
    return tuple(collection("_KEPT = (", values, ")", single=True))


def _header(program: Program, request: Request) -> tuple[str, ...]:
    """The docstring's lines after the first."""
    cell = program.cell
    lines = ["", *wrapped(provenance(cell, request) + " Needs PyTorch and NumPy.")]
    if cell.reference:
        lines += ["", *wrapped(cell.reference)]
    lines += ["", "The step:", ""]
    if cell.written:
        lines += [*written_lines(cell.written, INDENT, WIDTH), "", "It is, written out:", ""]
    lines += labelled(cell.equations, INDENT, WIDTH)
    if cell.functions:
        lines += ["", "Functions of its own:", "", *own_lines(cell.functions.values(), INDENT, WIDTH)]
    written = {equation.label for equation in cell.equations}
    once = (*cell.preparation.equations, *cell.normal.equations)
    parts = [equation for equation in once if equation.label not in written]
    if parts:
        lines += ["", "Parts of it that have names of their own:", "", *labelled(parts, INDENT, WIDTH)]
    if program.backward is not None:
        lines += ["", "Its adjoint, derived:", "", *labelled(program.backward.system.equations, INDENT, WIDTH)]
        if once := program.preparation.adjoint.equations:
            lines += ["", "The adjoint of what is prepared:", "", *labelled(once, INDENT, WIDTH)]
    lines += ["", "Legend:", "", *listed(_legend(cell))]
    return tuple(quoted(line) for line in lines)


def _legend(cell: Cell) -> list[tuple[str, str]]:
    return [
        ("T, B", "steps, rows of the batch"),
        *((f'n["{size}"]', f"numbers of the size {size}") for size in cell.sizes),
        ("x, y", "inputs and outputs, (T, B, size)"),
        *((state, f"state, (B, {cell.size(state)})") for state in cell.states),
        ("*_all", "a value over all steps"),
        ("*_later", "a value at step t + 1, when the loop runs backward"),
        ("*_T", "a transposed matrix, or several side by side"),
        ("idle", "whether a row is beyond its length, (T, B, 1), or None"),
    ]
