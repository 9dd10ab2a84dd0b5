"""The kernels of one cell as PyTorch uses them: in operations of PyTorch, and in C where there is a compiler.

Reads a cell; returns its `CellKernels`, the same for the same cell. Leaves out: how PyTorch calls them
(`symrnn.torch.operators`).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from symrnn.errors import BuildError
from symrnn.language.axes import has_axes, shape_axes
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.pipeline import build
from symrnn.torch.shapes import units_in

_MADE: dict[str, CellKernels] = {}
_LOCK = threading.RLock()


class CellKernels:
    """The kernels of a cell. A size with several axes is written as in ``value*key``.

    Attributes:
        cell: what they compute.
        operations: the module in operations of PyTorch: any device, any floating dtype, differentiable.
        compiled: the module over C; None where it cannot be built.
        digest: of the cell's source: two cells of one name have different ones.
        parameters: the sizes of every parameter by name, in the order of the equations.
        fixed: the places of parameters without gradient in that order; none for most cells.
        states: the size of every state by name, in the cell's own order.
        inputs: the size of every input by name, ``x`` first; they stand side by side in rows.
        outputs: the size of every output by name; likewise.
        held_inputs: the inputs that have no gradient.
        has_axes: whether a parameter or a state has several axes.
        has_axes_of_inputs: whether an input has several axes.
        needed: the sizes that a value of the cell has: ``hidden`` is a size of every cell.
    """

    def __init__(self, cell: Cell, operations: ModuleType, compiled: ModuleType | None, digest: str) -> None:
        self.cell, self.operations, self.compiled, self.digest = cell, operations, compiled, digest
        self.parameters: dict[str, tuple[str, ...]] = {each.name: each.shape for each in cell.parameters}
        self.fixed = tuple(place for place, each in enumerate(cell.parameters) if not each.gradient)
        self.states: dict[str, str] = {state: cell.size(state) for state in cell.states}
        of_x = cell.size("x") if has_axes(cell.size("x")) else INPUT
        self.inputs: dict[str, str] = {"x": of_x, **{name: cell.size(name) for name in cell.given[1:]}}
        self.has_axes_of_inputs = any(map(has_axes, self.inputs.values()))
        self.held_inputs = cell.held_inputs
        pairs = zip(cell.returned, cell.output_values, strict=True)
        self.outputs: dict[str, str] = {name: cell.size(value) for name, value in pairs}
        shapes = [*self.parameters.values(), tuple(self.states.values())]
        self.has_axes = any(has_axes(size) for shape in shapes for size in shape)
        used = {axis for each in cell.normal.variables for axis in shape_axes(each.shape)}
        self.needed = tuple(size for size in cell.sizes if size in used)

    def input_widths(self, sizes: Mapping[str, int]) -> list[int]:
        """Numbers of each input in a row; ``sizes`` are those of the cell by name, and 1."""
        return [units_in(size, sizes) for size in self.inputs.values()]

    def output_widths(self, sizes: Mapping[str, int]) -> list[int]:
        """Numbers of each output in a row."""
        return [units_in(size, sizes) for size in self.outputs.values()]

    def sizes(self, input_size: int, hidden_size: int, others: Mapping[str, int]) -> dict[str, int]:
        """Every size by name: 1, and then those of the cell in its own order.

        Raises:
            ValueError: a size is missing, unknown or no positive whole number, or the equations force another one.
        """
        wanted = tuple(size for size in self.cell.sizes if size not in (INPUT, HIDDEN))
        for name in others:
            if name not in wanted:
                known = f"expected {', '.join(wanted)}" if wanted else "the cell has no size of its own"
                raise ValueError(f"{self.cell.name}: {name!r} is no argument and no size of the cell; {known}")
        for name in wanted:
            if name not in others:
                raise ValueError(f"{self.cell.name}: the size {name!r} is missing; give it as {name}=…")
        sizes = {ONE: 1, INPUT: input_size, HIDDEN: hidden_size, **{name: others[name] for name in wanted}}
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(f"{self.cell.name}: {name}: expected a whole number of at least 1, found {size!r}")
        if self.cell.input_is_hidden and input_size != hidden_size:
            raise ValueError(
                f"{self.cell.name}: input_size {input_size} differs from hidden_size {hidden_size}; the equations force them "
                "to be equal"
            )
        return sizes


def kernels_of(cell: CellLike) -> CellKernels:
    """The kernels of a cell, made at first use; C is compiled then, or comes from the cache.

    Args:
        cell: a `symrnn.Cell`, the name of a bundled one, or the path of a cell file.

    Raises:
        CellError: the cell cannot be read.
    """
    found = load(cell)
    digest = found.digest
    with _LOCK:
        if digest not in _MADE:
            _MADE[digest] = _make(found, digest)
        return _MADE[digest]


def _make(cell: Cell, digest: str) -> CellKernels:
    operations = build(cell, "torch")
    try:
        compiled = build(cell, "c")
    except BuildError as error:
        warnings.warn(
            f"{cell.name}: no kernels in C, so operations of PyTorch run in their place: {error}", stacklevel=4
        )
        compiled = None
    return CellKernels(cell, operations, compiled, digest)


def read_sizes(
    kernels: CellKernels, params: Sequence[Any], inputs: Mapping[str, Any], state: Mapping[str, Any]
) -> dict[str, int]:
    """Every size by name, as `CellKernels.sizes` has them, from the shapes of parameters, inputs and states.

    A size that nothing has, as ``hidden`` where every name has axes of its own, is 1.

    Raises:
        ValueError: two of them disagree, or one has the wrong number of axes.
    """
    told: dict[str, tuple[str, Any]] = {ONE: ("1", 1)}
    shapes = [
        *(
            (name, shape, tensor.shape)
            for (name, shape), tensor in zip(kernels.parameters.items(), params, strict=True)
        ),
        *_last_axes(kernels.inputs, inputs),
        *_last_axes(kernels.states, state),
    ]
    for name, of, shape in shapes:
        wanted = shape_axes(of)
        if len(shape) != len(wanted):
            raise ValueError(f"{name}: expected the axes ({', '.join(wanted)}), found shape {tuple(shape)}")
        for size, number in zip(wanted, shape, strict=True):
            by, known = told.setdefault(size, (name, number))
            if known != number:
                raise ValueError(f"{name}: {size} is {known} by {by}, but its shape is {tuple(shape)}")
    if kernels.cell.input_is_hidden:
        by, number = told[INPUT]  # of x
        name, known = told.setdefault(HIDDEN, (by, number))
        if known != number:
            raise ValueError(
                f"{name}: hidden is {known} by {name}, and input is {number} by {by}; the equations force them to be equal"
            )
    missing = next((size for size in kernels.needed if size not in told), None)
    if missing is not None:
        raise ValueError(f"no parameter has the size {missing!r}; give the initial state")
    return {size: told[size][1] if size in told else 1 for size in (ONE, *kernels.cell.sizes)}


def _last_axes(of: Mapping[str, str], given: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], Sequence[int]]]:
    """The name, the shape in size names and the found one of each tensor, without the axes of steps and rows."""
    for name, each in given.items():
        yield name, (of[name],), each.shape[-len(shape_axes((of[name],))) :]
