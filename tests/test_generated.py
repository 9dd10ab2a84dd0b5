"""The committed output: up to date, the same from every run, and it needs NumPy alone."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import main
from symrnn.emit import manifest
from symrnn.language.bundled import first_cells
from symrnn.targets.c.flags import RUNTIME
from symrnn.targets.c.toolchain import compiler_or_reason
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "generated"
UPDATE = "python -m symrnn generate --no-build (or pytest --update-generated)"


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, str]]:
    """The files of the default cells, by cell."""
    return {name: symrnn.render(symrnn.load(name)) for name in first_cells()}


def test_the_committed_files_are_up_to_date(rendered: dict[str, dict[str, str]], update_generated: bool) -> None:
    if update_generated:
        for name, files in rendered.items():
            manifest.write(GENERATED, files, cell=name)
    found = [each for name, files in rendered.items() for each in manifest.compare(GENERATED, files, cell=name)]
    listed = "\n".join(f"generated/{each.file} {each.fault}\n{each.diff}" for each in found)
    assert not found, f"update it with: {UPDATE}\n{listed}"


def test_nothing_else_is_committed(rendered: dict[str, dict[str, str]]) -> None:
    expected = {"manifest.json", *(name for files in rendered.values() for name in files)}
    ignored = {".so", ".dylib", ".dll", ".lock", ".tmp"}
    found = {path.name for path in GENERATED.iterdir() if path.suffix not in ignored and path.name != "__pycache__"}
    assert found == expected, "a file in generated/ does not belong to a default cell of `generate`: delete it"


def test_each_cell_has_both_backends_and_its_derivation(rendered: dict[str, dict[str, str]]) -> None:
    for name, files in rendered.items():
        own = [f"{name}_numpy.py", f"{name}_c.py", f"{name}.c", f"{name}.h", f"{name}.tex"]
        assert sorted(files) == sorted([*own, *RUNTIME])
        assert all(text.endswith("\n") and str(ROOT) not in text for text in files.values())


def test_every_run_writes_the_same_bytes(tmp_path: Path) -> None:
    processes = []
    for seed in ("1", "4242"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "symrnn", "generate", "--no-build", "--out", "out"]
        processes.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL))
    assert [process.wait() for process in processes] == [0, 0]
    for committed in sorted(GENERATED.glob("*.*")):
        for seed in ("1", "4242"):
            if committed.suffix in (".py", ".c", ".h", ".tex", ".json"):
                assert (tmp_path / seed / "out" / committed.name).read_bytes() == committed.read_bytes(), committed.name


WITHOUT_SYMRNN = """
import sys
for name in ("symrnn", "sympy", "jinja2"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
import {module} as k

params = k.init_params(3, 3)
x = np.random.default_rng(0).standard_normal((5, 2, 3), dtype=np.float32)
y, state, tape = k.forward(params, x)
grads = k.backward(params, tape, np.ones_like(y))
y_again, _ = k.infer(params, x)
assert np.array_equal(y, y_again)
assert y.shape == (5, 2, 3) and y.dtype == np.float32
assert sorted(grads.params) == sorted(params) and grads.x.shape == x.shape
assert all(np.isfinite(grad).all() and np.abs(grad).max() > 0 for grad in grads.params.values())
print(k.CELL)
"""


def run_alone(module: str, folder: Path) -> str:
    """What the module prints that uses ``module`` of ``folder`` where neither symrnn nor SymPy can be imported."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = f"import sys; sys.path.insert(0, {str(folder)!r})" + WITHOUT_SYMRNN.format(module=module)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", first_cells())
def test_a_generated_module_needs_numpy_alone(name: str, tmp_path: Path) -> None:
    tmp_path.joinpath(f"{name}_numpy.py").write_bytes(GENERATED.joinpath(f"{name}_numpy.py").read_bytes())
    assert run_alone(f"{name}_numpy", tmp_path) == f"{name}\n"


def test_a_generated_c_module_needs_numpy_and_its_library_alone(tmp_path: Path) -> None:
    compiler_or_skip()
    name = first_cells()[0]
    assert main(["generate", name, "--out", str(tmp_path)]) == 0
    assert run_alone(f"{name}_c", tmp_path) == f"{name}\n"


def test_a_c_module_without_its_library_says_how_to_get_it(tmp_path: Path) -> None:
    name = first_cells()[0]
    tmp_path.joinpath(f"{name}_c.py").write_bytes(GENERATED.joinpath(f"{name}_c.py").read_bytes())
    with pytest.raises(AssertionError, match=r"is missing, so there are no C kernels yet: run `python -m symrnn gen"):
        run_alone(f"{name}_c", tmp_path)


@pytest.mark.parametrize("remedy", ["generate", pytest.param("compile", marks=pytest.mark.long)])
def test_what_a_c_module_without_its_library_says_helps_from_anywhere(
    remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = first_cells()[0], tmp_path / "a folder"
    assert main(["generate", name, "--out", str(folder), "--no-build"]) == 0
    if isinstance(compiler_or_reason(), str) or not shutil.which("cc"):
        pytest.skip("no C compiler called cc")
    with pytest.raises(AssertionError) as failure:
        run_alone(f"{name}_c", folder)
    told = str(failure.value)
    monkeypatch.chdir(tmp_path)
    if remedy == "generate":
        (command,) = re.findall(r"run `python -m symrnn (generate CELL .*?)`", told)
        assert main(shlex.split(command.replace("CELL", name))) == 0
    else:
        (command,) = re.findall(r"compile it yourself: (cc .*?) \(", told)
        subprocess.run(shlex.split(command), check=True)
    assert run_alone(f"{name}_c", folder) == f"{name}\n"


@pytest.mark.parametrize(
    "entry", ["pack", "forward", "infer", "step", "stream", "backward", "param_shapes", "init_params"]
)
def test_both_modules_take_the_same_arguments(entry: str) -> None:
    numpy, compiled = (symrnn.build("gru", backend) for backend in ("numpy", "c"))
    assert inspect.signature(getattr(numpy, entry)) == inspect.signature(getattr(compiled, entry))


def test_public_functions_take_a_name_a_path_or_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nequations = "h\' = tanh(W @ x + U @ h)"\n')
    for given in ("rnn", str(path), path, symrnn.load(path)):
        assert symrnn.derive(given).cell.states == ("h",)
        assert symrnn.build(given, "numpy").STATES == ("h",)
        assert symrnn.render(given, backends=("numpy",))
    assert [file.suffix for file in symrnn.generate(path, tmp_path / "out", backends=("numpy",))] == [".py", ".tex"]
