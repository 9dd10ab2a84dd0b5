"""PyTorch without a fused layer, for any cell: a Python loop over time, compiled or not, and PyTorch's own scan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch._dynamo import config as dynamo

from benchmarks.dialects import TORCH, TORCH_SCAN, Dialect
from benchmarks.grid import Mode
from benchmarks.participants import Prepared, Unsupported
from benchmarks.scan import ArrayProgram, array_program
from benchmarks.workload import Array, Task, Workload, draw
from symrnn.build.loading import import_text


def versions() -> dict[str, str]:
    """Package to version."""
    return {"torch": torch.__version__}


def eager(task: Task) -> Prepared:
    """The loop as it is.

    Raises:
        Unsupported: ragged rows.
    """
    return _prepared(task, TORCH, lambda module: module.layer)


def compiled_step(task: Task) -> Prepared:
    """The loop with its step compiled: one step's operations are fused, and Python calls it for every step.

    Raises:
        Unsupported: ragged rows.
    """
    return _prepared(task, TORCH, lambda module: partial(module.layer, _step=torch.compile(module._step)))


def compiled_loop(task: Task) -> Prepared:
    """The whole loop compiled, which unrolls it: the compiler's work grows with the number of steps.

    Raises:
        Unsupported: ragged rows.
    """
    return _prepared(task, TORCH, lambda module: torch.compile(module.layer))


def compiled_scan(task: Task) -> Prepared:
    """PyTorch's own scan, compiled: without compiling, it calls the step from Python, slower than a loop does.

    Raises:
        Unsupported: ragged rows.
    """
    # The scan becomes a loop that counts its steps in a tensor, and the compiler must read that number.
    dynamo.capture_scalar_outputs = True
    return _prepared(task, TORCH_SCAN, lambda module: torch.compile(module.layer))


def _prepared(task: Task, dialect: Dialect, layer_of: Callable[[ModuleType], Callable[..., Any]]) -> Prepared:
    """The call of a layer that ``layer_of`` makes of the program's module."""
    if task.point.ragged:
        raise Unsupported("the loop takes all steps")
    workload = draw(task)
    program = array_program(workload.cell, workload.sizes, dialect)
    layer = layer_of(import_text(program.text, f"{workload.cell.name}_loop"))
    torch.set_num_threads(task.threads)
    packed = {name: torch.from_numpy(array) for name, array in program.pack(workload.params).items()}
    x, dy = torch.from_numpy(workload.x), torch.from_numpy(workload.dy)
    state = {name: torch.zeros(x.shape[1], size) for name, size in workload.states.items()}
    if task.mode is Mode.INFERENCE:

        def infer() -> Any:
            with torch.no_grad():
                return layer(packed, x, state)

        return Prepared(infer, _outputs)
    leaves = [x, *state.values(), *packed.values()]
    for leaf in leaves:
        leaf.requires_grad_()

    def train() -> Any:
        y, last = layer(packed, x, state)
        return y, last, torch.autograd.grad(y, leaves, dy, allow_unused=True, materialize_grads=True)

    return Prepared(train, lambda returned: _gradients(program, workload, returned))


def _outputs(returned: Any) -> dict[str, Array]:
    y, last = returned
    return {"y": y.detach().numpy()} | {f"state {name}": a.detach().numpy() for name, a in last.items()}


def _gradients(program: ArrayProgram, workload: Workload, returned: Any) -> dict[str, Array]:
    y, last, (dx, *others) = returned
    states, packed = others[: len(workload.states)], others[len(workload.states) :]
    names = program.pack(workload.params)
    shapes = {name: array.shape for name, array in workload.params.items()}
    unpacked = program.unpack({n: g.numpy() for n, g in zip(names, packed, strict=True)}, shapes)
    found = {f"gradient {name}": array for name, array in unpacked.items()}
    found |= {f"gradient state {n}": g.numpy() for n, g in zip(workload.states, states, strict=True)}
    return _outputs((y, last)) | found | {"gradient x": dx.numpy()}
