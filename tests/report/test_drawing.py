"""Drawings: nothing covers anything, ways lead onwards, and the outer lane is straight."""

from __future__ import annotations

import itertools
import re

import pytest

from symrnn.derive.derivation import Derivation
from symrnn.derive.graph import Graph
from symrnn.report.drawing import Drawing, draw
from symrnn.report.placement import place

EXTENT = (40.0, 30.0)
BETWEEN, BESIDE = 20.0, 10.0


@pytest.fixture(params=["graph", "adjoint_graph"])
def graph(request: pytest.FixtureRequest, derivation: Derivation) -> Graph:
    found: Graph = getattr(derivation, request.param)()
    return found


@pytest.mark.parametrize("down", [False, True], ids=["across", "down"])
def test_no_two_nodes_touch_and_all_are_inside(graph: Graph, down: bool) -> None:
    drawing: Drawing = draw(graph, "g", "says", down=down)
    boxes = [tuple(map(float, (s.x, s.y, s.width, s.height))) for s in drawing.boxes]
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in itertools.combinations(boxes, 2):
        assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0
    for x, y, wide, high in boxes:
        assert x >= 0
        assert y >= 0
        assert x + wide <= float(drawing.width)
        assert y + high <= float(drawing.height)


def test_ways_lead_onwards_and_the_outer_lane_is_straight(graph: Graph) -> None:
    placed = place(graph, {node.name: EXTENT for node in graph.nodes}, between=BETWEEN, beside=BESIDE)
    for edge in graph.edges:
        way = [placed.points[edge.start], *placed.ways[(edge.start, edge.end)], placed.points[edge.end]]
        assert all(later[0] - earlier[0] >= BETWEEN for earlier, later in itertools.pairwise(way))
    if graph.lanes:
        lane = graph.lanes[0]
        places = [placed.points[name][1] for name in lane]
        places += [point[1] for key in itertools.pairwise(lane) for point in placed.ways[key]]
        assert max(places) - min(places) < 0.5
        assert min(places) <= min(point[1] for point in placed.points.values()) + 0.5


def test_a_gradient_runs_against_the_direction_of_reading(graph: Graph) -> None:
    onwards = draw(graph, "g", "says")
    back = draw(graph, "g", "says", backward=True)
    for one, other in zip(onwards.boxes, back.boxes, strict=True):
        middle = float(one.x) + float(one.width) / 2
        mirrored = float(other.x) + float(other.width) / 2
        assert middle + mirrored == pytest.approx(float(onwards.width), abs=0.3)


def test_numbers_are_short_and_finite(graph: Graph) -> None:
    for curve in draw(graph, "g", "says").curves:
        assert re.fullmatch(r"M( -?\d+(\.\d)?){2}( C( -?\d+(\.\d)?){6})+", curve.path)
