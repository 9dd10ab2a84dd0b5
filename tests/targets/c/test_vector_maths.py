"""The vector mathematics of the emitted C: limits, signs of zero, NaN, lanes, meaning, and clean compilation.

Every check runs on each target that this machine can run: the registers of its own, AVX-512, AVX2, SSE2, no fused
multiply-add, and the plain path. Leaves out: errors (`test_vector_precision`) and times (`test_vector_subnormal`).
"""

from __future__ import annotations

import ctypes
import math
import subprocess
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy

from symrnn.language.functions import FUNCTIONS
from symrnn.targets.c.polynomials import EXPONENT, MANTISSA
from tests.targets.c.vector_library import (
    BINARY,
    COMPILER,
    HERE,
    PRECISIONS,
    REAL,
    SMALLEST,
    TARGETS,
    TERNARY,
    UNARY,
    Array,
    build,
    compile_c,
    run,
    runs,
    write_text,
)

STEPS = ("f_positive", "f_prefer", "f_less", "f_less_equal", "f_equal")
"""Functions that count NaN as neither more nor less: conditions, and what occurs in derivatives, times a value that is NaN."""
KEEPING_NAN = [name for name in UNARY + BINARY if name not in STEPS]
BITS = {"f32": np.uint32, "f64": np.uint64}

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the whole vector text, where the harness compiles."""
    directory = tmp_path_factory.mktemp("vector")
    write_text(directory)
    return directory


@pytest.fixture(scope="module", params=TARGETS)
def library(request: pytest.FixtureRequest, sources: Path) -> ctypes.CDLL:
    """The harness, compiled for one target and loaded."""
    if COMPILER is None or not runs(request.param):
        pytest.skip("no C compiler" if COMPILER is None else f"this machine does not run {request.param}")
    return build(sources, request.param)


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
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", LIMITS)
def test_limits(library: ctypes.CDLL, name: str, precision: str) -> None:
    x = np.array([pair[0] for pair in LIMITS[name]], dtype=REAL[precision])
    expected = np.array([pair[1] for pair in LIMITS[name]], dtype=REAL[precision])
    y = run(library, name, x)
    assert same(y, expected).all(), f"{name}({x}) = {y}, not {expected}"


@needs_compiler
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", KEEPING_NAN)
def test_nan_stays_nan(library: ctypes.CDLL, name: str, precision: str) -> None:
    # Every payload bit, both signs: the functions work on bits, where a payload could look like an exponent.
    mantissa = MANTISSA[precision] - 1
    exponent = (2 ** EXPONENT[precision] - 1) << mantissa
    sign = 2 ** (MANTISSA[precision] + EXPONENT[precision] - 1)
    payloads = [1 << bit for bit in range(mantissa)] + [(1 << mantissa) - 1, 0x1A3, (1 << mantissa - 1) + 0x155]
    patterns = [exponent + payload + extra for payload in payloads for extra in (0, sign)]
    x = np.array(patterns, dtype=BITS[precision]).view(REAL[precision])
    if name in UNARY:
        assert np.isnan(run(library, name, x)).all()
    else:
        one = np.ones_like(x)
        assert np.isnan(run(library, name, x, one)).all()
        assert np.isnan(run(library, name, one, x)).all()


@needs_compiler
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["v_tanh", "v_expm1", "v_log1p"])
def test_tiny_numbers_are_their_own_value(library: ctypes.CDLL, name: str, precision: str) -> None:
    exponents = np.arange(SMALLEST[precision], -MANTISSA[precision] - 1)
    x = np.ldexp(1.0, exponents).astype(REAL[precision])
    for signed in (x, -x):
        np.testing.assert_array_equal(run(library, name, signed), signed)


@needs_compiler
@pytest.mark.parametrize("precision", PRECISIONS)
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
@pytest.mark.parametrize("precision", PRECISIONS)
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
@pytest.mark.parametrize("precision", PRECISIONS)
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
@pytest.mark.parametrize("precision", PRECISIONS)
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
@pytest.mark.parametrize("name", [f[2:] for f in UNARY + BINARY + TERNARY if f.startswith("f_")])
def test_table_functions_mean_what_the_table_says(library: ctypes.CDLL, name: str) -> None:
    row = FUNCTIONS[name]
    symbols = sympy.symbols("a b c d e")[: row.arity]
    meaning = sympy.lambdify(symbols, row.meaning(*symbols), "mpmath")
    values = np.array([-30, -3, -2.5, -1, -0.75, -1e-3, 0, 1e-3, 0.5, 1, 2.5, 3, 30])
    if name in ("log", "log1p", "sqrt"):
        values = np.array([1e-3, 0.25, 0.5, 1, 2, 3, 1e5])
    points = np.array(np.meshgrid(*[values] * row.arity)).reshape(row.arity, -1)
    for real in (np.float64, np.float32):
        rounded = points.astype(real)
        with mpmath.workdps(40):
            exact = np.array([float(meaning(*[mpmath.mpf(float(value)) for value in point])) for point in rounded.T])
        y = run(library, f"f_{name}", *rounded)
        scale = float(np.finfo(real).eps)
        np.testing.assert_allclose(y.astype(np.float64), exact, rtol=16 * scale, atol=4 * scale)


# ---- compilation ----


@needs_compiler
@pytest.mark.parametrize(
    "flags",
    [("-march=native",), pytest.param(("-DSYMRNN_PLAIN",), marks=pytest.mark.long)],
    ids=["vector", "plain"],
)
def test_sanitizers_find_nothing(sources: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    program = tmp_path / "sanitized"
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DSANITIZED", "-O1")
    harness = str(HERE / "vector_harness.c")
    compile_c(tmp_path, [*sanitize, *flags, f"-I{sources}", harness, "-o", str(program)])
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
