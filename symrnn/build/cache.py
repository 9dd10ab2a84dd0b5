"""The user's cache of compiled libraries: where it is, how entries are named, and how each is made once.

Reads everything that a library depends on; returns the path of the library. An entry is a folder named by a digest,
holding the library and the digest of its bytes. Any number of processes may ask for one entry at once: one makes it,
the others wait, and no process ever sees half of it. Leaves out: what makes the bytes (`symrnn.targets.c.library`).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import filelock
import platformdirs

from symrnn.emit.atomic import write_atomically
from symrnn.errors import BuildError

VARIABLE = "SYMRNN_CACHE_DIR"
"""Environment variable that names the cache directory."""

_LAYOUT = 1  # of an entry; a change makes new entries
_DIGEST = ".sha256"
_WAIT_SECONDS = 900
_CPU_FIELDS = ("vendor_id", "model name", "cpu family", "model", "stepping", "flags", "CPU part", "Features", "isa")


def cache_directory() -> Path:
    """The directory of the cache, made with mode 0700 if need be.

    Raises:
        BuildError: it cannot be created, belongs to another user, or others may write to it.
    """
    given = os.environ.get(VARIABLE, "")
    directory = Path(given).absolute() if given else platformdirs.user_cache_path("symrnn", appauthor=False)
    remedy = f"name another directory in the environment variable {VARIABLE}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise BuildError(f"the cache of compiled kernels, {directory}, cannot be created: {error}; {remedy}") from error
    _refuse_foreign(directory, status, remedy)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BuildError(f"the cache of compiled kernels, {directory}, cannot be written to; {remedy}")
    return directory


def _refuse_foreign(directory: Path, status: os.stat_result, remedy: str) -> None:
    """Code is loaded from the cache, so no other user may write there. Windows protects a profile in its own way."""
    if sys.platform == "win32":
        return
    if status.st_uid != os.geteuid():
        raise BuildError(
            f"the cache of compiled kernels, {directory}, belongs to another user, who could put code there; {remedy}"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise BuildError(
            f"the cache of compiled kernels, {directory}, can be written to by other users, who could put code there; "
            f"run: chmod 700 {directory}; or {remedy}"
        )


def entry_key(
    sources: Mapping[str, str], flags: Iterable[str], command: Iterable[str], version: str, *, cpu: str = ""
) -> str:
    """The name of an entry: a digest of everything that the library's bytes or its fitness here depend on.

    Args:
        sources: file name to text.
        flags: all of them, in order.
        command: the words that start the compiler.
        version: what the compiler says about itself.
        cpu: the processor; this machine's unless given.
    """
    parts = {
        "layout": _LAYOUT,
        "sources": dict(sources),
        "flags": list(flags),
        "compiler": [*command, version],
        "cpu": cpu or cpu_identity(),
        "abi": abi_tag(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def library_in_cache(key: str, name: str, make: Callable[[Path], Path]) -> Path:
    """The library ``name`` of entry ``key``, made if it is missing or damaged.

    Args:
        key: from `entry_key`.
        name: of the library's file.
        make: is given an empty folder and returns the library that it made there.

    Raises:
        BuildError: from ``make``; or the cache cannot be used.
    """
    directory = cache_directory()
    entry = directory / key
    library = entry / name
    if _is_whole(library):
        return library
    try:
        with filelock.FileLock(directory / f"{key}.lock", timeout=_WAIT_SECONDS):
            if not _is_whole(library):  # another process may have made it while we waited
                _make(entry, library, make)
    except filelock.Timeout as error:
        raise BuildError(
            f"{name}: another process has held {error.lock_file} for {_WAIT_SECONDS} s; end it, and try again"
        ) from error
    except OSError as error:
        raise BuildError(
            f"{name}: the cache of compiled kernels failed: {error}; make room in {directory}, or name another "
            f"directory in the environment variable {VARIABLE}"
        ) from error
    return library


def _make(entry: Path, library: Path, make: Callable[[Path], Path]) -> None:
    """Fill ``entry``, whose lock we hold."""
    entry.mkdir(mode=0o700, exist_ok=True)
    for left in sorted(entry.glob("making-*")):  # left by a process that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=entry, prefix="making-") as folder:
        made = make(Path(folder))
        data = made.read_bytes()
    # The library first: an entry counts only when its digest is there.
    write_atomically(library, data)
    write_atomically(library.with_name(library.name + _DIGEST), hashlib.sha256(data).hexdigest().encode())


def _is_whole(library: Path) -> bool:
    digest = library.with_name(library.name + _DIGEST)
    if not (library.is_file() and digest.is_file()):
        return False
    return hashlib.sha256(library.read_bytes()).hexdigest().encode() == digest.read_bytes()


@cache
def cpu_identity() -> str:
    """The processor's model and extensions: different machines may share a home directory."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return f"{platform.machine()} {platform.processor()}"
    first = file.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    pairs = [[part.strip() for part in line.partition(":")[::2]] for line in first.splitlines()]
    return "\n".join(f"{field}: {value}" for field, value in pairs if field in _CPU_FIELDS)


@cache
def abi_tag() -> str:
    """What a library must fit on this machine besides its processor: system, pointer size, C library."""
    library, version = platform.libc_ver() if sys.platform == "linux" else ("", "")
    return f"{sysconfig.get_platform()} {struct.calcsize('P') * 8} {library} {version}".strip()
