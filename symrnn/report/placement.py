"""Where the nodes of a computation graph stand: layers along the way, lanes across it.

Reads a `Graph` and the extent of every node; returns `Placement`, in numbers. The method is Sugiyama's: longest paths give
layers, long edges get a point in every layer that they pass, barycentres give the order within a layer, and least squares
with a least distance give the places; the path of the first lane stays straight on the outside. Leaves out: looks.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symrnn.derive.graph import Graph, NodeKind

SWEEPS = 24
_LANE_WEIGHT = 1e4
_LANE_GAP = 12.0
"""Room between the outer lane and the nodes beside it."""


@dataclass(frozen=True)
class Placement:
    """Places in a plane whose first coordinate runs along the way of computation, the second across it.

    Attributes:
        points: (along, across) of the middle of every node.
        ways: for each edge (start, end), the points that it passes between its ends.
        length: extent along.
        breadth: extent across.
    """

    points: Mapping[str, tuple[float, float]]
    ways: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]
    length: float
    breadth: float


def place(graph: Graph, extents: Mapping[str, tuple[float, float]], *, between: float, beside: float) -> Placement:
    """Places for the nodes of ``graph``.

    Args:
        graph: without a cycle.
        extents: (along, across) of every node.
        between: least distance of two layers.
        beside: least distance of two nodes of a layer.
    """
    layers = _layers(graph)
    chains = _chains(graph, layers)
    order, links = _rows(graph, layers, chains)
    first = graph.lanes[0] if graph.lanes else ()
    held = {*first, *(name for key in itertools.pairwise(first) for name in chains[key])}
    _untangle(order, links, held)
    sizes = {name: extents.get(name, (0.0, 10.0)) for row in order for name in row}
    across = _across(order, links, sizes, beside, _lanes(graph, chains))
    along, length = _along(order, sizes, between)
    lowest = min(across[name] - sizes[name][1] / 2 for name in across)
    highest = max(across[name] + sizes[name][1] / 2 for name in across)
    points = {name: (along[name], across[name] - lowest) for name in across}
    ways = {key: tuple(points[name] for name in chain) for key, chain in chains.items()}
    nodes = {node.name: points[node.name] for node in graph.nodes}
    return Placement(nodes, ways, length, highest - lowest)


def _layers(graph: Graph) -> dict[str, int]:
    """Sources first, sinks last, everything else as early as possible, except nodes that only one far node reads."""
    before: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    after: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        before[edge.end].append(edge.start)
        after[edge.start].append(edge.end)
    found: dict[str, int] = {}
    for node in graph.nodes:  # in the order of computation
        found[node.name] = max((found[name] + 1 for name in before[node.name]), default=0)
    last = max(found.values(), default=0)
    sinks = {node.name for node in graph.nodes if node.kind is NodeKind.SINK}
    found |= dict.fromkeys(sinks, max(last, 1))
    for node in reversed(graph.nodes):
        readers = after[node.name]
        # Arithmetic with what is given stands beside its only reader; matrices and functions line up.
        if node.kind is NodeKind.OTHER and len(readers) == 1 and readers[0] not in sinks:
            found[node.name] = found[readers[0]] - 1
    return found


def _chains(graph: Graph, layers: Mapping[str, int]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The points that each edge passes in the layers between its ends."""
    return {
        (edge.start, edge.end): tuple(
            f"{edge.start}>{edge.end}@{layer}" for layer in range(layers[edge.start] + 1, layers[edge.end])
        )
        for edge in graph.edges
    }


def _rows(
    graph: Graph, layers: Mapping[str, int], chains: Mapping[tuple[str, str], tuple[str, ...]]
) -> tuple[list[list[str]], dict[str, tuple[list[str], list[str]]]]:
    """The names in each layer, and for each its neighbours in the layers before and after."""
    order: list[list[str]] = [[] for _ in range(max(layers.values(), default=0) + 1)]
    links: dict[str, tuple[list[str], list[str]]] = {}
    for node in graph.nodes:
        order[layers[node.name]].append(node.name)
        links[node.name] = ([], [])
    for (start, end), chain in chains.items():
        for step, name in enumerate(chain):
            order[layers[start] + 1 + step].append(name)
            links[name] = ([], [])
        whole = (start, *chain, end)
        for one, other in itertools.pairwise(whole):
            links[one][1].append(other)
            links[other][0].append(one)
    return order, links


