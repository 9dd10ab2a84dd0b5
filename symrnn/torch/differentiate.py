"""One cell as a function that PyTorch differentiates: any number of times, under `torch.func`, `vmap` and `torch.compile`.

Reads `CellKernels`; returns a function of tensors (`Sequence`). It has two engines with one interface: the operators over C
on a CPU, and operations of PyTorch everywhere else. Around an engine stand two functions for autograd: the sequence, whose
derivative is the derived backward pass; and that pass, whose own derivative comes from the same equations in operations of
PyTorch. Leaves out: what a person passes (`symrnn.torch.functional`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from symrnn.language.axes import axes_of
from symrnn.language.cellfile import CellLike
from symrnn.language.system import ONE
from symrnn.torch.cell_kernels import CellKernels, kernels_of
from symrnn.torch.operators import operators_of
from symrnn.torch.pieces import backward_in_pieces, forward_in_pieces
from symrnn.torch.shapes import Runs, on_rows
from symrnn.torch.stacks import fixed_tensors, restacked, unstacked

COMPILED_DEVICES = ("cpu", "meta")
"""Where the operators over C run; on the second, shapes alone."""


Call: TypeAlias = tuple[Sequence[int], Sequence[int], bool, int, int]
"""The numbers of a call: places of parameters in their tensors, sizes of the cell, reverse, threads, checkpoint."""

Engine: TypeAlias = tuple[Callable[..., tuple[Tensor, ...]], ...]
"""Three functions: forward, which returns outputs, final states and what backward needs; infer, which keeps nothing; and
backward, which returns gradients of the input, of the parameters and of the initial states. Functions, and no object that has
them: `torch.compile` follows these."""


def _compiled(kernels: CellKernels) -> Engine:
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


def _operations(kernels: CellKernels) -> Engine:
    """The engine of operations of PyTorch: any device, any floating dtype. PyTorch differentiates its infer like any others."""
    module, fixed = kernels.operations, kernels.fixed
    order, alone = (ONE, *kernels.cell.sizes), len(kernels.inputs) == 1
    parameters, states = [*kernels.parameters.values()], [*kernels.states.values()]

    def runs_for(sizes: Sequence[int]) -> Runs:
        """The functions of the module, which part the inputs in a row by their widths, for tensors without named axes."""
        forward, infer, backward = module.forward_flat, module.infer_flat, module.backward_flat
        named = dict(zip(order, (1, *sizes), strict=True))
        if not alone:
            widths = kernels.input_widths(named)
            forward, infer, backward = (partial(each, widths=widths) for each in (forward, infer, backward))
        if kernels.has_axes:
            return on_rows((forward, infer, backward), parameters, states, named, fixed)
        return forward, infer, backward

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


class Differentiable:
    """A cell as a function of tensors; the same for the same kernels (`differentiable`).

    Tensors have one dtype and one device; they fit one another (`symrnn.torch.cell_kernels.read_sizes`). Named axes of a value
    are one axis here: states are (B, size), parameters vectors and matrices (`symrnn.torch.shapes`).
    """

    def __init__(self, kernels: CellKernels) -> None:
        self.kernels = kernels
        operations = _operations(kernels)
        compiled = operations if kernels.compiled is None else _compiled(kernels)
        self._states = len(kernels.states)
        self._infer, self._infer_compiled = operations[1], compiled[1]
        self._sequence = _functions(kernels, operations, operations)
        self._sequence_compiled = self._sequence
        if kernels.compiled is not None:
            self._sequence_compiled = _functions(kernels, compiled, operations)

    def __call__(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        state: Sequence[Tensor],
        sizes: Sequence[int],
        places: Sequence[int] = (),
        lengths: Tensor | None = None,
        reverse: bool = False,
        threads: int = 0,
        checkpoint: int = 0,
    ) -> tuple[Tensor, ...]:
        """Run a sequence: returns the output (T, B, size) and the final states, (B, size) each.

        Args:
            x: (T, B, input).
            params: the parameters, or the tensors in which they lie.
            state: initial states in the cell's order, or none for zeros.
            sizes: of the cell, in its own order.
            places: of the parameters in the tensors (`symrnn.torch.stacks.unstacked`).
            lengths: (B,) steps of each row, whole numbers.
            reverse: run each row from its last step to its first.
            threads: their number, or 0 for as many as pay.
            checkpoint: keep states alone, every so many steps, and compute the rest again; 0 keeps everything.
        """
        call = (places, sizes, reverse, threads, checkpoint)
        here = x.device.type in COMPILED_DEVICES
        infer = self._infer_compiled if here else self._infer
        if self.kernels.fixed:
            self._hold_fixed(params, places)
        if _has_tangents():
            # Forward mode goes through operations: an operator would drop the tangents without a word.
            return self._infer(x, lengths, call, params, state)
        transformed = torch._C._are_functorch_transforms_active()
        # Within vmap, a tensor does not tell whether somebody outside differentiates by it.
        if torch.is_grad_enabled() and (transformed or any(each.requires_grad for each in (x, *params, *state))):
            plain, sequence = self._sequence_compiled if here else self._sequence
            function = sequence if transformed or torch.compiler.is_compiling() else plain
            found = function.apply(x, lengths, call, len(params), *params, *state)
            return tuple(found[: 1 + self._states])
        return infer(x, lengths, call, params, state)

    def _hold_fixed(self, params: Sequence[Tensor], places: Sequence[int]) -> None:
        """Refuse to differentiate by a fixed parameter: nothing derived its gradient.

        Raises:
            ValueError: somebody asks for it.
        """
        names, fixed = [*self.kernels.parameters], self.kernels.fixed
        for at in fixed_tensors(places, fixed):
            backwards = torch.is_grad_enabled() and params[at].requires_grad
            if backwards or (_has_tangents() and forward_ad.unpack_dual(params[at]).tangent is not None):
                raise ValueError(
                    f"{self.kernels.cell.name}: {', '.join(names[place] for place in fixed)}: fixed, so without gradient, but "
                    "a tensor asks for one; give it as tensor.detach()"
                )


def _has_tangents() -> bool:
    """Whether PyTorch differentiates in forward mode here."""
    return bool(forward_ad._current_level >= 0)


_MADE: dict[CellKernels, Differentiable] = {}
_LOCK = threading.RLock()


def differentiable(cell: CellLike) -> Differentiable:
    """The function of a cell, made at first use, before `torch.compile` sees a call of it.

    Args:
        cell: a `symrnn.Cell`, the name of a bundled one, or the path of a cell file.

    Raises:
        CellError: the cell cannot be read.
    """
    kernels = kernels_of(cell)
    with _LOCK:
        if kernels not in _MADE:
            _MADE[kernels] = Differentiable(kernels)
        return _MADE[kernels]


Pull: TypeAlias = Callable[[Any, Tensor | None, Sequence[Tensor | None]], tuple[Tensor | None, ...]]


def _functions(kernels: CellKernels, engine: Engine, operations: Engine) -> tuple[Any, Any]:
    """The sequence as a function for autograd, without and with what transformations and `torch.compile` need.

    The first takes 30 µs less at each call. They are made for an engine, because `apply` takes tensors and numbers.
    """
    run_forward = engine[0]
    states = len(kernels.states)
    pull = _pull(kernels, engine, operations)

    class _Sequence(Function):
        """All steps. Tensors: parameters, initial states or none. Outputs: y, final states, what is kept."""

        @staticmethod
        def forward(x: Tensor, lengths: Tensor | None, call: Call, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
            return run_forward(x, lengths, call, tensors[:count], tensors[count:])

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            x, lengths, call, count, *tensors = inputs
            _save(ctx, x, lengths, call, count, tensors, output, states)
            ctx.mark_non_differentiable(*output[1 + states :])

        @staticmethod
        def backward(ctx: Any, dy: Tensor | None, *others: Tensor | None) -> tuple[Tensor | None, ...]:
            return pull(ctx, dy, others[:states])

        @staticmethod
        def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
            return _one_by_one(_Sequence, info.batch_size, in_dims, arguments)

    class _Plain(Function):
        """The same, but what is kept is no output."""

        @staticmethod
        def forward(ctx: Any, x: Tensor, lengths: Tensor | None, call: Call, count: int, *tensors: Tensor) -> Any:
            output = run_forward(x, lengths, call, tensors[:count], tensors[count:])
            _save(ctx, x, lengths, call, count, tensors, output, states)
            return output[: 1 + states]

        @staticmethod
        def backward(ctx: Any, dy: Tensor | None, *dfinal: Tensor | None) -> tuple[Tensor | None, ...]:
            return pull(ctx, dy, dfinal)

    return _Plain, _Sequence


def _save(
    ctx: Any,
    x: Tensor,
    lengths: Tensor | None,
    call: Call,
    count: int,
    tensors: Sequence[Tensor],
    output: Sequence[Tensor],
    states: int,
) -> None:
    """Save what the backward pass of a sequence reads."""
    ctx.call, ctx.count, ctx.inputs, ctx.shape = call, count, len(tensors), output[0].shape
    # The parameters too, though only packed weights are read: so PyTorch refuses ones that have changed.
    ctx.save_for_backward(x, lengths, *tensors, *output[1 + states :])
    ctx.set_materialize_grads(False)


def _pull(kernels: CellKernels, engine: Engine, operations: Engine) -> Pull:
    """The backward pass of a sequence, from what it saved, as a function that can be differentiated itself."""
    run_backward, fixed = engine[2], kernels.fixed
    order = (ONE, *kernels.cell.sizes)
    of_states = tuple(tuple(order.index(axis) - 1 for axis in axes_of(size)) for size in kernels.states.values())

    def zeros(x: Tensor, call: Call) -> list[Tensor]:
        """A state, or its gradient, of zeros for each."""
        return [x.new_zeros(x.shape[1], math.prod([call[1][at] for at in axes])) for axes in of_states]

    derived = _derived_pass(run_backward, operations[1], zeros, fixed)

    def pull(ctx: Any, dy: Tensor | None, dfinal: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        x, lengths, *tensors = ctx.saved_tensors
        inputs, kept, call = tensors[: ctx.inputs], tensors[ctx.inputs :], ctx.call
        if dy is None:
            dy = x.new_zeros(ctx.shape)
        given: list[Tensor] = []
        if any(each is not None for each in dfinal):
            pairs = zip(dfinal, zeros(x, call), strict=True)
            given = [zero if each is None else each for each, zero in pairs]
        if torch.is_grad_enabled():  # somebody will differentiate these gradients
            counts = (ctx.count, ctx.inputs - ctx.count, len(given))
            found = derived.apply(x, lengths, call, counts, dy, *inputs, *given, *kept)
            if fixed:
                left, without = iter(found), [1 + at for at in fixed_tensors(call[0], fixed)]
                found = tuple(None if at in without else next(left) for at in range(1 + ctx.inputs))
        else:
            found = run_backward(x, lengths, call, inputs[: ctx.count], inputs[ctx.count :], kept, dy, given)
        return (found[0], None, None, None, *found[1 : 1 + ctx.inputs])

    return pull


def _derived_pass(
    run_backward: Callable[..., tuple[Tensor | None, ...]],
    infer: Callable[..., tuple[Tensor, ...]],
    zeros: Callable[[Tensor, Call], list[Tensor]],
    fixed: Sequence[int],
) -> Any:
    """The derived backward pass as a function for autograd, whose own derivative goes through operations of PyTorch.

    It returns no gradients of tensors that hold the parameters at the places ``fixed``.
    """

    class _DerivedPass(Function):
        """Tensors: dy, parameters, initial states or none, gradients of final states or none, what was kept."""

        @staticmethod
        def forward(
            x: Tensor, lengths: Tensor | None, call: Call, counts: tuple[int, int, int], *tensors: Tensor
        ) -> tuple[Tensor, ...]:
            params, state, dfinal, kept = _parted(tensors[1:], counts)
            found = run_backward(x, lengths, call, params, state, kept, tensors[0], dfinal)
            return tuple(each for each in found if each is not None)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            x, lengths, ctx.call, ctx.counts, *tensors = inputs
            read = 1 + sum(ctx.counts)
            ctx.kept = len(tensors) - read
            ctx.save_for_backward(x, lengths, *tensors[:read])
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
            x, lengths, *saved = ctx.saved_tensors
            without = fixed_tensors(ctx.call[0], fixed)

            def gradients(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
                params, state, dfinal, _ = _parted(tensors[1:], ctx.counts)
                state = state or zeros(x, ctx.call)
                moving = [each for at, each in enumerate(params) if at not in without]

                def sequence(x: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
                    left = iter(inputs[: len(moving)])
                    given = [each if at in without else next(left) for at, each in enumerate(params)]
                    return infer(x, lengths, ctx.call, given, inputs[len(moving) :])

                _, pull = torch.func.vjp(sequence, x, *moving, *state)
                return tuple(pull((tensors[0], *(dfinal or zeros(x, ctx.call)))))

            results, pull = torch.func.vjp(gradients, x, *saved)
            filled = [
                torch.zeros_like(result) if each is None else each
                for result, each in zip(results, cotangents, strict=True)
            ]
            dx, *others = pull(tuple(filled))
            others = [None if at - 1 in without else each for at, each in enumerate(others)]
            return (dx, None, None, None, *others, *[None] * ctx.kept)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
            return _one_by_one(_DerivedPass, info.batch_size, in_dims, arguments)

    return _DerivedPass


def _parted(tensors: Sequence[Tensor], counts: Sequence[int]) -> tuple[Sequence[Tensor], ...]:
    """Tensors in parts of these lengths, and the rest."""
    a, b, c = counts
    return tensors[:a], tensors[a : a + b], tensors[a + b : a + b + c], tensors[a + b + c :]


def _one_by_one(
    function: Any, count: int, in_dims: Sequence[Any], arguments: Sequence[Any]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """A mapped axis as calls one after the other: each may have parameters of its own."""

    def at(index: int) -> list[Any]:
        return [
            each.select(dim, index) if isinstance(each, Tensor) and dim is not None else each
            for each, dim in zip(arguments, in_dims, strict=True)
        ]

    if not count:
        raise ValueError("vmap: the mapped axis has no entries; leave the call out")
    found = [function.apply(*at(index)) for index in range(count)]
    stacked = tuple(torch.stack(each) for each in zip(*found, strict=True))
    return stacked, (0,) * len(stacked)
