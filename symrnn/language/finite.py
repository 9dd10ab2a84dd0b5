"""Refuses equations that have no value for any input: a division by zero, log(0), a number that no float holds.

Reads a parsed right side with its places; returns nothing. Such a part would pass every package, and the generated text would
not compile. Leaves out: values that depend on the input: ``log(h)`` at ``h = 0`` is up to the caller.
"""

from __future__ import annotations

import sympy

from symrnn.language.decimals import LARGEST
from symrnn.language.functions import FUNCTIONS, Algebra
from symrnn.language.located import Located, located
from symrnn.language.origin import Origin, shown
from symrnn.language.symbolic import to_sympy
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Call, Constant, MatVec, Negate, Number, Power, Reduce, VectorCall

_DIGITS = 30


def check_finite(expression: Located, origin: Origin) -> None:
    """Refuse ``expression`` where a part of it is infinite or undefined whatever the names stand for.

    Raises:
        CellError: at the smallest such part.
    """
    _value(expression, origin)
    # Only algebra finds `x / (h - h)`. Forms, reductions and vector functions are opaque to it: operands go apart.
    operands = [at.parts[0] for at in located(expression) if isinstance(at.node, MatVec | Reduce | VectorCall)]
    for at in (*reversed(operands), expression):
        algebra = to_sympy(at.node)
        if algebra.has(sympy.zoo, sympy.nan) or any(abs(number) > LARGEST for number in algebra.atoms(sympy.Rational)):
            raise origin.error(_complaint(at, "a division by zero, or a number beyond what a float holds"), at.place)


def _value(at: Located, origin: Origin) -> Algebra | None:
    """The value of ``at``, or None if it depends on a name."""
    parts = [_value(part, origin) for part in at.parts]
    match at.node:
        case Number(value, _) | Constant(_, value, _):
            return sympy.Rational(value.numerator, value.denominator)
        case Binary("/") if parts[1] is not None and parts[1] == 0:
            raise origin.error(_complaint(at, "a division by zero"), at.place)
        case Negate() | Binary() | Power() | Call() if None not in parts:
            number = _apply(at, parts)
        case _:
            return None
    if not (number.is_real and number.is_finite):
        raise origin.error(_complaint(at, "it has no real, finite value"), at.place)
    if abs(number) > LARGEST:
        raise origin.error(_complaint(at, "it is beyond what a float holds (at most 3.4e38)"), at.place)
    return number


def _apply(at: Located, parts: list[Algebra]) -> Algebra:
    """The operation of ``at`` on numbers. Each is at most `LARGEST`, so no result takes long."""
    match at.node:
        case Negate():
            result = -parts[0]
        case Binary(op, _, _):
            left, right = parts
            result = {"+": left + right, "-": left - right, "*": left * right}.get(op)
            result = left / right if result is None else result
        case Power(_, exponent):
            result = parts[0] ** sympy.Rational(exponent.numerator, exponent.denominator)
        case Call(function, _):
            result = FUNCTIONS[function].meaning(*parts)
    return sympy.N(result, _DIGITS)


def _complaint(at: Located, reason: str) -> str:
    return f"`{shown(to_text(at.node), 40)}` gives no number, whatever the input: {reason}"
