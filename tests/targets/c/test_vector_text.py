"""The text of the vector mathematics: what is emitted for which names, and the constants in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import mpmath
import numpy as np
import pytest

from symrnn.errors import GenerateError
from symrnn.language.functions import FUNCTIONS
from symrnn.targets.c import vector
from symrnn.targets.c.functions import SPELLINGS
from symrnn.targets.c.polynomials import EXPONENT, FITS, MANTISSA, approximation_error, c_literal, constants

TEMPLATE = Path(__file__).parents[3] / "templates" / "c" / "vector.c.jinja"
REAL: dict[str, Any] = {"f32": np.float32, "f64": np.float64}


def render(precision: str, needed: Iterable[str]) -> str:
    """The vector text of one precision."""
    context = vector.vector_context(precision, needed)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render({field.name: getattr(context, field.name) for field in dataclasses.fields(context)})


@pytest.mark.parametrize("name", [*vector.PRIMITIVES, *FUNCTIONS])
def test_nothing_is_emitted_that_is_not_called(name: str) -> None:
    text = render("f32", [name])
    defined = [line.split("(")[0].split()[-1] for line in text.splitlines() if line.startswith("static inline")]
    wanted = {f"{name}_f32", f"f_{name}_f32"}
    for function in defined:
        assert function in wanted or text.count(f"{function}(") > 1, f"{function} is emitted and not called"
    assert wanted & {*defined, "bits_type_f32"}


def test_unknown_name_is_refused() -> None:
    with pytest.raises(GenerateError, match="'v_tan' is neither"):
        vector.vector_context("f32", ["v_tan"])


def test_dependencies_come_first_and_order_does_not_matter() -> None:
    names = ["softplus", "hsum", "v_tanh"]
    context = vector.vector_context("f64", names)
    assert context == vector.vector_context("f64", [*reversed(names), "hsum"])
    for name in context.needed:
        for dependency in vector.PRIMITIVES[name]:
            assert context.needed.index(dependency) < context.needed.index(name)


def test_bodies_of_functions_call_primitives_alone() -> None:
    for name, body in SPELLINGS.items():
        assert set(vector.called(body)) <= set(vector.PRIMITIVES), name


def test_c_text_suffixes_calls_and_literals() -> None:
    body = "v_select(v_less(K(0), a), K(-1), K(0.797884560802865355)) * b"
    assert vector.c_text(body, "f32") == (
        "v_select_f32(v_less_f32(K_f32(0.0f), a), K_f32(-1.0f), K_f32(0.7978846f)) * b"
    )
    assert vector.c_text("K(1) + v_log1p(a)", "f64") == "K_f64(1.0) + v_log1p_f64(a)"


def test_reserved_names_cover_the_text() -> None:
    text = render("f32", [*vector.PRIMITIVES, *FUNCTIONS]) + render("f64", [*vector.PRIMITIVES, *FUNCTIONS])
    reserved = vector.reserved()
    assert len(reserved) == len(set(reserved))
    defined = [line.split("(")[0].split()[-1] for line in text.splitlines() if line.startswith("static inline")]
    defined += [line.split()[1] for line in text.splitlines() if line.startswith("#define")]
    defined += [line.split(";")[0].split()[2] for line in text.splitlines() if line.startswith("typedef")]
    assert set(defined) <= set(reserved)


@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", FITS)
def test_fits_are_within_an_eighth_of_a_unit(name: str, precision: str) -> None:
    assert 0 < approximation_error(name, precision) < 1 / 8


@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_literals_read_back(precision: str) -> None:
    real = REAL[precision]
    patterns = np.random.default_rng(3).integers(0, 2**63, 2000, dtype=np.uint64)
    values = (patterns >> np.uint64(32)).astype(np.uint32).view(real) if precision == "f32" else patterns.view(real)
    for value in values[np.isfinite(values)]:
        assert real(c_literal(float(value), precision).removesuffix("f")) == value


@pytest.mark.parametrize("precision", vector.PRECISIONS)
def test_log_two_is_split_exactly(precision: str) -> None:
    k = constants(precision)
    suffix = "f)" if precision == "f32" else ")"
    high, low = (
        REAL[precision](text.removeprefix(f"K_{precision}(").removesuffix(suffix)) for text in (k.ln2_high, k.ln2_low)
    )
    numerator, denominator = float(high).as_integer_ratio()
    assert numerator.bit_length() <= MANTISSA[precision] - EXPONENT[precision] - 1
    assert denominator & (denominator - 1) == 0
    with mpmath.workprec(200):
        rest = mpmath.ln(2) - mpmath.mpf(float(high)) - mpmath.mpf(float(low))
        assert abs(rest) < mpmath.mpf(2) ** (-2 * MANTISSA[precision] + EXPONENT[precision] + 1)
