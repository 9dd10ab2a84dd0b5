"""Processors to compile for: names, flags in the compiler's spelling, files, and what becomes of wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import symrnn
from symrnn.errors import BuildError
from symrnn.targets.c.flags import MARCHES
from symrnn.targets.c.library import (
    compile_library,
    is_from,
    library_name,
    other_libraries,
    runs_here,
)
from symrnn.targets.c.march import chosen_march, known_marches
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags

Script = Callable[..., Path]

SOURCES = {"cell.c": "int cell_cpu_supported(void);\nint cell_cpu_supported(void) { return FITS; }\n"}


@pytest.fixture(autouse=True)
def x86(monkeypatch: pytest.MonkeyPatch) -> None:
    """The architecture is x86-64, and the environment names no processor."""
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    monkeypatch.delenv("SYMRNN_MARCH", raising=False)


def test_an_architecture_has_its_processors_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_marches() == MARCHES == ("native", "v4", "v3", "v2", "baseline")
    for machine in ("arm64", "aarch64", "riscv64"):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert known_marches() == ("native", "baseline")


def test_what_is_asked_for_comes_before_the_environment_and_native_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_march(None) == "native"
    assert chosen_march("v3") == "v3"
    monkeypatch.setenv("SYMRNN_MARCH", "v2")
    assert chosen_march(None) == chosen_march("v2") == "v2"


def test_two_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMRNN_MARCH", "v2")
    with pytest.raises(BuildError, match=r"'v3' was requested.*SYMRNN_MARCH names, 'v2'; unset it"):
        chosen_march("v3")


def test_a_processor_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match=r"'v5': unknown processor; choose from native, v4, v3, v2, baseline"):
        chosen_march("v5")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(BuildError, match=r"'v3': .* on aarch64, this machine's architecture; choose from native, base"):
        chosen_march("v3")
    monkeypatch.setenv("SYMRNN_MARCH", "v3")
    with pytest.raises(BuildError, match="'v3' in the environment variable SYMRNN_MARCH: "):
        chosen_march(None)
    with pytest.raises(BuildError, match="SYMRNN_MARCH: unknown processor on aarch64"):
        symrnn.build("rnn", "c")


def test_numpy_kernels_are_compiled_for_no_processor() -> None:
    with pytest.raises(BuildError, match="'v3': NumPy kernels are not compiled"):
        symrnn.build("rnn", march="v3")


def picked(compiler: Compiler, march: str) -> list[str]:
    return [flag for flag in flags(compiler, Options(march=march)) if flag.startswith(("-march", "-mcpu"))]


@pytest.mark.parametrize(
    ("machine", "march", "refused", "expected"),
    [
        ("x86_64", "v3", "-march=nothing", ["-march=x86-64-v3"]),
        ("x86_64", "v3", "-march=*-*-*", ["-march=x86_64_v3"]),
        ("x86_64", "baseline", "-march=nothing", ["-march=x86-64"]),
        ("x86_64", "", "-march=nothing", []),
        ("aarch64", "baseline", "-march=nothing", ["-march=armv8-a"]),
        ("riscv64", "baseline", "-march=*", []),
    ],
)
def test_the_flag_is_spelled_as_the_compiler_takes_it(
    machine: str, march: str, refused: str, expected: list[str], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    refuse = f'for word in "$@"; do case "$word" in {refused}) exit 1;; esac; done'
    monkeypatch.setenv("SYMRNN_CC", str(script(f'{refuse}; [ "$1" = --version ] || echo x > probe.o')))
    assert picked(find_compiler(), march) == expected


def test_a_compiler_that_knows_no_such_processor_is_told_from_one_that_does(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = 'for word in "$@"; do case "$word" in -march=*v4) exit 1;; esac; done'
    monkeypatch.setenv("SYMRNN_CC", str(script(f'{refuse}; [ "$1" = --version ] || echo x > probe.o')))
    with pytest.raises(BuildError, match=r"'v4': .*compiler takes neither -march=x86-64-v4 nor .*GCC does from 11"):
        flags(find_compiler(), Options(march="v4"))
    assert picked(find_compiler(), "v3") == ["-march=x86-64-v3"]


@pytest.mark.parametrize("fits", [0, 1])
def test_a_library_says_whether_it_runs_here(fits: int, real_compiler: str, tmp_path: Path) -> None:
    options = Options(march="", extra=(f"-DFITS={fits}",))
    library = compile_library(SOURCES, "cell", options=options)
    assert runs_here(library, "cell") is bool(fits)
    with pytest.raises(BuildError, match="cannot be loaded"):
        runs_here(library, "other")


def test_what_another_run_left_is_found_by_name_and_removed(tmp_path: Path) -> None:
    for march in MARCHES:
        tmp_path.joinpath(library_name("cell", march)).write_bytes(b"of 00ff")
        tmp_path.joinpath(library_name("cell_2", march)).touch()
    found = other_libraries("cell", tmp_path, ("v3", "baseline"))
    assert [path.name for path in found] == [library_name("cell", march) for march in ("native", "v4", "v2")]
    for path in found:
        path.unlink()
    assert other_libraries("cell", tmp_path, ()) == tuple(
        tmp_path / library_name("cell", march) for march in ("v3", "baseline")
    )
    assert len(list(tmp_path.iterdir())) == 2 + len(MARCHES)
    library = tmp_path / library_name("cell", "v3")
    assert is_from(library, "00ff")
    assert not is_from(library, "00fe")
    with pytest.raises(BuildError, match="cannot be read"):
        is_from(tmp_path / "none", "00ff")
