"""Generated C text compiled into a shared library, in the cache or beside the files that `generate` wrote.

Reads the text of C files, and headers that they include; returns the path of the library. Leaves out: finding the
compiler (`symrnn.targets.c.toolchain`), and several processes at once (`symrnn.build.cache`).
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from symrnn.build.cache import entry_key, library_in_cache
from symrnn.emit.atomic import write_atomically
from symrnn.errors import BuildError
from symrnn.targets.c.flags import LINK, MARCHES, library_stem
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags, library_suffix

_SHOWN_LINES = 20


def library_name(name: str, march: str) -> str:
    """The name of a library's file for a processor; for this machine's it is the name alone."""
    return library_stem(name, march) + library_suffix()


def compile_library(
    sources: Mapping[str, str], name: str, *, compiler: Compiler | None = None, options: Options | None = None
) -> Path:
    """The library that ``sources`` compile to, from the cache if it is there already.

    Args:
        sources: file name to text; every ``.c`` file is compiled, the others may be included.
        name: of the library's file, without its processor and ending (`library_name`).
        compiler: the default is that of `find_compiler`.
        options: how to compile.

    Raises:
        BuildError: no compiler; a banned flag; the compiler refuses the text; or the cache cannot be used.
    """
    compiler = compiler or find_compiler()
    options = options or Options()
    chosen = flags(compiler, options)
    file = library_name(name, options.march)
    key = entry_key(sources, chosen, compiler.command, compiler.version)
    return library_in_cache(key, file, partial(_compile, sources, file, (*compiler.command, *chosen)))


def install_library(
    sources: Mapping[str, str],
    name: str,
    directory: Path,
    *,
    compiler: Compiler | None = None,
    options: Options | None = None,
) -> Path:
    """The same library as a file of ``directory``, replaced in one step, unless its bytes are right.

    Args:
        sources: as in `compile_library`.
        name: as in `compile_library`.
        directory: where to put it; must exist.
        compiler: as in `compile_library`.
        options: as in `compile_library`.

    Raises:
        BuildError: as `compile_library`; or the file cannot be written.
    """
    library = compile_library(sources, name, compiler=compiler, options=options)
    target = directory / library.name
    data = library.read_bytes()
    try:
        if not (target.is_file() and target.read_bytes() == data):
            write_atomically(target, data, mode=0o755)
    except OSError as error:
        raise BuildError(f"{target} cannot be written: {error}; choose another directory with --out") from error
    return target


def other_libraries(name: str, directory: Path, marches: Iterable[str]) -> tuple[Path, ...]:
    """Libraries of ``name`` in ``directory`` for other processors than ``marches``: left from another run."""
    kept = tuple(marches)
    paths = (directory / library_name(name, march) for march in MARCHES if march not in kept)
    return tuple(path for path in paths if path.is_file())


def is_from(library: Path, digest: str) -> bool:
    """Whether the file ``library`` was compiled from the source whose digest is given.

    Raises:
        BuildError: it cannot be read.
    """
    try:
        return digest.encode() in library.read_bytes()
    except OSError as error:
        raise BuildError(f"{library} cannot be read: {error}; build it again") from error


def runs_here(library: Path, name: str) -> bool:
    """Whether this processor has the extensions that ``library`` needs. The library tests this without a vector instruction.

    Raises:
        BuildError: it cannot be loaded.
    """
    try:
        supported = ctypes.CDLL(str(library))[f"{name}_cpu_supported"]
    except (OSError, AttributeError) as error:
        raise BuildError(f"{library} cannot be loaded: {error}; was it compiled for another system?") from error
    supported.argtypes, supported.restype = (), ctypes.c_int
    return bool(supported())


def _compile(sources: Mapping[str, str], file: str, command: tuple[str, ...], folder: Path) -> Path:
    """Compile ``sources`` in ``folder``, by relative names: no path of this machine gets into the library."""
    for name, text in sources.items():
        folder.joinpath(name).write_text(text, encoding="utf-8", newline="\n")
    files = [name for name in sources if name.endswith(".c")]
    full = [*command, *files, "-o", file, *LINK]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            full,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{file}: the compiler cannot be started: {error}; command: {shlex.join(full)}") from error
    library = folder / file
    if done.returncode or not library.is_file() or not library.stat().st_size:
        raise _refused(file, full, done)
    return library


def _refused(file: str, command: list[str], done: subprocess.CompletedProcess[str]) -> BuildError:
    lines = done.stderr.strip().splitlines() or [f"nothing, with exit status {done.returncode}, and no library"]
    more = [f"… and {len(lines) - _SHOWN_LINES} more lines"] if len(lines) > _SHOWN_LINES else []
    said = "\n".join(f"  {line}" for line in (*lines[:_SHOWN_LINES], *more))
    return BuildError(
        f"{file}: the compiler refused the generated file; try another compiler in the environment variable SYMRNN_CC\n"
        f"command: {shlex.join(command)}\nit said:\n{said}"
    )
