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


def test_the_equations_are_followed_by_what_a_step_reads_and_returns() -> None:
    cell = symrnn.Cell.from_equations(
        "k = K @ x\nv = V @ x\nS' = m * S + v * k\ny = sum(S' * k, key)",
        sizes={"S": ["value", "key"], "K": ["key", "input"], "V": ["value", "input"]},
        inputs={"m": {"size": 1, "gradient": False}},
        output=["y", "S"],
    )
    lines = derive(cell).text("equations").splitlines()
    at = lines.index("Inputs, states and outputs of a step")
    assert lines[at + 1 : at + 7] == [
        "  inputs   x (input); m (1), without gradient",
        "  states   S (value, key)",
        "  outputs  y (value); S (value, key)",
        "Parameters, every name that is never assigned",
        "  K  (key, input)",
        "  V  (value, input)",
    ]


def test_many_states_stand_in_several_lines_and_masks_are_named() -> None:
    lines = derive("lstm+zoneout+stack:4").text("equations").splitlines()
    at = lines.index("Inputs, states and outputs of a step") + 1
    listed = lines[at : lines.index("Parameters, every name that is never assigned")]
    assert listed[0].startswith("  inputs   x (input); zoneout_c (hidden), a mask; ")
    assert max(map(len, listed)) <= 100
    assert all(line[2] != " " or line.startswith(" " * 11) for line in listed)
    told = " ".join(line[11:] for line in listed)
    assert all(f"{state} (" in told for state in symrnn.load("lstm+zoneout+stack:4").states)
