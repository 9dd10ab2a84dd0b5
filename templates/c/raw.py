"""Raw: calls on addresses, for numbers that another library holds."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from templates.c.cell import _BLOCK_NUMBERS, _FIELDS, _MOST_PARTS, _STATUS, _on_tape
from templates.c.choice import _Choice
from templates.c.library import _BOUND, _Dims, _query
from templates.c.memory import _address
from templates.c.run import _precision, _Run, _run
from templates.c.team import _TEAM
from templates.python.cell import CELL


class Raw:
    """Calls of one shape on addresses; `raw` makes it.

    The numbers at an address are dense and of one precision; nothing is checked. The order is that of the arguments in C.
    """

    __slots__ = ("_run", "packed_size")

    def __init__(self, run: _Run) -> None:
        self._run = run
        self.packed_size = run.packing.size
        """Numbers in packed weights."""

    def pack(self, params: Sequence[int], packed: int) -> None:
        """Lay parameters out for calls, given their addresses in the order of `param_shapes`."""
        self._run.packing.pack_at(_address(np.array(params, np.uintp)), packed, None, self._run.threads)

    def forward(self, packed: int, x: int, state: int | None, y: int, final: int, tape: int) -> None:
        """Run all steps and write a tape; states stand side by side in one block, and None means zeros."""
        self._run.call_at("forward", packed, x, state, y, final, tape)

    def infer(self, packed: int, x: int, state: int | None, y: int, final: int) -> None:
        """Run all steps without a tape."""
        self._run.call_at("infer", packed, x, state, y, final)

    def backward(
        self,
        packed: int,
        x: int,
        tape: int,
        dy: int,
        dstate: int | None,
        grads: Sequence[int],
        dx: int,
        dfirst: int,
        adds: bool = False,
    ) -> None:
        """Write gradients: of the parameters to ``grads``, of the input to ``dx``, of the initial states to ``dfirst``.

        ``grads`` are addresses in the order of `param_shapes`, without those of parameters that are fixed. With ``adds``, the
        gradients of parameters are added to what is there.
        """
        to = np.array(grads, np.uintp)
        self._run.call_at("backward", packed, x, tape, dy, dstate, _address(to), dx, dfirst, numbers=(int(adds),))


def tape_size(sizes: Mapping[str, int], steps: int, rows: int) -> int:
    """Numbers in a tape of `raw`, as arithmetic: it takes symbolic sizes too."""
    blocks = _on_tape(sizes, steps, rows)
    return sum([(block + _BLOCK_NUMBERS - 1) // _BLOCK_NUMBERS * _BLOCK_NUMBERS for block in blocks])


def raw(
    sizes: Mapping[str, int],
    dtype: str,
    steps: int,
    rows: int,
    lengths: np.ndarray | None = None,
    reverse: bool = False,
    threads: int | None = None,
    most: int = _MOST_PARTS,
) -> Raw:
    """Calls on addresses, for numbers that another library holds.

    Args:
        sizes: every size of the cell by name, in the order of the equations.
        dtype: ``float32`` or ``float64``.
        steps: T.
        rows: B.
        lengths: (B,) of type ``uintp``, at most T; it must stay as it is.
        reverse: as in `infer`.
        threads: as in `infer`.
        most: bounds the number of threads where that is None.
    """
    return Raw(_run(dict(sizes), _precision("dtype", np.dtype(dtype)), steps, rows, lengths, reverse, threads, most))


_LEAD_CHOICES: dict[tuple[Any, ...], tuple[int, _Choice]] = {}
"""For calls of one shape, in how many parts they pay if threads must be woken, and the choice of their number."""
_KEPT_CHOICES = 64


def lead(dtype: str, name: str, parts: int, row: int) -> int:
    """Call an entry in parts, by the threads of this module; returns a status.

    Args:
        dtype: ``float32`` or ``float64``.
        name: of the entry.
        parts: how many pay, and as how many the workspace is for.
        row: the address of the arguments before the part, as the entry takes them, the structure of sizes first.
    """
    precision = np.dtype(dtype)
    dims = _Dims.from_address(ctypes.c_void_p.from_address(row).value or 0)
    if dims.lengths:
        return _TEAM.run_row(precision, name, row, parts, parts)
    key = (dtype, name, parts, *(getattr(dims, field) for field, kind in _FIELDS if kind != "lengths"))
    found = _LEAD_CHOICES.get(key)
    if found is None:
        woken = min(parts, _query(precision, "useful_parts", dims, parts, 0)) if dims.steps and dims.rows else parts
        for oldest in list(_LEAD_CHOICES)[: 1 - _KEPT_CHOICES]:
            _LEAD_CHOICES.pop(oldest, None)
        found = _LEAD_CHOICES[key] = woken, _Choice(parts)
    woken, choice = found
    return _TEAM.run_row(precision, name, row, parts, woken, choice)


def entry_points(dtype: str) -> dict[str, int]:
    """The address of every function of a precision in the library, by its name without the cell's."""
    precision = np.dtype(dtype)
    return {
        name: ctypes.cast(function, ctypes.c_void_p).value or 0
        for (each, name), function in _BOUND.items()
        if each == precision
    }


def meaning(status: int) -> str:
    """What a status other than zero means, as the text of an error."""
    return f"{CELL}: {_STATUS.get(status, f'status {status}')}"
