"""Transformations of all cells that the tests have, at the point where each changes nothing, or what is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import Case, draw
from symrnn.errors import CellError
from symrnn.language.bundled import first_cells
from symrnn.language.cellfile import CellLike

FILES = sorted((Path(__file__).parents[2] / "cells").rglob("*.toml"))
CELLS: tuple[CellLike, ...] = (*first_cells(), *FILES)
MORE = [pytest.param(name, marks=pytest.mark.long) for name in symrnn.cells() if name not in CELLS]
WITH_AXES = {path.stem for path in FILES if path.parent.name == "axes"}
MAY_BE_REFUSED = set(symrnn.cells()) - set(first_cells()) | WITH_AXES
CASE = Case(5, 3, 4, 4)

WITH_DEFINITIONS = symrnn.Cell.from_equations(
    """
v = h
repeat passes: v = v + dt * F(v)
m' = v
h' = tanh(P @ m' + pulse(V @ previous(x)) + dt * h)
""",
    name="definitions",
    define={"F(v)": "tanh(W @ x + U @ v + b) - v"},
    constants={"dt": 0.25, "passes": 2, "width": 2},
    functions={"pulse": {"value": "step(a)", "derivative": "1 / (1 + width * abs(a))**2"}},
    init={"W": {"kind": "normal", "std": 0.5}},
    domain={"b": "unit"},
    fixed=["P"],
    output="h",
)


def named(cell: Any) -> str:
    return cell.stem if isinstance(cell, Path) else cell if isinstance(cell, str) else cell.name


@pytest.fixture(params=[*CELLS, WITH_DEFINITIONS, *MORE], ids=named)
def cell(request: pytest.FixtureRequest) -> symrnn.Cell:
    return symrnn.load(request.param)


def infer(cell: symrnn.Cell, **more: Any) -> dict[str, Any]:
    """Outputs by name at the numbers of a case, those of further inputs given."""
    problem = draw(cell, CASE)
    inputs = {**problem.inputs, **more.pop("inputs", {})}
    given = {"params": problem.params, "x": problem.x, "state": problem.state, **more}
    with np.errstate(all="ignore"):  # not every cell is finite at dense numbers, and NaN is held equal too
        y, _ = symrnn.build(cell, "numpy", dtype="float64").infer(
            given["params"], given["x"], given["state"], **({"inputs": inputs} if inputs else {})
        )
    return y if isinstance(y, dict) else {cell.output: y}


def hold_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-12)


def at_the_point_of(cell: symrnn.Cell) -> dict[str, Any]:
    problem = draw(cell, CASE)
    return {"params": problem.params, "x": problem.x, "state": problem.state, "inputs": dict(problem.inputs)}


def made(change: Callable[[symrnn.Cell], symrnn.Cell], cell: symrnn.Cell, refusal: str) -> symrnn.Cell | None:
    """The transformed cell; None where a cell that is bundled beside the first ones is refused for its own reason."""
    try:
        return change(cell)
    except CellError as error:
        if refusal not in error.message or cell.name not in MAY_BE_REFUSED:
            raise
        return None


def test_zoneout_of_nothing_changes_nothing(cell: symrnn.Cell) -> None:
    zoned = symrnn.zoneout(cell)
    assert zoned.states == cell.states
    assert {each.name: each.shape for each in zoned.parameters} == {each.name: each.shape for each in cell.parameters}
    assert (zoned.init, zoned.domain, zoned.fixed) == (cell.init, cell.domain, cell.fixed)
    assert zoned.layouts == cell.layouts
    point = at_the_point_of(cell)
    sizes: dict[str, Any] = dict(draw(cell, CASE).sizes)
    masks = symrnn.masks(zoned, CASE.steps, CASE.batch, **sizes)
    point["inputs"] |= {name: np.zeros_like(array) for name, array in masks.items()}
    hold_equal(infer(zoned, **point), infer(cell))


def test_zoneout_of_everything_keeps_all_states(cell: symrnn.Cell) -> None:
    zoned = symrnn.zoneout(cell)
    problem = draw(zoned, CASE)
    inputs = {**problem.inputs, **{name: np.ones_like(problem.inputs[name]) for name in zoned.masks}}
    with np.errstate(all="ignore"):
        _, state = symrnn.build(zoned, "numpy", dtype="float64").infer(
            problem.params, problem.x, problem.state, inputs=inputs
        )
    for name, array in state.items():
        # 0 times what is not finite is not 0
        finite = np.isfinite(array)
        assert problem.state is not None
        assert np.array_equal(array[finite], problem.state[name][finite])
        assert finite.any()


def test_recurrent_dropout_of_nothing_changes_nothing(cell: symrnn.Cell) -> None:
    dropped = made(symrnn.recurrent_dropout, cell, "no matrix reads a state of the step before")
    if dropped is None:
        return
    point = at_the_point_of(cell)
    point["inputs"] |= {name: np.ones_like(draw(dropped, CASE).inputs[name]) for name in dropped.masks}
    hold_equal(infer(dropped, **point), infer(cell))


def test_a_layer_of_a_stack_is_the_cell(cell: symrnn.Cell) -> None:
    if len(cell.returned) > 1:
        with pytest.raises(CellError, match="and the cell above reads one output; give the cell one `output`"):
            symrnn.stack([cell, cell])
        return
    upper = "rnn"
    two = symrnn.stack([upper, cell])
    problem, lower = draw(two, CASE), symrnn.load(upper)

    def part(table: Any, chosen: symrnn.Cell) -> dict[str, Any]:
        prefix = "l2_" if chosen is cell else ""
        return {
            name.removeprefix("l2_"): each for name, each in table.items() if name.startswith("l2_") == bool(prefix)
        }

    with np.errstate(all="ignore"):
        kernels = symrnn.build(lower, "numpy", dtype="float64")
        between, _ = kernels.infer(part(problem.params, lower), problem.x, part(problem.state, lower))
    found = infer(two)
    expected = infer(
        cell,
        params=part(problem.params, cell),
        x=between,
        state=part(problem.state, cell),
        inputs=part(problem.inputs, cell),
    )
    np.testing.assert_allclose(found[two.output], expected[cell.output], rtol=1e-9, atol=1e-11)


def test_what_is_normalised_is_what_functions_read(cell: symrnn.Cell) -> None:
    normed = made(symrnn.layer_norm, cell, "no function has a matrix product in its argument")
    if normed is None:
        return
    new = [each.name for each in normed.parameters if each not in cell.parameters]
    assert new
    assert {normed.init[name] for name in new if name.startswith("gain_")} == {"ones"}
    assert {normed.init[name] for name in new if name.startswith("shift_")} == {"zeros"}
    assert all(name.startswith(("gain_", "shift_")) for name in new)
    assert {each.name: each.shape for each in normed.parameters}.items() >= {
        each.name: each.shape for each in cell.parameters
    }.items()
