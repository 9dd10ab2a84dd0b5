"""`LayerLevel`: one layer of a deep one: the sizes of its cell, and the tensors of its runs by name.

Reads a cell, sizes and `LayerOptions`; returns a `LayerLevel` for each layer. Here it is decided whether layers can stand on
top of one another. Leaves out: the tensors themselves, which `symrnn.torch.Layer` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symrnn.language.axes import axes_of, has_axes
from symrnn.language.cell import Cell
from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.layer_options import LayerOptions
from symrnn.torch.shapes import units_in
from symrnn.torch.stacks import ParameterStacks, stacks_of


@dataclass(frozen=True)
class LayerLevel:
    """One layer of a deep one.

    Attributes:
        sizes: every size of the cell by name, as `CellKernels.sizes` has them.
        stacks: the tensors of one run.
        endings: what their names end in, by direction.
        names: their names in the module, by direction.
    """

    sizes: Mapping[str, int]
    stacks: ParameterStacks
    endings: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]


def levels_of(
    cell: Cell,
    kernels: CellKernels,
    input_size: int,
    hidden_size: int,
    sizes: Mapping[str, int],
    options: LayerOptions,
    left_out: Sequence[str] = (),
) -> tuple[LayerLevel, ...]:
    """The layers of a deep one, the first one first.

    Args:
        cell: with the layouts of its file: kernels are the same for cells that differ in them alone.
        kernels: of the cell.
        input_size: numbers in a row of the input.
        hidden_size: units.
        sizes: further sizes of the cell by name.
        options: of the layer.
        left_out: tensors of the layout that the module does not have.

    Raises:
        ValueError: a size does not fit, or the cell allows no more layers or directions than one.
    """
    first = kernels.sizes(input_size, hidden_size, sizes)
    _hold_axes(kernels, options)
    if options.num_layers > 1 and len(kernels.outputs) > 1:
        raise ValueError(
            f"{cell.name}: num_layers: a layer on top of another needs one output, and this cell has "
            f"{', '.join(kernels.outputs)}; take one layer at a time"
        )
    above = first
    if options.num_layers > 1:
        width = sum(kernels.output_widths(first)) * options.directions
        above = kernels.sizes(width, hidden_size, sizes)
        _hold_alike(kernels, first, above)
    return tuple(
        _level(number, stacks_of(cell, each, options.layout, left_out), each, options.directions)
        for number, each in enumerate([first, *[above] * (options.num_layers - 1)])
    )


def _level(number: int, stacks: ParameterStacks, sizes: Mapping[str, int], directions: int) -> LayerLevel:
    endings = tuple(f"_l{number}{'_reverse' if backward else ''}" for backward in range(directions))
    names = tuple(tuple(name + ending for name in stacks.tensors) for ending in endings)
    return LayerLevel(sizes, stacks, endings, names)


def _hold_alike(kernels: CellKernels, first: Mapping[str, int], above: Mapping[str, int]) -> None:
    """Refuse states and inputs that would have other sizes in the layers above.

    Raises:
        ValueError: one has.
    """
    states = {f"the state {name!r}": size for name, size in kernels.states.items()}
    inputs = {f"the input {name!r}": size for name, size in kernels.inputs.items() if name != "x"}
    for what, size in (states | inputs).items():
        numbers, more = units_in(size, first), units_in(size, above)
        if numbers != more:
            raise ValueError(
                f"{kernels.cell.name}: {what} has {numbers} numbers in the first layer and {more} in those "
                "above, so they are no tensor; take one layer at a time"
            )


def _hold_axes(kernels: CellKernels, options: LayerOptions) -> None:
    """Refuse layers and directions that would read, or join, values with several axes as rows.

    Raises:
        ValueError: an output has several axes, and there are several layers or directions; or ``x`` has, and there are layers.
    """
    if options.num_layers > 1 and has_axes(kernels.inputs["x"]):
        raise ValueError(
            f"{kernels.cell.name}: num_layers: a layer on top of another reads rows of one axis, and x has the axes "
            f"{', '.join(axes_of(kernels.inputs['x']))}; take one layer at a time"
        )
    name = next((name for name, size in kernels.outputs.items() if has_axes(size)), None)
    if name is None or not (options.bidirectional or options.num_layers > 1):
        return
    told = f"the output {name!r} has the axes {', '.join(axes_of(kernels.outputs[name]))}"
    if options.num_layers > 1:
        raise ValueError(
            f"{kernels.cell.name}: num_layers: a layer on top of another reads rows of one axis, and {told}; take one layer at "
            "a time, and give the next one y.flatten(2)"
        )
    raise ValueError(
        f"{kernels.cell.name}: bidirectional: two directions stand side by side in rows of one axis, and {told}; take one "
        "direction, and symrnn.torch.functional(cell)(…, reverse=True) for the other"
    )
