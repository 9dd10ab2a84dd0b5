"""The vector mathematics of the emitted C: error in units in the last place, limits, lanes, and clean compilation.

Every check runs on each target that this machine can run: the registers of its own, AVX2, SSE2, no fused
multiply-add, and the plain path. The bound is 2 units in the last place (ULP) over the whole range.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import mpmath
import numpy as np
import pytest
import sympy

from symrnn.emit import vector
from symrnn.emit.polynomials import EXPONENT, MANTISSA
from symrnn.language.functions import FUNCTIONS

Array = np.ndarray[Any, Any]

HERE = Path(__file__).parent
TEMPLATE = HERE.parents[1] / "templates" / "c" / "vector.c.jinja"
COMPILER = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
SPEED = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
TARGETS = {
    "native": ("-O3", "-march=native"),
    "unfused": ("-O2", "-march=native", "-ffp-contract=off"),
    "avx2": ("-O3", "-march=x86-64-v3"),
    "sse2": ("-O3", "-march=x86-64"),
    "plain": ("-O2", "-DSYMRNN_PLAIN"),
    "plain-native": ("-O3", "-march=native", "-DSYMRNN_PLAIN"),
}
BITS = {"f32": np.uint32, "f64": np.uint64}
REAL: dict[str, Any] = {"f32": np.float32, "f64": np.float64}
SMALLEST = {"f32": -149, "f64": -1074}
UNARY = [f"v_{name}" for name in ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sqrt", "sin", "cos", "abs")]
UNARY += [f"f_{name}" for name, row in FUNCTIONS.items() if row.arity == 1]
BINARY = [f"f_{name}" for name, row in FUNCTIONS.items() if row.arity == 2]
ACCURATE = ("v_exp", "v_expm1", "v_log", "v_log1p", "v_tanh", "v_sigmoid", "f_softplus")
"""What must be within 2 ULP."""

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def render(precision: str, needed: Iterable[str]) -> str:
    """The vector text of one precision."""
    context = vector.vector_context(precision, needed)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render({field.name: getattr(context, field.name) for field in dataclasses.fields(context)})


def _runs(target: str) -> bool:
    """Whether this machine runs what is compiled for ``target``."""
    if target not in ("avx2", "sse2"):
        return True
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    features = Path("/proc/cpuinfo")
    return target == "sse2" or (features.exists() and {"avx2", "fma"} <= set(features.read_text().split()))


def compile_c(directory: Path, arguments: Iterable[str]) -> None:
    """Run the compiler in ``directory``; its messages are the failure."""
    assert COMPILER is not None
    command = [COMPILER, *STRICT, *SPEED, *arguments, "-lm"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def _list(word: str, names: list[str]) -> str:
    rows = [f"X({name}, {p}, {'float' if p == 'f32' else 'double'})" for p in vector.PRECISIONS for name in names]
    return f"#define {word}(X) {' '.join(rows)}\n"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the whole vector text, where the harness compiles."""
    directory = tmp_path_factory.mktemp("vector")
    everything = [*vector.PRIMITIVES, *FUNCTIONS]
    text = "\n".join(render(p, everything) for p in vector.PRECISIONS)
    (directory / "vector_text.h").write_text(text + "\n" + _list("UNARY", UNARY) + _list("BINARY", BINARY))
    return directory


@pytest.fixture(scope="module", params=TARGETS)
def library(request: pytest.FixtureRequest, sources: Path) -> ctypes.CDLL:
    """The harness, compiled for one target and loaded."""
    if COMPILER is None or not _runs(request.param):
        pytest.skip("no C compiler" if COMPILER is None else f"this machine does not run {request.param}")
    path = sources / f"{request.param}.so"
    flags = TARGETS[request.param]
    compile_c(sources, [*flags, "-shared", "-fPIC", f"-I{sources}", str(HERE / "vector_harness.c"), "-o", str(path)])
    return ctypes.CDLL(str(path))


def run(library: ctypes.CDLL, name: str, *arguments: Array) -> Array:
    """``name`` over arrays of one precision."""
    precision = "f32" if arguments[0].dtype == np.float32 else "f64"
    arrays = [np.ascontiguousarray(argument) for argument in arguments]
    y = np.empty_like(arrays[0])
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays, y)]
    library[f"run_{name}_{precision}"](*pointers, ctypes.c_size_t(y.size))
    return y


