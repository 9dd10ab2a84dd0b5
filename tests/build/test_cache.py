"""Entries of the cache: their names, whose directory it is, damage, kills, and many processes at once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from symrnn.build import cache
from symrnn.build.cache import cache_directory as find_directory
from symrnn.build.cache import entry_key, library_in_cache
from symrnn.errors import BuildError

ROOT = Path(__file__).parents[2]


def maker(data: bytes = b"library") -> tuple[Callable[[Path], Path], list[Path]]:
    """A function that makes a library, and the folders that it was called with."""
    calls: list[Path] = []

    def make(folder: Path) -> Path:
        assert not list(folder.iterdir())
        calls.append(folder)
        file = folder / "made"
        file.write_bytes(data)
        return file

    return make, calls


def test_the_directory_is_made_for_its_owner_alone(cache_directory: Path) -> None:
    before = os.umask(0)
    try:
        assert find_directory() == cache_directory
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache_directory.stat().st_mode) == 0o700
    make, _ = maker()
    library = library_in_cache("k", "cell.so", make)
    assert stat.S_IMODE(library.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(library.stat().st_mode) == 0o600


def test_the_directory_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SYMRNN_CACHE_DIR")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "home" / "symrnn")
    assert find_directory() == tmp_path / "home" / "symrnn"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_write_to_is_refused(mode: int, cache_directory: Path) -> None:
    cache_directory.mkdir()
    cache_directory.chmod(mode)
    with pytest.raises(BuildError, match=f"{cache_directory}, can be written to by other users.*chmod 700"):
        find_directory()


def test_a_directory_of_somebody_else_is_refused(cache_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_directory()
    monkeypatch.setattr("os.geteuid", lambda: cache_directory.stat().st_uid + 1)
    with pytest.raises(BuildError, match=r"belongs to another user.*SYMRNN_CACHE_DIR"):
        find_directory()


def test_a_directory_that_cannot_be_made_names_the_way_out(cache_directory: Path) -> None:
    cache_directory.write_text("a file")
    with pytest.raises(BuildError, match=f"{cache_directory}, cannot be created.*SYMRNN_CACHE_DIR"):
        find_directory()


def test_the_key_depends_on_everything_and_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"a.c": "int a;", "a.h": ""}
    base = entry_key(sources, ["-O3"], ["cc"], "1", cpu="x")
    assert base == entry_key(dict(reversed(sources.items())), ["-O3"], ["cc"], "1", cpu="x")
    others = [
        entry_key({"a.c": "int a; ", "a.h": ""}, ["-O3"], ["cc"], "1", cpu="x"),
        entry_key({"b.c": "int a;", "a.h": ""}, ["-O3"], ["cc"], "1", cpu="x"),
        entry_key(sources, ["-O2"], ["cc"], "1", cpu="x"),
        entry_key(sources, ["-O3"], ["gcc"], "1", cpu="x"),
        entry_key(sources, ["-O3"], ["cc"], "2", cpu="x"),
        entry_key(sources, ["-O3"], ["cc"], "1", cpu="y"),
        entry_key(sources, ["-O3"], ["cc"], "1"),
    ]
    monkeypatch.setattr(cache, "abi_tag", lambda: "another system")
    others.append(entry_key(sources, ["-O3"], ["cc"], "1", cpu="x"))
    assert len({base, *others}) == len(others) + 1


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="no /proc/cpuinfo")
def test_the_processor_is_known_by_model_and_extensions_and_not_by_its_clock() -> None:
    identity = cache.cpu_identity()
    assert "\n" in identity
    assert any(word in identity for word in ("flags: ", "Features: ", "isa: "))
    assert "MHz" not in identity


def test_an_entry_is_made_once() -> None:
    make, calls = maker()
    first = library_in_cache("k", "cell.so", make)
    assert library_in_cache("k", "cell.so", make) == first
    assert first.read_bytes() == b"library"
    assert len(calls) == 1
    assert library_in_cache("other", "cell.so", make) != first
    assert len(calls) == 2
    assert not calls[0].exists()


@pytest.mark.parametrize("damage", [b"", b"librarY", b"library and more"])
def test_a_damaged_library_is_made_again(damage: bytes) -> None:
    make, calls = maker()
    library = library_in_cache("k", "cell.so", make)
    library.write_bytes(damage)
    assert library_in_cache("k", "cell.so", make).read_bytes() == b"library"
    assert len(calls) == 2


def test_a_library_without_its_digest_does_not_count() -> None:
    make, calls = maker()
    library = library_in_cache("k", "cell.so", make)
    library.with_name("cell.so.sha256").unlink()
    library_in_cache("k", "cell.so", make)
    assert len(calls) == 2


def test_what_a_killed_process_left_is_cleared_away(cache_directory: Path) -> None:
    left = cache_directory / "k" / "making-half"
    left.mkdir(parents=True, mode=0o700)
    cache_directory.chmod(0o700)
    left.joinpath("cell.c").touch()
    make, _ = maker()
    library_in_cache("k", "cell.so", make)
    assert sorted(path.name for path in left.parent.iterdir()) == ["cell.so", "cell.so.sha256"]


def test_a_failure_leaves_nothing_and_the_next_try_succeeds(cache_directory: Path) -> None:
    def fail(folder: Path) -> Path:
        folder.joinpath("half").touch()
        raise BuildError("refused")

    with pytest.raises(BuildError, match="refused"):
        library_in_cache("k", "cell.so", fail)
    assert not list((cache_directory / "k").iterdir())
    make, _ = maker()
    assert library_in_cache("k", "cell.so", make).is_file()


def test_a_full_disk_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    make, _ = maker()
    monkeypatch.setattr(cache, "write_atomically", fail)
    with pytest.raises(BuildError, match=r"cell\.so: .*No space left.*make room"):
        library_in_cache("k", "cell.so", make)


def test_a_lock_that_is_never_released_is_named(cache_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, calls = maker()
    monkeypatch.setattr(cache, "_WAIT_SECONDS", 0.05)

    def other(folder: Path) -> Path:
        with pytest.raises(BuildError, match=r"another process has held .*k\.lock"):
            run_elsewhere()
        return make(folder)

    def run_elsewhere() -> None:
        code = (
            "from symrnn.build import cache; cache._WAIT_SECONDS = 0.05\n"
            "cache.library_in_cache('k', 'cell.so', lambda folder: folder)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        raise BuildError(done.stderr)

    library_in_cache("k", "cell.so", other)
    assert len(calls) == 1


def test_many_processes_make_an_entry_once(tmp_path: Path, cache_directory: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from symrnn.build.cache import library_in_cache

log, go = Path(sys.argv[1]), Path(sys.argv[2])

def make(folder):
    with log.open("a") as file:
        file.write("made\\n")
    made = folder / "made"
    with made.open("wb") as file:
        for _ in range(20):
            file.write(b"x" * 1000)
            file.flush()
            time.sleep(0.005)
    return made

while not go.exists():
    time.sleep(0.001)
print(library_in_cache("k", "cell.so", make).stat().st_size)
"""
    log, go = tmp_path / "log", tmp_path / "go"
    command = [sys.executable, "-c", code, str(log), str(go)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    go.touch()
    assert [process.communicate()[0].strip() for process in processes] == ["20000"] * 4
    assert log.read_text() == "made\n"
    assert sorted(path.name for path in (cache_directory / "k").iterdir()) == ["cell.so", "cell.so.sha256"]
