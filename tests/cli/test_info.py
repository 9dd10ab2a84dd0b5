"""`info`: what a report of a fault should say of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import symrnn
from symrnn.targets import registry
from tests.cli.conftest import Run
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMRNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMRNN_TILE", raising=False)
    return tmp_path / "cache"


def test_info_tells_versions_and_every_backend(run: Run, cache: Path) -> None:
    code, out, err = run("info", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["symrnn"], told["numpy"]) == (symrnn.__version__, np.__version__)
    assert Path(told["cache"]) == cache
    assert told["processor"]
    assert tuple(told["backends"]) == registry.names()
    code, text, _ = run("info")
    assert code == 0
    for name, facts in told["backends"].items():
        assert f"\n{registry.title(name)}\n" in text
        assert all(value in text for value in facts.values())


def test_info_tells_the_shape_and_why(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_or_skip()
    facts = json.loads(run("info", "--json")[1])["backends"]["c"]
    assert set(facts) == {"compiler", "flags", "vectors", "register tile"}
    monkeypatch.setenv("SYMRNN_TILE", "3x4")
    facts = json.loads(run("info", "--json")[1])["backends"]["c"]
    assert facts["register tile"].startswith("3x4 (rows x vectors): the environment variable SYMRNN_TILE")
    monkeypatch.setenv("SYMRNN_TILE", "7x7")
    code, out, err = run("info")
    assert (code, out) == (2, "")
    assert "SYMRNN_TILE is '7x7'" in err


@pytest.mark.usefixtures("no_compiler")
def test_info_says_that_there_is_no_compiler(run: Run, cache: Path) -> None:
    code, out, _ = run("info")
    assert code == 0
    assert "unavailable  no C compiler found" in out
