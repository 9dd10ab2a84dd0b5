"""The check says which NumPy ran, and with which instruction sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import Case
from symrnn.check.check import check
from symrnn.check.numpy_build import NumPyBuild, this_numpy


def test_what_numpy_says_of_itself() -> None:
    found = this_numpy()
    assert found.version == np.__version__
    assert found.chosen, "NumPy chooses an instruction set for some loops on every processor that it is built for"
    for name in found.chosen:
        assert (
            name in found.dispatched or name.startswith("baseline") or name in found.baseline or "none" in name.lower()
        )


def test_instruction_sets_that_are_taken_away_are_not_named() -> None:
    here = this_numpy()
    if not here.dispatched:
        pytest.skip("this processor has nothing above NumPy's baseline")
    code = "from symrnn.check.numpy_build import this_numpy; print(this_numpy())"
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(here.dispatched)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"NumPy {np.__version__}, instruction sets in use: ")
    assert not any(name in run.stdout.partition(":")[2].replace("(", " ").split(", ") for name in here.dispatched)
    assert str(here) != run.stdout.strip()


def test_it_stands_in_text_and_json() -> None:
    report = check(symrnn.load("rnn"), backends=("numpy",), cases=(Case(1, 1, 2, 2),))
    assert report.numpy == this_numpy()
    assert f"\n{this_numpy()}\n" in report.table()
    values = json.loads(json.dumps(report.to_json()))
    assert values["numpy"]["version"] == np.__version__
    assert values["numpy"]["chosen"] == list(this_numpy().chosen)
    assert values["points"] == [{"cell": "rnn", "cases": 1, "dense": 1, "start": 1}]


def test_text() -> None:
    assert str(NumPyBuild("2.4.6", ("X86_V2",), ("X86_V3",), ("X86_V3", "baseline(X86_V2)"))) == (
        "NumPy 2.4.6, instruction sets in use: X86_V3, baseline(X86_V2)"
    )
    assert str(NumPyBuild("2.0.0", ("SSE",), (), ())).endswith("in use: SSE")
