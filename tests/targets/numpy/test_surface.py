"""The surface of the NumPy modules: what is taken, what is refused and how, where results go, streaming."""

from __future__ import annotations

import ast
import copy
import inspect
import math
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.errors import GenerateError
from symrnn.language.functions import FUNCTIONS, PRIMITIVE
from symrnn.targets.c.polynomials import constants
from symrnn.targets.numpy.functions import SPELLINGS
from templates.numpy import functions
from templates.numpy.functions import _sigmoid
from tests.targets.numpy.numpy_cells import load, module

T, B, I, H = 5, 3, 4, 6  # noqa: E741 - the letters of the legend
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(params=["gru", "projection_lstm"])
def k(request: pytest.FixtureRequest) -> Any:
    return module(request.param)


def problem(k: Any, dtype: str = "float64") -> tuple[dict[str, Array], Array]:
    extra = {"projection": 2} if k.CELL == "projection_lstm" else {}
    params = k.init_params(I, H, **extra, seed=1, dtype=dtype)
    x = np.random.default_rng(2).standard_normal((T, B, I)).astype(dtype)
    return params, x


def everything(k: Any, params: Any, x: Array) -> list[Array]:
    """All results of a training step, and those of inference."""
    y, state, tape = k.forward(params, x)
    grads = k.backward(params, tape, np.ones_like(y))
    again, _ = k.infer(params, x)
    return [y, again, *state.values(), grads.x, *grads.params.values(), *grads.state.values()]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "complex64", "complex128"])
def test_results_have_the_dtype_of_the_input_and_its_precision(k: Any, dtype: str) -> None:
    params, x = problem(k, dtype)
    wide = {name: array.astype("complex256" if x.dtype.kind == "c" else "longdouble") for name, array in params.items()}
    exact = everything(k, wide, x.astype(next(iter(wide.values())).dtype))
    for found, expected in zip(everything(k, params, x), exact, strict=True):
        assert found.dtype == dtype
        error = np.abs(found - expected).max()
        assert error <= 100 * np.finfo(dtype).eps * max(1, np.abs(expected).max())


