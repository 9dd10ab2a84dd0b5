"""`check`: its exit codes, and what it says without a compiler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symrnn.check.deviations import Deviation, Report
from tests.cli.conftest import CELL, Run

pytestmark = pytest.mark.usefixtures("quick_compiler")


def report(*errors: float) -> Report:
    dtypes = ("float64", "float32", "exact")
    return Report(
        tuple(
            Deviation(CELL, "numpy", dtype, "oracle", "y", error, 1e-3, "case")
            for dtype, error in zip(dtypes, errors, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("dtype", "errors", "code"),
    [("all", (0, 1, 0), 1), ("float64", (0, 1, 0), 0), ("float32", (0, 1, 0), 1), ("float64", (0, 0, 1), 1)],
)
def test_check_exits_1_where_a_reported_error_misses_its_bound(
    run: Run, monkeypatch: pytest.MonkeyPatch, dtype: str, errors: tuple[float, ...], code: int
) -> None:
    monkeypatch.setattr("symrnn.cli.commands.check", lambda cells, **_: report(*errors))
    found = run("check", CELL, "--dtype", dtype, "--json")
    assert found[0] == code
    assert json.loads(found[1])["passed"] == (code == 0)
    assert run("check", CELL, "--dtype", dtype)[0] == code


def test_check_runs_the_oracles(run: Run, cell_file: str) -> None:
    code, out, err = run("check", cell_file, "--backend", "numpy", "--json")
    assert (code, err) == (0, "")
    assert {row["cell"] for row in json.loads(out)["rows"]} == {"mine"}


@pytest.mark.usefixtures("no_compiler")
def test_check_without_a_compiler_says_that_c_was_left_out(run: Run) -> None:
    code, out, _ = run("check", CELL)
    assert code == 0
    assert "rnn: C kernels not run: no C compiler found" in out
    assert out.endswith("errors are within their bounds; C not checked\n")


@pytest.mark.usefixtures("no_compiler")
def test_checking_c_alone_without_a_compiler_is_trouble(run: Run) -> None:
    code, _, err = run("check", CELL, "--backend", "c")
    assert code == 2
    assert "no C compiler found" in err


@pytest.mark.usefixtures("no_compiler")
def test_a_compiler_that_is_named_and_unusable_is_trouble(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMRNN_CC", "no-such-compiler")
    for command in (("generate", CELL, "--out", "out"), ("check", CELL)):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert "SYMRNN_CC names 'no-such-compiler'" in err
    assert not Path("out").exists()  # it is looked for before anything is written