# ---- error in units in the last place ----


def ulp_error(y: Array, high: Array, low: Array) -> Array:
    """``|y - (high + low)|`` in ULP of ``high``, in the precision of ``y``; infinite where only one of them is NaN.

    ``low`` is given in ULP. An infinity counts as one ULP beyond the largest number.
    """
    precision = "f32" if y.dtype == np.float32 else "f64"
    largest = float(np.finfo(y.dtype).max)

    def finite(values: Array) -> tuple[Array, Array]:
        infinite = np.isinf(values)
        beyond = np.where(infinite, np.copysign(1.0, values), 0.0)
        return np.where(infinite, np.copysign(largest, values), values), beyond

    if precision == "f32":
        high = np.where(np.abs(high) >= 2.0**128, np.copysign(np.inf, high), high)
    with np.errstate(invalid="ignore"):  # A signalling NaN.
        got, got_beyond = finite(y.astype(np.float64))
    exact, exact_beyond = finite(high)
    exponent = np.frexp(exact)[1] - MANTISSA[precision]
    exponent = np.where(exact == 0, SMALLEST[precision], np.maximum(exponent, SMALLEST[precision]))
    with np.errstate(over="ignore"):
        error = np.abs(np.ldexp(got - exact, -exponent) + (got_beyond - exact_beyond) - low)
    return np.where(np.isnan(y) | np.isnan(high), np.where(np.isnan(y) & np.isnan(high), 0.0, np.inf), error)


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


SINGLE: dict[str, Callable[[Array], Array]] = {
    "v_exp": np.exp,
    "v_expm1": np.expm1,
    "v_log": np.log,
    "v_log1p": np.log1p,
    "v_tanh": np.tanh,
    "v_sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "f_softplus": softplus,
}
"""In double, whose own error does not show in units of single."""


def single_errors(library: ctypes.CDLL, name: str, patterns: Array) -> Array:
    """Errors of ``name`` at the numbers with these bit patterns."""
    x = patterns.astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        exact = SINGLE[name](x.astype(np.float64))
    return ulp_error(run(library, name, x), exact, np.zeros_like(exact))


def hold(name: str, x: Array, errors: Array) -> float:
    """The largest error, held to the bound."""
    at = int(np.argmax(errors))
    assert errors[at] <= 2, f"{name}({x[at]!r}) is off by {errors[at]:.3f} ULP"
    return float(errors[at])


@needs_compiler
@pytest.mark.parametrize("name", ACCURATE)
def test_single_within_two_ulp(library: ctypes.CDLL, name: str) -> None:
    patterns = np.arange(0, 2**32, 2**14 - 3, dtype=np.uint64)
    # The binades where functions bend, more densely: 2^-4 to 2^7, both signs.
    near = np.arange(123 << 23, 134 << 23, 1021, dtype=np.uint64)
    patterns = np.concatenate([patterns, near, near + 2**31]).astype(np.uint32)
    worst = hold(name, patterns.view(np.float32), single_errors(library, name, patterns))
    print(f"{name} f32 sampled: {worst:.3f} ULP")


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ACCURATE)
def test_single_within_two_ulp_everywhere(library: ctypes.CDLL, name: str) -> None:
    worst = 0.0
    for start in range(0, 2**32, 2**22):
        patterns = np.arange(start, start + 2**22, dtype=np.uint64).astype(np.uint32)
        errors = single_errors(library, name, patterns)
        worst = max(worst, hold(name, patterns.view(np.float32), errors))
    print(f"{name} f32 everywhere: {worst:.3f} ULP")


DOUBLE: dict[str, Callable[[Any], Any]] = {
    "v_exp": mpmath.exp,
    "v_expm1": mpmath.expm1,
    "v_log": mpmath.log,
    "v_log1p": mpmath.log1p,
    "v_tanh": mpmath.tanh,
    "v_sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "f_softplus": lambda x: mpmath.log1p(mpmath.exp(-abs(x))) + max(x, 0),
}


