"""Generated files on disk: replaced whole, compared, mixed by a kill and repaired, written by many at once."""

from __future__ import annotations

import hashlib
import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from symrnn.emit import manifest
from symrnn.emit.atomic import write_atomically
from symrnn.emit.manifest import Difference, Fault, compare, write
from symrnn.errors import GenerateError

ROOT = Path(__file__).parents[1]
OLD = {"a.c": "one\ntwo\n", "a.h": "old header\n", "a.py": "old\n"}
NEW = {"a.c": "one\n2\n", "a.h": "new header\n", "a.py": "new\n"}


def faults(out: Path, files: dict[str, str]) -> dict[str, Fault]:
    return {difference.file: difference.fault for difference in compare(out, files, cell="a")}


def listing(out: Path) -> list[str]:
    """The visible files."""
    return sorted(path.name for path in out.iterdir() if path.name != ".symrnn.lock")


def test_what_was_written_is_there_and_recorded(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert write(out, OLD, cell="a") == (out / "a.c", out / "a.h", out / "a.py")
    assert listing(out) == ["a.c", "a.h", "a.py", "manifest.json"]
    assert {name: (out / name).read_text() for name in OLD} == OLD
    assert stat.S_IMODE((out / "a.c").stat().st_mode) == 0o644
    recorded = {"a": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in OLD.items()}}
    assert (out / "manifest.json").read_text() == json.dumps(recorded, indent=2, sort_keys=True) + "\n"
    assert compare(out, OLD, cell="a") == ()


def test_the_manifest_does_not_depend_on_the_order_of_writing(tmp_path: Path) -> None:
    for out, order in ((tmp_path / "1", "ab"), (tmp_path / "2", "ba")):
        for cell in order:
            write(out, dict(reversed(NEW.items())) if order == "ba" else NEW, cell=cell)
    assert (tmp_path / "1/manifest.json").read_bytes() == (tmp_path / "2/manifest.json").read_bytes()


def test_files_that_are_right_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, OLD, cell="a")
    before = {name: (tmp_path / name).stat().st_ino for name in listing(tmp_path)}
    write(tmp_path, OLD, cell="a")
    assert {name: (tmp_path / name).stat().st_ino for name in listing(tmp_path)} == before


def test_some_cells_and_some_files_are_merged(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "b\n"}, cell="b")
    write(tmp_path, OLD, cell="a")
    write(tmp_path, {"a.py": NEW["a.py"]}, cell="a")
    assert faults(tmp_path, OLD) == {"a.py": Fault.STALE}
    assert compare(tmp_path, {"b.py": "b\n"}, cell="b") == ()
    (tmp_path / "a.h").unlink()
    write(tmp_path, {"a.py": "newer\n"}, cell="a")
    assert sorted(json.loads((tmp_path / "manifest.json").read_text())["a"]) == ["a.c", "a.py"]


def test_a_file_that_two_cells_share_is_right_for_either_whichever_wrote_it(tmp_path: Path) -> None:
    one, two = {"a.c": "a\n", "shared.h": "old\n"}, {"b.c": "b\n", "shared.h": "old\n"}
    newer_one, newer_two = {"a.c": "a 2\n", "shared.h": "new\n"}, {"b.c": "b 2\n", "shared.h": "new\n"}
    write(tmp_path, one, cell="a")
    write(tmp_path, two, cell="b")
    assert manifest.outdated(tmp_path) == {}
    write(tmp_path, newer_one, cell="a")
    assert [(each.file, each.fault) for each in compare(tmp_path, newer_two, cell="b")] == [("b.c", Fault.STALE)]
    assert [(each.file, each.fault) for each in compare(tmp_path, two, cell="b")] == [("shared.h", Fault.STALE)]
    assert manifest.outdated(tmp_path) == {"b": ("shared.h",)}
    (tmp_path / "shared.h").write_text("mine\n")
    assert faults(tmp_path, newer_one) == {"shared.h": Fault.EDITED}
    assert manifest.outdated(tmp_path) == {}, "neither cell was generated with it: that is told as an edit"
    write(tmp_path, newer_two, cell="b")
    assert manifest.outdated(tmp_path) == {}
    write(tmp_path, one, cell="a")
    (tmp_path / "b.c").unlink()
    assert manifest.outdated(tmp_path) == {}, "nothing of the other is left"


