"""The source map of a generated NumPy module: which line computes which equation, in which function."""

from __future__ import annotations

import ast
import re

import pytest

import symrnn
from symrnn.emit.request import Request
from symrnn.emit.source import Mark, Source
from symrnn.language.tree import Name
from symrnn.targets.numpy.module import numpy_module
from tests.targets.numpy.numpy_cells import CELLS, load

STATED = re.compile(r"# ((?:\([a-z]?\d+[a-z]*\) ?)+)")
FUNCTIONS = ("_Weights", "_forward", "_steps_of_stream", "_backward", "_Directions", "_tangent")


def source(name: str) -> Source:
    return numpy_module(symrnn.program(load(name)), Request())


@pytest.mark.parametrize("name", CELLS)
def test_a_line_is_marked_with_the_equations_that_its_comment_states(name: str) -> None:
    found = source(name)
    stated = {}
    for number, line in enumerate(found.text.splitlines(), 1):
        comment = STATED.search(line)
        if comment:
            stated[number] = tuple(comment.group(1).replace("(", "").replace(")", "").split())
    assert stated
    assert {number: found.marks.get(number, Mark()).labels for number in stated} == stated


@pytest.mark.parametrize("name", CELLS)
def test_marks_name_the_function_that_they_stand_in(name: str) -> None:
    found = source(name)
    spans = {
        node.name: (node.lineno, node.end_lineno or 0)
        for node in ast.parse(found.text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for number, mark in found.marks.items():
        first, last = spans[mark.function]
        assert first <= number <= last, (number, mark)
    heads: dict[str, int] = {}
    for number, mark in found.marks.items():
        heads.setdefault(mark.function, number)
        assert number > heads[mark.function] or (not mark.labels and not mark.stage)
    assert heads == {name: spans[name][0] for name in FUNCTIONS}


@pytest.mark.parametrize("name", CELLS)
def test_every_equation_of_the_plan_is_on_the_map_under_its_stage(name: str) -> None:
    """But where it is nothing but a second name of a value: that takes no line."""
    program, found = symrnn.program(load(name)), source(name).marks.values()
    assert program.backward is not None
    for function, routine in (("_forward", program.forward), ("_backward", program.backward)):
        planned = {
            (stage.name, statement.label)
            for phase in routine.phases
            for stage in phase.stages
            for statement in stage.statements
            if statement.label and phase.name != "once" and not isinstance(statement.expression, Name)
        }
        marked = {(mark.stage, label) for mark in found if mark.function == function for label in mark.labels}
        assert planned
        assert planned <= marked, planned - marked


def test_every_physical_line_of_a_statement_has_its_mark() -> None:
    """A statement that takes several lines would lose its equation in a listing that shows one of them."""
    first, second, third = (f"{letter}_{'long' * 12}" for letter in "abc")
    equations = f"{first} = W @ x\n{second} = U @ h\n{third} = {first} * {second}\nh' = tanh({third}) + {first}"
    found = numpy_module(symrnn.program(symrnn.Cell.from_equations(equations, name="lengthy")), Request())
    longest = 0
    for node in ast.walk(ast.parse(found.text)):
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            marks = [found.marks.get(number, Mark()).labels for number in lines]
            if any(marks):
                assert marks == [marks[0]] * len(marks), lines
                longest = max(longest, len(marks))
    assert longest > 1