@cache
def double_points(name: str) -> tuple[Array, Array, Array]:
    """Arguments of ``name`` in its domain, the values rounded to double, and what rounding took, in ULP."""
    generator = np.random.default_rng(7)
    anything = generator.integers(0, 2**64, 1500, dtype=np.uint64).view(np.float64)
    parts = [anything[np.isfinite(anything)]]
    parts += [generator.uniform(-high, high, 700) for high in (0.5, 1, 3, 8, 40, 800)]
    parts += [generator.uniform(-750, -705, 400), generator.uniform(705, 712, 100)]
    parts += [np.ldexp(generator.uniform(-1, 1, 400), generator.integers(-80, 4, 400).astype(np.int32))]
    parts += [1 + np.ldexp(generator.uniform(-1, 1, 300), generator.integers(-52, 0, 300).astype(np.int32))]
    parts += [np.ldexp(generator.uniform(0, 1, 100), -1060)]
    x = np.concatenate(parts)
    if name == "v_log":
        x = np.abs(x)
        x = x[x > 0]
    if name == "v_log1p":
        x = np.where(x > -1, x, -x)
    with mpmath.workprec(150):
        exact = [DOUBLE[name](mpmath.mpf(float(value))) for value in x]
        high = np.array([float(value) for value in exact])
        exponent = np.maximum(np.frexp(high)[1] - 53, -1074)
        low = np.array(
            [
                float(mpmath.ldexp(value - mpmath.mpf(near), -int(power))) if math.isfinite(near) else 0.0
                for value, near, power in zip(exact, high.tolist(), exponent, strict=True)
            ]
        )
    return x, high, low


@needs_compiler
@pytest.mark.parametrize("name", ACCURATE)
def test_double_within_two_ulp(library: ctypes.CDLL, name: str) -> None:
    x, high, low = double_points(name)
    worst = hold(name, x, ulp_error(run(library, name, x), high, low))
    print(f"{name} f64 sampled: {worst:.3f} ULP")


def test_ulp_error_tells_errors() -> None:
    for precision in vector.PRECISIONS:
        real = REAL[precision]
        tiny, largest = np.finfo(real).smallest_subnormal, np.finfo(real).max
        y = np.array([1, 1, 4, tiny, 3 * tiny, largest, np.inf, np.inf, np.nan, np.nan, 0], dtype=real)
        below_four = np.nextafter(real(4), real(0))
        exact = [1, np.nextafter(real(1), real(2)), below_four, 0, tiny, np.inf, largest, np.inf, 1, np.nan, np.inf]
        wide = np.array(exact, dtype=np.float64)
        expected = np.array([0, 1, 1, 1, 2, 1, 1, 0, np.inf, 0, 2.0 ** MANTISSA[precision]])  # Counted from 0.
        np.testing.assert_array_equal(ulp_error(y, wide, np.zeros(11)), expected)
        assert ulp_error(y[:1], wide[:1], np.array([0.25])) == 0.25


# ---- limits, signs of zero, NaN ----

