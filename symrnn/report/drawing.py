"""The computation graph as a drawing: boxes, texts and curves for an SVG.

Reads a `Graph`; returns a `Drawing` whose numbers are written out, for a template that places them. The same graph is
drawn across, for wide pages, and down, for narrow ones. Leaves out: colours, which belong to the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from symrnn.derive.graph import Graph, Node, NodeKind
from symrnn.language.typeset.mathml import runs
from symrnn.report.placement import Placement, place

_FONT = 15.0
_SMALL = 0.72
_NOTE = 0.92
_MARGIN = 14.0
_WIDE = {
    "W": 0.95,
    "m": 0.85,
    "M": 0.95,
    "i": 0.33,
    "l": 0.33,
    "j": 0.36,
    "t": 0.38,
    "f": 0.38,
    ",": 0.28,
    "\u2009": 0.2,
}
_USUAL = 0.56
_READABLE = 0.66
"""The smallest scale of a drawing."""
_ROUND = (NodeKind.PRODUCT, NodeKind.SUM)
_CORNERS = {
    NodeKind.SOURCE: 15.0,
    NodeKind.SINK: 15.0,
    NodeKind.MATRIX: 3.0,
    NodeKind.FUNCTION: 7.0,
    NodeKind.OTHER: 11.0,
    NodeKind.REDUCTION: 3.0,
}


@dataclass(frozen=True)
class TextRun:
    """A piece of text in one font; ``shift`` is its distance below the piece before it."""

    text: str
    size: str
    shift: str
    slanted: bool


@dataclass(frozen=True)
class Box:
    """A node: a box with round corners, its text, and the number and name beside it."""

    kind: str
    labels: str
    title: str
    x: str
    y: str
    width: str
    height: str
    corner: str
    text_x: str
    text_y: str
    runs: tuple[TextRun, ...]
    note_x: str
    note_y: str
    note_beside: bool
    note: tuple[TextRun, ...]
    direct: bool


@dataclass(frozen=True)
class Curve:
    """An edge: an SVG path; ``minus`` is the place of its sign, if it has one."""

    path: str
    direct: bool
    minus: bool
    minus_x: str
    minus_y: str


@dataclass(frozen=True)
class Drawing:
    """An SVG's contents.

    Attributes:
        name: unique on its page.
        width: in units of the drawing, about pixels.
        height: the same.
        least: the least width in pixels at which its text can be read.
        says: one sentence for readers who cannot see it.
        boxes: nodes.
        curves: edges, those of direct paths last, on top.
    """

    name: str
    width: str
    height: str
    least: str
    says: str
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def draw(graph: Graph, name: str, says: str, *, down: bool = False, backward: bool = False) -> Drawing:
    """The drawing of ``graph``.

    Args:
        graph: what is drawn.
        name: unique on its page.
        says: one sentence for readers who cannot see it.
        down: whether computation runs from top to bottom, else from side to side.
        backward: whether it runs against the direction of reading, as gradients do.
    """
    sizes = {node.name: _extent(node) for node in graph.nodes}
    beside = {node.name: _text_width(node.note) * _NOTE + 6.0 for node in graph.nodes if node.note and down}
    outer = graph.lanes[0] if graph.lanes else ()
    # A name takes room on one side, but on both if its node must stay in the middle.
    room = {name: width * (2 if name in outer else 1) for name, width in beside.items()}
    turned = {key: (high, wide + room.get(key, 0.0)) if down else (wide, high) for key, (wide, high) in sizes.items()}
    placed = place(graph, turned, between=28.0 if down else 32.0, beside=16.0 if down else 26.0)
    shifts = {name: -width / 2 for name, width in beside.items() if name not in outer}
    pen = _Pen(placed, sizes, shifts, down, backward)
    direct = {name for edge in graph.edges if edge.direct for name in (edge.start, edge.end)}
    boxes = tuple(pen.box(node, direct=node.name in direct) for node in graph.nodes)
    curves = [pen.curve(edge.start, edge.end, direct=edge.direct, minus=edge.minus) for edge in graph.edges]
    curves.sort(key=lambda curve: curve.direct)
    least = _number(round(pen.width * _READABLE))
    return Drawing(name, _number(pen.width), _number(pen.height), least, says, boxes, tuple(curves))


class _Pen:
    """Turns places into the numbers of an SVG."""

    def __init__(
        self,
        placed: Placement,
        sizes: Mapping[str, tuple[float, float]],
        shifts: Mapping[str, float],
        down: bool,
        backward: bool,
    ) -> None:
        self._placed, self._sizes, self._shifts = placed, sizes, shifts
        self._down, self._backward = down, backward
        along, across = placed.length + 2 * _MARGIN, placed.breadth + 2 * _MARGIN + 12
        self.width, self.height = (across, along) if down else (along, across)

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        along, across = point
        if self._backward:
            along = self._placed.length - along
        along, across = along + _MARGIN, across + _MARGIN + 6
        return (across, along) if self._down else (along, across)

    def _middle(self, name: str) -> tuple[float, float]:
        x, y = self._at(self._placed.points[name])
        return x + self._shifts.get(name, 0.0), y

    def box(self, node: Node, *, direct: bool) -> Box:
        """The box of a node."""
        x, y = self._middle(node.name)
        wide, high = self._sizes[node.name]
        inside = _runs(node.latex)
        note = _runs(node.note, _NOTE) if node.note else ()
        return Box(
            kind=node.kind.value,
            labels=" ".join(node.labels),
            title=_plain(node.says),
            x=_number(x - wide / 2),
            y=_number(y - high / 2),
            width=_number(wide),
            height=_number(high),
            corner=_number(high / 2 if node.kind in _ROUND else _CORNERS[node.kind]),
            text_x=_number(x),
            text_y=_number(y + 5),
            runs=inside,
            note_x=_number(x + wide / 2 + 4 if self._down else x),
            note_y=_number(y + 4 if self._down else y - high / 2 - 5),
            note_beside=self._down,
            note=note,
            direct=direct,
        )

    def curve(self, start: str, end: str, *, direct: bool, minus: bool) -> Curve:
        points = [self._port(start, leaving=True)]
        points += [self._at(point) for point in self._placed.ways[(start, end)]]
        points.append(self._port(end, leaving=False))
        (x0, _), (x1, y1) = points[-2:]
        away = 14.0
        at = (x1 + away * (x0 < x1) - away * (x0 > x1), y1 - away) if not self._down else (x1 - away, y1 - 8)
        return Curve(self._path(points), direct, minus, _number(at[0]), _number(at[1]))

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        """A smooth way through ``points`` that leaves and arrives along the way of computation."""
        found = f"M {_number(points[0][0])} {_number(points[0][1])}"
        slopes = [0.0, *(self._slope(one, other) for one, other in zip(points, points[2:], strict=False)), 0.0]
        for start, end, first, last in zip(points, points[1:], slopes, slopes[1:], strict=False):
            along = (end[1] - start[1] if self._down else end[0] - start[0]) * (0.5 if len(points) == 2 else 0.4)
            one = self._moved(start, along, first * along)
            other = self._moved(end, -along, -last * along)
            found += " C " + " ".join(_number(each) for point in (one, other, end) for each in point)
        return found

    def _slope(self, one: tuple[float, float], other: tuple[float, float]) -> float:
        along, across = other[0] - one[0], other[1] - one[1]
        if self._down:
            along, across = across, along
        return across / along if along else 0.0

    def _moved(self, point: tuple[float, float], along: float, across: float) -> tuple[float, float]:
        return (point[0] + across, point[1] + along) if self._down else (point[0] + along, point[1] + across)

    def _port(self, name: str, *, leaving: bool) -> tuple[float, float]:
        """The point where an edge leaves a node, or arrives at it before its arrow's head."""
        x, y = self._middle(name)
        wide, high = self._sizes[name]
        forward = leaving != self._backward
        if self._down:
            half = high / 2 + (0 if leaving else 5)
            return x, y + half if forward else y - half
        half = wide / 2 + (0 if leaving else 5)
        return x + half if forward else x - half, y


