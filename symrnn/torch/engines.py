"""The two engines of a cell: operators over C, on a CPU, and operations of PyTorch, everywhere else.

Reads `CellKernels`; returns an `Engine`, three functions of tensors. Leaves out: derivatives of what they compute
(`symrnn.torch.autograd_functions`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from torch import Tensor

from symrnn.language.system import ONE
from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.operators import operators_of
from symrnn.torch.pieces import backward_in_pieces, forward_in_pieces
from symrnn.torch.shapes import Runs, axes_in, on_rows
from symrnn.torch.stacks import fixed_tensors, restacked, unstacked

Call: TypeAlias = tuple[Sequence[int], Sequence[int], bool, int, int]
"""The numbers of a call: places of parameters in their tensors, sizes of the cell, reverse, threads, checkpoint."""

Engine: TypeAlias = tuple[Callable[..., tuple[Tensor, ...]], ...]
"""Three functions: forward, which returns outputs, final states and what backward needs; infer, which keeps nothing; and
backward, which returns gradients of the input, of the parameters and of the initial states. Functions, and no object that has
them: `torch.compile` follows these."""


def compiled_engine(kernels: CellKernels) -> Engine:
    """The engine of operators over C. Where a cell has no parameters, they get ``x``: a package has no empty lists."""
    operators = operators_of(kernels)
    run_forward, run_infer, run_backward = operators.forward, operators.infer, operators.backward
    fixed = kernels.fixed

    def forward(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:
        places, sizes, *how = call
        y, final, tape, packed = run_forward(x, params or (x,), places, sizes, state, lengths, *how)
        return (y, *final, tape, packed)

    def infer(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:
        places, sizes, reverse, threads, _ = call
        y, final = run_infer(x, params or (x,), places, sizes, state, lengths, reverse, threads)
        return (y, *final)

    def backward(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
        kept: Sequence[Tensor],
        dy: Tensor,
        dfinal: Sequence[Tensor],
    ) -> tuple[Tensor | None, ...]:
        (places, sizes, *how), (tape, packed) = call, kept
        given = params or (x,)
        dx, dparams, dstate = run_backward(x, given, places, sizes, tape, packed, dy, dfinal, lengths, *how)
        if fixed:
            without = fixed_tensors(places, fixed)
            dparams = [None if at in without else each for at, each in enumerate(dparams)]
        return (dx, *dparams[: len(params)], *dstate)

    return forward, infer, backward


def _runs_of(kernels: CellKernels) -> Callable[[Sequence[int]], Runs]:
    """The functions of the module for tensors without named axes, by the sizes of a call; they part the inputs in a row."""
    module, fixed = kernels.operations, kernels.fixed
    order, parted = (ONE, *kernels.cell.sizes), len(kernels.inputs) > 1 or kernels.has_axes_of_inputs
    parameters, states = [*kernels.parameters.values()], [*kernels.states.values()]
    given, has_axes = [*kernels.inputs.values()], kernels.has_axes  # `torch.compile` follows no object of ours

    def runs_for(sizes: Sequence[int]) -> Runs:
        forward, infer, backward = module.forward_flat, module.infer_flat, module.backward_flat
        named = dict(zip(order, (1, *sizes), strict=True))
        if parted:
            inputs = [axes_in(size, named) for size in given]
            forward, infer, backward = (partial(each, inputs=inputs) for each in (forward, infer, backward))
        if has_axes:
            return on_rows((forward, infer, backward), parameters, states, named, fixed)
        return forward, infer, backward

    return runs_for


def operations_engine(kernels: CellKernels) -> Engine:
    """The engine of operations of PyTorch: any device, any floating dtype. PyTorch differentiates its infer like any others."""
    runs_for, fixed = _runs_of(kernels), kernels.fixed

    def forward(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:
        places, sizes, reverse, _, checkpoint = call
        run_forward, run_infer, _ = runs_for(sizes)
        given = unstacked(params, places)
        if checkpoint:
            return forward_in_pieces(run_infer, given, x, state, lengths, reverse, checkpoint)
        y, final, kept = run_forward(given, x, state, lengths, reverse)
        return (y, *final, *kept)

    def infer(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:
        places, sizes, reverse, _, _ = call
        y, final = runs_for(sizes)[1](unstacked(params, places), x, state, lengths, reverse)
        return (y, *final)

    def backward(
        x: Tensor,
        lengths: Tensor | None,
        call: Call,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
        kept: Sequence[Tensor],
        dy: Tensor,
        dfinal: Sequence[Tensor],
    ) -> tuple[Tensor | None, ...]:
        places, sizes, reverse, _, checkpoint = call
        run_forward, _, run_backward = runs_for(sizes)
        given = unstacked(params, places)
        if checkpoint:
            pieces = (given, x, lengths, reverse, checkpoint, kept, dy, dfinal, fixed)
            dx, dparams, dstate = backward_in_pieces(run_forward, run_backward, *pieces)
        else:
            dx, dparams, dstate = run_backward(given, x, state, lengths, reverse, kept, dy, dfinal)
        return (dx, *restacked(dparams, params, places, fixed), *dstate)

    return forward, infer, backward
