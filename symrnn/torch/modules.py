"""`LSTM`, `GRU` and `RNN`: the parameters, names and arguments of the modules of `torch.nn`, over kernels of symrnn.

Reads the arguments of `torch.nn.LSTM` and its kin; makes a `Layer` of the cell that computes the same. Their tensors are those
of the cell's layout ``torch``. Leaves out: the cells, which are files (``symrnn/cells/``, ``symrnn/torch/cells/``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from symrnn.language.cellfile import CellLike
from symrnn.torch.layer import Layer
from symrnn.torch.layer_options import LayerOptions

LAYOUT = "torch"
CELLS = Path(__file__).with_name("cells")
"""Cells that only PyTorch's modules need."""
_BIASES = ("bias_ih", "bias_hh")


class _LikeTorch(Layer):
    """A layer whose tensors are those of a module of `torch.nn`, with their initial values."""

    _frames = 4

    def __init__(
        self,
        cell: CellLike,
        input_size: int,
        hidden_size: int,
        bias: bool,
        options: LayerOptions,
        sizes: Mapping[str, int] | None = None,
        order: Sequence[str] = (),
    ) -> None:
        nn.Module.__init__(self)
        self.bias = bool(bias)
        options = replace(options, layout=LAYOUT)
        self._build(cell, input_size, hidden_size, options, sizes or {}, () if bias else _BIASES, order)

    def reset_parameters(self) -> None:
        """Draw every parameter from up to 1/sqrt(hidden) on both sides of zero, as `torch.nn` does."""
        most = 1 / math.sqrt(self.hidden_size)
        for each in self.parameters():
            nn.init.uniform_(each, -most, most)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return super().extra_repr() + ("" if self.bias else ", bias=False")

    def flatten_parameters(self) -> None:
        """Do nothing: the kernels read the parameters where they lie."""

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters by run."""
        return [[getattr(self, name) for name in names] for level in self._levels for names in level.names]


class LSTM(_LikeTorch):
    """`torch.nn.LSTM`: the same arguments, parameters and results; ``hx`` is ``(h, c)``."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        threads: int | None = None,
        checkpoint: int | None = None,
    ) -> None:
        """Make the layer.

        Args:
            input_size: numbers in a row of the input.
            hidden_size: units.
            num_layers: layers, each on top of the one before.
            bias: whether it has biases.
            batch_first: whether ``x`` is (B, T, input).
            dropout: between layers, while training.
            bidirectional: whether a second run of each layer goes from the last step to the first.
            proj_size: numbers in a row of a projected output; 0 for none.
            device: of the parameters.
            dtype: of the parameters.
            threads: of a CPU; None for as many as pay, at most `torch.get_num_threads`.
            checkpoint: as `Layer` takes it.

        Raises:
            ValueError: an argument does not fit.
        """
        if isinstance(proj_size, bool) or not 0 <= proj_size < hidden_size:
            raise ValueError(f"proj_size: expected a whole number from 0 to below hidden_size, found {proj_size!r}")
        cell: Any = CELLS / "lstm_projected.toml" if proj_size else "lstm"
        sizes = {"projection": proj_size} if proj_size else {}
        options = LayerOptions(num_layers, batch_first, dropout, bidirectional, device, dtype, threads, checkpoint)
        super().__init__(cell, input_size, hidden_size, bias, options, sizes, ("h", "c"))
        self.proj_size = proj_size


class GRU(_LikeTorch):
    """`torch.nn.GRU`: the same arguments, parameters and results."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        threads: int | None = None,
        checkpoint: int | None = None,
    ) -> None:
        """Make the layer; the arguments are those of `LSTM`."""
        options = LayerOptions(num_layers, batch_first, dropout, bidirectional, device, dtype, threads, checkpoint)
        super().__init__("gru_reset_after", input_size, hidden_size, bias, options)


class RNN(_LikeTorch):
    """`torch.nn.RNN`: the same arguments, parameters and results."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        threads: int | None = None,
        checkpoint: int | None = None,
    ) -> None:
        """Make the layer; ``nonlinearity`` is ``tanh`` or ``relu``, the other arguments are those of `LSTM`.

        Raises:
            ValueError: an argument does not fit.
        """
        cells: dict[str, Any] = {"tanh": "rnn", "relu": CELLS / "rnn_relu.toml"}
        if nonlinearity not in cells:
            raise ValueError(f"nonlinearity: expected {' or '.join(cells)}, found {nonlinearity!r}")
        options = LayerOptions(num_layers, batch_first, dropout, bidirectional, device, dtype, threads, checkpoint)
        super().__init__(cells[nonlinearity], input_size, hidden_size, bias, options)
        self.nonlinearity = nonlinearity


def from_module(module: nn.Module, *, threads: int | None = None) -> LSTM | GRU | RNN:
    """A module of `torch.nn` as one of symrnn, with a copy of its parameters.

    Args:
        module: an `nn.LSTM`, `nn.GRU` or `nn.RNN`.
        threads: of a CPU; None for as many as pay, at most `torch.get_num_threads`.

    Raises:
        TypeError: it is another module.
        ValueError: it is parametrised.
    """
    if not isinstance(module, nn.LSTM | nn.GRU | nn.RNN):
        raise TypeError(f"from_module: expected nn.LSTM, nn.GRU or nn.RNN, found {type(module).__name__}")
    if is_parametrized(module):
        raise ValueError(
            "from_module: the module has parametrisations, whose parameters are not its own; take them off first with "
            "torch.nn.utils.parametrize.remove_parametrizations, and put them on the new module"
        )
    like: Tensor = next(module.parameters())
    options: dict[str, Any] = {
        "num_layers": module.num_layers,
        "bias": module.bias,
        "batch_first": module.batch_first,
        "dropout": module.dropout,
        "bidirectional": module.bidirectional,
        "device": like.device,
        "dtype": like.dtype,
        "threads": threads,
    }
    made: LSTM | GRU | RNN
    if isinstance(module, nn.LSTM):
        made = LSTM(module.input_size, module.hidden_size, proj_size=module.proj_size, **options)
    elif isinstance(module, nn.GRU):
        made = GRU(module.input_size, module.hidden_size, **options)
    else:
        made = RNN(module.input_size, module.hidden_size, nonlinearity=module.nonlinearity, **options)
    made.load_state_dict(module.state_dict())
    for name, parameter in module.named_parameters():
        made.get_parameter(name).requires_grad_(parameter.requires_grad)
    made.train(module.training)
    return made
