"""Backward passes written by hand, as they are or with a mistake in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import symrnn

ROOT = Path(__file__).parents[2]
PASSES = Path(__file__).parent / "passes"
STACKED = {
    "Wx": "W_xi.T,W_xf.T,W_xo.T,W_xg.T",
    "Wh": "W_hi.T,W_hf.T,W_ho.T,W_hg.T",
    "b": "b_i,b_f,b_o,b_g",
}

Person = Callable[..., str]


def cell_of(name: str) -> str:
    """The cell that the pass of this name is of."""
    if name == "lstm_stacked":
        return "lstm"
    return name if name in symrnn.cells() else str(ROOT / "tests" / "cells" / f"{name}.toml")


def layout_of(name: str) -> Mapping[str, str]:
    return STACKED if name == "lstm_stacked" else {}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Writes a pass to a file, each old text replaced by a new one, and returns FILE.py:FUNCTION."""

    def write(name: str, function: str, *changes: tuple[str, str]) -> str:
        text = PASSES.joinpath(f"{name}.py").read_text(encoding="utf-8")
        start = text.index(f"def {function}(")
        end = text.find("\ndef ", start) + 1 or len(text)
        body = text[start:end]
        for old, new in changes:
            assert old in body, f"{name}.py has no {old!r}"
            body = body.replace(old, new)
        file = tmp_path / "my_backward.py"
        file.write_text(text[:start] + body + text[end:], encoding="utf-8")
        return f"{file}:{function}"

    return write
