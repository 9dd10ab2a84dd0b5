"""`Count`: a number that depends on sizes, as a polynomial in their names.

The one type for symbolic sizes: costs, widths of buffers, offsets of columns. Reads size names; prints them as a caller
spells them. Leaves out: what a size is in a target's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod

from symrnn.language.axes import plain_axes
from symrnn.language.system import HIDDEN, INPUT


@dataclass(frozen=True)
class Count:
    """A polynomial in size names, with whole coefficients.

    >>> width = Count.size("input") + 3 * Count.size("hidden")
    >>> print(width, "|", width * Count.size("hidden"), "|", width.value({"input": 2, "hidden": 5}))
    input + 3*hidden | input*hidden + 3*hidden**2 | 17

    Attributes:
        terms: (size names, repeated for powers; factor) pairs, each product of sizes once and none with factor 0. The
            highest powers stand first, ``input`` before ``hidden`` and ``hidden`` before all others.
    """

    terms: tuple[tuple[tuple[str, ...], int], ...] = ()

    @classmethod
    def of(cls, *products: Iterable[str]) -> Count:
        """The sum of the ``products`` of sizes; the size ``1`` counts one."""
        return cls._collect((tuple(product), 1) for product in products)

    @classmethod
    def size(cls, name: str) -> Count:
        """The size called ``name``."""
        return cls.of((name,))

    @classmethod
    def number(cls, value: int) -> Count:
        """``value``, whatever the sizes are."""
        return cls._collect([((), value)])

    @classmethod
    def _collect(cls, terms: Iterable[tuple[tuple[str, ...], int]]) -> Count:
        found: dict[tuple[str, ...], int] = {}
        for sizes, factor in terms:
            key = tuple(sorted((axis for size in sizes for axis in plain_axes(size)), key=_rank))
            found[key] = found.get(key, 0) + factor
        kept = [term for term in found.items() if term[1]]
        return cls(tuple(sorted(kept, key=lambda term: (-len(term[0]), [*map(_rank, term[0])]))))

    def __add__(self, other: Count) -> Count:
        return self._collect((*self.terms, *other.terms))

    def __mul__(self, other: Count | int) -> Count:
        factor = Count.number(other) if isinstance(other, int) else other
        return self._collect((a + b, m * n) for a, m in self.terms for b, n in factor.terms)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        """Whether it is anything but zero."""
        return bool(self.terms)

    def __str__(self) -> str:
        return " + ".join(_term(sizes, factor) for sizes, factor in self.terms) or "0"

    @property
    def sizes(self) -> tuple[str, ...]:
        """The size names that it depends on, each once."""
        return tuple(dict.fromkeys(size for product, _ in self.terms for size in product))

    @property
    def is_sum(self) -> bool:
        """Whether it has several terms, so that a product of it needs parentheses."""
        return len(self.terms) > 1

    def spelt(self, spell: Callable[[str], str], *, factor: bool = False, times: str = " * ") -> str:
        """As code of most languages writes it, each size as ``spell`` says, powers as products.

        >>> print(Count.of(("hidden", "hidden"), ("input",)).spelt("dims->{}".format, factor=True))
        (dims->hidden * dims->hidden + dims->input)

        Args:
            spell: the text of a size, which must bind at least as tightly as a product.
            factor: whether to put parentheses around a sum.
            times: the text between factors.
        """
        terms = [
            times.join([*([str(number)] if number != 1 or not sizes else []), *map(spell, sizes)])
            for sizes, number in self.terms
        ]
        text = " + ".join(terms) or "0"
        return f"({text})" if factor and self.is_sum else text

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number, given one for each size name."""
        return sum(factor * prod(sizes[size] for size in product) for product, factor in self.terms)


def _rank(size: str) -> tuple[int, str]:
    """``input`` and ``hidden`` first, as in the surface."""
    known = (INPUT, HIDDEN)
    return (known.index(size) if size in known else len(known)), size


def _term(sizes: tuple[str, ...], factor: int) -> str:
    powers = [(size, len(list(group))) for size, group in groupby(sizes)]
    factors = [size if power == 1 else f"{size}**{power}" for size, power in powers]
    return "*".join([str(factor), *factors] if factor != 1 or not factors else factors)
