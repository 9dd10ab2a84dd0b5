"""The computation graph: made of the equations, and marked where the derivation says that no matrix is crossed."""

from __future__ import annotations

import itertools

import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.graph import Graph, NodeKind
from symrnn.language.system import Role
from symrnn.language.tree import PRIME, names

CROSSED = (NodeKind.MATRIX, NodeKind.REDUCTION)


def followed(graph: Graph, start: str, only_direct: bool) -> set[str]:
    """What edges lead to from a node."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for edge in graph.edges:
            if edge.start == here and edge.end not in found and (edge.direct or not only_direct):
                found.add(edge.end)
                waiting.append(edge.end)
    return found


def node(graph: Graph, value: str, kind: NodeKind) -> str:
    return next(each.name for each in graph.nodes if each.value == value and each.kind is kind)


def test_a_way_is_marked_where_the_jacobian_has_a_direct_term(derivation: Derivation) -> None:
    graph = derivation.graph()
    for state in derivation.cell.states:
        jacobian = derivation.jacobian(state, state)
        sources = [each.name for each in graph.nodes if each.value == state and each.kind is NodeKind.SOURCE]
        sink = node(graph, state + PRIME, NodeKind.SINK)
        reached = bool(sources) and sink in followed(graph, sources[0], only_direct=True)
        assert reached == bool(jacobian.direct)
    lanes = [lane for lane in graph.lanes if lane]
    assert len(lanes) == sum(bool(derivation.jacobian(state, state).direct) for state in derivation.cell.states)


def test_the_adjoint_is_marked_where_the_step_is(derivation: Derivation) -> None:
    graph = derivation.adjoint_graph()
    for each in derivation.recurrences.carried:
        direct = derivation.jacobian(each.state, each.state).direct
        if not each.returned:
            assert not direct
            continue
        start = node(graph, each.arrives, NodeKind.SOURCE)
        assert (node(graph, each.returned, NodeKind.SINK) in followed(graph, start, only_direct=True)) == bool(direct)


@pytest.mark.parametrize("which", ["graph", "adjoint_graph"])
def test_no_marked_way_crosses_a_matrix_or_a_reduction(derivation: Derivation, which: str) -> None:
    graph: Graph = getattr(derivation, which)()
    kinds = {each.name: each.kind for each in graph.nodes}
    for edge in graph.edges:
        assert not edge.direct or (kinds[edge.start] not in CROSSED and kinds[edge.end] not in CROSSED)
    for lane in graph.lanes:
        ways = {(edge.start, edge.end) for edge in graph.edges if edge.direct}
        assert ways.issuperset(itertools.pairwise(lane))


def test_every_equation_of_the_step_that_reads_a_value_has_a_node(derivation: Derivation) -> None:
    labels = {label for each in derivation.graph().nodes for label in each.labels}
    normal = derivation.cell.normal
    parameters = {variable.name for variable in normal.of_role(Role.PARAMETER)}
    moving = set(normal.inputs) - parameters
    for equation in normal.equations:
        reads = moving.intersection(names(equation.expression))
        if reads:
            moving.add(equation.target)
            assert equation.label in labels


def test_nodes_come_after_what_they_read(derivation: Derivation) -> None:
    for graph in (derivation.graph(), derivation.adjoint_graph()):
        order = {each.name: at for at, each in enumerate(graph.nodes)}
        assert all(order[edge.start] < order[edge.end] for edge in graph.edges)
        assert len({(edge.start, edge.end) for edge in graph.edges}) == len(graph.edges)


def test_the_lstm_is_drawn_as_lecturers_draw_it() -> None:
    graph = derive(symrnn.load("lstm")).graph()
    kinds = [each.kind for each in graph.nodes]
    assert kinds.count(NodeKind.MATRIX) == 4
    assert kinds.count(NodeKind.FUNCTION) == 5
    assert kinds.count(NodeKind.PRODUCT) == 3
    assert kinds.count(NodeKind.SUM) == 1
    (lane,) = graph.lanes
    named = {each.name: each for each in graph.nodes}
    assert [named[name].latex for name in lane] == ["c_{t-1}", r"\odot", "+", "c_t"]


def test_what_is_given_stands_inside_the_node_that_it_enters() -> None:
    cell = symrnn.Cell.from_equations("a = tanh(W @ x + U @ h)\nh' = (1 - a) * h / 2 - d * mean(h)")
    texts = [each.latex for each in derive(cell).graph().nodes]
    assert r"1 - \cdot" in texts
    assert r"\operatorname{mean}" in texts
    assert r"\frac{\cdot}{2}" in texts
