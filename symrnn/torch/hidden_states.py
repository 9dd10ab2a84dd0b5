"""``hx``: the states of all runs of a layer, as a person gives and gets them.

Reads a tensor, a tuple of them, or tensors by name; returns a list in the order of the cell, with an axis for rows, and back.
Leaves out: which run reads which (`symrnn.torch.layer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from torch import Tensor

from symrnn.torch.cell_kernels import CellKernels
from symrnn.torch.functional import hold_tensor
from symrnn.torch.shapes import Sizes, axes_in

States: TypeAlias = Tensor | tuple[Tensor, ...]
"""The states of all runs of a layer, (num_layers * directions, B, *axes): a tensor, or a tuple where the cell has several."""


def read_states(
    hx: States | Mapping[str, Tensor] | None,
    names: Sequence[str],
    kernels: CellKernels,
    runs: int,
    sizes: Sizes,
    x: Tensor,
    one: bool,
) -> list[Tensor]:
    """Initial states in the order of the cell, with an axis for rows; none for zeros.

    Args:
        hx: as a person gives them; None in place of one means zeros.
        names: of the states, in the order in which ``hx`` has them.
        kernels: of the cell.
        runs: how many the layer has.
        sizes: the number behind each size.
        x: (T, B, input): a state that is missing is zeros for its rows, of its dtype, on its device.
        one: whether the row has no axis in ``hx``.

    Raises:
        ValueError: a name is unknown, one is missing, or a shape does not fit.
        TypeError: one is no tensor.
    """
    if hx is None:
        return []
    given = _by_name(hx, names)
    found = []
    for name, size in kernels.states.items():
        expected = (runs, x.shape[1], *axes_in(size, sizes))
        if given.get(name) is None:
            found.append(x.new_zeros(expected))
            continue
        hold_tensor(f"hx: {name}", given[name])
        each = given[name].unsqueeze(1) if one else given[name]
        if tuple(each.shape) != expected:
            shown = (expected[0], *expected[2:]) if one else expected
            raise ValueError(f"hx: expected {name} of shape {shown}, found {tuple(given[name].shape)}")
        found.append(each)
    return found


def _by_name(hx: States | Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    if isinstance(hx, Mapping):
        unknown = next((name for name in hx if name not in names), None)
        if unknown is not None:
            raise ValueError(f"hx: unknown name {unknown!r}; expected {', '.join(names)}")
        return dict(hx)
    given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
    if len(given) != len(names):
        wanted = f"a tuple ({', '.join(names)})" if len(names) > 1 else names[0]
        raise ValueError(f"hx: expected {wanted}, found {len(given)} tensor{'s' * (len(given) != 1)}")
    return dict(zip(names, given, strict=True))


def states_as_given(final: Sequence[Tensor], order: Sequence[int], one: bool) -> States:
    """Final states as ``hx`` has them: those at the places ``order`` of the cell's own order."""
    found = [each.squeeze(1) for each in final] if one else final
    return found[0] if len(found) == 1 else tuple(found[at] for at in order)
