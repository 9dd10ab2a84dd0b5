"""Exported programs and packages of AOTInductor: layers of every kind, for every number of steps and rows, in new processes.

One package holds all layers, since to compile one takes long.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

from symrnn.torch.cell_kernels import kernels_of  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.operators import register  # noqa: E402

pytestmark = [  # PyTorch's own
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

ROOT = Path(__file__).parents[2]
CELLS = ROOT / "tests" / "cells"
INPUTS = 3
DECAY = symrnn.Cell.from_equations("h' = 0.5 * h + x", name="decay")
RESERVOIR = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h)", name="held_reservoir", fixed=("W", "U"))


Module: Any = torch.nn.Module


class Every(Module):  # type: ignore[misc]  # PyTorch may be missing
    """A layer of every kind, and what each returns for the same input, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = home.Layer("gru", INPUTS, 4)
        self.deep = home.Layer("gru", INPUTS, 4, num_layers=2)
        self.both_ways = home.Layer("lstm", INPUTS, 4, bidirectional=True, batch_first=True)
        self.stacked = home.Layer("lstm", INPUTS, 4, layout="torch")
        self.inputs = home.Layer(CELLS / "given" / "memory.toml", INPUTS, 4, keys=2, classes=3)
        self.axes = home.Layer(CELLS / "axes" / "mamba_step.toml", INPUTS, 4, state=2)
        self.no_parameters = home.Layer(DECAY, INPUTS, INPUTS)
        self.all_fixed = home.Layer(RESERVOIR, INPUTS, 4)
        self.in_pieces = home.Layer("gru", INPUTS, 4, checkpoint=2)

    def forward(self, x: Any, lengths: Any, k: Any, decay: Any, gate: Any, h: Any) -> dict[str, Any]:
        return {
            "plain": self.plain(x),
            "ragged": self.plain(x, lengths=lengths),
            "from a state": self.plain(x, h),
            "deep": self.deep(x),
            "both ways": self.both_ways(x.transpose(0, 1)),
            "stacked": self.stacked(x),
            "inputs": self.inputs(x, inputs={"k": k, "decay": decay, "gate": gate}),
            "axes": self.axes(x),
            "no parameters": self.no_parameters(x),
            "all fixed": self.all_fixed(x),
            "in pieces": self.in_pieces(x),
            "one step": self.plain.step(x[0]),
        }


def drawn(steps: int, rows: int) -> tuple[Any, ...]:
    torch.manual_seed(steps)
    gate = (torch.rand(steps, rows, 4) < 0.8).float()
    x, k, h = torch.randn(steps, rows, INPUTS), torch.randn(steps, rows, 2), torch.randn(1, rows, 4)
    return x, torch.randint(0, steps + 1, (rows,)), k, torch.rand(steps, rows, 1), gate, h


SHAPES = ((4, 3), (9, 2), (5, 6))
LOADS = """
import sys
import torch
import symrnn.torch
from tests.torch.test_packages import Every

every = Every()  # which brings the library of each cell
package, program, cases = sys.argv[1:]
for run in (torch._inductor.aoti_load_package(package), torch.export.load(program).module()):
    for given, expected in torch.load(cases):
        torch.testing.assert_close(run(*given), expected)
"""


