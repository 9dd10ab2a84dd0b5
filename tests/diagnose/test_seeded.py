"""Mistakes that students make, each in an otherwise right pass: explained by the right equation and term."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

import symrnn
from symrnn.diagnose.diagnosis import Diagnosis
from symrnn.diagnose.rules import SlipKind

from .conftest import Person, cell_of, layout_of

STEP, WHOLE = "backward_step", "backward"


@dataclass(frozen=True)
class Seeded:
    """A mistake, and its expected report.

    Attributes:
        name: the pass.
        function: which function of it.
        old: what stands there.
        new: what a student wrote.
        kind: the mistake's kind.
        yours: lines of the derivation with the mistake, under their labels, the first ones.
        lines: how many there are.
    """

    name: str
    function: str
    old: str
    new: str
    kind: SlipKind
    yours: tuple[str, ...]
    lines: int = field(default=1)

    def __str__(self) -> str:
        return f"{self.name}-{self.old}-{self.new}".replace("\n", " ")


def seeded(name: str, function: str, old: str, new: str, kind: SlipKind, *yours: str, lines: int = 0) -> Seeded:
    return Seeded(name, function, old, new, kind, yours, lines or len(yours))


ALL_SIGMOIDS = (
    "dai = di * i * (1 - i)\n    daf = df * f * (1 - f)\n    dao = do * o * (1 - o)",
    "dai = di * (1 - i)\n    daf = df * (1 - f)\n    dao = do * (1 - o)",
)
NAMES = ('("o", dao), ("g", dag)', '("g", dao), ("o", dag)')

MISTAKES = (
    # a term left out
    seeded("lstm", STEP, "dc_next + dh * o", "dh * o", SlipKind.TERM, "(b2) dc_all = dtanh_c * (1 - tanh_c**2)"),
    seeded(
        "lstm",
        STEP,
        ' + dag @ p["W_hg"]',
        "",
        SlipKind.TERM,
        "(b13) dh = W_hi.T @ delta_i + W_hf.T @ delta_f + W_ho.T @ delta_o",
    ),
    seeded(
        "gru",
        STEP,
        "dh += drh * r",
        "pass",
        SlipKind.TERM,
        "(b9) dh = dh_out * z + W_hz.T @ delta_z + W_hr.T @ delta_r",
    ),
    seeded("gru", STEP, "dnew * (h - n)", "-dnew * n", SlipKind.TERM, "(b6) dz = dh_out * -h_tilde"),
    seeded(
        "peephole_lstm",
        STEP,
        ' + da_o * params["p_o"]',
        "",
        SlipKind.TERM,
        "(b4) dc_all = dc_out + dtanh_c * (1 - tanh_c**2)",
    ),
    seeded("minimal_gated_unit", STEP, " + dfh * h", "", SlipKind.TERM, "(b4) df = dh_out * (h_tilde - h)"),
    seeded("coupled", STEP, " + ds * d * v\n", "\n", SlipKind.TERM, "(b3) du_all = du_out + C.T @ delta_softsign_v"),
    # overwritten where it should be added
    seeded(
        "gru",
        STEP,
        "dh += drh * r",
        "dh = drh * r",
        SlipKind.TERM,
        "(b9) dh = dr_h * r + W_hz.T @ delta_z + W_hr.T @ delta_r",
    ),
    seeded("lstm", WHOLE, "dh_next += da", "dh_next = da", SlipKind.TERM, "(b13) dh = W_hg.T @ delta_g"),
    seeded(
        "rnn", WHOLE, "dW_hh += ", "dW_hh = ", SlipKind.OVERWRITTEN, "(b5) dL/dW_hh = of step 0 alone, delta_h @ h.T"
    ),
    seeded(
        "lstm",
        WHOLE,
        '"W_h" + k] += ',
        '"W_h" + k] = ',
        SlipKind.OVERWRITTEN,
        "(b15) dL/dW_hi = of step 0 alone, delta_i @ h.T",
        lines=4,
    ),
    # a sign
    seeded("gru", STEP, "dnew * (h - n)", "dnew * (n - h)", SlipKind.SIGN, "(b6) dz = dh_out * (h_tilde - h)"),
    seeded(
        "lstm",
        STEP,
        "1 - tanh_c**2",
        "tanh_c**2 - 1",
        SlipKind.SIGN,
        "(b2) dc_all = dc_out - dtanh_c * (1 - tanh_c**2)",
    ),
    seeded("coupled", STEP, '"B": -da', '"B": da', SlipKind.SIGN, "(b11) dB = -delta_u_2 @ v.T"),
    # a factor left out, there twice, or taken for another
    seeded("lstm", STEP, "dh * o * (1 - tanh_c**2)", "dh * (1 - tanh_c**2)", SlipKind.FACTOR, "(b1) dtanh_c = dh_out"),
    seeded("lstm", STEP, "dc_prev = dc * f", "dc_prev = dc", SlipKind.FACTOR, "(b12) dc = dc_all"),
    seeded(
        "gru",
        STEP,
        "drh * r\n",
        "drh\n",
        SlipKind.FACTOR,
        "(b9) dh = dh_out * z + dr_h + W_hz.T @ delta_z + W_hr.T @ delta_r",
    ),
    seeded("gru", STEP, "dn = dnew * (1 - z)", "dn = dnew", SlipKind.FACTOR, "(b1) dh_tilde = dh_out"),
    seeded(
        "gru_reset_after",
        STEP,
        "dinner = dan * r",
        "dinner = dan",
        SlipKind.FACTOR,
        "(b3) dh_tilde_part = delta_h_tilde",
    ),
    seeded("layernorm_lstm", STEP, "(d * n).sum(0)", "d.sum(0)", SlipKind.FACTOR, "(b62) ds_i = delta_i", lines=4),
    seeded("lstm", STEP, "dc_prev = dc * f", "dc_prev = dc * f * f", SlipKind.POWER, "(b12) dc = dc_all * f * f"),
    seeded(
        "coupled",
        STEP,
        "np.abs(s)) ** 2",
        "np.abs(s))",
        SlipKind.POWER,
        "(b2) delta_softsign_v = dsoftsign_v * (1 - abs(softsign_v))",
    ),
    seeded("gru", STEP, "dn = dnew * (1 - z)", "dn = dnew * z", SlipKind.VALUE, "(b1) dh_tilde = dh_out * z"),
    seeded("lstm", STEP, "di = dc * g", "di = dc * i", SlipKind.VALUE, "(b9) di = dc_all * i"),
    # derivatives
    seeded("lstm", STEP, "di * i * (1 - i)", "di * (1 - i)", SlipKind.SLOPE, "(b10) delta_i = di * (1 - i)"),
    seeded("gru", STEP, "dz * z * (1 - z)", "dz * (1 - z)", SlipKind.SLOPE, "(b7) delta_z = dz * (1 - z)"),
    seeded(
        "lstm",
        STEP,
        *ALL_SIGMOIDS,
        SlipKind.SLOPE,
        "(b6) delta_o = do_2 * (1 - o)",
        "(b8) delta_f = df * (1 - f)",
        "(b10) delta_i = di * (1 - i)",
    ),
    seeded("lstm", STEP, "di * i * (1 - i)", "di", SlipKind.FACTOR, "(b10) delta_i = di"),
    seeded("rnn", STEP, "1 - h_next**2", "1 - h_next", SlipKind.POWER, "(b1) delta_h = dh_out * (1 - h')"),
    seeded(
        "lstm", STEP, "(1 - tanh_c**2)", "(1 - c**2)", SlipKind.ARGUMENT, "(b2) dc_all = dc_out + dtanh_c * (1 - c'**2)"
    ),
    seeded(
        "rnn", STEP, "h_next**2", "np.tanh(h_next)**2", SlipKind.ARGUMENT, "(b1) delta_h = dh_out * (1 - tanh(h')**2)"
    ),
    seeded("lstm", STEP, "dg * (1 - g**2)", "dg * g * (1 - g)", SlipKind.FUNCTION, "(b4) delta_g = dg * (g * (1 - g))"),
    # a value at the wrong time
    seeded("lstm", STEP, "dc * c_prev", "dc * c", SlipKind.TIME, "(b7) df = dc_all * c'"),
    seeded("rnn", WHOLE, "da.T @ h_prev", "da.T @ h", SlipKind.TIME, "(b5) dW_hh = delta_h @ h'.T"),
    seeded(
        "lstm_stacked", STEP, 'cache["h"].T', 'cache["h\'"].T', SlipKind.TIME, "(b15) dW_hi = delta_i @ h'.T", lines=4
    ),
    seeded("lstm", WHOLE, "dc * f\n", 'dc * caches[t - 1]["f"]\n', SlipKind.TIME, "(b12) dc = dc_all * f[t-1]"),
    seeded("peephole_lstm", STEP, "(da_o * c)", "(da_o * c_old)", SlipKind.TIME, "(b27) dp_o = delta_o * c"),
    # one thing for another
    seeded("gru", STEP, "dan.T @ (r * h)", "dan.T @ h", SlipKind.VALUE, "(b17) dW_hh = delta_h_tilde @ h.T"),
    seeded("gru_reset_after", STEP, "dinner.sum(0)", "dan.sum(0)", SlipKind.VALUE, "(b19) db_hh = delta_h_tilde"),
    seeded("gru_reset_after", STEP, ' + params["b_hh"]', "", SlipKind.VALUE, "(b4) dr = delta_h_tilde * W_hh @ h"),
    seeded("multiplicative_lstm", STEP, "da.T @ m", "da.T @ h", SlipKind.VALUE, "(b20) dW_mi = delta_i @ h.T", lines=4),
    seeded(
        "lstm",
        STEP,
        'dag @ p["W_hg"]',
        'dag @ p["W_hi"]',
        SlipKind.MATRIX,
        "(b13) dh = W_hi.T @ delta_i + W_hf.T @ delta_f + W_ho.T @ delta_o + W_hi.T @ delta_g",
    ),
    seeded("gru", STEP, 'drh = dan @ params["W_hh"]', "drh = dan", SlipKind.FORM, "(b3) dr_h = delta_h_tilde"),
    # transposes, where no shape shows them, and where one does
    seeded("rnn", STEP, 'da @ params["W_hh"]', 'da @ params["W_hh"].T', SlipKind.TRANSPOSE, "(b3) dh = W_hh @ delta_h"),
    seeded("rnn", STEP, 'da @ params["W_xh"]', 'da @ params["W_xh"].T', SlipKind.TRANSPOSE, "(b2) dx = W_xh @ delta_h"),
    seeded("rnn", STEP, "da.T @ x", "x.T @ da", SlipKind.TRANSPOSE, "(b4) dW_xh = x @ delta_h.T"),
    seeded(
        "projection_lstm",
        WHOLE,
        'params["W_rh"]',
        'params["W_rh"].T',
        SlipKind.TRANSPOSE,
        "(b1) do_tanh_c = W_rh @ dh_out",
    ),
    # the order of gates
    seeded("lstm", STEP, *NAMES, SlipKind.ORDER, "(b20) dW_xo = delta_g @ x.T", lines=6),
    seeded(
        "lstm_stacked",
        STEP,
        "da_o, da_g))",
        "da_g, da_o))",
        SlipKind.ORDER,
        "(b11) dx = W_xi.T @ delta_i + W_xf.T @ delta_f + W_xo.T @ delta_g + W_xg.T @ delta_o",
        lines=8,
    ),
    seeded(
        "peephole_lstm",
        STEP,
        'da_i * params["p_i"] + da_f * params["p_f"]',
        'da_i * params["p_f"] + da_f * params["p_i"]',
        SlipKind.ORDER,
        "(b12) dc = dc_all * f + delta_i * p_f + delta_f * p_i",
    ),
    # sums over the batch
    seeded("rnn", STEP, "da.sum(axis=0)", "da", SlipKind.ROWS, "(b6) dL/db_h = for each row, delta_h"),
    seeded(
        "rnn",
        STEP,
        "da.sum(axis=0)",
        "da.sum(axis=1)",
        SlipKind.ROWS,
        "(b6) dL/db_h = the sum over the units of delta_h",
    ),
    seeded(
        "lstm",
        STEP,
        "np.sum(da",
        "np.mean(da",
        SlipKind.ROWS,
        "(b16) dL/db_i = the mean over the rows of delta_i",
        lines=4,
    ),
    seeded(
        "lstm_stacked", STEP, "da.sum(axis=0)", "da", SlipKind.ROWS, "(b16) dL/db_i = for each row, delta_i", lines=4
    ),
    # the chain of steps
    seeded(
        "rnn",
        WHOLE,
        "dh = dh + dy[t]",
        "dh = dy[t]",
        SlipKind.CARRY,
        "what step t + 1 hands back to h is not in it (at t = T: dL/dh_T)",
        "dL/dh_T is not in it at t = T",
    ),
    seeded(
        "lstm",
        WHOLE,
        "dc_next = dc * f",
        "pass",
        SlipKind.CARRY,
        "it has dL/dc_T at every t in place of what step t + 1 hands back",
    ),
    seeded("rnn", WHOLE, 'dh = dstate["h"]', "dh = 0", SlipKind.CARRY, "dL/dh_T is not in it at t = T"),
    seeded("rnn", WHOLE, "dy[t]", "dy[t - 1]", SlipKind.CARRY, "it has dloss_(t-1)/dh_(t-1) in place of dloss_t/dh_t"),
    seeded(
        "rnn",
        WHOLE,
        "dh = da @",
        "dh += da @",
        SlipKind.CARRY,
        "it keeps what step t + 1 received, beside what that step hands back to h",
    ),
    seeded("rnn", WHOLE, "reversed(range(T))", "range(T)", SlipKind.CARRY, "for t = 1, ..., T"),
    seeded("gru", WHOLE, "dxs[::-1]", "dxs", SlipKind.ORDER, "dL/dx[t] is of step T + 1 - t"),
    # a number
    seeded("rnn", STEP, "da.T @ h\n", "da.T @ h * 1.234\n", SlipKind.NUMBER, "(b5) dW_hh = 1.234 * delta_h @ h.T"),
    seeded("rnn", WHOLE, "dh = da @", "dh = 0.7 * da @", SlipKind.NUMBER, "(b3) dh = 0.7 * W_hh.T @ delta_h"),
    seeded(
        "peephole_lstm",
        STEP,
        "dc * f + ",
        "dc * f * 0.9 + ",
        SlipKind.NUMBER,
        "(b12) dc = 0.9 * dc_all * f + delta_f * p_f + delta_i * p_i",
    ),
)


def yours(found: Diagnosis) -> tuple[tuple[str, ...], ...]:
    """For each mistake of an explanation, its lines under their labels."""
    return tuple(
        tuple(
            f"({change.label}) {change.yours}" if change.label else change.yours
            for change in found.changes(each, each.mistake)
        )
        for each in found.explanation
    )


@pytest.mark.parametrize("case", MISTAKES, ids=str)
def test_a_mistake_is_explained_by_its_equation_and_term(person: Person, case: Seeded) -> None:
    function = person(case.name, case.function, (case.old, case.new))
    found = symrnn.diagnose(function, cell_of(case.name), layout=layout_of(case.name))
    assert not found.right
    assert len(found.explanation) == 1
    (lines,) = yours(found)
    assert lines[: len(case.yours)] == case.yours
    assert len(lines) == case.lines
    assert found.explanation[0].mistake.kind is case.kind


TWO = (
    ("lstm", STEP, (("di * i * (1 - i)", "di * (1 - i)"), ('dag @ p["W_hg"]', 'dag @ p["W_hg"].T')), ("b10", "b13")),
    ("gru", STEP, (("dnew * (h - n)", "dnew * (n - h)"), ("dan.T @ (r * h)", "dan.T @ h")), ("b6", "b17")),
    ("rnn", WHOLE, (("1 - h**2", "1 - h"), ("dh = dh + dy[t]", "dh = dy[t]")), ("", "b1")),
    ("lstm", WHOLE, (("dc * g * i * (1 - i)", "dc * g * i"), ('"W_h" + k] += ', '"W_h" + k] = ')), ("b10", "b15")),
)


@pytest.mark.parametrize(("name", "function", "changes", "labels"), TWO)
def test_two_mistakes_at_once_are_told_apart(
    person: Person, name: str, function: str, changes: tuple[tuple[str, str], ...], labels: tuple[str, ...]
) -> None:
    found = symrnn.diagnose(person(name, function, *changes), cell_of(name))
    assert tuple(found.changes(each, each.mistake)[0].label for each in found.explanation) == labels


NONSENSE = (
    ("lstm", STEP, "di * i * (1 - i)", "di * np.sin(i) * 3", "b10"),
    ("lstm", WHOLE, '"i": dc * g * i * (1 - i)', '"i": dc * g * np.exp(i)', "b10"),
    ("gru", STEP, "dr = drh * h", "dr = drh * h**3 + 0.1", "b4"),
    ("rnn", STEP, "da.T @ h\n", "da.T @ np.random.default_rng(3).normal(size=h.shape)\n", "b5"),
    ("layernorm_lstm", STEP, "da.T @ x, da.T @ h", "da.T @ x, da.T @ (h + 1)", "b55"),
)


@pytest.mark.parametrize(("name", "function", "old", "new", "label"), NONSENSE)
def test_what_nothing_explains_is_said_to_be_so_and_where_it_must_be(
    person: Person, name: str, function: str, old: str, new: str, label: str
) -> None:
    found = symrnn.diagnose(person(name, function, (old, new)), cell_of(name))
    assert found.explanation == ()
    assert found.suspects is not None
    named = (*found.suspects.alone, *(found.suspects.first if not found.suspects.alone else ()))
    assert label in [equation.label for equation in named]
    assert label not in [equation.label for equation in found.suspects.right]
    assert "None of the mistakes tried gives these numbers" in str(found)


def test_what_is_between_steps_and_nothing_explains_is_said_to_be_there(person: Person) -> None:
    found = symrnn.diagnose(person("rnn", WHOLE, ("dh = da @", "dh = 0.3 + da @")), "rnn")
    assert found.explanation == ()
    assert not found.right
    found = symrnn.diagnose(person("rnn", WHOLE, ("dy[t]", "dy[t] * (1 + t)")), "rnn")
    assert found.explanation == ()
    assert found.between
    assert "A sequence of one step comes out right" in str(found)


def test_what_a_right_gradient_follows_from_is_right(person: Person) -> None:
    found = symrnn.diagnose(person("gru", STEP, ("dr = drh * h", "dr = drh * h**3 + 0.1")), "gru")
    assert found.suspects is not None
    right = ("b1", "b2", "b6", "b7", "b10", "b11", "b12", "b16", "b17", "b18")
    assert tuple(equation.label for equation in found.suspects.right) == right
    assert tuple(equation.label for equation in found.suspects.alone) == ("b3", "b4", "b5")