def test_strided_and_read_only_and_integer_arrays_are_taken(k: Any) -> None:
    params, x = problem(k)
    expected = everything(k, params, x)
    strided = np.zeros((T, 2 * B, I + 3))[:, ::2, 3:]
    strided[...] = x
    strided.flags.writeable = False
    others = {name: np.asfortranarray(array) for name, array in params.items()}
    for found, wanted in zip(everything(k, others, strided), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    y, _ = k.infer(params, np.ones((T, B, I), dtype=np.int32))
    assert y.dtype == np.float64


def test_numbers_of_another_byte_order_are_taken(k: Any) -> None:
    params, x = problem(k)
    turned = {name: array.astype(array.dtype.newbyteorder()) for name, array in params.items()}
    for found, expected in zip(
        everything(k, turned, x.astype(x.dtype.newbyteorder())), everything(k, params, x), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_copy_of_packed_parameters_is_packed_by_itself(k: Any) -> None:
    params, x = problem(k)
    packed = k.pack(params)
    expected = k.infer(packed, x)[0]
    for other in (copy.deepcopy(packed), copy.copy(packed)):
        assert not other.panels
        assert not any(array.flags.writeable for array in other.values())
        np.testing.assert_array_equal(k.infer(other, x)[0], expected)


def test_parameters_packed_once_give_the_same_and_are_a_snapshot(k: Any) -> None:
    params, x = problem(k)
    packed = k.pack(params)
    before = everything(k, packed, x)
    for array in params.values():
        array *= 2
    for one, other in zip(before, everything(k, packed, x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert k.pack(packed) is packed
    assert set(packed) == set(params)


def test_a_reversed_run_is_a_run_of_the_reversed_input(k: Any) -> None:
    params, x = problem(k)
    y, state, tape = k.forward(params, x[::-1])
    turned, state_too, tape_too = k.forward(params, x, reverse=True)
    np.testing.assert_array_equal(turned[::-1], y)
    for name in state:
        np.testing.assert_array_equal(state_too[name], state[name])
        np.testing.assert_array_equal(tape_too.states[name][::-1], tape.states[name])
        np.testing.assert_array_equal(tape_too.states[name][0], state[name])


def test_what_stands_beyond_a_length_takes_no_part(k: Any) -> None:
    params, x = problem(k)
    lengths = np.array([T, 0, 2])
    dirty = x.copy()
    dirty[np.arange(T)[:, None] >= lengths] = np.nan
    y, state, tape = k.forward(params, dirty, lengths=lengths)
    grads = k.backward(params, tape, np.where(np.isnan(dirty[..., :1]), np.nan, np.ones_like(y)))
    alone, alone_state = k.infer(params, x[:2, 2:])
    np.testing.assert_allclose(y[:2, 2], alone[:, 0], rtol=0, atol=1e-14)
    assert not y[2:, 2].any()
    for name, array in state.items():
        np.testing.assert_allclose(array[2], alone_state[name][0], rtol=0, atol=1e-14)
    assert all(np.isfinite(array).all() for array in (grads.x, *grads.params.values(), *grads.state.values()))
    assert not grads.x[:, 1].any()


def test_results_go_where_out_says(k: Any) -> None:
    params, x = problem(k)
    y, _, tape = k.forward(params, x)
    for call in (k.forward, k.infer):
        out = np.full((2 * T, *y.shape[1:]), np.nan)[::2]
        assert call(params, x, out=out)[0] is out
        np.testing.assert_allclose(out, y, rtol=0, atol=1e-14)
    one = np.empty(y.shape[1:])
    y_t, _ = k.step(params, x[0], out=one)
    assert np.shares_memory(y_t, one)
    np.testing.assert_allclose(one, y[0], rtol=0, atol=1e-14)
    dy, _ = k.jvp(params, x, None, None, x, None)
    out = np.empty_like(dy)
    assert k.jvp(params, x, None, None, x, None, out=out)[0] is out
    np.testing.assert_array_equal(out, dy)
    first = k.backward(params, tape, np.ones_like(y))
    second = k.backward(params, tape, np.ones_like(y))
    assert k.backward(params, tape, np.ones_like(y), out=second, accumulate=True) is second
    for name, array in first.params.items():
        np.testing.assert_array_equal(second.params[name], 2 * array)
    np.testing.assert_array_equal(second.x, 2 * first.x)
    assert k.backward(params, tape, np.ones_like(y), out=second) is second
    np.testing.assert_array_equal(second.x, first.x)


def test_an_output_may_take_the_place_of_the_input() -> None:
    k = module("gru")
    params = k.init_params(I, I, dtype="float64")
    x = np.random.default_rng(0).standard_normal((T, B, I))
    expected, _ = k.infer(params, x)
    found, _ = k.infer(params, x, out=x)
    assert found is x
    np.testing.assert_array_equal(x, expected)


def test_a_tape_is_independent_of_what_follows(k: Any) -> None:
    params, x = problem(k)
    y, state, tape = k.forward(params, x)
    grads = k.backward(params, tape, np.ones_like(y))
    y[...] = np.nan
    for array in state.values():
        array[...] = np.nan
    k.forward(params, 2 * x)
    again = k.backward(params, tape, np.ones_like(y))
    np.testing.assert_array_equal(again.x, grads.x)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, r"x: expected \(T, B, input\), found shape \(3, 4\)", lambda k, p, x: k.infer(p, x[0])),
        (ValueError, r"x: expected 4 numbers in each row, .* \(5, 3, 3\)", lambda k, p, x: k.infer(p, x[..., 1:])),
        (ValueError, r"x_t: expected \(B, input\), found shape \(5, 3, 4\)", lambda k, p, x: k.step(p, x)),
        (TypeError, "x: expected numbers, found an array of <U1", lambda k, p, x: k.infer(p, [[["a"]]])),
        (TypeError, "params: expected a mapping of .*, found list", lambda k, p, x: k.infer([], x)),
        (ValueError, "params: 'b_z' is missing", lambda k, p, x: k.pack({n: p[n] for n in p if n != "b_z"})),
        (ValueError, "params: unknown name 'V'; expected W_xz", lambda k, p, x: k.pack({**p, "V": x})),
        (ValueError, r"params\['b_z'\]: hidden is 6 by params\['W_xz'\], but 5 by its shape \(5,\)",
         lambda k, p, x: k.pack({**p, "b_z": p["b_z"][1:]})),
        (ValueError, r"state\['h'\]: expected shape \(3, 6\), found \(6,\)", lambda k, p, x: k.infer(p, x, {"h": np.ones(6)})),
        (ValueError, "state: unknown name 'c'; expected h", lambda k, p, x: k.infer(p, x, {"c": np.ones(6)})),
        (ValueError, r"lengths: expected shape \(3,\), found \(2,\)", lambda k, p, x: k.infer(p, x, lengths=[1, 2])),
        (ValueError, "lengths: expected numbers from 0 to 5, found 1 to 6", lambda k, p, x: k.infer(p, x, lengths=[1, 2, 6])),
        (TypeError, "lengths: expected whole numbers", lambda k, p, x: k.infer(p, x, lengths=[1.0, 2.0, 3.0])),
        (ValueError, "threads: expected None or a whole number of at least 1, found 0",
         lambda k, p, x: k.forward(p, x, threads=0)),
        (ValueError, "threads: .* found True", lambda k, p, x: k.infer(p, x, threads=True)),
        (ValueError, r"out: expected a writable array float64 \(5, 3, 6\), found float32 \(5, 3, 6\)",
         lambda k, p, x: k.infer(p, x, out=np.empty((5, 3, 6), np.float32))),
        (ValueError, "out: expected a writable array, found list", lambda k, p, x: k.step(p, x[0], out=[])),
        (TypeError, "tape: expected the tape that forward returned, found dict", lambda k, p, x: k.backward(p, {}, x)),
        (ValueError, r"dy: expected shape \(5, 3, 6\), found \(5, 3, 4\)",
         lambda k, p, x: k.backward(p, k.forward(p, x)[2], x)),
        (TypeError, "out: expected Grads, found ndarray",
         lambda k, p, x: k.backward(p, k.forward(p, x)[2], np.ones((5, 3, 6)), out=x)),
        (ValueError, r"dx: expected shape \(5, 3, 4\)", lambda k, p, x: k.jvp(p, x, None, None, x[1:], None)),
        (ValueError, r"dparams\['b_z'\]: expected shape \(6,\)", lambda k, p, x: k.jvp(p, x, None, {"b_z": x}, None, None)),
        (ValueError, "dtype: expected one of float16, .*, found 'int8'", lambda k, p, x: k.init_params(4, 6, dtype="int8")),
        (ValueError, "input: expected a whole number of at least 1, found 0", lambda k, p, x: k.init_params(0, 6)),
        (ValueError, r"x_t: expected shape \(3, 4\), found \(2, 4\)", lambda k, p, x: k.stream(p, batch=3)(x[0, :2])),
        (ValueError, "batch: expected a whole number of rows, found -1", lambda k, p, x: k.stream(p, batch=-1)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_was_expected(error: type[Exception], message: str, call: Any) -> None:
    k = module("gru")
    params, x = problem(k)
    with pytest.raises(error, match=message):
        call(k, params, x)


@pytest.mark.parametrize("threads", [None, 1, 2, np.int64(3)])
def test_threads_are_taken(k: Any, threads: Any) -> None:
    params, x = problem(k)
    y, _, tape = k.forward(params, x, threads=threads)
    k.backward(params, tape, y, threads=threads)
    np.testing.assert_allclose(k.infer(params, x, threads=threads)[0], y, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_stream_keeps_its_state_in_place(k: Any, dtype: str) -> None:
    params, x = problem(k, dtype)
    y, state = k.infer(params, x)
    stream = k.stream(params, batch=B)
    arrays = dict(stream.state)
    for _ in range(2):
        found = np.stack([stream(x_t) for x_t in x])
        np.testing.assert_allclose(found, y, rtol=0, atol=10 * float(np.finfo(dtype).eps))
        for name, array in stream.state.items():
            assert array is arrays[name]
            assert array.dtype == dtype
            np.testing.assert_allclose(array, state[name], rtol=0, atol=10 * float(np.finfo(dtype).eps))
        stream.reset()
        assert not any(array.any() for array in stream.state.values())


def test_build_says_what_init_params_makes() -> None:
    cell = load("rnn")
    double, single = symrnn.build(cell, dtype="float64"), symrnn.build(cell)
    assert {array.dtype for array in double.init_params(2, 3).values()} == {np.dtype("float64")}
    assert {array.dtype for array in single.init_params(2, 3).values()} == {np.dtype("float32")}
    assert {array.dtype for array in double.init_params(2, 3, dtype="float32").values()} == {np.dtype("float32")}
    with pytest.raises(GenerateError, match="dtype 'int8': the kernels of backend numpy run in float16, float32"):
        symrnn.build(cell, dtype="int8")
    with pytest.raises(GenerateError, match="dtype 'complex64': the kernels of backend c run in float32, float64;"):
        symrnn.render(cell, backends=("c",), dtype="complex64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sigmoid_is_right_to_a_few_units_in_the_last_place(dtype: str) -> None:
    a = np.linspace(-80, 80, 100_001).astype(dtype)
    wide = a.astype(np.longdouble)
    exact = 1 / (1 + np.exp(-wide))
    assert np.max(np.abs(_sigmoid(a) - exact) / exact) <= 4 * np.finfo(dtype).eps
    with np.errstate(over="ignore"):
        far = _sigmoid(np.array([-np.inf, -1e4, 1e4, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(far, np.array([0, 0, 1, 1, np.nan], dtype))


def test_the_sigmoid_of_complex_numbers_is_neither_folded_nor_overflows() -> None:
    a = np.linspace(-750, 750, 1501) + 1e-30j
    found = _sigmoid(a)
    inner = np.abs(a.real) < 600
    expected = _sigmoid(a.real[inner]) * _sigmoid(-a.real[inner])
    np.testing.assert_allclose(found.imag[inner] / 1e-30, expected, rtol=1e-13)
    assert np.isfinite(found).all()


def test_a_function_may_write_over_its_argument() -> None:
    rng = np.random.default_rng(3)
    for dtype in ("float32", "complex128"):
        for name in PRIMITIVE:
            row, callee = FUNCTIONS[name], SPELLINGS[name]
            call = getattr(functions, callee, None) or getattr(np, callee.removeprefix("np."))
            a, *others = (rng.uniform(0.1, 2, (2, 7)).astype(dtype) for _ in range(row.arity))
            arguments = (a, *others)
            expected = call(*arguments)
            assert call(*arguments, out=a) is a
            np.testing.assert_array_equal(a, expected, err_msg=row.name)


@pytest.mark.parametrize(("helper", "polynomial"), [("_erf_near", "erf"), ("_erfc_far", "erfc")])
def test_error_functions_have_the_coefficients_of_the_double_runtime(helper: str, polynomial: str) -> None:
    source = ast.parse(inspect.getsource(getattr(functions, helper)))
    (loop,) = (node for node in ast.walk(source) if isinstance(node, ast.For))
    assert ast.literal_eval(loop.iter) == tuple(map(float, getattr(constants("f64"), polynomial)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_error_functions_are_right_to_a_few_units_in_the_last_place(dtype: str) -> None:
    a = np.concatenate([np.linspace(-6, 6, 20_001), np.linspace(-26, 26, 2001), [-0.0, 1e-300, -1e-30]]).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        found = {"erf": functions._erf(a), "erfc": functions._erfc(a)}
    for name, most in (("erf", 3), ("erfc", 12)):
        exact = np.array([getattr(math, name)(float(value)) for value in a])
        unit = np.spacing(np.abs(exact).astype(dtype)).astype(float)
        assert found[name].dtype == dtype
        assert np.max(np.abs(found[name].astype(float) - exact) / unit) <= most
    np.testing.assert_array_equal(functions._erf(np.array([-np.inf, np.inf, np.nan])), [-1, 1, np.nan])
    np.testing.assert_array_equal(functions._erfc(np.array([-np.inf, np.inf, np.nan])), [2, 0, np.nan])


def test_error_functions_take_a_complex_step() -> None:
    a = np.linspace(-6, 6, 1001)
    slope = 2 / math.sqrt(math.pi) * np.exp(-a * a)
    for helper, sign in ((functions._erf, 1), (functions._erfc, -1)):
        np.testing.assert_allclose(helper(a + 1e-200j).imag / 1e-200, sign * slope, rtol=1e-12, atol=1e-15)
