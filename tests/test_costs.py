"""What running a cell costs, as a section: counts in LaTeX, what the tape keeps, memory."""

from __future__ import annotations

import pytest

import symrnn
from symrnn.costs import cost_section, latex
from symrnn.derive.lecture_section import Display, Prose, Section, Table
from symrnn.plan.size import Count

INPUT, HIDDEN = Count.size("input"), Count.size("hidden")


def section_of(name: str, *, backward: bool = True) -> Section:
    derivation = symrnn.derive(symrnn.load(name))
    return cost_section(symrnn.program(name, backward=backward), derivation.notation)


def formulas(section: Section) -> dict[str, list[str]]:
    """The right sides of all displays, by the left side."""
    found: dict[str, list[str]] = {}
    for block in section.blocks:
        for line in block.rows if isinstance(block, Display) else ():
            found.setdefault(line.left, []).append(line.right)
    return found


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (Count(), "0"),
        (Count.number(1), "1"),
        (Count.number(12), "12"),
        (HIDDEN, r"\mathrm{H}"),
        (4 * HIDDEN, r"4\, \mathrm{H}"),
        (HIDDEN * HIDDEN, r"\mathrm{H}^{2}"),
        (2 * INPUT * HIDDEN + HIDDEN + Count.number(3), r"2\, \mathrm{I} \mathrm{H} + \mathrm{H} + 3"),
    ],
)
def test_counts_are_polynomials_in_letters(count: Count, text: str) -> None:
    assert latex(count) == text


def test_a_count_for_each_row_keeps_its_number_in_front() -> None:
    found = formulas(section_of("lstm"))
    assert found[r"\text{forward, products}"] == [
        r"\mathrm{T} \mathrm{B} (4\, \mathrm{I} \mathrm{H} + 4\, \mathrm{H}^{2})"
    ]
    assert found[r"\text{tape, one step}"] == [r"7\, \mathrm{B} \mathrm{H}"]
    assert found[r"\text{in bytes}"][-1] == r"28\, \mathrm{B} \mathrm{H}"


def test_the_section_says_what_the_tape_keeps_and_why() -> None:
    program = symrnn.program("lstm")
    (kept, _) = (block for block in section_of("lstm").blocks if isinstance(block, Table))
    rows = [(how, why) for _, how, _, why in kept.rows]
    assert rows == [("kept", why.replace("_", r"\_")) for _, why in program.saved]


def test_of_inference_it_says_nothing_about_a_backward_pass() -> None:
    section = section_of("lstm", backward=False)
    texts = [block.text for block in section.blocks if isinstance(block, Prose)]
    assert not any("tape" in text for text in texts)
    assert not any("tape" in left or "backward" in left for left in formulas(section))
