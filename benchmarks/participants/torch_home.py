"""`symrnn.torch.Layer`: the generated kernels as a layer of PyTorch, beside that library's own layers and loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

import symrnn.torch
from benchmarks.grid import Mode, available_cores
from benchmarks.participants import Prepared
from benchmarks.workload import Array, Task, cell_of, draw
from symrnn.language.system import HIDDEN, INPUT


def versions() -> dict[str, str]:
    """Package to version."""
    return {"torch": torch.__version__}


def prepare(task: Task) -> Prepared:
    """Inference without gradients, or the forward pass and every gradient."""
    cell, workload = cell_of(task.cell), draw(task)
    torch.set_num_threads(task.threads)
    own: dict[str, Any] = {size: workload.sizes[size] for size in cell.sizes if size not in (INPUT, HIDDEN)}
    threads = None if task.threads == len(available_cores()) else task.threads
    layer = symrnn.torch.Layer(cell, workload.x.shape[2], workload.sizes[HIDDEN], threads=threads, **own)
    with torch.no_grad():
        for name, array in workload.params.items():
            getattr(layer, f"{name}_l0").copy_(torch.from_numpy(array))
    x, dy = torch.from_numpy(workload.x), torch.from_numpy(workload.dy)
    lengths = None if workload.lengths is None else torch.from_numpy(workload.lengths)
    if task.mode is Mode.INFERENCE:

        def infer() -> Any:
            with torch.inference_mode():
                return layer(x, lengths=lengths)

        return Prepared(infer, lambda returned: _outputs(layer, returned))
    x.requires_grad_()
    batch = x.shape[1]
    initial = [torch.zeros(1, batch, workload.states[name]).requires_grad_() for name in layer.states]
    weights = [getattr(layer, f"{name}_l0") for name in workload.params]

    def train() -> Any:
        y, last = layer(x, tuple(initial), lengths)
        return y, last, torch.autograd.grad(y, [x, *initial, *weights], dy)

    def labelled(returned: Any) -> Mapping[str, Array]:
        y, last, (dx, *others) = returned
        states = {f"gradient state {n}": g.numpy()[0] for n, g in zip(layer.states, others, strict=False)}
        params = zip(workload.params, others[len(initial) :], strict=True)
        found = {f"gradient {name}": gradient.numpy() for name, gradient in params}
        return _outputs(layer, (y, last)) | {"gradient x": dx.numpy()} | states | found

    return Prepared(train, labelled)


def _outputs(layer: Any, returned: Any) -> dict[str, Array]:
    y, last = returned
    states = (last,) if isinstance(last, torch.Tensor) else last
    named = {f"state {n}": each.detach().numpy()[0] for n, each in zip(layer.states, states, strict=True)}
    return {"y": y.detach().numpy()} | named
