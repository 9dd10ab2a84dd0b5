"""Names in generated Python: a value's identifier, the joint name of several values, a letter for each size.

Reads names of values and sizes; returns Python identifiers. Leaves out: which names a target's modules use themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from symrnn.language.identifiers import Allocator
from symrnn.language.system import HIDDEN, INPUT
from symrnn.language.tree import PRIME

LEGEND = {INPUT: "I", HIDDEN: "H"}
"""The letters of the sizes that every cell knows; T and B stand beside them."""

SHORT = 16
"""The longest joint name whose parts are written out."""


def identifier(name: str) -> str:
    """A value's name as Python takes it: ``c'`` is ``c_next``.

    >>> identifier("c'"), identifier("h_tilde")
    ('c_next', 'h_tilde')
    """
    return f"{name.removesuffix(PRIME)}_next" if name.endswith(PRIME) else name


def joint(names: Sequence[str]) -> str:
    """The name of values side by side: the words they share, and those that differ.

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


def size_names(sizes: Iterable[str], allocator: Allocator) -> dict[str, str]:
    """The local of every size name: a letter where it is free."""
    return {size: LEGEND.get(size) or allocator.fresh(size[0].upper()) for size in sizes}


def _shared(words: Sequence[Sequence[str]]) -> int:
    """The number of leading words that all share."""
    return len(list(itertools.takewhile(_agree, zip(*words, strict=False))))


def _agree(column: tuple[str, ...]) -> bool:
    return len(set(column)) == 1
