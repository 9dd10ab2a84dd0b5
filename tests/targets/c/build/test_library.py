"""Text into a library that loads: once per content, by any number of processes, and clear words where it fails."""

from __future__ import annotations

import ctypes
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from symrnn.errors import BuildError
from symrnn.targets.c.library import compile_library, install_library
from symrnn.targets.c.toolchain import Options

Script = Callable[..., Path]

ROOT = Path(__file__).parents[4]
SOURCES = {
    "cell.c": '#include <math.h>\n#include "cell.h"\ndouble twice(double a) { return sqrt(4.0 * a * a); }\n',
    "cell.h": "double twice(double a);\n",
}
QUICK = Options(optimise="-O0", march="")

needs_compiler = pytest.mark.usefixtures("real_compiler")


def call(library: Path) -> float:
    twice = ctypes.CDLL(str(library)).twice
    twice.restype, twice.argtypes = ctypes.c_double, (ctypes.c_double,)
    return float(twice(21.0))


@needs_compiler
def test_a_library_is_compiled_with_its_header_and_runs(cache_directory: Path) -> None:
    library = compile_library(SOURCES, "cell")
    assert call(library) == 42.0
    assert library.name == f"cell{'.dylib' if sys.platform == 'darwin' else '.so'}"
    assert library.parent.parent == cache_directory
    assert compile_library(SOURCES, "cell", options=QUICK) != library
    assert str(cache_directory).encode() not in library.read_bytes()


@needs_compiler
def test_the_compiler_runs_once_though_many_processes_ask(
    script: Script, real_compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    counting = script(f'case "$*" in *-shared*) echo run >> {log}; sleep 0.3;; esac\nexec {real_compiler} "$@"')
    monkeypatch.setenv("SYMRNN_CC", str(counting))
    code = (
        "import ctypes\n"
        "from symrnn.targets.c.library import compile_library\n"
        f"library = compile_library({SOURCES!r}, 'cell')\n"
        "ctypes.CDLL(str(library)).twice\n"
        "print(library)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    paths = [process.communicate()[0].strip() for process in processes]
    assert log.read_text() == "run\n"
    assert len(set(paths)) == 1
    assert call(Path(paths[0])) == 42.0


@needs_compiler
def test_a_damaged_library_is_compiled_again() -> None:
    library = compile_library(SOURCES, "cell", options=QUICK)
    library.write_bytes(library.read_bytes()[:100])
    assert call(compile_library(SOURCES, "cell", options=QUICK)) == 42.0


@needs_compiler
def test_an_error_of_the_compiler_shows_its_command_and_its_first_words() -> None:
    wrong = {"cell.c": "int f(void) { return undeclared; }\n" + "int g(void) { return missing; }\n" * 30}
    with pytest.raises(BuildError) as caught:
        compile_library(wrong, "cell")
    message = str(caught.value)
    assert "cell.so: the compiler refused" in message
    assert "-ffp-contract=fast" in message
    assert "cell.c:1" in message
    assert "undeclared" in message
    assert "more lines" in message
    assert len(message.splitlines()) < 30
    assert "SYMRNN_CC" in message


def test_a_compiler_that_writes_nothing_is_found_out(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    body = '[ "$1" = --version ] && exit 0\ncase "$*" in *-shared*) : > cell.so;; *) echo x > probe.o;; esac'
    monkeypatch.setenv("SYMRNN_CC", str(script(body)))
    with pytest.raises(BuildError, match="nothing, with exit status 0, and no library"):
        compile_library(SOURCES, "cell")


@needs_compiler
def test_sanitizers_are_linked_in() -> None:
    options = Options(optimise="-O1", march="", sanitizers=("undefined",))
    library = compile_library({"cell.c": "int f(int a); int f(int a) { return a + 1; }"}, "cell", options=options)
    assert b"__ubsan" in library.read_bytes()


@needs_compiler
def test_no_library_changes_how_the_process_computes() -> None:
    compile_and_compute = (
        "import ctypes\n"
        "from symrnn.targets.c.library import compile_library\n"
        f"ctypes.CDLL(str(compile_library({SOURCES!r}, 'cell')))\n"
        "print(5e-324 * 1.0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", compile_and_compute], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "5e-324\n"


@needs_compiler
def test_installing_replaces_the_file_in_one_step_and_leaves_a_right_one_alone(tmp_path: Path) -> None:
    target = install_library(SOURCES, "cell", tmp_path, options=QUICK)
    assert target.parent == tmp_path
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    library, inode = target.read_bytes(), target.stat().st_ino
    assert install_library(SOURCES, "cell", tmp_path, options=QUICK).stat().st_ino == inode
    target.write_bytes(b"stale")
    assert install_library(SOURCES, "cell", tmp_path, options=QUICK).read_bytes() == library
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [target.name]
    assert call(target) == 42.0  # at the end, because a file must not shrink while it is loaded


@needs_compiler
def test_installing_where_nothing_can_be_written_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"missing/cell\.so cannot be written.*--out"):
        install_library(SOURCES, "cell", tmp_path / "missing", options=QUICK)


def test_without_a_compiler_the_sentence_is_the_toolchains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BuildError, match="no C compiler found"):
        compile_library(SOURCES, "cell")


@needs_compiler
def test_flags_of_the_environment_are_used_and_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"cell.c": "double twice(double); double twice(double a) { return FACTOR * a; }"}
    monkeypatch.setenv("CFLAGS", "-DFACTOR=2.0")
    assert call(compile_library(sources, "cell", options=QUICK)) == 42.0
    monkeypatch.setenv("CFLAGS", "-DFACTOR=3.0")
    assert call(compile_library(sources, "cell", options=QUICK)) == 63.0