def _extent(node: Node) -> tuple[float, float]:
    wide = _text_width(node.latex)
    if node.kind in _ROUND and wide < 20:
        return 26.0, 26.0
    return max(wide + 22.0, 34.0), 30.0


def _text_width(latex: str) -> float:
    return sum(_width(text) * (_SMALL if level else 1.0) for text, level, _ in runs(latex)) * _FONT


def _width(text: str) -> float:
    """The approximate width of a text, in units of its size."""
    return sum(
        0.0 if "\u0300" <= each <= "\u20ff" and each not in "\u2009" else _WIDE.get(each, _USUAL) for each in text
    )


def _runs(latex: str, scale: float = 1.0) -> tuple[TextRun, ...]:
    found = []
    level = 0
    for text, now, slanted in runs(latex):
        shift = {-1: 4.0, 0: 0.0, 1: -5.0}
        size = _FONT * scale * (_SMALL if now else 1.0)
        found.append(TextRun(escape(text, quote=False), _number(size), _number(shift[now] - shift[level]), slanted))
        level = now
    return tuple(found)


def _plain(latex: str) -> str:
    """A formula in a line of plain text, for readers who hear it."""
    signs = {-1: "_", 0: "", 1: "^"}
    return escape("".join(signs[level] + text for text, level, _ in runs(latex)).replace("\u2009", " "))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
