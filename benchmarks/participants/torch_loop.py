"""PyTorch without a fused layer: a Python loop over time for any cell, as it is, or with its step compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.dialects import TORCH
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
    return _looped(task, lambda step: step)


def compiled(task: Task) -> Prepared:
    """The loop with its step compiled: compiling the loop as well would unroll every step.

    Raises:
        Unsupported: ragged rows.
    """
    return _looped(task, torch.compile)


def _looped(task: Task, change: Callable[[Any], Any]) -> Prepared:
    if task.point.ragged:
        raise Unsupported("the loop takes all steps")
    problem = draw(task)
    program = array_program(problem.cell, problem.sizes, TORCH)
    module = import_text(program.text, f"{problem.cell.name}_loop")
    step = change(module._step)
    torch.set_num_threads(task.threads)
    packed = {name: torch.from_numpy(array) for name, array in program.pack(problem.params).items()}
    x, dy = torch.from_numpy(problem.x), torch.from_numpy(problem.dy)
    state = {name: torch.zeros(x.shape[1], size) for name, size in problem.states.items()}
    if task.mode is Mode.INFERENCE:

        def infer() -> Any:
            with torch.no_grad():
                return module.layer(packed, x, state, step)

        return Prepared(infer, _outputs)
    leaves = [x, *state.values(), *packed.values()]
    for leaf in leaves:
        leaf.requires_grad_()

    def train() -> Any:
        y, last = module.layer(packed, x, state, step)
        return y, last, torch.autograd.grad(y, leaves, dy, allow_unused=True, materialize_grads=True)

    return Prepared(train, lambda returned: _gradients(program, problem, returned))


def _outputs(returned: Any) -> dict[str, Array]:
    y, last = returned
    return {"y": y.detach().numpy()} | {f"state {name}": a.detach().numpy() for name, a in last.items()}


def _gradients(program: ArrayProgram, problem: Workload, returned: Any) -> dict[str, Array]:
    y, last, (dx, *others) = returned
    states, packed = others[: len(problem.states)], others[len(problem.states) :]
    names = program.pack(problem.params)
    shapes = {name: array.shape for name, array in problem.params.items()}
    unpacked = program.unpack({n: g.numpy() for n, g in zip(names, packed, strict=True)}, shapes)
    found = {f"gradient {name}": array for name, array in unpacked.items()}
    found |= {f"gradient state {n}": g.numpy() for n, g in zip(problem.states, states, strict=True)}
    return _outputs((y, last)) | found | {"gradient x": dx.numpy()}
