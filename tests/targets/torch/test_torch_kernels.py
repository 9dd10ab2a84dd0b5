"""The PyTorch kernels beside the oracles, and beside PyTorch's own differentiation."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES
from tests.targets.numpy.numpy_cells import CELLS, load

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS, BATCH, INPUTS, UNITS = 4, 3, 2, 2
Tensors = dict[str, Any]
Faults = tuple[tuple[Callable[[], object], str], ...]


def kernels(name: str) -> ModuleType:
    return symrnn.build(load(name), backend="torch", dtype="float64")


def point(module: ModuleType, *, steps: int = STEPS, batch: int = BATCH) -> tuple[Tensors, Any, Tensors]:
    """Dense random numbers: parameters, input, initial states."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Any:
        return torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5

    shapes = module.param_shapes(INPUTS if not module._INPUT_IS_HIDDEN else UNITS, UNITS, **others(module))
    params = {name: draw(*shape) for name, shape in shapes.items()}
    sizes = {size: n for name, shape in module._SHAPES.items() for size, n in zip(shape, shapes[name], strict=True)}
    x = draw(steps, batch, sizes.get(module._INPUT_SIZE, UNITS))
    return params, x, {name: draw(batch, sizes.get(size, UNITS)) for name, size in module._STATE_SIZES.items()}


def others(module: ModuleType) -> dict[str, int]:
    sizes = {size for shape in module._SHAPES.values() for size in shape} - {"1", "input", "hidden"}
    return dict.fromkeys(sorted(sizes), 3)


@pytest.mark.parametrize("name", CELLS)
def test_every_oracle_agrees(name: str) -> None:
    report = symrnn.check(load(name), backends=("torch",), cases=CASES[::5])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", ["deltanet", "linear_transformer"])
def test_backward_may_compute_again_what_forward_holds_for_all_steps(name: str) -> None:
    report = symrnn.check(name, backends=("torch",), cases=CASES[::9])
    assert report.passed, str(report)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 1, 0]])
@pytest.mark.parametrize("name", CELLS)
def test_the_derived_backward_pass_is_what_pytorch_finds(name: str, lengths: list[int] | None, reverse: bool) -> None:
    module = kernels(name)
    params, x, state = point(module)
    given = [tensor.requires_grad_() for tensor in (x, *params.values(), *state.values())]
    y, final, tape = module.forward(params, x, state, lengths, reverse)
    dy = torch.rand_like(y)
    dstate = {name: torch.rand_like(each) for name, each in final.items()}
    expected = torch.autograd.grad(
        [y, *final.values()], given, [dy, *dstate.values()], retain_graph=True, materialize_grads=True
    )
    found = module.backward(params, tape, dy, dstate)
    for a, b in zip((found.x, *found.params.values(), *found.state.values()), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["rnn", "lstm", "layernorm_lstm"])
def test_gradients_have_gradients(name: str) -> None:
    """A penalty on the norm of gradients: its own gradient through the derived pass, beside differences."""
    module = kernels(name)
    params, x, state = point(module, steps=3, batch=2)

    def gradient(x: Any, *values: Any) -> Any:
        p = dict(zip(params, values, strict=True))
        y, _, tape = module.forward(p, x, state)
        return module.backward(p, tape, torch.ones_like(y)).x

    given = [tensor.requires_grad_() for tensor in (x, *params.values())]
    assert torch.autograd.gradcheck(gradient, given)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # PyTorch's own
