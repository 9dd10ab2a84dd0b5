"""Stacks: how a module keeps the parameters of a cell: one by one, or as blocks of a framework's tensors.

A parameter that has a tensor of its own has an axis of it for each axis of its values. In a tensor with several parameters,
rows are one axis.

Reads a cell and the name of a layout; returns `ParameterStacks`, which knows the tensors of a module by name and shape, and
the places of the cell's parameters in them: whole numbers, as operators take them. Leaves out: what a layout may say
(`symrnn.language.layouts`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from symrnn.language.cell import Cell
from symrnn.torch.shapes import flat_shape, shape_in

_BITS, _TENSOR_BITS = 24, 14
"""Bits of a number of rows, and of a first row, in a place, and of a tensor: as in ``symrnn_torch.h``."""
MOST_ROWS = (1 << _BITS) - 1
"""The most rows of a tensor with several parameters."""
_BEGINS = 1 << (2 * _BITS + _TENSOR_BITS)
"""The bit of a place that is the first one of its parameter."""


class ParameterStacks:
    """The tensors of a module for one run of the cell.

    Attributes:
        shapes: of every parameter of the cell, by name.
        rows: the same shapes as kernels read them, vectors and matrices.
        blocks: the parameters in every tensor, from its first row on, by the tensor's name. A parameter in several tensors
            is their sum, one in none is zero.
        tensors: the shape of every tensor by name.
        places: where the parameters lie in them (`unstacked`); empty if each has a tensor of its own.
        absent: how many zeros stand behind the tensors for the parameters that are in none.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        blocks: Mapping[str, tuple[str, ...]],
        rows: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        rows = shapes if rows is None else rows
        self.shapes, self.blocks, self.rows = shapes, blocks, rows
        level = {stack: (sum(rows[name][0] for name in names), *rows[names[0]][1:]) for stack, names in blocks.items()}
        self.tensors = {stack: shapes[names[0]] if len(names) == 1 else level[stack] for stack, names in blocks.items()}
        self._level = None if self.tensors == level else [*level.values()]
        found: dict[str, list[tuple[int, int]]] = {name: [] for name in shapes}
        for at, names in enumerate(blocks.values()):
            row = 0
            for name in names:
                found[name].append((at, row))
                row += rows[name][0]
        self.absent = max((rows[name][0] for name, places in found.items() if not places), default=0)
        plain = [*blocks.items()] == [(name, (name,)) for name in shapes]
        self.places = () if plain else self._places(found)

    def _places(self, found: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[int, ...]:
        """The blocks of each parameter as `places_of` has them; those of one without any are the zeros.

        Raises:
            ValueError: there are more blocks, or larger ones, than the operators take.
        """
        most = max(self.absent, *(sum(self.rows[name][0] for name in names) for names in self.blocks.values()))
        if most > MOST_ROWS:
            raise ValueError(f"layout: a stack has {most} rows, and {MOST_ROWS} are possible; leave the layout out")
        zeros, count = len(self.blocks), len(self.rows)
        numbers = [each for name, of in found.items() for each in places_of(self.rows[name][0], of or [(zeros, 0)])]
        # As many as the operators take: symrnn_torch.h, MOST_GIVEN and MOST_BLOCKS.
        if zeros >= min(4 * count + 4, 1 << _TENSOR_BITS) or len(numbers) > 8 * count + 8:
            raise ValueError(f"layout: {zeros} stacks are too many for {count} parameters; leave some out")
        return tuple(numbers)

    def read(self, tensors: list[Tensor]) -> list[Tensor]:
        """The tensors of a module, in order, as kernels read them and as `places` are: with the zeros of absent parameters.

        Raises:
            ValueError: one that has named axes has another shape than the sizes say.
        """
        if self._level is not None:
            for (name, shape), each in zip(self.tensors.items(), tensors, strict=True):
                # As many numbers in another order would be other ones; kernels see rows alone.
                if tuple(each.shape) != shape:
                    raise ValueError(f"{name}: expected shape {shape}, found {tuple(each.shape)}")
            tensors = [each.reshape(shape) for each, shape in zip(tensors, self._level, strict=True)]
        return [*tensors, tensors[0].new_zeros(self.absent)] if self.absent else tensors

    def write(self, values: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Fill these tensors so that the parameters are ``values``: a first block has the value, others are zero."""
        done: set[str] = set()
        for stack, names in self.blocks.items():
            parts = [values[name].reshape(self.rows[name]) for name in names]
            parts = [
                each.new_zeros(each.shape) if name in done else each for name, each in zip(names, parts, strict=True)
            ]
            _fill(tensors[stack], torch.cat(parts).reshape(self.tensors[stack]))
            done.update(names)


def _fill(tensor: Tensor, value: Tensor) -> None:
    """Copy a value into a tensor; where that lies in parts on several processes, each gets its own."""
    if hasattr(tensor, "device_mesh"):  # a DTensor, which takes no other tensor; so its module is imported already
        distribute = sys.modules["torch.distributed.tensor"].distribute_tensor
        value = distribute(value.to(tensor.device, tensor.dtype), tensor.device_mesh, tensor.placements)
    tensor.copy_(value)


def stacks_of(
    cell: Cell, sizes: Mapping[str, int], layout: str | None, left_out: Sequence[str] = ()
) -> ParameterStacks:
    """The tensors of a module with these sizes.

    Args:
        cell: with its layouts.
        sizes: every size by name.
        layout: the name of one of the cell's layouts; None for a tensor for each parameter.
        left_out: tensors of the layout that the module does not have, all of vectors.

    Raises:
        ValueError: the cell has no such layout, or it has more stacks or rows than operators take.
    """
    shapes = {each.name: shape_in(each.shape, sizes) for each in cell.parameters}
    rows = {each.name: flat_shape(each.shape, sizes) for each in cell.parameters}
    if layout is None:
        return ParameterStacks(shapes, {name: (name,) for name in shapes}, rows)
    if layout not in cell.layouts:
        raise ValueError(
            f"{cell.name}: the cell has no layout {layout!r}; write one as [layouts.{layout}] in its file, or leave "
            "it out"
        )
    blocks = cell.layouts[layout]
    return ParameterStacks(shapes, {name: each for name, each in blocks.items() if name not in left_out}, rows)


def unstacked(tensors: Sequence[Tensor], places: Sequence[int]) -> list[Tensor]:
    """The parameters of a cell, in its own order.

    Args:
        tensors: in which they lie.
        places: a number for each block of each parameter in turn (`places_of`); a parameter is the sum of its blocks. None at
            all if each has a tensor of its own.
    """
    if not places:
        return list(tensors)
    found = []
    for rows, blocks in _read(places):
        (at, row), *others = blocks
        value = tensors[at].narrow(0, row, rows)
        for at, row in others:
            value = value + tensors[at].narrow(0, row, rows)
        found.append(value)
    return found


def restacked(
    grads: Sequence[Tensor], tensors: Sequence[Tensor], places: Sequence[int], fixed: Sequence[int] = ()
) -> list[Tensor | None]:
    """The gradients of tensors from those of the parameters in them: every block has that of its parameter.

    Args:
        grads: of the parameters that are not fixed.
        tensors: in which the parameters lie.
        places: as `unstacked` reads them.
        fixed: the places of parameters without gradient; a tensor of these has None.
    """
    if fixed:
        return _with_fixed(grads, tensors, places, fixed)
    if not places:
        return list(grads)
    parts: list[dict[int, Tensor]] = [{} for _ in tensors]
    for grad, (_, blocks) in zip(grads, _read(places), strict=True):
        for at, row in blocks:
            parts[at].setdefault(row, grad)
    return [
        torch.cat([part[row] for row in sorted(part)]) if _fills(part, tensor) else tensor.new_zeros(tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def _with_fixed(
    grads: Sequence[Tensor], tensors: Sequence[Tensor], places: Sequence[int], fixed: Sequence[int]
) -> list[Tensor | None]:
    """The same where some parameters have no gradient: no tensor holds parameters of both kinds."""
    left = iter(grads)
    if not places:
        return [None if place in fixed else next(left) for place in range(len(tensors))]
    held = fixed_tensors(places, fixed)
    nothing = tensors[0].new_empty(0)
    every = [nothing if place in fixed else next(left) for place, _ in enumerate(_read(places))]
    return [None if at in held else each for at, each in enumerate(restacked(every, tensors, places))]


def fixed_tensors(places: Sequence[int], fixed: Sequence[int]) -> tuple[int, ...]:
    """Which tensors hold parameters without gradient, whose places among the parameters are ``fixed``."""
    if not places or not fixed:
        return tuple(fixed)
    found = [blocks for place, (_, blocks) in enumerate(_read(places)) if place in fixed]
    return tuple(sorted({at for blocks in found for at, _ in blocks}))


def _fills(parts: Mapping[int, Tensor], tensor: Tensor) -> bool:
    """Whether blocks cover a tensor; those that share the zeros for absent parameters do not."""
    return sum(len(part) for part in parts.values()) == len(tensor) and 0 in parts


def places_of(rows: int, blocks: Sequence[tuple[int, int]]) -> list[int]:
    """The blocks of a parameter as numbers: its tensor, the rows and the first row of each, and a bit at the first block.

    One number each, since operators of PyTorch take half a microsecond for a number.

    Args:
        rows: of the parameter.
        blocks: the tensor and the first row of each, at least one.
    """
    packed = [at << (2 * _BITS) | rows << _BITS | row for at, row in blocks]
    return [packed[0] | _BEGINS, *packed[1:]]


def _read(places: Sequence[int]) -> list[tuple[int, list[tuple[int, int]]]]:
    """The rows of every parameter, and the tensor and first row of its blocks."""
    found: list[tuple[int, list[tuple[int, int]]]] = []
    for place in places:
        if place & _BEGINS:
            found.append((place >> _BITS & MOST_ROWS, []))
        found[-1][1].append(((place & ~_BEGINS) >> (2 * _BITS), place & MOST_ROWS))
    return found
