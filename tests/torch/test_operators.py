"""The operators of `symrnn.torch`: PyTorch's own checks, calls that do not fit, memory after errors, threads that make them."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

from symrnn.torch.cell_kernels import kernels_of  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.differentiate import differentiable  # noqa: E402
from symrnn.torch.operators import operators_of, register  # noqa: E402
from symrnn.torch.stacks import ParameterStacks, places_of  # noqa: E402
from tests.torch.test_rules import LENGTHS, NAMES, drawn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # PyTorch's own


@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=["whole", "ragged"])
@pytest.mark.parametrize("name", NAMES[:3], ids=lambda name: Path(name).stem)
def test_the_operators_pass_the_checks_of_pytorch(name: str, lengths: Any, in_c: bool) -> None:
    _, tensors = drawn(name, torch.float32)
    kernels = kernels_of(name)
    way = "c" if in_c else "ctypes"
    operators = register(kernels, f"checked_{kernels.cell.name}_{way}_{'ragged' if lengths else 'whole'}", in_c=in_c)
    assert operators.in_c is in_c, operators.why_not
    x, states, params = tensors[0], tensors[1 : 1 + len(kernels.states)], tensors[1 + len(kernels.states) :]
    sizes = tuple({"input": x.shape[-1], "hidden": 3}[size] for size in kernels.cell.sizes)
    given = None if lengths is None else torch.tensor(lengths)
    for state, checkpoint in ((states, 0), ([], 0), (states, 2)):
        arguments = (x, params, (), sizes, state, given, False, 0)
        torch.library.opcheck(operators.infer, arguments)
        torch.library.opcheck(operators.forward, (*arguments, checkpoint))
        y, final, tape, packed = operators.forward(*arguments, checkpoint)
        dfinal = final if state else []
        torch.library.opcheck(
            operators.backward, (x, params, (), sizes, tape, packed, y, dfinal, given, False, 0, checkpoint)
        )


@pytest.mark.parametrize("lengths", LENGTHS, ids=["whole", "ragged"])
@pytest.mark.parametrize("name", NAMES[:3], ids=lambda name: Path(name).stem)
def test_the_derivative_of_an_operator_passes_them_too(name: str, lengths: Any) -> None:
    """An exported program calls it without the function that a layer has around it."""
    _, (x, *tensors) = drawn(name)
    kernels = differentiable(name).kernels
    operator = operators_of(kernels).forward
    state, params = tensors[: len(kernels.states)], tensors[len(kernels.states) :]
    sizes = tuple({"input": x.shape[-1], "hidden": 3}[size] for size in kernels.cell.sizes)
    given = None if lengths is None else torch.tensor(lengths)
    for each in (x, *tensors):
        each.requires_grad_()
    for start, checkpoint in ((state, 0), ([], 0), (state, 2)):
        arguments = (x, params, (), sizes, start, given, False, 0, checkpoint)
        torch.library.opcheck(operator, arguments)
        y, final, tape, packed = operator(*arguments)
        assert not tape.requires_grad
        assert not packed.requires_grad
        values = dict(zip(kernels.parameters, params, strict=True))
        states = dict(zip(kernels.states, start, strict=False))
        z, last = home.functional(name)(x, values, states, lengths=given, checkpoint=checkpoint or None)
        inputs = (x, *params, *start)
        found, expected = (
            torch.autograd.grad(out.sum() + sum(each.square().sum() for each in rest), inputs)
            for out, rest in ((y, final), (z, last.values()))
        )
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_pytorch_calls_the_kernels_without_python() -> None:
    assert operators_of(kernels_of("gru")).why_not == ""


@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
def test_wrong_calls_of_an_operator_are_refused(in_c: bool) -> None:
    kernels = kernels_of("gru")
    operators = register(kernels, f"wrong_{'c' if in_c else 'ctypes'}", in_c=in_c)
    params = list(kernels.operations.init_params(5, 7).values())
    x, h, sizes = torch.randn(4, 3, 5), torch.randn(3, 7), (5, 7)
    y, _, tape, packed = operators.forward(x, params, (), sizes, [h], None, False, 0, 0)
    errors = (ValueError, RuntimeError, TypeError)
    for arguments in (
        (torch.randn(4, 3, 6), params, (), sizes, [h], None, False, 0),
        (x, params[1:], (), sizes, [h], None, False, 0),
        (x, params, (), (5, 8), [h], None, False, 0),
        (x, params, (), sizes, [torch.randn(2, 7)], None, False, 0),
        (x, params, (), sizes, [h, h], None, False, 0),
        (x, params, (), sizes, [h], None, False, 2000),
        (x, params, (), sizes, [h], torch.tensor([9, 0, 0]), False, 0),
    ):
        with pytest.raises(errors):
            operators.infer(*arguments)
    back = [x, params, (), sizes, tape, packed, y, [h], None, False, 0, 0]
    operators.backward(*back)
    for place, wrong in ((4, tape[1:]), (5, packed[1:]), (6, y[1:]), (7, [h[1:]])):
        with pytest.raises(errors):
            operators.backward(*(wrong if i == place else each for i, each in enumerate(back)))


@pytest.mark.skipif(sys.platform == "win32", reason="this system does not tell how much memory is in use")
def test_an_error_leaves_no_memory_behind() -> None:
    resource = importlib.import_module("resource")
    layer = home.LSTM(256, 256)

    def fail() -> None:
        for _ in range(30):
            copy = {name: each.detach().clone() for name, each in layer.named_parameters()}
            with pytest.raises((RuntimeError, ValueError)):
                torch.func.functional_call(layer, copy, (torch.randn(4, 2, 256), None, torch.tensor([9, 9])))
            gc.collect()  # an error and its frames are in cycles

    gc.freeze()  # what other tests have left need not be searched sixty times
    try:
        fail()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        fail()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 << 10  # a leak was 60 MiB
    finally:
        gc.unfreeze()


THREADS = """
import threading
import torch
import symrnn.torch

