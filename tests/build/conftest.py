"""A separate cache for each test, and small scripts as compilers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

REAL = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")

Script = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of this test's cache; no environment variable of the caller names a compiler."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("SYMRNN_CACHE_DIR", str(directory))
    for variable in ("SYMRNN_CC", "CC", "CFLAGS"):
        monkeypatch.delenv(variable, raising=False)
    return directory


@pytest.fixture
def real_compiler() -> str:
    """The path of a compiler; without one the test is skipped."""
    if REAL is None:
        pytest.skip("no C compiler")
    return REAL


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes an executable shell script into a folder of its own and returns its path."""

    def write(body: str, name: str = "compiler") -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write
