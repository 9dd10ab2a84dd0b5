"""Programs that are held to narrower vectors: what they and their compilers find, and what they leave alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import held, machine
from benchmarks.cli import main
from symrnn.errors import SymrnnError
from symrnn.targets.c.toolchain import find_compiler

Held = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_held() -> Held:
    """Runs a command held to AVX2; the test is skipped, with the reason, where this system cannot."""
    try:
        given = held.environment("avx2")  # nothing, where this process is held already
    except SymrnnError as reason:
        pytest.skip(str(reason))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name not in ("PYTHONFAULTHANDLER", "PYTHONDEVMODE")}
        return subprocess.run(command, env={**own, **given}, capture_output=True, text=True, check=False)

    return run


def test_compilers_find_no_wider_vectors(run_held: Held) -> None:
    asked = ("-march=native", "-dM", "-E", "-x", "c", os.devnull)
    done = run_held(*find_compiler().command, *asked)
    assert done.returncode == 0, done.stderr
    assert "__AVX512F__" not in done.stdout
    assert "__AVXVNNI__" not in done.stdout


def test_libraries_find_none_either(run_held: Held) -> None:
    code = "from numpy._core._multiarray_umath import __cpu_features__ as f; print(*(n for n, v in f.items() if v))"
    done = run_held(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "SSE2" in done.stdout.split()
    assert "AVX512" not in done.stdout


def test_other_faults_end_a_program_as_ever(run_held: Held) -> None:
    told = "Fatal Python error: Segmentation fault"
    for fault in ("import ctypes; ctypes.string_at(0)", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"):
        done = run_held(sys.executable, "-c", fault)
        assert (done.returncode, told in done.stderr) == (-signal.SIGSEGV, False)
        done = run_held(sys.executable, "-X", "faulthandler", "-c", fault)
        assert (done.returncode, told in done.stderr) == (-signal.SIGSEGV, True)


def test_a_record_says_what_the_run_was_held_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(held.VARIABLE, "avx2")
    assert machine.describe()["cpu"].endswith(", held to avx2")


def test_the_command_runs_another_one(run_held: Held) -> None:
    ask = f"import os, sys; print(os.environ['{held.VARIABLE}']); sys.exit(3)"
    for before in ((), ("--",)):
        done = run_held(sys.executable, "-m", "benchmarks", "hold", "avx2", *before, sys.executable, "-c", ask)
        assert (done.returncode, done.stdout) == (3, "avx2\n")


@pytest.mark.parametrize(("command", "error"), [((), "hold: no command"), (("no-such-program",), "cannot be run")])
def test_no_command_is_refused(run_held: Held, command: Any, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hold", "avx2", *command]) == 2
    assert error in capsys.readouterr().err


def test_a_system_that_cannot_hold_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert main(["hold", "avx2", "true"]) == 2
    assert "only Linux on x86-64" in capsys.readouterr().err
