"""What the vector template needs to know: which primitives to emit, in which precision, with which constants.

Reads a precision and the names that a C file calls, primitives (``load``, ``v_tanh``) and functions of the table
(``softsign``) alike; returns a `VectorContext`, the context of `templates/c/vector.c.jinja`. Everything emitted ends
in the precision (``v_tanh_f32``), so one file can hold both. Leaves out: rendering, and the fits of
`symrnn.targets.c.polynomials`.

A file that includes the text needs ``<float.h>``, ``<stdint.h>``, ``<stddef.h>``, ``<string.h>`` and ``<math.h>`` above
it. It is compiled for the widest vector registers that the compiler's target has, and where there are none or with
``-DSYMRNN_PLAIN``, for one lane; ``-DSYMRNN_VECTOR_BYTES=16`` takes narrower ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from symrnn.errors import GenerateError
from symrnn.language.functions import FUNCTIONS, Function
from symrnn.targets.c.functions import spelling
from symrnn.targets.c.polynomials import Constants, c_literal, constants

_EXP = ("whole_powers", "exp_remainder", "exp_tail")

PRIMITIVES: dict[str, tuple[str, ...]] = {
    "bits_type": (),
    "loadu": (),
    "storeu": (),
    "load": ("loadu",),
    "store": ("storeu",),
    "K": (),
    "v_fma": (),
    "stored": (),
    "hsum": ("storeu",),
    "to_bits": ("bits_type",),
    "from_bits": ("bits_type",),
    "v_less": ("bits_type", "stored"),
    "v_is_nan": ("bits_type",),
    "v_select": ("bits_type",),
    "transpose": ("bits_type", "loadu", "storeu"),
    "v_abs": ("to_bits", "from_bits"),
    "copy_sign": ("to_bits", "from_bits"),
    "at_least": ("v_less", "v_select"),
    "at_most": ("v_less", "v_select"),
    "v_clip": ("at_least", "at_most"),
    "v_sqrt": ("loadu", "storeu"),
    "v_sin": ("loadu", "storeu"),
    "v_cos": ("loadu", "storeu"),
    "v_pow": ("loadu", "storeu"),
    "whole_powers": ("K", "stored"),
    "power_of_two": ("to_bits", "from_bits"),
    "exp_remainder": ("K",),
    "exp_tail": ("K",),
    "subnormal": ("K", "to_bits", "from_bits"),
    "scale": ("K",),
    "v_exp": (
        "K",
        "stored",
        "v_less",
        "v_select",
        "at_least",
        "at_most",
        "to_bits",
        "from_bits",
        "subnormal",
        "scale",
        *_EXP,
    ),
    "v_expm1": ("K", "stored", "v_less", "v_select", "at_least", "v_abs", "power_of_two", *_EXP),
    "v_sigmoid": ("K", "stored", "v_less", "v_select", "v_clip", "power_of_two", "subnormal", "scale", *_EXP),
    "v_tanh": ("K", "stored", "v_less", "v_select", "v_abs", "at_most", "copy_sign", "power_of_two", *_EXP),
    "log_near": ("K", "v_less", "v_select", "to_bits", "from_bits"),
    "v_log": ("K", "stored", "log_near"),
    "v_log1p": ("K", "stored", "v_less", "v_select", "v_abs", "log_near"),
}
"""Every primitive with those it calls, callees first: the order of the template."""

PRECISIONS = ("f32", "f64")
"""The precisions that a C file holds, in the order it holds them."""

EXACT_METHODS = {"f32": (0, 16), "f64": (0, 1, 16)}
"""Values of C's ``FLT_EVAL_METHOD`` in which arithmetic of a precision rounds to it; in any other, registers may hold
more digits than memory does. 16 widens numbers of 16 bits alone. Source: ISO/IEC 9899:2011, 5.2.4.2.2; TS 18661-3."""

MOST_LANES = {"f32": 16, "f64": 8}
"""Numbers in the widest register that there is."""

# Calls in the table's C bodies: v_name(…), and K(literal).
_CALL = re.compile(r"\b(v_[a-z0-9_]+|K)\(")
_LITERAL = re.compile(r"\bK\((-?[0-9.]+)\)")


@dataclass(frozen=True)
class VectorFunction:
    """One row of the function table as a C function: its name, what it takes, and the expression it returns."""

    name: str
    arguments: tuple[str, ...]
    body: str


@dataclass(frozen=True)
class X86:
    """What x86 calls things in one precision, for loads and stores of a few lanes only.

    Attributes:
        kind: the ending of its operations.
        mask: the type of a mask of 512 bits' lanes.
        wide: the type of 512 bits.
        half: the type of 256 bits.
        quarter: the type of 128 bits.
        integer: a signed integer of a lane's width.
        every_lane: the operation that fills 256 bits with one integer.
        lane_numbers: 256 bits that count their lanes.
    """

    kind: str
    mask: str
    wide: str
    half: str
    quarter: str
    integer: str
    every_lane: str
    lane_numbers: str


_X86 = {
    "f32": X86(
        "ps",
        "__mmask16",
        "__m512",
        "__m256",
        "__m128",
        "int",
        "_mm256_set1_epi32",
        "_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)",
    ),
    "f64": X86(
        "pd",
        "__mmask8",
        "__m512d",
        "__m256d",
        "__m128d",
        "long long",
        "_mm256_set1_epi64x",
        "_mm256_setr_epi64x(0, 1, 2, 3)",
    ),
}


@dataclass(frozen=True)
class Bound:
    """A primitive that ends a range at one side.

    Attributes:
        name: unsuffixed.
        instruction: what x86 calls it; where one operand is NaN, its result is the second.
        says: what it returns.
        condition: the arguments of ``v_less`` where ``bound`` is the result.
    """

    name: str
    instruction: str
    says: str
    condition: str


_BOUNDS = (
    Bound("at_least", "max", "a, or bound where a is less", "a, bound"),
    Bound("at_most", "min", "a, or bound where a is more", "bound, a"),
)


@dataclass(frozen=True)
class VectorContext:
    """The context of the vector template, for one precision.

    Attributes:
        real: ``float`` or ``double``.
        s: suffix of every identifier, ``_f32``.
        libm: suffix of a function of libm, ``f`` or nothing.
        u: bits of a number.
        lanes: numbers in registers of 64, 32 and 16 bytes.
        exact_methods: of evaluation, in which arithmetic rounds to this precision.
        k: the constants, as literals.
        needed: the primitives to emit, those they call included.
        functions: the table's functions to emit.
        lane_calls: primitives that call libm lane by lane, each with what it calls.
        bounds: the two primitives that end a range.
        x86: names for loads and stores of a few lanes.
        blocks: edges of the blocks that a transposition of the most lanes exchanges.
        narrow: whether half of the widest register holds all units.
    """

    real: str
    s: str
    libm: str
    u: int
    lanes: tuple[int, int, int]
    exact_methods: tuple[int, ...]
    k: Constants
    needed: tuple[str, ...]
    functions: tuple[VectorFunction, ...]
    lane_calls: tuple[tuple[str, str], ...]
    bounds: tuple[Bound, ...]
    x86: X86
    blocks: tuple[int, ...]
    narrow: bool = False


def c_text(body: str, precision: str) -> str:
    """``body`` of a row of the function table in one precision.

    >>> c_text("a / (K(1) + v_abs(a))", "f32")
    'a / (K_f32(1.0f) + v_abs_f32(a))'

    Args:
        body: a C expression in vectors, ``v_name(…)`` and ``K(literal)``.
        precision: ``f32`` or ``f64``.
    """
    body = _LITERAL.sub(lambda match: f"K({c_literal(float(match[1]), precision)})", body)
    return _CALL.sub(lambda match: f"{match[1]}_{precision}(", body)


def called(body: str) -> tuple[str, ...]:
    """The primitives that ``body``, a C expression of the function table, calls, in order of appearance."""
    return tuple(dict.fromkeys(_CALL.findall(body)))


def reserved() -> tuple[str, ...]:
    """Every identifier that the vector text can define in either precision: names that nothing else may take."""
    stems = (
        "vec",
        "bits",
        "mask",
        "LANES",
        "BYTES",
        "MASKS",
        "EXCESS",
        "first_lanes",
        "v_pick",
        *PRIMITIVES,
        *(f"f_{name}" for name in FUNCTIONS),
    )
    return (
        "SYMRNN_REGISTER_BYTES",
        "SYMRNN_VECTOR_BYTES",
        "SYMRNN_PLAIN",
        *(f"{stem}_{p}" for p in PRECISIONS for stem in stems),
    )


def vector_context(precision: str, needed: Iterable[str], units: int | None = None) -> VectorContext:
    """The context that emits what ``needed`` calls, and nothing besides.

    Args:
        precision: ``f32`` or ``f64``.
        needed: names of primitives and of functions of the table, unsuffixed, in any order.
        units: the most that a vector ever needs to hold, if that is known.

    Raises:
        GenerateError: a name is neither.
    """
    wanted = dict.fromkeys(needed)
    for name in wanted:
        if name not in PRIMITIVES and name not in FUNCTIONS:
            raise GenerateError(
                f"vector text: {name!r} is neither a primitive of the template nor a function of the table; "
                "add it to symrnn.targets.c.vector.PRIMITIVES and templates/c/vector.c.jinja, or correct the name"
            )
    rows = [row for name, row in FUNCTIONS.items() if name in wanted]
    roots = [name for name in wanted if name in PRIMITIVES]
    roots += [name for row in rows for name in ("stored", *called(spelling(row.name)))]
    single = precision == "f32"
    width = 32 if single else 64
    libm = "f" if single else ""
    return VectorContext(
        real="float" if single else "double",
        s=f"_{precision}",
        libm=libm,
        u=width,
        lanes=(512 // width, 256 // width, 128 // width),
        exact_methods=EXACT_METHODS[precision],
        k=constants(precision),
        needed=_closure(roots),
        functions=tuple(_function(row, precision) for row in rows),
        bounds=_BOUNDS,
        lane_calls=tuple((f"v_{call}", call + libm) for call in ("sqrt", "sin", "cos")),
        x86=_X86[precision],
        blocks=tuple(1 << power for power in range((512 // width).bit_length() - 1)),
        narrow=units is not None and units <= 256 // width,
    )


def _closure(roots: Iterable[str]) -> tuple[str, ...]:
    """``roots`` and every primitive that they call, directly or not, in the order of the table."""
    found: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += PRIMITIVES[name]
    return tuple(name for name in PRIMITIVES if name in found)


def _function(row: Function, precision: str) -> VectorFunction:
    return VectorFunction(f"f_{row.name}_{precision}", tuple("ab"[: row.arity]), c_text(spelling(row.name), precision))
