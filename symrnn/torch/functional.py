"""A cell as a function of tensors: ``functional(cell)(x, params)``, as `torch.nn.functional` has functions.

Reads a cell; returns a `CellFunction`. Here arguments are checked, and precision is chosen: what the kernels in C do not take
on a CPU runs in float32 and comes back as it was, and under `torch.autocast` everything runs in float32. Leaves out: parameters
that are kept (`symrnn.torch.layer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from symrnn.language.axes import shape_axes
from symrnn.language.cellfile import CellLike
from symrnn.language.system import ONE
from symrnn.torch.cell_kernels import CellKernels, read_sizes
from symrnn.torch.differentiate import Differentiable, differentiable
from symrnn.torch.operators import MOST_THREADS
from symrnn.torch.shapes import axes_in, level, level_parameters, shaped

_NARROW = (torch.float16, torch.bfloat16)
"""What runs in float32 on a CPU."""
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


Outputs: TypeAlias = Tensor | dict[str, Tensor]
"""The output of a cell, or each of several by name."""


class CellFunction:
    """A cell as a function of tensors; `functional` makes it.

    Attributes:
        cell: what it computes.
    """

    def __init__(self, function: Differentiable) -> None:
        self._function = function
        self.cell = function.kernels.cell

    def __call__(
        self,
        x: Tensor,
        params: Mapping[str, Tensor],
        state: Mapping[str, Tensor] | None = None,
        lengths: Tensor | None = None,
        reverse: bool = False,
        threads: int | None = None,
        checkpoint: int | None = None,
        inputs: Mapping[str, Tensor] | None = None,
    ) -> tuple[Outputs, dict[str, Tensor]]:
        """Run a sequence: returns the output (T, B, size), and the final states by name, (B, size) each.

        Where the cell has several outputs, they are returned by name. A value with several axes has an axis of the tensor for
        each, in every argument and result: a state with the axes ``value`` and ``key`` is (B, value, key).

        Args:
            x: (T, B, input), or with an axis for each of its own.
            params: by name, in the shapes that the equations read.
            state: initial states by name; None or a missing one means zeros.
            lengths: (B,) steps of each row, whole numbers from 0 to T; beyond, its state stays and its output is zero.
            reverse: run each row from its last step to its first; output t stays at index t.
            threads: of a CPU; None for as many as pay, at most `torch.get_num_threads`.
            checkpoint: for long sequences: keep the states alone, every so many steps or a few more, and compute the rest
                again in the backward pass; None keeps everything.
            inputs: the inputs beside ``x`` by name, (T, B, size) each, where the cell has some.

        Raises:
            ValueError: a name is unknown or missing, or a shape does not fit.
            TypeError: a dtype or a device differs from that of ``x``.
        """
        kernels = self._function.kernels
        hold_tensor("x", x)
        axes = shape_axes((kernels.inputs["x"],))
        if x.ndim != 2 + len(axes):
            raise ValueError(f"x: expected ({', '.join(('T', 'B', *axes))}), found shape {tuple(x.shape)}")
        _known("params", params, kernels.parameters)
        missing = next((name for name in kernels.parameters if name not in params), None)
        if missing is not None:
            raise ValueError(f"params: {missing!r} is missing; expected {', '.join(kernels.parameters)}")
        state = {} if state is None else state
        _known("state", state, kernels.states)
        given = {name: each for name, each in state.items() if each is not None}
        values = [params[name] for name in kernels.parameters]
        each = {"x": x, **hold_inputs(kernels, x, inputs)}
        sizes = read_sizes(kernels, values, each, given)
        states = fill_states(kernels, x, given, sizes)
        rows = side_by_side(kernels, each, sizes)
        if kernels.has_axes:
            values = level_parameters(values, kernels.parameters.values(), sizes)
        y, final = run(self._function, rows, values, states, sizes, lengths, reverse, threads, checkpoint=checkpoint)
        return outputs_of(kernels, y, sizes), dict(zip(kernels.states, final, strict=True))


def functional(cell: CellLike) -> CellFunction:
    """A cell as a function of tensors.

    Args:
        cell: a `symrnn.Cell`, the name of a bundled one, or the path of a cell file.

    Raises:
        CellError: the cell cannot be read.
    """
    return CellFunction(differentiable(cell))


def hold_tensor(name: str, value: object) -> None:
    """Refuse what is no tensor.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}: expected a tensor, found {type(value).__name__}; torch.as_tensor makes one of numbers"
        )


