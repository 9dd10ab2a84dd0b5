"""The tangent: beside the step, the Jacobian times a direction, by the complex step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symrnn.derive.derivation import Derivation
from symrnn.derive.evaluate import floats, run
from symrnn.language.cell import Cell
from symrnn.language.system import Role
from symrnn.language.tree import names

Array = np.ndarray[Any, np.dtype[Any]]
Step = Callable[[Cell, Mapping[str, Array], Mapping[str, int]], dict[str, Array]]


def test_tangents_are_the_derivatives_along_a_direction(
    cell: Cell,
    derivation: Derivation,
    learned: tuple[str, ...],
    point: dict[str, Array],
    sizes: dict[str, int],
    step: Step,
) -> None:
    draw = np.random.default_rng(11)
    direction: dict[str, Array] = {name: np.asarray(draw.uniform(-1, 1, point[name].shape)) for name in learned}
    tangent = derivation.tangent
    dot = {variable.of: variable.name for variable in tangent.variables if variable.of}
    given: dict[str, Array] = {**point, **{dot[name]: value for name, value in direction.items()}}
    found = run(tangent.equations, tangent.by_name, given, sizes, floats())
    moved = step(cell, {**point, **{name: point[name] + 1e-30j * direction[name] for name in learned}}, sizes)
    for output in cell.outputs:
        np.testing.assert_allclose(found[output], moved[output].real, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(found[dot[output]], moved[output].imag / 1e-30, rtol=1e-12, atol=1e-13)


def test_every_variable_has_a_tangent_of_its_role_and_shape(
    cell: Cell, derivation: Derivation, learned: tuple[str, ...]
) -> None:
    tangent = derivation.tangent
    moved = {name for name in cell.normal.inputs if cell.normal.by_name[name].gradient}
    for equation in cell.normal.equations:  # what is made of fixed parameters alone does not move
        moved |= {equation.target} if moved.intersection(names(equation.expression)) else set()
    for variable in cell.normal.variables:
        if variable.name not in moved:
            assert all(each.of != variable.name for each in tangent.variables)
            continue
        (of,) = [each for each in tangent.variables if each.of == variable.name]
        assert (of.role, of.shape) == (variable.role, variable.shape)
    assert len(tangent.inputs) == len(cell.inputs) + len(learned)
    assert len(tangent.outputs) == 2 * len(cell.outputs)


def test_the_step_stands_in_it_as_it_is_and_each_equation_reads_what_is_there(
    cell: Cell, derivation: Derivation
) -> None:
    tangent = derivation.tangent
    own = [equation for equation in tangent.equations if not equation.label.startswith("j")]
    assert tuple(own) == cell.normal.equations
    known = set(tangent.inputs)
    for equation in tangent.equations:
        assert known.issuperset(names(equation.expression))
        known.add(equation.target)


def test_only_parts_of_equations_have_no_owner(derivation: Derivation) -> None:
    loose = [v for v in derivation.tangent.variables if not v.of and v.name not in derivation.cell.normal.by_name]
    assert all(variable.role is Role.INTERMEDIATE for variable in loose)
