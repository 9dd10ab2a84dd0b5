"""Mistakes of public code: several at once, functions for their derivatives, values of other steps, clipped gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

import symrnn
from symrnn.cli import main
from symrnn.derive.evaluate import floats
from symrnn.diagnose import diagnose, effort
from symrnn.diagnose.diagnosis import Diagnosis
from symrnn.diagnose.effort import LIMIT, Effort
from symrnn.diagnose.rules import SlipKind
from symrnn.language.functions import FUNCTIONS, PRIMITIVE

from .conftest import PASSES, Person

WHOLE = "backward"
Changes = tuple[tuple[str, str], ...]

I_FOR_G = ("dc * g * i * (1 - i)", "dc * i * i * (1 - i)")
TANHS_TWICE = (("tanh_c**2", "np.tanh(tanh_c)**2"), ("1 - g**2", "1 - np.tanh(g)**2"))
FORGET_FUNCTION = ('cache["c"] * f * (1 - f)', 'cache["c"] / (1 + np.exp(-f))')
NO_CARRY = ("dh = dy[t] + dh_next", "dh = dy[t]")
RETURN = '    return grads, {"h": dh_next'
CLIPPED = (RETURN, f"    for v in grads.values():\n        np.clip(v, -5, 5, out=v)\n{RETURN}")
SHRUNK = (
    RETURN,
    "    norm = np.sqrt(sum((v**2).sum() for v in grads.values()))\n"
    "    for v in grads.values():\n        v *= min(1, 0.25 / (norm + 1e-6))\n" + RETURN,
)


def kinds(found: Diagnosis) -> list[str]:
    return [str(each.mistake.kind) for each in found.explanation]


def yours(found: Diagnosis) -> list[str]:
    return [change.yours for each in found.explanation for change in found.changes(each, each.mistake)]


SEVERAL: tuple[tuple[Changes, tuple[str, ...]], ...] = (
    (
        (I_FOR_G, *TANHS_TWICE),
        ("di = dc_all * i", "dc_all = dc_out + dtanh_c * (1 - tanh(tanh_c)**2)", "delta_g = dg * (1 - tanh(g)**2)"),
    ),
    # the forget gate's function, all other derivatives of activated values, nothing handed on: four that are three
    (
        (
            FORGET_FUNCTION,
            *TANHS_TWICE,
            ("g * i * (1 - i)", "g * (lambda s: s * (1 - s))(1 / (1 + np.exp(-i)))"),
            ("tanh_c * o * (1 - o)", "tanh_c * (lambda s: s * (1 - s))(1 / (1 + np.exp(-o)))"),
            NO_CARRY,
        ),
        ("delta_f = df * sigmoid(f)", "delta_i = di * (sigmoid(i) * (1 - sigmoid(i)))"),
    ),
    (
        (
            ("dc = dc + dh * o", "dc = dc - dh * o"),
            ('.T @ cache["h"]', '.T @ (caches[t - 1]["h\'"] if t else 0 * cache["h"])'),
            NO_CARRY,
        ),
        ("dc_all = dc_out - dtanh_c * (1 - tanh_c**2)", "dW_hi = delta_i @ h'[t-1, 0 at t = 0].T"),
    ),
    (
        (("dc_next = dc * f", "dc_next = dc"), ("dy[t]", "dy[-1]"), ('.T @ cache["x"]', '.T @ caches[0]["x"]')),
        ("dc = dc_all", "dW_xi = delta_i @ x[0].T"),
    ),
)


@pytest.mark.parametrize(
    ("changes", "lines"), [SEVERAL[0], *(pytest.param(*e, marks=pytest.mark.long) for e in SEVERAL[1:])]
)
def test_three_mistakes_in_a_whole_sequence_are_told_apart(
    person: Person, changes: Changes, lines: tuple[str, ...]
) -> None:
    found = symrnn.diagnose(person("lstm", WHOLE, *changes), "lstm")
    assert 2 <= len(found.explanation) <= 3, str(found)
    assert set(lines) <= set(yours(found)), str(found)


ONE_ARGUMENT = [name for name in PRIMITIVE if FUNCTIONS[name].public and FUNCTIONS[name].arity == 1]
ONE_ARGUMENT = [name for name in ONE_ARGUMENT if not FUNCTIONS[name].is_constant]
APPLIED = floats().functions
WRONG: dict[str, tuple[str, Callable[[str, Any, Any], Any]]] = {
    "the function of the output": ("dv = dy * {function}(y)", lambda function, v, y: APPLIED[function](y)),
    "the function of the argument": ("dv = dy * y", lambda function, v, y: y),
}


def one_function(function: str) -> symrnn.Cell:
    """A cell with ``function`` of what stays in a quarter, where it and what it is applied to once more have no kink."""
    start = 1.5 if function == "log" else 0.5
    text = f"s = sigmoid(W @ x + U @ h + b)\nv = {start} + 0.25 * s\ny = {function}(v)\nh' = tanh(y)"
    return symrnn.Cell.from_equations(text, name="one")


@pytest.mark.parametrize("function", ONE_ARGUMENT)
@pytest.mark.parametrize("slip", WRONG)
def test_a_function_for_its_derivative_is_named(function: str, slip: str) -> None:
    line, slope = WRONG[slip]

    def backward_step(params: Any, cache: Any, dstate: Any) -> Any:
        s, v, y = cache["s"], cache["v"], cache["y"]
        da = dstate["h"] * (1 - cache["h'"] ** 2) * slope(function, v, y) * 0.25 * s * (1 - s)
        dparams = {"W": da.T @ cache["x"], "U": da.T @ cache["h"], "b": da.sum(0)}
        return dparams, {"h": da @ params["U"]}, da @ params["W"]

    found = symrnn.diagnose(backward_step, one_function(function))
    if function == "exp" and slip == "the function of the argument":
        assert found.right  # its own derivative
        return
    (explained,) = found.explanation
    lines = [
        change.yours for each in (explained.mistake, *explained.equals) for change in found.changes(explained, each)
    ]
    assert line.format(function=function) in lines, str(found)


OF_OTHER_STEPS = (
    ("lstm", 'cache["c"] * f', 'caches[0]["c"] * f', "df = dc_all * c[0]"),
    ("lstm", 'cache["c"] * f', 'caches[-1]["c"] * f', "df = dc_all * c[T-1]"),
    ("lstm", 'np.tanh(cache["c\'"])', 'np.tanh(caches[-1]["c\'"])', "do_2 = dh_out * tanh_c[T-1]"),
    ("lstm", '.T @ cache["h"]', '.T @ caches[0]["h"]', "dW_hi = delta_i @ h[0].T"),
    ("lstm", "cache = caches[t]", "cache = caches[-1]", "df = dc_all * c[T-1]"),
    ("lstm", "cache = caches[t]", "cache = caches[0]", "df = dc_all * c[0]"),
    ("lstm", "cache = caches[t]", "cache = caches[steps - 1 - t]", "df = dc_all * c[T-1-t]"),
    ("lstm", "dy[t]", "dy[0]", "it has dloss_1/dh_1 at every t in place of dloss_t/dh_t"),
    ("rnn", 'x, h_prev, h = caches[t]["x"]', 'x, h_prev, h = caches[0]["x"]', "dW_xh = delta_h @ x[0].T"),
    ("rnn", 'caches[t]["h\'"]', 'caches[-1]["h\'"]', "delta_h = dh_out * (1 - h'[T-1]**2)"),
    ("rnn", 'caches[t]["h"]', 'caches[t - 1]["h\'"]', "dW_hh = delta_h @ h'[t-1].T"),
)


@pytest.mark.parametrize(("name", "old", "new", "line"), OF_OTHER_STEPS)
def test_a_value_of_another_step_is_named(person: Person, name: str, old: str, new: str, line: str) -> None:
    found = symrnn.diagnose(person(name, WHOLE, (old, new)), name)
    assert len(found.explanation) == 1
    assert line in yours(found), str(found)


def test_a_sequence_of_one_step_is_not_taken_to_prove_the_equations(person: Person) -> None:
    # the value of the step before last, which is not tried
    new = 'caches[max(len(caches) - 2, 0)]["c"] * f'
    found = symrnn.diagnose(person("lstm", WHOLE, ('cache["c"] * f', new)), "lstm")
    assert found.explanation == ()
    assert found.between
    text = " ".join(str(found).split())
    assert "the equations of the step are right" not in text
    assert "the mistake involves another step: a value of the wrong step is used" in text


RNN_RETURN = '    return {"W_xh"'
RNN_HANDED = 'dh = da @ params["W_hh"]'
RNN_DH = "W_hh.T @ delta_h"
CLIPS: tuple[tuple[str, Changes, tuple[str, ...]], ...] = (
    ("lstm", (CLIPPED,), ("clip(dL/dW_xi, -5, 5) is returned",)),
    ("lstm", (SHRUNK,), ("shrunk to the norm 0.25: the gradients of all parameters",)),
    ("lstm", (("dc_next = dc * f", "dc_next = np.clip(dc * f, -0.1, 0.1)"),), ("dc = clip(dc_all * f, -0.1, 0.1)",)),
    (
        "rnn",
        (("dh = dh + dy[t]", "dh = np.clip(dh + dy[t], -1, 1)"),),
        ("dh_out = clip(dloss_t/dh_t + dh of step t + 1 (at t = T: dL/dh_T), -1, 1)",),
    ),
    (
        "rnn",
        ((RNN_RETURN, f"    for v in (dW_xh, dW_hh, db):\n        np.clip(v, -1, 2, out=v)\n{RNN_RETURN}"),),
        ("clip(dL/dW_xh, -1, 2) is returned",),
    ),
    ("rnn", (("}, dx", "}, np.clip(dx, -3, 3)"),), ("clip(dL/dx, -3, 3) is returned",)),
    (
        "rnn",
        ((RNN_HANDED, f"{RNN_HANDED}\n        dh = dh / max(np.linalg.norm(dh), 1)"),),
        (f"dh = shrunk to the norm 1: {RNN_DH}",),
    ),
    (
        "rnn",
        ((RNN_HANDED, f"{RNN_HANDED}\n        dh = dh / np.maximum(np.linalg.norm(dh, axis=1, keepdims=True), 1)"),),
        (f"dh = shrunk to the norm 1, row by row: {RNN_DH}",),
    ),
    (
        "rnn",
        (("da = dh * (1 - h**2)", "da = np.clip(dh * (1 - h**2), -3, 3)"),),
        ("delta_h = clip(dh_out * (1 - h'**2), -3, 3)",),
    ),
    (
        "rnn",
        (("dW_xh += da.T @ x", "dW_xh += np.clip(da.T @ x, -0.2, 0.2)"),),
        ("dL/dW_xh = the sum over the steps of clip(delta_h @ x.T, -0.2, 0.2)",),
    ),
    ("lstm", (FORGET_FUNCTION, CLIPPED), ("delta_f = df * sigmoid(f)", "clip(dL/dW_xi, -5, 5) is returned")),
)


@pytest.mark.parametrize(
    ("name", "changes", "lines"),
    [CLIPS[0], *(pytest.param(*each, marks=[pytest.mark.long] if each[0] == "lstm" else []) for each in CLIPS[1:])],
)
def test_clipped_gradients_are_recognised_with_their_bound(
    person: Person, name: str, changes: Changes, lines: tuple[str, ...]
) -> None:
    found = symrnn.diagnose(person(name, WHOLE, *changes), name)
    assert not found.right
    assert str(SlipKind.CLIPPED) in kinds(found), str(found)
    equal = [c.yours for each in found.explanation for e in each.equals for c in found.changes(each, e)]
    assert set(lines) <= {*yours(found), *equal}, str(found)


def test_a_step_that_clips_is_recognised_though_its_gradients_are_small(person: Person) -> None:
    new = 'return {k: np.clip(v, -5, 5) for k, v in grads.items()}, {"h"'
    found = symrnn.diagnose(person("lstm", "backward_step", ('return grads, {"h"', new)), "lstm")
    assert kinds(found) == [str(SlipKind.CLIPPED)]
    assert "All gradients are right if the incoming ones" in str(found)
    assert "`np.clip(…, -5, 5)` cuts off larger values" in str(found)


IN_BOTH = (('"i": dc * g * i * (1 - i)', '"i": dc * g * np.exp(i)'), ("dc_next = dc * f", "dc_next = dc * f + 0.3"))


@dataclass(frozen=True)
class Searched:
    """A search that finds nothing, and what it took."""

    found: Diagnosis
    left: int
    said: tuple[str, ...]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A whole sequence of LSTM with mistakes in the step and between the steps, which nothing explains."""
    text = PASSES.joinpath("lstm.py").read_text(encoding="utf-8")
    for old, new in IN_BOTH:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path_factory.mktemp("searched") / "mine.py"
    file.write_text(text, encoding="utf-8")
    made: list[Effort] = []
    said: list[str] = []

    def counted(progress: Callable[[str], None]) -> Effort:
        made.append(Effort(progress))
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnose, "Effort", counted)
        found = symrnn.diagnose(f"{file}:backward", "lstm", progress=said.append)
    return Searched(found, made[0].left, tuple(said))


