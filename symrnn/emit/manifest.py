"""Writes generated files, each in one step, and compares files on disk with their expected text.

Reads the texts of one cell's files and the directory that they belong in; writes them there with ``manifest.json``,
which holds the SHA-256 digest of every file by cell, and the options that it was generated with, or returns how the directory
differs. The manifest is written last. If a run is cut short, it still names the old files, so files of two runs do not count
as one set. Cells may share a file. Each cell records the text that it was generated with, so it is known if another
cell has replaced a shared file since. Leaves out: the texts, and compiled libraries, which belong to one machine
(`symrnn.targets.target.Builder`).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import filelock

from symrnn.emit.atomic import SUFFIX, write_atomically
from symrnn.errors import GenerateError

NAME = "manifest.json"
"""The manifest's file name."""

_OPTIONS = "options"  # no name of a file, which has a dot
_LOCK = ".symrnn.lock"
_WAIT_SECONDS = 60
_MODE = 0o644

Digests = dict[str, dict[str, str]]


class Fault(StrEnum):
    """What is wrong with a file."""

    MISSING = "is missing"
    STALE = "is out of date"
    MIXED = "is newer than manifest.json says: a run was cut short"
    OPTIONS = "was generated with other options"
    EDITED = "is not what symrnn wrote: it was edited, or a run was cut short"


@dataclass(frozen=True)
class Difference:
    """One file that is not what it should be.

    Attributes:
        file: its name.
        fault: what is wrong.
        diff: unified, from the file to its expected text; empty if the text is right, the file is missing, or other
            options explain the difference.
        cause: the reason in more detail, if it is known.
    """

    file: str
    fault: Fault
    diff: str = ""
    cause: str = ""


def write(out: Path, files: Mapping[str, str], *, cell: str, options: str = "") -> tuple[Path, ...]:
    """Write the files of a cell that differ, and record them all.

    Args:
        out: directory; made if need be.
        files: file name to text. The manifest keeps the cell's other files, as long as they exist.
        cell: whose files they are.
        options: the arguments that the texts depend on; empty if none was given.

    Returns:
        The path of each file, in the order of ``files``.

    Raises:
        GenerateError: a file cannot be written; the manifest is not from symrnn; or another process holds the directory.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(out / _LOCK, timeout=_WAIT_SECONDS):
            recorded = _recorded(out)
            others = {name: digest for name, digest in recorded.get(cell, {}).items() if (out / name).is_file()}
            for name, text in files.items():
                _replace(out / name, text)
            recorded[cell] = others | {name: _digest(text.encode()) for name, text in files.items()}
            if options:
                recorded[cell][_OPTIONS] = options.strip()
            _replace(out / NAME, json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    except filelock.Timeout as error:
        raise GenerateError(
            f"{out}: another process has held {error.lock_file} for {_WAIT_SECONDS} s; end it, and try again"
        ) from error
    except OSError as error:
        raise GenerateError(f"{out} cannot be written to: {error}; choose another directory with --out") from error
    return tuple(out / name for name in files)


def compare(out: Path, files: Mapping[str, str], *, cell: str, options: str = "") -> tuple[Difference, ...]:
    """How the files of a cell in ``out`` differ from ``files``; empty if `write` would change nothing.

    Args:
        out: directory.
        files: file name to text.
        cell: whose files they are.
        options: as in `write`.

    Raises:
        GenerateError: a file cannot be read, or the manifest is not from symrnn.
    """
    try:
        if out.exists():
            next(out.iterdir(), None)  # raises if it is not a directory, or is not readable
        recorded = _recorded(out)
        before, now = recorded.get(cell, {}).get(_OPTIONS, ""), options.strip()
        cause = "" if before == now else f"{before or 'no options'} then, {now or 'no options'} now"
        found = (_difference(out / name, text, _digests_of(name, recorded), cause) for name, text in files.items())
        return tuple(difference for difference in found if difference is not None)
    except OSError as error:
        raise GenerateError(f"{out} cannot be read: {error}; choose another directory with --out") from error


def outdated(out: Path) -> dict[str, tuple[str, ...]]:
    """The cells that must be generated again, each with the shared files that changed since.

    Args:
        out: directory.

    Raises:
        GenerateError: a file cannot be read, or the manifest is not from symrnn.
    """
    found = {}
    try:
        recorded = _recorded(out)
        for cell, digests in recorded.items():
            others = {other: each for other, each in recorded.items() if other != cell}
            files = {name: digest for name, digest in digests.items() if (out / name).is_file()}
            shared = {name: digest for name, digest in files.items() if _digests_of(name, others)}
            there = {name: _digest((out / name).read_bytes()) for name in shared}
            replaced = [name for name in shared if shared[name] != there[name] in _digests_of(name, others)]
            if replaced and len(shared) < len(files):
                found[cell] = tuple(replaced)
    except OSError as error:
        raise GenerateError(f"{out} cannot be read: {error}; choose another directory with --out") from error
    return found


def _digests_of(name: str, recorded: Digests) -> tuple[str, ...]:
    """The digests that the manifest's cells have of a file."""
    return tuple(digests[name] for digests in recorded.values() if name in digests)


def _difference(path: Path, text: str, recorded: Collection[str], cause: str) -> Difference | None:
    """What is wrong with a file, whose digests in the manifest are ``recorded``.

    ``cause`` says how the options of the manifest differ, empty if they do not.
    """
    if not path.exists():
        return Difference(path.name, Fault.MISSING)
    data = path.read_bytes()
    digest = _digest(data)
    if data == text.encode():
        return None if digest in recorded else Difference(path.name, Fault.MIXED)
    if digest in recorded and cause:
        return Difference(path.name, Fault.OPTIONS, cause=cause)
    fault = Fault.STALE if digest in recorded else Fault.EDITED
    return Difference(path.name, fault, _unified(data.decode(errors="backslashreplace"), text, path))


def _unified(old: str, new: str, path: Path) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), str(path), f"{path.name} as generated now"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _replace(path: Path, text: str) -> None:
    """Write ``text`` if the file differs. The caller holds the directory's lock."""
    for left in sorted(path.parent.glob(f".{path.name}-*{SUFFIX}")):  # left by a process that was killed
        left.unlink()
    data = text.encode()
    if not (path.is_file() and path.read_bytes() == data):
        write_atomically(path, data, mode=_MODE)


def _recorded(out: Path) -> Digests:
    """The content of the manifest in ``out``; empty if there is none."""
    path = out / NAME
    if not path.exists():
        return {}
    try:
        recorded = json.loads(path.read_bytes())
    except ValueError:
        recorded = None
    if not _is_manifest(recorded):
        raise GenerateError(
            f"{path} is not a manifest of symrnn, or was damaged; delete it if you do not need it, "
            "or choose another directory with --out"
        )
    return {cell: dict(digests) for cell, digests in recorded.items()}


def _is_manifest(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(digests, dict) and all(isinstance(digest, str) for digest in digests.values())
        for digests in value.values()
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
