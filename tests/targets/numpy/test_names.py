"""Names: a cell may call its values what a generated module calls its own, and every oracle holds."""

from __future__ import annotations

import ast

import pytest

from symrnn.check.cases import CASES
from symrnn.check.suite import run_suite
from symrnn.emit.python_names import joint, size_names
from symrnn.language.identifiers import Allocator
from symrnn.targets.numpy.names import RESERVED
from tests.targets.numpy.numpy_cells import load, module, text

SMALL = tuple(case for case in CASES if case.steps <= 20 and case.hidden < 20 and not case.others)


def test_the_oracles_hold_for_awkward_names() -> None:
    kernels = module("awkward")
    rows = run_suite(load("awkward"), kernels, {"numpy": kernels}, SMALL)
    assert len(rows) > 100
    assert [row for row in rows if not row.error <= row.bound] == []


def test_no_value_has_a_name_that_the_kernels_use() -> None:
    allowed = {"T", "B", "H", "t", "dtype", "gone", "final", "states", "data", "grads", "dx", "dfirst"}
    for node in ast.parse(text("awkward")).body:
        if isinstance(node, ast.FunctionDef) and node.name in ("_forward", "_backward", "_tangent"):
            stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert not stored & (set(RESERVED) - allowed)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["z"], "z"),
        (["m_i", "m_f"], "m_if"),
        (["i_sum", "f_sum"], "if_sum"),
        (["a", "a_b"], "a_to_a_b"),
        (["first_of_all", "second_of_all"], "first_second_of_all"),
    ],
)
def test_a_joint_name_has_each_shared_word_once(names: list[str], expected: str) -> None:
    assert joint(names) == expected


def test_a_size_gets_a_free_letter_that_linters_accept() -> None:
    allocator = Allocator(RESERVED)
    letters = size_names(("input", "hidden", "projection", "padding", "inner", "output"), allocator)
    assert letters == {
        "input": "I", "hidden": "H", "projection": "P", "padding": "P_2", "inner": "I_2", "output": "O_2"
    }  # fmt: skip
