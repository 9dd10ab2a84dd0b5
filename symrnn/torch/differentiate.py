"""One cell as a function that PyTorch differentiates: any number of times, under `torch.func`, `vmap` and `torch.compile`.

Reads `CellKernels`; returns a function of tensors (`Differentiable`). It chooses the engine (`symrnn.torch.engines`) and what
PyTorch sees of it: a function for autograd (`symrnn.torch.autograd_functions`), or, where nobody differentiates, the engine
itself. Leaves out: what a person passes (`symrnn.torch.functional`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

from symrnn.language.cellfile import CellLike
from symrnn.torch.autograd_functions import functions_of, give_gradient
from symrnn.torch.cell_kernels import CellKernels, kernels_of
from symrnn.torch.engines import compiled_engine, operations_engine
from symrnn.torch.stacks import fixed_tensors

COMPILED_DEVICES = ("cpu", "meta")
"""Where the operators over C run; on the second, shapes alone."""


class Differentiable:
    """A cell as a function of tensors; the same for the same kernels (`differentiable`).

    Tensors have one dtype and one device; they fit one another (`symrnn.torch.cell_kernels.read_sizes`). Named axes of a value
    are one axis here: states are (B, size), parameters vectors and matrices (`symrnn.torch.shapes`).
    """

    def __init__(self, kernels: CellKernels) -> None:
        self.kernels = kernels
        operations = operations_engine(kernels)
        compiled = operations if kernels.compiled is None else compiled_engine(kernels)
        self._states = len(kernels.states)
        self._infer, self._infer_compiled = operations[1], compiled[1]
        self._sequence = functions_of(kernels, operations, operations)
        self._sequence_compiled = self._sequence
        if kernels.compiled is not None:
            self._sequence_compiled = functions_of(kernels, compiled, operations)
            give_gradient(kernels, compiled, operations)

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
