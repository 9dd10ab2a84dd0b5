r"""Names as LaTeX: letters, Greek names, accents and subscripts; the names of a step, with its index; sizes.

Reads names and a `System`; returns `Latex`. Leaves out: which symbols a derivation uses (`symrnn.derive.notation`).
"""

from __future__ import annotations

import re

from symrnn.language.axes import TWIN, axes_of, has_axes, plain
from symrnn.language.functions import PUBLIC
from symrnn.language.identifiers import GREEK
from symrnn.language.system import HIDDEN, INPUT, ONE, Role, System, Variable
from symrnn.language.tree import PRIME, is_next, names
from symrnn.language.typeset.latex import Latex

ALIASES = {"eps": r"\varepsilon"}
"""Names that stand for a letter under another name."""

ACCENTS = {"tilde": r"\tilde", "hat": r"\hat", "bar": r"\bar", "dot": r"\dot"}
"""Last parts of names that are accents: ``h_tilde``."""

NOW, BEFORE = "t", "t-1"
"""The index of the step, and of the step before it."""


def spell(name: str, time: str = "", over: str = "") -> Latex:
    r"""The LaTeX of a name: letters, Greek names, accents and subscripts by its underscores.

    >>> spell("W_xi"), spell("h_tilde", "t"), spell("h", "t-1"), spell("delta_i", "t")
    ('W_{xi}', '\\tilde{h}_t', 'h_{t-1}', '\\delta_{i,t}')
    >>> spell("gamma_c"), spell("rh", "t"), spell("W1"), spell("c", "t", r"\overline")
    ('\\gamma_c', '\\mathit{rh}_t', 'W_1', '\\overline{c}_t')

    Args:
        name: an identifier, without prime.
        time: index of the step; the last subscript.
        over: command that spans the stem, such as ``\overline``.
    """
    first, *rest = [part for part in re.split(r"_+", name) if part]
    letters = re.match("[A-Za-z]+", first)
    assert letters
    stem, digits = letters.group(), first[letters.end() :]
    if stem in GREEK:
        stem = "\\" + stem
    elif stem in PUBLIC:
        # A part of an equation that is named by its function.
        stem = rf"\mathrm{{{stem}}}"
    elif len(stem) > 1:
        stem = ALIASES.get(stem, rf"\mathit{{{stem}}}")
    parts = [stem]
    if digits:
        parts.append(digits)
    for part in rest:
        if part in ACCENTS:
            parts[-1] = f"{ACCENTS[part]}{{{parts[-1]}}}"
        else:
            parts.append(_subscript(part))
    stem, *below = parts
    return Latex((f"{over}{{{stem}}}" if over else stem) + _under([*below, *([time] if time else [])]))


def _subscript(part: str) -> str:
    """A part of a subscript: two letters are two indices (``W_xi`` leads from x to i), three or more are a word."""
    if len(part) < 3 or part.isdigit():
        return part
    return "\\" + part if part in GREEK else rf"\mathrm{{{part}}}"


def _under(parts: list[str]) -> str:
    if not parts:
        return ""
    text = ",".join(parts)
    return f"_{text}" if len(text) == 1 else f"_{{{text}}}"


def timeless(system: System) -> frozenset[str]:
    """The names that depend on parameters alone: they have no index of a step."""
    fixed = {variable.name for variable in system.variables if variable.role in (Role.PARAMETER, Role.PREPARED)}
    for equation in system.equations:
        read = names(equation.expression)
        if read and not is_next(equation.target) and fixed.issuperset(read):
            fixed.add(equation.target)
    return frozenset(fixed)


def step_name(variable: Variable, fixed: frozenset[str], now: str = NOW, before: str = BEFORE) -> Latex:
    """The LaTeX of a variable of a step; what is ``fixed`` has no index."""
    if variable.name in fixed:
        return spell(variable.name)
    return spell(variable.name.removesuffix(PRIME), before if variable.role is Role.STATE else now)


_LETTERS = {INPUT: r"\mathrm{I}", HIDDEN: r"\mathrm{H}", ONE: ONE}


def size_latex(size: str) -> Latex:
    """The LaTeX of a number of units: an upright letter, as no variable is written, or the size's name."""
    if has_axes(size):
        return Latex(r" \times ".join(map(size_latex, axes_of(size))))
    if size.endswith(TWIN):
        own = size_latex(plain(size))
        return Latex(f"{own}{TWIN}", own)
    word = size.replace("_", r"\_")
    return Latex(_LETTERS.get(size, rf"\mathrm{{{word}}}"))
