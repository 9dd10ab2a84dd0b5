"""What is prepared from parameters, in NumPy: how `symrnn.emit.prepared_text` is spelt there, and where the weights call it.

Reads a `Program`; returns functions, and lines of the weights and of the backward function. Leaves out: the equations.
"""

from __future__ import annotations

from symrnn.emit.prepared_text import BACKWARD, FORWARD, TANGENT, Spelling, prepared_functions
from symrnn.emit.python_text import INDENT
from symrnn.plan.program import Program
from symrnn.targets.numpy.expression import NumpyPrinter
from symrnn.targets.numpy.names import RESERVED

KEPT = "_prepared"
"""The attribute of the weights that holds values for the adjoint; no parameter has a name that begins so."""

_DTYPE = "np.result_type(*p.values())"

SPELLING = Spelling(
    printer=NumpyPrinter,
    reserved=RESERVED,
    sizes="sizes",
    others=(),
    transpose=lambda a: f"{a}.T",
    total=lambda a, axes: f"np.add.reduce({a}, axis={axes[0] if len(axes) == 1 else axes}, keepdims=True)",
    identity=lambda rows: f"np.eye({rows}, dtype={_DTYPE})",
    filled=lambda number, rows, columns: f"np.full(({rows}, {columns}), {number}, {_DTYPE})",
    copy=lambda a: f'np.array({a}, order="C")',
    broadcast=lambda a, rows, columns: f"np.broadcast_to({a}, ({rows}, {columns}))",
)


def numpy_functions(program: Program) -> list[tuple[str, list[str]]]:
    """The functions that prepare parameters; none where the cell prepares nothing."""
    return prepared_functions(program, SPELLING, tangent=program.tangent is not None)


def weight_lines(program: Program, tangent: bool) -> list[str]:
    """The first lines of the initialiser of the weights."""
    if not program.preparation:
        return []
    pad = INDENT * 2
    if not tangent:
        return [f"{pad}p, self.{KEPT} = {FORWARD}(p, sizes)"]
    return [f"{pad}p, prepared = {FORWARD}(p, sizes)", f"{pad}p = {TANGENT}(p, prepared, sizes)"]


def gradient_lines(program: Program) -> list[str]:
    """The line that takes the gradients of what is prepared to those of the parameters."""
    return [f"{INDENT}grads = {BACKWARD}(weights.{KEPT}, sizes, grads)"] if program.preparation else []
