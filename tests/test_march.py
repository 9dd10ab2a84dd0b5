"""One directory for several processors: built at once, shipped, and the best that fits taken on each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import main
from symrnn.errors import BuildError
from symrnn.targets.c.library import install_library, library_name
from symrnn.targets.c.load_kernels import c_sources
from symrnn.targets.c.march import known_marches
from symrnn.targets.c.toolchain import Options, find_compiler, flags

pytestmark = pytest.mark.usefixtures("quick_compiler")

CELL = "rnn"
SEVERAL = ("v3", "v2", "baseline")
"""Processors that no machine of x86-64 is likely to lack, and those below them."""
SHIPPED = ("v4", *SEVERAL)
EMULATOR = "qemu-x86_64"

Run = Callable[..., tuple[int, str, str]]

USE = f"""
import sys
for name in ("symrnn", "sympy", "jinja2"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
import {CELL}_c as k

params = k.init_params(3, 9)
y, _, tape = k.forward(params, np.ones((4, 2, 3), np.float32))
assert np.isfinite(k.backward(params, tape, y).x).all()
print(k.LIBRARY)
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command in an empty folder and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYMRNN_MARCH", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def x86() -> None:
    """Skips, with the reason, if no compiler knows the levels of x86-64."""
    if "v3" not in known_marches():
        pytest.skip("this architecture has no levels")
    try:
        flags(find_compiler(), Options(march="v3"))
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shipped(quick_compiler: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what a machine without symrnn and without a compiler needs: the module and its libraries."""
    out, there = tmp_path_factory.mktemp("generated"), tmp_path_factory.mktemp("shipped")
    try:
        for march in SHIPPED:
            flags(find_compiler(), Options(march=march))
    except BuildError as error:
        pytest.skip(str(error))
    assert main(["generate", CELL, "--out", str(out), "--march", ",".join(reversed(SHIPPED))]) == 0
    for file in (f"{CELL}_c.py", *(library_name(CELL, march) for march in SHIPPED)):
        shutil.copy(out / file, there)
    return there


def use(folder: Path, *emulator: str, march: str = "") -> str:
    """The name of the library that the module in ``folder`` loads, where no compiler is to be found."""
    # A setting of OpenBLAS may name kernels that the emulated processor cannot run.
    taken = {name for name in os.environ if name in ("PYTHONPATH", "SYMRNN_MARCH") or name.startswith("OPENBLAS_")}
    environment = {name: value for name, value in os.environ.items() if name not in taken}
    environment |= {"PATH": str(folder / "nowhere"), "PYTHONPATH": str(folder)} | (
        {"SYMRNN_MARCH": march} if march else {}
    )
    command = [*emulator, sys.executable, "-c", USE]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("x86")
@pytest.mark.parametrize("march", SEVERAL)
def test_a_shipped_directory_needs_numpy_alone_and_the_environment_names_a_library(shipped: Path, march: str) -> None:
    assert use(shipped, march=march) == library_name(CELL, march)


@pytest.mark.usefixtures("x86")
@pytest.mark.parametrize(("processor", "march"), [("Nehalem", "v2"), ("Haswell", "v3")])
def test_the_best_that_the_processor_has_is_loaded(shipped: Path, processor: str, march: str) -> None:
    """On an emulated processor, where one instruction that it does not have ends the process."""
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        pytest.skip(f"{EMULATOR} is not installed (Debian: qemu-user)")
    assert use(shipped, emulator, "-cpu", processor) == library_name(CELL, march)


@pytest.mark.usefixtures("x86")
def test_libraries_that_do_not_fit_are_passed_over_until_none_is_left(shipped: Path, tmp_path: Path) -> None:
    """Libraries say themselves what they need: some that need what no processor has stand for those of a better one."""
    folder = shutil.copytree(shipped, tmp_path / "copy", ignore=shutil.ignore_patterns(library_name(CELL, "v4")))
    fits = c_sources(symrnn.render(CELL, backends=("c",)), CELL)
    needs = {name: text.replace("    return cpu_supported();\n", "    return 0;\n") for name, text in fits.items()}
    assert needs != fits
    for march, next_best in (("native", "v3"), ("v3", "v2"), ("v2", "baseline")):
        install_library(needs, CELL, folder, options=Options(optimise="-O0", march=march))
        assert use(folder) == library_name(CELL, next_best)
    with pytest.raises(AssertionError, match=r"rnn\.v2\..* was compiled for a processor with more features"):
        use(folder, march="v2")
    install_library(needs, CELL, folder, options=Options(optimise="-O0", march="baseline"))
    with pytest.raises(AssertionError, match=r"rnn\.baseline\..* was compiled for a processor with more features"):
        use(folder)


@pytest.mark.usefixtures("x86")
def test_what_the_environment_names_must_be_there(shipped: Path) -> None:
    with pytest.raises(AssertionError, match=r"rnn\.\w+ is missing, but SYMRNN_MARCH=native requests it"):
        use(shipped, march="native")
    with pytest.raises(AssertionError, match="SYMRNN_MARCH: expected one of native, v4, v3, v2, baseline, found 'v9'"):
        use(shipped, march="v9")


@pytest.mark.usefixtures("x86")
def test_a_library_of_another_source_is_refused(shipped: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(shipped, tmp_path / "copy")
    module = folder / f"{CELL}_c.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace('_ABI = b"', '_ABI = b"0'), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"rnn\.v4\.\w+ is not from this version of rnn\.c"):
        use(folder)


@pytest.mark.usefixtures("x86")
def test_a_run_leaves_the_libraries_that_it_was_asked_for(run: Run) -> None:
    def libraries() -> set[str]:
        return {path.name for path in Path("out").iterdir() if path.suffix in (".so", ".dylib")}

    def manifest() -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = json.loads(Path("out", "manifest.json").read_text(encoding="utf-8"))
        return found

    def names(*marches: str) -> set[str]:
        return {library_name(CELL, march) for march in marches}

    generate = ("generate", CELL, "--out", "out")
    code, out, err = run(*generate, "--march", "v3,baseline")
    assert (code, err) == (0, "")
    assert f"C libraries: {CELL}.v3.so, {CELL}.baseline.so built and run with" in out.replace(".dylib", ".so")
    assert libraries() == names("v3", "baseline")
    assert run(*generate, "--check", "--march", "v3,baseline")[0] == run(*generate, "--check")[0] == 0

    code, out, _ = run(*generate, "--check", "--march", "v3,v2", "--json")
    (difference,) = json.loads(out)["differences"]
    assert (code, difference["file"], difference["fault"]) == (1, library_name(CELL, "v2"), "is missing")
    changed = Path("out", library_name(CELL, "v3"))
    changed.unlink()  # this process has loaded it: to write into the file would change its memory
    changed.write_bytes(b"another")
    assert f"{CELL}.v3.so is out of date" in run(*generate, "--check", "--march", "v3")[1].replace(".dylib", ".so")

    code, out, _ = run(*generate, "--dry-run", "--march", "v3", "--json")
    summary = json.loads(out)["libraries"]["c"]
    assert summary["files"] == {CELL: {"v3": str(Path("out", library_name(CELL, "v3")))}}
    assert summary["removed"] == [str(Path("out", library_name(CELL, "baseline")))]
    assert libraries() == names("v3", "baseline")

    assert f"removed: {CELL}.v3.so, {CELL}.baseline.so\n" in run(*generate)[1].replace(".dylib", ".so")
    assert libraries() == names("native")
    assert not [name for name in manifest()[CELL] if name.endswith((".so", ".dylib"))]  # they belong to a machine


@pytest.mark.usefixtures("x86")
def test_a_library_that_this_processor_cannot_run_is_built_and_said_not_to_have_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symrnn.targets.c.target.runs_here", lambda library, name: "v3" not in library.name)
    code, out, _ = run("generate", CELL, "--out", "out", "--march", "v3,baseline")
    assert code == 0
    assert f"built but not run, because this processor lacks what they need: {library_name(CELL, 'v3')}\n" in out
    assert Path("out", library_name(CELL, "v3")).is_file()
    summary = json.loads(run("generate", CELL, "--out", "out", "--march", "v3", "--json")[1])["libraries"]["c"]
    assert summary["not_run"] == [library_name(CELL, "v3")]


def test_another_architecture_has_no_levels(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for command in (("generate", CELL, "--out", "out", "--march", "v3"), ("check", CELL, "--march", "v3")):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert "march 'v3': unknown processor on aarch64, this machine's architecture; choose from" in err
    assert not Path("out").exists()


def test_without_a_compiler_a_named_processor_is_trouble(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SYMRNN_CC", "CC"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", "nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run("generate", CELL, "--out", "out", "--march", "baseline")
    assert code == 2
    assert "no C compiler found" in err
    assert not Path("out").exists()
