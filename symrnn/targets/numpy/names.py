"""Names in a generated NumPy module: which are taken, and how several values are named together.

Reads names of values; returns Python identifiers. Leaves out: names of temporaries (`symrnn.targets.numpy.lowerer`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from symrnn.language.identifiers import Allocator
from symrnn.language.system import HIDDEN, INPUT
from symrnn.language.tree import PRIME
from symrnn.plan.size import Count

LEGEND = {INPUT: "I", HIDDEN: "H"}
"""The letters of the sizes that every cell knows; T and B stand beside them."""

INPUTS = "x.shape[2]"
"""The local for the letter I, which looks like 1 (pycodestyle E741)."""

RESERVED = tuple(
    """
    T B I H O l t np dtype weights sizes state x y dy idle gone rows taped tape dstate params p self grads Mapping
    abs all any bool dict enumerate float int isinstance len list max min range slice sum tuple type zip
    """.split()  # noqa: SIM905 - fifty words read better without quotation marks
)
"""Names that the kernels of a generated module use. Its other functions have names with an underscore."""

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


def _shared(words: Sequence[Sequence[str]]) -> int:
    """The number of leading words that all share."""
    return len(list(itertools.takewhile(_agree, zip(*words, strict=False))))


def _agree(column: tuple[str, ...]) -> bool:
    return len(set(column)) == 1


def size_names(sizes: Iterable[str], allocator: Allocator) -> dict[str, str]:
    """The local of every size name: a letter where it is free."""
    return {size: LEGEND.get(size) or allocator.fresh(size[0].upper()) for size in sizes}


def width(sizes: Iterable[str]) -> Count:
    """The columns of values of these sizes side by side."""
    return Count.of(*((size,) for size in sizes))


def noted(labels: Sequence[str], text: str) -> str:
    """The comment of a line: the labels of its equations before the ``text``.

    >>> noted(["b1", "b2"], "(B, H)"), noted([], "(B, H)")
    ('(b1) (b2): (B, H)', '(B, H)')
    """
    return f"{' '.join(f'({label})' for label in labels)}: {text}" if labels else text


def shape(rows: str, *widths: Count, letters: Mapping[str, str]) -> str:
    """A shape as a comment gives it.

    >>> shape("B", width(["hidden", "hidden", "1"]), letters=LEGEND), shape("", width(["hidden"]), letters=LEGEND)
    ('(B, 2 H + 1)', '(H,)')
    """
    texts = [*([rows] if rows else []), *(each.spelt(letters.__getitem__, times=" ") for each in widths)]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