def test_functional_transforms_go_through() -> None:
    module = kernels("gru")
    params, x, state = point(module)

    def loss(params: Tensors, x: Any) -> Any:
        return module.forward(params, x, state)[0].square().sum()

    grads = torch.func.grad(loss)(params, x)
    _, tangent = torch.func.jvp(lambda x: loss(params, x), (x,), (torch.ones_like(x),))
    many = torch.func.vmap(torch.func.grad(loss, argnums=1), in_dims=(None, 0))(params, torch.stack([x, 2 * x]))
    y, _, tape = module.forward(params, x, state)
    found = module.backward(params, tape, 2 * y)
    torch.testing.assert_close(grads, found.params, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(many[0], found.x, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(tangent, found.x.sum(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (4, 0), (0, 0)])
def test_no_steps_and_no_rows(steps: int, batch: int) -> None:
    module = kernels("gru")
    params, x, state = point(module, steps=steps, batch=batch)
    y, final, tape = module.forward(params, x, state)
    found = module.backward(params, tape, torch.ones_like(y), {"h": torch.ones_like(final["h"])})
    assert y.shape == (steps, batch, UNITS)
    assert found.x.shape == x.shape
    assert not any(each.any() for each in found.params.values())
    if not steps:
        torch.testing.assert_close(found.state["h"], torch.ones(batch, UNITS, dtype=torch.float64))


def test_numbers_beyond_a_rows_length_are_not_used() -> None:
    module = kernels("layernorm_lstm")
    params, x, state = point(module)
    y, final, tape = module.forward(params, x, state, lengths=[2, 4, 0])
    bad, dy = x.clone(), torch.ones_like(y)
    bad[2:, 0], bad[:, 2] = torch.nan, torch.inf
    other, last, other_tape = module.forward(params, bad, state, lengths=torch.tensor([2, 4, 0]))
    torch.testing.assert_close((other, last), (y, final), rtol=0, atol=0)
    dy[2:, 0] = torch.nan
    a, b = module.backward(params, tape, torch.ones_like(y)), module.backward(params, other_tape, dy)
    torch.testing.assert_close((a.params, a.x, a.state), (b.params, b.x, b.state), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_other_precisions_come_out_as_they_go_in(dtype: str) -> None:
    module = kernels("gru")
    exact = [each.double() for each in point(module)[0].values()]
    kind = getattr(torch, dtype)
    params, x, state = point(module)
    y, _, _ = module.forward(params, x, state)
    less = {name: each.to(kind) for name, each in params.items()}
    rough, _, rough_tape = module.forward(less, x.to(kind), {"h": state["h"].to(kind)})
    grads = module.backward(less, rough_tape, torch.ones_like(rough))
    assert {rough.dtype, grads.x.dtype, *(each.dtype for each in grads.params.values())} == {kind}
    torch.testing.assert_close(rough.double(), y, rtol=0.05, atol=0.02)
    assert len(exact) == len(params)


def test_initial_parameters_are_those_of_other_backends() -> None:
    ours, theirs = (symrnn.build("lstm", backend=backend).init_params(3, 5, seed=4) for backend in ("torch", "numpy"))
    assert ours["W_xi"].dtype == torch.float32
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)
    assert symrnn.build("lstm", backend="torch").init_params(3, 5, dtype=torch.float64, device="meta")["b_i"].is_meta


def test_what_does_not_fit_is_refused() -> None:
    module = kernels("gru")
    params, x, state = point(module)
    wrong_types: Faults = (
        (lambda: module.forward(params, x.float()), r"x: expected torch.float64 on cpu, as the others are; found .*32"),
        (lambda: module.forward(params | {"b_z": params["b_z"].float()}, x), r"params\['b_r'\]: expected|b_z"),
        (lambda: module.forward(params, x, {"h": state["h"].float()}), r"state\['h'\]: expected torch.float64"),
        (lambda: module.forward(params, x.long()), "x: expected floating-point numbers"),
        (lambda: module.forward([1], x), "params: expected a mapping"),
        (lambda: module.forward(params, x, lengths=[1.0, 2.0, 3.0]), "lengths: expected whole numbers"),
        (lambda: module.backward(params, None, x), "tape: expected the tape"),
    )
    for fault, words in wrong_types:
        with pytest.raises(TypeError, match=words):
            fault()
    y, _, tape = module.forward(params, x)
    wrong_values: Faults = (
        (lambda: module.forward({}, x), "params: 'W_xz' is missing"),
        (lambda: module.forward(params | {"W": x}, x), "params: unknown name 'W'"),
        (lambda: module.forward(params | {"b_z": x}, x), r"params\['b_z'\]: expected \(hidden\), found shape"),
        (lambda: module.forward(params | {"b_z": x[0, 0].repeat(2)}, x), r"hidden is 2 by params\['W_xz'\], but 4"),
        (lambda: module.forward(params, x[0]), r"x: expected \(T, B, input\)"),
        (lambda: module.forward(params, x[..., :1]), "x: expected 2 numbers in each row"),
        (lambda: module.forward(params, x, {"c": x}), "state: unknown name 'c'"),
        (lambda: module.forward(params, x, {"h": x[0, :1]}), r"state\['h'\]: expected shape \(3, 2\)"),
        (lambda: module.forward(params, x, lengths=[1, 2]), r"lengths: expected shape \(3,\)"),
        (lambda: module.forward(params, x, lengths=[1, 2, 5]), "lengths: expected numbers from 0 to 4, found 1 to 5"),
        (lambda: module.step(params, x), r"x_t: expected \(B, input\)"),
        (lambda: module.backward(params, tape, y[:1]), "dy: expected shape"),
        (lambda: module.backward(params | {"b_z": 2 * params["b_z"]}, tape, y), r"params\['b_z'\]: differs from the"),
    )
    for fault, words in wrong_values:
        with pytest.raises(ValueError, match=words):
            fault()
