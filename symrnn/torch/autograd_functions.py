"""An engine as functions for autograd: the sequence, and the derived backward pass, which is its derivative.

The derivative of that pass comes from the same equations in operations of PyTorch. The operator in an exported program, which
has no such functions around it, gets the derived backward pass too.

Reads an `Engine`; returns functions with an ``apply``. Leaves out: which one is called (`symrnn.torch.differentiate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

from symrnn.language.axes import axes_of
from symrnn.language.system import ONE
from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.engines import Call, Engine
from symrnn.torch.operators import operators_of
from symrnn.torch.stacks import fixed_tensors

Pull: TypeAlias = Callable[[Any, Tensor | None, Sequence[Tensor | None]], tuple[Tensor | None, ...]]


def functions_of(kernels: CellKernels, engine: Engine, operations: Engine) -> tuple[Any, Any]:
    """The sequence as a function for autograd, without and with what transformations and `torch.compile` need.

    The first takes 30 µs less at each call. They are made for an engine, because `apply` takes tensors and numbers.
    """
    run_forward = engine[0]
    states = len(kernels.states)
    pull = _pull(kernels, engine, operations)
    # An operator has a derivative of its own (`give_gradient`), which would cost as much as this one.
    passed = nullcontext if engine is operations else torch._C._AutoDispatchBelowAutograd

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
            with passed():
                output = run_forward(x, lengths, call, tensors[:count], tensors[count:])
            _save(ctx, x, lengths, call, count, tensors, output, states)
            return output[: 1 + states]

        @staticmethod
        def backward(ctx: Any, dy: Tensor | None, *dfinal: Tensor | None) -> tuple[Tensor | None, ...]:
            return pull(ctx, dy, dfinal)

    return _Plain, _Sequence


def give_gradient(kernels: CellKernels, engine: Engine, operations: Engine) -> None:
    """Give the operator ``_forward`` its derivative, once: an exported program calls it without a function around it.

    Args:
        kernels: of the cell.
        engine: of its operators.
        operations: the engine of operations of PyTorch, for further derivatives.
    """
    operator: Any = operators_of(kernels).forward
    if torch._C._dispatch_has_kernel_for_dispatch_key(operator.name(), "Autograd"):
        return
    states, parameters = len(kernels.states), len(kernels.parameters)
    pull = _pull(kernels, engine, operations)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
        x, params, places, sizes, state, lengths, *how = inputs
        y, final, tape, packed = output
        params = params if parameters else []
        call = (tuple(places or ()), tuple(sizes), *how)
        ctx.of_places = [] if places == [] else None  # PyTorch takes an empty list for one of tensors
        _save(ctx, x, lengths, call, len(params), [*params, *state], (y, *final, tape, packed), states)
        ctx.mark_non_differentiable(tape, packed)

    def backward(ctx: Any, dy: Tensor | None, dfinal: Sequence[Tensor | None], *kept: Any) -> tuple[Any, ...]:
        dx, _, _, _, *others = pull(ctx, dy, dfinal)
        dparams: list[Tensor | None] = others[: ctx.count] if parameters else [None]
        return (dx, dparams, ctx.of_places, None, others[ctx.count :], *[None] * 4)

    torch.library.register_autograd(operator, backward, setup_context=setup_context)


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
