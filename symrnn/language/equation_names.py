"""What the text of equations tells of their names before any is parsed: which are matrices, values, and values of the step.

Reads scanned equations; returns sets of names. Leaves out: whether a name may stand where it does (`symrnn.language.parser`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symrnn.language.exponents import Constants
from symrnn.language.matrices import Names
from symrnn.language.scanner import PRIME_LETTER, EquationText
from symrnn.language.tree import PRIME

_BEFORE_AT = re.compile(r"([A-Za-z]\w*)(?:\s*\[[^\]]*\])?(?:\s*\.\s*T)?\s*@")
_VALUE = re.compile(r"\b([A-Za-z]\w*)\b(?!\s*\()")


def names_of(texts: list[str], vectors: frozenset[str], constants: Constants) -> tuple[Names, frozenset[str]]:
    """What is known about the names of ``texts``, and those that stand for a value somewhere."""
    whole = "\n".join(texts)
    names = Names(vectors, frozenset(_BEFORE_AT.findall(whole)) - vectors, constants)
    return names, frozenset(_VALUE.findall(whole)) | vectors


def of_step(equations: Sequence[EquationText], inputs: Sequence[str]) -> frozenset[str]:
    """The inputs, the states, and the assigned names that depend on these; the other assigned names are of parameters alone."""
    assigned = [(assigns(equation), set(_VALUE.findall(equation.text.partition("=")[2]))) for equation in equations]
    found = {*inputs, *(name for (target, state), _ in assigned if target != state for name in (target, state))}
    for _ in assigned:
        more = {target for (target, _), read in assigned if {_plain(name) for name in read} & found} - found
        if not more:
            break
        found |= more
    return frozenset(found)


def _plain(name: str) -> str:
    return name.replace(PRIME_LETTER, PRIME)


def assigns(equation: EquationText) -> tuple[str, ...]:
    """The name that an equation assigns, and the state whose next value it is."""
    target = equation.text.partition("=")[0].strip().replace(PRIME_LETTER, PRIME)
    return (target, target.removesuffix(PRIME))
