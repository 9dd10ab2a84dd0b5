"""PyTorch's fused layers: nn.RNN, nn.LSTM, nn.GRU; for ragged rows, on packed sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.grid import Mode
from benchmarks.participants import Prepared
from benchmarks.participants.fused_layers import FusedLayer, layout
from benchmarks.workload import Array, Task, Workload, cell_of, draw


def versions() -> dict[str, str]:
    """Package to version."""
    return {"torch": torch.__version__}


def prepare(task: Task) -> Prepared:
    """Inference without gradients, or the forward pass and every gradient.

    Raises:
        Unsupported: PyTorch has no layer for this cell.
    """
    found = layout(cell_of(task.cell).name, "torch")
    problem = draw(task)
    torch.set_num_threads(task.threads)
    layer = getattr(torch.nn, found.layer)(problem.x.shape[2], problem.states[found.states[0]])
    with torch.no_grad():
        for name in found.stacks:
            getattr(layer, name).copy_(torch.from_numpy(found.stacked(name, problem)))
    run = _runner(layer, found, problem)
    x = torch.from_numpy(problem.x)
    if task.mode is Mode.INFERENCE:

        def infer() -> Any:
            with torch.inference_mode():
                return run(x, None)

        return Prepared(infer, lambda returned: _outputs(found, returned))
    return _training(run, layer, found, problem)


def _runner(layer: Any, found: FusedLayer, problem: Workload) -> Callable[[Any, Any], Any]:
    """The layer on x and initial states: (y, states)."""
    if problem.lengths is None:
        return lambda x, state: layer(x) if state is None else layer(x, state)
    lengths, steps = torch.from_numpy(problem.lengths), problem.x.shape[0]

    def ragged(x: Any, state: Any) -> Any:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, last = layer(packed) if state is None else layer(packed, state)
        return pad_packed_sequence(y, total_length=steps)[0], last

    return ragged


def _training(run: Callable[[Any, Any], Any], layer: Any, found: FusedLayer, problem: Workload) -> Prepared:
    batch = problem.x.shape[1]
    x = torch.from_numpy(problem.x).requires_grad_()
    dy = torch.from_numpy(problem.dy)
    initial = [torch.zeros(1, batch, problem.states[name]).requires_grad_() for name in found.states]
    weights = [getattr(layer, name) for name in found.stacks]

    def train() -> Any:
        y, last = run(x, tuple(initial) if len(initial) > 1 else initial[0])
        return y, last, torch.autograd.grad(y, [x, *initial, *weights], dy)

    def labelled(returned: Any) -> dict[str, Array]:
        y, last, (dx, *others) = returned
        states = {f"gradient state {n}": g.numpy()[0] for n, g in zip(found.states, others, strict=False)}
        result = _outputs(found, (y.detach(), last)) | {"gradient x": dx.numpy()} | states
        for name, gradient in zip(found.stacks, others[len(initial) :], strict=True):
            result |= {f"gradient {block}": part for block, part in found.blocks(name, gradient.numpy()).items()}
        return result

    return Prepared(train, labelled)


def _outputs(found: FusedLayer, returned: Any) -> dict[str, Array]:
    y, last = returned
    arrays = last if isinstance(last, tuple) else (last,)
    states = {f"state {n}": a.detach().numpy()[0] for n, a in zip(found.states, arrays, strict=True)}
    return {"y": y.numpy(), **states}
