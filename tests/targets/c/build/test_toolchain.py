"""Which compiler is found, in which order, what refuses it, and the flags it is given."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from symrnn.errors import BuildError
from symrnn.targets.c import toolchain
from symrnn.targets.c.flags import BANNED
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags

Script = Callable[..., Path]

GCC = Compiler(("/usr/bin/gcc",), "gcc (GCC) 12.2.0", "gcc")


@pytest.fixture(autouse=True)
def no_other_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The search path is one empty folder, and the package ziglang is not installed."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return directory


def compiler_text(real: str, says: str) -> str:
    """A script that is ``real`` but for its version."""
    return f'[ "$1" = --version ] && echo "{says}" && exit 0\nPATH=/usr/bin:/bin exec {real} "$@"'


def test_without_any_compiler_one_sentence_says_what_is_missing_and_how_to_get_it() -> None:
    with pytest.raises(BuildError) as caught:
        find_compiler()
    message = str(caught.value)
    assert "no C compiler found" in message
    assert "apt install gcc" in message
    assert "xcode-select --install" in message
    assert "pip install ziglang" in message
    assert "SYMRNN_CC" in message
    assert "\n" not in message


def test_order_on_the_search_path(script: Script, real_compiler: str) -> None:
    for name in ("clang", "gcc", "cc"):
        path = script(compiler_text(real_compiler, f"{name} of the test"), name)
        assert find_compiler() == Compiler((str(path),), f"{name} of the test", "cc" if name == "cc" else name)


def test_variables_come_before_the_search_path(
    script: Script, real_compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(compiler_text(real_compiler, "on the path"), "cc")
    second = script(compiler_text(real_compiler, "second"), "second")
    first = script(compiler_text(real_compiler, "first"), "first")
    monkeypatch.setenv("CC", f"{second} -g")
    assert find_compiler().command == (str(second), "-g")
    monkeypatch.setenv("SYMRNN_CC", "first")
    assert find_compiler() == Compiler((str(first),), "first", "cc")
    monkeypatch.setenv("SYMRNN_CC", " ")
    assert find_compiler().command == (str(second), "-g")


def test_a_relative_compiler_works_from_other_folders(
    script: Script, real_compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(compiler_text(real_compiler, "relative"), "mine")
    monkeypatch.chdir(path.parents[1])
    monkeypatch.setenv("CC", "bin/mine")
    assert find_compiler().command == (str(path),)


@pytest.mark.parametrize("variable", ["SYMRNN_CC", "CC"])
@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (None, "not found"),
        ("echo broken >&2; exit 3", "--version fails with exit status 3: broken"),
        ("exit 1", "--version fails with exit status 1: it printed nothing; set it"),
        ("exit 0", "no object file"),
        ('[ "$1" = --version ] && echo gcc && exit 0; echo "no headers" >&2; exit 1', "no headers"),
    ],
)
def test_an_unusable_variable_is_an_error_though_the_search_path_has_a_compiler(
    variable: str, body: str | None, cause: str, script: Script, real_compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(compiler_text(real_compiler, "good"), "cc")
    named = "missing-compiler" if body is None else str(script(body, "broken"))
    monkeypatch.setenv(variable, named)
    with pytest.raises(BuildError, match=cause) as caught:
        find_compiler()
    assert f"variable {variable} names '{named}'" in str(caught.value)


def test_quotes_that_do_not_close_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", 'gcc "-I')
    with pytest.raises(BuildError, match=r"variable CC .*No closing quotation"):
        find_compiler()


def test_a_broken_program_on_the_search_path_is_passed_over(script: Script, real_compiler: str) -> None:
    script("echo 'no developer tools' >&2; exit 1", "cc")
    with pytest.raises(BuildError, match=r"no developer tools.*apt install gcc"):
        find_compiler()
    good = script(compiler_text(real_compiler, "gcc, good"), "gcc")
    assert find_compiler().command == (str(good),)


def test_the_package_ziglang_is_the_last_resort(
    script: Script, real_compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "ziglang"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("__main__.py").write_text(
        "import os, sys\n"
        "assert sys.argv[1] == 'cc'\n"
        "if sys.argv[2] == '--version':\n"
        "    print('clang version 20')\n"
        "else:\n"
        f"    os.environ['PATH'] = '/usr/bin:/bin'\n    os.execv({real_compiler!r}, ['cc', *sys.argv[2:]])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "ziglang" or None)
    found = find_compiler()
    assert found == Compiler((sys.executable, "-m", "ziglang", "cc"), "clang version 20", "zig")
    assert "-fno-sanitize=all" in flags(found, Options(march=""))
    script(compiler_text(real_compiler, "clang"), "clang")
    assert find_compiler().kind == "clang"


@pytest.mark.parametrize("flag", BANNED)
def test_banned_flags_are_refused_wherever_they_come_from(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match=f"{flag} in the build's options is refused.*subnormal"):
        flags(GCC, Options(extra=("-g", flag)))
    with pytest.raises(BuildError, match=f"{flag} in the build's options"):
        flags(GCC, Options(optimise=flag))
    monkeypatch.setenv("CFLAGS", f"-g {flag}")
    with pytest.raises(BuildError, match=f"{flag} in the environment variable CFLAGS"):
        flags(GCC, Options())
    monkeypatch.setenv("CC", f"cc {flag}")
    with pytest.raises(BuildError, match=f"{flag} in the environment variable CC "):
        find_compiler()


def test_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("CFLAGS", "-O0 '-I/with space'")
    given = ("-O0", "-I/with space", "-std=c11")
    arithmetic = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
    assert flags(GCC, Options()) == (*given, "-O3", "-march=native", *arithmetic, "-fPIC", "-shared")
    careful = Options(optimise="-O1", march="", sanitizers=("address", "undefined"), extra=("-Wall",))
    instrumented = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    assert flags(GCC, careful) == (*given, "-O1", *arithmetic, *instrumented, "-fPIC", "-shared", "-Wall")


@pytest.mark.parametrize(
    ("refused", "expected"),
    [("-march=nothing", ("-march=native",)), ("-march=*", ("-mcpu=native",)), ("-m*=native", ())],
)
def test_the_processor_is_asked_for_in_the_spelling_that_the_compiler_takes(
    refused: str, expected: tuple[str, ...], script: Script
) -> None:
    refuse = f'for word in "$@"; do case "$word" in {refused}) exit 1;; esac; done'
    script(f'{refuse}; [ "$1" = --version ] || echo x > probe.o', "cc")
    chosen = flags(find_compiler(), Options())
    assert tuple(flag for flag in chosen if flag.startswith(("-march", "-mcpu"))) == expected


def test_a_library_has_the_ending_of_its_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, suffix in (("linux", ".so"), ("darwin", ".dylib"), ("win32", ".dll"), ("freebsd14", ".so")):
        monkeypatch.setattr("sys.platform", system)
        assert toolchain.library_suffix() == suffix
