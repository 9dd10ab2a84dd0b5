"""`symrnn.torch`: the modules of PyTorch beside ours, strictly by their parameters; and layers of any cell."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip
rnn = torch.nn.utils.rnn

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

CELLS = Path(__file__).parents[1] / "cells"
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {}),
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
)
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bias": False},
    {"num_layers": 3, "batch_first": True},
)


def both(kind: str, **options: Any) -> tuple[Any, Any]:
    """A module of PyTorch and ours with its parameters."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(5, 7, **options)
    ours = getattr(home, kind)(5, 7, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def flat(result: Any) -> list[Any]:
    """Every tensor of what a module returns."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, rnn.PackedSequence):
        return [result.data]
    return [each for part in result for each in flat(part)]


def close(ours: Any, theirs: Any, within: float = 1e-6) -> None:
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=within * 10, atol=within)


def compare(theirs: Any, ours: Any, x: Any, hx: Any = None) -> None:
    """Outputs, final states and all gradients."""
    results = []
    for module in (theirs, ours):
        module.zero_grad()
        given = x if isinstance(x, rnn.PackedSequence) else x.clone().requires_grad_()
        found = flat(module(given, hx))
        generator = torch.Generator().manual_seed(1)
        loss = sum((each * torch.rand(each.shape, generator=generator)).sum() for each in found)
        loss.backward()
        grads = [each.grad for _, each in sorted(module.named_parameters())]
        results.append([*found, *grads, *([] if given is x else [given.grad])])
    close(results[1], results[0], 1e-5)
    close(results[1][: len(found)], results[0][: len(found)])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
@pytest.mark.parametrize(
    ("kind", "options"), KINDS, ids=lambda value: value if isinstance(value, str) else "-".join(value)
)
def test_a_module_of_pytorch_and_ours_agree(kind: str, options: dict[str, Any], shape: dict[str, Any]) -> None:
    theirs, ours = both(kind, **options, **shape)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict(), strict=True)
    close(ours.all_weights, theirs.all_weights, 0)
    x = torch.randn(4, 3, 5)
    compare(theirs, ours, x)
    hx = theirs(x)[1]
    compare(theirs, ours, x, [each.detach() for each in hx] if kind == "LSTM" else hx.detach())
    compare(theirs, ours, x[:, 0])
    lengths = torch.tensor([2, 4, 1] if not shape.get("batch_first") else [2, 3, 1, 3])
    packed = rnn.pack_padded_sequence(x, lengths, batch_first=bool(shape.get("batch_first")), enforce_sorted=False)
    compare(theirs, ours, packed)


@pytest.mark.parametrize(("kind", "options"), KINDS[:1] + KINDS[2:4], ids=lambda value: str(value))
def test_states_are_changed_in_place_between_calls(kind: str, options: dict[str, Any]) -> None:
    theirs, ours = both(kind, **options)
    x, results = torch.randn(6, 3, 5), []
    for module in (theirs, ours):
        hx = module(x[:2])[1]
        hx = module(x[2:4], hx)[1]
        for each in flat(hx):
            each[:, 1] = 0  # a row begins anew
        y, _ = module(x[4:], hx)
        y.square().sum().backward()
        results.append([y, *(each.grad for each in module.parameters())])
    close(results[1], results[0], 1e-5)


def test_initial_parameters_are_those_of_pytorch() -> None:
    for kind, options in KINDS:
        torch.manual_seed(3)
        theirs = getattr(torch.nn, kind)(5, 7, num_layers=2, **options)
        torch.manual_seed(3)
        ours = getattr(home, kind)(5, 7, num_layers=2, **options)
        close([*ours.parameters()], [*theirs.parameters()], 0)


@pytest.mark.parametrize(
    ("kind", "options"), KINDS, ids=lambda value: value if isinstance(value, str) else "-".join(value)
)
def test_from_module(kind: str, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, kind)(
        5, 7, num_layers=2, dropout=0.5, bidirectional=True, dtype=torch.float64, **options
    )
    theirs.weight_hh_l0.requires_grad_(False)
    theirs.eval()
    ours = home.from_module(theirs)
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    close(ours(x), theirs(x), 1e-12)
    assert not ours.training
    assert not ours.weight_hh_l0.requires_grad
    with pytest.raises(TypeError, match=r"expected nn\.LSTM, nn\.GRU or nn\.RNN, found Linear"):
        home.from_module(torch.nn.Linear(2, 3))
    torch.nn.utils.parametrizations.weight_norm(theirs, "weight_hh_l1")
    with pytest.raises(ValueError, match="from_module: the module has parametrisations"):
        home.from_module(theirs)


@pytest.mark.parametrize(
    "name", ["lstm", "gru", "gru_reset_after", "rnn", *sorted(CELLS.glob("*.toml"))], ids=lambda name: Path(name).stem
)
def test_a_layer_of_any_cell_computes_what_the_numpy_kernels_do(name: Any) -> None:
    cell = symrnn.load(name)
    sizes = dict.fromkeys(cell.sizes[2:], 4)
    width = 6 if cell.input_is_hidden else 5
    layer = home.Layer(cell, width, 6, dtype=torch.float64, **sizes)
    kernels = symrnn.build(cell, "numpy")
    x = torch.randn(7, 3, width, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([7, 0, 4])
    y, hx = layer(x, lengths=lengths)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    params = layer.numpy_params()
    expected, final, tape = kernels.forward(params, x.detach().numpy(), lengths=lengths.numpy())
    grads = kernels.backward(params, tape, dy.numpy())
    close(
        [y, *flat(hx)], [torch.from_numpy(each) for each in (expected, *(each[None] for each in final.values()))], 1e-12
    )
    close(x.grad, torch.from_numpy(grads.x), 1e-12)
    for parameter, grad in grads.params.items():
        close(getattr(layer, f"{parameter}_l0").grad, torch.from_numpy(grad), 1e-11)


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_no_steps_and_no_rows(steps: int, rows: int) -> None:
    layer = home.Layer("gru", 5, 7)
    x, hx = torch.randn(steps, rows, 5, requires_grad=True), torch.randn(1, rows, 7, requires_grad=True)
    y, final = layer(x, hx)
    assert y.shape == (steps, rows, 7)
    (y.sum() + final.sum()).backward()
    assert x.grad.shape == x.shape
    if not steps:
        close([final, hx.grad], [hx, torch.ones_like(hx)], 0)
        assert not layer.W_xz_l0.grad.any()


def test_steps_one_by_one_are_a_sequence() -> None:
    layer = home.LSTM(5, 7, num_layers=2)
    x = torch.randn(4, 3, 5)
    y, final = layer(x)
    hx, found = None, []
    for x_t in x:
        y_t, hx = layer.step(x_t, hx)
        found.append(y_t)
    close([torch.stack(found), *flat(hx)], [y, *flat(final)])
    y_t, hx = layer.step(x[0, 0])
    close([y_t, hx[0]], [y[0, 0], layer(x[:1, 0])[1][0]])
    with pytest.raises(ValueError, match="bidirectional"):
        home.LSTM(5, 7, bidirectional=True).step(x[0])


def test_copies_and_files() -> None:
    layer = home.Layer(CELLS / "peephole_lstm.toml", 5, 7, num_layers=2, bidirectional=True)
    x = torch.randn(4, 3, 5)
    expected = layer(x)
    again = pickle.loads(pickle.dumps(layer))
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for each in (copy.deepcopy(layer), again, torch.load(file, weights_only=False)):
        close(each(x), expected, 0)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = home.Layer(CELLS / "peephole_lstm.toml", 5, 7, num_layers=2, bidirectional=True)
    other.load_state_dict(torch.load(file))
    close(other(x), expected, 0)


@pytest.mark.parametrize("way", ["device", "default device", "skip_init"])
@pytest.mark.parametrize("kind", ["Layer", "LSTM"])
def test_a_layer_without_memory_gets_its_parameters_later(kind: str, way: str) -> None:
    make, sizes = getattr(home, kind), ("gru", 5, 7) if kind == "Layer" else (5, 7)
    if way == "skip_init":
        layer = torch.nn.utils.skip_init(make, *sizes)
    else:
        if way == "device":
            layer = make(*sizes, device="meta")
        else:
            with torch.device("meta"):
                layer = make(*sizes)
        y, _ = layer(torch.empty(4, 3, 5, device="meta"))
        assert y.is_meta
        assert y.shape == (4, 3, 7)
        layer = layer.to_empty(device="cpu")
    torch.manual_seed(3)
    layer.reset_parameters()
    torch.manual_seed(3)
    now, x = make(*sizes), torch.randn(4, 3, 5)
    close(layer(x)[0], now(x)[0], 0)
    later = make(*sizes, device="meta")
    later.load_state_dict(now.state_dict(), assign=True)
    close(later(x)[0], now(x)[0], 0)


def test_a_layer_of_shapes_alone() -> None:
    """``FakeTensorMode`` has no numbers, so none can be drawn."""
    fake = importlib.import_module("torch._subclasses.fake_tensor")
    with fake.FakeTensorMode():
        layer = home.Layer("gru", 5, 7, num_layers=2)
        y, _ = layer(torch.randn(4, 3, 5))
        y.sum().backward()
    assert type(y) is fake.FakeTensor
    assert y.shape == (4, 3, 7)
    assert layer.W_xz_l1.grad.shape == (7, 7)


def test_dropout_stands_between_layers() -> None:
    layer = home.LSTM(5, 7, num_layers=2, dropout=1.0)
    x = torch.randn(4, 3, 5)
    close(layer(x)[0], layer(torch.randn(4, 3, 5))[0])
    layer.eval()
    assert not torch.equal(layer(x)[0], layer(2 * x)[0])


@pytest.mark.parametrize("make", [lambda: home.LSTM(5, 7, dropout=0.5), lambda: home.Layer("gru", 5, 7, dropout=0.5)])
def test_dropout_of_one_layer_is_told(make: Any) -> None:
    with pytest.warns(
        UserWarning, match=r"dropout: 0\.5 has no effect: it stands between layers, and there is one"
    ) as told:
        make()
    assert told[0].filename == __file__


def test_a_function_whose_cell_has_no_parameters() -> None:
    decay = symrnn.Cell.from_equations("h' = 0.5 * h + x", name="decaying")
    layer, x = home.Layer(decay, 5, 5), torch.randn(4, 3, 5, requires_grad=True)
    y, final = home.functional(decay)(x, {})
    close([y, final["h"]], [layer(x, {})[0], y[-1]])
    y.sum().backward()
    close(x.grad[:, 0, 0], torch.tensor([1.875, 1.75, 1.5, 1.0]))
    with pytest.raises(
        ValueError, match="b: hidden is 7 by b, and input is 5 by x; the equations force them to be equal"
    ):
        home.functional(symrnn.Cell.from_equations("h' = b * h + x", name="forced"))(x, {"b": torch.ones(7)})


def test_parameters_leave_for_c() -> None:
    layer = home.LSTM(5, 7, bidirectional=True)
    x = torch.randn(4, 3, 5)
    k = symrnn.build(symrnn.load("lstm"), "numpy")
    there = k.infer(layer.numpy_params(), x.numpy())[0]
    back = k.infer(layer.numpy_params(reverse=True), x.numpy(), reverse=True)[0]
    close(layer(x)[0], torch.from_numpy(np.concatenate([there, back], -1)))
    with pytest.raises(ValueError, match="there is no run layer=1, reverse=True: num_layers is 1, bidirectional True"):
        layer.numpy_params(1, reverse=True)
    with pytest.raises(ValueError, match="there is no run layer=0, reverse=True: num_layers is 1, bidirectional False"):
        home.LSTM(5, 7).numpy_params(reverse=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: home.Layer("gru", 5, 7, bias=False), "bias: the biases of a cell are those of its equations"),
        (lambda: home.Layer("gru", 5, 0), "hidden: expected a whole number of at least 1, found 0"),
        (lambda: home.Layer("gru", 5, 7, projection=3), "'projection' is no argument and no size of the cell"),
        (lambda: home.Layer(CELLS / "projection_lstm.toml", 5, 7), "the size '.*' is missing; give it as"),
        (lambda: home.Layer("gru", 5, 7, num_layers=0), "num_layers: expected"),
        (lambda: home.Layer("gru", 5, 7, dropout=2), "dropout: expected"),
        (lambda: home.Layer("gru", 5, 7, threads=0), "threads: expected"),
        (lambda: home.Layer("gru", 5, 7, layout="torch"), r"no layout 'torch'; write one as \[layouts.torch\]"),
        (lambda: home.LSTM(5, 7, proj_size=7), "proj_size: expected"),
        (lambda: home.Layer("lstm", 5, 7, proj_size=3), "proj_size: .* the modules LSTM and RNN take it"),
        (lambda: home.Layer("rnn", 5, 7, nonlinearity="relu"), "nonlinearity: .* the modules LSTM and RNN take it"),
        (lambda: home.RNN(5, 7, nonlinearity="gelu"), "nonlinearity: expected tanh or relu, found 'gelu'"),
        (lambda: home.Layer("gru", 5, 7)(torch.ones(4, 3, 6)), "x: expected 5 numbers in each row"),
        (lambda: home.Layer("gru", 5, 7)(torch.ones(5)), "x: expected three axes, or two for one row"),
        (lambda: home.Layer("gru", 5, 7)(torch.ones(4, 3, 5), torch.ones(1, 2, 7)), "hx: expected h of shape"),
        (
            lambda: home.LSTM(5, 7)(torch.ones(4, 3, 5), torch.ones(1, 3, 7)),
            r"hx: expected a tuple \(h, c\), found 1 tensor",
        ),
        (lambda: home.Layer("gru", 5, 7)(torch.ones(4, 3, 5), lengths=torch.ones(2, dtype=int)), "lengths: expected"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_lengths_beyond_the_steps_are_refused() -> None:
    layer = home.Layer("gru", 5, 7)
    for lengths in ([5, 1, 1], [-1, 1, 1]):
        with pytest.raises(ValueError, match=f"lengths: expected 0 to 4, the steps of x, found {lengths[0]} in row 0"):
            layer(torch.ones(4, 3, 5), lengths=torch.tensor(lengths))
    with pytest.raises(TypeError, match="lengths: expected whole numbers"):
        layer(torch.ones(4, 3, 5), lengths=torch.ones(3))


def test_states_may_be_given_by_name() -> None:
    layer, x = home.Layer("lstm", 5, 7), torch.randn(4, 3, 5)
    h, c = torch.randn(1, 3, 7), torch.randn(1, 3, 7)
    assert layer.states == ("c", "h")
    close(layer(x, {"h": h, "c": c})[0], layer(x, (c, h))[0])
    for zeros in ({"h": h}, {"h": h, "c": None}, (None, h)):
        close(layer(x, zeros)[0], layer(x, (torch.zeros_like(c), h))[0])
    with pytest.raises(ValueError, match="hx: unknown name 'g'; expected c, h"):
        layer(x, {"g": h})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: home.Layer("gru", 2, 3)([[1.0, 2.0]]), "x: expected a tensor, found list"),
        (lambda: home.Layer("gru", 2, 3).step(np.ones(2)), "x_t: expected a tensor, found ndarray"),
        (lambda: home.Layer("gru", 2, 3)(torch.ones(1, 1, 2), {"h": 0}), "hx: h: expected a tensor, found int"),
        (lambda: home.functional("gru")(None, {}), "x: expected a tensor, found NoneType"),
        (lambda: home.functional("gru")(torch.ones(1, 1, 2), []), r"params: expected a dict of tensors by name \(W_xz"),
    ],
)
def test_what_is_no_tensor_is_named(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_a_state_that_is_no_dict_is_refused() -> None:
    params = {name: torch.from_numpy(each) for name, each in home.Layer("gru", 2, 3).numpy_params().items()}
    with pytest.raises(TypeError, match=r"state: expected a dict of tensors by name \(h\), found Tensor"):
        home.functional("gru")(torch.ones(1, 2, 2), params, torch.ones(2, 3))


def test_a_name_that_may_be_misspelt_is_told() -> None:
    cell = symrnn.Cell.from_equations("upd = sigmoid(W @ x)\nh' = upd * h + (1 - upp) * tanh(U @ x)", name="doubtful")
    with pytest.warns(UserWarning, match="doubtful: `upp` is never assigned, so it is a new parameter") as told:
        home.Layer(cell, 2, 3)
    assert told[0].filename == __file__


def test_a_layout_in_another_order_and_of_another_file(tmp_path: Path) -> None:
    text = 'name = "both"\nequations = "h\' = tanh(W_a @ x + 10 * (W_b @ x) + U @ h)"\n'
    stacks = '\n[layouts.torch]\nW_b = ["W_b"]\nW_a = ["W_a"]\nU = ["U"]\n'
    (tmp_path / "plain.toml").write_text(text)
    (tmp_path / "stacked.toml").write_text(text + stacks)
    plain = home.Layer(tmp_path / "plain.toml", 3, 3)
    stacked = home.Layer(tmp_path / "stacked.toml", 3, 3, layout="torch")
    stacked.load_state_dict(plain.state_dict())
    x = torch.randn(4, 2, 3)
    close(stacked(x), plain(x))
    with pytest.raises(ValueError, match="no layout 'torch'"):
        home.Layer(tmp_path / "plain.toml", 3, 3, layout="torch")


def test_the_tensor_of_another_dtype_is_named() -> None:
    layer = home.LSTM(3, 4, bias=False)
    with pytest.raises(TypeError, match=r"^c: expected torch\.float32"):
        layer(torch.randn(2, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4, dtype=torch.float64)))
    with pytest.raises(ValueError, match="x_t: expected 3 numbers in each row"):
        layer.step(torch.randn(2, 5))
    with pytest.raises(ValueError, match="threads: expected None or a whole number from 1 to 1024, found -3"):
        home.Layer("gru", 3, 4, threads=-3)
    assert home.Layer("gru", 3, 4, dtype=torch.bfloat16).numpy_params()["W_xz"].dtype == np.float32
    assert repr(layer) == "LSTM(lstm, 3, 4, layout=torch, bias=False)"
