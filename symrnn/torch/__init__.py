"""A home in PyTorch: any cell as a fast layer, and drop-ins for `torch.nn.LSTM`, `GRU` and `RNN`.

Joins the kernels in C, which run on a CPU, and those in operations of PyTorch, which run everywhere. Needs PyTorch: the extra
``torch``. Importing symrnn does not import this package. Leaves out: the kernels (`symrnn.pipeline` makes them).

    layer = symrnn.torch.Layer("my_cell.toml", 64, 256, num_layers=2, bidirectional=True)
    y, hx = layer(x)                                    # names and shapes of torch.nn.LSTM
    y, state = symrnn.torch.functional("gru")(x, params)
    lstm = symrnn.torch.from_module(torch.nn.LSTM(64, 256))
"""

from symrnn.optional import load_optional

load_optional("torch", extra="torch", purpose="symrnn.torch")

from symrnn.torch.functional import CellFunction, functional  # noqa: E402  # after the error that names the remedy
from symrnn.torch.layer import Layer  # noqa: E402
from symrnn.torch.modules import GRU, LSTM, RNN, from_module  # noqa: E402

__all__ = ["GRU", "LSTM", "RNN", "CellFunction", "Layer", "from_module", "functional"]
