"""`LayerOptions`: how a layer is made and run, apart from its cell and the sizes of that.

Reads the arguments of `symrnn.torch.Layer` and of the modules that stand in for PyTorch's; refuses what cannot be. Leaves out:
sizes, which are checked with the cell (`symrnn.torch.levels`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from symrnn.torch.functional import hold_threads, read_checkpoint


@dataclass(frozen=True)
class LayerOptions:
    """Arguments that every layer has, whatever its cell; `symrnn.torch.Layer` describes them.

    Raises:
        ValueError: one does not fit.
    """

    num_layers: int = 1
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    device: torch.device | str | None = None
    dtype: torch.dtype | None = None
    threads: int | None = None
    checkpoint: int | None = None
    layout: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.num_layers, bool) or not isinstance(self.num_layers, int) or self.num_layers < 1:
            raise ValueError(f"num_layers: expected a whole number of at least 1, found {self.num_layers!r}")
        if isinstance(self.dropout, bool) or not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout: expected a number from 0 to 1, found {self.dropout!r}")
        hold_threads(self.threads)
        read_checkpoint(self.checkpoint)

    @property
    def directions(self) -> int:
        """The number of runs of one layer."""
        return 2 if self.bidirectional else 1