def hold_row(name: str, x: Tensor, axes: Sequence[int]) -> None:
    """Refuse an input whose rows have other axes than the parameters are for.

    Raises:
        ValueError: they have.
    """
    if tuple(x.shape[x.ndim - len(axes) :]) == tuple(axes):
        return
    expected = f"{axes[0]} numbers" if len(axes) == 1 else f"the axes {tuple(axes)}"
    raise ValueError(f"{name}: expected {expected} in each row, found shape {tuple(x.shape)}")


def hold_inputs(
    kernels: CellKernels,
    x: Tensor,
    inputs: Mapping[str, Tensor] | None,
    sizes: Mapping[str, int] | None = None,
    instead: Mapping[str, float] | None = None,
) -> dict[str, Tensor]:
    """The inputs beside ``x`` in the cell's order; whole numbers and masks in the dtype of ``x``.

    Args:
        kernels: of the cell.
        x: (…, input), or with an axis for each of its own.
        inputs: (…, size) each, by name; likewise.
        sizes: every size by name, where they are known already.
        instead: the number that stands everywhere in an input that is missing; ``sizes`` are then known.

    Raises:
        ValueError: one is unknown or missing, has other steps or rows than ``x``, or requires a gradient that it has not.
        TypeError: one is no tensor, or has another dtype or device than ``x``.
    """
    if not inputs and len(kernels.inputs) == 1:
        return {}
    names = [name for name in kernels.inputs if name != "x"]
    given = {} if inputs is None else inputs
    if given and not names:
        raise ValueError("inputs: this cell has no input beside x; leave them out")
    _known("inputs", given, dict.fromkeys(names))
    found, outer = {}, x.shape[: x.ndim - len(shape_axes((kernels.inputs["x"],)))]
    for name in names:
        axes = shape_axes((kernels.inputs[name],))
        each = given.get(name)
        if each is None and instead and sizes and name in instead:
            each = x.new_full((*outer, *(sizes[axis] for axis in axes)), instead[name])
        if each is None:
            raise ValueError(_missing(kernels, name, sizes))
        hold_tensor(f"inputs[{name!r}]", each)
        each = each if each.is_floating_point() else each.to(x.dtype)
        own: Sequence[int] = each.shape[len(outer) :] if sizes is None else [sizes[axis] for axis in axes]
        if len(own) != len(axes) or each.shape != (*outer, *own):
            wanted = (*outer, *(axes if sizes is None else own))
            raise ValueError(
                f"inputs[{name!r}]: expected shape ({', '.join(map(str, wanted))}), found {tuple(each.shape)}"
            )
        kind = x.device.type
        if kind != "meta" and torch.is_autocast_enabled(kind):  # which computes in float32, whatever came
            x, each = _widened(x), _widened(each)
        if each.dtype != x.dtype or each.device != x.device:
            raise TypeError(
                f"inputs[{name!r}]: expected {x.dtype} on {x.device}, as x is, found {each.dtype} on {each.device}; "
                "convert it with .to()"
            )
        if name in kernels.held_inputs and each.requires_grad:
            raise ValueError(f"inputs[{name!r}]: the cell says that it has no gradient, but it requires one; detach it")
        found[name] = each
    return found


def _missing(kernels: CellKernels, name: str, sizes: Mapping[str, int] | None) -> str:
    """The message for an input that is missing; of a mask, how to make it."""
    marked = kernels.cell.masks  # those of another cell with these equations, so perhaps drawn with other probabilities
    if name not in marked:
        return f"inputs: {name!r} is missing; expected {', '.join(each for each in kernels.inputs if each != 'x')}"
    axes = dict.fromkeys(axis for mask in marked for axis in shape_axes((kernels.inputs[mask],)) if axis != ONE)
    told = ", ".join(f"{axis}={sizes[axis] if sizes else '…'}" for axis in axes)
    return (
        f"inputs: the mask {name!r} is missing; with masks = symrnn.masks(cell, steps, rows, {told}) pass "
        "inputs={name: torch.from_numpy(array) for name, array in masks.items()}; a layer in eval mode needs none: it takes "
        "their expectation"
    )


