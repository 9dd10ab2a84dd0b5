"""Formulas: every one of every lecture is MathML that browsers set, in upright, slanted and barred letters."""

from __future__ import annotations

import pytest

from symrnn.language.typeset.mathml import mathml, prose, runs


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (
            r"\overline{c}_t",
            '<mrow class="bar" style="border-top: 0.055em solid; padding-top: 0.1em"><mi>c</mi></mrow>',
        ),
        (r"\tilde{h}_t", '<mo stretchy="false">\u02dc</mo>'),
        (r"\mathrm{in}", "<mi>in</mi>"),
        (r"\mathrm{H}", '<mi mathvariant="normal">H</mi>'),
        (r"\operatorname{diag}(v)", "<mi>diag</mi>"),
        (r"\mathit{scale}", '<mi style="font-style: italic">scale</mi>'),
        (r"\mathtt{tanh\_c}", ">tanh_c</mi>"),
        (r"\mathtt{tanh\_k\_1}", ">tanh_k_1</mi>"),
        (r"\partial L", '<mi mathvariant="normal">∂</mi>'),
    ],
)
def test_what_browsers_leave_out_is_mended(latex: str, expected: str) -> None:
    assert expected in mathml(latex)


def test_a_later_piece_begins_with_an_infix_operator() -> None:
    assert 'form="infix"' in mathml("+ b", goes_on=True)
    assert 'form="infix"' not in mathml("- b")


def test_prose_is_escaped_and_its_formulas_are_set() -> None:
    html = prose(r"``a'' < $b_t$ and \texttt{d\_x}")
    assert html.startswith("“a” &lt; <math>")
    assert html.endswith("and <code>d_x</code>")


def test_runs_tell_what_stands_below_and_above() -> None:
    assert runs(r"W_{xi}^{\top}") == (("W", 0, True), ("xi", -1, True), ("⊤", 1, False))
    assert runs(r"\mathrm{H}") == (("H", 0, False),)
    assert runs(r"\tilde{h}_{t-1}")[0] == ("h\u0303", 0, True)
    assert "".join(text for text, level, _ in runs(r"\tilde{h}_{t-1}") if level == -1) == "t\u22121"
