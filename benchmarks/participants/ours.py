"""The generated kernels, through their public functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

import symrnn
from benchmarks.grid import Mode, available_cores
from benchmarks.participants import Prepared
from benchmarks.workload import Array, Task, Workload, cell_of, draw


def versions() -> dict[str, str]:
    """Package to version."""
    return {"symrnn": symrnn.__version__, "numpy": np.__version__}


def in_c(task: Task) -> Prepared:
    """Inference with packed weights, or training from plain parameters."""
    return with_kernels(_kernels(task.cell), task, draw(task))


def padded(task: Task) -> Prepared:
    """A ragged point as if every row took all steps; its result differs from the ragged one, so nothing is compared."""
    return replace(with_kernels(_kernels(task.cell), task, replace(draw(task), lengths=None)), labelled=None)


def in_numpy(task: Task) -> Prepared:
    """The NumPy module: the reference for a result that no other library computes."""
    return with_kernels(symrnn.build(cell_of(task.cell), backend="numpy"), task, draw(task), threaded=False)


@cache
def _kernels(cell: str) -> ModuleType:
    return symrnn.build(cell_of(cell), backend="c")


def with_kernels(module: ModuleType, task: Task, workload: Workload, *, threaded: bool = True) -> Prepared:
    """The call of ``task``.

    Args:
        module: kernels.
        task: the call.
        workload: its arrays.
        threaded: whether the module takes a number of threads.
    """
    forward: dict[str, Any] = {"lengths": workload.lengths}
    backward: dict[str, Any] = {}
    if threaded:
        # All cores: None, a user's default, takes as many threads as pay for the work.
        forward["threads"] = None if task.threads == len(available_cores()) else task.threads
        backward["threads"] = forward["threads"]
    if task.mode is Mode.INFERENCE:
        packed = module.pack(workload.params)
        return Prepared(lambda: module.infer(packed, workload.x, **forward), _outputs)

    def train() -> tuple[Array, Mapping[str, Array], Any]:
        packed = module.pack(workload.params, snapshot=False)  # nothing changes them within the call
        y, state, tape = module.forward(packed, workload.x, **forward)
        return y, state, module.backward(packed, tape, workload.dy, **backward)

    return Prepared(train, _gradients)


def _outputs(returned: tuple[Array, Mapping[str, Array]]) -> dict[str, Array]:
    y, state = returned
    return {"y": y} | {f"state {name}": array for name, array in state.items()}


def _gradients(returned: tuple[Array, Mapping[str, Array], Any]) -> dict[str, Array]:
    y, state, grads = returned
    found = {f"gradient {name}": array for name, array in grads.params.items()}
    found |= {f"gradient state {name}": array for name, array in grads.state.items()}
    return _outputs((y, state)) | found | {"gradient x": grads.x}
