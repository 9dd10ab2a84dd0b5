"""The names of a cell's parameters in other libraries: ``fused_layers.toml``, read as data.

Reads a cell's name and a library's; returns stacks of blocks. Leaves out: what the library does with them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.participants import Unsupported
from benchmarks.workload import Array, Workload

_NONE = "0"
_OTHER_KEYS = ("layer", "operator", "states", "attributes")


@dataclass(frozen=True)
class FusedLayer:
    """A fused layer of a library.

    Attributes:
        layer: its class or operator.
        states: our states, in the order of the layer.
        attributes: options of the layer.
        stacks: for each of its parameters, ours by rows.
    """

    layer: str
    states: tuple[str, ...]
    attributes: Mapping[str, Any]
    stacks: Mapping[str, tuple[str, ...]]

    def stacked(self, name: str, problem: Workload) -> Array:
        """One parameter of the library: blocks of ours, one below the other."""
        units = problem.states[self.states[0]]
        parts = [problem.params[b] if b != _NONE else np.zeros(units, np.float32) for b in self.stacks[name]]
        return np.ascontiguousarray(np.concatenate(parts))

    def blocks(self, name: str, stacked: Array) -> dict[str, Array]:
        """Gradients by our names, from that of one parameter of the library."""
        parts = np.split(stacked, len(self.stacks[name]))
        return {block: part for block, part in zip(self.stacks[name], parts, strict=True) if block != _NONE}


def layout(cell: str, library: str) -> FusedLayer:
    """The layer of ``library`` for the cell.

    Raises:
        Unsupported: the library has no such layer.
    """
    table = _table().get(cell, {}).get(library)
    if table is None:
        raise Unsupported("there is no fused layer of these equations")
    stacks: dict[str, Sequence[str]] = {key: value for key, value in table.items() if key not in _OTHER_KEYS}
    return FusedLayer(
        layer=table.get("layer") or table["operator"],
        states=tuple(table["states"]),
        attributes=table.get("attributes", {}),
        stacks={key: tuple(value) for key, value in stacks.items()},
    )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("fused_layers.toml").read_text(encoding="utf-8"))