@pytest.mark.parametrize("trained", [True, pytest.param(False, marks=pytest.mark.long)], ids=["trained", "frozen"])
def test_a_layer_of_every_kind_is_exported_and_packaged(trained: bool, tmp_path: Path) -> None:
    """What has no gradient is the operator ``_infer``, else ``_forward``."""
    torch.manual_seed(0)
    every = Every().requires_grad_(trained).eval()
    steps, rows = torch.export.Dim("steps", min=2, max=64), torch.export.Dim("rows", min=2, max=64)
    both = {0: steps, 1: rows}
    shapes = (both, {0: rows}, both, both, both, {1: rows})
    program = torch.export.export(every, drawn(4, 3), dynamic_shapes=shapes)
    called = {str(node.target).rsplit("_", 1)[-1] for node in program.graph.nodes if "symrnn" in str(node.target)}
    assert called == {"infer.default", *(["forward.default"] if trained else [])}
    package = torch._inductor.aoti_compile_and_package(program, package_path=str(tmp_path / "every.pt2"))
    torch.export.save(program, tmp_path / "program.pt2")
    loaded = torch._inductor.aoti_load_package(package)
    cases = []
    with torch.no_grad():
        for shape in SHAPES:
            given = drawn(*shape)
            expected = every(*given)
            for run in (program.module(), loaded):
                found = run(*given)
                for name in expected:
                    torch.testing.assert_close(
                        found[name], expected[name], msg=lambda text, name=name: f"{name}: {text}"
                    )
            cases.append((given, expected))
    if trained:
        torch.save(cases, tmp_path / "cases.pt")
        files = [str(tmp_path / name) for name in ("every.pt2", "program.pt2", "cases.pt")]
        done = subprocess.run(
            [sys.executable, "-c", LOADS, *files], capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr


def test_an_exported_program_learns() -> None:
    """Without a derivative of the operator, gradients were missing there, with a warning alone."""
    torch.manual_seed(0)
    every = Every().double()

    def given() -> list[Any]:
        x, lengths, k, decay, gate, h = drawn(4, 3)
        x, k, decay, h = (each.double().requires_grad_() for each in (x, k, decay, h))
        return [x, lengths, k, decay, gate.double(), h]

    module, results = torch.export.export(every, tuple(given())).module(), []
    for run in (module, every):
        arguments = given()
        outputs = torch.utils._pytree.tree_leaves(run(*arguments))
        loss = sum((each * torch.linspace(-1, 1, each.numel()).reshape(each.shape)).sum() for each in outputs)
        inputs = [each for each in arguments if each.requires_grad]
        inputs += [each for _, each in sorted(run.named_parameters())]
        grads = torch.autograd.grad(loss, inputs, create_graph=True)
        penalty = sum(each.square().sum() for each in grads if each.requires_grad)
        results.append([loss, *grads, *torch.autograd.grad(penalty, inputs, allow_unused=True)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
def test_what_packages_pass_for_empty_lists(in_c: bool) -> None:
    """None for the places of parameters; and a cell without parameters gets a tensor that is not read."""
    cells: tuple[Any, ...] = ("gru", DECAY)
    for number, cell in enumerate(cells):
        kernels = kernels_of(cell)
        operators = register(kernels, f"missing_{number}_{'c' if in_c else 'ctypes'}", in_c=in_c)
        assert operators.in_c is in_c, operators.why_not
        params = list(kernels.operations.init_params(3, 3).values())
        x, rest = torch.randn(4, 2, 3), (None, False, 0)
        state = [torch.randn(2, 3)]
        given, passed = (x, params, (), (3, 3), state, *rest), (x, params or [x], None, (3, 3), state, *rest)
        y, final = operators.infer(*given)
        for found in (operators.infer(*passed), operators.forward(*passed, 0)[:2], operators.forward(*passed, 2)[:2]):
            torch.testing.assert_close(found, (y, final), rtol=0, atol=0)
        torch.library.opcheck(operators.infer, passed)
        for checkpoint in (0, 2):
            torch.library.opcheck(operators.forward, (*passed, checkpoint))
            _, _, tape, packed = operators.forward(*passed, checkpoint)
            after = (3, 3), tape, packed, y, state, *rest, checkpoint
            torch.library.opcheck(operators.backward, (x, params or [x], None, *after))
            dx, dparams, dstate = operators.backward(x, params or [x], None, *after)
            expected = operators.backward(x, params, (), *after)
            assert bool(params) or not dparams.pop().numel()
            torch.testing.assert_close((dx, dparams, dstate), expected, rtol=0, atol=0)
