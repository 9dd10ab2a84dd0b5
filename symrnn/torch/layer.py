"""`Layer`: any cell as a layer of PyTorch, with the names and shapes of `torch.nn.LSTM`.

Reads a cell and sizes; keeps the parameters, and runs sequences of tensors. Leaves out: what a run computes
(`symrnn.torch.functional`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from symrnn.language.axes import axes_of, has_axes, shape_axes
from symrnn.language.cellfile import CellLike, load
from symrnn.language.similar import doubts
from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.differentiate import differentiable
from symrnn.torch.functional import (
    fill_states,
    hold_inputs,
    hold_tensor,
    hold_threads,
    outputs_of,
    read_checkpoint,
    run,
    side_by_side,
)
from symrnn.torch.shapes import axes_in, units_in
from symrnn.torch.stacks import stacks_of, unstacked

States: TypeAlias = Tensor | tuple[Tensor, ...]
"""The states of all runs of a layer, (num_layers * directions, B, *axes): a tensor, or a tuple where the cell has several."""

_SEEDS = 1 << 31


class Layer(nn.Module):
    """A recurrent layer of any cell, with the names and shapes of `torch.nn.LSTM`.

    On a CPU its kernels are C, elsewhere operations of PyTorch; gradients are derived from the equations. Parameters that the
    cell says are fixed are buffers. A value with several axes has an axis of the tensor for each: a state with the axes
    ``value`` and ``key`` is (num_layers * directions, B, value, key), a matrix of ``head``, ``key`` and ``input`` is
    (head, key, input).

    Attributes:
        cell: the cell.
        states: the names of the states, in the order in which ``hx`` has them.
        input_size: numbers in a row of the input.
        hidden_size: units.
        output_size: numbers in a row of the output of one direction; of several axes, all of them.
        num_layers: layers, each on top of the one before.
        batch_first: whether ``x`` is (B, T, input).
        dropout: between layers, while training.
        bidirectional: whether a second run of each layer goes from the last step to the first.
        directions: the number of runs of a layer.
        threads: of a CPU; None for as many as pay, at most `torch.get_num_threads`.
        checkpoint: steps between the states that a tape keeps, or None.
    """

    def __init__(
        self,
        cell: CellLike,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        layout: str | None = None,
        checkpoint: int | None = None,
        **sizes: int,
    ) -> None:
        """Make the layer; its parameters begin as the cell says.

        Args:
            cell: a `symrnn.Cell`, the name of a bundled one, or the path of a cell file.
            input_size: numbers in a row of the input; not read where it has axes of its own.
            hidden_size: units; not read where every value of the cell has sizes of its own.
            num_layers: layers, each on top of the one before.
            bias: must be True: the biases of a cell are those of its equations.
            batch_first: whether ``x`` is (B, T, input).
            dropout: between layers, while training.
            bidirectional: whether a second run of each layer goes from the last step to the first.
            device: of the parameters.
            dtype: of the parameters.
            threads: of a CPU; None for as many as pay, at most `torch.get_num_threads`.
            checkpoint: for long sequences: keep the states alone, every so many steps or a few more, and compute the rest again
                in the backward pass; the gradients are the same. None keeps everything.
            layout: keep the parameters in the tensors of this layout of the cell; None for one tensor each. In a tensor with
                several parameters, axes of rows are one.
            sizes: further sizes of the cell by name.

        Raises:
            CellError: the cell cannot be read.
            ValueError: a size, or another argument, does not fit; or layers or directions of a cell whose output has several
                axes, which are no row of an input.
        """
        super().__init__()
        read_checkpoint(checkpoint)
        self.checkpoint = checkpoint
        if not bias:
            raise ValueError(
                "bias: the biases of a cell are those of its equations; write it without them, or take LSTM, GRU or RNN"
            )
        self._build(
            cell,
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            threads,
            layout,
            sizes,
        )

    def _build(
        self,
        cell: CellLike,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        threads: int | None,
        layout: str | None,
        sizes: Mapping[str, int],
        left_out: Sequence[str] = (),
        order: Sequence[str] = (),
    ) -> None:
        """Make the layer, without these tensors of its layout, and with the states in this order."""
        if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(f"num_layers: expected a whole number of at least 1, found {num_layers!r}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout: expected a number from 0 to 1, found {dropout!r}")
        hold_threads(threads)
        self._function = differentiable(cell)
        kernels = self._function.kernels
        self.cell = load(cell)
        for sentence in doubts(self.cell):
            warnings.warn(f"{self.cell.name}: {sentence}", stacklevel=3)
        self.states = tuple(order) or kernels.cell.states
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bool(bidirectional)
        self.directions = 2 if bidirectional else 1
        self._order = tuple(kernels.cell.states.index(name) for name in self.states)
        self.threads, self.layout, self.others = threads, layout, dict(sizes)
        first = kernels.sizes(input_size, hidden_size, sizes)
        self._of_x = axes_in(kernels.inputs["x"], first)
        self.output_size = sum(kernels.output_widths(first))
        _hold_axes(kernels, num_layers, self.bidirectional)
        if num_layers > 1 and len(kernels.outputs) > 1:
            raise ValueError(
                f"{self.cell.name}: num_layers: a layer on top of another needs one output, and this cell has "
                f"{', '.join(kernels.outputs)}; take one layer at a time"
            )
        above = first
        if num_layers > 1:
            above = kernels.sizes(self.output_size * self.directions, hidden_size, sizes)
        others = {f"the input {name!r}": size for name, size in kernels.inputs.items() if name != "x"}
        for what, size in ({f"the state {name!r}": size for name, size in kernels.states.items()} | others).items():
            numbers, more = units_in(size, first), units_in(size, above)
            if numbers != more:
                raise ValueError(
                    f"{self.cell.name}: {what} has {numbers} numbers in the first layer and {more} in those "
                    "above, so they are no tensor; take one layer at a time"
                )
        self._sizes = [first if level == 0 else above for level in range(num_layers)]
        self._stacks = [stacks_of(self.cell, each, layout, left_out) for each in self._sizes]
        self._names = [
            [tuple(name + ending for name in stacks.tensors) for ending in self._endings(level)]
            for level, stacks in enumerate(self._stacks)
        ]
        for stacks, names in zip(self._stacks, self._names, strict=True):
            for name, (stack, shape) in [p for each in names for p in zip(each, stacks.tensors.items(), strict=True)]:
                tensor = torch.empty(shape, device=device, dtype=dtype)
                if self.cell.by_name[stacks.blocks[stack][0]].gradient:
                    self.register_parameter(name, nn.Parameter(tensor))
                else:
                    self.register_buffer(name, tensor)
        self.reset_parameters()

    def _endings(self, level: int) -> tuple[str, ...]:
        """What the names of a layer's parameters end in, by direction."""
        return tuple(f"_l{level}{'_reverse' if backward else ''}" for backward in range(self.directions))

    def reset_parameters(self) -> None:
        """Give every parameter its initial value, as the cell says, from the random numbers of PyTorch.

        Raises:
            RuntimeError: a parametrisation has no ``right_inverse``, which would find its own parameters for a value.
        """
        with torch.no_grad():
            for level, stacks in enumerate(self._stacks):
                sizes = self._sizes[level]
                for ending in self._endings(level):
                    seed = int(torch.randint(_SEEDS, ()))
                    values = self._function.kernels.operations.init_params(
                        sizes["input"], sizes["hidden"], **self.others, seed=seed, dtype=torch.float64
                    )
                    tensors = {name: getattr(self, name + ending) for name in stacks.tensors}
                    stacks.write(values, tensors)
                    for name, tensor in tensors.items():
                        if is_parametrized(self, name + ending):  # the tensor was computed, and is no parameter
                            setattr(self, name + ending, tensor)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        told = [self.cell.name, str(self.input_size), str(self.hidden_size)]
        told += [f"{name}={size}" for name, size in self.others.items()]
        defaults = {"num_layers": 1, "batch_first": False, "dropout": 0.0, "bidirectional": False, "layout": None}
        told += [f"{name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(told)

    def __getstate__(self) -> dict[str, Any]:
        # CellKernels are modules: the copy, or the process that loads this, finds its own by the cell.
        return {name: value for name, value in self.__dict__.items() if name != "_function"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._function = differentiable(self.cell)

    def forward(
        self,
        x: Tensor | PackedSequence,
        hx: States | Mapping[str, Tensor] | None = None,
        lengths: Tensor | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> tuple[Any, States]:
        """Run sequences: returns the outputs of the last layer, and the final states of all.

        Where the cell has several outputs, they are returned by name.

        Args:
            x: (T, B, input), (B, T, input) with ``batch_first``, (T, input) for one row, or packed; where ``x`` has axes, these
                in place of input.
            hx: initial states, as they are returned, or by name; None, or a name that is missing, means zeros.
            lengths: (B,) steps of each row, whole numbers from 0 to T: beyond, a state stays and the output is zero.
            inputs: the inputs beside ``x`` by name, where the cell has some: laid out as ``x`` is. Every layer reads them.

        Raises:
            ValueError: a shape does not fit.
            TypeError: a dtype or a device differs from that of the parameters.
        """
        if isinstance(x, PackedSequence):
            return self._packed(x, hx, lengths, inputs)
        hold_tensor("x", x)
        outer = x.ndim - len(self._of_x)
        if outer not in (1, 2):
            axes = "three axes, or two" if len(self._of_x) == 1 else f"{len(self._of_x) + 2} axes, or one fewer"
            raise ValueError(f"x: expected {axes} for one row, found shape {tuple(x.shape)}")
        self._hold_row("x", x)
        one = outer == 1
        given = {"x": x, **hold_inputs(self._function.kernels, x, inputs, self._sizes[0])}
        if one:
            given = {name: each.unsqueeze(1) for name, each in given.items()}
            lengths = lengths if lengths is None else torch.as_tensor(lengths).reshape(1)
        elif self.batch_first:
            given = {name: each.transpose(0, 1) for name, each in given.items()}
        y, final = self._run(given, self._read_states(hx, given["x"].shape[1], one), lengths)
        if one:
            return self._outputs(y.squeeze(1)), self._as_given([each.squeeze(1) for each in final])
        return self._outputs(y.transpose(0, 1) if self.batch_first else y), self._as_given(final)

    def step(
        self, x_t: Tensor, hx: States | Mapping[str, Tensor] | None = None, inputs: Mapping[str, Tensor] | None = None
    ) -> tuple[Any, States]:
        """Run one step: ``x_t`` is (B, input), or (input,) for one row; returns its output and the next states.

        Other inputs are laid out as ``x_t`` is.

        Raises:
            ValueError: the layer is bidirectional, or a shape does not fit.
        """
        if self.bidirectional:
            raise ValueError("step: a bidirectional layer reads the last step first, so it runs whole sequences alone")
        hold_tensor("x_t", x_t)
        outer = x_t.ndim - len(self._of_x)
        if outer not in (0, 1):
            axes = ", ".join(shape_axes((self._function.kernels.inputs["x"],)))
            one_row = f"({axes})" if len(self._of_x) > 1 else f"({axes},)"
            raise ValueError(f"x_t: expected (B, {axes}), or {one_row} for one row, found shape {tuple(x_t.shape)}")
        self._hold_row("x_t", x_t)
        given = {"x": x_t, **hold_inputs(self._function.kernels, x_t, inputs, self._sizes[0])}
        one = outer == 0
        rows = {name: each.unsqueeze(0).unsqueeze(0) if one else each.unsqueeze(0) for name, each in given.items()}
        y, final = self._run(rows, self._read_states(hx, rows["x"].shape[1], one), None)
        if one:
            return self._outputs(y[0, 0]), self._as_given([each.squeeze(1) for each in final])
        return self._outputs(y.squeeze(0)), self._as_given(final)

    def _hold_row(self, name: str, x: Tensor) -> None:
        """Refuse an input whose rows do not fit the parameters."""
        found = tuple(x.shape[x.ndim - len(self._of_x) :])
        if found == self._of_x:
            return
        if len(self._of_x) == 1:
            raise ValueError(f"{name}: expected {self.input_size} numbers in each row, found shape {tuple(x.shape)}")
        raise ValueError(f"{name}: expected the axes {self._of_x} in each row, found shape {tuple(x.shape)}")

    def _outputs(self, rows: Tensor) -> Any:
        """The output, or each of several by name: those of all directions side by side."""
        kernels = self._function.kernels
        if self.directions == 1:
            return outputs_of(kernels, rows, self._sizes[-1])
        if len(kernels.outputs) == 1:
            return rows
        each = [outputs_of(kernels, part, self._sizes[-1]) for part in rows.chunk(self.directions, -1)]
        return {name: torch.cat([part[name] for part in each], -1) for name in kernels.outputs}

    def numpy_params(self, layer: int = 0, reverse: bool = False) -> dict[str, np.ndarray]:
        """The parameters of one run as the kernels in C and NumPy take them, by name.

        Args:
            layer: its number, from 0.
            reverse: of a bidirectional layer, the run from the last step to the first.
        """
        stacks = self._stacks[layer]
        params = unstacked(self._tensors(layer, int(reverse)), stacks.places)
        return {
            name: _wide(each.detach()).cpu().numpy().reshape(shape).copy()
            for (name, shape), each in zip(stacks.shapes.items(), params, strict=True)
        }

    def _tensors(self, level: int, direction: int) -> list[Tensor]:
        """The tensors of one run in which the parameters of the cell lie, as kernels read them."""
        own = self._parameters
        # A parametrisation takes a parameter away, and puts a property in its place.
        found: list[Any] = [own[name] if name in own else getattr(self, name) for name in self._names[level][direction]]
        return self._stacks[level].read(found)

    def _run(
        self, inputs: Mapping[str, Tensor], states: Sequence[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers; ``states`` are in the order of the cell, and so are those returned. The first layer reads ``x``."""
        x = inputs["x"]
        finals: list[list[Tensor]] = []
        function = self._function
        for level, sizes in enumerate(self._sizes):
            outputs = []
            rows = side_by_side(function.kernels, {**inputs, "x": x}, self._sizes[0])
            for direction in range(self.directions):
                at = level * self.directions + direction
                y, final = run(
                    function,
                    rows,
                    self._tensors(level, direction),
                    [each[at] for each in states] if states else fill_states(function.kernels, x, {}, sizes),
                    sizes,
                    lengths,
                    direction == 1,
                    self.threads,
                    self._stacks[level].places,
                    self._names[level][direction],
                    self.checkpoint,
                )
                outputs.append(y)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if self.dropout and self.training and level + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout)
        if len(finals) == 1:
            return x, [each.unsqueeze(0) for each in finals[0]]
        return x, [torch.stack(each) for each in zip(*finals, strict=True)]

    def _read_states(self, hx: States | Mapping[str, Tensor] | None, rows: int, one: bool) -> list[Tensor]:
        """Initial states in the order of the cell, with an axis for rows; none for zeros."""
        if hx is None:
            return []
        if isinstance(hx, Mapping):
            named = dict(hx)
            unknown = next((name for name in named if name not in self.states), None)
            if unknown is not None:
                raise ValueError(f"hx: unknown name {unknown!r}; expected {', '.join(self.states)}")
        else:
            given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
            if len(given) != len(self.states):
                raise ValueError(
                    f"hx: expected {', '.join(self.states)}, found {len(given)} tensor{'s' * (len(given) != 1)}"
                )
            named = dict(zip(self.states, given, strict=True))
        found = []
        for name, size in self._function.kernels.states.items():
            expected = (self.num_layers * self.directions, rows, *axes_in(size, self._sizes[0]))
            if name not in named:
                found.append(self._tensors(0, 0)[0].new_zeros(expected))
                continue
            hold_tensor(f"hx: {name}", named[name])
            each = named[name].unsqueeze(1) if one else named[name]
            if tuple(each.shape) != expected:
                shown = (expected[0], *expected[2:]) if one else expected
                raise ValueError(f"hx: expected {name} of shape {shown}, found {tuple(named[name].shape)}")
            found.append(each)
        return found

    def _as_given(self, final: Sequence[Tensor]) -> States:
        """States as ``hx`` has them."""
        return final[0] if len(final) == 1 else tuple(final[at] for at in self._order)

    def _packed(
        self,
        x: PackedSequence,
        hx: States | Mapping[str, Tensor] | None,
        lengths: Tensor | None,
        inputs: Mapping[str, Any] | None,
    ) -> tuple[Any, States]:
        """A packed batch: padded, run with its lengths, and packed again in its order."""
        if lengths is not None:
            raise ValueError("lengths: a packed batch has its own; leave them out")
        padded, counts = pad_packed_sequence(x)
        self._hold_row("x", padded)
        for name, each in (inputs or {}).items():
            if not isinstance(each, PackedSequence):
                found = type(each).__name__
                raise TypeError(f"inputs[{name!r}]: expected a packed batch, as x is one, found {found}")
        others = {name: pad_packed_sequence(each)[0] for name, each in (inputs or {}).items()}
        given = {"x": padded, **hold_inputs(self._function.kernels, padded, others, self._sizes[0])}
        y, final = self._run(given, self._read_states(hx, padded.shape[1], False), counts)
        if x.sorted_indices is not None:
            y, counts = y.index_select(1, x.sorted_indices), counts[x.sorted_indices.cpu()]
        packed = pack_padded_sequence(y, counts)
        shape = x.batch_sizes, x.sorted_indices, x.unsorted_indices
        found = self._outputs(packed.data)
        if isinstance(found, Tensor):
            return PackedSequence(found, *shape), self._as_given(final)
        return {name: PackedSequence(each, *shape) for name, each in found.items()}, self._as_given(final)


def _hold_axes(kernels: CellKernels, num_layers: int, bidirectional: bool) -> None:
    """Refuse layers and directions that would read, or join, values with several axes as rows.

    Raises:
        ValueError: an output has several axes, and there are several layers or directions; or ``x`` has, and there are layers.
    """
    if num_layers > 1 and has_axes(kernels.inputs["x"]):
        raise ValueError(
            f"{kernels.cell.name}: num_layers: a layer on top of another reads rows of one axis, and x has the axes "
            f"{', '.join(axes_of(kernels.inputs['x']))}; take one layer at a time"
        )
    name = next((name for name, size in kernels.outputs.items() if has_axes(size)), None)
    if name is None or not (bidirectional or num_layers > 1):
        return
    told = f"the output {name!r} has the axes {', '.join(axes_of(kernels.outputs[name]))}"
    if num_layers > 1:
        raise ValueError(
            f"{kernels.cell.name}: num_layers: a layer on top of another reads rows of one axis, and {told}; take one layer at "
            "a time, and give the next one y.flatten(2)"
        )
    raise ValueError(
        f"{kernels.cell.name}: bidirectional: two directions stand side by side in rows of one axis, and {told}; take one "
        "direction, and symrnn.torch.functional(cell)(…, reverse=True) for the other"
    )


def _wide(tensor: Tensor) -> Tensor:
    """In float32 what NumPy does not have."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
