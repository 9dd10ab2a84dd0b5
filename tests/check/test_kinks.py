"""At exact kinks and ties, the oracles find the language's derivatives, whatever they perturb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check import oracles
from symrnn.check.cases import EVERY, Case, draw
from symrnn.check.kernels import TangentKernels, run_kernels
from symrnn.check.measure import CENTRAL
from symrnn.check.rounding import rounding
from symrnn.check.suite import run_suite
from symrnn.derive.evaluate import floats
from symrnn.emit.inline import picked
from symrnn.language.functions import FUNCTIONS
from symrnn.targets.numpy.functions import HELPERS, SPELLINGS

AT_REST = (Case(1, 1, 1, 1, EVERY, at_rest=True, every_entry=True), Case(4, 2, 3, 5, EVERY, at_rest=True))

KINKS: dict[str, tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]] = {
    "relu": (((0.0,), (0.0,)),),
    "leaky_relu": (((0.0,), (0.01,)),),
    "elu": (((0.0,), (1.0,)),),
    "softsign": (((0.0,), (1.0,)),),
    "abs": (((0.0,), (0.0,)),),
    "hard_sigmoid": (((-3.0,), (0.0,)), ((3.0,), (0.0,))),
    "hard_tanh": (((-1.0,), (0.0,)), ((1.0,), (0.0,))),
    "minimum": (((0.0, 0.0), (0.5, 0.5)), ((0.3, 0.3), (0.5, 0.5))),
    "maximum": (((0.0, 0.0), (0.5, 0.5)), ((0.3, 0.3), (0.5, 0.5))),
    "sign": (((0.0,), (0.0,)),),
    "step": (((0.0,), (0.0,)),),
    "floor": (((2.0,), (0.0,)),),
    "round": (((0.5,), (0.0,)), ((1.5,), (0.0,))),
    "where": (((1.0, 0.3, 0.7), (0.0, 1.0, 0.0)), ((0.0, 0.3, 0.7), (0.0, 0.0, 1.0))),
    "relu6": (((0.0,), (0.0,)), ((6.0,), (0.0,))),
    "celu": (((0.0,), (1.0,)),),
    "selu": (((0.0,), (1.0507009873554805 * 1.6732632423543772,)),),
    "hard_swish": (((-3.0,), (0.0,)), ((3.0,), (1.0,))),
}
"""For every function with a kink, or with pieces that meet smoothly: points where they meet, and the derivatives there."""

CELLS = {
    "relu": "relu(u * h)",
    "leaky_relu": "leaky_relu(u * h)",
    "elu": "elu(u * h)",
    "softsign": "softsign(u * h)",
    "abs": "abs(u * h)",
    "hard_sigmoid, lower edge": "hard_sigmoid(u * h - 3)",
    "hard_sigmoid, upper edge": "hard_sigmoid(u * h + 3)",
    "hard_tanh, lower edge": "hard_tanh(u * h - 1)",
    "hard_tanh, upper edge": "hard_tanh(u * h + 1)",
    "minimum": "minimum(u * h, v * h)",
    "maximum": "maximum(u * h, v * h)",
    "sign": "h * sign(u * h) + sign(c)",
    "step": "u * step(h) + step(v * c)",
    "floor": "h * floor(u * h) + floor(h + 2)",
    "round": "h * round(0.5 + u * h) + round(c - 1.5)",
    "where": "where(u * h < v * c, u * h, v * c) + where(h <= c, u * h, v * c) + where(u * h == v * c, h, u * c)",
    "where, the other signs": "where(h > 0, u * h, v * c) + where(h >= 0, v * h, u * c) + where(h != 0, h, u * c)",
    "where, beside what is not defined": "where(h > 0, u * log(h), u * h) + where(c == 0, v * c, v / c + sqrt(c - 9))",
    "relu6, lower edge": "relu6(u * h)",
    "relu6, upper edge": "relu6(u * h + 6)",
    "celu": "celu(u * h)",
    "selu": "selu(u * h)",
    "hard_swish, lower edge": "hard_swish(u * h - 3)",
    "hard_swish, upper edge": "hard_swish(u * h + 3)",
    "maximum with a number": "maximum(0, u * h) + minimum(1, u * h + 1)",
    "of one array": "abs(h) + maximum(h, c) + minimum(c, 0)",
    "squares": "relu(h * h) + abs(h**3) - minimum(h**2, 0)",
    "three factors": "relu(u * h * c) + abs(u * v * h * h)",
    "a quotient": "relu(u * h / (1 + c * c)) + abs(h / (2 + u))",
    "matrices": "abs(U @ h) + maximum(U @ h, W @ c) + relu(U @ (u * h))",
    "a difference": "relu(h - c) + abs(c - h) + maximum(u * h - v * c, c)",
    "kinks in kinks": "maximum(abs(u * h), relu(v * c)) + minimum(maximum(h, c), maximum(c, u * h))",
    "a reduction": "relu(u * mean(h)) + maximum(sum(h), mean(c))",
    "the largest unit": "max(u * h) * v + max(h * c - c) + max(abs(h))",
}
"""Terms that meet their kinks from a state of zeros, where a complex step moves several factors at once."""


def cell_of(term: str) -> symrnn.Cell:
    return symrnn.Cell.from_equations(
        f"c' = 0.5 * tanh(V @ x + c) + {term}\nh' = tanh(P @ x + R @ h + {term})", name="kinked"
    )


def test_every_function_with_pieces_is_tried() -> None:
    pieces = {name for name, row in FUNCTIONS.items() if row.public and not (row.analytic and row.smooth)}
    assert set(KINKS) == pieces
    assert all(any(f"{name}(" in term for term in CELLS.values()) for name in pieces)


def generated() -> dict[str, Callable[..., Any]]:
    """The functions as generated NumPy modules have them: nothing but the picked text and NumPy."""
    namespace: dict[str, Any] = {"np": np}
    callees = SPELLINGS.values()
    exec("\n".join(picked(HELPERS, {callee for callee in callees if "." not in callee})), namespace)
    return {
        name: namespace.get(callee) or getattr(np, callee.removeprefix("np.")) for name, callee in SPELLINGS.items()
    }


@pytest.mark.parametrize("functions", [floats().functions, generated()], ids=["derivation", "generated"])
@pytest.mark.parametrize("name", KINKS)
def test_the_complex_step_of_a_function_finds_the_derivative_of_its_kink(
    name: str, functions: Mapping[str, Callable[..., Any]]
) -> None:
    if name not in functions:
        assert FUNCTIONS[name].formula is not None  # no target spells it
        return
    function = functions[name]
    for point, derivatives in KINKS[name]:
        value = function(*(np.array([a]) for a in point))
        for place, derivative in enumerate(derivatives):
            moved = [np.array([a + 0j]) for a in point]
            moved[place].imag = oracles.COMPLEX_SIZE
            found = function(*moved)
            assert found.real.tolist() == value.tolist(), point
            assert found.imag / oracles.COMPLEX_SIZE == pytest.approx([derivative], rel=1e-15), (point, place)


@pytest.mark.parametrize("name", CELLS)
def test_no_alarm_at_an_exact_kink(name: str) -> None:
    cell = cell_of(CELLS[name])
    kernels = cast(TangentKernels, symrnn.build(cell))
    missed = [row for row in run_suite(cell, kernels, {"numpy": kernels}, AT_REST) if not row.passed]
    assert not missed


def test_the_cell_that_gave_a_false_alarm() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + relu(u * h))", name="kinked")
    kernels = cast(TangentKernels, symrnn.build(cell))
    deviations = run_suite(cell, kernels, {"numpy": kernels}, [Case(9, 2, 5, 7, EVERY, at_rest=True)])
    assert {deviation.array for deviation in deviations if deviation.array.startswith("tangent")} == {
        "tangent y",
        "tangent state h",
    }
    assert all(deviation.passed for deviation in deviations)


def test_the_square_of_the_step_is_zero_and_slopes_keep_their_digits() -> None:
    size = oracles.COMPLEX_SIZE
    assert (1e88 * size) * (0.9e88 * size) == 0
    for slope in (1e-58, 1e80):
        assert slope * size / size == pytest.approx(slope, rel=1e-15, abs=0)


@pytest.mark.parametrize("fault", ["R", "u"])
def test_a_wrong_gradient_at_a_kink_is_caught_and_not_put_down_to_rounding(fault: str) -> None:
    """Ties of ½ each are in the gradients: a layer that gives all of it to one side fails."""
    cell = cell_of("maximum(u * h, v * h)")
    right = symrnn.build(cell)
    wrong = ModuleType("wrong")
    wrong.__dict__.update(right.__dict__)

    def backward(*args: Any, **kwargs: Any) -> Any:
        found = right.backward(*args, **kwargs)
        found.params[fault][...] *= 1.5
        return found

    wrong.__dict__["backward"] = backward
    kernels = cast(TangentKernels, wrong)
    missed = [row for row in run_suite(cell, kernels, {"numpy": kernels}, AT_REST) if not row.passed]
    assert {row.array for row in missed} == {f"grad {fault}"}
    assert not any(row.rounded for row in missed)


def test_rounding_moves_no_zero_off_its_kink() -> None:
    """A state of zeros is exact: a last place of it would decide the branch of `abs`."""
    cell = symrnn.Cell.from_equations("h' = 0.5 * tanh(W @ x) + abs(h)", name="kinked")
    kernels = cast(TangentKernels, symrnn.build(cell))
    problem = draw(cell, Case(1, 2, 3, 5, EVERY))
    problem = replace(problem, state={"h": np.zeros((2, 5))})
    exact = run_kernels(kernels, problem, "float64")
    found = rounding(kernels, problem, exact, oracles.scale_of_loss(exact, problem), "float64")
    assert max(error for (oracle, _), error in found.items() if oracle != CENTRAL) < 1e-13
