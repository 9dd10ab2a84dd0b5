"""Numbers that are wrong: found in the gradients, and named; what cannot be explained accuses no equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.diagnose.rules import SlipKind

LEAKY = symrnn.Cell.from_equations(
    "n = tanh(W @ x + U @ h + b)\nm' = rho * m + (1 - rho) * n\nh' = n + 0.25 * m'",
    name="leaky",
    constants={"rho": "0.9"},
)


def backward_step(
    params: Any, cache: Any, dstate: Any, rho: float = 0.9, part: float = 0.25, slope: float = 1.0
) -> Any:
    x, h, n = cache["x"], cache["h"], cache["n"]
    dm = dstate["m"] + part * dstate["h"]
    dn = dstate["h"] + (1 - rho) * dm
    da = slope * dn * (1 - n**2)
    dparams = {"W": da.T @ x, "U": da.T @ h, "b": da.sum(axis=0)}
    return dparams, {"m": dm * rho, "h": da @ params["U"]}, da @ params["W"]


@pytest.mark.parametrize(
    ("wrong", "detail", "yours"),
    [
        ({"rho": 0.8}, "the constant `rho` is 0.9, but 0.8 in yours", ["dm_all * (1 - 0.8)", "dm = dm_all * 0.8"]),
        ({"part": 0.4}, "0.4 stands where `0.25` belongs", ["0.4 * dh_out"]),
        ({"slope": 0.7}, "is multiplied by 0.7", ["0.7"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_number_is_found_and_written_short(wrong: dict[str, float], detail: str, yours: list[str]) -> None:
    def step(params: Any, cache: Any, dstate: Any) -> Any:
        return backward_step(params, cache, dstate, **wrong)

    found = symrnn.diagnose(step, LEAKY)
    (explained,) = found.explanation
    assert explained.mistake.kind == SlipKind.NUMBER
    assert detail in explained.mistake.detail
    assert all(word in str(found) for word in yours), str(found)


def test_a_wrong_number_is_found_in_a_whole_sequence() -> None:
    def backward(params: Any, caches: Any, dy: Any, dstate: Any) -> Any:
        totals = {name: np.zeros_like(value) for name, value in params.items()}
        dx = np.zeros((len(caches), *caches[0]["x"].shape))
        handed = dict(dstate)
        for t in reversed(range(len(caches))):
            handed["h"] = handed["h"] + dy[t]
            dparams, handed, dx[t] = backward_step(params, caches[t], handed, rho=0.8)
            totals = {name: totals[name] + dparams[name] for name in totals}
        return totals, handed, dx

    (explained,) = symrnn.diagnose(backward, LEAKY).explanation
    assert explained.mistake.detail == "the constant `rho` is 0.9, but 0.8 in yours"


def test_a_wrong_number_is_found_beside_another_mistake() -> None:
    def step(params: Any, cache: Any, dstate: Any) -> Any:
        dparams, before, dx = backward_step(params, cache, dstate, rho=0.8)
        return dparams | {"b": -dparams["b"]}, before, dx

    found = symrnn.diagnose(step, LEAKY).explanation
    assert {each.mistake.kind for each in found} == {SlipKind.NUMBER, SlipKind.SIGN}


def test_what_nothing_explains_says_that_several_equations_may_share_a_slip() -> None:
    def step(params: Any, cache: Any, dstate: Any) -> Any:
        dparams, before, dx = backward_step(params, cache, dstate)
        return {name: np.sin(value) for name, value in dparams.items()}, before, np.exp(dx)

    text = str(symrnn.diagnose(step, LEAKY))
    assert "None of the mistakes tried gives these numbers" in text
    assert "Several equations may also be wrong in the same way" in text.replace("\n", " ")
