"""`generate` in a directory where another symrnn wrote before: which cells must be generated again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import main
from symrnn.emit.source import Source
from symrnn.targets.c import files
from symrnn.targets.c.flags import RUNTIME


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two cells of a symrnn whose runtime had another text."""
    now = files.runtime_files

    def then(*, prepares: bool) -> dict[str, Source]:
        return {name: Source(f"/* older */\n{source.text}") for name, source in now(prepares=prepares).items()}

    with monkeypatch.context() as patch:
        patch.setattr(files, "runtime_files", then)
        for cell in ("rnn", "gru"):
            symrnn.generate(cell, tmp_path, backends=("c",))
    return tmp_path


def test_cells_that_share_what_changed_are_named(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "--backend", "c", "--no-build", "--out", str(older)]
    assert main([*command, "gru"]) == 0
    told = f"rnn: {', '.join(sorted(RUNTIME))} changed since it was generated; generate it again before you compile it"
    assert told in capsys.readouterr().out.splitlines()
    assert main([*command, "gru", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outdated"] == {"rnn": sorted(RUNTIME)}
    assert main([*command, "gru", "--check"]) == 0
    assert main([*command, "rnn", "--check"]) == 1
    out = capsys.readouterr().out
    assert "rnn.c is out of date" in out
    assert "cut short" not in out
    assert "symrnn.h is" not in out
    assert main([*command, "rnn"]) == 0
    assert "again" not in capsys.readouterr().out


def test_the_function_warns_of_them(older: Path) -> None:
    with pytest.warns(RuntimeWarning, match=r"symrnn\.h.* changed since rnn was generated; generate it again"):
        symrnn.generate("gru", older, backends=("c",))