found, failed = [], []

def make():
    try:
        found.append(symrnn.torch.Layer("gru", 3, 4)(torch.randn(2, 2, 3)))
    except BaseException as error:  # a thread ends silently; the list is looked at
        failed.append(error)

makers = [threading.Thread(target=make) for _ in range(6)]
for maker in makers:
    maker.start()
for maker in makers:
    maker.join()
assert not failed, failed
assert len(found) == 6
"""


def test_several_threads_may_make_the_first_layer(tmp_path: Path) -> None:
    script = tmp_path / "threads.py"
    script.write_text(THREADS)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_places_that_do_not_fit_are_refused() -> None:
    kernels = kernels_of("rnn")
    operators = operators_of(kernels)
    assert operators.in_c, operators.why_not
    x, params = torch.randn(4, 3, 5), list(kernels.operations.init_params(5, 7).values())
    matrices = [*places_of(7, [(0, 0)]), *places_of(7, [(1, 0)])]
    good = [*matrices, *places_of(7, [(2, 0)])]

    def run(places: list[int]) -> Any:
        return operators.infer(x, params, places, (5, 7), [], None, False, 0)

    torch.testing.assert_close(run(good), run([]))
    for wrong, error in (
        ([*good, good[-1]], "more places than parameters"),
        (matrices, "the place of a parameter is missing"),
        ([7 << 24, *good], "the place of a parameter is missing"),
        ([*matrices, *places_of(7, [(3, 0)])], "in no tensor"),
        ([*matrices, *places_of(7, [(2, 1)])], "another shape than the sizes say"),
        ([*matrices, *places_of(7, [(0, 0)])], "another shape than the sizes say"),
        ([*matrices, *places_of(6, [(2, 0)])], "other rows than the sizes say"),
    ):
        with pytest.raises(RuntimeError, match=error):
            run(wrong)


def test_a_stack_of_more_rows_than_a_place_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="16777215 are possible"):
        ParameterStacks({"a": (1 << 24,), "b": (3,)}, {"both": ("a", "b")})
