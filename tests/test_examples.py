"""The examples: a few iterations of each, with any cell and either backend, and what their user's mistakes look like.

What they reach in full runs, the README says; here the loss need only fall.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

EXAMPLES = Path(__file__).parents[1] / "examples"
CELL_FILE = """
name = "mine"
equations = \"\"\"
u = sigmoid(W_u @ x + U_u @ h + b_u)
p' = W @ x + U @ h
h' = u * h + (1 - u) * tanh(P @ p')
\"\"\"
[sizes]
p = "inner"
"""
TEXT = "def add(a, b):\n    return a + b\n\n\n" * 60
TINY = ("--text", "text.py", "--steps-per-sequence", "16", "--batch", "4", "--hidden", "16", "--sample", "20")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a short text and a cell file."""
    tmp_path.joinpath("text.py").write_text(TEXT, encoding="utf-8")
    tmp_path.joinpath("mine.toml").write_text(CELL_FILE, encoding="utf-8")
    return tmp_path


@pytest.fixture(params=["numpy", "c"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend, the C kernels where there is a compiler."""
    require_backend(request.param)
    return str(request.param)


def example(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in ``folder``."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_character_model_learns_and_writes(backend: str, folder: Path) -> None:
    arguments = (*TINY, "--cell", "lstm", "--backend", backend, "--iterations", "100", "--rate", "0.02")
    done = example("char_lm", *arguments, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    losses = [float(loss) for loss in re.findall(r"iterations +([\d.]+) nats", done.stdout)]
    size, start = re.findall(r"ln\((\d+)\) = ([\d.]+)", done.stdout)[0]
    assert int(size) == len(set(TEXT))
    assert losses[0] == pytest.approx(float(start), abs=2e-3)
    assert losses[-1] < 0.5 * losses[0]
    assert len(done.stdout.partition("sample:\n")[2]) >= len("    def ") + 20


def test_any_cell_with_sizes_of_its_own(folder: Path) -> None:
    size = ("--size", "inner=8", "--backend", "numpy", "--iterations", "3")
    done = example("char_lm", *TINY, "--cell", "mine.toml", "--set", "b_u=1", *size, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "model: mine, numpy" in done.stdout
    steps = ("--steps", "12", "--batch", "4", "--hidden", "8")
    done = example("adding_problem", "--cells", "mine.toml", *steps, *size, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^mine +3 +\d", done.stdout, re.MULTILINE)


def test_a_short_adding_problem_is_solved(backend: str, folder: Path) -> None:
    easy = ("--steps", "6", "--hidden", "32", "--rate", "0.01", "--tolerance", "0.02", "--iterations", "1500")
    done = example("adding_problem", "--cells", "gru", "--backend", backend, *easy, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^gru +\d+ +0\.0\d+ +[\d.]+  solved$", done.stdout, re.MULTILINE)


def test_cells_are_given_only_the_sizes_that_they_have(folder: Path) -> None:
    arguments = ("--cells", "rnn", "mine.toml", "--size", "inner=8", "--steps", "4", "--batch", "4", "--hidden", "8")
    done = example("adding_problem", *arguments, "--backend", "numpy", "--iterations", "2", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^(rnn|mine) +2 +\d", done.stdout, re.MULTILINE) == ["rnn", "mine"]


@pytest.mark.parametrize("compiled", [(), ("--compile",)], ids=["eager", "compiled"])
def test_a_character_model_in_pytorch_learns_and_writes(compiled: tuple[str, ...], folder: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    few = (
        "--iterations",
        "100" if not compiled else "5",
        "--rate",
        "0.02",
        "--batch",
        "8",
        "--hidden",
        "16",
        "--sample",
        "20",
    )
    plot = ("--plot", "loss.png") if importlib.util.find_spec("matplotlib") else ()
    arguments = ("--text", "text.py", "--cell", "mine.toml", "--size", "inner=8", *few, *plot, *compiled)
    done = example("torch_char_lm", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in re.findall(r"iterations +([\d.]+) nats", done.stdout)]
    assert losses[-1] < (0.6 if not compiled else 1) * losses[0]
    assert len(done.stdout.partition("sample:\n")[2]) >= len("    def ") + 20
    assert not plot or folder.joinpath("loss.png").read_bytes()[:4] == b"\x89PNG"


def test_several_processes_train_one_model(folder: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    few = (
        "--iterations",
        "20",
        "--steps",
        "6",
        "--batch",
        "8",
        "--hidden",
        "16",
        "--cell",
        "mine.toml",
        "--size",
        "inner=8",
    )
    run = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    command = [sys.executable, *run, str(EXAMPLES / "torch_ddp.py"), *few]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    aborted = "terminate called without an active exception" in done.stderr  # PyTorch's process group, as Python ends
    assert done.returncode == 0 or aborted, done.stderr
    assert "mine, 2 processes, 6 steps" in done.stdout
    assert re.search(r" 20 iterations +[\d.]+  \d+ sequences/s", done.stdout)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("torch_char_lm", ("--text", "text.py", "--cell", "lstn"), "did you mean `lstm`?"),
        ("torch_char_lm", ("--text", "text.py", "--cell", "mine.toml"), "--size NAME=N"),
        ("torch_char_lm", ("--text", "text.py", "--prompt", "가"), "none of these characters"),
        ("torch_char_lm", ("--text", "mine.toml"), "too few lines"),
        ("torch_ddp", ("--cell", "lstn"), "did you mean `lstm`?"),
        ("torch_ddp", ("--cell", "mine.toml"), "--size NAME=N"),
        ("torch_ddp", ("--steps", "1"), "at least 2 steps"),
    ],
)
def test_a_mistake_in_pytorch_is_told_in_a_line(
    name: str, arguments: tuple[str, ...], words: str, folder: Path
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    done = example(name, *arguments, folder=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["char_lm.png", "adding_problem.svg"])
def test_plots(name: str, folder: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    arguments = TINY if name.startswith("char_lm") else ("--cells", "rnn", "gru", "--steps", "4", "--batch", "4")
    few = ("--backend", "numpy", "--iterations", "3", "--plot", name)
    done = example(Path(name).stem, *arguments, *few, folder=folder)
    assert done.returncode == 0, done.stderr
    assert folder.joinpath(name).read_bytes()[:6] in (b"\x89PNG\r\n", b"<?xml ")


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("char_lm", ("--cell", "lstn"), "did you mean `lstm`?"),
        ("char_lm", ("--cell", "mine.toml", "--backend", "numpy"), "--size NAME=N"),
        ("char_lm", ("--set", "q=1", "--backend", "numpy"), "the cell has no parameter 'q'"),
        ("char_lm", ("--text", "nowhere"), "no such file or directory"),
        ("char_lm", ("--batch", "1000"), "lower --batch"),
        ("char_lm", ("--prompt", "가"), "none of these characters"),
        ("char_lm", ("--rate", "1e38", "--backend", "numpy"), "training has diverged"),
        ("char_lm", ("--seconds", "nan"), "nan is not above zero"),
        ("char_lm", ("--plot", "loss.bmp"), "must end in one of"),
        ("adding_problem", ("--cells", "gru", "lstn"), "did you mean `lstm`?"),
        ("adding_problem", ("--set", "q=1"), "no cell has a parameter 'q'"),
        ("adding_problem", ("--cells", "rnn", "--size", "inner=8"), "no cell has a size of its own 'inner'"),
        ("adding_problem", ("--cells", "mine.toml", "--size", "hidden=8"), "'hidden'; there are inner"),
        ("adding_problem", ("--cells", "rnn", "mine.toml", "--backend", "numpy"), "--size NAME=N"),
        ("adding_problem", ("--steps", "1"), "at least 2 steps"),
    ],
)
def test_a_mistake_is_told_in_a_line(name: str, arguments: tuple[str, ...], words: str, folder: Path) -> None:
    done = example(name, *(TINY if name == "char_lm" else ()), *arguments, folder=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