@pytest.mark.long
def test_mistakes_in_the_step_and_between_the_steps_are_told_by_the_run_that_shows_them(searched: Searched) -> None:
    found = searched.found
    assert found.explanation == ()
    long, short = found.established
    assert (long.steps, len(long.wrong), long.suspects) == ((4, 3, 5), 15, None)
    assert short.steps == (1,)
    text = str(found)
    several = text.index(
        "On sequences of 4, 3 and 5 steps, all 15 gradients are wrong.\nNo equation is known to be right"
    )
    right = text.index("Right there, since right gradients follow from them:")
    assert several < text.index("On sequences of one step, ") < right
    assert "this says nothing about other steps or gradients passed between steps" in text


def test_a_search_that_finds_nothing_stays_within_its_work_and_says_what_it_is_at(searched: Searched) -> None:
    assert LIMIT <= 130_000  # of which one takes about 0.1 ms
    assert searched.left > -5_000  # what is begun is ended: one run side by side, of several steps
    assert len(searched.said) >= 3
    assert all(line.startswith("looking for ") for line in searched.said)


def test_what_explains_sequences_of_one_step_alone_is_said(person: Person) -> None:
    changes = (I_FOR_G, ("dh = dy[t] + dh_next", "dh = dy[t] + dh_next * (1 + len(caches) - 1)"))
    found = symrnn.diagnose(person("lstm", WHOLE, *changes), "lstm")
    assert found.explanation == ()
    assert "On sequences of one step, this explains all:" in str(found)
    assert [each.mistake.detail for each in found.partly] == ["`i` stands where `g` belongs"]


def test_a_search_that_ends_at_its_work_says_so(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnose, "Effort", partial(Effort, left=3_000))
    found = symrnn.diagnose(person("lstm", WHOLE, *IN_BOTH), "lstm")
    assert found.cut_short
    assert "The search reached its limit of work" in str(found)


def test_long_work_shows_on_standard_error(
    person: Person, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effort, "_SAID_EVERY", 100)
    code = main(["diagnose", person("rnn", WHOLE, ("1 - h**2", "np.cos(h) - 0.1")), "--cell", "rnn"])
    captured = capsys.readouterr()
    assert code == 1
    assert "backward: looking for two mistakes at once in sequences of one step; " in captured.err
    assert "looking for" not in captured.out


def test_mistakes_of_which_one_hides_the_other_are_found(person: Person) -> None:
    changes = (("dz * z * (1 - z)", "dz * (1 - z)"), ("dnew * (h - n)", "dnew * (n - h)"), ("drh * r\n", "drh\n"))
    found = symrnn.diagnose(person("gru", "backward_step", *changes), "gru")
    assert len(found.explanation) == 3
    assert {"dz = dh_out * (h_tilde - h)", "delta_z = dz * (1 - z)"} <= set(yours(found)), str(found)
