"""Names in a generated NumPy module: what they may not be, and what several values are called together.

Reads names of values; returns Python identifiers. Leaves out: names of temporaries (`symrnn.targets.numpy.lower`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence

from symrnn.language.names import Allocator
from symrnn.language.system import HIDDEN, INPUT
from symrnn.language.tree import PRIME

LEGEND = {INPUT: "I", HIDDEN: "H"}
"""The letters of the sizes that every cell knows; T and B stand beside them."""

INPUTS = "x.shape[2]"
"""What code writes for the letter I, which no local may be called: it looks like 1 (pycodestyle E741)."""

RESERVED = tuple(
    """
    T B I H O l t np dtype weights sizes state x y dy idle gone rows taped tape dstate params p self grads Mapping
    abs all any bool dict enumerate float int isinstance len list max min range slice sum tuple type zip
    """.split()  # noqa: SIM905 - fifty words read better without quotation marks
)
"""What the kernels of a generated module use for themselves; its other functions have names with an underscore."""

SHORT = 16
"""Letters up to which the parts of a joint name are written out."""


def identifier(name: str) -> str:
    """A value's name as Python takes it: ``c'`` is ``c_next``.

    >>> identifier("c'"), identifier("h_tilde")
    ('c_next', 'h_tilde')
    """
    return f"{name.removesuffix(PRIME)}_next" if name.endswith(PRIME) else name


def unnumbered(name: str, known: Collection[str]) -> str:
    """An identifier without the number that another function's names have made needful; ``known`` names keep theirs.

    >>> unnumbered("i_x_2", ()), unnumbered("x_2", ("x_2",))
    ('i_x', 'x_2')
    """
    return identifier(name if name in known else re.sub(r"_\d+$", "", name))


def joint(names: Sequence[str]) -> str:
    """What values side by side are called: the words they share, and those that differ.

    >>> joint(["i", "f", "o"]), joint(["delta_z", "delta_r"]), joint(["one_minus_z", "one_minus_r"])
    ('ifo', 'delta_zr', 'one_minus_zr')
    >>> joint(["g", "tanh_c"]), joint(["hidden_layer", "output_layer_of_two"])
    ('g_tanh_c', 'hidden_layer_to_output_layer_of_two')
    """
    if len(names) == 1:
        return names[0]
    words = [name.split("_") for name in names]
    head = _shared(words)
    tail = _shared([list(reversed(each[head:])) for each in words])
    middles = ["_".join(each[head : len(each) - tail]) for each in words]
    if not all(middles):
        return f"{names[0]}_to_{names[-1]}"
    letters = all(len(middle) == 1 for middle in middles)
    middle = ("" if letters else "_").join(middles)
    if len(middle) > SHORT:
        middle = f"{middles[0]}_to_{middles[-1]}"
    first = words[0]
    return "_".join([*first[:head], middle, *(first[len(first) - tail :] if tail else [])])


def common(names: Sequence[str]) -> str:
    """The letters with which several names begin, for a stack of parameters: ``W_hi, W_hf`` are ``W_h``.

    >>> common(["W_hi", "W_hf"]), common(["b_i", "b_f"]), common(["A", "B"])
    ('W_h', 'b', 'AB')
    """
    prefix = "".join(column[0] for column in itertools.takewhile(_agree, zip(*names, strict=False))).rstrip("_")
    return prefix if len(names) > 1 and prefix and prefix[0].isalpha() else joint(names)


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many words all of them begin with."""
    return len(list(itertools.takewhile(_agree, zip(*words, strict=False))))


def _agree(column: tuple[str, ...]) -> bool:
    return len(set(column)) == 1


def size_names(sizes: Iterable[str], allocator: Allocator) -> dict[str, str]:
    """The local of every size name: a letter where it is free."""
    return {size: LEGEND.get(size) or allocator.fresh(size[0].upper()) for size in sizes}


def in_code(text: str) -> str:
    """An expression of sizes as code has it."""
    return re.sub(r"\bI\b", INPUTS, text)


def total(sizes: Iterable[str], locals_: dict[str, str]) -> str:
    """The Python expression of a sum of sizes: ``4 * H + 1``."""
    counts: dict[str, int] = {}
    for size in sizes:
        counts[locals_[size]] = counts.get(locals_[size], 0) + 1
    terms = [str(n) if name == "1" else name if n == 1 else f"{n} * {name}" for name, n in counts.items()]
    return " + ".join(terms) or "0"


def shape(rows: str, sizes: Iterable[str], locals_: dict[str, str]) -> str:
    """A shape as a comment gives it: ``(B, 4 H)``."""
    return f"({rows}, {total(sizes, locals_).replace(' * ', ' ')})"
