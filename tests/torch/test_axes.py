"""Layers of cells whose values have several axes: an axis of a tensor for each, through every way that PyTorch calls them."""

from __future__ import annotations

import copy
import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip
rnn = torch.nn.utils.rnn

from symrnn.torch import differentiate  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.cell_kernels import kernels_of  # noqa: E402
from symrnn.torch.operators import register  # noqa: E402
from symrnn.torch.pieces import piece_length  # noqa: E402

pytestmark = [  # PyTorch's own
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

FOLDER = Path(__file__).parents[1] / "cells" / "axes"
SIZES: dict[str, dict[str, int]] = {
    "mamba_step": {"state": 2},
    "mlstm_heads": {"head": 2, "key": 3, "value": 2},
    "gated_deltanet": {"value": 2, "key": 3},
    "lstm_heads": {"head": 2, "unit": 2},
}
NAMES = tuple(SIZES)
STEPS, ROWS, INPUTS = 4, 3, 3
LENGTHS = torch.tensor([4, 0, 2])

EVERYTHING = symrnn.Cell.from_equations(
    """
    S' = tanh(gate * D * S + (V @ x) * (K @ x) + b)
    y = sum(S' * q, key)
    z = a * S'
    """,
    name="everything",
    sizes={
        "S": ("value", "key"),
        "V": ("value", "input"),
        "K": ("key", "input"),
        "b": ("value", "key"),
        "D": ("value", "key"),
    },
    inputs={"q": "key", "gate": "value"},
    output=["y", "z"],
    fixed=["D"],
    layouts={"stacked": {"W": ("V", "K"), "vectors": ("b", "a"), "decay": ("D",)}},
)
OWN = {"value": 2, "key": 3}

GIVEN = symrnn.Cell.from_equations(
    """
    S' = tanh(a * S + x * k + m * b)
    y = sum(S', key)
    """,
    name="inputs_with_axes",
    sizes={"x": ("head", "value"), "S": ("head", "value", "key"), "a": ("head", "value", "key"), "b": "value"},
    inputs={"k": ("head", "key"), "m": {"size": ("head", "value"), "gradient": False}},
    output="y",
)
HEADS = {"head": 2, "value": 3, "key": 5}
"""The sizes of the cell whose inputs have axes."""


def made(name: str, **options: Any) -> Any:
    """A layer whose parameters are far enough from zero for every gradient to be seen."""
    torch.manual_seed(0)
    layer = home.Layer(FOLDER / f"{name}.toml", INPUTS, 5, **({"dtype": torch.float64} | SIZES[name] | options))
    with torch.no_grad():
        for each in layer.parameters():
            each.add_(0.3 * torch.randn_like(each))
    return layer


def drawn(layer: Any, *shape: int) -> list[Any]:
    """An input, and a state for each."""
    torch.manual_seed(1)
    shape = shape or (STEPS, ROWS)
    _, hx = layer(torch.randn(*shape, INPUTS, dtype=torch.float64))
    states = hx if isinstance(hx, tuple) else (hx,)
    found = [torch.randn(*shape, INPUTS, dtype=torch.float64), *(torch.randn_like(each) for each in states)]
    return [each.detach().requires_grad_() for each in found]


def as_given(states: Any) -> Any:
    return states[0] if len(states) == 1 else tuple(states)


def as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, tuple) else [states]


