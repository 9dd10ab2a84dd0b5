"""Operators of PyTorch for the C kernels of one cell: ``symrnn::<cell>_<digest>_forward``, ``_infer`` and ``_backward``.

Reads `CellKernels` that are compiled; registers the operators once in a process, with their fakes, from which
`torch.compile` and `torch.export` learn shapes without a call. An operator takes tensors as they are, on the CPU, in
float32 or float64, and returns new ones. Leaves out: derivatives (`symrnn.torch.differentiate`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symrnn.language.axes import Numbers
from symrnn.torch.boundary import register_in_c
from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.pieces import piece_count, pieces_of
from symrnn.torch.stacks import fixed_tensors, restacked, unstacked

NAMESPACE = "symrnn"
_LIBRARY = torch.library.Library(NAMESPACE, "FRAGMENT")
_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
MOST_THREADS = 1024
"""Of the kernels in C."""
_LOCK = threading.RLock()

# Packages of AOTInductor call an operator with None in place of an empty list, so ``places`` may be None. A list of tensors may
# not: PyTorch would not look into it for what tells which kernel to call. So no list of tensors is empty there: see
# `symrnn.torch.functional.fill_states`, and ``params`` below.
_RUN = (
    "Tensor x, Tensor[] params, int[]? places, int[] sizes, Tensor[] state, Tensor? lengths, bool reverse, int threads"
)
_SCHEMAS = {
    "forward": f"({_RUN}, int checkpoint) -> (Tensor y, Tensor[] final, Tensor tape, Tensor packed)",
    "infer": f"({_RUN}) -> (Tensor y, Tensor[] final)",
    "backward": (
        "(Tensor x, Tensor[] params, int[]? places, int[] sizes, Tensor tape, Tensor packed, Tensor dy, Tensor[] dstate, "
        "Tensor? lengths, bool reverse, int threads, int checkpoint) -> (Tensor dx, Tensor[] dparams, Tensor[] dstate)"
    ),
}


@dataclass(frozen=True)
class CellOperators:
    """The operators of one cell, as PyTorch calls them.

    In all of them, ``params`` and ``places`` are as `symrnn.torch.stacks.unstacked` reads them; for a cell without parameters,
    ``params`` are not read. ``sizes`` are those of the cell in its own order, ``state`` and ``dstate`` are one tensor for each
    state or none for zeros, and ``threads`` is 0 for as many as pay, at most `torch.get_num_threads`. Named axes of a value are
    one axis (`symrnn.torch.shapes`). `backward` returns a tensor without numbers for one that holds fixed parameters, or none.
    """

    forward: Callable[..., Any]
    infer: Callable[..., Any]
    backward: Callable[..., Any]
    in_c: bool
    """Whether PyTorch calls them without Python."""
    why_not: str
    """Why not; empty if it does."""


_REGISTERED: dict[str, CellOperators] = {}


def operators_of(kernels: CellKernels) -> CellOperators:
    """The operators over the compiled kernels, registered at first use."""
    with _LOCK:
        if kernels.digest not in _REGISTERED:
            _REGISTERED[kernels.digest] = register(kernels, f"{kernels.cell.name}_{kernels.digest[:12]}")
        return _REGISTERED[kernels.digest]


def register(kernels: CellKernels, stem: str, *, in_c: bool = True) -> CellOperators:
    """Register the operators under names that begin with ``stem``.

    Args:
        kernels: of the cell, compiled.
        stem: free in this process.
        in_c: call them in C where that is possible, else through ctypes.
    """
    calls, found = _Calls(kernels), {}
    for name, schema in _SCHEMAS.items():
        _LIBRARY.define(f"{stem}_{name}{schema}", tags=(torch.Tag.pt2_compliant_tag,))
    why_not = register_in_c(kernels, stem) if in_c else "ctypes was asked for"
    for name in _SCHEMAS:
        operator = f"{stem}_{name}"
        if why_not:
            _LIBRARY.impl(operator, getattr(calls, name), "CPU")
        torch.library.register_fake(f"{NAMESPACE}::{operator}", getattr(calls, f"fake_{name}"), lib=_LIBRARY)
        found[name] = getattr(getattr(torch.ops, NAMESPACE), operator).default
    torch.library.register_vmap(f"{NAMESPACE}::{stem}_infer", calls.mapped_infer(found["infer"]), lib=_LIBRARY)
    return CellOperators(**found, in_c=not why_not, why_not=why_not)


class _Calls:
    """What the operators do, through ctypes, and what shapes they return."""

    def __init__(self, kernels: CellKernels) -> None:
        assert kernels.compiled is not None
        self._library, self._name = kernels.compiled, kernels.cell.name
        self._size_names = kernels.cell.sizes
        self._shapes, self._fixed = tuple(kernels.parameters.values()), kernels.fixed
        self._states = tuple(kernels.states.values())
        self._inputs, self._outputs = kernels.input_widths, kernels.output_widths

    def forward(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        places: Sequence[int] | None,
        sizes: Sequence[int],
        state: Sequence[Tensor],
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
        checkpoint: int,
    ) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """All steps with a tape."""
        places = places or ()
        if checkpoint:
            return self._forward_in_pieces(x, params, places, sizes, state, lengths, reverse, threads, checkpoint)
        x, raw, n = self._read(x, (*params, *state), sizes, lengths, reverse, threads)
        T, B = x.shape[:2]
        y = x.new_empty(T, B, sum(self._outputs(n)))
        # What the kernels leave alone is zero: the padding between arrays by themselves, rows beyond their length here.
        tape = (x.new_empty if lengths is None else x.new_zeros)(self._library.tape_size(n, T, B))
        packed = x.new_empty(raw.packed_size)
        block, final = self._block(state, B, n), x.new_empty(sum(B * n[size] for size in self._states))
        self._pack(raw, unstacked(params, places), packed, n)
        if x.numel():
            raw.forward(
                packed.data_ptr(),
                x.data_ptr(),
                None if block is None else block.data_ptr(),
                y.data_ptr(),
                final.data_ptr(),
                tape.data_ptr(),
            )
            return y, self._parts(final, B, n), tape, packed
        return y, self._unchanged(x, state, n), tape.zero_(), packed

    def infer(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        places: Sequence[int] | None,
        sizes: Sequence[int],
        state: Sequence[Tensor],
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
    ) -> tuple[Tensor, list[Tensor]]:
        """All steps without a tape."""
        places = places or ()
        x, raw, n = self._read(x, (*params, *state), sizes, lengths, reverse, threads)
        T, B = x.shape[:2]
        y = x.new_empty(T, B, sum(self._outputs(n)))
        if not x.numel():
            return y, self._unchanged(x, state, n)
        packed = x.new_empty(raw.packed_size)
        block, final = self._block(state, B, n), x.new_empty(sum(B * n[size] for size in self._states))
        self._pack(raw, unstacked(params, places), packed, n)
        raw.infer(
            packed.data_ptr(),
            x.data_ptr(),
            None if block is None else block.data_ptr(),
            y.data_ptr(),
            final.data_ptr(),
        )
        return y, self._parts(final, B, n)

    def backward(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        places: Sequence[int] | None,
        sizes: Sequence[int],
        tape: Tensor,
        packed: Tensor,
        dy: Tensor,
        dstate: Sequence[Tensor],
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
        checkpoint: int,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Gradients of the input, of the parameters and of the initial states."""
        places = places or ()
        x, raw, n = self._read(x, (tape, packed, dy, *dstate), sizes, lengths, reverse, threads)
        B = x.shape[1]
        if not x.numel():
            zeros = [each.zero_() for each in self._gradients(x, params, places)]
            return torch.zeros_like(x), zeros, self._unchanged(x, dstate, n)
        kept = self._library.tape_size(n, *x.shape[:2])
        if checkpoint:
            kept = piece_count(checkpoint, *x.shape[:2]) * sum(B * n[size] for size in self._states)
        shapes = [(*x.shape[:2], sum(self._outputs(n))), (kept,), (raw.packed_size,)]
        self._fit("gradient of the output, tape, packed weights", (dy, tape, packed), shapes)
        dy = dy.contiguous()
        # By shape: a parameter may be strided, and its gradient is written row by row.
        shaped = enumerate(self._parameter_shapes(n))
        grads = [x.new_empty(shape) for place, shape in shaped if place not in self._fixed]
        dx, block = torch.empty_like(x), self._block(dstate, B, n)
        dfirst = x.new_empty(sum(B * n[size] for size in self._states))
        pieces: Iterable[tuple[Any, int, int, Tensor]] = [(raw, 0, len(x), tape)]
        if checkpoint:
            pieces = self._pieces_again(x, n, packed, tape, lengths, reverse, threads, checkpoint)
        for number, (call, start, stop, kept) in enumerate(pieces):
            call.backward(
                packed.data_ptr(),
                x[start:stop].data_ptr(),
                kept.data_ptr(),
                dy[start:stop].data_ptr(),
                None if block is None else block.data_ptr(),
                [grad.data_ptr() for grad in grads],
                dx[start:stop].data_ptr(),
                dfirst.data_ptr(),
                number > 0,
            )
            block = dfirst.clone()
        found = restacked(grads, params, places, self._fixed)
        filled = [x.new_empty(0) if each is None else each for each in found]
        return dx, filled if self._shapes else self._gradients(x, params, places), self._parts(dfirst, B, n)

    def _gradients(self, x: Tensor, params: Sequence[Tensor], places: Sequence[int]) -> list[Tensor]:
        """Tensors for the gradients of those in which the parameters lie; without numbers for fixed ones and for none."""
        fixed: Sequence[int] = fixed_tensors(places, self._fixed) if self._shapes else range(len(params))
        return [x.new_empty(0 if at in fixed else each.shape) for at, each in enumerate(params)]

    def _forward_in_pieces(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        places: Sequence[int],
        sizes: Sequence[int],
        state: Sequence[Tensor],
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
        checkpoint: int,
    ) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """All steps, with a tape of the states where pieces begin."""
        x, raw, n = self._read(x, (*params, *state), sizes, lengths, reverse, threads)
        packed = x.new_empty(raw.packed_size)
        self._pack(raw, unstacked(params, places), packed, n)
        y = x.new_zeros(*x.shape[:2], sum(self._outputs(n)))
        numbers = sum(x.shape[1] * n[size] for size in self._states)
        current = self._block(state, x.shape[1], n)
        current = x.new_zeros(numbers) if current is None else current
        starts = []
        for start, stop, within in pieces_of(x, lengths, reverse, checkpoint):
            starts.append(current)
            if x.numel():
                call, after = self._raw(x[start:stop], n, within, reverse, threads), torch.empty_like(current)
                call.infer(
                    packed.data_ptr(),
                    x[start:stop].data_ptr(),
                    current.data_ptr(),
                    y[start:stop].data_ptr(),
                    after.data_ptr(),
                )
                current = after
        tape = torch.cat(starts) if starts else x.new_empty(0)
        return y, self._parts(current, x.shape[1], n), tape, packed

    def _pieces_again(
        self,
        x: Tensor,
        n: dict[str, int],
        packed: Tensor,
        starts: Tensor,
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
        checkpoint: int,
    ) -> Iterator[tuple[Any, int, int, Tensor]]:
        """Each piece with its tape, the one that ran last first."""
        pieces = pieces_of(x, lengths, reverse, checkpoint)
        for (start, stop, within), first in reversed([*zip(pieces, starts.view(len(pieces), -1), strict=True)]):
            part, call = x[start:stop], self._raw(x[start:stop], n, within, reverse, threads)
            tape = x.new_empty(self._library.tape_size(n, *part.shape[:2]))
            y, after = x.new_empty(*part.shape[:2], sum(self._outputs(n))), torch.empty_like(first)
            call.forward(
                packed.data_ptr(), part.data_ptr(), first.data_ptr(), y.data_ptr(), after.data_ptr(), tape.data_ptr()
            )
            yield call, start, stop, tape

    @staticmethod
    def mapped_infer(infer: Callable[..., Any]) -> Callable[..., Any]:
        """How a mapped axis goes through `infer`: one call after the other, each with parameters of its own."""

        def one_by_one(info: Any, in_dims: Sequence[Any], *arguments: Any) -> tuple[Any, Any]:
            if not info.batch_size:
                raise ValueError("vmap: the mapped axis has no entries; leave the call out")
            found = [
                infer(*(_at(each, dims, index) for each, dims in zip(arguments, in_dims, strict=True)))
                for index in range(info.batch_size)
            ]
            final = [torch.stack(each) for each in zip(*(state for _, state in found), strict=True)]
            return (torch.stack([y for y, _ in found]), final), (0, [0] * len(final))

        return one_by_one

    def fake_forward(
        self, x: Tensor, params: Any, places: Any, sizes: Sequence[int], state: Any, lengths: Any, *how: Any
    ) -> tuple[Any, ...]:
        """The shapes of what `forward` returns."""
        y, final = self.fake_infer(x, params, places, sizes)
        n = self._sizes(sizes)
        packed = self._library.raw(n, _DTYPES[x.dtype], 1, 1).packed_size
        tape, checkpoint = self._library.tape_size(n, *x.shape[:2]), how[-1]
        if checkpoint:
            tape = piece_count(checkpoint, *x.shape[:2]) * sum(each.numel() for each in final)
        return y, final, x.new_empty(tape), x.new_empty(packed)

    def fake_infer(self, x: Tensor, params: Any, places: Any, sizes: Sequence[int], *_: Any) -> tuple[Any, ...]:
        """The shapes of what `infer` returns."""
        n, (T, B) = self._sizes(sizes), x.shape[:2]
        return x.new_empty(T, B, sum(self._outputs(n))), [x.new_empty(B, n[size]) for size in self._states]

    def fake_backward(
        self,
        x: Tensor,
        params: Sequence[Tensor],
        places: Sequence[int] | None,
        sizes: Sequence[int],
        *_: Any,
    ) -> tuple[Any, ...]:
        """The shapes of what `backward` returns."""
        n, B = self._sizes(sizes), x.shape[1]
        grads = self._gradients(x, params, places or ())
        return x.new_empty(x.shape), grads, [x.new_empty(B, n[size]) for size in self._states]

    def _sizes(self, sizes: Sequence[int]) -> dict[str, int]:
        return Numbers({"1": 1, **dict(zip(self._size_names, map(int, sizes), strict=True))})

    def _parameter_shapes(self, n: dict[str, int]) -> list[tuple[int, ...]]:
        return [tuple(n[size] for size in shape) for shape in self._shapes]

    def _read(
        self,
        x: Tensor,
        others: Sequence[Tensor],
        sizes: Sequence[int],
        lengths: Tensor | None,
        reverse: bool,
        threads: int,
    ) -> tuple[Tensor, Any, dict[str, int]]:
        """The input, dense; calls for its shape; every size by name. The kernels read numbers as those of the input are."""
        if x.dtype not in _DTYPES:
            raise TypeError(
                f"{self._name}: the kernels take float32 and float64, found {x.dtype}; convert it with .to()"
            )
        for other in others:
            if other.dtype != x.dtype or other.device != x.device:
                raise TypeError(
                    f"{self._name}: expected {x.dtype} on {x.device}, as x is, found {other.dtype} on {other.device}; convert "
                    "it with .to()"
                )
        n = self._sizes(sizes)
        width = sum(self._inputs(n))
        if x.ndim != 3 or x.shape[-1] != width:
            raise ValueError(f"{self._name}: expected x of shape (T, B, {width}), found {tuple(x.shape)}")
        return x.contiguous(), self._raw(x, n, lengths, reverse, threads), n

    def _fit(self, what: str, tensors: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> None:
        """Refuse tensors of other shapes: the kernels would read beyond them."""
        found = [tuple(each.shape) for each in tensors]
        if found != list(shapes):
            raise ValueError(
                f"{self._name}: {what}: a tensor has another shape than the sizes say: {found}, not {shapes}"
            )

    def _raw(self, x: Tensor, n: dict[str, int], lengths: Tensor | None, reverse: bool, threads: int) -> Any:
        """Calls for the shape of an input."""
        rows = None if lengths is None else lengths.numpy().astype(np.uintp)
        most = MOST_THREADS if threads else torch.get_num_threads()
        return self._library.raw(n, _DTYPES[x.dtype], *x.shape[:2], rows, reverse, threads or None, most)

    def _pack(self, raw: Any, params: Sequence[Tensor], packed: Tensor, n: dict[str, int]) -> None:
        params = params if self._shapes else ()
        self._fit("parameters", params, self._parameter_shapes(n))
        dense = [each.contiguous() for each in params]
        raw.pack([each.data_ptr() for each in dense], packed.data_ptr())

    def _block(self, state: Sequence[Tensor], rows: int, n: dict[str, int]) -> Tensor | None:
        """States side by side, as C takes them; None for zeros."""
        if state:
            self._fit("states", state, [(rows, n[size]) for size in self._states])
        return torch.cat([each.reshape(-1) for each in state]) if state else None

    def _parts(self, block: Tensor, rows: int, n: dict[str, int]) -> list[Tensor]:
        """The states of a block, each of its own memory: no result of an operator is a part of another one."""
        found = block.split([rows * n[size] for size in self._states])
        return [each.view(rows, n[size]).clone() for each, size in zip(found, self._states, strict=True)]

    def _unchanged(self, x: Tensor, state: Sequence[Tensor], n: dict[str, int]) -> list[Tensor]:
        """The states where there is no step or no row."""
        return [each.clone() for each in state] or [x.new_zeros(x.shape[1], n[size]) for size in self._states]


def _at(value: Any, dims: Any, index: int) -> Any:
    """An argument at a place of the mapped axis, which stands at ``dims``; lists have an axis for each of their items."""
    if isinstance(dims, list | tuple):
        return [_at(each, dim, index) for each, dim in zip(value, dims, strict=True)]
    return value.select(dims, index) if isinstance(dims, int) else value