def side_by_side(kernels: CellKernels, inputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> Tensor:
    """The inputs in one row, as the kernels take them."""
    rows = [*inputs.values()]
    if kernels.has_axes_of_inputs:
        rows = level(rows, [kernels.inputs[name] for name in inputs], sizes)
    return rows[0] if len(rows) == 1 else torch.cat(rows, -1)


def outputs_of(kernels: CellKernels, rows: Tensor, sizes: Mapping[str, int]) -> Outputs:
    """The output of a cell that has one; of several, each by name. ``rows`` are (…, numbers in a row)."""
    of = [*kernels.outputs.values()]
    if len(of) == 1:
        return shaped([rows], of, sizes)[0]
    parts = rows.split(kernels.output_widths(sizes), -1)
    return dict(zip(kernels.outputs, shaped(parts, of, sizes), strict=True))


def _known(name: str, given: Mapping[str, Tensor], expected: Mapping[str, object]) -> None:
    if not isinstance(given, Mapping):
        found = type(given).__name__
        raise TypeError(f"{name}: expected a dict of tensors by name ({', '.join(expected)}), found {found}")
    unknown = next((each for each in given if each not in expected), None)
    if unknown is not None:
        raise ValueError(f"{name}: unknown name {unknown!r}; expected {', '.join(expected)}")


def fill_states(
    kernels: CellKernels, x: Tensor, given: Mapping[str, Tensor], sizes: Mapping[str, int]
) -> tuple[Tensor, ...]:
    """Every state in the cell's order, zeros where one is missing; none where all are."""
    if not given and not torch.compiler.is_compiling():  # packages of AOTInductor have no empty lists
        return ()
    return tuple(
        given[name] if name in given else x.new_zeros(x.shape[1], *axes_in(size, sizes))
        for name, size in kernels.states.items()
    )


def run(
    function: Differentiable,
    x: Tensor,
    params: Sequence[Tensor],
    state: Sequence[Tensor],
    sizes: Mapping[str, int],
    lengths: Tensor | None = None,
    reverse: bool = False,
    threads: int | None = None,
    places: Sequence[int] = (),
    names: Sequence[str] = (),
    checkpoint: int | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Run a sequence in the precision that fits: returns the outputs in rows, and the final states in the cell's order.

    Args:
        function: the cell.
        x: (T, B, numbers in a row): the inputs side by side; and so are the outputs.
        params: in the order of the equations, or the tensors in which they lie; vectors and matrices, of several axes too
            (`symrnn.torch.shapes.level_parameters`).
        state: in the cell's order, (B, *axes) each, or none for zeros; so are the final ones.
        sizes: every size by name, as `symrnn.torch.cell_kernels.CellKernels.sizes` has them.
        lengths: (B,), or None.
        reverse: run each row from its last step to its first.
        threads: of a CPU, or None.
        places: of the parameters in the tensors (`symrnn.torch.stacks.unstacked`).
        names: of the tensors; none for those of the parameters.
        checkpoint: steps between states that are kept, or None to keep everything.

    Raises:
        ValueError: the shape of a state or of ``lengths``, or a length, does not fit.
        TypeError: a dtype or a device differs from that of ``x``.
    """
    kernels, kind = function.kernels, x.device.type
    of_states = [*kernels.states.values()]
    if state:
        _hold_states(kernels, x, state, sizes)
        state = level(state, of_states, sizes)
    lengths = read_lengths(lengths, x)
    _, *in_order = sizes.values()
    hold_threads(threads)
    rest = (in_order, places, lengths, reverse, threads or 0, read_checkpoint(checkpoint))
    if kind != "meta" and torch.is_autocast_enabled(kind):
        result = torch.get_autocast_dtype(kind)
        x, params, state = _widened(x), [_widened(each) for each in params], [_widened(each) for each in state]
        _hold_alike(kernels, x, params, state, names)
        with torch.autocast(kind, enabled=False):
            found = function(x, params, state, *rest)
        if x.dtype == torch.float32:
            found = tuple(each.to(result) for each in found)
    else:
        _hold_alike(kernels, x, params, state, names)
        dtype = x.dtype
        if kind == "cpu" and dtype in _NARROW:
            x, params, state = x.float(), [each.float() for each in params], [each.float() for each in state]
            found = tuple(each.to(dtype) for each in function(x, params, state, *rest))
        else:
            found = function(x, params, state, *rest)
    return found[0], shaped(found[1:], of_states, sizes)


def hold_threads(threads: int | None) -> None:
    """Refuse what is no number of threads.

    Raises:
        ValueError: it is none.
    """
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
        raise ValueError(f"threads: expected None or a whole number from 1 to {MOST_THREADS}, found {threads!r}")


def read_checkpoint(checkpoint: int | None) -> int:
    """The steps of a piece as operators take them; 0 for none.

    Raises:
        ValueError: it is no positive whole number.
    """
    if checkpoint is None:
        return 0
    if isinstance(checkpoint, bool) or not isinstance(checkpoint, int) or checkpoint < 1:
        raise ValueError(f"checkpoint: expected None or a number of steps, at least 1, found {checkpoint!r}")
    return checkpoint


def _widened(tensor: Tensor) -> Tensor:
    """In float32, but for float64, which autocast leaves alone."""
    return tensor.float() if tensor.dtype in _NARROW else tensor


def read_lengths(lengths: Tensor | None, x: Tensor) -> Tensor | None:
    """Lengths as the kernels take them. Elsewhere than on a CPU, that they fit is checked where they are read.

    Raises:
        TypeError: they are no whole numbers.
        ValueError: they are not one for each row, or one is negative or exceeds the steps.
    """
    if lengths is None:
        return None
    lengths = torch.as_tensor(lengths)
    if lengths.dtype not in _WHOLE:
        raise TypeError(f"lengths: expected whole numbers, found a tensor of {lengths.dtype}")
    if tuple(lengths.shape) != (x.shape[1],):
        raise ValueError(f"lengths: expected shape {(x.shape[1],)}, found {tuple(lengths.shape)}")
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    if type(lengths) is Tensor and lengths.device.type == "cpu" and not traced:
        for row, length in enumerate(lengths.tolist()):
            if not 0 <= length <= x.shape[0]:
                raise ValueError(f"lengths: expected 0 to {x.shape[0]}, the steps of x, found {length} in row {row}")
    return lengths.to(x.device, torch.int64)


def _hold_states(kernels: CellKernels, x: Tensor, state: Sequence[Tensor], sizes: Mapping[str, int]) -> None:
    rows = x.shape[1]
    for (name, size), each in zip(kernels.states.items(), state, strict=False):
        expected = (rows, *axes_in(size, sizes))
        if each.shape != expected:
            raise ValueError(f"state {name!r}: expected shape {expected}, found {tuple(each.shape)}")


def _hold_alike(
    kernels: CellKernels, x: Tensor, params: Sequence[Tensor], state: Sequence[Tensor], names: Sequence[str]
) -> None:
    """Refuse another dtype or device than the input has: nothing is converted silently."""
    dtype, device = x.dtype, x.device
    if not dtype.is_floating_point:
        raise TypeError(f"x: expected floating-point numbers, found a tensor of {dtype}")
    first = params[0] if params else x
    if (first.dtype, first.device) != (dtype, device) and all(
        (each.dtype, each.device) == (first.dtype, first.device) for each in params
    ):
        raise TypeError(
            f"x: expected {first.dtype} on {first.device}, as the parameters are, found {dtype} on {device}; convert one of "
            "them with .to()"
        )
    for index, each in enumerate((*params, *state)):
        if each.dtype != dtype or each.device != device:
            given = names or (*kernels.parameters,)
            behind = index - len(params)  # zeros may stand behind the parameters
            name = [*kernels.states][behind] if behind >= 0 else given[index]
            raise TypeError(
                f"{name}: expected {dtype} on {device}, as x is, found {each.dtype} on {each.device}; convert one of them "
                "with .to()"
            )
