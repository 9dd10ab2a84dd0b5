"""Fixed parameters in PyTorch: buffers, no gradients, and errors where somebody asks for one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

from symrnn.torch.cell_kernels import kernels_of  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.engines import compiled_engine, operations_engine  # noqa: E402
from symrnn.torch.operators import register  # noqa: E402

pytestmark = [  # PyTorch's own
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CELL = str(Path(__file__).parents[1] / "given_memory.toml")
FIXED = ("A", "B", "g", "V")
SIZES = (5, 7, 4)


def drawn(dtype: Any = torch.float64) -> tuple[Any, dict[str, Any]]:
    """An input and parameters; those that are trained require gradients."""
    torch.manual_seed(3)
    params = symrnn.build(CELL, "torch").init_params(*SIZES, seed=1, dtype=dtype)
    for name, each in params.items():
        each.requires_grad_(name not in FIXED)
    return torch.randn(6, 3, 5, dtype=dtype, requires_grad=True), params


def loss_of(y: Any, states: Any) -> Any:
    return sum((each * each).sum() + each.sum() for each in (y, *states))


@pytest.mark.parametrize("checkpoint", [None, 2])
@pytest.mark.parametrize("layout", [None, "stacked"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_a_layer_has_them_as_buffers_and_the_right_gradients(dtype: Any, layout: Any, checkpoint: Any) -> None:
    layer = home.Layer(CELL, 5, 7, memory=4, layout=layout, dtype=dtype, checkpoint=checkpoint)
    buffers = dict(layer.named_buffers())
    expected = FIXED if layout is None else ("given_rows", "given_vectors", "given_other")
    assert set(buffers) == {f"{name}_l0" for name in expected}
    assert not set(buffers) & {name for name, _ in layer.named_parameters()}
    assert set(layer.state_dict()) == set(buffers) | {name for name, _ in layer.named_parameters()}
    x = torch.randn(6, 3, 5, dtype=dtype)
    y, states = layer(x)
    loss_of(y, states).backward()
    assert all(each.grad is None for each in buffers.values())
    params = {name: torch.tensor(each) for name, each in layer.numpy_params().items()}
    for name, each in params.items():
        each.requires_grad_(name not in FIXED)
    z, final, _ = symrnn.build(CELL, "torch").forward(params, x)
    loss_of(z, final.values()).backward()  # PyTorch's own derivatives
    rows: dict[str, list[Any]] = {}
    for stack, names in (symrnn.load(CELL).layouts["stacked"] if layout else {n: (n,) for n in params}).items():
        rows[f"{stack}_l0"] = [params[name].grad for name in names if name not in FIXED]
    for name, each in layer.named_parameters():
        torch.testing.assert_close(each.grad, torch.cat(rows[name]), rtol=2e-4, atol=2e-5)


def test_a_layer_moves_saves_and_starts_them_anew() -> None:
    layer = home.Layer(CELL, 5, 7, memory=4, num_layers=2, bidirectional=True)
    assert layer.A_l1_reverse.dtype == torch.float32
    assert layer.double().A_l1_reverse.dtype == torch.float64
    other = home.Layer(CELL, 5, 7, memory=4, num_layers=2, bidirectional=True, dtype=torch.float64)
    assert not torch.equal(other.A_l0, layer.A_l0)
    other.load_state_dict(layer.state_dict(), strict=True)
    assert torch.equal(other.A_l0, layer.A_l0)
    with torch.no_grad():
        other.A_l0.copy_(torch.eye(4))
    assert np.array_equal(other.numpy_params()["A"], np.eye(4))
    other.reset_parameters()
    assert not np.array_equal(other.numpy_params()["A"], np.eye(4))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = {name: each.clone() for name, each in layer.state_dict().items()}
    y, states = layer(torch.randn(4, 2, 5, dtype=torch.float64))
    loss_of(y, states).backward()
    optimiser.step()
    changed = {name for name, each in layer.state_dict().items() if not torch.equal(each, before[name])}
    assert changed == {name for name, _ in layer.named_parameters()}


@pytest.mark.parametrize("places", [False, True], ids=["each", "stacked"])
@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
def test_operators_return_no_numbers_for_them(in_c: bool, places: bool) -> None:
    kernels = kernels_of(CELL)
    operators = register(kernels, f"fixed_{'c' if in_c else 'ctypes'}_{int(places)}", in_c=in_c)
    assert operators.in_c is in_c, operators.why_not
    layer = home.Layer(CELL, 5, 7, memory=4, layout="stacked" if places else None)
    tensors = [each.detach() for each in layer._tensors(0, 0)]
    at = layer._levels[0].stacks.places
    held = [0, 1, 2] if places else [place for place, name in enumerate(kernels.parameters) if name in FIXED]
    x = torch.randn(6, 3, 5)
    for given in (x, x[:0]):
        arguments: tuple[Any, ...] = (given, tensors, at, SIZES, [], None, False, 0)
        y, final, tape, packed = operators.forward(*arguments, 0)
        back = (given, tensors, at, SIZES, tape, packed, y, final, None, False, 0, 0)
        torch.library.opcheck(operators.backward, back)
        _, grads, _ = operators.backward(*back)
        assert [place for place, each in enumerate(grads) if not each.numel()] == held
        assert all(each.shape == tensors[p].shape for p, each in enumerate(grads) if p not in held)


@pytest.mark.parametrize("make", [compiled_engine, operations_engine])
def test_engines_say_that_they_have_no_gradient(make: Any) -> None:
    kernels, (x, params) = kernels_of(CELL), drawn()
    forward, _, backward = make(kernels)
    call = ((), SIZES, False, 0, 0)
    values = [each.detach() for each in params.values()]
    y, m, h, *kept = forward(x.detach(), None, call, values, [])
    _, *found = backward(x.detach(), None, call, values, [], kept, y, [m, h])
    assert {name for name, each in zip(params, found, strict=False) if each is None} == set(FIXED)


def test_second_derivatives_pass_over_them() -> None:
    x, params = drawn()
    function = home.functional(CELL)
    names = [name for name in params if name not in FIXED]

    def of(x: Any, *moving: Any) -> Any:
        y, states = function(x, {**params, **dict(zip(names, moving, strict=True))})
        return y, *states.values()

    inputs = (x, *(params[name] for name in names))
    assert torch.autograd.gradcheck(of, inputs)
    assert torch.autograd.gradgradcheck(of, inputs, atol=1e-4)


@pytest.mark.parametrize("how", ["backward", "grad", "jvp"])
def test_to_ask_for_their_gradient_is_an_error(how: str) -> None:
    x, params = drawn()
    function = home.functional(CELL)

    def loss(given: Any) -> Any:
        return function(x, {**params, "A": given})[0].sum()

    asked = {
        "backward": lambda: loss(params["A"].clone().requires_grad_()).backward(),
        "grad": lambda: torch.func.grad(loss)(params["A"]),
        "jvp": lambda: torch.func.jvp(loss, (params["A"],), (torch.ones_like(params["A"]),)),
    }
    with pytest.raises(ValueError, match=r"given_memory: A, B, g, V: fixed, so without gradient"):
        asked[how]()
    with torch.no_grad():
        assert torch.isfinite(loss(params["A"].clone().requires_grad_()))


def test_the_layer_compiles() -> None:
    layer = home.Layer(CELL, 5, 7, memory=4)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = torch.randn(6, 3, 5)
    loss_of(*layer(x)).backward()
    plain = [each.grad.clone() for each in layer.parameters()]
    layer.zero_grad()
    loss_of(*compiled(x)).backward()
    for each, expected in zip(layer.parameters(), plain, strict=True):
        torch.testing.assert_close(each.grad, expected)


def test_a_reservoir_has_no_parameters_at_all() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h)", name="reservoir", fixed=("U", "W"))
    layer = home.Layer(cell, 5, 7)
    assert not list(layer.parameters())
    x = torch.randn(6, 3, 5, requires_grad=True)
    y, _ = layer(x)
    y.sum().backward()
    params = {name: torch.tensor(each) for name, each in layer.numpy_params().items()}
    given = x.detach().clone().requires_grad_()
    symrnn.build(cell, "torch").forward(params, given)[0].sum().backward()
    torch.testing.assert_close(x.grad, given.grad)
