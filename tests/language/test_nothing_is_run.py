"""Hostile cell files: nothing is run on the way to their refusal, nothing imported and nothing written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from symrnn.errors import CellError
from symrnn.language.cellfile import load

HOSTILE = (
    "h' = __import__('os').system('touch gone')",
    "h' = exec('1')",
    "h' = (lambda: open('gone', 'w'))()",
    "h' = x.__class__.__mro__",
    "h' = tanh(x)\nimport os",
    "h' = [open('gone', 'w') for a in x]",
)

Event = tuple[str, tuple[Any, ...]]


class Listener:
    """Collects what the interpreter reports of itself (`sys.audit`), while it is asked to.

    An audit hook stays until the process ends, so there is one, and it is deaf outside `hear`.
    """

    def __init__(self) -> None:
        self.events: list[Event] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.events is not None:
            self.events.append((event, arguments))

    @contextmanager
    def hear(self) -> Iterator[list[Event]]:
        self.events = []
        try:
            yield self.events
        finally:
            self.events = None


@pytest.fixture(scope="session")
def listener() -> Listener:
    hook = Listener()
    sys.addaudithook(hook)
    return hook


@pytest.mark.parametrize("text", [*HOSTILE, "h' = tanh(W @ x + U @ h)"])
def test_nothing_is_run_and_nothing_is_written(text: str, tmp_path: Path, listener: Listener) -> None:
    file = tmp_path / "cell.toml"
    file.write_text(f'name = "hostile"\nequations = """\n{text}\n"""\n')
    with listener.hear() as events:
        if text in HOSTILE:
            with pytest.raises(CellError):
                load(file)
        else:
            load(file)
    kinds = {event for event, _ in events}
    assert "open" in kinds
    assert not kinds & {"exec", "import", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.remove"}
    assert {mode for event, arguments in events if event == "open" for mode in arguments[1:2]} <= {"r", "rb"}
    assert [path.name for path in tmp_path.iterdir()] == ["cell.toml"]
