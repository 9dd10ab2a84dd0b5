"""Passes written by hand for cells with fixed parameters, and with parameters that have a domain."""

from __future__ import annotations

from pathlib import Path

import pytest

import symrnn

STEP = """
def backward_step(params, cache, dstate):
    da = dstate["h"] * (1 - cache["h'"] ** 2)
    dparams = {"W": da.T @ cache["x"], "s": (da / params["s"]).sum(0)GIVEN}
    return dparams, {"h": da @ params["U"]}, da @ params["W"]
"""
FILE = """name = "given_recurrence"
fixed = ["U"]
equations = "h' = tanh(W @ x + U @ h + log(s))"
[domain]
s = "positive"
"""


@pytest.mark.parametrize("given", ["", ', "U": da.T @ cache["h"]', ', "U": da'], ids=["none", "one", "a wrong one"])
def test_a_gradient_of_a_fixed_parameter_is_not_judged(given: str, tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(FILE)
    (tmp_path / "mine.py").write_text(STEP.replace("GIVEN", given))
    found = symrnn.diagnose(f"{tmp_path / 'mine.py'}:backward_step", str(tmp_path / "cell.toml"))
    assert found.right, str(found)
    assert {verdict.name for verdict in found.verdicts} == {"W", "s", "h", "x"}


def test_a_wrong_gradient_beside_them_is_found(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(FILE)
    (tmp_path / "mine.py").write_text(STEP.replace("da / params", "da * params").replace("GIVEN", ', "U": da'))
    found = symrnn.diagnose(f"{tmp_path / 'mine.py'}:backward_step", str(tmp_path / "cell.toml"))
    assert not found.right
    assert [verdict.name for verdict in found.verdicts if verdict.wrong] == ["s"]
    assert "`s`, the argument of log, stands where the derivative of log, `1 / s`, belongs" in str(found)
