"""`derive`: one frozen record with every part in text and LaTeX; wrong names get the nearest right one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.errors import DerivationError
from symrnn.language.system import Role
from symrnn.language.tree import names
from symrnn.parts import DERIVED


def test_the_record_is_frozen() -> None:
    derivation = derive(symrnn.load("rnn"))
    with pytest.raises(FrozenInstanceError):
        setattr(derivation, "tape", ())  # noqa: B010 - a type checker refuses the plain assignment


def test_every_part_has_text_and_balanced_latex(derivation: Derivation) -> None:
    for part in DERIVED:
        text, latex = derivation.text(part), derivation.latex(part)
        assert len(text.splitlines()) > 1
        assert text.endswith("\n")
        for left, right in ("{}", "()"):
            assert latex.count(left) == latex.count(right), part
        assert latex in derivation._repr_latex_()


def test_the_same_cell_gives_the_same_text(derivation: Derivation) -> None:
    again = derive(derivation.cell)
    assert again.document() == derivation.document()
    assert [again.text(part) for part in DERIVED] == [derivation.text(part) for part in DERIVED]


def test_the_tape_is_what_the_adjoint_reads_and_no_parameter(derivation: Derivation) -> None:
    cell = derivation.cell
    read = {name for equation in derivation.adjoint.equations for name in names(equation.expression)}
    parameters = {variable.name for variable in cell.parameters}
    step = {variable.name for variable in cell.normal.variables}
    assert set(derivation.tape) <= read & step - parameters
    assert len(set(derivation.tape)) == len(derivation.tape)


@pytest.mark.parametrize(
    ("known", "tape"),
    [
        ("rnn", ("x", "h", "h'")),
        ("lstm", ("x", "c", "h", "i", "f", "o", "g", "tanh_c")),
        ("gru", ("x", "h", "z", "r", "r_h", "h_tilde")),
    ],
)
def test_the_tape_of_the_bundled_cells_is_the_usual_one(known: str, tape: tuple[str, ...]) -> None:
    assert set(derive(symrnn.load(known)).tape) == set(tape)


@pytest.mark.parametrize(
    ("output", "given", "message"),
    [
        ("hh", "h", r"cell 'lstm' does not compute 'hh'; did you mean `h`\? \(its states and intermediates are i, f"),
        ("x", "h", r"cell 'lstm' does not compute 'x'"),
        ("h", "W_xx", r"cell 'lstm' has no input, state or parameter 'W_xx'.*\(it has x, "),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(output: str, given: str, message: str) -> None:
    with pytest.raises(DerivationError, match=message):
        derive(symrnn.load("lstm")).jacobian(output, given)


def test_unknown_parts_are_answered_with_the_known_ones() -> None:
    for ask in (derive(symrnn.load("rnn")).text, derive(symrnn.load("rnn")).latex):
        with pytest.raises(
            DerivationError, match=r"unknown listing 'jacobians'; did you mean `jacobian`\?; choose equations, jac"
        ):
            ask("jacobians")


def test_jacobians_that_are_zero_are_left_out() -> None:
    found = derive(symrnn.load("lstm")).jacobians(Role.PARAMETER)
    by_cell_state = {each.input for each in found if each.output == "c'"}
    assert by_cell_state == {"W_xi", "W_hi", "b_i", "W_xf", "W_hf", "b_f", "W_xg", "W_hg", "b_g"}
    assert {each.input for each in found if each.output == "h'"} == by_cell_state | {"W_xo", "W_ho", "b_o"}
