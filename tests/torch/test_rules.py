"""`symrnn.torch` obeys PyTorch's rules: derivatives of any order, transformations, compilation, export, dtypes, threads."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

from symrnn.torch.cell_kernels import kernels_of  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.operators import operators_of  # noqa: E402

CELLS = Path(__file__).parents[1] / "cells"
NAMES = ("gru", "lstm", str(CELLS / "layernorm_lstm.toml"), str(CELLS / "minimal_gated_unit.toml"))
LENGTHS = (None, [4, 0, 2])
pytestmark = [  # PyTorch's own
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def drawn(name: str, dtype: Any = torch.float64) -> tuple[Any, list[Any]]:
    """A cell as a function of a list of tensors, and such a list: input, states, parameters."""
    torch.manual_seed(0)
    function = home.functional(name)
    cell = function.cell
    width = 3 if cell.input_is_hidden else 2
    params = kernels_of(cell).operations.init_params(width, 3, dtype=dtype)
    tensors = [
        torch.randn(4, 3, width, dtype=dtype),
        *(torch.randn(3, 3, dtype=dtype) for _ in cell.states),
        *params.values(),
    ]

    def run(x: Any, *rest: Any, lengths: Any = None, reverse: bool = False) -> tuple[Any, ...]:
        state = dict(zip(cell.states, rest, strict=False))
        named = dict(zip(params, rest[len(cell.states) :], strict=True))
        given = None if lengths is None else torch.tensor(lengths)
        y, final = function(x, named, state, lengths=given, reverse=reverse)
        return (y, *final.values())

    return run, tensors


def needing(tensors: list[Any]) -> list[Any]:
    return [each.clone().requires_grad_() for each in tensors]


@pytest.mark.parametrize("lengths", LENGTHS, ids=["whole", "ragged"])
@pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).stem)
def test_first_and_second_derivatives(name: str, lengths: Any, reverse: bool) -> None:
    run, tensors = drawn(name)

    def function(*given: Any) -> Any:
        return run(*given, lengths=lengths, reverse=reverse)

    assert torch.autograd.gradcheck(function, needing(tensors))
    assert torch.autograd.gradgradcheck(function, needing(tensors), atol=1e-4)


def penalty(run: Any, given: list[Any]) -> Any:
    """A gradient penalty and its gradients."""
    y, *_ = run(*given)
    grads = torch.autograd.grad(y.square().sum(), given, create_graph=True)
    return torch.autograd.grad(sum(each.square().sum() for each in grads), given)


def plain(name: str) -> Any:
    """The same function, differentiated by PyTorch through operations alone."""
    module = kernels_of(name).operations
    states, params = module.STATES, list(module.param_shapes(2, 3))

    def run(x: Any, *rest: Any) -> tuple[Any, ...]:
        state = dict(zip(states, rest, strict=False))
        y, final, _ = module.forward(dict(zip(params, rest[len(states) :], strict=True)), x, state)
        return (y, *final.values())

    return run


def test_a_gradient_penalty_is_right_and_not_zero() -> None:
    """``once_differentiable`` gave a relative error of 1 here, without a word."""
    run, tensors = drawn("gru")
    found, expected = penalty(run, needing(tensors)), penalty(plain("gru"), needing(tensors))
    for a, b in zip(found, expected, strict=True):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_third_derivative() -> None:
    run, tensors = drawn("gru")

    def third(function: Any) -> Any:
        (x,) = needing(tensors[:1])
        found = function(x, *tensors[1:])[0].square().sum()
        for _ in range(2):
            (grad,) = torch.autograd.grad(found, x, create_graph=True)
            found = grad.square().sum()
        return torch.autograd.grad(found, x)[0]

    torch.testing.assert_close(third(run), third(plain("gru")), rtol=1e-9, atol=1e-12)


def test_functional_derivatives() -> None:
    run, tensors = drawn("lstm")
    reference = plain("lstm")

    def loss(function: Any, *given: Any) -> Any:
        return function(*given)[0].square().sum()

    everything = tuple(range(len(tensors)))
    found = torch.func.grad(lambda *given: loss(run, *given), argnums=everything)(*tensors)
    expected = torch.func.grad(lambda *given: loss(reference, *given), argnums=everything)(*tensors)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    for function in (torch.func.jacrev, torch.func.jacfwd):
        jacobian = function(lambda x: run(x, *tensors[1:])[0])(tensors[0])
        again = torch.func.jacrev(lambda x: reference(x, *tensors[1:])[0])(tensors[0])
        torch.testing.assert_close(jacobian, again, rtol=1e-10, atol=1e-12)
    second = torch.func.hessian(lambda x: loss(reference, x, *tensors[1:]))(tensors[0])
    assert second.abs().max() > 0.1
    for outer, inner in ((torch.func.jacfwd, torch.func.jacrev), (torch.func.jacrev, torch.func.jacfwd)):
        found = outer(inner(lambda x: loss(run, x, *tensors[1:])))(tensors[0])
        torch.testing.assert_close(found, second, rtol=1e-10, atol=1e-12)


def test_forward_mode_keeps_its_tangents() -> None:
    """An operator drops them, and returns tangents of zero without a word."""
    run, tensors = drawn("gru")
    tangents = [torch.randn_like(each) for each in tensors]
    _, found = torch.func.jvp(lambda *given: run(*given)[0], tuple(tensors), tuple(tangents))
    _, expected = torch.func.jvp(lambda *given: plain("gru")(*given)[0], tuple(tensors), tuple(tangents))
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        _, found = torch.func.jvp(lambda x: run(x, *tensors[1:])[0], (tensors[0],), (tangents[0],))
    assert found.abs().max() > 0.01


def test_per_sample_gradients_and_stacked_modules() -> None:
    run, tensors = drawn("gru")
    xs = torch.stack([tensors[0], 2 * tensors[0]])

    def loss(x: Any, *rest: Any) -> Any:
        return run(x, *rest)[0].square().sum()

    rest = tensors[1:]
    count = 1 + len(rest)
    each = torch.func.grad(loss, argnums=tuple(range(count)))
    found = torch.func.vmap(each, in_dims=(0, *[None] * len(rest)))(xs, *rest)
    for i, x in enumerate(xs):
        torch.testing.assert_close([one[i] for one in found], list(each(x, *rest)), rtol=1e-12, atol=1e-13)

    models = [home.LSTM(5, 7, dtype=torch.float64) for _ in range(3)]
    params, buffers = torch.func.stack_module_state(models)
    x = torch.randn(4, 2, 5, dtype=torch.float64)

    def call(params: Any, buffers: Any) -> Any:
        return torch.func.functional_call(models[0], (params, buffers), (x,))[0]

    together = torch.func.vmap(call)(params, buffers)
    torch.testing.assert_close(together, torch.stack([model(x)[0] for model in models]))
    with torch.no_grad():
        torch.testing.assert_close(torch.func.vmap(call)(params, buffers), together)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_in_one_piece_for_every_length(backend: str) -> None:
    layer = home.LSTM(5, 7, num_layers=2, bidirectional=True)
    counter = importlib.import_module("torch._dynamo.testing").CompileCounterWithBackend(backend)
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend=counter)
    compilations = []
    for steps in (4, 7, 9):
        x = torch.randn(steps, 3, 5)
        results = []
        for module in (compiled, layer):
            layer.zero_grad()
            given = x.clone().requires_grad_()
            y, (h, c) = module(given)
            (y.square().sum() + h.sum() + c.sum()).backward()
            results.append([y.detach(), given.grad, *(each.grad.clone() for each in layer.parameters())])
        torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)
        compilations.append(counter.frame_count)
    assert compilations == compilations[:1] * 3
    torch._dynamo.reset()


@pytest.mark.parametrize("checkpoint", [None, 2])
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_lengths_and_rows_become_dynamic(ragged: bool, checkpoint: Any) -> None:
    """Without ``dynamic=True``: one compilation for the first shape, one each when steps and rows change first, then none."""
    layer = home.Layer("gru", 5, 7, num_layers=2, checkpoint=checkpoint)
    counter = importlib.import_module("torch._dynamo.testing").CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(layer, fullgraph=True, backend=counter)
    compilations = []
    for steps, rows in ((4, 3), (7, 3), (7, 4), (300, 8), (9, 64)):
        x = torch.randn(steps, rows, 5)
        lengths = torch.randint(0, steps + 1, (rows,)) if ragged else None
        y, _ = compiled(x, lengths=lengths)
        torch.testing.assert_close(y, layer(x, lengths=lengths)[0])
        y.sum().backward()
        compilations.append(counter.frame_count)
    torch._dynamo.reset()
    assert compilations == [1, 2, 3, 3, 3]


def test_compiled_transformations() -> None:
    """PyTorch compiles no ``vmap`` over a function with a derivative of its own."""
    layer, xs = home.Layer("gru", 3, 4, num_layers=2), torch.randn(2, 5, 3, 3)
    lengths = torch.tensor([[5, 0, 2], [1, 2, 5]])
    models = [home.RNN(3, 4) for _ in range(3)]
    params, _ = torch.func.stack_module_state(models)

    def mapped() -> tuple[Any, Any]:
        y = torch.func.vmap(lambda x, steps: layer(x, lengths=steps)[0])(xs, lengths)
        return y, torch.func.vmap(lambda p: torch.func.functional_call(models[0], p, (xs[0],))[0])(params)

    with torch.no_grad():
        torch.testing.assert_close(torch.compile(mapped, fullgraph=True, backend="aot_eager")(), mapped())
    grad = torch.func.grad(lambda x: layer(x)[0].square().sum())
    torch.testing.assert_close(torch.compile(grad, fullgraph=True, backend="aot_eager")(xs[0]), grad(xs[0]))
    torch._dynamo.reset()


def test_exported_and_packaged(tmp_path: Path) -> None:
    layer = home.LSTM(5, 7).eval()
    steps, rows = torch.export.Dim("steps", min=2, max=64), torch.export.Dim("rows", min=2, max=64)
    program = torch.export.export(layer, (torch.randn(4, 3, 5),), dynamic_shapes=({0: steps, 1: rows},))
    package = torch._inductor.aoti_compile_and_package(program, package_path=str(tmp_path / "layer.pt2"))
    loaded = torch._inductor.aoti_load_package(package)
    for shape in ((4, 3, 5), (9, 2, 5)):
        x = torch.randn(shape)
        for again in (program.module()(x), loaded(x)):
            torch.testing.assert_close(again[0], layer(x)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_float32(dtype: Any) -> None:
    layer, linear = home.LSTM(5, 7), torch.nn.Linear(5, 5)
    x = torch.randn(4, 3, 5)
    with torch.autocast("cpu", dtype):
        middle = linear(x)
        y, (h, c) = layer(middle)
        y.sum().backward()
    assert [middle.dtype, y.dtype, h.dtype, c.dtype] == [dtype] * 4
    expected, _ = layer(middle.float())
    torch.testing.assert_close(y, expected.to(dtype))
    assert layer.weight_ih_l0.grad.dtype == torch.float32
    assert linear.weight.grad.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_numbers_on_a_processor(dtype: Any) -> None:
    layer = home.Layer("gru", 5, 7, dtype=dtype)
    x = torch.randn(4, 3, 5, dtype=dtype)
    y, h = layer(x)
    y.sum().backward()
    assert y.dtype == h.dtype == layer.W_xz_l0.grad.dtype == dtype
    wide = home.Layer("gru", 5, 7)
    wide.load_state_dict(layer.state_dict())
    torch.testing.assert_close(y, wide(x.float())[0].to(dtype))


def test_another_dtype_is_refused() -> None:
    """CellKernels would read the numbers of one type as those of another."""
    layer, operators = home.LSTM(5, 7), operators_of(kernels_of("gru"))
    for dtype in (torch.float64, torch.bfloat16):
        with pytest.raises(
            TypeError, match=f"x: expected torch.float32 on cpu, as the parameters are, found {dtype} on cpu"
        ):
            layer(torch.randn(4, 3, 5, dtype=dtype))
    with pytest.raises(TypeError, match=r"c: expected torch\.float32"):
        layer(torch.randn(4, 3, 5), (torch.zeros(1, 3, 7), torch.zeros(1, 3, 7, dtype=torch.float64)))
    params = list(kernels_of("gru").operations.init_params(5, 7, dtype=torch.float64).values())
    with pytest.raises((TypeError, RuntimeError), match=r"float32|another dtype"):
        operators.infer(torch.randn(4, 3, 5), params, (), (5, 7), [], None, False, 0)
    with pytest.raises((TypeError, RuntimeError), match="float32 and float64"):
        operators.infer(torch.ones(4, 3, 5, dtype=torch.bfloat16), params, (), (5, 7), [], None, False, 0)
    with pytest.raises(RuntimeError, match="another shape"):
        operators.infer(torch.ones(4, 3, 5, dtype=torch.float64), params, (), (5, 8), [], None, False, 0)


def test_strided_parameters_get_their_gradients_in_place() -> None:
    """``empty_like`` keeps strides, which kernels that write row by row do not."""
    layer = home.Layer("gru", 5, 7, dtype=torch.float64)
    turned = home.Layer("gru", 5, 7, dtype=torch.float64)
    turned.load_state_dict(layer.state_dict())
    for name, each in turned.named_parameters():
        if each.ndim == 2:
            setattr(turned, name, torch.nn.Parameter(each.detach().t().contiguous().t()))
    assert not turned.W_xz_l0.is_contiguous()
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    for module in (layer, turned):
        y, _ = module(x)
        (y.sum(0).expand(4, 3, 7) * torch.arange(84.0).reshape(7, 3, 4).permute(2, 1, 0)).sum().backward()
    for name, each in layer.named_parameters():
        torch.testing.assert_close(turned.get_parameter(name).grad, each.grad)


def test_gradients_that_are_expanded_or_missing() -> None:
    layer = home.LSTM(5, 7, dtype=torch.float64)
    x = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    y, (_, c) = layer(x)
    (by_expansion,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (by_ones,) = torch.autograd.grad(y, x, torch.ones_like(y), retain_graph=True)
    torch.testing.assert_close(by_expansion, by_ones)
    (alone,) = torch.autograd.grad(c.sum(), x)
    assert alone.abs().max() > 0
    for each in layer.parameters():
        each.requires_grad_(False)
    y, _ = layer(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, by_ones)


def test_the_older_vmap_is_refused() -> None:
    """It maps a backward pass alone, and knows no operators but PyTorch's; ``torch.func.jacrev`` is the newer one."""
    layer, x = home.Layer("gru", 2, 3), torch.randn(3, 2, 2)
    with pytest.raises(RuntimeError, match="Batching rule not implemented"):
        torch.autograd.functional.jacobian(lambda x: layer(x)[0], x, vectorize=True)
    found = torch.func.jacrev(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(found, torch.autograd.functional.jacobian(lambda x: layer(x)[0], x))


def test_a_parameter_that_changes_before_the_backward_pass_is_an_error() -> None:
    layer = home.LSTM(5, 7)
    y, _ = layer(torch.randn(4, 3, 5))
    with torch.no_grad():
        layer.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation|has been modified inplace"):
        y.sum().backward()


def test_inference_follows_every_change_of_a_parameter() -> None:
    layer, x = home.LSTM(5, 7), torch.randn(4, 3, 5)
    with torch.inference_mode():
        before = layer(x)[0].clone()
    layer.weight_hh_l0.data.mul_(2)
    with torch.no_grad():
        after = layer(x)[0]
    assert not torch.equal(before, after)
    assert not after.requires_grad
    torch.testing.assert_close(after, layer(x)[0])


def test_checkpoints_hooks_and_parametrisations() -> None:
    layer = home.LSTM(5, 7, dtype=torch.float64)
    x = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(layer(x)[0].sum(), (x, *layer.parameters()))
    for way in ({"use_reentrant": True}, {"use_reentrant": False}, None):
        for each in (x, *layer.parameters()):
            each.grad = None
        if way:
            y = torch.utils.checkpoint.checkpoint(lambda x: layer(x)[0], x, **way)
        else:
            with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept.numpy().copy(), torch.from_numpy):
                y = layer(x)[0]
        y.sum().backward()
        torch.testing.assert_close([x.grad, *(each.grad for each in layer.parameters())], [*expected])
    seen: list[str] = []
    layer.register_forward_hook(lambda *_: seen.append("forward"))
    layer.register_full_backward_hook(lambda *_: seen.append("backward"))
    layer.weight_hh_l0.register_hook(lambda grad: seen.append("gradient"))
    layer(x)[0].sum().backward()
    assert sorted(seen) == ["backward", "forward", "gradient"]
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    y = layer(x)[0]
    y.sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad.abs().max() > 0


