"""Errors of the vector mathematics in units in the last place (ULP), against the tables of docs/precision.md.

The error of a result is ``|result - exact| / ulp(exact)``, where ``ulp`` is the spacing of numbers in the binade of the
exact value, that of subnormal numbers at least; infinity counts as one unit beyond the largest number. The slow test
tries every float, of functions that others are made of or that have no polynomial every 61st; the other test tries every
62281st. ``--update-generated`` writes the measured figures.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import mpmath
import numpy as np
import pytest

from symrnn.language.functions import PRIMITIVE
from symrnn.targets.c.polynomials import MANTISSA
from tests.targets.c import precision_table as table
from tests.targets.c.double_points import EXACT, exact_points
from tests.targets.c.precision_scan import Finding, build_reference, exact_values, scan
from tests.targets.c.vector_library import (
    COMPILER,
    PRECISIONS,
    REAL,
    SMALLEST,
    TARGETS,
    UNARY,
    Array,
    build,
    run,
    runs,
    write_text,
)

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

NAMES = list(table.read("f32"))
EVERY = ("exp", "tanh", "sigmoid", "log", "softplus")
"""What is tried with every float."""
STRIDE = 61
"""Of the other functions, every so many-th float."""
TWO = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus")
"""What must be within 2 ULP, always."""
SHARE = 31
"""The sampled test of double takes one in so many of the slow test's numbers."""


def full_name(name: str) -> str:
    """``name`` as the harness has it: a function of the table, or a primitive that functions of the table call."""
    return f"f_{name}" if name in PRIMITIVE else f"v_{name}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("precision")
    write_text(directory)
    return directory


@pytest.fixture(scope="module")
def reference() -> ctypes.CDLL:
    return build_reference()


@pytest.fixture(scope="module")
def libraries(directory: Path) -> dict[str, ctypes.CDLL]:
    """The vector text for each target that this machine runs."""
    return {target: build(directory, target) for target in TARGETS if runs(target)}


def test_tables_are_complete() -> None:
    expected = sorted({name[2:] for name in UNARY})
    for precision in PRECISIONS:
        rows = table.read(precision)
        assert sorted(rows) == expected
        assert all(rows[name].bound <= 2 for name in TWO)
        assert all(ulp <= row.bound for row in rows.values() for ulp in row.measured.values())
    assert table.DOCUMENT.read_text(encoding="utf-8").count(table.titles()) == len(PRECISIONS)


def allowed(precision: str, name: str, target: str) -> float:
    """The table's figure where it is of this machine's kind, else the bound."""
    row = table.read(precision)[name]
    return row.measured.get(target, row.bound) if table.measured_here() else row.bound


# ---- float ----


