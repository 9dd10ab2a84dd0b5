"""The C compiler of this machine, and the command line that turns a generated file into a library.

Reads environment variables and the search path; returns a `Compiler`, and flags for it. Leaves out: the table of flags
(`symrnn.targets.c.flags`), and running the compiler on generated files (`symrnn.targets.c.library`).
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symrnn.errors import BuildError
from symrnn.targets.c.flags import (
    ARITHMETIC,
    HOW_TO_GET_ONE,
    LIBRARY,
    MARCH_NATIVE,
    NATIVE,
    OPTIMISE,
    OTHER_SUFFIX,
    STANDARD,
    SUFFIXES,
    banned_among,
)
from symrnn.targets.c.march import refuse_unknown, spellings

VARIABLES = ("SYMRNN_CC", "CC")
"""Environment variables that name the compiler, with arguments if need be; the first that is set decides."""
NAMES = ("cc", "gcc", "clang")
"""Compilers to look for on the search path, in this order."""

_PROBE = "int symrnn_probe(void);\nint symrnn_probe(void) { return 0; }\n"
_PROBE_SECONDS = 60


@dataclass(frozen=True)
class Compiler:
    """A compiler that was found to compile.

    Attributes:
        command: the words that start it.
        version: what it says about itself, at most four lines.
        kind: ``gcc``, ``clang``, ``zig`` or ``cc`` for any other.
    """

    command: tuple[str, ...]
    version: str
    kind: str

    def __str__(self) -> str:
        """Its command, and the first line of what it says about itself."""
        return f"{shlex.join(self.command)}: {_first_lines(self.version, 1)}"


@dataclass(frozen=True)
class Options:
    """How a library is compiled.

    Attributes:
        optimise: level of optimisation.
        march: the processor to compile for, of `symrnn.targets.c.flags.MARCHES`; empty for the compiler's own choice.
        sanitizers: names for ``-fsanitize=``.
        extra: more flags, after all others.
    """

    optimise: str = OPTIMISE
    march: str = MARCH_NATIVE
    sanitizers: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def find_compiler() -> Compiler:
    """The first usable one of ``SYMRNN_CC``, ``CC``, ``cc``, ``gcc``, ``clang`` and ``python -m ziglang cc``.

    Raises:
        BuildError: none is found; or a variable names an unusable compiler, or has a banned flag.
    """
    variable = naming_variable()
    if variable:
        return _named(variable, os.environ[variable].strip())
    unusable: list[str] = []
    for command in _candidates():
        compiler = _identify(command)
        if isinstance(compiler, Compiler):
            return compiler
        unusable.append(compiler)
    found = f"; found but unusable: {'; '.join(unusable)}" if unusable else ""
    raise BuildError(
        f"no C compiler found: looked for {', '.join(NAMES)} and the package ziglang{found}; "
        f"get one with {HOW_TO_GET_ONE}, or name one in the environment variable {VARIABLES[0]}"
    )


def compiler_or_reason() -> Compiler | str:
    """The compiler, or why there is none, for callers that can do without one.

    Raises:
        BuildError: a variable names an unusable compiler: an explicit request is never skipped without an error.
    """
    try:
        return find_compiler()
    except BuildError as error:
        if naming_variable():
            raise
        return str(error)


def naming_variable() -> str:
    """The environment variable that names the compiler; empty if none does."""
    return next((variable for variable in VARIABLES if os.environ.get(variable, "").strip()), "")


def library_suffix() -> str:
    """The ending of a shared library on this system, with its dot."""
    return SUFFIXES.get(sys.platform, OTHER_SUFFIX)


def flags(compiler: Compiler, options: Options) -> tuple[str, ...]:
    """Everything between the compiler's command and the source files.

    Flags of the environment variable ``CFLAGS`` come first, so that ours prevail where the two differ.

    Raises:
        BuildError: a flag is banned, ``CFLAGS`` cannot be split into words, or this architecture has no such
            processor, or the compiler does not know it.
    """
    given = _words("CFLAGS", os.environ.get("CFLAGS", ""))
    refuse_banned(given, "the environment variable CFLAGS")
    refuse_banned((options.optimise, *options.extra), "the build's options")
    instrumented: tuple[str, ...] = ()
    if options.sanitizers:
        instrumented = (f"-fsanitize={','.join(options.sanitizers)}", "-fno-sanitize-recover=all", "-g")
    elif compiler.kind == "zig":
        instrumented = ("-fno-sanitize=all",)  # zig instruments C by itself at lower levels of optimisation
    march = _native(compiler) if options.march == MARCH_NATIVE else _march(compiler, options.march)
    position = tuple(flag for flag in LIBRARY if flag != "-fPIC" or sys.platform != "win32")
    return (*given, *STANDARD, options.optimise, *march, *ARITHMETIC, *instrumented, *position, *options.extra)


def preprocessed(sources: Mapping[str, str], name: str, compiler: Compiler) -> str:
    """The file ``name`` of ``sources`` as the compiler reads it for this machine's processor: what macros stand for.

    Raises:
        BuildError: as `flags`; or the compiler refuses the text.
    """
    with tempfile.TemporaryDirectory(prefix="symrnn-") as folder:
        for file, text in sources.items():
            Path(folder, file).write_text(text, encoding="utf-8", newline="\n")
        words = (*compiler.command, *flags(compiler, Options()), "-E", name)
        done = _run(words, Path(folder))
    if done.returncode:
        raise BuildError(
            f"{shlex.join(words)} fails: {_first_lines(done.stderr, 3)}; name another compiler in SYMRNN_CC"
        )
    return done.stdout


def refuse_banned(words: Iterable[str], place: str) -> None:
    """Refuse flags that would change how the whole process computes.

    Args:
        words: flags.
        place: where they come from, for the message.

    Raises:
        BuildError: one of them is banned.
    """
    flag = banned_among(words)
    if flag:
        raise BuildError(
            f"{flag} in {place} is refused: merely loading a library linked with it makes the whole process flush "
            "subnormal numbers to zero; leave it out; the harmless flags in it are already set"
        )


def _words(variable: str, text: str) -> tuple[str, ...]:
    try:
        # Backslashes separate folders on Windows.
        return tuple(shlex.split(text, posix=sys.platform != "win32"))
    except ValueError as error:
        raise BuildError(f"the environment variable {variable} is {text!r}: {error}; correct or unset it") from error


def _named(variable: str, text: str) -> Compiler:
    """The compiler that an environment variable names. If it is unusable, that is an error, never another compiler."""
    command = _words(variable, text)
    refuse_banned(command, f"the environment variable {variable}")
    compiler = _identify(command)
    if isinstance(compiler, Compiler):
        return compiler
    raise BuildError(
        f"the environment variable {variable} names {text!r} as the C compiler, but it is unusable: {compiler}; "
        "set it to a C compiler, or unset it, and symrnn looks for one"
    )


def _candidates() -> Iterable[tuple[str, ...]]:
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            yield (path,)
    if importlib.util.find_spec("ziglang") is not None:
        yield (sys.executable, "-m", "ziglang", "cc")


def _identify(command: tuple[str, ...]) -> Compiler | str:
    """The compiler behind ``command``, or why there is none."""
    path = shutil.which(command[0])
    if path is None:
        return f"program {command[0]!r} not found"
    # Absolute, because it is run in other folders; links are kept, since some compilers go by their own name.
    return _probe((str(Path(path).absolute()), *command[1:]))


@cache
def _probe(command: tuple[str, ...]) -> Compiler | str:
    """Ask ``command`` for its version, and let it compile a line; returns its complaint if it cannot."""
    shown = shlex.join(command)
    try:
        asked = _run((*command, "--version"))
        if asked.returncode:
            said = _first_lines(asked.stderr or asked.stdout, 1) or "it printed nothing"
            return f"{shown} --version fails with exit status {asked.returncode}: {said}"
        complaint = _complaint(command)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{shown} cannot be run: {error}"
    if complaint:
        return f"{shown} cannot compile a C function: {complaint}"
    version = _first_lines(asked.stdout, 4)
    return Compiler(command, version, _kind(command, version))


def _kind(command: tuple[str, ...], version: str) -> str:
    if "ziglang" in command or Path(command[0]).stem == "zig":
        return "zig"
    lower = version.lower()
    if "clang" in lower:
        return "clang"
    return "gcc" if "gcc" in lower or "free software foundation" in lower else "cc"


def _native(compiler: Compiler) -> tuple[str, ...]:
    """The flag for this machine's processor, in the spelling that this compiler takes; none if it takes neither."""
    if compiler.kind in ("gcc", "clang") and platform.machine().lower() in ("x86_64", "amd64"):
        return (NATIVE,)
    return _accepted(compiler.command, (NATIVE, "-mcpu=native"))