def test_a_parametrised_layer_gets_initial_values() -> None:
    """As `nn.init` on the tensor that is computed would not: its own parameters stay as they were then."""
    torch.manual_seed(3)
    expected = home.Layer("gru", 3, 5)
    layer = home.Layer("gru", 3, 5)
    torch.nn.utils.parametrizations.weight_norm(layer, "W_hz_l0")
    before = layer.W_hz_l0.clone()
    torch.manual_seed(3)
    layer.reset_parameters()
    assert not torch.allclose(layer.W_hz_l0, before)
    for name in expected.state_dict():
        torch.testing.assert_close(getattr(layer, name), getattr(expected, name), rtol=1e-6, atol=1e-6)


def test_a_parametrisation_without_an_inverse_is_named() -> None:
    layer = home.Layer("gru", 3, 5)
    torch.nn.utils.parametrize.register_parametrization(layer, "W_hz_l0", torch.nn.Tanh())
    with pytest.raises(RuntimeError, match="right_inverse"):
        layer.reset_parameters()


def test_the_number_of_threads_is_that_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = home.LSTM(64, 64), torch.randn(50, 32, 64)
    with torch.no_grad():
        expected = layer(x)[0]
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            team = vars(kernels_of("lstm").compiled)["_TEAM"]
            last = team._last
            torch.testing.assert_close(layer(x)[0], expected, rtol=0, atol=0)
            assert team._last == last  # the team of threads was not asked
            torch.set_num_threads(2)
            monkeypatch.setenv("SYMRNN_NUM_THREADS", "1")
            torch.testing.assert_close(layer(x)[0], expected, rtol=0, atol=0)
            assert team._last == last
            monkeypatch.setenv("SYMRNN_NUM_THREADS", "few")
            with pytest.raises(RuntimeError, match="SYMRNN_NUM_THREADS: expected a whole number of at least 1"):
                layer(x)
            monkeypatch.delenv("SYMRNN_NUM_THREADS")
        finally:
            torch.set_num_threads(before)
        layer.threads = 2
        torch.testing.assert_close(layer(x)[0], expected, rtol=0, atol=0)
        assert team._last != last


