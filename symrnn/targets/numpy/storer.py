"""Where values of one step live: in an array of their own, or in place of a value that is computed from them or dies.

Reads the nodes of a phase in order and where stored values lie; returns the spot of every value, and the arrays that
have to be made. A value that an equation names is never written over, so that names mean what they say. A temporary is
computed in the place of what is computed from it, or of a temporary that is not read again: sums build up in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from symrnn.targets.numpy.functions import is_whole
from symrnn.targets.numpy.ir import COPY, FILL, SCRATCH, Array, Literal, Node, Position, Spot, Stacked, reads_of


@dataclass(frozen=True)
class Scratch:
    """An array of temporaries: its columns are named after the first values in them."""

    array: Array
    columns: tuple[str, ...]


class Storer:
    """Gives the temporaries of one phase their spots.

    Args:
        nodes: in the order in which they run.
        stored: array and column of every value except temporaries.
        beside: the same for temporaries: those of one array must be neighbours.
        sizes: of every value.
        kept: values that are read after the last node.
        named: values that equations name; the others are temporaries.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        stored: Mapping[str, Position],
        beside: Mapping[str, Position],
        sizes: Mapping[str, str],
        kept: Collection[str],
        named: Collection[str],
    ) -> None:
        self._nodes, self._stored, self._beside, self._sizes = nodes, stored, beside, sizes
        self._named = named
        self.spots: dict[str, Position] = {}
        self.scratch: dict[Array, Scratch] = {}
        self._last: dict[str, int] = {}
        self._made: dict[str, int] = {}
        self._groups: dict[Array, list[str]] = {}
        for index, node in enumerate(nodes):
            self._made.update(dict.fromkeys(node.targets, index))
            for values in reads_of(node):
                self._last.update(dict.fromkeys(values, index))
            for target in node.targets:
                if target not in stored:
                    self._groups.setdefault(beside[target][0], []).append(target)
        for group in self._groups.values():
            group.sort(key=lambda value: beside[value][1])
        self._last.update(dict.fromkeys(kept, len(nodes)))
        for group in self._groups.values():
            if any(value in named for value in group):
                self._make(group)
        self._write_early()
        self._write_over()

    def at(self, value: str) -> Position | None:
        """Array and column of ``value``."""
        return self._stored.get(value) or self.spots.get(value)

    def _group(self, value: str) -> list[str]:
        """The temporaries that must be neighbours of ``value``, itself included."""
        return self._groups[self._beside[value][0]]

    def _place(self, values: Sequence[str], place: Position) -> None:
        self.spots.update((value, (place[0], place[1] + i)) for i, value in enumerate(values))

    def _make(self, group: list[str]) -> None:
        """An array of their own."""
        array = Array(SCRATCH, str(len(self.scratch)))
        self.scratch[array] = Scratch(array, tuple(group))
        self._place(group, (array, 0))

    def _write_early(self) -> None:
        """Temporaries that are read last by what computes placed values are computed in these values' places."""
        for index, node in reversed(list(enumerate(self._nodes))):
            place = self.at(node.targets[0])
            if (
                not isinstance(node, Stacked)
                or is_whole(node.function)
                or node.function in (COPY, FILL)
                or place is None
            ):
                continue
            if spot_of(node.targets, self.at) is None:
                continue
            for values in node.arguments:
                if not isinstance(values, Literal) and self._may_move(values, node, index):
                    self._place(values, place)
                    break

    def _may_move(self, values: tuple[str, ...], node: Stacked, index: int) -> bool:
        """Whether ``values`` are temporaries alone in their array, read last by ``node`` and as wide as its targets."""
        if any(value not in self._made or self.at(value) is not None for value in values):
            return False
        dies = all(self._last[value] == index for value in values)
        return dies and list(values) == self._group(values[0]) and self._as_wide(values, node.targets)

    def _as_wide(self, values: Sequence[str], targets: Sequence[str]) -> bool:
        return [self._sizes[v] for v in values] == [self._sizes[t] for t in targets]

    def _write_over(self) -> None:
        """Other temporaries take the place of one that is read for the last time, or get a new array."""
        for index, node in enumerate(self._nodes):
            if self.at(node.targets[0]) is not None:
                continue
            group = self._group(node.targets[0])
            place = self._dying(node, index) if isinstance(node, Stacked) and list(node.targets) == group else None
            if place is None:
                self._make(group)
            else:
                self._place(group, place)

    def _dying(self, node: Stacked, index: int) -> Position | None:
        """The place of an argument that ``node`` reads for the last time and may overwrite."""
        if is_whole(node.function) or node.function in (COPY, FILL):
            return None
        for values in node.arguments:
            if isinstance(values, Literal) or not self._as_wide(values, node.targets):
                continue
            spot = spot_of(values, self.at)
            dies = all(v in self.spots and v not in self._named and self._last[v] == index for v in values)
            if spot and dies and spot.array in self.scratch:
                return (spot.array, spot.first)
        return None


def spot_of(values: Sequence[str], at: Callable[[str], Position | None]) -> Spot | None:
    """The columns of ``values`` if these are neighbours in one array."""
    places = [at(value) for value in values]
    first = places[0]
    if first is None or any(place != (first[0], first[1] + i) for i, place in enumerate(places)):
        return None
    return Spot(first[0], first[1], first[1] + len(places) - 1)
