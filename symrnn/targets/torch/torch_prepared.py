"""What is prepared from parameters, in PyTorch: how `symrnn.emit.prepared_text` is spelt there, and where the passes call it.

Reads a `Program`; returns functions, and lines of the passes. PyTorch differentiates all of it once more. Leaves out: the
equations.
"""

from __future__ import annotations

from symrnn.emit.prepared_text import BACKWARD, FORWARD, Spelling, prepared_functions
from symrnn.emit.python_text import INDENT
from symrnn.plan.program import Program
from symrnn.targets.torch.expression import TorchPrinter
from symrnn.targets.torch.names import RESERVED


def _total(array: str, axes: tuple[int, ...]) -> str:
    return f"{array}.sum({axes[0] if len(axes) == 1 else axes}, keepdim=True)"


SPELLING = Spelling(
    printer=TorchPrinter,
    reserved=(*RESERVED, "v", "grads"),
    sizes="n",
    others=("x",),
    transpose=lambda a: f"{a}.mT",
    total=_total,
    identity=lambda rows: f"torch.eye({rows}, dtype=x.dtype, device=x.device)",
    filled=lambda number, rows, columns: f"x.new_full(({rows}, {columns}), {number})",
    broadcast=lambda a, rows, columns: f"({a}).expand({rows}, {columns})",
    copy=lambda a: f"{a}.clone()",
)


def torch_functions(program: Program) -> list[tuple[str, list[str]]]:
    """The functions that prepare parameters; none where the cell prepares nothing."""
    return prepared_functions(program, SPELLING, tangent=False)


def given_lines(program: Program, *, backward: bool) -> list[str]:
    """The first line of a pass: the parameters with what is prepared, and in the backward pass values for the adjoint."""
    if not program.preparation:
        return []
    return [f"{INDENT}p, _prepared = {FORWARD}(p, n, x)" if backward else f"{INDENT}p, _ = {FORWARD}(p, n, x)"]


def gradient_lines(program: Program) -> list[str]:
    """The line that takes the gradients of what is prepared to those of the parameters."""
    return [f"{INDENT}dp = {BACKWARD}(_prepared, n, dp, x)"] if program.preparation else []
