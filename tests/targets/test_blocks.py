"""The blocks of generated files, for every cell: those of the map are those that a reader of the language finds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from symrnn.derive.derivation import derive
from symrnn.emit.source import Block, Source
from symrnn.pipeline import programs, requested, sources
from tests.families import FIRST_CELLS

CELLS = (*FIRST_CELLS, *sorted(str(path) for path in (Path(__file__).parents[1] / "cells").glob("*.toml")))
FORMS = [("numpy", True, False), *(("c", backward, single) for backward in (True, False) for single in (False, True))]
each_form = pytest.mark.parametrize(("backend", "backward", "single"), FORMS)


def source(name: str, backend: str, *, backward: bool = True, single: bool = False) -> Source:
    """The file of a cell that has lines of equations."""
    derivation = derive(name)
    planned = programs(derivation, (backend,), backward=backward)
    request = requested(derivation.cell, (backend,), backward=backward, single_file=single)
    (found,) = (each for each in sources(planned, request)[backend].values() if each.marks)
    return found


def innermost(blocks: Sequence[Block], number: int) -> Block:
    return min((each for each in blocks if each.first <= number <= each.last), key=lambda each: each.last - each.first)


def labelled(found: Source) -> Iterator[int]:
    return (number for number, mark in found.marks.items() if mark.labels)


@each_form
@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_blocks_nest_and_lie_in_the_file(name: str, backend: str, backward: bool, single: bool) -> None:
    found = source(name, backend, backward=backward, single=single)
    lines, blocks = found.text.splitlines(), found.blocks
    assert blocks
    for each in blocks:
        assert 1 <= each.first < each.last <= len(lines)
        assert lines[each.first - 1].strip()
        assert lines[each.last - 1].strip()
    for one, next_one in pairwise(blocks):
        assert one.last < next_one.first or next_one.last <= one.last
    assert all(any(each.first < number <= each.last for each in blocks) for number in labelled(found))


@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_blocks_of_numpy_are_the_compound_statements_of_what_runs_steps(name: str) -> None:
    found = source(name, "numpy")
    functions = {mark.function for mark in found.marks.values()}
    tree = ast.parse(found.text)
    tops = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name in functions]
    expected = {Block(*span) for top in tops for node in ast.walk(top) for span in _spans(node)}
    assert len(tops) == len(functions)
    assert set(found.blocks) == expected


def _spans(node: ast.AST) -> Iterator[tuple[int, int]]:
    match node:
        case ast.FunctionDef() | ast.ClassDef() | ast.For() | ast.While():
            yield node.lineno, node.end_lineno or 0
        case ast.If():
            yield node.lineno, node.body[-1].end_lineno or 0
            if node.orelse:
                yield node.orelse[0].lineno - 1, node.orelse[-1].end_lineno or 0


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_an_equation_in_c_is_in_the_block_of_the_braces_around_it(name: str, single: bool) -> None:
    found = source(name, "c", single=single)
    lines, blocks = found.text.splitlines(), found.blocks
    for number in labelled(found):
        assert _braces(lines, number) == innermost(blocks, number)


def _braces(lines: Sequence[str], number: int) -> Block:
    """From the line of the next brace before ``number`` that is not closed there to that of the one that closes it."""
    first, depth = number, 0
    while depth < 1:
        first -= 1
        depth += lines[first - 1].count("{") - lines[first - 1].count("}")
    last = first
    while depth > 0:
        last += 1
        depth += lines[last - 1].count("{") - lines[last - 1].count("}")
    return Block(first, last)


@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_a_single_file_has_the_blocks_of_the_cells_own_file_for_each_precision(name: str) -> None:
    apart, single = source(name, "c"), source(name, "c", single=True)
    assert _texts(apart) * 2 == _texts(single)


def _texts(found: Source) -> list[str]:
    lines = found.text.splitlines()
    return ["\n".join(lines[each.first - 1 : each.last]) for each in found.blocks]