def _march(compiler: Compiler, march: str) -> tuple[str, ...]:
    """The flag for a processor other than this machine's."""
    if not march:
        return ()
    refuse_unknown(march)
    known = spellings(march)
    found = _accepted(compiler.command, known)
    if known and not found:
        raise BuildError(
            f"march {march!r}: {shlex.join(compiler.command)} takes neither {' nor '.join(known)}; GCC does from 11 on, "
            "Clang from 12; name another compiler in the environment variable SYMRNN_CC"
        )
    return found


@cache
def _accepted(command: tuple[str, ...], spellings: tuple[str, ...]) -> tuple[str, ...]:
    """The first flag that ``command`` takes; none if it takes none."""
    for flag in spellings:
        if not _complaint((*command, flag)):
            return (flag,)
    return ()


def _complaint(command: tuple[str, ...]) -> str:
    """The complaint of ``command`` if it cannot compile one function into an object file; empty if it can."""
    with tempfile.TemporaryDirectory(prefix="symrnn-") as name:
        directory = Path(name)
        directory.joinpath("probe.c").write_text(_PROBE, encoding="utf-8")
        done = _run((*command, "-c", "probe.c", "-o", "probe.o"), directory)
        made = directory / "probe.o"
        if done.returncode == 0 and made.is_file() and made.stat().st_size:
            return ""
        return _first_lines(done.stderr, 3) or f"exit status {done.returncode}, and no object file"


def _run(command: tuple[str, ...], directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        timeout=_PROBE_SECONDS,
        check=False,
    )


def _first_lines(text: str, count: int) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines()[:count])
