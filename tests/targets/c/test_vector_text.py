"""The vector mathematics of the runtime: its constants are those of the table, and every function of the language is there."""

from __future__ import annotations

import re
from typing import Any

import mpmath
import numpy as np
import pytest

from symrnn.language.functions import FUNCTIONS, PRIMITIVE
from symrnn.language.reductions import REDUCTIONS
from symrnn.targets.c import functions
from symrnn.targets.c.files import runtime_files
from symrnn.targets.c.polynomials import (
    EXPONENT,
    FITS,
    MANTISSA,
    approximation_error,
    c_literal,
    constants,
    definitions,
)
from tests.targets.c.vector_library import PRECISIONS

REAL: dict[str, Any] = {"f32": np.float32, "f64": np.float64}


BY_PRECISION = ("symrnn_vector.h", "symrnn_functions.h", "symrnn_stage.h", "symrnn_time.h")
"""The files of the runtime that are included once for each precision; their names are macros of ``symrnn.h``."""
HEAD = re.compile(r"^(?:INLINE|ALWAYS|ONCE|QUERY) (?:S\(\w+\) )?[^(\n]*?(\w+)\(", re.MULTILINE)


def test_the_runtime_has_every_function_of_the_language() -> None:
    text = runtime_files()["symrnn_functions.h"].text
    for name in PRIMITIVE:
        arguments = ", ".join(f"vec {letter}" for letter in "abcde"[: FUNCTIONS[name].arity])
        assert f"INLINE vec {functions.spelling(name)}({arguments})\n" in text, name
    for name in (name for name, row in REDUCTIONS.items() if row.made_of is None):
        assert f"INLINE real {functions.reduction(name).function}(const real *p, size_t n)\n" in text, name


def test_every_function_of_the_runtime_is_spelt() -> None:
    """What begins with ``f_`` is of the equation language: each has an entry in the table of spellings."""
    defined = set(HEAD.findall(runtime_files()["symrnn_functions.h"].text))
    assert {name for name in defined if name.startswith("f_")} == set(functions.SPELLINGS.values())


def test_each_name_of_the_runtime_ends_in_the_precision() -> None:
    """A function that is there for each precision is a macro of `symrnn.h`, so that both fit into one file; no other is."""
    files = runtime_files()
    defined = {name for file in BY_PRECISION for name in HEAD.findall(files[file].text)}
    macros = set(re.findall(r"^#define (\w+)\(\.\.\.\) S\(\1\)\(__VA_ARGS__\)$", files["symrnn.h"].text, re.MULTILINE))
    assert len(defined) > 80
    assert defined - {"S"} == macros


def test_the_constants_of_the_runtime_are_those_of_the_table() -> None:
    files = runtime_files()
    lines = [line for name in BY_PRECISION for line in files[name].text.splitlines()]
    for line in definitions():
        assert line in lines, line


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", FITS)
def test_fits_are_within_an_eighth_of_a_unit(name: str, precision: str) -> None:
    assert 0 < approximation_error(name, precision) < 1 / 8


@pytest.mark.parametrize("precision", PRECISIONS)
def test_literals_read_back(precision: str) -> None:
    real = REAL[precision]
    patterns = np.random.default_rng(3).integers(0, 2**63, 2000, dtype=np.uint64)
    values = (patterns >> np.uint64(32)).astype(np.uint32).view(real) if precision == "f32" else patterns.view(real)
    for value in values[np.isfinite(values)]:
        assert real(c_literal(float(value), precision).removesuffix("f")) == value


@pytest.mark.parametrize("precision", PRECISIONS)
def test_log_two_is_split_exactly(precision: str) -> None:
    k = constants(precision)
    high, low = (REAL[precision](text.removesuffix("f")) for text in (k.ln2_high, k.ln2_low))
    numerator, denominator = float(high).as_integer_ratio()
    assert numerator.bit_length() <= MANTISSA[precision] - EXPONENT[precision] - 1
    assert denominator & (denominator - 1) == 0
    with mpmath.workprec(200):
        rest = mpmath.ln(2) - mpmath.mpf(float(high)) - mpmath.mpf(float(low))
        assert abs(rest) < mpmath.mpf(2) ** (-2 * MANTISSA[precision] + EXPONENT[precision] + 1)