def _untangle(order: list[list[str]], links: Mapping[str, tuple[list[str], list[str]]], held: set[str]) -> None:
    """Sort every layer by the barycentres of its neighbours, back and forth; keep the order with fewest crossings."""
    for row in order:
        row.sort(key=lambda name: name not in held)
    best, fewest = [list(row) for row in order], _crossings(order, links)
    for sweep in range(SWEEPS):
        side = sweep % 2
        rows = range(1, len(order)) if side == 0 else range(len(order) - 2, -1, -1)
        for index in rows:
            beside = order[index - 1] if side == 0 else order[index + 1]
            at = {name: place for place, name in enumerate(beside)}
            keys = {
                name: (name not in held, _mean([at[each] for each in links[name][side]], place), place)
                for place, name in enumerate(order[index])
            }
            order[index].sort(key=keys.__getitem__)
        count = _crossings(order, links)
        if count < fewest:
            best, fewest = [list(row) for row in order], count
    order[:] = best


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(order: Sequence[Sequence[str]], links: Mapping[str, tuple[list[str], list[str]]]) -> int:
    """How many pairs of edges between neighbouring layers cross."""
    total = 0
    for index, row in enumerate(order[:-1]):
        at = {name: place for place, name in enumerate(order[index + 1])}
        ends = [at[end] for name in row for end in sorted(links[name][1], key=at.__getitem__)]
        total += sum(1 for i, end in enumerate(ends) for other in ends[i + 1 :] if other < end)
    return total


def _lanes(graph: Graph, chains: Mapping[tuple[str, str], tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The lanes with the points that their edges pass."""
    found = []
    for lane in graph.lanes:
        whole = [lane[0]]
        for key in itertools.pairwise(lane):
            whole += [*chains[key], key[1]]
        found.append(tuple(whole))
    return tuple(found)


def _across(
    order: Sequence[Sequence[str]],
    links: Mapping[str, tuple[list[str], list[str]]],
    sizes: Mapping[str, tuple[float, float]],
    beside: float,
    lanes: Sequence[tuple[str, ...]],
) -> dict[str, float]:
    """Places across the way: near the mean of the neighbours, in order, with distances kept and lanes straight."""
    places: dict[str, float] = {}
    for row in order:
        at = 0.0
        for name in row:
            places[name] = at
            at += sizes[name][1] + beside
    outer = lanes[0] if lanes else ()
    lane_of = {name: index for index, lane in enumerate(lanes) for name in reversed(lane)}
    for sweep in range(SWEEPS):
        level = [sum(places[name] for name in lane) / len(lane) for lane in lanes]
        if lanes:
            level[0] = min(places[name] for name in lanes[0])
        for row in order if sweep % 2 == 0 else reversed(order):
            wanted, weights = [], []
            for name in row:
                around = [places[each] for each in (*links[name][0], *links[name][1])]
                lane = lane_of.get(name)
                wanted.append(_mean(around, places[name]) if lane is None else level[lane])
                weights.append(1.0 if lane is None else _LANE_WEIGHT)
            gaps = [
                (sizes[one][1] + sizes[other][1]) / 2
                + (beside if _is_node(one) and _is_node(other) else beside / 2)
                + (_LANE_GAP if one in outer else 0.0)
                for one, other in itertools.pairwise(row)
            ]
            places |= dict(zip(row, _apart(wanted, weights, gaps), strict=True))
    return places


def _is_node(name: str) -> bool:
    return "@" not in name


def _apart(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to ``wanted`` by weighted least squares that keep their ``gaps`` (pool adjacent violators)."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for value, weight, offset in zip(wanted, weights, offsets, strict=False):
        mean, total, members = value - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, several = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, members = total + heavy, members + several
        pools.append((mean, total, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _along(
    order: Sequence[Sequence[str]], sizes: Mapping[str, tuple[float, float]], between: float
) -> tuple[dict[str, float], float]:
    """Places along the way: a layer is as long as its longest node."""
    found: dict[str, float] = {}
    at = 0.0
    for row in order:
        longest = max((sizes[name][0] for name in row), default=0.0)
        found |= dict.fromkeys(row, at + longest / 2)
        at += longest + between
    return found, at - between