@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["whole", "ragged"])
def test_deterministic_mode(lengths: Any) -> None:
    """PyTorch fills new tensors with NaN then: nothing that the kernels leave alone may be read."""
    layer, x = home.Layer("lstm", 5, 7, num_layers=2, bidirectional=True), torch.randn(4, 3, 5)

    def results() -> list[Any]:
        layer.zero_grad()
        given = x.clone().requires_grad_()
        y, hx = layer(given, lengths=lengths)
        sum(each.square().sum() for each in (y, *hx)).backward()
        return [y, *hx, given.grad, *(each.grad for each in layer.parameters())]

    expected = results()
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(3).isnan().all()
        found = results()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


WORKERS = """
import torch
import symrnn.torch

layer = symrnn.torch.LSTM(64, 64, threads=2)

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, i):
        with torch.no_grad():
            return layer(torch.full((20, 32, 64), float(i)))[0]

if __name__ == "__main__":
    expected = [Data()[i] for i in range(8)]
    loaded = list(torch.utils.data.DataLoader(Data(), num_workers=2, batch_size=None, multiprocessing_context="fork"))
    assert all(torch.equal(a, b) for a, b in zip(loaded, expected))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no fork")
def test_workers_that_are_forked_after_threads_ran(tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_gradients_by_what_vmap_maps_go_on_outside() -> None:
    """Within ``vmap`` a tensor does not say that somebody differentiates by it: its gradient was zero, or missing."""
    layer = home.RNN(3, 4, dtype=torch.float64)
    xs = torch.randn(2, 5, 3, 3, dtype=torch.float64)
    models = [home.RNN(3, 4, dtype=torch.float64) for _ in range(3)]
    params, _ = torch.func.stack_module_state(models)
    torch.func.vmap(lambda p: torch.func.functional_call(layer, p, (xs[0],))[0])(params).square().sum().backward()
    for i, model in enumerate(models):
        model(xs[0])[0].square().sum().backward()
        for name, each in model.named_parameters():
            torch.testing.assert_close(params[name].grad[i], each.grad)
    for each in layer.parameters():
        each.requires_grad_(False)
    found = torch.func.grad(lambda xs: torch.func.vmap(lambda x: layer(x)[0])(xs).square().sum())(xs)
    expected = torch.stack([torch.func.grad(lambda x: layer(x)[0].square().sum())(x) for x in xs])
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected)
    inner = torch.func.vmap(lambda x: layer(x)[0], in_dims=1, out_dims=1)  # each row is a sequence of its own
    for grad in (torch.enable_grad, torch.no_grad):
        with grad():
            torch.testing.assert_close(torch.func.vmap(inner)(xs), torch.stack([layer(x)[0] for x in xs]))
    with pytest.raises(ValueError, match="the mapped axis has no entries"):
        torch.func.vmap(lambda x: layer(x)[0])(xs[:0])