def test_differences_are_named_with_their_diff(tmp_path: Path) -> None:
    write(tmp_path, OLD, cell="a")
    (tmp_path / "a.h").write_text("mine, without an end of line")
    (tmp_path / "a.py").unlink()
    stale, edited, missing = compare(tmp_path, NEW, cell="a")
    head = f"--- {tmp_path / 'a.c'}\n+++ a.c as generated now\n"
    assert stale == Difference("a.c", Fault.STALE, head + "@@ -1,2 +1,2 @@\n one\n-two\n+2\n")
    assert (edited.file, edited.fault) == ("a.h", Fault.EDITED)
    assert "-mine, without an end of line\n\\ No newline at end of file\n+new header\n" in edited.diff
    assert missing == Difference("a.py", Fault.MISSING, ""), "a line, and not the whole file"


def test_a_file_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, OLD, cell="a")
    (tmp_path / "a.c").write_bytes(b"\xff\x00\n")
    assert "-\\xff\x00\n" in compare(tmp_path, OLD, cell="a")[0].diff


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("survivors", [0, 1, 2, 3])
def test_a_kill_leaves_a_set_that_is_named_and_the_next_run_repairs_it(survivors: int, tmp_path: Path) -> None:
    write(tmp_path, OLD, cell="a")
    code = f"""
import os, signal
from pathlib import Path
from symrnn.emit import manifest

sync, syncs = os.fsync, 0

def killing(handle):
    global syncs
    syncs += 1
    if syncs > 2 * {survivors}:  # each file is synced, and then its directory
        os.kill(os.getpid(), signal.SIGKILL)
    sync(handle)

os.fsync = killing
manifest.write(Path({str(tmp_path)!r}), {NEW!r}, cell="a")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert any(path.suffix == ".tmp" for path in tmp_path.iterdir())
    order = list(NEW)
    expected = dict.fromkeys(order[:survivors], Fault.MIXED) | dict.fromkeys(order[survivors:], Fault.STALE)
    assert faults(tmp_path, NEW) == expected
    assert faults(tmp_path, OLD) == dict.fromkeys(order[:survivors], Fault.EDITED)
    write(tmp_path, NEW, cell="a")
    assert compare(tmp_path, NEW, cell="a") == ()
    assert listing(tmp_path) == ["a.c", "a.h", "a.py", "manifest.json"]


def test_no_entry_is_lost_though_many_processes_write_at_once(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from symrnn.emit.manifest import write

out, go, cell = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
while not go.exists():
    pass
for step in range(10):
    write(out, {f"{cell}.py": f"{step}\\n"}, cell=cell)
"""
    out, go = tmp_path / "out", tmp_path / "go"
    command = [sys.executable, "-c", code, str(out), str(go)]
    processes = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    go.touch()
    assert [process.wait() for process in processes] == [0, 0, 0]
    for name in "abc":
        assert compare(out, {f"{name}.py": "9\n"}, cell=name) == ()


@pytest.mark.parametrize("text", ['{"name": "my web page"}', "[]", "<<<<<<< HEAD\n", '{"a": {"a.c": 1}}'])
def test_a_manifest_of_something_else_is_refused_and_nothing_is_written(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    for function in (write, compare):
        with pytest.raises(GenerateError, match=r"manifest\.json is not a manifest of symrnn.*delete it.*--out"):
            function(tmp_path, NEW, cell="a")
    assert listing(tmp_path) == ["manifest.json"]
    assert (tmp_path / "manifest.json").read_text() == text


def test_a_directory_that_is_a_file_is_told_as_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("")
    with pytest.raises(GenerateError, match=r"out cannot be written to: .*--out"):
        write(out, NEW, cell="a")
    with pytest.raises(GenerateError, match=r"out cannot be read: .*--out"):
        compare(out, NEW, cell="a")


def test_a_directory_that_another_process_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_WAIT_SECONDS", 0.05)
    code = (
        "import sys, filelock\n"
        "with filelock.FileLock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".symrnn.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(GenerateError, match=r"another process has held .*\.symrnn\.lock"):
            write(tmp_path, NEW, cell="a")
        holder.communicate()
    assert listing(tmp_path) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"old", mode=0o644)
    inode = file.stat().st_ino
    write_atomically(file, b"new", mode=0o644)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o644)
    assert file.stat().st_ino != inode

    def fail(handle: int) -> None:
        raise OSError("disk")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk"):
        write_atomically(file, b"newer")
    assert listing(tmp_path) == ["file"]
    assert file.read_bytes() == b"new"
