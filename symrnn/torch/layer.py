"""`Layer`: any cell as a layer of PyTorch, with the names and shapes of `torch.nn.LSTM`.

Reads a cell and sizes; keeps the parameters, and runs sequences of tensors. Leaves out: what a run computes
(`symrnn.torch.functional`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from symrnn.language.axes import shape_axes
from symrnn.language.cellfile import CellLike, load
from symrnn.language.similar import doubts
from symrnn.torch.differentiate import differentiable
from symrnn.torch.functional import fill_states, hold_inputs, hold_row, hold_tensor, outputs_of, run, side_by_side
from symrnn.torch.hidden_states import States, read_states, states_as_given
from symrnn.torch.layer_options import LayerOptions
from symrnn.torch.levels import LayerLevel, levels_of
from symrnn.torch.packed_batches import packed_as, packed_rows, pad
from symrnn.torch.shapes import axes_in
from symrnn.torch.stacks import unstacked

_SEEDS = 1 << 31
_OF_MODULES = ("proj_size", "nonlinearity")
"""Arguments of modules of `torch.nn` that choose between cells."""


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

    _frames = 3
    """From `_build` to the line that makes a layer: where warnings point."""

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
        if not bias:
            raise ValueError(
                "bias: the biases of a cell are those of its equations; write it without them, or take LSTM, GRU or RNN"
            )
        options = LayerOptions(
            num_layers, batch_first, dropout, bidirectional, device, dtype, threads, checkpoint, layout
        )
        self._build(cell, input_size, hidden_size, options, sizes)

    def _build(
        self,
        cell: CellLike,
        input_size: int,
        hidden_size: int,
        options: LayerOptions,
        sizes: Mapping[str, int],
        left_out: Sequence[str] = (),
        order: Sequence[str] = (),
    ) -> None:
        """Make the layer, without these tensors of its layout, and with the states in this order."""
        self.cell = load(cell)
        self._function = differentiable(self.cell)
        kernels = self._function.kernels
        for name in _OF_MODULES:
            if name in sizes and name not in self.cell.sizes:
                raise ValueError(f"{name}: that is in the equations of a cell; the modules LSTM and RNN take it")
        for sentence in doubts(self.cell):
            warnings.warn(f"{self.cell.name}: {sentence}", stacklevel=self._frames)
        if options.dropout and options.num_layers == 1:
            warnings.warn(
                f"dropout: {options.dropout} has no effect: it stands between layers, and there is one",
                stacklevel=self._frames,
            )
        self.input_size, self.hidden_size, self.others = input_size, hidden_size, dict(sizes)
        self.num_layers, self.directions = options.num_layers, options.directions
        self.batch_first, self.bidirectional = options.batch_first, bool(options.bidirectional)
        self.dropout, self.threads = float(options.dropout), options.threads
        self.checkpoint, self.layout = options.checkpoint, options.layout
        self.states = tuple(order) or kernels.cell.states
        self._order = tuple(kernels.cell.states.index(name) for name in self.states)
        self._levels = levels_of(self.cell, kernels, input_size, hidden_size, sizes, options, left_out)
        self._of_x = axes_in(kernels.inputs["x"], self._levels[0].sizes)
        self.output_size = sum(kernels.output_widths(self._levels[0].sizes))
        for level in self._levels:
            for names in level.names:
                self._add_tensors(level, names, options)
        self.reset_parameters()

    def _add_tensors(self, level: LayerLevel, names: Sequence[str], options: LayerOptions) -> None:
        """Make the tensors of one run; those of fixed parameters are buffers."""
        stacks = level.stacks
        for name, (stack, shape) in zip(names, stacks.tensors.items(), strict=True):
            tensor = torch.empty(shape, device=options.device, dtype=options.dtype)
            if self.cell.by_name[stacks.blocks[stack][0]].gradient:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def reset_parameters(self) -> None:
        """Give every parameter its initial value, as the cell says, from the random numbers of PyTorch.

        Raises:
            RuntimeError: a parametrisation has no ``right_inverse``, which would find its own parameters for a value.
        """
        init_params = self._function.kernels.operations.init_params
        with torch.no_grad():
            for level in self._levels:
                for names in level.names:
                    # On the CPU, whatever the default device is: "meta" has no numbers.
                    drawn = torch.randint(_SEEDS, (), device="cpu")
                    if type(drawn) is not Tensor:  # a mode that follows shapes alone, where nothing has numbers
                        return
                    values = init_params(
                        level.sizes["input"],
                        level.sizes["hidden"],
                        **self.others,
                        seed=int(drawn),
                        dtype=torch.float64,
                        device="cpu",
                    )
                    tensors = [getattr(self, name) for name in names]
                    level.stacks.write(values, dict(zip(level.stacks.tensors, tensors, strict=True)))
                    for name, tensor in zip(names, tensors, strict=True):
                        if is_parametrized(self, name):  # the tensor was computed, and is no parameter
                            setattr(self, name, tensor)

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
            inputs: the inputs beside ``x`` by name, where the cell has some: laid out as ``x`` is. Every layer reads them. In
                eval mode a mask may be missing: it is then its expectation.

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
        hold_row("x", x, self._of_x)
        one = outer == 1
        given = {"x": x, **hold_inputs(self._function.kernels, x, inputs, self._levels[0].sizes, self._instead())}
        if one:
            given = {name: each.unsqueeze(1) for name, each in given.items()}
            lengths = lengths if lengths is None else torch.as_tensor(lengths).reshape(1)
        elif self.batch_first:
            given = {name: each.transpose(0, 1) for name, each in given.items()}
        y, final = self._run(given, self._read_states(hx, given["x"], one), lengths)
        if one:
            y = y.squeeze(1)
        elif self.batch_first:
            y = y.transpose(0, 1)
        return self._outputs(y), states_as_given(final, self._order, one)

    def step(
        self, x_t: Tensor, hx: States | Mapping[str, Tensor] | None = None, inputs: Mapping[str, Tensor] | None = None
    ) -> tuple[Any, States]:
        """Run one step: ``x_t`` is (B, input), or (input,) for one row; returns its output and the next states.

        Other inputs are laid out as ``x_t`` is, and masks as in `forward`.

        Raises:
            ValueError: the layer is bidirectional, or a shape does not fit.
        """
        if self.bidirectional:
            raise ValueError("step: a bidirectional layer reads the last step first, so it only runs whole sequences")
        hold_tensor("x_t", x_t)
        outer = x_t.ndim - len(self._of_x)
        if outer not in (0, 1):
            axes = ", ".join(shape_axes((self._function.kernels.inputs["x"],)))
            one_row = f"({axes})" if len(self._of_x) > 1 else f"({axes},)"
            raise ValueError(f"x_t: expected (B, {axes}), or {one_row} for one row, found shape {tuple(x_t.shape)}")
        hold_row("x_t", x_t, self._of_x)
        given = {"x": x_t, **hold_inputs(self._function.kernels, x_t, inputs, self._levels[0].sizes, self._instead())}
        one = outer == 0
        rows = {name: each.unsqueeze(0).unsqueeze(0) if one else each.unsqueeze(0) for name, each in given.items()}
        y, final = self._run(rows, self._read_states(hx, rows["x"], one), None)
        return self._outputs(y[0, 0] if one else y.squeeze(0)), states_as_given(final, self._order, one)

    def _outputs(self, rows: Tensor) -> Any:
        """The output, or each of several by name: those of all directions side by side."""
        kernels = self._function.kernels
        if self.directions == 1:
            return outputs_of(kernels, rows, self._levels[-1].sizes)
        if len(kernels.outputs) == 1:
            return rows
        each = [outputs_of(kernels, part, self._levels[-1].sizes) for part in rows.chunk(self.directions, -1)]
        return {name: torch.cat([part[name] for part in each], -1) for name in kernels.outputs}

    def numpy_params(self, layer: int = 0, reverse: bool = False) -> dict[str, np.ndarray]:
        """The parameters of one run as the kernels in C and NumPy take them, by name.

        Args:
            layer: its number, from 0.
            reverse: of a bidirectional layer, the run from the last step to the first.

        Raises:
            ValueError: there is no such run.
        """
        if not 0 <= layer < self.num_layers or (reverse and not self.bidirectional):
            raise ValueError(
                f"numpy_params: there is no run layer={layer}, reverse={reverse}: num_layers is {self.num_layers}, "
                f"bidirectional {self.bidirectional}"
            )
        stacks = self._levels[layer].stacks
        params = unstacked(self._tensors(layer, int(reverse)), stacks.places)
        return {
            name: _wide(each.detach()).cpu().numpy().reshape(shape).copy()
            for (name, shape), each in zip(stacks.shapes.items(), params, strict=True)
        }

    def _tensors(self, number: int, direction: int) -> list[Tensor]:
        """The tensors of one run in which the parameters of the cell lie, as kernels read them."""
        own, level = self._parameters, self._levels[number]
        # A parametrisation takes a parameter away, and puts a property in its place.
        found: list[Any] = [own[name] if name in own else getattr(self, name) for name in level.names[direction]]
        return level.stacks.read(found)

    def _run(
        self, inputs: Mapping[str, Tensor], states: Sequence[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers; ``states`` are in the order of the cell, and so are those returned. The first layer reads ``x``."""
        x = inputs["x"]
        finals: list[list[Tensor]] = []
        function = self._function
        for number, level in enumerate(self._levels):
            outputs = []
            rows = side_by_side(function.kernels, {**inputs, "x": x}, self._levels[0].sizes)
            for direction in range(self.directions):
                at = number * self.directions + direction
                y, final = run(
                    function,
                    rows,
                    self._tensors(number, direction),
                    [each[at] for each in states] if states else fill_states(function.kernels, x, {}, level.sizes),
                    level.sizes,
                    lengths,
                    direction == 1,
                    self.threads,
                    level.stacks.places,
                    level.names[direction],
                    self.checkpoint,
                )
                outputs.append(y)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if self.dropout and self.training and number + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout)
        if len(finals) == 1:
            return x, [each.unsqueeze(0) for each in finals[0]]
        return x, [torch.stack(each) for each in zip(*finals, strict=True)]

    def _instead(self) -> dict[str, float]:
        """What stands for a mask that is missing: while training nothing does, later its expectation."""
        return {} if self.training else {name: mask.mean for name, mask in self.cell.masks.items()}

    def _read_states(self, hx: States | Mapping[str, Tensor] | None, x: Tensor, one: bool) -> list[Tensor]:
        """Initial states in the order of the cell, with an axis for rows; none for zeros. ``x`` is (T, B, input)."""
        runs, sizes = self.num_layers * self.directions, self._levels[0].sizes
        return read_states(hx, self.states, self._function.kernels, runs, sizes, x, one)

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
        padded, others, counts = pad(x, inputs, self._of_x)
        kernels = self._function.kernels
        given = {"x": padded, **hold_inputs(kernels, padded, others, self._levels[0].sizes, self._instead())}
        y, final = self._run(given, self._read_states(hx, padded, False), counts)
        found, hx = self._outputs(packed_rows(y, x, counts)), states_as_given(final, self._order, False)
        if isinstance(found, Tensor):
            return packed_as(found, x), hx
        return {name: packed_as(each, x) for name, each in found.items()}, hx


def _wide(tensor: Tensor) -> Tensor:
    """In float32 what NumPy does not have."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