@pytest.fixture(params=["compiled", "operations"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which a layer computes."""
    if request.param == "operations":
        monkeypatch.setattr(differentiate, "COMPILED_DEVICES", ())
    return str(request.param)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize("name", NAMES)
def test_results_and_gradients_are_those_of_the_kernels(name: str, reverse: bool, lengths: Any, engine: str) -> None:
    layer = made(name)
    assert layer._function.kernels.compiled is not None
    kernels = symrnn.build(layer.cell, "numpy", dtype="float64")
    params = {key: torch.from_numpy(each).requires_grad_() for key, each in layer.numpy_params().items()}
    x, *states = drawn(layer)
    initial = {key: each.detach()[0].requires_grad_() for key, each in zip(layer.states, states, strict=True)}
    y, final = home.functional(layer.cell)(x, params, initial, lengths=lengths, reverse=reverse)

    arrays = {key: each.detach().numpy() for key, each in initial.items()}
    numbers = None if lengths is None else lengths.numpy()
    given = {key: each.detach().numpy() for key, each in params.items()}
    expected, last, tape = kernels.forward(given, x.detach().numpy(), arrays, lengths=numbers, reverse=reverse)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-11, atol=1e-12)
    for key, each in final.items():
        np.testing.assert_allclose(each.detach(), last[key], rtol=1e-11, atol=1e-12)

    dy, dlast = torch.randn_like(y), {key: torch.randn_like(each) for key, each in final.items()}
    ((y * dy).sum() + sum((final[key] * dlast[key]).sum() for key in final)).backward()
    grads = kernels.backward(given, tape, dy.numpy(), {key: each.numpy() for key, each in dlast.items()})
    for found, array in (
        (x, grads.x),
        *((params[key], grads.params[key]) for key in params),
        *((initial[key], grads.state[key]) for key in initial),
    ):
        assert found.grad.shape == found.shape == array.shape
        np.testing.assert_allclose(found.grad, array, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives(name: str, engine: str) -> None:
    layer = made(name)
    params = [each.detach().requires_grad_() for each in layer.parameters()]
    names = [key for key, _ in layer.named_parameters()]
    x, *states = drawn(layer, 3, 2)

    def run(x: Any, *given: Any) -> tuple[Any, ...]:
        p = dict(zip(names, given, strict=False))
        hx = as_given(given[len(names) :])
        y, final = torch.func.functional_call(layer, p, (x, hx, torch.tensor([3, 2])))
        return (y, *as_list(final))

    assert torch.autograd.gradcheck(run, (x, *params, *states))
    assert torch.autograd.gradgradcheck(run, (x, *params, *states), atol=1e-4, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_layers_directions_steps_and_rows(name: str, engine: str) -> None:
    layer = made(name)
    assert all(each.shape == getattr(layer, key).shape for key, each in layer.state_dict().items())
    for steps, rows in ((0, 2), (2, 0), (0, 0)):
        y, hx = layer(torch.randn(steps, rows, INPUTS, dtype=torch.float64))
        again, same = layer(torch.randn(steps, rows, INPUTS, dtype=torch.float64), hx)
        assert y.shape == again.shape
        assert y.shape[:2] == (steps, rows)
        torch.testing.assert_close(as_list(same), as_list(hx))
        y.sum().backward()
        assert all(not each.grad.any() for each in layer.parameters())
    x, *states = (each.detach() for each in drawn(layer))
    y, hx = layer(x, as_given(states))
    now, outputs = as_given(states), []
    for x_t in x:
        y_t, now = layer.step(x_t, now)
        outputs.append(y_t)
    torch.testing.assert_close(torch.stack(outputs), y)
    torch.testing.assert_close(as_list(now), as_list(hx))
    one, after = layer(x[:, 1], as_given([each[:, 1] for each in states]))
    torch.testing.assert_close(one, y[:, 1])
    torch.testing.assert_close(as_list(after), [each[:, 1] for each in as_list(hx)])
    by_name = dict(zip(layer.states, states, strict=True))
    torch.testing.assert_close(layer.step(x[0, 1], {key: each[:, 1] for key, each in by_name.items()})[0], y[0, 1])
    first = made(name, batch_first=True)
    torch.testing.assert_close(first(x.transpose(0, 1))[0].transpose(0, 1), layer(x)[0])
    packed = rnn.pack_padded_sequence(x, torch.tensor([2, 4, 3]), enforce_sorted=False)
    padded, counts = rnn.pad_packed_sequence(layer(packed)[0])
    torch.testing.assert_close(padded, layer(x, lengths=counts)[0])


@pytest.mark.parametrize("name", ["mamba_step", "gated_deltanet"])
def test_an_output_of_one_axis_goes_through_layers_and_directions(name: str) -> None:
    options: dict[str, Any] = {"num_layers": 2} if name == "mamba_step" else {"num_layers": 2, "bidirectional": True}
    deep = made(name, **options)
    x, *states = drawn(deep)
    y, hx = deep(x, as_given(states), LENGTHS)
    run, level, finals = home.functional(deep.cell), x, []
    for number in range(2):
        outputs = []
        for direction in range(deep.directions):
            params = {key: torch.from_numpy(each) for key, each in deep.numpy_params(number, bool(direction)).items()}
            at = number * deep.directions + direction
            state = {key: each[at] for key, each in zip(deep.states, states, strict=True)}
            out, final = run(level, params, state, lengths=LENGTHS, reverse=bool(direction))
            outputs.append(out)
            finals.append(final)
        level = torch.cat(outputs, -1)
    torch.testing.assert_close(y, level)
    torch.testing.assert_close(hx, torch.stack([final[deep.states[0]] for final in finals]))


@pytest.mark.parametrize("name", NAMES)
def test_pieces_give_the_same_gradients(name: str, engine: str) -> None:
    whole, pieces = made(name), made(name, checkpoint=1)
    steps = 2 * piece_length(1, 64) + 1
    x, *states = drawn(whole, steps, 64)
    found = []
    for layer in (whole, pieces):
        y, hx = layer(x, as_given(states), torch.tensor([steps, 3] * 32))
        loss = y.square().mean() + sum(each.square().mean() for each in as_list(hx))
        found.append(torch.autograd.grad(loss, (x, *states, *layer.parameters())))
    if engine == "compiled":
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_transformations_and_forward_mode(name: str) -> None:
    layer = made(name)
    x, *states = (each.detach() for each in drawn(layer, 2, 2))

    def run(x: Any, *states: Any) -> Any:
        return layer(x, as_given(states))[0]

    every = tuple(range(1 + len(states)))
    back, ahead = (way(run, argnums=every)(x, *states) for way in (torch.func.jacrev, torch.func.jacfwd))
    torch.testing.assert_close(back, ahead, rtol=1e-9, atol=1e-11)
    assert all(each.abs().max() > 0 for each in back)
    several = torch.stack([x, 2 * x])
    for grad in (torch.enable_grad, torch.no_grad):
        with grad():
            found = torch.func.vmap(run, in_dims=(0, *[None] * len(states)))(several, *states)
            torch.testing.assert_close(found, torch.stack([run(each, *states) for each in several]))
    models = [made(name), layer]
    params, buffers = torch.func.stack_module_state(models)
    together = torch.func.vmap(lambda p, b: torch.func.functional_call(layer, (p, b), (x,))[0])(params, buffers)
    torch.testing.assert_close(together, torch.stack([model(x)[0] for model in models]))


@pytest.mark.parametrize("name", NAMES)
def test_compiled_in_one_piece(name: str) -> None:
    layer = made(name, dtype=torch.float32)
    function = home.functional(layer.cell)
    x, *states = (each.detach().float() for each in drawn(made(name)))
    hx = as_given(states)

    def both(x: Any, hx: Any, params: Any) -> Any:
        y, final = layer(x, hx, LENGTHS)
        z, _ = function(x, params, lengths=LENGTHS)
        return y, final, z

    results = []
    params = {key.removesuffix("_l0"): each for key, each in layer.named_parameters()}
    for call in (torch.compile(both, fullgraph=True, backend="aot_eager"), both):
        layer.zero_grad()
        y, final, z = call(x, hx, params)
        (y.square().sum() + z.sum() + sum(each.sum() for each in as_list(final))).backward()
        results.append([y, z, *as_list(final), *(each.grad.clone() for each in layer.parameters())])
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    torch._dynamo.reset()


@pytest.mark.parametrize("name", NAMES)
def test_precisions_copies_and_shapes_alone(name: str) -> None:
    layer = made(name, dtype=torch.float32)
    x = torch.randn(STEPS, ROWS, INPUTS)
    y, hx = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        narrow, final = layer(x)
    assert {each.dtype for each in (narrow, *as_list(final))} == {torch.bfloat16}
    torch.testing.assert_close(narrow, y.bfloat16())
    half = copy.deepcopy(layer).bfloat16()
    assert half(x.bfloat16())[0].shape == y.shape
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(again(x)[0], y)
    other = made(name, dtype=torch.float32)
    other.load_state_dict(layer.state_dict(), strict=True)
    assert torch.equal(other(x)[0], y)
    shapes, states = made(name, dtype=torch.float32, device="cpu").to("meta")(x.to("meta"))
    assert shapes.shape == y.shape
    assert [each.shape for each in as_list(states)] == [each.shape for each in as_list(hx)]


@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
@pytest.mark.parametrize("name", NAMES)
def test_the_operators_pass_the_checks_of_pytorch(name: str, in_c: bool) -> None:
    layer = made(name)
    kernels = kernels_of(layer.cell)
    operators = register(kernels, f"axes_{name}_{'c' if in_c else 'ctypes'}", in_c=in_c)
    assert operators.in_c is in_c, operators.why_not
    params = [each.detach() for each in layer._tensors(0, 0)]
    sizes = [layer._levels[0].sizes[size] for size in kernels.cell.sizes]
    x, *states = (each.detach() for each in drawn(layer))
    rows = [each[0].flatten(1) for each in states]
    for state, checkpoint in ((rows, 0), ([], 0), (rows, 2)):
        arguments = (x, params, (), sizes, state, LENGTHS, False, 0)
        torch.library.opcheck(operators.infer, arguments)
        torch.library.opcheck(operators.forward, (*arguments, checkpoint))
        y, final, tape, packed = operators.forward(*arguments, checkpoint)
        back = (x, params, (), sizes, tape, packed, y, final if state else [], LENGTHS, False, 0, checkpoint)
        torch.library.opcheck(operators.backward, back)
    expected, hx = layer(x, as_given(states), LENGTHS)
    y, final = operators.infer(x, params, (), sizes, rows, LENGTHS, False, 0)
    torch.testing.assert_close(y, expected.detach().flatten(2))
    torch.testing.assert_close(final, [each[0].detach().flatten(1) for each in as_list(hx)])


@pytest.mark.parametrize("layout", [None, "stacked"])
def test_inputs_outputs_fixed_parameters_and_layouts(layout: str | None, engine: str) -> None:
    torch.manual_seed(0)
    layer = home.Layer(EVERYTHING, INPUTS, 1, dtype=torch.float64, layout=layout, **OWN)
    shapes = {key: tuple(each.shape) for key, each in layer.state_dict().items()}
    if layout:
        assert shapes == {"W_l0": (5, INPUTS), "vectors_l0": (12,), "decay_l0": (2, 3)}
    else:
        assert {key: shapes[f"{key}_l0"] for key in "Dab"} == dict.fromkeys("Dab", (2, 3))
    with torch.no_grad():
        for each in layer.state_dict().values():
            each.uniform_(-1, 1)
    kernels = symrnn.build(EVERYTHING, "numpy", dtype="float64")
    x, q, gate = (torch.randn(STEPS, ROWS, n, dtype=torch.float64, requires_grad=True) for n in (INPUTS, 3, 2))
    y, final = layer(x, inputs={"q": q, "gate": gate}, lengths=LENGTHS)
    given = {"q": q.detach().numpy(), "gate": gate.detach().numpy()}
    params = layer.numpy_params()
    assert {key: each.shape for key, each in params.items()} == kernels.param_shapes(INPUTS, 1, **OWN)
    expected, last, tape = kernels.forward(params, x.detach().numpy(), inputs=given, lengths=LENGTHS.numpy())
    for key, array in expected.items():
        np.testing.assert_allclose(y[key].detach(), array, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(final[0].detach(), last["S"], rtol=1e-11, atol=1e-13)
    sum((each * torch.arange(each.numel()).reshape(each.shape)).sum() for each in y.values()).backward()
    dy = {key: np.arange(array.size).reshape(array.shape).astype(float) for key, array in expected.items()}
    grads = kernels.backward(params, tape, dy)
    for found, array in ((x, grads.x), (q, grads.inputs["q"]), (gate, grads.inputs["gate"])):
        np.testing.assert_allclose(found.grad, array, rtol=1e-9, atol=1e-10)
    stacks = EVERYTHING.layouts["stacked"] if layout else {key: (key,) for key in params}
    for stack, blocks in stacks.items():
        if "D" not in blocks:
            rows = [grads.params[key].reshape(-1) for key in blocks]
            np.testing.assert_allclose(
                getattr(layer, f"{stack}_l0").grad.flatten(), np.concatenate(rows), rtol=1e-9, atol=1e-10
            )


def test_an_output_with_several_axes_is_no_input_of_a_layer() -> None:
    told = "the output 'h' has the axes head, value"
    with pytest.raises(ValueError, match=rf"mlstm_heads: num_layers: .*{told}; .*y\.flatten\(2\)"):
        made("mlstm_heads", num_layers=2)
    with pytest.raises(ValueError, match=rf"mlstm_heads: bidirectional: .*{told}; .*reverse=True"):
        made("mlstm_heads", bidirectional=True)
    with pytest.raises(ValueError, match=r"everything: bidirectional: .*the output 'z' has the axes value, key"):
        home.Layer(EVERYTHING, INPUTS, 1, bidirectional=True, **OWN)
    with pytest.raises(ValueError, match="mamba_step: the state 's' has 6 numbers in the first layer and 12 in those"):
        made("mamba_step", num_layers=2, bidirectional=True)


def test_axes_in_another_order_are_refused() -> None:
    """As many numbers, but other ones."""
    layer = made("gated_deltanet")
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"hx: expected S of shape \(1, 3, 2, 3\), found \(1, 3, 3, 2\)"):
        layer(x, torch.zeros(1, 3, 3, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"hx: expected S of shape \(1, 3, 2, 3\), found \(1, 3, 6\)"):
        layer(x, torch.zeros(1, 3, 6, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"hx: expected S of shape \(1, 2, 3\), found \(1, 6\)"):
        layer(x[:, 0], torch.zeros(1, 6, dtype=torch.float64))
    deep = made("mamba_step")
    turned = {"a_l0": deep.a_l0.detach().mT.contiguous()}
    with pytest.raises(ValueError, match=r"a: expected shape \(3, 2\), found \(2, 3\)"):
        torch.func.functional_call(deep, turned, (x,))
    run = home.functional(deep.cell)
    params = {key: torch.from_numpy(each) for key, each in deep.numpy_params().items()}
    with pytest.raises(ValueError, match=r"a: input is 3 by T, but its shape is \(2, 3\)"):
        run(x, params | {"a": params["a"].mT})
    with pytest.raises(ValueError, match=r"a: expected the axes \(input, state\), found shape \(6,\)"):
        run(x, params | {"a": params["a"].flatten()})
    with pytest.raises(ValueError, match=r"s: state is 2 by a, but its shape is \(3, 3\)"):
        run(x, params, {"s": torch.zeros(ROWS, 3, 3, dtype=torch.float64)})
    several = home.Layer(EVERYTHING, INPUTS, 1, dtype=torch.float64, **OWN)
    q, gate = torch.zeros(STEPS, ROWS, 3, dtype=torch.float64), torch.zeros(STEPS, ROWS, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"inputs\['q'\]: expected shape \(4, 3, 3\), found \(4, 3, 2\)"):
        several(x, inputs={"q": gate, "gate": q})


def test_strided_parameters_get_gradients_of_their_shape() -> None:
    layer = made("mlstm_heads")
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    params = {key: torch.from_numpy(each) for key, each in layer.numpy_params().items()}
    run = home.functional(layer.cell)
    turned = params["W_q"].permute(2, 0, 1).contiguous().requires_grad_()
    plain = params["W_q"].clone().requires_grad_()
    for each, name in ((turned.permute(1, 2, 0), "turned"), (plain, "plain")):
        y, _ = run(x, params | {"W_q": each})
        assert y.requires_grad, name
        y.square().sum().backward()
    torch.testing.assert_close(turned.grad.permute(1, 2, 0), plain.grad)


def test_a_parameter_that_changes_before_the_backward_pass_is_an_error() -> None:
    layer = made("mlstm_heads")
    y, _ = layer(torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64))
    with torch.no_grad():
        layer.W_k_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def of_heads(**options: Any) -> Any:
    torch.manual_seed(0)
    return home.Layer(GIVEN, 1, 1, **({"dtype": torch.float64} | HEADS | options))


def inputs_of_heads(*outer: int) -> dict[str, Any]:
    torch.manual_seed(1)
    found = {name: torch.randn(*outer, *axes, dtype=torch.float64) for name, axes in (("x", (2, 3)), ("k", (2, 5)))}
    return {name: each.requires_grad_() for name, each in found.items()} | {"m": torch.rand(*outer, 2, 3) < 0.5}


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_inputs_with_axes_are_those_of_the_kernels(lengths: Any, engine: str) -> None:
    layer, run = of_heads(), home.functional(GIVEN)
    x, *others = inputs_of_heads(STEPS, ROWS).values()
    inputs = dict(zip("km", others, strict=True))
    kernels = symrnn.build(GIVEN, "numpy", dtype="float64")
    arrays = {name: each.detach().numpy() for name, each in inputs.items()}
    params, how = layer.numpy_params(), {"lengths": None if lengths is None else lengths.numpy()}
    expected, last, tape = kernels.forward(params, x.detach().numpy(), inputs=arrays, **how)
    grads = kernels.backward(params, tape, np.ones_like(expected))
    given = {name: torch.from_numpy(each).requires_grad_() for name, each in params.items()}
    for y, final in (layer(x, None, lengths, inputs), run(x, given, None, lengths, inputs=inputs)):
        np.testing.assert_allclose(y.detach(), expected, rtol=1e-11, atol=1e-13)
        state = final["S"] if isinstance(final, dict) else final[0]
        np.testing.assert_allclose(state.detach(), last["S"], rtol=1e-11, atol=1e-13)
        found = torch.autograd.grad(y.sum(), [x, inputs["k"]])
        for each, array in zip(found, (grads.x, grads.inputs["k"]), strict=True):
            np.testing.assert_allclose(each, array, rtol=1e-9, atol=1e-11)


def test_derivatives_by_inputs_with_axes(engine: str) -> None:
    layer = of_heads(checkpoint=1)
    x, k, m = inputs_of_heads(2, 2).values()

    def run(x: Any, k: Any) -> Any:
        return layer(x, inputs={"k": k, "m": m})[0]

    assert torch.autograd.gradcheck(run, (x, k))
    assert torch.autograd.gradgradcheck(run, (x, k), atol=1e-4, fast_mode=True)
    back, ahead = (way(run, argnums=(0, 1))(x.detach(), k.detach()) for way in (torch.func.jacrev, torch.func.jacfwd))
    torch.testing.assert_close(back, ahead, rtol=1e-9, atol=1e-11)
    several = torch.stack([x.detach(), 2 * x.detach()])
    found = torch.func.vmap(run, in_dims=(0, None))(several, k.detach())
    torch.testing.assert_close(found, torch.stack([run(each, k.detach()) for each in several]))


def test_every_way_to_give_inputs_with_axes(engine: str) -> None:
    layer = of_heads()
    x, *others = (each.detach() for each in inputs_of_heads(STEPS, ROWS).values())
    inputs = dict(zip("km", others, strict=True))
    y, hx = layer(x, inputs=inputs)
    now = None
    for t in range(STEPS):
        y_t, now = layer.step(x[t], now, {name: each[t] for name, each in inputs.items()})
        torch.testing.assert_close(y_t, y[t])
    torch.testing.assert_close(now, hx)
    row = {name: each[:, 1] for name, each in inputs.items()}
    torch.testing.assert_close(layer(x[:, 1], inputs=row)[0], y[:, 1])
    torch.testing.assert_close(layer.step(x[0, 1], None, {name: each[0] for name, each in row.items()})[0], y[0, 1])
    first = of_heads(batch_first=True)
    turned = {name: each.transpose(0, 1) for name, each in inputs.items()}
    torch.testing.assert_close(first(x.transpose(0, 1), inputs=turned)[0].transpose(0, 1), y)
    lengths = torch.tensor([2, 4, 3])

    def packed(each: Any) -> Any:
        return rnn.pack_padded_sequence(each, lengths, enforce_sorted=False)

    padded, counts = rnn.pad_packed_sequence(
        layer(packed(x), inputs={n: packed(each) for n, each in inputs.items()})[0]
    )
    torch.testing.assert_close(padded, layer(x, lengths=counts, inputs=inputs)[0])
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, inputs=inputs)[0], y)
    torch._dynamo.reset()


def test_inputs_whose_axes_do_not_fit_are_refused() -> None:
    layer, run = of_heads(), home.functional(GIVEN)
    x, k, m = (each.detach() for each in inputs_of_heads(STEPS, ROWS).values())
    params = {name: torch.from_numpy(each) for name, each in layer.numpy_params().items()}
    with pytest.raises(ValueError, match=r"x: expected 4 axes, or one fewer for one row, found shape \(4, 6\)"):
        layer(x[:, 0].flatten(1), inputs={"k": k, "m": m})
    with pytest.raises(ValueError, match=r"x: expected the axes \(2, 3\) in each row, found shape \(4, 3, 3, 2\)"):
        layer(x.mT, inputs={"k": k, "m": m})
    with pytest.raises(ValueError, match=r"x_t: expected \(B, head, value\), or \(head, value\) for one row, found"):
        layer.step(x[0, 0, 0], inputs={"k": k[0], "m": m[0]})
    with pytest.raises(ValueError, match=r"inputs\['k'\]: expected shape \(4, 3, 2, 5\), found \(4, 3, 10\)"):
        layer(x, inputs={"k": k.flatten(2), "m": m})
    with pytest.raises(ValueError, match=r"x: expected \(T, B, head, value\), found shape \(4, 3, 6\)"):
        run(x.flatten(2), params, inputs={"k": k, "m": m})
    with pytest.raises(ValueError, match=r"inputs\['m'\]: expected shape \(4, 3, head, value\), found \(4, 3, 6\)"):
        run(x, params, inputs={"k": k, "m": m.flatten(2)})
    with pytest.raises(ValueError, match=r"m: head is 2 by a, but its shape is \(3, 2\)"):
        run(x, params, inputs={"k": k, "m": m.mT})
    with pytest.raises(
        ValueError, match="num_layers: a layer on top of another reads rows of one axis, and x has the axes"
    ):
        of_heads(num_layers=2)
