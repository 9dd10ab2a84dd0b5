"""Libraries of `generate`: built side by side, and what becomes of the others if one cannot be built."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import libraries
from symrnn.cli.libraries import Job, TargetLibraries, install
from symrnn.emit.request import Request
from symrnn.errors import BuildError

MARCHES = ("one", "two", "three", "four")
PATIENCE = 60.0
"""Seconds that a build waits for an event of the test: where the event does not come, the test fails and does not hang."""


@dataclass
class Builder:
    """Builds as `act` says, by processor; keeps a record of what began."""

    act: Callable[[str], None]
    began: list[str] = field(default_factory=list)

    def install(self, files: object, cell: str, directory: Path, march: str) -> None:
        self.began.append(march)
        self.act(march)

    def runs_here(self, library: Path, cell: str, march: str) -> bool:
        return False


Build = Callable[..., list[str]]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Build:
    """Builds a library of an RNN for each of `MARCHES`, so many at once; returns what it said."""

    def build(builder: Builder, *, at_once: int, say: Callable[[str], None] | None = None) -> list[str]:
        monkeypatch.setattr(libraries, "_builders", lambda _: [(None, builder)])
        monkeypatch.setattr("os.cpu_count", lambda: at_once)
        said: list[str] = []
        planned = TargetLibraries(
            "c", "C", {"rnn": {march: f"rnn.{march}" for march in MARCHES}}, (tmp_path / "rnn.old",)
        )
        (tmp_path / "rnn.old").touch()
        install(tmp_path, [Job(symrnn.load("rnn"), Request(), {})], [planned], say or said.append)
        return said

    return build


def test_the_count_goes_up_as_they_end_in_whatever_order(build: Build, tmp_path: Path) -> None:
    others = threading.Barrier(3, timeout=PATIENCE)
    last = threading.Event()

    def act(march: str) -> None:
        if march == "one":
            assert last.wait(PATIENCE), "the count waits for the first library before the others"
        else:
            others.wait()

    said = []

    def say(line: str) -> None:
        said.append(line)
        if "3 of 4" in line:
            last.set()

    build(Builder(act), at_once=4, say=say)
    assert [line for line in said if "rnn.one" in line] == [
        f"compiling rnn.one: {done} of 4 libraries done" for done in range(4)
    ]
    assert not (tmp_path / "rnn.old").exists()


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Is set when no library that waits will begin any more, before those that began are waited for."""
    ended = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            ended.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(libraries, "ThreadPoolExecutor", Pool)
    return ended


def test_every_failure_is_named_and_no_other_library_begins(
    build: Build, ending: threading.Event, tmp_path: Path
) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def act(march: str) -> None:
        if march in ("one", "two"):
            both.wait()
        if march != "one":
            assert ending.wait(PATIENCE)
        if march in ("one", "two"):
            raise BuildError(f"rnn.{march}: refused")

    builder = Builder(act)
    with pytest.raises(BuildError, match=r"^rnn\.one: refused\nrnn\.two: refused$"):
        build(builder, at_once=2)
    assert "four" not in builder.began
    assert (tmp_path / "rnn.old").exists()


def test_one_failure_is_raised_as_it_is(build: Build) -> None:
    def act(march: str) -> None:
        if march == "three":
            raise refused

    refused = BuildError("rnn.three: refused")
    with pytest.raises(BuildError) as caught:
        build(Builder(act), at_once=1)
    assert caught.value is refused


def test_an_interrupt_begins_no_other_library(build: Build, ending: threading.Event) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    def act(march: str) -> None:
        assert ending.wait(PATIENCE)

    builder = Builder(act)
    with pytest.raises(KeyboardInterrupt):
        build(builder, at_once=1, say=interrupt)
    assert "two" not in builder.began