@pytest.mark.parametrize("name", NAMES)
def test_reference_is_far_more_precise_than_a_float(reference: ctypes.CDLL, name: str) -> None:
    patterns = np.arange(0, 2**32, 2**32 // 1500 - 3, dtype=np.uint64)
    near = np.arange(120 << 23, 134 << 23, 2**20 // 10 - 3, dtype=np.uint64)  # 2^-7 to 2^7
    floats = np.concatenate([patterns, near, near + 2**31]).astype(np.uint32).view(np.float32)
    x = floats[np.isfinite(floats)].astype(np.float64)
    if name in ("log", "log1p", "sqrt"):
        x = x[x > (-1 if name == "log1p" else 0)]
    values = exact_values(reference, name, x)
    with mpmath.workprec(160):
        for argument, value in zip(x.tolist(), values.tolist(), strict=True):
            exact = EXACT[name](mpmath.mpf(argument))
            unit = mpmath.ldexp(1, max(mpmath.frexp(exact)[1] - 24, -149) if exact else -149)
            if abs(exact) < mpmath.ldexp(1, 129):  # beyond it, a float is infinite
                assert abs(value - exact) < unit * 2.0**-19, f"{name}({argument!r}) = {value!r} in double"


@pytest.mark.parametrize("name", NAMES)
def test_floats_sampled(reference: ctypes.CDLL, libraries: dict[str, ctypes.CDLL], name: str) -> None:
    found = scan(reference, list(libraries.values()), full_name(name), 61 * 1021)
    # The binades where functions bend, more densely: 2^-4 to 2^7, both signs.
    for start in (0, 2**31):
        first = -(-((123 << 23) + start) // STRIDE) * STRIDE
        found += scan(reference, list(libraries.values()), full_name(name), 17 * STRIDE, first, (134 << 23) + start)
    for finding, target in zip(found, [*libraries] * 3, strict=True):
        hold("f32", name, target, finding)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_floats_all(
    reference: ctypes.CDLL, libraries: dict[str, ctypes.CDLL], name: str, update_generated: bool
) -> None:
    paths = [path for path in table.PATHS if path in libraries]
    stride = 1 if name in EVERY else STRIDE
    found = scan(reference, [libraries[path] for path in paths], full_name(name), stride)
    measured = [finding.ulp for finding in found]
    print(table.line(name, table.read("f32")[name].bound, measured), *(f"{finding.at!r}" for finding in found))
    if update_generated:
        assert tuple(paths) == table.PATHS
        table.write("f32", name, measured)
    for finding, path in zip(found, paths, strict=True):
        hold("f32", name, path, finding)
        if table.measured_here():
            assert table.round_up(finding.ulp) == table.read("f32")[name].measured[path]


def test_scan_tells_errors(reference: ctypes.CDLL, libraries: dict[str, ctypes.CDLL]) -> None:
    library = [next(iter(libraries.values()))]
    minus_one, nan = 0xBF800000, 0x7FC00001

    def found(name: str, at: int, against: str) -> Finding:
        return scan(reference, library, name, 1, at, at + 1, against)[0]

    assert found("f_abs", minus_one, "relu") == Finding(2.0**149, -1.0, 0, 0.0)  # in units of what is around zero
    assert found("f_abs", minus_one, "sign") == Finding(2.0**24, -1.0, 1, -1.0)
    assert found("f_positive", nan, "relu").wrong == 1
    assert found("f_exp", 0x42B17218, "relu").ulp > 2**40  # Infinity instead of 88.7.
    assert scan(reference, library, "f_exp", 1, 0x42B17218, 0x42B17218 + 1000)[0].ulp < 2


def hold(precision: str, name: str, target: str, finding: Finding) -> None:
    """Hold what was found to the table."""
    where = f"{name}, {TARGETS[target].title}, {REAL[precision].__name__}"
    assert not finding.wrong, f"{where}: NaN or sign wrong {finding.wrong} times, so at {finding.wrong_at!r}"
    most = allowed(precision, name, target)
    assert finding.ulp <= most, f"{where}: off by {finding.ulp:.4f} ULP at {finding.at!r}, more than {most}"


# ---- double ----


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
    got, got_beyond = finite(y.astype(np.float64))
    exact, exact_beyond = finite(high)
    exponent = np.frexp(exact)[1] - MANTISSA[precision]
    exponent = np.where(exact == 0, SMALLEST[precision], np.maximum(exponent, SMALLEST[precision]))
    with np.errstate(over="ignore"):
        error = np.abs(np.ldexp(got - exact, -exponent) + (got_beyond - exact_beyond) - low)
    return np.where(np.isnan(y) | np.isnan(high), np.where(np.isnan(y) & np.isnan(high), 0.0, np.inf), error)


def test_ulp_error_tells_errors() -> None:
    for precision in PRECISIONS:
        real = REAL[precision]
        tiny, largest = np.finfo(real).smallest_subnormal, np.finfo(real).max
        y = np.array([1, 1, 4, tiny, 3 * tiny, largest, np.inf, np.inf, np.nan, np.nan, 0], dtype=real)
        below_four = np.nextafter(real(4), real(0))
        exact = [1, np.nextafter(real(1), real(2)), below_four, 0, tiny, np.inf, largest, np.inf, 1, np.nan, np.inf]
        wide = np.array(exact, dtype=np.float64)
        expected = np.array([0, 1, 1, 1, 2, 1, 1, 0, np.inf, 0, 2.0 ** MANTISSA[precision]])  # Counted from 0.
        np.testing.assert_array_equal(ulp_error(y, wide, np.zeros(11)), expected)
        assert ulp_error(y[:1], wide[:1], np.array([0.25])) == 0.25


def double_finding(library: ctypes.CDLL, name: str, share: int) -> Finding:
    """The largest error of ``name`` over `exact_points`."""
    x, high, low = exact_points(name, share)
    errors = ulp_error(run(library, full_name(name), x), high, low)
    at = int(np.argmax(errors))
    return Finding(float(errors[at]), float(x[at]), 0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_doubles_sampled(libraries: dict[str, ctypes.CDLL], name: str) -> None:
    for target, library in libraries.items():
        hold("f64", name, target, double_finding(library, name, SHARE))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_doubles_densely(libraries: dict[str, ctypes.CDLL], name: str, update_generated: bool) -> None:
    paths = [path for path in table.PATHS if path in libraries]
    found = [double_finding(libraries[path], name, 1) for path in paths]
    measured = [finding.ulp for finding in found]
    print(table.line(name, table.read("f64")[name].bound, measured), *(f"{finding.at!r}" for finding in found))
    if update_generated:
        assert tuple(paths) == table.PATHS
        table.write("f64", name, measured)
    for finding, path in zip(found, paths, strict=True):
        hold("f64", name, path, finding)
        if table.measured_here():
            assert table.round_up(finding.ulp) == table.read("f64")[name].measured[path]