LIMITS: dict[str, list[tuple[float, float]]] = {
    "v_exp": [(math.inf, math.inf), (-math.inf, 0.0), (0.0, 1.0), (-0.0, 1.0), (1e4, math.inf), (-1e4, 0.0)],
    "v_expm1": [(math.inf, math.inf), (-math.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (1e4, math.inf), (-1e4, -1.0)],
    "v_log": [(math.inf, math.inf), (-math.inf, math.nan), (0.0, -math.inf), (-0.0, -math.inf), (1.0, 0.0)],
    "v_log1p": [(math.inf, math.inf), (-math.inf, math.nan), (-1.0, -math.inf), (-2.0, math.nan), (-0.0, -0.0)],
    "v_tanh": [(math.inf, 1.0), (-math.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (50.0, 1.0), (-50.0, -1.0)],
    "v_sigmoid": [(math.inf, 1.0), (-math.inf, 0.0), (0.0, 0.5), (-0.0, 0.5), (1e4, 1.0), (-1e4, 0.0)],
    "v_sqrt": [(math.inf, math.inf), (-1.0, math.nan), (0.0, 0.0), (-0.0, -0.0), (2.25, 1.5)],
    "v_abs": [(math.inf, math.inf), (-math.inf, math.inf), (0.0, 0.0), (-0.0, 0.0), (-2.0, 2.0)],
    "v_sin": [(0.0, 0.0), (-0.0, -0.0), (math.inf, math.nan)],
    "v_cos": [(0.0, 1.0), (-math.inf, math.nan)],
}


def same(y: Array, expected: Array) -> Array:
    """Whether numbers agree, zeros by sign too."""
    agree: Array = (y == expected) & (np.signbit(y) == np.signbit(expected))
    return agree | (np.isnan(y) & np.isnan(expected))


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", LIMITS)
def test_limits(library: ctypes.CDLL, name: str, precision: str) -> None:
    x = np.array([pair[0] for pair in LIMITS[name]], dtype=REAL[precision])
    expected = np.array([pair[1] for pair in LIMITS[name]], dtype=REAL[precision])
    y = run(library, name, x)
    assert same(y, expected).all(), f"{name}({x}) = {y}, not {expected}"


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", ACCURATE)
def test_nan_stays_nan(library: ctypes.CDLL, name: str, precision: str) -> None:
    # Every payload bit, both signs: the functions work on bits, where a payload could look like an exponent.
    mantissa = MANTISSA[precision] - 1
    exponent = (2 ** EXPONENT[precision] - 1) << mantissa
    sign = 2 ** (MANTISSA[precision] + EXPONENT[precision] - 1)
    payloads = [1 << bit for bit in range(mantissa)] + [(1 << mantissa) - 1, 0x1A3, (1 << mantissa - 1) + 0x155]
    patterns = [exponent + payload + extra for payload in payloads for extra in (0, sign)]
    x = np.array(patterns, dtype=BITS[precision]).view(REAL[precision])
    assert np.isnan(run(library, name, x)).all()


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", ["v_tanh", "v_expm1", "v_log1p"])
def test_tiny_numbers_are_their_own_value(library: ctypes.CDLL, name: str, precision: str) -> None:
    exponents = np.arange(SMALLEST[precision], -MANTISSA[precision] - 1)
    x = np.ldexp(1.0, exponents).astype(REAL[precision])
    for signed in (x, -x):
        np.testing.assert_array_equal(run(library, name, signed), signed)


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_exp_at_the_ends_of_its_range(library: ctypes.CDLL, precision: str) -> None:
    real = REAL[precision]
    with mpmath.workprec(120):
        last = real(float(mpmath.log(mpmath.mpf(float(np.finfo(real).max)))))
    around = np.array([np.nextafter(last, real(0)), last, np.nextafter(last, real(np.inf))], dtype=real)
    finite = [mpmath.exp(mpmath.mpf(float(x))) <= mpmath.mpf(float(np.finfo(real).max)) for x in around]
    assert np.isfinite(run(library, "v_exp", around)).tolist() == finite
    # The last number whose exponential rounds to the smallest subnormal number, and the one below it.
    with mpmath.workprec(120):
        middle = real(float((SMALLEST[precision] - 1) * mpmath.ln(2)))
    ends = np.array([middle + real(1e-3), middle - real(1e-3)], dtype=real)
    assert run(library, "v_exp", ends).tolist() == [float(np.finfo(real).smallest_subnormal), 0.0]


# ---- lanes ----


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_partial_vectors_touch_their_lanes_only(library: ctypes.CDLL, precision: str) -> None:
    real = REAL[precision]
    lanes = library[f"lanes_{precision}"]()
    for n in range(1, 2 * lanes + 1):
        x = np.arange(1, n + 1, dtype=real)
        y = np.full(lanes, -7, dtype=real)
        library[f"run_load_{precision}"](
            ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_size_t(n)
        )
        np.testing.assert_array_equal(y, [k + 1 if k < n else 0 for k in range(lanes)])
        padded = np.full(n + lanes, -7, dtype=real)
        library[f"run_v_abs_{precision}"](
            ctypes.c_void_p((-x).ctypes.data), ctypes.c_void_p(padded.ctypes.data), ctypes.c_size_t(n)
        )
        np.testing.assert_array_equal(padded, [*x, *[-7] * lanes])


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_hsum_adds_halves(library: ctypes.CDLL, precision: str) -> None:
    real = REAL[precision]
    lanes = library[f"lanes_{precision}"]()
    assert lanes in (1, 2, 4, 8, 16)
    function = library[f"run_hsum_{precision}"]
    function.restype = ctypes.c_float if precision == "f32" else ctypes.c_double
    for trial in range(20):
        generator = np.random.default_rng(trial)
        x = np.ldexp(generator.normal(size=lanes), generator.integers(-20, 20, lanes).astype(np.int32)).astype(real)
        expected = x.copy()
        while expected.size > 1:
            half = expected.size // 2
            expected = expected[:half] + expected[half:]
        assert function(ctypes.c_void_p(x.ctypes.data), ctypes.c_size_t(lanes)) == expected[0]


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_clip_and_pow(library: ctypes.CDLL, precision: str) -> None:
    real, scalar = REAL[precision], ctypes.c_float if precision == "f32" else ctypes.c_double
    x = np.array([-3, -1, -0.5, 0, 0.25, 2, 2.5, np.inf, -np.inf, np.nan] * 3, dtype=real)
    y = np.empty_like(x)
    pointers = ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data)
    library[f"run_clip_{precision}"](pointers[0], scalar(-1), scalar(2), pointers[1], ctypes.c_size_t(x.size))
    np.testing.assert_array_equal(y, np.clip(x, -1, 2))
    library[f"run_pow_{precision}"](pointers[0], scalar(1.5), pointers[1], ctypes.c_size_t(x.size))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(y, x ** real(1.5), rtol=4 * np.finfo(real).eps)


# ---- the functions of the table ----


@needs_compiler
@pytest.mark.parametrize("name", FUNCTIONS)
def test_table_functions_mean_what_the_table_says(library: ctypes.CDLL, name: str) -> None:
    row = FUNCTIONS[name]
    symbols = sympy.symbols("a b")[: row.arity]
    meaning = sympy.lambdify(symbols, row.meaning(*symbols), "mpmath")
    values = np.array([-30, -3, -2.5, -1, -0.75, -1e-3, 0, 1e-3, 0.5, 1, 2.5, 3, 30])
    if name in ("log", "sqrt"):
        values = np.array([1e-3, 0.25, 0.5, 1, 2, 3, 1e5])
    points = np.array(np.meshgrid(*[values] * row.arity)).reshape(row.arity, -1)
    for real in (np.float64, np.float32):
        rounded = points.astype(real)
        with mpmath.workdps(40):
            exact = np.array([float(meaning(*[mpmath.mpf(float(value)) for value in point])) for point in rounded.T])
        y = run(library, f"f_{name}", *rounded)
        scale = float(np.finfo(real).eps)
        np.testing.assert_allclose(y.astype(np.float64), exact, rtol=16 * scale, atol=4 * scale)


# ---- speed ----


@needs_compiler
@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", ["v_exp", "v_expm1", "v_log", "v_log1p", "v_tanh", "v_sigmoid", "f_softplus"])
def test_subnormal_numbers_cost_no_more(library: ctypes.CDLL, name: str, precision: str) -> None:
    # An operation that meets a subnormal number takes tens of times as long on many processors: three is far from both.
    real = REAL[precision]
    tiny = np.linspace(0, 1, 4096, dtype=real) * np.finfo(real).smallest_normal
    # Arguments whose exponentials are subnormal.
    low = np.linspace((SMALLEST[precision] + 1) * math.log(2), math.log(np.finfo(real).smallest_normal), 4096)
    ordinary = np.linspace(0.1, 4, 4096, dtype=real)

    def seconds(x: Array) -> float:
        best = math.inf
        for _ in range(30):
            start = time.perf_counter()
            run(library, name, x)
            best = min(best, time.perf_counter() - start)
        return best

    base = seconds(ordinary)
    assert seconds(tiny) < 3 * base
    assert seconds(low.astype(real)) < 3 * base


# ---- compilation ----


@needs_compiler
@pytest.mark.parametrize("mode", ["vector", "plain"])
def test_each_name_compiles_alone_without_a_warning(tmp_path: Path, mode: str) -> None:
    head = "".join(f"#include <{name}.h>\n" for name in ("math", "stddef", "stdint", "string"))
    files = []
    for name in [*vector.PRIMITIVES, *FUNCTIONS]:
        path = tmp_path / f"{name}.c"
        path.write_text(head + "\n".join(render(precision, [name]) for precision in vector.PRECISIONS))
        files.append(path.name)
    flags = ["-DSYMRNN_PLAIN"] if mode == "plain" else []
    compile_c(tmp_path, ["-fsyntax-only", "-Wno-unused-command-line-argument", *flags, *files])


@needs_compiler
@pytest.mark.parametrize("flags", [("-march=native",), ("-DSYMRNN_PLAIN",)], ids=["vector", "plain"])
def test_sanitizers_find_nothing(sources: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    program = tmp_path / "sanitized"
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DSANITIZED", "-O1")
    harness = str(HERE / "vector_harness.c")
    compile_c(tmp_path, [*sanitize, *flags, f"-I{sources}", harness, "-o", str(program)])
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
